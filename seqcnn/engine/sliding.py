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
    Work,
    add_activations,
    copy_row,
    finish,
    keep_larger,
    make_work,
    number_kmers,
)
from seqcnn.engine.pooled import fill_track

__all__ = ["score_every_window"]

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
    _slide_maximum(scores[padding:], inner, best)
    if lanes.has_mean:
        for s in range(windows):
            for k in range(number):
                total[s, k] = sums[padding + s + inner, k] - sums[padding + s, k]
    if padding:
        _slide_left_end(contig, first, lanes, work, scores, best, total)
        _slide_right_end(contig, first + length, lanes, work, scores, best, total)
    finish(best, total, inner + 2 * padding, lanes, out)


@compile_kernel
def _slide_maximum(scores: Integers, size: int, best: Integers) -> None:
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
def _slide_left_end(
    contig: NDArray[np.uint8],
    first: int,
    lanes: Lanes,
    work: Work,
    scores: Integers,
    best: Integers,
    total: Sums,
) -> None:
    """Pool the detectors that begin before each window; scores begin `padding` before `first`."""
    padding = lanes.padding
    lost = _exchange_for_unknown(lanes.columns[:padding])
    states = _make_states(padding, scores.shape[1])
    for step in range(1, len(best) + padding):
        start = first - padding + step  # of a window; the first ones only fill the state
        letter = contig[start - 1] if 1 <= start <= len(contig) else np.uint8(4)
        old, new = states[step % 2], states[1 - step % 2]
        _lose_base(scores[step - 1], lost[letter], old, new)
        if step >= padding:
            _pool_state(new, best[step - padding])
            if lanes.has_mean:
                _add_state(new, lanes, work, total[step - padding])


@compile_kernel
def _slide_right_end(
    contig: NDArray[np.uint8],
    end: int,
    lanes: Lanes,
    work: Work,
    scores: Integers,
    best: Integers,
    total: Sums,
) -> None:
    """Pool the detectors that end after each window, the last window first."""
    padding = lanes.padding
    lost = _exchange_for_unknown(lanes.columns[len(lanes.columns) - padding :][::-1])
    states = _make_states(padding, scores.shape[1])
    for step in range(1, len(best) + padding):
        window = len(best) - 1 + padding - step
        base = end + window
        letter = contig[base] if 0 <= base < len(contig) else np.uint8(4)
        old, new = states[step % 2], states[1 - step % 2]
        _lose_base(scores[len(scores) - step], lost[letter], old, new)
        if step >= padding:
            _pool_state(new, best[window])
            if lanes.has_mean:
                _add_state(new, lanes, work, total[window])


@compile_kernel
def _exchange_for_unknown(columns: Integers) -> Integers:
    """Give what a score gains (5, columns, lanes) when a base of a column becomes N."""
    width, letters, number = columns.shape
    gained = np.empty((letters, width, number), dtype=np.int32)
    for letter in range(letters):
        for i in range(width):
            for k in range(number):
                gained[letter, i, k] = columns[i, 4, k] - columns[i, letter, k]
    return gained


@compile_kernel
def _make_states(padding: int, number: int) -> Integers:
    """Make two lists (rows, lanes) of scores that have lost 1, 2, ... columns.

    Rows that fill them up to a multiple of `_ROWS` are below every score, and stay so.
    """
    rows = -(-padding // _ROWS) * _ROWS
    return np.full((2, rows, number), LOWEST, dtype=np.int32)


@compile_kernel
def _lose_base(entering: Integers, lost: Integers, old: Integers, new: Integers) -> None:
    """Let detectors lose one column more, and the entering ones their first."""
    number = len(entering)
    for k in range(number):
        new[0, k] = entering[k] + lost[0, k]
    # One long loop over all other rows goes many at a time; an index that might be negative, or
    # rows of unknown distance, would keep it from that.
    moved = new[1 : len(lost)].reshape((len(lost) - 1) * number)
    before = old[: len(lost) - 1].reshape((len(lost) - 1) * number)
    change = lost[1:].reshape((len(lost) - 1) * number)
    for i in range(len(moved)):
        moved[i] = before[i] + change[i]


@compile_kernel
def _pool_state(state: Integers, best: Integers) -> None:
    """Keep the largest of each lane's scores (rows, lanes)."""
    for r in range(0, len(state), _ROWS):
        for k in range(len(best)):
            best[k] = max(
                best[k],
                state[r, k],
                state[r + 1, k],
                state[r + 2, k],
                state[r + 3, k],
                state[r + 4, k],
                state[r + 5, k],
                state[r + 6, k],
                state[r + 7, k],
            )


@compile_kernel
def _add_state(state: Integers, lanes: Lanes, work: Work, total: Sums) -> None:
    """Add the activations of all scores (rows, lanes)."""
    wholes, powers, exponents = work.wholes, work.powers, work.exponents
    scale, sums, rounded = lanes.scale, work.sums, work.rounded
    for row in range(lanes.padding):
        add_activations(state[row], scale, total, wholes, powers, exponents, sums, rounded)
