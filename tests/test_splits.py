"""Splits: nothing of one side is seen on another, the same for the same seed, and near a tenth."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.datasets import LabelledSequences, check_labels
from seqcnn.dna import decode, encode, reverse_complement
from seqcnn.errors import ConfigError
from seqcnn.genome import Interval, Sequences
from seqcnn.splits import (
    Split,
    add_negatives,
    add_shuffles,
    label_negatives,
    parse_held_out,
    split_data,
)

LENGTH = 12


def labelled(
    rows: Sequence[str], targets: Sequence[float], places: Sequence[Interval] | None = None
) -> LabelledSequences:
    sequences = Sequences(
        np.stack([encode(row) for row in rows]),
        tuple(f"s{i}" for i in range(len(rows))),
        None if places is None else tuple(places),
    )
    return LabelledSequences(sequences, np.array(targets, np.float32)[:, None], ("task",))


def unlike(count: int, *, seed: int = 0, length: int = LENGTH) -> list[str]:
    rng = np.random.default_rng(seed)
    return [decode(row) for row in rng.integers(0, 4, (count, length)).astype(np.uint8)]


def located(counts: dict[str, int], *, step: int = 50, seed: int = 0) -> LabelledSequences:
    places = [
        Interval(contig, i * step, i * step + LENGTH)
        for contig, count in counts.items()
        for i in range(count)
    ]
    return labelled(unlike(len(places), seed=seed), [1.0] * len(places), places)


def sides_of(split: Split) -> list[LabelledSequences]:
    return [split.train, split.validation, split.test]


def spellings(side: LabelledSequences) -> set[str]:
    codes = side.sequences.codes
    return {decode(row) for row in [*codes, *reverse_complement(codes)]}


def assert_no_leak(split: Split) -> None:
    sides = sides_of(split)
    for i, left in enumerate(sides):
        for right in sides[i + 1 :]:
            assert not spellings(left) & {decode(row) for row in right.sequences.codes}
            for a in left.sequences.intervals or ():
                for b in right.sequences.intervals or ():
                    assert a.contig != b.contig or a.end <= b.start or b.end <= a.start


def contigs_of(side: LabelledSequences) -> set[str]:
    return {interval.contig for interval in side.sequences.intervals}


# --- leaks -----------------------------------------------------------------------------------

few_sequences = st.lists(st.text(st.sampled_from("ACN"), min_size=4, max_size=4), min_size=3)
held_out = st.sampled_from([None, 0.1, 0.4, ("a",), ("b:1-20",)])


@given(st.data(), few_sequences, held_out, held_out, st.integers(0, 9))
def test_no_window_overlaps_or_equals_one_of_another_side(
    data: st.DataObject, rows: list[str], validation: object, test: object, seed: int
) -> None:
    kinds = st.tuples(st.sampled_from("abcd"), st.integers(0, 40))
    places = None
    if data.draw(st.booleans()):
        drawn = data.draw(st.lists(kinds, min_size=len(rows), max_size=len(rows)))
        places = [Interval(contig, start, start + 4) for contig, start in drawn]
    targets = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(rows), max_size=len(rows)))
    rowset = labelled(rows, targets, places)
    before = rowset.sequences.codes.copy()
    split, refusal = None, None
    try:
        split = split_data(rowset, validation=validation, test=test, seed=seed)
    except ConfigError as problem:
        refusal = problem
    if split is None:
        assert refusal.found
        assert refusal.expected
        assert refusal.remedy
        return
    np.testing.assert_array_equal(rowset.sequences.codes, before)
    assert_no_leak(split)
    names = [name for side in sides_of(split) for name in side.sequences.names]
    assert len(set(names)) == len(names)
    for side in sides_of(split):
        assert len(side)
        for name, codes, target in zip(
            side.sequences.names, side.sequences.codes, side.targets, strict=True
        ):
            row = int(name[1:])
            assert decode(codes) == rows[row]
            assert target == targets[row]


def test_rows_that_others_share_are_taken_from_training_first() -> None:
    rows = unlike(30)
    rows[1] = decode(reverse_complement(encode(rows[0])))
    data = labelled(rows, [1.0] * 30)
    test = labelled([rows[0], rows[5]], [1.0, 1.0])
    validation = labelled([rows[1], rows[6], rows[7]], [1.0] * 3)
    split = split_data(data, validation=validation, test=test, seed=1)
    assert split.test.sequences.names == ("s0", "s1")
    assert [decode(row) for row in split.validation.sequences.codes] == rows[6:8]
    assert split.train.sequences.names == tuple(
        f"s{i}" for i in range(30) if i not in {0, 1, 5, 6, 7}
    )


def test_windows_that_touch_do_not_overlap() -> None:
    places = [Interval("a", start, start + 4) for start in (0, 4, 8, 11, 12)]
    data = labelled(unlike(5, length=4), [1.0] * 5, places)
    test = labelled(unlike(1, seed=1, length=4), [1.0], [Interval("a", 8, 12)])
    split = split_data(data, validation=("a:1-4",), test=test, seed=0)
    assert [each.start for each in split.train.sequences.intervals] == [4, 12]
    assert [each.start for each in split.validation.sequences.intervals] == [0]


# --- choosing --------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_split() -> None:
    data = labelled(unlike(200), [float(i % 2) for i in range(200)])
    names = [
        [side.sequences.names for side in sides_of(split_data(data, **options))]
        for options in (
            {"validation": None, "test": None, "seed": 3},
            {"validation": None, "test": None, "seed": 3},
            {"validation": None, "test": None, "seed": 4},
        )
    ]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_a_fraction_is_of_each_class(share: float) -> None:
    data = labelled(unlike(1000), [1.0] * 200 + [0.0] * 800)
    split = split_data(data, validation=share, test=share, seed=0)
    assert split.test.positive.sum() == pytest.approx(share * 200, abs=2)
    assert len(split.test) == pytest.approx(share * 1000, abs=4)
    assert len(split.validation) == pytest.approx(share * (1 - share) * 1000, abs=4)
    assert len(split.train) + len(split.validation) + len(split.test) == 1000


def test_equal_sequences_stay_together() -> None:
    rows = unlike(40)
    data = labelled(
        rows * 3 + [decode(reverse_complement(encode(row))) for row in rows], [1.0] * 160
    )
    split = split_data(data, validation=0.2, test=0.2, seed=0)
    assert_no_leak(split)
    assert sum(map(len, sides_of(split))) == 160


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "sizes",
    [
        [230, 813, 316, 1531, 576, 270, 1090, 562, 439, 745, 666, 1078, 924, 784, 1091, 948],
        [248, 242, 198, 190, 181, 170, 159, 145, 138, 133, 135, 133, 114, 107, 102, 90, 83, 80],
        [10] * 30,
    ],
)
def test_whole_contigs_of_about_a_tenth(sizes: list[int], seed: int) -> None:
    data = located({f"chr{i}": size for i, size in enumerate(sizes)})
    split = split_data(data, validation=None, test=None, seed=seed)
    chosen = [contigs_of(side) for side in sides_of(split)]
    assert not chosen[0] & chosen[1] | chosen[0] & chosen[2] | chosen[1] & chosen[2]
    assert 0.05 * len(data) <= len(split.test) <= 0.2 * len(data)
    assert 0.04 * len(data) <= len(split.validation) <= 0.2 * len(data)


@pytest.mark.parametrize(
    "counts",
    [
        {"chromosome": 300},
        {"chromosome": 200, "other": 100},
        {"chromosome": 300, "plasmid1": 2, "plasmid2": 3},
        {"a": 100, "b": 100, "c": 100},
    ],
)
def test_genomes_of_few_contigs_are_cut_in_blocks(counts: dict[str, int]) -> None:
    data = located(counts, step=6)  # each window overlaps the next
    split = split_data(data, validation=None, test=None, seed=0)
    assert_no_leak(split)
    assert len(split.test) == pytest.approx(0.1 * len(data), abs=1)
    assert len(split.validation) == pytest.approx(0.09 * len(data), abs=3)
    last = max(interval.contig for interval in data.sequences.intervals)
    assert last in contigs_of(split.test)


def test_contigs_and_regions_by_any_of_their_names() -> None:
    data = located({"chrI": 10, "chrII": 10, "chrIII": 10})
    split = split_data(data, validation=("2:107-151",), test=("chr1", "3:1-7"), seed=0)
    assert contigs_of(split.test) == {"chrI", "chrIII"}
    # The middle of the window at 0-12 is base 7; of those of 100-112 and 150-162, 107 and 157.
    assert len(split.test) == 11
    assert [each.start for each in split.validation.sequences.intervals] == [100]
    assert len(split_data(data, validation=("2",), test=("I:1-7",), seed=0).test) == 1
    with pytest.raises(ConfigError, match=r"no row of 30 .* on 'chrI:1-6' that is not held out"):
        split_data(data, validation=None, test=("I:1-6",), seed=0)
    with pytest.raises(ConfigError, match=r"--validation: no row of 20 .* no row lies on 'chrI' "):
        split_data(data, validation=("1",), test=("1",), seed=0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.1", 0.1),
        ("8", ("8",)),
        ("chr8,chr9", ("chr8", "chr9")),
        (" chr8 , chr9,", ("chr8", "chr9")),
        ("chr9:1-2000000", ("chr9:1-2000000",)),
        ("chr9:1-2,000,000,chr8", ("chr9:1-2,000,000", "chr8")),
        ("chr9:1,000-2000,8,9:1-2", ("chr9:1,000-2000", "8", "9:1-2")),
        ("NC_008253.1:3700000-4938920", ("NC_008253.1:3700000-4938920",)),
        ("NC_008253.1", ("NC_008253.1",)),
        ("HLA:01:02,x", ("HLA:01:02", "x")),
        ("nan", ("nan",)),
        ("", ()),
    ],
)
def test_what_held_out_means(text: str, meant: float | tuple[str, ...]) -> None:
    assert parse_held_out(text) == meant


def test_a_region_may_have_commas() -> None:
    data = located({"a": 100, "b": 9})
    (region,) = parse_held_out("a:1,001-2,000")
    split = split_data(data, validation=("b",), test=(region,), seed=0)
    assert [each.start for each in split.test.sequences.intervals] == list(range(1000, 2000, 50))


# --- what cannot be --------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0.0", "1.0", "1.5", "-0.1", "10.0"])
def test_fractions_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"the fraction .*; expected .*; give a fraction"):
        parse_held_out(text)


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (("chr9",), "no row lies on 'chr9', and there is no such file"),
        (("a", "chr9"), "no row lies on 'chr9'"),
        (("typo.bed",), "no row lies on 'typo.bed', and there is no such file"),
        (("a", "b"), "every row of 20 would be held out"),
        ((), "no row of 20 would be held out"),
        (("a:0-10",), "a region from 0 to 10"),
        (("a:9-3",), "a region from 9 to 3"),
        (("a:99999999999999999999-99999999999999999999999",), "no row of 20"),
    ],
)
def test_places_that_do_not_fit(held: tuple[str, ...], found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        split_data(located({"a": 10, "b": 10}), validation=None, test=held, seed=0)
    assert caught.value.where.startswith(("--test", "--validation/--test"))
    assert caught.value.found.startswith(found)
    assert caught.value.expected
    assert caught.value.remedy


def test_contigs_without_coordinates() -> None:
    data = labelled(unlike(9), [1.0] * 9)
    with pytest.raises(ConfigError, match="no coordinates, and there is no such file; expected"):
        split_data(data, validation=("chr8",), test=None, seed=0)


def test_data_of_their_own_with_another_length() -> None:
    data, other = labelled(unlike(9), [1.0] * 9), labelled(unlike(9, length=5), [1.0] * 9)
    with pytest.raises(ConfigError, match="--test: sequences of 5 bp; expected 12 bp"):
        split_data(data, validation=None, test=other, seed=0)


def test_a_side_that_is_emptied_is_told() -> None:
    data = labelled(unlike(9), [1.0] * 9)
    with pytest.raises(ConfigError, match="the training data: no row is left") as caught:
        split_data(data, validation=labelled(unlike(2, seed=5), [1, 1]), test=data, seed=0)
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("with_places", [True, False])
@pytest.mark.parametrize("both_classes", [True, False])
def test_very_small_data(rows: int, with_places: bool, both_classes: bool) -> None:
    """They are split, or refused with one clear message."""
    data = located({"a": rows})
    data = replace(
        data, targets=np.array([[float(not both_classes or i % 2)] for i in range(rows)])
    )
    if not with_places:
        data = replace(data, sequences=replace(data.sequences, intervals=None))
    try:
        split = split_data(data, validation=None, test=None, seed=0)
        if both_classes:
            for name in ("train", "validation", "test"):
                check_labels(getattr(split, name), where=f"the {name} data", remedy="more data")
        refusal = None
        assert all(map(len, sides_of(split)))
    except ConfigError as problem:
        refusal = problem
    assert refusal is None or rows < 3 or both_classes
    assert refusal is None or refusal.found.startswith(("every row of", "every label"))
    assert refusal is None or (refusal.expected and refusal.remedy)


# --- backgrounds -----------------------------------------------------------------------------


def test_shuffles_are_made_of_the_positives() -> None:
    data = labelled(unlike(6, length=40), [1, 0, 1, 1, 0, 1])
    more = add_shuffles(data, ratio=2, seed=7)
    assert len(more) == 6 + 2 * 4
    np.testing.assert_array_equal(more.sequences.codes[:6], data.sequences.codes)
    assert more.targets[:6].tolist() == data.targets.tolist()
    assert not more.targets[6:].any()
    parents = np.repeat([0, 2, 3, 5], 2)
    assert more.sequences.names[6:] == tuple(f"s{i}_shuffled" for i in parents)
    for row, parent in zip(more.sequences.codes[6:], parents, strict=True):
        original = data.sequences.codes[parent]
        assert sorted(itertools.pairwise(row)) == sorted(itertools.pairwise(original))
        assert (row != original).any()
    same, other = (add_shuffles(data, ratio=2, seed=seed) for seed in (7, 8))
    np.testing.assert_array_equal(same.sequences.codes, more.sequences.codes)
    assert (other.sequences.codes != more.sequences.codes).any()


def test_without_positives_there_are_no_shuffles() -> None:
    data = labelled(unlike(3), [0, 0, 0])
    assert len(add_shuffles(data, ratio=3, seed=0)) == 3


def test_negatives_are_shared_out_and_leak_nothing() -> None:
    data = located({"a": 80, "b": 10, "c": 10})
    split = split_data(data, validation=("b",), test=("c",), seed=0)
    rows = unlike(60, seed=9)
    rows[:10] = [decode(row) for row in split.test.sequences.codes]
    records = Sequences(np.stack([encode(row) for row in rows]), tuple(f"n{i}" for i in range(60)))
    negatives = label_negatives(records, ("task",))
    assert not negatives.targets.any()
    joined = add_negatives(replace(split, shuffles=3), negatives, seed=1)
    assert_no_leak(joined)
    assert joined.shuffles == 3
    assert joined.test.positive.sum() == len(split.test)
    added = [int((~side.positive).sum()) for side in sides_of(joined)]
    assert added[2] == 6
    assert 60 - 10 <= sum(added) <= 60
    assert added[0] > 30
    again = add_negatives(split, negatives, seed=1)
    assert again.train.sequences.names == joined.train.sequences.names
    assert (
        add_negatives(split, negatives, seed=2).test.sequences.names != again.test.sequences.names
    )


def test_a_hundred_thousand_peaks_take_a_second_or_two() -> None:
    rng = np.random.default_rng(0)
    count = 100_000
    starts = rng.integers(0, 10**8, count).tolist()
    places = tuple(Interval(f"chr{i % 22}", s, s + 101) for i, s in enumerate(starts))
    codes = rng.integers(0, 4, (count, 101)).astype(np.uint8)
    names = tuple(map(str, range(count)))
    data = LabelledSequences(
        Sequences(codes, names, places), np.ones((count, 1), np.float32), ("task",)
    )
    begun = time.process_time()
    split = split_data(data, validation=0.1, test=("chr3:1-50000000", "chr4"), seed=0)
    assert time.process_time() - begun < 4
    assert len(split.train) > 60_000
