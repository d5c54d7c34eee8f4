"""Intervals, BED files and windows: against slow windows, and all that a BED file may hold."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import decode, encode, reverse_complement
from seqcnn.errors import BedError
from seqcnn.genome import (
    Interval,
    Sequences,
    extract_windows,
    fit_length,
    gather_windows,
    open_genome,
    read_bed,
    window_bounds,
)


def bed(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "x.bed"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def window_slowly(contig: str, start: int, length: int) -> str:
    return "".join(contig[i] if 0 <= i < len(contig) else "N" for i in range(start, start + length))


# --- windows ---------------------------------------------------------------------------------


@given(st.integers(-100, 100), st.integers(1, 50))
def test_the_centre_is_where_it_should_be(centre: int, length: int) -> None:
    start, end = window_bounds(centre, length)
    assert end - start == length
    left, right = centre - start, end - 1 - centre
    assert left - right == (0 if length % 2 else 1)


@given(
    st.text(st.sampled_from("ACGTN"), max_size=30),
    st.lists(st.integers(-40, 40), max_size=8),
    st.integers(1, 35),
)
def test_windows_are_those_cut_by_hand(contig: str, starts: list[int], length: int) -> None:
    windows = gather_windows(encode(contig), np.array(starts, dtype=np.int64), length)
    assert windows.shape == (len(starts), length)
    assert windows.dtype == np.uint8
    assert [decode(row) for row in windows] == [window_slowly(contig, s, length) for s in starts]


@given(st.text(st.sampled_from("ACGT"), min_size=1, max_size=20), st.integers(1, 30))
def test_fitting_cuts_or_pads_both_sides_alike(sequence: str, length: int) -> None:
    fitted = decode(fit_length(encode(sequence), length))
    assert len(fitted) == length
    if length >= len(sequence):
        before, _, after = fitted.partition(sequence)
        assert not (before + after).strip("N")
        assert abs(len(before) - len(after)) <= 1
    else:
        left = sequence.index(fitted)
        assert any(
            sequence[i : i + length] == fitted and abs(2 * i - len(sequence) + length) <= 1
            for i in range(left, len(sequence))
        )


def test_intervals_are_read_on_their_own_strand(tmp_path: Path) -> None:
    path = tmp_path / "x.fa"
    path.write_text(">a\nAACCGT\n>b\nTTGAC\n")
    intervals = [
        Interval("b", 0, 4, strand="-"),
        Interval("a", 2, 6),
        Interval("a", 0, 4, strand="-"),
        Interval("b", 1, 5, strand="+"),
        Interval("a", -2, 2, strand="-"),
    ]
    with open_genome(path) as genome:
        codes = extract_windows(intervals, genome)
        assert [decode(row) for row in codes] == ["TCAA", "CCGT", "GGTT", "TGAC", "TTNN"]
        assert extract_windows([], genome).shape == (0, 0)
    np.testing.assert_array_equal(codes[0], reverse_complement(encode("TTGA")))


def test_sequences_are_taken_in_the_order_asked() -> None:
    places = tuple(Interval("a", i, i + 2) for i in range(3))
    sequences = Sequences(np.array([[0, 1], [2, 3], [4, 0]], np.uint8), ("x", "y", "z"), places)
    taken = sequences.take(np.array([2, 0, 0]))
    assert (len(taken), taken.length) == (3, 2)
    assert taken.names == ("z", "x", "x")
    assert taken.intervals == (places[2], places[0], places[0])
    assert taken.codes.tolist() == [[4, 0], [0, 1], [0, 1]]
    assert Sequences(sequences.codes, sequences.names).take(np.array([1])).intervals is None


def test_an_interval_is_written_as_a_genome_browser_takes_it() -> None:
    assert str(Interval("chr1", 0, 10)) == "chr1:1-10"
    assert Interval("chr1", 3, 8).centre == 5
    assert Interval("chr1", 3, 8, summit=7).centre == 7


# --- BED -------------------------------------------------------------------------------------

PEAK = "chr1\t{}\t{}\tpeak\t900\t.\t5.5\t1e-3\t-1\t{}\n"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["chr1", "1", "HLA:1"]),
            st.integers(0, 10**11),
            st.integers(1, 10**6),
            st.sampled_from(["p", ".", "a b"]),
            st.sampled_from("+-."),
        ),
        min_size=1,
    ),
    st.integers(3, 12),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, int, str, str]],
    columns: int,
    ending: str,
) -> None:
    lines, expected = [], []
    for line, (contig, start, size, name, strand) in enumerate(rows, start=1):
        full = [contig, start, start + size, name, 0, strand, 1, 2, "0,0,0", 1, "5,", "0,"]
        lines.append("\t".join(map(str, full[:columns])) + ending)
        expected.append(
            Interval(
                contig,
                start,
                start + size,
                name if columns > 3 else ".",
                strand if columns > 5 else ".",
                line=line,
            )
        )
    path = bed(tmp_path_factory.mktemp("bed"), "".join(lines))
    found = read_bed(path)
    assert found == expected
    assert [interval.line for interval in found] == [interval.line for interval in expected]


@pytest.mark.parametrize(
    "text",
    [
        "chr1\t5\t9\nchr2\t0\t1\n",
        "chr1 5 9\nchr2   0 1",
        "  chr1 5 9\nchr2\t0\t1",
        "\ufeffchr1\t5\t9\r\nchr2\t0\t1\r\n",
        "chr1\t5\t9\rchr2\t0\t1\r",
        "# a comment\ntrack name=x\n\nbrowser position chr1:1-2\nchr1\t5\t9\n \n#\nchr2\t0\t1\n",
        'track\ttype=bed name="a b"\nchr1\t5\t9\t\nchr2\t0\t1\t\n',
        "chr1\t5 \t 9\nchr2\t0\t1 \n",
    ],
)
def test_the_same_intervals_in_many_dresses(tmp_path: Path, text: str) -> None:
    expected = [("chr1", 5, 9), ("chr2", 0, 1)]
    for data in (text.encode(), gzip.compress(text.encode())):
        found = read_bed(bed(tmp_path, data))
        assert [(each.contig, each.start, each.end) for each in found] == expected


def test_contigs_whose_names_begin_like_a_track_line(tmp_path: Path) -> None:
    found = read_bed(bed(tmp_path, "track1\t1\t2\nbrowser_2\t1\t2\n"))
    assert [each.contig for each in found] == ["track1", "browser_2"]


def test_summits_of_a_narrow_peak(tmp_path: Path) -> None:
    path = bed(
        tmp_path, PEAK.format(100, 200, 0) + PEAK.format(100, 200, 99) + PEAK.format(7, 9, -1)
    )
    assert [each.summit for each in read_bed(path)] == [100, 199, None]
    assert [each.centre for each in read_bed(path)] == [100, 199, 8]


@pytest.mark.parametrize("line", ["chr1\t1\t9\t.\t0\t.\t1\t9\t0,0,0\t1\n", "chr1\t1\t9\t.\t0\t.\n"])
def test_other_files_have_no_summits(tmp_path: Path, line: str) -> None:
    path = bed(tmp_path, line + PEAK.format(100, 200, 7))
    assert [each.summit for each in read_bed(path)] == [None, None]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("chr1\t5", "2 column(s)"),
        ("chr1", "1 column(s)"),
        (">chr1", "1 column(s)"),
        ("\t5\t9", "2 column(s)"),
        ("chrom\tstart\tend", "position 'start'"),
        ("chr1\t-5\t9", "position '-5'"),
        ("chr1\t1e5\t200000", "position '1e5'"),
        ("chr1\t100\t1e+05", "position '1e+05'"),
        ("chr1\t1.0\t9", "position '1.0'"),
        ("chr1\t5\t٣٣", "position '٣٣'"),
        ("chr1\t5\t9,000", "position '9,000'"),
        ("chr1\t5\t" + "9" * 30, "position '9999"),
        ("chr1\t5\t5", "start 5, end 5"),
        ("chr1\t9\t5", "start 9, end 5"),
        ("chr1\t5\t9\t.\t0\t*", "strand '*' in column 6"),
        ("chr1\t5\t9\t.\t0\t12.5", "strand '12.5' in column 6"),
        ("chr1\t12345\trs1\tA\tG", "position 'rs1'"),
    ],
)
def test_a_bad_line_is_told_with_its_number(tmp_path: Path, line: str, found: str) -> None:
    path = bed(tmp_path, f"#\nchr1\t1\t2\n\n{line}\nchr1\t1\t2\n")
    with pytest.raises(BedError) as caught:
        read_bed(path)
    assert caught.value.where == f"{path}:4"
    assert caught.value.found.startswith(found)
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (PEAK.format(100, 200, 100), "summit 100 in column 10"),
        (PEAK.format(100, 200, -2), "summit -2 in column 10"),
        (PEAK.format(100, 200, "."), "summit . in column 10"),
        (PEAK.format(100, 200, "5.5"), "summit 5.5 in column 10"),
        ("chr1\t5\t9\n", "summit missing in column 10"),
    ],
)
def test_a_bad_summit_is_told_and_not_passed_over(tmp_path: Path, line: str, found: str) -> None:
    path = bed(tmp_path, PEAK.format(1, 9, 4) + line)
    with pytest.raises(BedError) as caught:
        read_bed(path)
    assert caught.value.where == f"{path}:2"
    assert caught.value.found == found
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["#\n", "track x\n", "\n\n"])
def test_a_file_without_intervals(tmp_path: Path, text: str) -> None:
    with pytest.raises(BedError, match=r"no interval in the file; expected .*; check"):
        read_bed(bed(tmp_path, text))


def test_hints_say_what_to_do(tmp_path: Path) -> None:
    for line, hint in (("chrom\tstart\tend", "header line"), ("chr1\t1e5\t2e5", "scipen")):
        with pytest.raises(BedError, match=hint):
            read_bed(bed(tmp_path, line))


def test_utf_16_and_binary_files(tmp_path: Path) -> None:
    for data in ("chr1\t1\t2\n".encode("utf-16"), "chr1\t1\t2\n".encode("utf-16-le"), bytes(99)):
        with pytest.raises(BedError, match=r"UTF-16|0x00"):
            read_bed(bed(tmp_path, data))


@pytest.mark.data
def test_real_files_are_read_whole(data_dir: Path) -> None:
    for path in [*data_dir.glob("yeast/*.bed"), *data_dir.glob("gimmemotifs_examples/*.bed")]:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        found = read_bed(path)
        assert [f"{each.contig}\t{each.start}\t{each.end}" for each in found] == [
            "\t".join(line.split("\t")[:3]) for line in lines
        ]
