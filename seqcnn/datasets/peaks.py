"""Windows of a genome: where intervals lie, and peaks as positive rows."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import unbridged_error
from seqcnn.datasets.labelled import LabelledSequences
from seqcnn.dna import UNKNOWN
from seqcnn.errors import BedError
from seqcnn.genome import (
    Genome,
    Interval,
    Sequences,
    bridge_contigs,
    extract_windows,
    read_bed,
    window_bounds,
)
from seqcnn.ranks import rank_by_signal

__all__ = [
    "label_windows",
    "place_windows",
    "read_peaks",
]

_log = logging.getLogger(__name__)


def place_windows(
    path: Path, intervals: Sequence[Interval], genome: Genome, *, length: int
) -> tuple[list[Interval], list[int]]:
    """Turn the intervals of a file into windows with the contig names of the genome.

    Windows that reach over a contig's end are left out, and counted in the log.

    Returns
    -------
    tuple
        The windows, and for each the row of its interval.

    Raises
    ------
    BedError
        For contigs that the FASTA has not, an interval past its contig's end, or when no window
        is left.
    """
    bridges = bridge_contigs((i.contig for i in intervals), genome.contigs)
    missing = [i.contig for i in intervals if i.contig not in bridges]
    if missing:
        raise unbridged_error(path, missing, genome.contigs, error=BedError)
    windows, rows = [], []
    for row, interval in enumerate(intervals):
        contig = bridges[interval.contig]
        size = genome.contigs[contig]
        if interval.end > size:
            raise _past_the_end(path, interval, size)
        start, end = window_bounds(interval.centre, length)
        if start >= 0 and end <= size:
            windows.append(_window(interval, contig, start, end))
            rows.append(row)
    if len(windows) < len(intervals):
        left_out = len(intervals) - len(windows)
        _log.warning("%s: %d windows over a contig's end left out", path, left_out)
    if not windows:
        raise BedError(
            path,
            f"no window of {length} bp fits its contig",
            expected="contigs longer than that",
            remedy="choose a smaller --length",
        )
    return windows, rows


def _window(interval: Interval, contig: str, start: int, end: int) -> Interval:
    locus = f"{contig}:{start + 1}-{end}"
    name = locus if interval.name in {".", ""} else interval.name
    return Interval(
        contig, start, end, name, interval.strand, line=interval.line, signal=interval.signal
    )


def _past_the_end(path: Path, interval: Interval, size: int) -> BedError:
    return BedError(
        f"{path}:{interval.line}",
        f"{interval.contig} {interval.start} {interval.end} ends past its contig",
        expected=f"an end up to {size}",
        remedy="is this the right genome build?",
    )


def label_windows(
    path: Path, windows: Sequence[Interval], genome: Genome, targets: NDArray[np.float32]
) -> tuple[Sequences, NDArray[np.float32]]:
    """Read windows from the genome and leave out those that are mostly N."""
    codes = extract_windows(windows, genome)
    known = (codes < UNKNOWN).mean(axis=1) >= 0.5
    if not known.all():
        _log.warning("%s: %d windows mostly N left out", path, int((~known).sum()))
    if not known.any():
        raise BedError(
            path,
            "every window is N in the FASTA",
            expected="known bases",
            remedy="is this the right genome build, and not hard-masked?",
        )
    kept = np.flatnonzero(known)
    intervals = tuple(windows[int(i)] for i in kept)
    names = tuple(interval.name for interval in intervals)
    return Sequences(codes[kept], names, intervals), targets[kept]


def read_peaks(
    files: Sequence[tuple[str, Path]], genome: Genome, *, length: int
) -> LabelledSequences:
    """Read peak files, one task each, as positive windows.

    Parameters
    ----------
    files
        (task name, BED or narrowPeak file) pairs.
    genome
        The genome that the peaks lie on.
    length
        Bases of a window.

    Raises
    ------
    BedError
        See `place_windows`.
    """
    placed = [place_windows(path, read_bed(path), genome, length=length)[0] for _, path in files]
    marks = [(w, task) for task, windows in enumerate(placed) for w in windows]
    order = {contig: i for i, contig in enumerate(genome.contigs)}
    marks.sort(key=lambda mark: (order[mark[0].contig], mark[0].start, mark[1]))
    merged = _merge_tasks(marks, reach=length // 2 if len(files) > 1 else 0)
    targets = np.zeros((len(merged), len(files)), dtype=np.float32)
    for row, (_, tasks) in enumerate(merged):
        targets[row, list(tasks)] = 1
    if len(merged) < len(marks):
        _log.info("%d windows merged into others at the same place", len(marks) - len(merged))
    windows = [window for window, _ in merged]
    sequences, targets = label_windows(files[0][1], windows, genome, targets)
    signals = [window.signal for window in sequences.intervals or ()]
    ranks = rank_by_signal(signals) if len(files) == 1 else None
    return LabelledSequences(sequences, targets, tuple(name for name, _ in files), ranks=ranks)


def _merge_tasks(
    marks: Sequence[tuple[Interval, int]], *, reach: int
) -> list[tuple[Interval, set[int]]]:
    """Join sorted windows that start within `reach` of the window before them."""
    merged: list[tuple[Interval, set[int]]] = []
    for window, task in marks:
        last = merged[-1][0] if merged else None
        if last and last.contig == window.contig and window.start - last.start <= reach:
            merged[-1][1].add(task)
        else:
            merged.append((window, {task}))
    return merged
