"""Where sequences come from: intervals, BED and narrowPeak files, FASTA files.

BED
    Tab (or space) separated; at least contig, start, end (0-based, half-open); then optionally
    name, score, strand. A file whose first line has ten columns, and numbers in the 7th to 10th,
    is a narrowPeak: its 10th column is the summit's distance from the start (-1: none). Lines
    that are empty, or begin with ``#`` or the words ``track`` or ``browser``, are passed over.
    Plain, gzip or bgzip.

FASTA
    Plain, gzip or bgzip; IUPAC letters of either case; any line ending; each name, up to its
    first blank, once. Plain and bgzip files are read by index, one contig at a time; an index
    that is missing, older than its FASTA, or of another FASTA, is made beside it, or, where the
    folder is read-only, for this run alone. A gzip file that is not bgzip, or one with ragged
    lines, is read into memory as a whole.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.errors import BedError
from seqcnn.fasta import Genome, open_genome, read_fasta_records
from seqcnn.files import numbered_lines

__all__ = [
    "Genome",
    "Haplotypes",
    "Interval",
    "Sequences",
    "bridge_contigs",
    "cut_haplotypes",
    "extract_windows",
    "fit_length",
    "gather_windows",
    "open_genome",
    "read_bed",
    "read_fasta_records",
    "window_bounds",
]


_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a contig, 0-based and half-open.

    `summit` is a position of the contig; `signal` says how strong a peak is.
    """

    contig: str
    start: int
    end: int
    name: str = "."
    strand: str = "."
    summit: int | None = None
    line: int | None = field(default=None, compare=False)
    signal: float | None = field(default=None, compare=False)

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
    windows = np.full((len(starts), length), UNKNOWN, dtype=np.uint8)
    if size >= length and inside.any():
        windows[inside] = gather_windows(contig_codes, starts[inside], length)
    for row in np.flatnonzero(~inside):
        start, end = max(0, int(starts[row])), min(size, int(starts[row]) + length)
        if start < end:
            windows[row, start - starts[row] : end - starts[row]] = contig_codes[start:end]
    return windows


class Haplotypes(NamedTuple):
    """Windows of one contig in which letters stand in the place of some bases, n of them.

    Attributes
    ----------
    starts
        First base (n,) of each window, counted back from the letters: base `alleles - starts`
        of the window is the first letter, or without letters the base that follows.
    alleles
        First base (n,) of the contig that the letters replace, never left of the window's first;
        at the window's end or beyond, the window is the contig's own.
    removed
        Number of bases (n,) that they replace.
    letters
        Codes of all letters, one window's after the other's.
    ends
        Where each window's letters begin in `letters`, and where the last ones end (n + 1,).
    """

    starts: NDArray[np.int64]
    alleles: NDArray[np.int64]
    removed: NDArray[np.int64]
    letters: Codes
    ends: NDArray[np.int64]


def cut_haplotypes(contig_codes: Codes, haplotypes: Haplotypes, length: int) -> Codes:
    """Cut windows (n, length) out of a contig with their letters; positions off it are N."""
    starts, alleles, removed, letters, ends = haplotypes
    plain = alleles >= starts + length
    windows = np.empty((len(starts), length), dtype=np.uint8)
    windows[plain] = gather_windows(contig_codes, starts[plain], length)
    others = np.flatnonzero(~plain)
    step = max(1, _CELLS // length)
    for i in range(0, len(others), step):
        rows = others[i : i + step]
        position = starts[rows, None] + np.arange(length)
        start = alleles[rows, None]
        size = np.diff(ends)[rows, None]
        right = position >= start + size
        origin = position + np.where(right, removed[rows, None] - size, 0)
        known = (origin >= 0) & (origin < len(contig_codes))
        cut = np.full(origin.shape, UNKNOWN, dtype=np.uint8)
        cut[known] = contig_codes[origin[known]]
        inside = (position >= start) & ~right
        letter = ends[rows, None] + position - start
        cut[inside] = letters[letter[inside]]
        windows[rows] = cut
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
    start, end = window_bounds(len(codes) // 2, length)
    if start >= 0 and end <= len(codes):
        return codes[start:end]
    fitted: Codes = gather_windows(codes, np.array([start]), length)[0]
    return fitted


def read_bed(path: Path) -> list[Interval]:
    """Read the intervals of a BED or narrowPeak file (see the module for the format).

    Raises
    ------
    BedError
        With file and line, for a line that is no interval, and for a file without any.
    """
    intervals: list[Interval] = []
    narrow = False
    for number, line in numbered_lines(path, BedError):
        fields = line.split("\t") if "\t" in line else line.split()
        if not line.strip() or line.startswith("#") or fields[0].split()[:1] in _NO_INTERVAL:
            continue
        narrow = narrow or (not intervals and _is_narrow_peak(fields))
        intervals.append(_parse_bed(path, number, fields, narrow))
    if not intervals:
        raise BedError(
            path,
            "no interval in the file",
            expected="at least one line of BED",
            remedy="check how it was made",
        )
    return intervals


_NO_INTERVAL = (["track"], ["browser"])
_PLACE = re.compile(r"[0-9]{1,12}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.ASCII | re.IGNORECASE)


def _is_narrow_peak(fields: list[str]) -> bool:
    return len(fields) == 10 and all(_NUMBER.fullmatch(value.strip()) for value in fields[6:])


def _parse_bed(path: Path, number: int, fields: list[str], narrow: bool) -> Interval:
    fields = [value.strip() for value in fields]
    if len(fields) < 3 or not fields[0]:
        raise BedError(
            f"{path}:{number}",
            f"{sum(map(bool, fields))} column(s)",
            expected="contig, start, end, ...",
            remedy="is this a BED file?",
        )
    contig, first, last, *more = fields
    if not (_PLACE.fullmatch(first) and _PLACE.fullmatch(last)):
        raise _no_position(f"{path}:{number}", last if _PLACE.fullmatch(first) else first)
    start, end = int(first), int(last)
    if end <= start:
        raise BedError(
            f"{path}:{number}",
            f"start {start}, end {end}",
            expected="an end above the start (0-based, half-open)",
            remedy="positions that count from 1? take 1 from the start",
        )
    strand = more[2] if len(more) > 2 else "."
    if strand not in {"+", "-", ".", ""}:
        raise BedError(
            f"{path}:{number}",
            f"strand {strand!r} in column 6",
            expected="+, - or .",
            remedy="another kind of file? keep its first columns: cut -f1-3",
        )
    summit = _summit(path, number, fields, end - start) if narrow else None
    place = None if summit is None else start + summit
    signal = _signal(fields[6] if narrow and len(fields) == 10 else "".join(fields[4:5]))
    return Interval(contig, start, end, (more or ["."])[0], strand or ".", place, number, signal)


def _signal(text: str) -> float | None:
    """Read the signal of a narrowPeak, or the score of a BED; None where it is no number."""
    return float(text) if _NUMBER.fullmatch(text) and text.strip("-.") else None


def _summit(path: Path, number: int, fields: list[str], size: int) -> int | None:
    """Read the summit's distance from the start; None where it is -1."""
    text = fields[9] if len(fields) == 10 else "missing"
    if text == "-1":
        return None
    if not (_PLACE.fullmatch(text) and int(text) < size):
        raise BedError(
            f"{path}:{number}",
            f"summit {text} in column 10",
            expected=f"a distance from the start below {size}, or -1, as in every narrowPeak",
            remedy="correct it, or keep the first columns alone: cut -f1-6",
        )
    return int(text)


def _no_position(where: str, text: str) -> BedError:
    remedy = "a header line? put # before it"
    if _NUMBER.fullmatch(text):
        remedy = "write it out in full, from 0 (in R: options(scipen = 999))"
    return BedError(
        where,
        f"position {text!r}",
        expected="a whole number from 0, in columns 2 and 3",
        remedy=remedy,
    )
