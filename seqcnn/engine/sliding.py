"""Every window along a contig under networks with global pooling, on a CPU.

Neighbouring windows share all positions but one, so each position is scored once. The largest
score of a window's inner positions is a sliding maximum (van Herk's and Gil and Werman's), the
sum of activations a difference of running sums. A network that pads its windows also sees
detectors that reach past the window's ends, as if nothing but N were there: when the window
moves on by one base, each of those loses one base more, so that one addition keeps its score.

References
----------
van Herk 1992, doi:10.1016/0167-8655(92)90069-C
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.detectors import Lanes
from seqcnn.engine.kernels import (
    LOWEST,
    Integers,
    Logits,
    Sums,
    add_activations,
    copy_row,
    finish,
    keep_larger,
    make_work,
    number_kmers,
)
from seqcnn.engine.pooled import fill_track

__all__ = ["score_every_window", "slide_maximum"]

_ROWS = 8  # as many as `_pool_state` takes at a time


@compile_kernel
def score_every_window(
    contig: NDArray[np.uint8], first: int, length: int, lanes: Lanes, out: Logits
) -> None:
    """Score neighbouring windows.

    Parameters
    ----------
    contig
        Codes of the whole contig; off it is N.
    first
        First base of the first window.
    length
        Bases of a window.
    lanes
        The network.
    out
        Takes the logits (windows, tasks).
    """
    windows, number, padding = len(out), lanes.tables.shape[2], lanes.padding
    inner = length - len(lanes.columns) + 1
    count = windows + inner - 1 + 2 * padding  # from `padding` before the first window on
    kmers = np.empty(count + lanes.kmer * len(lanes.tables), dtype=np.int32)
    scores = np.empty((count, number), dtype=np.int32)
    sums = np.zeros((count + 1 if lanes.has_mean else 1, number), dtype=np.int64)
    work = make_work(lanes, 1)
    number_kmers(contig, first - padding, lanes.kmer, kmers)
    fill_track(kmers, lanes, work, scores, sums)
    best = np.empty((windows, number), dtype=np.int32)
    total = np.zeros((windows if lanes.has_mean else 1, number), dtype=np.int64)
    slide_maximum(scores[padding:], inner, best)
    if lanes.has_mean:
        for s in range(windows):
            for k in range(number):
                total[s, k] = sums[padding + s + inner, k] - sums[padding + s, k]
    if padding:
        lost = _exchange_for_unknown(lanes.columns[:padding])
        _slide_end(contig, first - padding, False, lost, lanes, scores, best, total)
        last = first + length + windows + padding - 2
        lost = _exchange_for_unknown(lanes.columns[len(lanes.columns) - padding :][::-1])
        _slide_end(contig, last, True, lost, lanes, scores, best, total)
    finish(best, total, inner + 2 * padding, lanes, out)


@compile_kernel
def slide_maximum(scores: Integers, size: int, best: Integers) -> None:
    """Find the largest of `size` neighbouring scores, from each of the first positions on."""
    count, number = len(best) + size - 1, scores.shape[1]
    after = np.empty((count, number), dtype=np.int32)  # to the end of the position's block
    for p in range(count - 1, -1, -1):
        copy_row(scores[p], after[p])
        if p + 1 < count and (p + 1) % size:
            keep_larger(after[p], after[p + 1])
    before = np.empty(number, dtype=np.int32)  # from the beginning of the position's block
    for p in range(count):
        if p % size == 0:
            copy_row(scores[p], before)
        keep_larger(before, scores[p])
        if p + 1 >= size:
            for k in range(number):
                best[p + 1 - size, k] = max(before[k], after[p + 1 - size, k])


@compile_kernel
def _slide_end(
    contig: NDArray[np.uint8],
    base: int,
    backward: bool,
    lost: Integers,
    lanes: Lanes,
    scores: Integers,
    best: Integers,
    total: Sums,
) -> None:
    """Pool the detectors that reach past one end of each window.

    Parameters
    ----------
    contig
        Codes of the whole contig.
    base
        The base that the first score loses; going backward, the last score.
    backward
        Whether it is the right end; then the last window comes first.
    lost
        What a score gains (5, columns x lanes) when a base of a column becomes N.
    lanes
        The network.
    scores
        From `padding` positions before the first window's on.
    best, total
        Of each window.
    """
    number, padding = np.uintp(scores.shape[1]), lanes.padding
    size = np.uintp(lost.shape[1])
    state = np.full(2 * (lost.shape[1] + _ROWS * scores.shape[1]), LOWEST, dtype=np.int32)
    half = np.uintp(len(state) // 2)
    work = make_work(lanes, 1)
    row, active = np.empty(scores.shape[1], dtype=np.int32), work.active
    wholes, powers, exponents = work.wholes, work.powers, work.exponents
    scale, sums, rounded, has_mean = lanes.scale, work.sums, work.rounded, lanes.has_mean
    for step in range(len(best) + padding - 1):
        window = step - padding + 1  # the first steps only fill the state
        entering, place = step, base + step
        if backward:
            window = len(best) - 1 - window
            entering, place = len(scores) - 1 - step, base - step
        letter = np.int64(contig[place]) if 0 <= place < len(contig) else np.int64(4)
        new, old = np.uintp(0), half
        if step % 2:
            new, old = half, np.uintp(0)
        # Unsigned places: one that might be negative would keep a loop from going many at a time.
        for k in range(number):
            state[new + k] = scores[entering, k] + lost[letter, k]
        for k in range(size - number):
            state[new + number + k] = state[old + k] + lost[letter, number + k]
        if step < padding - 1:
            continue
        for r in range(np.uintp(0), size, np.uintp(_ROWS) * number):
            first = new + r
            for k in range(number):
                best[window, k] = max(
                    best[window, k],
                    state[first + k],
                    state[first + number + k],
                    state[first + np.uintp(2) * number + k],
                    state[first + np.uintp(3) * number + k],
                    state[first + np.uintp(4) * number + k],
                    state[first + np.uintp(5) * number + k],
                    state[first + np.uintp(6) * number + k],
                    state[first + np.uintp(7) * number + k],
                )
        if has_mean:
            copy_row(total[window], active)
            for r in range(np.uintp(0), size, number):
                for k in range(number):
                    row[k] = state[new + r + k]
                add_activations(row, scale, active, wholes, powers, exponents, sums, rounded)
            copy_row(active, total[window])


@compile_kernel
def _exchange_for_unknown(columns: Integers) -> Integers:
    """Give what a score gains (5, columns x lanes) when a base of a column becomes N."""
    width, letters, number = columns.shape
    gained = np.empty((letters, width, number), dtype=np.int32)
    for letter in range(letters):
        for i in range(width):
            for k in range(number):
                gained[letter, i, k] = columns[i, 4, k] - columns[i, letter, k]
    return gained.reshape((letters, width * number))
