"""Null variants: what they are, and that p-values of other null variants are uniform."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest
from tiny_models import draw_codes, make_model, plant

from seqcnn.dna import decode, encode, one_hot
from seqcnn.effects import score_pairs
from seqcnn.engine import Engine
from seqcnn.errors import BedError, ConfigError, FastaError
from seqcnn.genome import open_genome
from seqcnn.nulls import COUNT, choose_count, draw_null, drawing, null_from_genome
from seqcnn.nulls.places import SLOTS
from seqcnn.nulls.records import CONTIG, LONGEST, MARGIN, draw_records, shuffle_windows
from seqcnn.significance import ALLELE_TYPES, allele_types, p_values
from seqcnn.variants import AllelePlacer, Reason, allele_pairs

TYPES = len(ALLELE_TYPES)
CONTEXTS = draw_codes(30, 24)


def open_engine(architecture="motif", **rest) -> Engine:
    return Engine(make_model(architecture, **rest), threads=1)


def place(contig, records, *, length=20):
    genome = drawing._genome_of(contig)
    return genome, AllelePlacer(genome, length=length).place(records)


def draw_alleles(*, length=20, rows=200, seed=0):
    rng = np.random.default_rng(seed)
    contexts = draw_codes(rows * SLOTS, length, unknown=False).reshape(rows, SLOTS, length)
    windows = shuffle_windows(contexts, length=length, rng=rng)
    return windows, *draw_records(windows, length=length, rng=rng)


def pairs_of(codes) -> np.ndarray:
    """Count the dinucleotides of a circle."""
    counts = np.zeros((5, 5), dtype=int)
    np.add.at(counts, (codes, np.roll(codes, -1)), 1)
    return counts


# Windows and alleles


@pytest.mark.parametrize("length", [20, 21])
def test_windows_are_shuffles_of_their_contexts(length) -> None:
    rng = np.random.default_rng(0)
    contexts = draw_codes(40 * SLOTS, 33, unknown=False).reshape(40, SLOTS, 33)
    contexts[..., 0] = contexts[..., -1]  # then the circle closes with a pair of one letter
    windows = shuffle_windows(contexts, length=length, rng=rng)
    centre = MARGIN + length // 2
    assert windows.shape == (40, SLOTS, length + 2 * MARGIN)
    assert (windows[:, :4, centre] == np.arange(4)).all()
    for row in range(40):
        for slot in range(SLOTS):
            circle = windows[row, slot, centre : centre + 33]
            if (contexts[row, slot] == windows[row, slot, centre]).any():
                np.testing.assert_array_equal(pairs_of(circle), pairs_of(contexts[row, slot]))
    assert (windows[0, 4] != windows[1, 4]).any()


def test_places_are_any_of_their_kind() -> None:
    contexts = np.tile(np.arange(12, dtype=np.uint8) % 4, (900, SLOTS, 1))
    windows = shuffle_windows(contexts, length=12, rng=np.random.default_rng(0))
    letters, counts = np.unique(windows[:, 4, MARGIN + 6], return_counts=True)
    assert letters.tolist() == [0, 1, 2, 3]
    assert (np.abs(counts - 225) < 60).all()


def test_a_context_without_a_base_gets_it() -> None:
    contexts = np.zeros((3, SLOTS, 20), dtype=np.uint8)
    windows = shuffle_windows(contexts, length=20, rng=np.random.default_rng(0))
    assert windows[:, :, MARGIN + 10].tolist() == [[0, 1, 2, 3, 0]] * 3
    assert (windows[:, 1, : MARGIN + 10] == 0).all()


def test_unknown_bases_become_others_of_the_sequence() -> None:
    contexts = np.full((2, SLOTS, 30), 4, dtype=np.uint8)
    contexts[..., 3:9] = 2
    windows = shuffle_windows(contexts, length=20, rng=np.random.default_rng(0))
    assert (windows[:, 4] == 2).all()


@pytest.mark.parametrize("length", [1, 3, 20, 101])
def test_every_row_has_an_allele_of_each_type(length) -> None:
    _, contig, records = draw_alleles(length=length)
    _, table = place(contig, records, length=length)
    assert (table.reasons == Reason.SCORED).all()
    types = allele_types(table.refs, table.alternatives).reshape(-1, TYPES)
    longest = {"1": 1, "2-4": 2, "5+": 5}
    for number, name in enumerate(ALLELE_TYPES):
        if longest[name.partition("_")[2] or "1"] <= length:
            assert (types[:, number] == number).all(), name
    sizes = np.maximum(table.refs.lengths, table.alternatives.lengths)
    assert sizes.max() <= min(length, LONGEST)
    assert set(records.contigs) == {CONTIG}


def test_alleles_stand_in_the_middle_of_their_own_windows() -> None:
    length = 21
    windows, contig, records = draw_alleles(length=length, rows=100)
    genome, table = place(contig, records, length=length)
    pairs = allele_pairs(table, genome)
    ref = pairs.ref.reshape(100, TYPES, length)
    alt = pairs.alt.reshape(100, TYPES, length)
    middle = slice(MARGIN, MARGIN + length)
    for number in range(12):
        np.testing.assert_array_equal(ref[:, number], windows[:, number // 3, middle])
        differs = ref[:, number] != alt[:, number]
        assert (differs == (np.arange(length) == length // 2)).all()
    # A window without a repeat at the allele is the context's own, too.
    same = (ref[:, 12:] == windows[:, 4:, middle]).all(axis=2)
    assert same.mean() > 0.4


def test_lengths_cover_their_classes() -> None:
    _, contig, records = draw_alleles(length=101, rows=1500)
    _, table = place(contig, records, length=101)
    lengths = table.refs.lengths.reshape(-1, TYPES), table.alternatives.lengths.reshape(-1, TYPES)
    removed, inserted = lengths
    for side, kind in ((inserted, "insertion"), (removed, "deletion")):
        for size, every in (("1", {1}), ("2-4", {2, 3, 4}), ("5+", set(range(5, LONGEST + 1)))):
            assert set(side[:, ALLELE_TYPES.index(f"{kind}_{size}")].tolist()) == every
    other = [side[:, ALLELE_TYPES.index("other_2-4")] for side in (removed, inserted)]
    assert set(zip(*(side.tolist() for side in other), strict=True)) == {
        (a, b) for a in range(1, 5) for b in range(1, 5) if max(a, b) > 1
    }
    assert 0.45 < (other[0] == other[1]).mean() < 0.55


# The null


@pytest.mark.parametrize("tasks", [("a",), ("a", "b")])
def test_a_null_holds_the_effects_of_its_variants(tasks, monkeypatch) -> None:
    seen = []

    def watch(engine, shifted):
        seen.append(score_pairs(engine, shifted).delta)
        return score_pairs(engine, shifted)

    monkeypatch.setattr(drawing, "score_pairs", watch)
    monkeypatch.setattr(drawing, "_ROWS", 16)
    engine = open_engine(tasks=tasks, task_kind="multilabel", members=2)
    null = draw_null(engine, CONTEXTS, count=40)
    assert null.sizes.shape == (TYPES, len(tasks), 40)
    assert [len(delta) for delta in seen] == [16 * TYPES, 16 * TYPES, 8 * TYPES]
    delta = np.concatenate(seen).reshape(40, TYPES, len(tasks))
    expected = np.sort(np.abs(delta), axis=0).transpose(1, 2, 0).astype(np.float32)
    np.testing.assert_array_equal(null.sizes, expected)
    assert (null.count, null.strands, null.shifts) == (40, "average", 1)


def test_the_same_seed_gives_the_same_null() -> None:
    model = make_model(members=2)
    one, two = (draw_null(Engine(model, threads=t), CONTEXTS, count=300, seed=3) for t in (1, 2))
    np.testing.assert_array_equal(one.sizes, two.sizes)
    other = draw_null(Engine(model, threads=1), CONTEXTS, count=300, seed=4)
    assert (one.sizes != other.sizes).any()


def test_a_null_belongs_to_its_strands_and_shifts() -> None:
    model = make_model()
    single = replace(model, spec=replace(model.spec, strands="single"))
    nulls_by = [
        draw_null(Engine(model, threads=1), CONTEXTS, count=50),
        draw_null(Engine(model, threads=1), CONTEXTS, count=50, shifts=5),
        draw_null(Engine(single, threads=1), CONTEXTS, count=50),
    ]
    assert [(n.strands, n.shifts) for n in nulls_by] == [
        ("average", 1),
        ("average", 5),
        ("single", 1),
    ]
    assert len({float(null.sizes.sum()) for null in nulls_by}) == 3
    with pytest.raises(ConfigError, match="shifts"):
        draw_null(Engine(model, threads=1), CONTEXTS, count=5, shifts=21)


def test_contexts_of_unknown_bases_are_passed_over() -> None:
    engine = open_engine()
    contexts = np.concatenate([CONTEXTS, np.full_like(CONTEXTS, 4)])
    assert np.isfinite(draw_null(engine, contexts, count=80).sizes).all()
    mostly = np.full((2, 24), 4, dtype=np.uint8)
    mostly[0, 5] = 1
    assert draw_null(engine, mostly, count=8).count == 8
    with pytest.raises(ConfigError, match="no known base in 3 sequences"):
        draw_null(engine, np.full((3, 24), 4, dtype=np.uint8))
    with pytest.raises(ConfigError, match="no known base in 0 sequences"):
        draw_null(engine, CONTEXTS[:0])


def test_networks_with_global_pooling_get_more_null_variants() -> None:
    assert choose_count(make_model("deepbind").spec) == 2 * COUNT
    few = choose_count(make_model("alexnet", length=600).spec)
    assert 1000 < few * len(ALLELE_TYPES) < COUNT * len(ALLELE_TYPES)


# Calibration


@pytest.fixture
def compare(monkeypatch):
    """Draw a null, and null variants of another seed that do not depend on each other: their p."""

    def give(engine, draw, *, count=2000, rows=500) -> np.ndarray:
        null = draw(engine, count=count, seed=1)
        found = []

        def watch(*arguments):
            found.append(score_pairs(*arguments))
            return found[-1]

        with monkeypatch.context() as patch:
            patch.setattr(drawing, "score_pairs", watch)
            draw(engine, count=rows, seed=2)
        delta = np.concatenate([effects.delta for effects in found])
        # A row has five contexts, with several variants in each: one of these is taken.
        rng = np.random.default_rng(0)
        kinds = [*(3 * slot + rng.integers(0, 3, rows) for slot in range(4)),
                 rng.integers(12, TYPES, rows)]  # fmt: skip
        types = np.concatenate(kinds)
        taken = delta[np.tile(np.arange(rows), SLOTS) * TYPES + types]
        return p_values(null, types.astype(np.uint8), taken)

    return give


def shuffled(engine, **rest):
    return draw_null(engine, CONTEXTS, **rest)


@pytest.mark.parametrize(
    ("architecture", "rest"),
    [
        ("motif", {}),
        ("motif", {"members": 2, "tasks": ("a", "b"), "strands": "single"}),
        ("motif", {"task_kind": "regression", "centre": (5.0,), "scale": (1e-9,)}),
        ("deepbind", {"values": {"pooling": "max_mean"}}),
    ],
)
def test_p_values_of_null_variants_are_uniform(architecture, rest, compare) -> None:
    engine = open_engine(architecture, **rest)
    for p in compare(engine, shuffled).T:
        assert kstest(p, "uniform").pvalue > 0.01
        assert 0.04 < (p <= 0.05).mean() < 0.06


def test_a_deep_network_is_calibrated(compare) -> None:
    small = {"channels1": 6, "channels2": 5, "channels3": 5, "width2": 5, "width3": 3}
    values = small | {"pool1": 2, "pool2": 2, "pool3": 1, "hidden1": 8, "hidden2": 8}
    engine = open_engine("alexnet", length=60, values=values)

    def draw(engine, **rest):
        return draw_null(engine, draw_codes(30, 60), **rest)

    p = compare(engine, draw, count=60, rows=20)
    assert kstest(p[:, 0], "uniform").pvalue > 0.01


def test_many_effects_of_nothing_keep_the_false_positive_rate(compare) -> None:
    def draw(engine, **rest):
        return draw_null(engine, draw_codes(30, 40), **rest)

    p = compare(open_engine("deepbind", length=40), draw)
    assert 0.2 < (p == 1).mean() < 0.5
    assert 0.04 < (p <= 0.05).mean() < 0.06
    for level in (0.1, 0.2, 0.4):
        assert abs((p <= level).mean() - level) < 0.025


def test_a_model_that_sees_nothing_finds_nothing(compare) -> None:
    model = make_model()
    still = {name: np.zeros_like(values) for name, values in model.members[0].items()}
    still["norm.running_var"] += 1
    engine = Engine(replace(model, members=(still,)), threads=1)
    assert (draw_null(engine, CONTEXTS, count=20).sizes == 0).all()
    assert (compare(engine, shuffled, count=20, rows=20) == 1).all()


def test_breaking_a_site_has_the_smallest_p() -> None:
    engine = site_engine()
    null = draw_null(engine, draw_codes(50, 31, unknown=False), count=1000)
    codes = plant(draw_codes(1, 400, seed=5, unknown=False), "TGACGTCA", seed=0)[0]
    site = decode(codes).index("TGACGTCA")
    genome = drawing._genome_of(codes)
    letters = decode(codes)
    rows = [(at, letters[at], "ACGT"[(codes[at] + 2) % 4]) for at in range(60, 340)]
    records = place_rows(rows)
    table = AllelePlacer(genome, length=31).place(records)
    effects = score_pairs(engine, [allele_pairs(table, genome)], null=null)
    p = effects.p[:, 0]
    within = np.array([site <= at < site + 8 for at, _, _ in rows])
    assert p[within].max() == 1 / 1001
    assert (p[~within] <= 0.05).mean() < 0.15
    twice = place_rows([rows[0], rows[0]])
    table = AllelePlacer(genome, length=31).place(twice)
    again = score_pairs(engine, [allele_pairs(table, genome)], null=null).p
    assert again.ravel().tolist() == [p[0], p[0]]


def place_rows(rows):
    _, _, block = draw_alleles(rows=1)
    number = len(rows)
    return replace(
        block,
        lines=[""] * number,
        numbers=np.arange(number),
        contigs=(CONTIG,) * number,
        positions=np.array([at + 1 for at, _, _ in rows]),
        identifiers=("",) * number,
        refs=tuple(ref for _, ref, _ in rows),
        alts=tuple(alt for _, _, alt in rows),
    )


def site_engine() -> Engine:
    """A model whose one detector is the site TGACGTCA."""
    model = make_model(length=31, values={"detectors": 1, "width": 8, "ceiling": 20})
    weights = {name: np.zeros_like(values) for name, values in model.members[0].items()}
    for name in weights:
        if name.endswith(("running_var", "weight")):
            weights[name] += 1
    weights["detectors"] += np.float32(2) * one_hot(encode("TGACGTCA"), unknown=0)
    return Engine(replace(model, members=(weights,)), threads=1)


# Of a genome


@pytest.fixture
def fasta(tmp_path):
    rng = np.random.default_rng(0)
    contigs = {"chr1": 3000, "chr2": 700, "tiny": 9}
    letters = {name: decode(rng.integers(0, 4, size).astype(np.uint8)) for name, size in
               contigs.items()}  # fmt: skip
    letters["chr1"] = letters["chr1"][:1000] + "N" * 1500 + letters["chr1"][2500:]
    path = tmp_path / "g.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    return path


def write_bed(tmp_path, *lines):
    path = tmp_path / "b.bed"
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    return path


def test_a_null_of_a_genome_is_drawn(fasta, tmp_path) -> None:
    engine = open_engine()
    bed = write_bed(tmp_path, ("1", 100, 900), ("chr2", 0, 600))
    with open_genome(fasta) as genome:
        found = [null_from_genome(engine, genome, count=60, seed=s, bed=b)
                 for s, b in ((1, None), (1, None), (2, None), (1, bed), (1, bed))]  # fmt: skip
    np.testing.assert_array_equal(found[0].sizes, found[1].sizes)
    np.testing.assert_array_equal(found[3].sizes, found[4].sizes)
    assert (found[0].sizes != found[2].sizes).any()
    assert [null.source for null in found] == ["genome"] * 3 + ["intervals"] * 2
    assert all(null.sizes.shape == (TYPES, 1, 60) for null in found)
    assert np.isfinite([null.sizes for null in found]).all()


@pytest.mark.parametrize("with_bed", [False, True])
def test_a_null_of_a_genome_is_calibrated(fasta, tmp_path, with_bed, compare) -> None:
    bed = write_bed(tmp_path, ("chr1", 100, 900), ("chr2", 50, 650)) if with_bed else None
    engine = open_engine()
    with open_genome(fasta) as genome:

        def draw(engine, **rest):
            return null_from_genome(engine, genome, bed=bed, **rest)

        p = compare(engine, draw)[:, 0]
    assert kstest(p, "uniform").pvalue > 0.01
    assert 0.04 < (p <= 0.05).mean() < 0.06


def test_windows_of_intervals_are_the_genome_as_it_is(fasta, tmp_path, monkeypatch) -> None:
    seen = []
    real = drawing.draw_records

    def watch(windows, **rest):
        seen.append(windows)
        return real(windows, **rest)

    monkeypatch.setattr(drawing, "draw_records", watch)
    bed = write_bed(tmp_path, ("chr1", 300, 800))
    with open_genome(fasta) as genome:
        null_from_genome(open_engine(), genome, count=50, bed=bed)
        letters = decode(genome.codes("chr1"))
    (windows,) = seen
    assert (windows[:, :4, MARGIN + 10] == np.arange(4)).all()
    places = [letters.find(decode(window)) for window in windows.reshape(-1, windows.shape[2])]
    centres = np.array(places) + MARGIN + 10
    assert (np.array(places) >= 0).all()
    assert ((centres >= 300) & (centres < 800)).all()
    assert len(set(centres.tolist())) > 150


def test_few_places_are_used_again_and_told_of(fasta, tmp_path, caplog) -> None:
    bed = write_bed(tmp_path, ("chr2", 100, 140))
    with open_genome(fasta) as genome, caplog.at_level(logging.WARNING):
        null = null_from_genome(open_engine(), genome, count=100, bed=bed)
    assert null.count == 100
    assert "different places for 100 null variants" in caplog.text


def test_intervals_that_are_of_no_use_are_refused(fasta, tmp_path) -> None:
    cases = (
        (("chr1", 1200, 2300), "no A with known bases around it"),
        (("chr9", 1, 50), "1 contig(s) not in the FASTA: chr9"),
        (("chr2", 600, 800), "ends past its contig"),
        (("chr2", "x", 800), "position 'x'"),
    )
    with open_genome(fasta) as genome:
        for line, message in cases:
            bed = write_bed(tmp_path, line)
            with pytest.raises(BedError) as refusal:
                null_from_genome(open_engine(), genome, count=10, bed=bed)
            assert message in str(refusal.value)
            assert str(bed) in str(refusal.value)


def test_tiny_and_unknown_genomes(tmp_path) -> None:
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGTTGA\n>b\nCCA\n>c\nNNNN\n")
    with open_genome(path) as genome:
        assert null_from_genome(open_engine(), genome, count=30).count == 30
    path = tmp_path / "n.fa"
    path.write_text(">a\n" + "N" * 500 + "\n")
    with open_genome(path) as genome, pytest.raises(FastaError, match="no known base"):
        null_from_genome(open_engine(), genome, count=30)
