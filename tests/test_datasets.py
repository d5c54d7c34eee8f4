"""Peaks, FASTA classes and .seq files as labelled sequences."""

import gzip
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.datasets import (
    LabelledSequences,
    check_labels,
    common_length,
    concatenate,
    encode_or_refuse,
    encode_records,
    label_windows,
    place_windows,
    read_fasta_classes,
    read_peaks,
    read_seq,
)
from seqcnn.dna import decode, encode
from seqcnn.errors import BedError, ConfigError, FastaError, TableError
from seqcnn.genome import Genome, Interval, Sequences, open_genome, read_bed

CONTIGS = {"chr1": "ACGTTGCAAC" * 6, "chr2": "GGCAT" * 8, "chrM": "N" * 30}

MakeFile = Callable[[str, str], Path]


@pytest.fixture
def make(tmp_path: Path) -> MakeFile:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def genome(make: MakeFile) -> Genome:
    text = "".join(f">{name}\n{sequence}\n" for name, sequence in CONTIGS.items())
    with open_genome(make("genome.fa", text)) as opened:
        yield opened


# --- windows ---------------------------------------------------------------------------------


def test_windows_stand_around_summits_and_middles(make: MakeFile, genome: Genome) -> None:
    path = make("x.bed", "1\t10\t20\tone\t0\t-\n2\t0\t40\nchr1\t0\t8\n")
    windows, rows = place_windows(path, read_bed(path), genome, length=9)
    assert [(w.contig, w.start, w.end, w.name, w.strand, w.line) for w in windows] == [
        ("chr1", 11, 20, "one", "-", 1),
        ("chr2", 16, 25, "chr2:17-25", ".", 2),
        ("chr1", 0, 9, "chr1:1-9", ".", 3),
    ]
    assert rows == [0, 1, 2]
    sequences, targets = label_windows(path, windows, genome, np.eye(3, dtype=np.float32))
    plus = CONTIGS["chr1"][11:20]
    assert decode(sequences.codes[0]) == plus[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert decode(sequences.codes[1]) == CONTIGS["chr2"][16:25]
    np.testing.assert_array_equal(targets, np.eye(3))


def test_windows_over_an_end_are_left_out_and_counted(
    make: MakeFile, genome: Genome, caplog: pytest.LogCaptureFixture
) -> None:
    path = make("x.bed", "chr1\t0\t4\nchr1\t20\t30\nchr1\t56\t60\n")
    windows, rows = place_windows(path, read_bed(path), genome, length=9)
    assert rows == [1]
    assert len(windows) == 1
    assert f"{path}: 2 windows over a contig's end" in caplog.text


def test_windows_of_n_are_left_out(
    make: MakeFile, genome: Genome, caplog: pytest.LogCaptureFixture
) -> None:
    path = make("x.bed", "MT\t10\t20\nchr1\t20\t30\n")
    windows, _ = place_windows(path, read_bed(path), genome, length=5)
    sequences, targets = label_windows(path, windows, genome, np.array([[1], [2]], np.float32))
    assert sequences.names == ("chr1:24-28",)
    assert targets.tolist() == [[2]]
    assert "1 windows mostly N left out" in caplog.text
    with pytest.raises(BedError, match="every window is N"):
        label_windows(path, windows[:1], genome, targets)


@pytest.mark.parametrize(
    ("text", "where", "found", "remedy"),
    [
        ("chr1\t0\t9\nchr1\t50\t61\n", ":2", "chr1 50 61 ends past its contig", "genome build"),
        ("chr3\t0\t9\nchr1\t5\t9\n", "", "1 contig(s) not in the FASTA: chr3", "genome build"),
        ("chr1\t0\t2\nchr1\t58\t60\n", "", "no window of 9 bp fits", "--length"),
        ("chr1\t999999999999\t999999999999\n", ":1", "start 9999", "count from 1"),
        ("chr1\t1\t999999999999\n", ":1", "chr1 1 999999999999 ends past", "genome build"),
    ],
)
def test_peaks_that_are_not_of_this_genome(
    make: MakeFile, genome: Genome, text: str, where: str, found: str, remedy: str
) -> None:
    path = make("x.bed", text)
    with pytest.raises(BedError) as caught:
        read_peaks([("x", path)], genome, length=9)
    assert caught.value.where == f"{path}{where}"
    assert caught.value.found.startswith(found)
    assert caught.value.expected
    assert remedy in caught.value.remedy


def test_peaks_of_one_file_are_sorted_and_single(make: MakeFile, genome: Genome) -> None:
    path = make("x.bed", "chr2\t10\t20\nchr1\t30\t32\nchr1\t29\t33\nchr1\t5\t10\n")
    data = read_peaks([("task", path)], genome, length=5)
    assert [str(each) for each in data.sequences.intervals] == [
        "chr1:6-10",
        "chr1:30-34",
        "chr2:14-18",
    ]
    assert data.tasks == ("task",)
    assert data.targets.tolist() == [[1], [1], [1]]


def test_peaks_of_several_files_share_windows(make: MakeFile, genome: Genome) -> None:
    first = make("a.bed", "chr1\t20\t21\nchr1\t40\t41\n")
    second = make("b.bed", "1\t24\t25\nchr1\t30\t31\n")
    data = read_peaks([("a", first), ("b", second)], genome, length=9)
    assert [each.centre for each in data.sequences.intervals] == [20, 30, 40]
    assert data.targets.tolist() == [[1, 1], [0, 1], [1, 0]]
    # One base more, and they are two windows.
    data = read_peaks([("a", first), ("b", make("b.bed", "1\t25\t26\n"))], genome, length=9)
    assert data.targets.tolist() == [[1, 0], [0, 1], [1, 0]]


# --- sequences -------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40))
def test_19_of_20_sequences_reach_the_common_length(lengths: list[int]) -> None:
    chosen = common_length(lengths)
    assert chosen in lengths
    assert sum(length >= chosen for length in lengths) >= 0.95 * len(lengths) - 1e-9
    larger = [length for length in lengths if length > chosen]
    if larger:
        assert sum(n >= min(larger) for n in lengths) <= 0.95 * (len(lengths) - 1) + 1


def test_lengths_are_brought_to_one(caplog: pytest.LogCaptureFixture) -> None:
    records = [("a", encode("ACGTA")), ("b", encode("GG")), ("c", encode("TTT"))]
    sequences = encode_records(records, length=3, where="x.fa")
    assert [decode(row) for row in sequences.codes] == ["CGT", "GGN", "TTT"]
    assert sequences.names == ("a", "b", "c")
    assert "x.fa: lengths 2 to 5 brought to 3 bp around the middle: 1 cut, 1 padded" in caplog.text
    assert encode_records(records, length=None, where="").length == 2


def test_fasta_classes(make: MakeFile) -> None:
    positives = make("p.fa", "> a x\nACGTA\n>b\nCCCCC\n")
    negatives = make("n.fa", ">a\nGGGGG\n")
    data = read_fasta_classes(positives, negatives, length=None, task="t")
    assert data.sequences.names == ("a", "b", "a")
    assert data.targets.tolist() == [[1], [1], [0]]
    assert data.positive.tolist() == [True, True, False]
    only = read_fasta_classes(positives, None, length=4, task="t")
    assert only.targets.tolist() == [[1], [1]]
    assert only.sequences.length == 4
    with pytest.raises(FastaError, match="no such file"):
        read_fasta_classes(positives, Path("absent.fa"), length=None, task="t")


SEQ = "FoldID\tEventID\tseq\tBound\nA\te1\tACGTA\t1\nA\te2\tggcat\t0\n"


@pytest.mark.parametrize(
    "text",
    [
        SEQ,
        SEQ.replace("\t", " "),
        SEQ.replace("\t", "   "),
        SEQ.replace("\n", "\r\n"),
        SEQ.replace("\n", "\r"),
        "\ufeff" + SEQ + "\n  \n",
        "Bound\tseq\tEventID\n1\tACGTA\te1\n0\tGGCAU\te2\n",
        "FoldID\tEventID\tseq\tBound\textra\nA\te1\tACGTA\t1\tx\nA\te2\tggcat\t0\t\n",
    ],
)
def test_seq_in_many_dresses(tmp_path: Path, text: str) -> None:
    for data in (text.encode(), gzip.compress(text.encode())):
        path = tmp_path / "x"
        path.write_bytes(data)
        found = read_seq(path, length=None, task="t")
        assert [decode(row) for row in found.sequences.codes] == ["ACGTA", "GGCAT"]
        assert found.sequences.names == ("e1", "e2")
        assert found.targets.tolist() == [[1], [0]]
        assert found.tasks == ("t",)


def test_a_row_without_a_name_is_named_by_its_line(make: MakeFile) -> None:
    for text in ("seq\tBound\n\nACGT\t1\n", "EventID\tseq\tBound\n\n\tACGT\t1\n"):
        assert read_seq(make("x", text), length=None, task="t").sequences.names == ("line3",)


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("\n\n", ":1", "no column 'seq' among "),
        ("A\te1\tACGT\t1\n", ":1", "no column 'seq' among A, e1, ACGT, 1"),
        ("FoldID\tEventID\tseq\nA\te\tACGT\n", ":1", "no column 'Bound'"),
        ("\nFoldID\tEventID\tSeq\tBound\n", ":2", "no column 'seq'"),
        ("FoldID\tEventID\tseq\tBound\n", "", "no sequence under the header"),
        (SEQ + "A\te3\tACGTA\n", ":4", "3 columns"),
        (SEQ + "A\te3\tACGTA\t1\t1\n", ":4", "5 columns"),
        (SEQ + "A\te3\tACGTA\t2\n", ":4", "Bound '2'"),
        (SEQ + "A\te3\tACGTA\t0.73\n", ":4", "Bound '0.73'"),
        (SEQ + "A\te3\tACGTA\t\n", ":4", "Bound ''"),
        (SEQ + "A\te3\tACXTA\t1\n", ":4", "letter 'X' in a sequence"),
        (SEQ + "A\te3\t\t1\n", ":4", "an empty sequence"),
    ],
)
def test_bad_seq_files(make: MakeFile, text: str, where: str, found: str) -> None:
    path = make("x.seq", text)
    with pytest.raises(TableError) as caught:
        read_seq(path, length=None, task="t")
    assert caught.value.where == f"{path}{where}"
    assert caught.value.found.startswith(found)
    assert caught.value.expected
    assert caught.value.remedy


def test_letters_of_another_class_of_file() -> None:
    assert encode_or_refuse("x", "acgun").tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(BedError, match=r"x: letter 'é' in a sequence; expected nucleotide"):
        encode_or_refuse("x", "ACé", error=BedError)


def test_a_large_seq_file_is_read_in_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [decode(row) for row in rng.integers(0, 4, (42_000, 101)).astype(np.uint8)]
    lines = [f"A\te{i}\t{row}\t{i % 2}" for i, row in enumerate(rows)]
    path = tmp_path / "x.seq"
    path.write_text("\n".join(["FoldID\tEventID\tseq\tBound", *lines]))
    begun = time.process_time()
    data = read_seq(path, length=50, task="t")
    assert time.process_time() - begun < 4
    assert data.sequences.codes.shape == (42_000, 50)
    assert decode(data.sequences.codes[-1]) == rows[-1][25:75]


# --- labels ----------------------------------------------------------------------------------


def labelled(*targets: list[float], located: bool = False) -> LabelledSequences:
    codes = np.zeros((len(targets), 3), dtype=np.uint8)
    places = tuple(Interval("a", i, i + 3) for i in range(len(targets))) if located else None
    names = tuple(map(str, range(len(targets))))
    tasks = tuple("ab"[: len(targets[0])])
    return LabelledSequences(
        Sequences(codes, names, places), np.array(targets, dtype=np.float32), tasks
    )


def test_joining_keeps_order_and_places_where_all_have_them() -> None:
    located, other = labelled([1], [0], located=True), labelled([1])
    joined = concatenate([located, located])
    assert joined.sequences.intervals == located.sequences.intervals * 2
    assert joined.sequences.names == ("0", "1", "0", "1")
    assert joined.targets.tolist() == [[1], [0], [1], [0]]
    assert concatenate([located, other]).sequences.intervals is None
    assert concatenate([located, other]).take(np.array([2, 0])).sequences.names == ("0", "0")


def test_a_row_is_positive_in_any_task() -> None:
    nan = float("nan")
    data = labelled([0, 1], [nan, 0], [1, nan], [nan, nan])
    assert data.positive.tolist() == [True, False, True, False]


def test_labels_from_which_nothing_can_be_learned() -> None:
    nan = float("nan")
    check_labels(labelled([0, 1], [1, 0], [nan, nan]), where="x", remedy="y")
    for targets, found in (
        (([0, 1], [1, 1], [0, nan]), "every label of 'b' is 1"),
        (([nan, 1], [nan, 0]), "every label of 'a' is missing"),
        (([0.5], [0.5]), "every label of 'a' is 0.5"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_labels(labelled(*targets), where="x", remedy="do y")
        assert str(caught.value) == f"x: {found}; expected at least two values; do y"


# --- real data -------------------------------------------------------------------------------


@pytest.mark.data
def test_yeast_peaks_with_other_names(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = data_dir / "yeast/Reb1_CX.bed"
    with open_genome(data_dir / "yeast/sacCer3.fa.gz") as genome:
        data = read_peaks([("Reb1", path)], genome, length=101)
        with pytest.raises(BedError, match="not in the FASTA: chr17"):
            place_windows(path, [Interval("chr17", 1, 2)], genome, length=3)
    summits = read_bed(path)
    assert 0.99 * len(summits) < len(data) <= len(summits)
    assert {each.contig for each in data.sequences.intervals} <= set(genome.contigs)
    spelled = [decode(row) for row in data.sequences.codes]
    with_site = sum("TTACCCG" in s[30:71] or "CGGGTAA" in s[30:71] for s in spelled)
    assert with_site > 0.3 * len(spelled)  # by chance 0.5 %: the windows are the right ones


@pytest.mark.data
def test_encode_seq_files(data_dir: Path) -> None:
    for path in (data_dir / "encode_chipseq").glob("GABPA*.seq.gz"):
        data = read_seq(path, length=None, task="GABPA")
        with gzip.open(path, "rt") as handle:
            rows = [line.split() for line in handle][1:]
        assert [decode(row) for row in data.sequences.codes] == [row[2].upper() for row in rows]
        assert data.targets[:, 0].tolist() == [float(row[3]) for row in rows]


@pytest.mark.data
def test_clip_classes(data_dir: Path) -> None:
    path = data_dir / "clip_rna/24_PARCLIP_QKI_hg19.test.fa.gz"
    assert len(read_fasta_classes(path, None, length=None, task="QKI")) == 10_000


@pytest.mark.data
def test_ctcf_classes_get_one_length(data_dir: Path) -> None:
    folder = data_dir / "ctcf_hg19_chr14-22"
    data = read_fasta_classes(
        folder / "postest.fa.gz", folder / "negtest.fa.gz", length=None, task="CTCF"
    )
    assert len(data) == 11_905 + 11_909
    padded = (data.sequences.codes == 4).any(axis=1)
    assert padded.mean() < 0.06
