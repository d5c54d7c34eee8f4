"""Negatives to train against: exact dinucleotide shuffles, and GC-matched genomic background.

A shuffle keeps what a sequence is made of and breaks its motifs, but is nowhere in the genome.
A background window is real DNA, but differs from the peaks in more than their motifs.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes, gc_fraction
from seqcnn.errors import ConfigError
from seqcnn.genome import Interval, gather_windows

__all__ = ["ContigSource", "match_gc_windows", "shuffle_dinucleotides"]

_logger = logging.getLogger(__name__)

_LETTERS = 5
_BLOCK = 1 << 16
"""Bases shuffled at a time: what a core's cache holds. The result does not depend on it."""

CANDIDATES = 40
"""Background windows drawn for each one that is kept."""

MAX_UNKNOWN = 0.05
"""Largest share of N in a background window."""

Integers = NDArray[np.int64]


def shuffle_dinucleotides(codes: Codes, *, rng: np.random.Generator) -> Codes:
    """Shuffle each sequence and keep all its dinucleotide counts and both end letters.

    Each sequence is a walk over its letters; a shuffle is another walk over the same edges. Each
    such walk is equally likely. N is a fifth letter. Unlike a shuffle of fixed pairs, this one
    leaves a network no trace of composition to learn, only the order of the bases.

    Parameters
    ----------
    codes
        Array (n, length) of 0-4.
    rng
        Source of ``n * length`` random words, row by row, so that shuffling some rows and then
        the others with one generator is the same as shuffling all of them.

    Returns
    -------
    Codes
        Array (n, length).

    References
    ----------
    Altschul and Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370. Its last edges are
    drawn here in one step, by the weights of all 125 trees, and not by trial and error.
    """
    count, length = codes.shape
    if count == 0 or length < 2:
        return codes.copy()
    shuffled = np.empty_like(codes)
    rows = max(1, _BLOCK // length)
    for start in range(0, count, rows):
        block = slice(start, start + rows)
        size = len(codes[block])
        words = rng.integers(0, 2**64, size=(size, length), dtype=np.uint64)
        shuffled[block] = _shuffle_block(codes[block].astype(np.int64), words)
    return shuffled


def _shuffle_block(codes: Integers, words: NDArray[np.uint64]) -> Codes:
    count, length = codes.shape
    rows = np.arange(count)[:, None]
    edges = (rows * _LETTERS + codes[:, :-1]) * _LETTERS + codes[:, 1:]
    counts = np.bincount(edges.ravel(), minlength=count * _LETTERS**2)
    last_edges = _draw_last_edges(
        counts.reshape(count, _LETTERS, _LETTERS), codes[:, -1], words[:, -1]
    )
    order = _order_edges(codes, edges, last_edges, words[:, :-1])
    leaving = counts.reshape(-1, _LETTERS).sum(axis=1)
    return _walk(codes[:, 0], order, np.cumsum(leaving) - leaving, length)


def _last_edge_choices() -> tuple[Integers, NDArray[np.float64]]:
    """List where letters 0-3 can lead when letter 4 is the final one, and which lists are trees.

    The letters 0-3 choose in lexicographic order, in pairs: 16 choices of letters 0 and 1, times
    16 of letters 2 and 3. In a tree, every letter comes to the final one in at most 4 steps.
    """
    own = np.array([[to for to in range(_LETTERS) if to != letter] for letter in range(4)])
    grid = np.stack(np.meshgrid(*own, indexing="ij"), axis=-1).reshape(-1, 4)
    parent = np.column_stack([grid, np.full(len(grid), 4)])
    reached = parent
    for _ in range(2):
        reached = np.take_along_axis(reached, reached, axis=1)
    return parent, (reached == 4).all(axis=1).astype(np.float64)


_PARENTS, _IS_TREE = _last_edge_choices()
_ORDER = np.array([[i for i in range(_LETTERS) if i != final] + [final] for final in range(5)])
"""Letters in the order in which the final one is the last."""


def _draw_last_edges(counts: Integers, final: Integers, words: NDArray[np.uint64]) -> Integers:
    """Draw for each row and letter the last letter it leads to: edge codes 0-24 (n, 5).

    All walks are equally likely if each tree of last edges towards the final letter is drawn by
    the number of ways to build it: the product of its edges' counts.
    """
    rows = np.arange(len(counts))[:, None]
    order = _ORDER[final]  # (n, 5)
    ways = counts[rows[:, :, None], order[:, :, None], order[:, None, :]].astype(np.float64)
    ways[..., 4] += ways.sum(axis=-1) == 0  # letters that are not there hang on the final one
    first, second, third, fourth = (
        np.delete(ways[:, letter], letter, axis=-1) for letter in range(4)
    )  # (n, 4) each: no letter's last edge leads to itself
    left = (first[:, :, None] * second[:, None, :]).reshape(-1, 16, 1)
    right = (third[:, :, None] * fourth[:, None, :]).reshape(-1, 1, 16)
    cumulative = np.cumsum((left * right).reshape(-1, 256) * _IS_TREE, axis=1)
    total = cumulative[:, -1]
    drawn = np.minimum((words >> np.uint64(11)) * 2.0**-53 * total, np.nextafter(total, 0))
    choice = (cumulative > drawn[:, None]).argmax(axis=1)
    towards = np.take_along_axis(order, _PARENTS[choice], axis=1)  # (n, 5), by place in the order
    last_edges = np.empty_like(order)
    np.put_along_axis(last_edges, order, order * _LETTERS + towards, axis=1)
    return last_edges


def _order_edges(
    codes: Integers, edges: Integers, last_edges: Integers, words: NDArray[np.uint64]
) -> Integers:
    """Sort the edges of each row by letter, then at random, the last edge last.

    One 64-bit key holds all of it, so that one plain sort does the work: 3 bits of letter, 1 bit
    for the last edge, 57 random bits, 3 bits of the letter that the edge leads to.

    Returns the index ``5 * row + letter`` of where each edge leads (n, length - 1).
    """
    count = len(codes)
    place = np.full(count * _LETTERS**2, -1)
    place[edges] = np.arange(edges.size).reshape(edges.shape)  # one edge of each kind
    starts = np.arange(count)[:, None]
    last = place[(starts * _LETTERS**2 + last_edges).ravel()]
    final = np.repeat(codes[:, -1:], _LETTERS, axis=1) == np.arange(_LETTERS)
    last = last[(last >= 0) & ~final.ravel()]

    keys = (words >> np.uint64(4)) & np.uint64(0x0FFFFFFFFFFFFFF8)
    keys |= (codes[:, :-1].astype(np.uint64) << np.uint64(61)) | codes[:, 1:].astype(np.uint64)
    keys.reshape(-1)[last] |= np.uint64(1 << 60)
    keys.sort(axis=1)
    return (keys & np.uint64(7)).astype(np.int64) + starts * _LETTERS


def _walk(first: Integers, order: Integers, first_edges: Integers, length: int) -> Codes:
    """Walk all rows at once, a step at a time, always along the next unused edge."""
    offsets = np.arange(len(first)) * _LETTERS
    following = order.ravel()
    unused = first_edges
    path = np.empty((length, len(first)), dtype=np.int64)
    path[0] = here = offsets + first
    for step in range(1, length):
        edge = unused[here]
        unused[here] = edge + 1
        here = following[edge]
        path[step] = here
    return np.asarray((path - offsets).T, dtype=np.uint8)


class ContigSource(Protocol):
    """What background is drawn from: a `Genome`, or anything with contigs and their codes."""

    @property
    def contigs(self) -> Mapping[str, int]:
        """Name and length of each contig."""

    def codes(self, contig: str) -> Codes:
        """Give the codes of a whole contig."""


def match_gc_windows(
    positives: Codes,
    *,
    genome: ContigSource,
    intervals: Sequence[Interval],
    excluded: Sequence[Interval] = (),
    rng: np.random.Generator,
    ratio: int = 1,
) -> list[Interval]:
    """Draw background windows of the genome with the GC content of the positives.

    Each contig gives as many windows as its positives ask for, so that a split by contig has
    negatives on both sides. Many windows are drawn, and those nearest in GC to the positives
    are kept. None overlaps a positive or an excluded interval, none starts where another does,
    and none has more than 5 % of N. Windows that a contig has no room for come from others,
    the longest first.

    Parameters
    ----------
    positives
        Codes of the positive windows (n, length).
    genome
        Where to draw from.
    intervals
        The positive windows, in the order of `positives`, with the contig names of the genome.
    excluded
        More to keep away from: other peaks, blacklisted regions; of any length.
    rng
        Source of the candidates.
    ratio
        Windows for each positive.

    Returns
    -------
    list of Interval
        ``ratio`` windows for the first positive, then for the second, and so on.

    Raises
    ------
    ConfigError
        If the genome has no room for so many windows.
    """
    length = positives.shape[1]
    names = list(genome.contigs)
    blocked = _bounds_by_contig([*intervals, *excluded])
    home = _number_contigs(intervals, names).repeat(ratio)
    target_gc = gc_fraction(positives).repeat(ratio)
    contigs, starts = _place_windows(target_gc, home, genome, blocked, length, rng)
    _check_room(contigs, home, length)
    return [
        Interval(names[contig], start, start + length, f"background_{i + 1}")
        for i, (contig, start) in enumerate(zip(contigs.tolist(), starts.tolist(), strict=True))
    ]


def _place_windows(
    target_gc: NDArray[np.float64],
    home: Integers,
    genome: ContigSource,
    blocked: Mapping[str, Integers],
    length: int,
    rng: np.random.Generator,
) -> tuple[Integers, Integers]:
    """Find a contig number and a start for each window; -1 where there is no room."""
    names = list(genome.contigs)
    contigs, starts = np.full((2, len(home)), -1)
    longest_first = sorted(range(len(names)), key=lambda number: -genome.contigs[names[number]])
    for visit, number in enumerate([*range(len(names)), *longest_first]):
        at_home = home == number if visit < len(names) else True
        wanted = np.flatnonzero((contigs < 0) & at_home)
        if len(wanted):
            codes = genome.codes(names[number])
            room = _find_room(codes, blocked.get(names[number], _NOWHERE), length)
            pool = _draw_starts(room, starts[contigs == number], CANDIDATES * len(wanted), rng)
            pool, pool_gc = _measure_windows(codes, pool, length)
            served = wanted[: len(pool)]
            contigs[served] = number
            starts[served] = pool[_assign_nearest(target_gc[served], pool_gc)]
    return contigs, starts


_NOWHERE = np.empty((0, 2), dtype=np.int64)


def _bounds_by_contig(intervals: Sequence[Interval]) -> dict[str, Integers]:
    bounds: dict[str, list[tuple[int, int]]] = {}
    for interval in intervals:
        bounds.setdefault(interval.contig, []).append((interval.start, interval.end))
    return {contig: np.array(pairs, dtype=np.int64) for contig, pairs in bounds.items()}


def _number_contigs(intervals: Sequence[Interval], names: Sequence[str]) -> Integers:
    numbers = {name: number for number, name in enumerate(names)}
    found = (numbers.get(interval.contig, -1) for interval in intervals)
    return np.fromiter(found, dtype=np.int64, count=len(intervals))


@dataclass(frozen=True)
class _Room:
    """Stretches of a contig where a window may start: first places and how many there are."""

    firsts: Integers
    counts: Integers


def _find_room(codes: Codes, blocked: Integers, length: int) -> _Room:
    bounds = np.concatenate([blocked, _find_gaps(codes, int(MAX_UNKNOWN * length))])
    bounds = bounds[np.argsort(bounds[:, 0], kind="stable")]
    firsts = np.maximum.accumulate(np.append(0, bounds[:, 1]))
    stops = np.minimum(np.append(bounds[:, 0], len(codes)), len(codes))
    return _Room(firsts, np.maximum(stops - firsts - length + 1, 0))


def _find_gaps(codes: Codes, allowed: int) -> Integers:
    """Find the runs of more than `allowed` N: bounds (runs, 2)."""
    unknown = np.zeros(len(codes) + 2, dtype=bool)
    np.equal(codes, UNKNOWN, out=unknown[1:-1])
    runs = np.flatnonzero(unknown[1:] != unknown[:-1]).reshape(-1, 2)
    return runs[runs[:, 1] - runs[:, 0] > allowed]


def _draw_starts(room: _Room, taken: Integers, count: int, rng: np.random.Generator) -> Integers:
    """Draw at most `count` different starts, none of which is taken already."""
    ends = np.cumsum(room.counts)
    total = int(ends[-1])
    drawn = rng.choice(total, size=min(total, count + len(taken)), replace=False)
    stretch = np.searchsorted(ends, drawn, side="right")
    starts = room.firsts[stretch] + drawn - (ends - room.counts)[stretch]
    return np.asarray(starts[~np.isin(starts, taken)][:count], dtype=np.int64)


def _measure_windows(
    codes: Codes, starts: Integers, length: int
) -> tuple[Integers, NDArray[np.float64]]:
    """Keep the windows without much N, and measure the GC fraction of each."""
    gc, unknown = np.empty((2, len(starts)))
    rows = max(1, (1 << 24) // length)
    for first in range(0, len(starts), rows):
        block = slice(first, first + rows)
        windows = gather_windows(codes, starts[block], length)
        gc[block] = gc_fraction(windows)
        unknown[block] = (windows == UNKNOWN).mean(axis=1)
    kept = unknown <= MAX_UNKNOWN
    return starts[kept], gc[kept]


def _assign_nearest(target_gc: NDArray[np.float64], pool_gc: NDArray[np.float64]) -> Integers:
    """Give each target a candidate of its own, near in GC: indices into the pool.

    Both sides are sorted. Each target points at its equals in the pool, or else at its nearest;
    where several point at the same place, they are spread to both sides of it.
    """
    by_gc = np.argsort(target_gc, kind="stable")
    pool_by_gc = np.argsort(pool_gc, kind="stable")
    target, pool = target_gc[by_gc], pool_gc[pool_by_gc]
    number = np.arange(len(target))
    earlier = np.searchsorted(target, target, side="left")
    equals = np.searchsorted(target, target, side="right") - earlier
    low = np.searchsorted(pool, target, side="left")
    high = np.searchsorted(pool, target, side="right")
    above, below = pool[np.minimum(high, len(pool) - 1)], pool[np.maximum(low - 1, 0)]
    beside = low - (equals + (above - target > target - below)) // 2
    place = np.where(high > low, (low + high - equals) // 2, beside) - earlier
    # `place` is now relative to the own number: not falling means no two at the same place.
    rightmost = np.maximum.accumulate(place) + number
    leftmost = np.minimum.accumulate(place[::-1])[::-1] + number
    middle = (rightmost + leftmost) // 2 - number
    chosen = np.empty(len(target), dtype=np.int64)
    chosen[by_gc] = pool_by_gc[np.clip(middle, 0, len(pool) - len(target)) + number]
    return chosen


def _check_room(contigs: Integers, home: Integers, length: int) -> None:
    missing = int((contigs < 0).sum())
    if missing:
        raise ConfigError(
            "GC-matched background",
            f"room for only {len(home) - missing} of {len(home)} windows of {length} bp "
            "beside the positives and the excluded intervals",
            remedy="lower --ratio, exclude less, or use --background dinucleotide",
        )
    moved = int((contigs != home).sum())
    if moved:
        _logger.warning(
            "%d of %d background windows come from another contig than their positive, "
            "which has no room left for them",
            moved,
            len(home),
        )
