"""Sources as a whole: what is read, where negatives come from, and which side they go to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import MOTIF, World, write_fasta, write_lines

from seqcnn.datasets import LabelledSequences
from seqcnn.dna import decode
from seqcnn.errors import ConfigError, InputError
from seqcnn.sources import Source, name_task, prepare_evaluation, prepare_split, read_unlabelled
from seqcnn.splits import Split


@pytest.fixture
def peaks(world: World) -> Source:
    return Source(peaks=(("site", world.peaks),), fasta=world.genome, length=61)


def split_of(
    source: Source, *, validation: object = None, test: object = None, seed: int = 0
) -> Split:
    held = [None if side is None else str(side) for side in (validation, test)]
    split, _ = prepare_split(source, validation=held[0], test=held[1], task_kind=None, seed=seed)
    return split


def sides(split: Split) -> dict[str, LabelledSequences]:
    return {"train": split.train, "validation": split.validation, "test": split.test}


def contigs(data: LabelledSequences) -> set[str]:
    return {interval.contig for interval in data.sequences.intervals or ()}


def spelled(data: LabelledSequences) -> list[str]:
    return [decode(codes) for codes in data.sequences.codes]


def counts(split: Split) -> dict[str, tuple[int, int]]:
    return {
        name: (int(side.positive.sum()), int((~side.positive).sum()))
        for name, side in sides(split).items()
    }


def rows_of(world: World, contig: str, path: Path) -> Path:
    lines = world.peaks.read_text().splitlines()
    return write_lines(path, [line for line in lines if line.startswith(f"{contig}\t")])


# Splits


def test_contigs_and_regions(peaks: Source) -> None:
    split = split_of(peaks, test="chr6", validation="chr5:1-3000,4")
    assert contigs(split.test) == {"chr6"}
    assert contigs(split.validation) == {"chr5", "chr4"}
    assert contigs(split.train) == {"chr1", "chr2", "chr3", "chr5"}
    assert all(i.centre < 3000 for i in split.validation.sequences.intervals if i.contig == "chr5")


def test_a_fraction_and_the_default(peaks: Source) -> None:
    split = split_of(peaks, test="0.25")
    assert counts(split)["test"] == (36, 36)
    by_default = split_of(peaks)
    held = contigs(by_default.test), contigs(by_default.validation), contigs(by_default.train)
    assert not held[0] & held[1]
    assert not (held[0] | held[1]) & held[2]


def test_a_file_is_the_test_side(peaks: Source, world: World, tmp_path: Path) -> None:
    chr6 = rows_of(world, "chr6", tmp_path / "chr6.bed")
    split = split_of(peaks, test=chr6, validation="chr5")
    assert contigs(split.test) == {"chr6"}
    assert "chr6" not in contigs(split.train)  # its rows are held out
    assert split.test.tasks == ("site",)


def test_a_folder_that_is_named_like_a_contig_is_no_file(
    peaks: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chr6").mkdir()
    monkeypatch.chdir(tmp_path)
    assert contigs(split_of(peaks, test="chr6").test) == {"chr6"}


def test_a_file_has_no_room_for_several_tasks(world: World) -> None:
    both = (("a", world.peaks), ("b", world.other_peaks))
    source = Source(peaks=both, fasta=world.genome)
    with pytest.raises(ConfigError, match="the source has several tasks"):
        split_of(source, test=world.peaks)


def test_the_seed_chooses(world: World) -> None:
    source = Source(seq=world.seq)
    first, same, other = (spelled(split_of(source, seed=seed).test) for seed in (1, 1, 2))
    assert first == same
    assert first != other


# Backgrounds


def test_shuffles_are_rows_of_the_held_out_sides_and_fresh_in_training(peaks: Source) -> None:
    split = split_of(replace(peaks, ratio=2), test="chr6", validation="chr5")
    assert split.shuffles == 2
    assert counts(split) == {"train": (96, 0), "validation": (24, 48), "test": (24, 48)}
    letters = spelled(split.test)
    assert sorted(letters[0]) == sorted(letters[24])
    assert letters[0] != letters[24]


def test_negatives_of_the_source_are_enough(world: World) -> None:
    source = Source(positives=world.positives, negatives=world.negatives)
    split = split_of(source)
    assert split.shuffles == 0
    assert sum(negative for _, negative in counts(split).values()) == 60


@pytest.mark.parametrize("test", ["chr6", "file"])
def test_gc_matched_windows_lie_on_the_side_of_their_contig(
    test: str, peaks: Source, world: World, tmp_path: Path
) -> None:
    exclude = write_lines(tmp_path / "no.bed", ["6\t0\t3000"])
    source = replace(peaks, background="gc", exclude=exclude)
    held = rows_of(world, "chr6", tmp_path / "chr6.bed") if test == "file" else test
    split = split_of(source, test=held, validation="chr5")
    assert split.shuffles == 0
    positive, negative = counts(split)["test"]
    assert (positive, negative) == (24, 24)
    assert contigs(split.test) == {"chr6"}
    places = split.test.sequences.intervals
    background = [i for i, sited in zip(places, split.test.positive, strict=True) if not sited]
    assert min(interval.start for interval in background) >= 3000
    for letters, sited in zip(spelled(split.test), split.test.positive, strict=True):
        assert (MOTIF in letters) == sited


@pytest.mark.parametrize("test", ["chr6", "file"])
def test_background_windows_of_a_file(
    test: str, peaks: Source, world: World, tmp_path: Path
) -> None:
    source = replace(peaks, background=str(world.background), length=51)
    held = rows_of(world, "chr6", tmp_path / "chr6.bed") if test == "file" else test
    split = split_of(source, test=held, validation="chr5")
    assert split.shuffles == 0
    assert all(positive and negative for positive, negative in counts(split).values())
    assert sum(negative for _, negative in counts(split).values()) == 144
    if test != "file":
        assert contigs(split.test) == {"chr6"}


def test_a_background_fasta_is_shared_out(peaks: Source, world: World) -> None:
    split = split_of(replace(peaks, background=str(world.negatives)), test="chr6")
    shares = [negative for _, negative in counts(split).values()]
    assert sum(shares) == 60
    assert min(shares) >= 8


def test_no_window_is_on_two_sides(peaks: Source, world: World) -> None:
    for background in (None, "gc", str(world.background), str(world.negatives)):
        split = split_of(replace(peaks, background=background))
        letters = [set(spelled(side)) for side in sides(split).values()]
        assert not letters[0] & letters[1]
        assert not letters[0] & letters[2]
        assert not letters[1] & letters[2]


def test_labels_of_a_table_are_taken_as_they_are(world: World) -> None:
    split, kind = prepare_split(
        Source(table=world.table, targets=("bound", "other")),
        validation=None, test=None, task_kind=None, seed=0,
    )  # fmt: skip
    assert kind == "multilabel"
    assert split.shuffles == 0
    assert np.isnan(split.train.targets[:, 1]).any()
    assert not np.isnan(split.train.targets[:, 0]).any()


@pytest.mark.parametrize(("targets", "kind"), [("bound", "binary"), ("strength", "regression")])
def test_the_kind_follows_from_the_targets(targets: str, kind: str, world: World) -> None:
    source = Source(table=world.table, targets=(targets,))
    given = {"validation": None, "test": None, "seed": 0}
    assert prepare_split(source, task_kind=None, **given)[1] == kind
    assert prepare_split(source, task_kind="regression", **given)[1] == "regression"


# Evaluation


def test_evaluation_makes_the_negatives_of_training(
    peaks: Source, world: World, tmp_path: Path
) -> None:
    split = split_of(peaks, test="chr6")
    chr6 = rows_of(world, "chr6", tmp_path / "chr6.bed")
    data = prepare_evaluation(
        replace(peaks, peaks=(("other name", chr6),)),
        tasks=("site",), task_kind="binary", length=61, seed=0,
    )  # fmt: skip
    assert data.tasks == ("site",)
    assert spelled(data) == spelled(split.test)
    np.testing.assert_array_equal(data.targets, split.test.targets)


def test_tasks_that_the_source_has_not_are_missing_also_for_negatives(peaks: Source) -> None:
    tasks = ("first", "site")
    data = prepare_evaluation(peaks, tasks=tasks, task_kind="multilabel", length=61, seed=0)
    assert np.isnan(data.targets[:, 0]).all()
    assert set(data.targets[:, 1].tolist()) == {0, 1}


# What does not fit together


def test_exactly_one_source() -> None:
    with pytest.raises(ConfigError, match="none given"):
        Source()
    with pytest.raises(ConfigError, match="--positives and --seq given"):
        Source(positives=Path("a"), seq=Path("b"))


def test_files_are_all_that_is_named(world: World) -> None:
    source = Source(
        peaks=(("a", world.peaks),), fasta=world.genome, background=str(world.background)
    )
    assert set(source.files) == {world.peaks, world.genome, world.background}
    assert Source(seq=world.seq, background="dinucleotide").files == [world.seq]


# Sequences without labels


def test_unlabelled_sequences_have_the_length_of_the_model(world: World) -> None:
    sequences = read_unlabelled(world.positives, length=21, fasta=None)
    assert sequences.codes.shape == (60, 21)
    assert all(MOTIF in decode(codes) for codes in sequences.codes)


def test_an_unknown_first_line_is_read_as_bed(world: World, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.txt", ["once upon a time"])
    with pytest.raises(InputError, match=r"x\.txt:1"):
        read_unlabelled(path, length=21, fasta=world.genome)
    protein = write_fasta(tmp_path / "p.fa", [("p", "MKL")])
    with pytest.raises(InputError, match="protein"):
        read_unlabelled(protein, length=21, fasta=None)


@pytest.mark.parametrize("name", ["", "a\tb", "a\nb", "\x1b[31m", "\udcff"])
def test_a_task_has_a_name_that_tables_can_hold(name: str) -> None:
    with pytest.raises(ConfigError, match="the tasks"):
        Source(peaks=((name, Path("peaks.bed")),), fasta=Path("genome.fa"))
    with pytest.raises(ConfigError, match="the tasks"):
        Source(table=Path("table.tsv"), targets=("good", name))


@pytest.mark.parametrize(
    ("file", "name"),
    [("factor.bed.gz", "factor"), (".bed", ".bed"), ("a\tb.bed", "a_b"), ("\udcff.bed", "_")],
)
def test_a_file_names_its_task(file: str, name: str) -> None:
    assert name_task(Path("folder") / file) == name
    Source(peaks=((name, Path(file)),), fasta=Path("genome.fa"))
