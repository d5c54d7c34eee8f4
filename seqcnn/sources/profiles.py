"""Targets of each base: labels from BED, or a signal from bigWig.

A base has the label 1 where an interval of the BED covers it. In a bigWig, a base without a value
has 0; values other than 0 and 1 are a signal, of which none may be below 0. Windows of peaks are
moved by up to a quarter of their length, each by its own, or a network would learn that sites are
in the middle.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs, unbridged_error
from seqcnn.datasets import LabelledSequences, label_windows, place_windows
from seqcnn.errors import BedError, ConfigError, InputError
from seqcnn.files import check_file
from seqcnn.genome import Genome, Interval, read_bed

__all__ = ["Tracks", "add_profiles", "check_profiles", "read_moved_windows"]

Tracks = Sequence[tuple[str, Path]]
"""Name and file of each task."""

Floats = NDArray[np.float32]

_BIGWIG = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")


def read_moved_windows(
    files: Sequence[tuple[str, Path]], genome: Genome, *, length: int, seed: int
) -> LabelledSequences:
    """Read windows around the peaks of one or several files, each moved a little; no targets.

    Parameters
    ----------
    files
        (name, BED or narrowPeak file) pairs.
    genome
        The genome that they lie on.
    length
        Bases of a window.
    seed
        Seed of the moves.

    Raises
    ------
    BedError
        As `place_windows`.
    """
    placed = [w for _, p in files for w in place_windows(p, read_bed(p), genome, length=length)[0]]
    rng = np.random.default_rng([seed, 8])
    moves = rng.integers(-(length // 4), length // 4 + 1, len(placed))
    moved: dict[tuple[str, int], Interval] = {}
    for window, move in zip(placed, moves.tolist(), strict=True):
        start = min(max(window.start + move, 0), genome.contigs[window.contig] - length)
        moved.setdefault((window.contig, start), replace(window, start=start, end=start + length))
    windows = list(moved.values())
    none = np.zeros((len(windows), 0), dtype=np.float32)
    sequences, targets = label_windows(files[0][1], windows, genome, none)
    return LabelledSequences(sequences, targets, ())


def add_profiles(data: LabelledSequences, tracks: Tracks) -> LabelledSequences:
    """Give sequences the targets of each base; those without a place have 0 everywhere.

    Raises
    ------
    InputError
        For a track that cannot be read, or whose contigs are none of the data's.
    """
    profiles = np.zeros((len(data), len(tracks), data.sequences.length), dtype=np.float32)
    if data.sequences.intervals is not None:
        for task, (_, path) in enumerate(tracks):
            profiles[:, task] = _read_track(path, data.sequences.intervals)
        minus = [i for i, window in enumerate(data.sequences.intervals) if window.strand == "-"]
        profiles[minus] = profiles[minus, :, ::-1]
    return replace(
        data,
        targets=profiles.max(axis=2, initial=0),
        tasks=tuple(name for name, _ in tracks),
        profiles=profiles,
    )


def check_profiles(data: LabelledSequences, *, where: str) -> None:
    """Refuse profiles that do not vary, or a signal below 0.

    Raises
    ------
    ConfigError
        Naming the task.
    """
    if data.profiles is None:
        raise TypeError("data without profiles")
    for task, values in zip(data.tasks, data.profiles.transpose(1, 0, 2), strict=True):
        lowest, highest = float(values.min()), float(values.max())
        if lowest == highest:
            raise ConfigError(
                where,
                f"every base of {task!r} is {lowest:g}",
                expected="at least two values",
                remedy="choose a larger --length or another split; is this the right --profile?",
            )
        if lowest < 0:
            raise ConfigError(
                where, f"a base of {task!r} is {lowest:g}", expected="a signal of at least 0"
            )


def _read_track(path: Path, windows: Sequence[Interval]) -> Floats:
    """Read the values (n, length) of a track in windows, all on the plus strand."""
    check_file(path, InputError)
    with path.open("rb") as handle:
        is_bigwig = handle.read(4) in _BIGWIG
    return _read_bigwig(path, windows) if is_bigwig else _read_intervals(path, windows)


def _read_intervals(path: Path, windows: Sequence[Interval]) -> Floats:
    intervals = read_bed(path)
    bridges = _bridge(path, [i.contig for i in intervals], windows)
    by_contig: dict[str, list[tuple[int, int]]] = {}
    for interval in intervals:
        if interval.contig in bridges:
            places = by_contig.setdefault(bridges[interval.contig], [])
            places.append((interval.start, interval.end))
    merged = {contig: _merge(places) for contig, places in by_contig.items()}
    values = np.zeros((len(windows), windows[0].end - windows[0].start), dtype=np.float32)
    for row, window in enumerate(windows):
        starts, ends = merged.get(window.contig, (np.empty(0), np.empty(0)))
        first = int(np.searchsorted(ends, window.start, side="right"))
        last = int(np.searchsorted(starts, window.end, side="left"))
        for start, end in zip(starts[first:last].tolist(), ends[first:last].tolist(), strict=True):
            values[row, max(start - window.start, 0) : end - window.start] = 1
    return values


def _merge(places: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join places that overlap: starts and ends, rising."""
    joined: list[list[int]] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    both = np.array(joined, dtype=np.int64).T
    return both[0], both[1]


def _read_bigwig(path: Path, windows: Sequence[Interval]) -> Floats:
    import pyBigWig

    try:
        with pyBigWig.open(str(path)) as track:
            sizes: dict[str, int] = dict(track.chroms() or {})
            bridges = {own: name for name, own in _bridge(path, list(sizes), windows).items()}
            rows = []
            for window in windows:
                name = bridges.get(window.contig)
                values = np.zeros(window.end - window.start, dtype=np.float32)
                end = min(window.end, sizes.get(name or "", 0))
                if name is not None and window.start < end:
                    values[: end - window.start] = track.values(name, window.start, end, numpy=True)
                rows.append(values)
    except RuntimeError as problem:
        raise InputError(
            path,
            f"cannot be read as bigWig ({str(problem).splitlines()[0]})",
            expected="a whole bigWig or BED file",
            remedy="copy or make it again",
        ) from problem
    return np.nan_to_num(np.stack(rows), nan=0.0)


def _bridge(path: Path, contigs: Sequence[str], windows: Sequence[Interval]) -> dict[str, str]:
    """Give the contigs of a track the names of the windows'; those of no window are left out."""
    present = dict.fromkeys(window.contig for window in windows)
    bridges = bridge_contigs(contigs, present)
    if not bridges:
        raise unbridged_error(path, list(contigs), present, error=BedError)
    return dict(bridges)
