"""Sequences, mutants, alleles and every window of a contig under weights of gapped k-mers.

The score of a sequence is the sum of its l-mers' scores by the length of its counts. Both are
kept as whole numbers, of which those of a change are added and those of what it replaces taken
away: a mutant scores to the last bit what it would score as a sequence of its own.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.backend import Logits
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gkm_kernels import (
    NO_LMER,
    Integers,
    Lmers,
    number_lmers,
    similarity,
    square_length,
)

__all__ = ["GkmTable", "score_every_window", "score_mutants", "score_pairs", "score_windows"]

Numbers = NDArray[np.float64]


class GkmTable(NamedTuple):
    """Scores of all l-mers.

    Attributes
    ----------
    scores
        Of each l-mer, in whole steps (4 ** width, tasks).
    steps
        What a step is worth (tasks,).
    bias
        What is added (tasks,).
    shared
        Gapped k-mers that two l-mers share, by mismatches; see `shared_kmers`.
    width
        Bases of an l-mer.
    both
        Whether l-mers of both strands are counted.
    """

    scores: Lmers
    steps: Numbers
    bias: Numbers
    shared: Integers
    width: int
    both: bool


@compile_kernel
def score_windows(codes: Codes, table: GkmTable, out: Logits) -> None:
    """Score sequences (n, length): out (n, tasks)."""
    count = codes.shape[1] - table.width + 1
    forward, reverse = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    sums = np.empty(len(table.steps), dtype=np.int64)
    for i in range(len(codes)):
        number_lmers(codes[i], table.width, forward, reverse)
        _sum_scores(forward, table, sums)
        square = square_length(forward, reverse, table.both, table.shared)
        _finish(sums, square, table, out[i])


@compile_kernel
def _sum_scores(forward: Lmers, table: GkmTable, sums: Integers) -> None:
    sums[:] = 0
    for i in range(len(forward)):
        _add(forward[i], 1, table, sums)


@compile_kernel
def _add(lmer: int, times: int, table: GkmTable, sums: Integers) -> None:
    if lmer != NO_LMER:
        for task in range(len(sums)):
            sums[task] += times * table.scores[lmer, task]


@compile_kernel
def _finish(sums: Integers, square: int, table: GkmTable, out: Numbers) -> None:
    length = np.sqrt(np.float64(max(square, 1)))
    for task in range(len(sums)):
        out[task] = table.bias[task] + sums[task] * table.steps[task] / length


# --- what changes --------------------------------------------------------------------------------


@compile_kernel
def _similarities(some: tuple[Lmers, Lmers], others: tuple[Lmers, Lmers], table: GkmTable) -> int:
    """Sum what l-mers, given on both strands, share with others."""
    total = 0
    for i in range(len(some[0])):
        if some[0][i] != NO_LMER:
            total += similarity(some[0][i], others[0], others[1], table.both, table.shared)
    return total


@compile_kernel
def _square_after(
    square: int,
    gone: tuple[Lmers, Lmers],
    come: tuple[Lmers, Lmers],
    before: tuple[Lmers, Lmers],
    table: GkmTable,
) -> int:
    """Give the square of the length when some of the l-mers `before` are replaced."""
    square += _similarities(gone, gone, table) - 2 * _similarities(gone, before, table)
    square += 2 * (_similarities(come, before, table) - _similarities(come, gone, table))
    return square + _similarities(come, come, table)


# --- mutants -------------------------------------------------------------------------------------


@compile_kernel
def score_mutants(codes: Codes, table: GkmTable, out: Logits) -> None:
    """Score every base at every position of codes (n, length): out (n, length, 4, tasks)."""
    length, width = codes.shape[1], table.width
    count = length - width + 1
    forward, reverse = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    new = np.empty(width, dtype=np.int32), np.empty(width, dtype=np.int32)
    room = np.empty(2 * width - 1, dtype=np.uint8)
    sums = np.empty(len(table.steps), dtype=np.int64)
    changed = np.empty_like(sums)
    for i in range(len(codes)):
        number_lmers(codes[i], width, forward, reverse)
        _sum_scores(forward, table, sums)
        square = square_length(forward, reverse, table.both, table.shared)
        for place in range(length):
            first, last = max(place - width + 1, 0), min(place, count - 1)
            old = forward[first : last + 1], reverse[first : last + 1]
            come = new[0][: last - first + 1], new[1][: last - first + 1]
            around = room[: last - first + width]
            around[:] = codes[i, first : last + width]
            for base in range(4):
                if base == codes[i, place]:
                    _finish(sums, square, table, out[i, place, base])
                    continue
                around[place - first] = base
                number_lmers(around, width, come[0], come[1])
                changed[:] = sums
                _exchange(old[0], come[0], table, changed)
                after = _square_after(square, old, come, (forward, reverse), table)
                _finish(changed, after, table, out[i, place, base])


@compile_kernel
def _exchange(gone: Lmers, come: Lmers, table: GkmTable, sums: Integers) -> None:
    for i in range(len(gone)):
        _add(gone[i], -1, table, sums)
    for i in range(len(come)):
        _add(come[i], 1, table, sums)


# --- alleles, and every window --------------------------------------------------------------------


@compile_kernel
def score_pairs(ref: Codes, alt: Codes, table: GkmTable, out: tuple[Logits, Logits]) -> None:
    """Score windows with and without a variant: ref and alt (n, length), each side (n, tasks).

    What two windows have in common is found among their l-mers: those of the alternative are
    compared with the reference's, and the reference's with those of the one before.
    """
    count = ref.shape[1] - table.width + 1
    before = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    after = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    gone = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    come = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    counts = np.zeros(len(table.scores), dtype=np.int32)
    sums, changed = np.zeros((2, len(table.steps)), dtype=np.int64)
    before[0][:], before[1][:] = NO_LMER, NO_LMER
    square = 0
    for i in range(len(ref)):
        number_lmers(ref[i], table.width, after[0], after[1])
        square = _move((before, after), (gone, come), counts, square, table, sums)
        before[0][:], before[1][:] = after[0], after[1]
        _finish(sums, square, table, out[0][i])
        number_lmers(alt[i], table.width, after[0], after[1])
        changed[:] = sums
        moved = _move((before, after), (gone, come), counts, square, table, changed)
        _finish(changed, moved, table, out[1][i])


@compile_kernel
def _move(
    sides: tuple[tuple[Lmers, Lmers], tuple[Lmers, Lmers]],
    room: tuple[tuple[Lmers, Lmers], tuple[Lmers, Lmers]],
    counts: Lmers,
    square: int,
    table: GkmTable,
    sums: Integers,
) -> int:
    """Turn sums and square of one sequence into those of another; give the square."""
    before, after = sides
    gone, come = room
    left, new = _compare(before, after, counts, gone, come)
    if 4 * max(left, new) > len(before[0]):
        _sum_scores(after[0], table, sums)
        return square_length(after[0], after[1], table.both, table.shared)
    old = gone[0][:left], gone[1][:left]
    fresh = come[0][:new], come[1][:new]
    _exchange(old[0], fresh[0], table, sums)
    return _square_after(square, old, fresh, before, table)


@compile_kernel
def _compare(
    before: tuple[Lmers, Lmers],
    after: tuple[Lmers, Lmers],
    counts: Lmers,
    gone: tuple[Lmers, Lmers],
    come: tuple[Lmers, Lmers],
) -> tuple[int, int]:
    """List the l-mers that one sequence has beyond the other; `counts` is all 0, and stays so."""
    left, new = 0, 0
    for i in range(len(before[0])):
        if before[0][i] != NO_LMER:
            counts[before[0][i]] += 1
    for i in range(len(after[0])):
        lmer = after[0][i]
        if lmer != NO_LMER and counts[lmer] > 0:
            counts[lmer] -= 1
        elif lmer != NO_LMER:
            come[0][new], come[1][new] = lmer, after[1][i]
            new += 1
    for i in range(len(before[0])):
        lmer = before[0][i]
        if lmer != NO_LMER and counts[lmer] > 0:
            counts[lmer] -= 1
            gone[0][left], gone[1][left] = lmer, before[1][i]
            left += 1
    return left, new


@compile_kernel
def score_every_window(codes: Codes, length: int, table: GkmTable, out: Logits) -> None:
    """Score the windows of a length that begin at each base of a stretch: out (windows, tasks)."""
    inner = length - table.width + 1  # l-mers of a window
    count = len(codes) - table.width + 1
    forward, reverse = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int32)
    number_lmers(codes, table.width, forward, reverse)
    sums = np.empty(len(table.steps), dtype=np.int64)
    _sum_scores(forward[:inner], table, sums)
    square = square_length(forward[:inner], reverse[:inner], table.both, table.shared)
    _finish(sums, square, table, out[0])
    for start in range(1, len(out)):
        stop = start + inner
        gone = forward[start - 1 : start], reverse[start - 1 : start]
        come = forward[stop - 1 : stop], reverse[stop - 1 : stop]
        before = forward[start - 1 : stop - 1], reverse[start - 1 : stop - 1]
        square = _square_after(square, gone, come, before, table)
        _exchange(gone[0], come[0], table, sums)
        _finish(sums, square, table, out[start])
