"""Where sequences come from: intervals, BED and narrowPeak files, FASTA files.

BED
    Tab (or space) separated; at least contig, start, end (0-based, half-open); then optionally
    name, score, strand. A file with ten columns whose 7th to 10th are numbers is a narrowPeak:
    its 10th column is the summit's distance from the start (-1: none). ``#``, ``track``,
    ``browser`` and empty lines are passed over. Plain, gzip or bgzip.

FASTA
    Plain, gzip or bgzip; IUPAC letters of either case; any line ending. Plain and bgzip files
    are read by index, one contig at a time; an index that is missing or older than its FASTA is
    made beside it, or, where the folder is read-only, in a temporary folder. A gzip file that is
    not bgzip, or one with ragged lines, is read into memory as a whole.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.errors import BedError
from seqcnn.fasta import Genome, open_genome, read_fasta_records
from seqcnn.files import numbered_lines

__all__ = [
    "Genome",
    "Interval",
    "Sequences",
    "bridge_contigs",
    "extract_windows",
    "fit_length",
    "gather_windows",
    "open_genome",
    "read_bed",
    "read_fasta_records",
    "window_bounds",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a contig, 0-based and half-open; `summit` is a position of the contig."""

    contig: str
    start: int
    end: int
    name: str = "."
    strand: str = "."
    summit: int | None = None
    line: int | None = field(default=None, compare=False)

    @property
    def centre(self) -> int:
        """The summit, or the middle where there is none."""
        return (self.start + self.end) // 2 if self.summit is None else self.summit

    def __str__(self) -> str:
        return f"{self.contig}:{self.start + 1}-{self.end}"


@dataclass(frozen=True)
class Sequences:
    """Sequences of one length: codes (n, length), a name each, and where they come from."""

    codes: Codes
    names: tuple[str, ...]
    intervals: tuple[Interval, ...] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def length(self) -> int:
        """Bases of each sequence."""
        return int(self.codes.shape[1])

    def take(self, indices: NDArray[np.integer]) -> "Sequences":
        """Choose rows, in the order of `indices`."""
        chosen = [int(i) for i in indices]
        return Sequences(
            self.codes[indices],
            tuple(self.names[i] for i in chosen),
            None if self.intervals is None else tuple(self.intervals[i] for i in chosen),
        )


def window_bounds(centre: int, length: int) -> tuple[int, int]:
    """Place a window of `length` around a base: the one centring rule of seqcnn.

    The base `centre` is the middle of an odd window, and the first base right of the middle of
    an even one.
    """
    start = centre - length // 2
    return start, start + length


def gather_windows(contig_codes: Codes, starts: NDArray[np.int64], length: int) -> Codes:
    """Copy windows out of a contig; positions off the contig are N.

    Parameters
    ----------
    contig_codes
        Codes of a whole contig (contig length,).
    starts
        First position of each window (n,); may be negative or reach past the end.
    length
        Bases of each window.

    Returns
    -------
    Codes
        Array (n, length).
    """
    size = len(contig_codes)
    inside = (starts >= 0) & (starts + length <= size)
    if size >= length and inside.all():
        view = np.lib.stride_tricks.sliding_window_view(contig_codes, length)
        return np.asarray(view[starts], dtype=np.uint8)
    positions = starts[:, None] + np.arange(length)
    known = (positions >= 0) & (positions < size)
    windows = np.full(positions.shape, UNKNOWN, dtype=np.uint8)
    windows[known] = contig_codes[positions[known]]
    return windows


def extract_windows(intervals: Sequence[Interval], genome: Genome) -> Codes:
    """Read intervals of one length from the genome, each on its own strand.

    Parameters
    ----------
    intervals
        Windows with the contig names of the genome; a ``-`` strand is reverse-complemented.
    genome
        An open genome.

    Returns
    -------
    Codes
        Array (n, length), in the order of the intervals.
    """
    length = intervals[0].end - intervals[0].start if intervals else 0
    codes = np.empty((len(intervals), length), dtype=np.uint8)
    order = sorted(range(len(intervals)), key=lambda i: intervals[i].contig)
    for contig, group in itertools.groupby(order, key=lambda i: intervals[i].contig):
        rows = np.fromiter(group, dtype=np.int64)
        starts = np.array([intervals[i].start for i in rows], dtype=np.int64)
        codes[rows] = gather_windows(genome.codes(contig), starts, length)
    minus = np.array([interval.strand == "-" for interval in intervals], dtype=bool)
    codes[minus] = reverse_complement(codes[minus])
    return codes


def fit_length(codes: Codes, length: int) -> Codes:
    """Bring one sequence (n,) to `length`: cut, or pad with N, on both sides alike."""
    start, _ = window_bounds(len(codes) // 2, length)
    return gather_windows(codes, np.array([start]), length)[0]


def read_bed(path: Path) -> list[Interval]:
    """Read the intervals of a BED or narrowPeak file (see the module for the format).

    Raises
    ------
    BedError
        With file and line, for a line that is no interval, and for a file without any.
    """
    rows = [
        (number, line.split("\t") if "\t" in line else line.split())
        for number, line in numbered_lines(path, BedError)
        if line.strip() and not line.startswith(("#", "track", "browser"))
    ]
    if not rows:
        raise BedError(path, "no interval in the file", expected="at least one line of BED")
    narrow = all(_is_narrow_peak(fields) for _, fields in rows)
    return [_parse_bed(f"{path}:{number}", number, fields, narrow) for number, fields in rows]


def _is_narrow_peak(fields: list[str]) -> bool:
    if len(fields) != 10:
        return False
    try:
        return all(np.isfinite(float(value)) for value in fields[6:]) and int(fields[9]) >= -1
    except ValueError:
        return False


def _parse_bed(where: str, number: int, fields: list[str], narrow: bool) -> Interval:
    if len(fields) < 3:
        raise BedError(where, f"{len(fields)} column(s)", expected="contig, start, end, ...")
    start, end = (_parse_position(where, value) for value in fields[1:3])
    if end <= start:
        raise BedError(where, f"start {start}, end {end}", expected="an end above the start")
    strand = fields[5] if len(fields) > 5 else "."
    if strand not in {"+", "-", "."}:
        raise BedError(where, f"strand {strand!r}", expected="+, - or .")
    name = fields[3] if len(fields) > 3 else "."
    offset = int(fields[9]) if narrow else -1
    summit = start + offset if offset >= 0 else None
    if summit is not None and summit >= end:
        raise BedError(where, f"summit {offset} past the peak's end", expected=f"< {end - start}")
    return Interval(fields[0], start, end, name, strand, summit, number)


def _parse_position(where: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) <= 12):
        raise BedError(where, f"position {value!r}", expected="a whole number from 0")
    return int(value)
