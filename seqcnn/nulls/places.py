"""Random places of a genome: windows to shuffle, and windows around bases of given intervals."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import place_windows
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.errors import BedError, FastaError
from seqcnn.genome import Genome, gather_windows, read_bed
from seqcnn.negatives import MAX_UNKNOWN

__all__ = ["SLOTS", "Places", "draw_places", "draw_windows"]

SLOTS = 5
"""Kinds of places: those of A, C, G and T, and those of any base."""

_FEWEST_CONTIGS = 3  # that windows are drawn from,
_FEWEST_BASES = 50_000_000  # and their bases: a large genome is not read as a whole
_ROUNDS = 30
_DRAWN = 8  # places drawn in a round for each one that is wanted
_CELLS = 1 << 24

_log = logging.getLogger(__name__)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _Stretches:
    """Stretches of contigs: index of the contig, first base, and the base after the last."""

    names: tuple[str, ...]
    contigs: Integers
    starts: Integers
    ends: Integers

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
        """Draw bases, each as likely as any other, sorted: contigs and positions (count,)."""
        last = np.cumsum(self.ends - self.starts)
        drawn = np.sort(rng.integers(0, last[-1], size=count))
        stretch = np.searchsorted(last, drawn, side="right")
        return self.contigs[stretch], self.ends[stretch] - last[stretch] + drawn


@dataclass(frozen=True)
class Places:
    """Bases of a genome, `count` of each of the five kinds of `SLOTS`.

    Attributes
    ----------
    names
        Contigs.
    contigs, positions
        Index of the contig and position (SLOTS, count) of each, sorted for each kind.
    """

    names: tuple[str, ...]
    contigs: Integers
    positions: Integers

    def gather(self, genome: Genome, rows: slice, *, centre: int, width: int) -> Codes:
        """Cut windows (rows, SLOTS, width) in which the places stand at `centre`."""
        contigs, starts = self.contigs[:, rows], self.positions[:, rows] - centre
        windows = np.empty((*contigs.shape, width), dtype=np.uint8)
        for index in np.unique(contigs):
            here = contigs == index
            windows[here] = gather_windows(genome.codes(self.names[index]), starts[here], width)
        return windows.transpose(1, 0, 2)


def draw_windows(genome: Genome, *, length: int, count: int, rng: np.random.Generator) -> Codes:
    """Draw windows of a genome that have little N, from some contigs of a large one.

    Parameters
    ----------
    genome
        The open genome.
    length
        Bases of a window.
    count
        Most windows to draw: a genome that is nearly all N gives fewer.
    rng
        Source of the places.

    Returns
    -------
    Codes
        Array (n, length), N where a contig is shorter than that.

    Raises
    ------
    FastaError
        For a genome without a known base.
    """
    stretches = _choose_contigs(genome, rng)
    for most_unknown in (MAX_UNKNOWN, 1.0):
        found: list[Codes] = []
        for _ in range(_ROUNDS):
            contigs, positions = stretches.draw(_DRAWN * count, rng)
            drawn = _cut(genome, stretches.names, contigs, positions, length)
            unknown = (drawn == UNKNOWN).mean(axis=1)
            kept = np.flatnonzero((unknown <= most_unknown) & (unknown < 1))
            found.append(drawn[rng.permutation(kept)[:count]])
            if sum(map(len, found)) >= count:
                break
        if any(map(len, found)):
            return np.concatenate(found)[:count]
    raise FastaError(
        genome.path,
        "no known base where windows were drawn",
        expected="A, C, G and T",
        remedy="is this the right file?",
    )


def _choose_contigs(genome: Genome, rng: np.random.Generator) -> _Stretches:
    sizes = np.array(list(genome.contigs.values()), dtype=np.int64)
    known = np.flatnonzero(sizes)
    # The order of a draw without replacement, in which long contigs tend to be first.
    order = known[np.argsort(rng.exponential(size=len(known)) / sizes[known], kind="stable")]
    enough = int(np.searchsorted(np.cumsum(sizes[order]), _FEWEST_BASES)) + 1
    chosen = np.sort(order[: max(enough, _FEWEST_CONTIGS)])
    return _Stretches(tuple(genome.contigs), chosen, np.zeros_like(chosen), sizes[chosen])


def _cut(
    genome: Genome, names: tuple[str, ...], contigs: Integers, positions: Integers, length: int
) -> Codes:
    """Cut windows around positions, within their contigs where those are long enough."""
    windows = np.empty((len(contigs), length), dtype=np.uint8)
    for index in np.unique(contigs):
        here = contigs == index
        codes = genome.codes(names[index])
        starts = np.clip(positions[here] - length // 2, 0, max(0, len(codes) - length))
        windows[here] = gather_windows(codes, starts, length)
    return windows


def draw_places(
    genome: Genome, bed: Path, *, length: int, count: int, rng: np.random.Generator
) -> Places:
    """Draw bases of the intervals of a BED file, whose windows have little N.

    Parameters
    ----------
    genome
        The open genome.
    bed
        The intervals; contig names are bridged.
    length
        Bases of a window.
    count
        Places of each kind. Where the intervals have fewer, some are drawn several times.
    rng
        Source of the places.

    Raises
    ------
    BedError
        For a file that is no BED of this genome, or intervals that lack one of the four bases.
    """
    stretches = _read_stretches(genome, bed)
    found: list[list[Integers]] = [[] for _ in range(SLOTS)]
    for _ in range(_ROUNDS):
        drawn = np.stack(stretches.draw(_DRAWN * count, rng))  # (2, n)
        kinds = _tell_kinds(genome, stretches.names, drawn, length)
        for slot, kind in zip(found, kinds, strict=True):
            slot.append(drawn[:, rng.permutation(np.flatnonzero(kind))[:count]])
        if all(sum(part.shape[1] for part in slot) >= count for slot in found):
            break
    places = [np.concatenate(slot, axis=1)[:, :count] for slot in found]
    _check_places(bed, places, count)
    filled = np.stack([_fill(part, count) for part in places], axis=1)  # (2, SLOTS, count)
    return Places(stretches.names, *filled)


def _read_stretches(genome: Genome, bed: Path) -> _Stretches:
    intervals = read_bed(bed)
    # Windows of one base: what is wanted of them is the contig of the genome, and the checks.
    centres, rows = place_windows(bed, intervals, genome, length=1)
    names = tuple(genome.contigs)
    number = {name: i for i, name in enumerate(names)}
    bounds = [
        (number[centre.contig], intervals[row].start, intervals[row].end)
        for centre, row in zip(centres, rows, strict=True)
    ]
    return _Stretches(names, *np.array(bounds, dtype=np.int64).T)


def _tell_kinds(
    genome: Genome, names: tuple[str, ...], drawn: Integers, length: int
) -> NDArray[np.bool_]:
    """Tell which of n places (2, n) are of each kind (SLOTS, n), with known bases around them."""
    contigs, positions = drawn
    kinds = np.zeros((SLOTS, len(contigs)), dtype=np.bool_)
    for index in np.unique(contigs):
        here = np.flatnonzero(contigs == index)
        codes, places = genome.codes(names[index]), positions[here]
        kinds[:4, here] = codes[places] == np.arange(4)[:, None]
        kinds[4, here] = codes[places] < UNKNOWN
        kinds[:, here] &= _is_known(codes, places - length // 2, length)
    return kinds


def _is_known(codes: Codes, starts: Integers, length: int) -> NDArray[np.bool_]:
    rows = max(1, _CELLS // length)
    pieces: Iterator[Codes] = (
        gather_windows(codes, starts[i : i + rows], length) for i in range(0, len(starts), rows)
    )
    shares = [(piece == UNKNOWN).mean(axis=1) for piece in pieces]
    return np.asarray(np.concatenate(shares) <= MAX_UNKNOWN)


def _check_places(bed: Path, places: list[Integers], count: int) -> None:
    """Refuse intervals without places of a kind, and warn of those with few."""
    for part, kind in zip(places, (*"ACGT", "base"), strict=True):
        if not part.shape[1]:
            raise BedError(
                bed,
                f"no {kind} with known bases around it was found in the intervals",
                expected="intervals in which every base occurs",
                remedy="give more, or longer ones",
            )
    fewest = min(np.unique(part, axis=1).shape[1] for part in places)
    if fewest < count / 2:
        _log.warning("%s: only %d different places for %d null variants", bed, fewest, count)


def _fill(places: Integers, count: int) -> Integers:
    """Repeat places (2, n) until there are enough, and sort them."""
    enough = places[:, np.arange(count) % places.shape[1]]
    return enough[:, np.lexsort(enough[::-1])]
