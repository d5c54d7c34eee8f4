"""The largest (and mean) detector scores of every window inside sequences, on a CPU.

See `seqcnn.engine.window_layout` for the layout, and `seqcnn.engine.sliding` for the idea: each
position is scored once, and a detector that reaches past a window's end loses one column more
when the window moves on by one base.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.kernels import LOWEST, Integers, Sums, number_kmers
from seqcnn.engine.window_layout import LANES, WindowBank, make_room
from seqcnn.engine.window_sliding import slide_maxima, slide_sums

__all__ = ["pool_windows"]

_FEW = 4  # sequences, for which it does not pay to fetch a block's tables


@compile_kernel
def pool_windows(
    codes: NDArray[np.uint8],
    size: int,
    real_flanks: bool,
    bank: WindowBank,
    best: NDArray[np.int32],
    total: NDArray[np.int64],
    fires: NDArray[np.bool_],
) -> None:
    """Pool the scores of every window of some sequences.

    Parameters
    ----------
    codes
        Array (n, length).
    size
        Bases of a window.
    real_flanks
        Whether detectors see the sequence past a window's ends, rather than N.
    bank
        The networks.
    best
        Takes the largest scores (n, blocks x lanes, windows) of the lanes that fire.
    total
        Takes the sums of what is above 0, likewise; not touched where there is no mean.
    fires
        Takes whether a lane is above 0 in any window (n, blocks x lanes).
    """
    rows, length = codes.shape
    padding = bank.width - 1
    windows, positions = length - size + 1, length + padding
    spread = bank.kmer * bank.tables.shape[1]
    kmers = np.empty((rows, positions + spread), dtype=np.int32)
    for row in range(rows):
        number_kmers(codes[row], -padding, bank.kmer, kmers[row])
    scores = make_room(positions)
    sums = np.zeros((positions + 1, LANES if bank.has_mean else 0), dtype=np.int64)
    largest = make_room(windows)
    added = np.empty((windows, LANES if bank.has_mean else 0), dtype=np.int64)
    fetched = make_room(bank.tables[0].size // LANES).reshape(bank.tables[0].shape)
    for block in range(len(bank.tables)):
        tables = bank.tables[block]
        if rows > _FEW:  # in one go, rather than row by row from far memory
            fetched[:] = tables
            tables = fetched
        for row in range(rows):
            _score_positions(tables, bank.kmer, kmers[row], scores)
            if bank.has_mean:
                _add_up(scores, sums)
            if real_flanks:
                _pool_inner(scores, sums, size + padding, bank.has_mean, largest, added)
            elif size <= padding:
                for window in range(windows):
                    piece = codes[row, window : window + size]
                    _pool_alone(piece, tables, bank, largest[window], added[window])
            else:
                inner = size - padding
                _pool_inner(scores[padding:], sums[padding:], inner, bank.has_mean, largest, added)
                for side in range(2):
                    if bank.has_mean:
                        slide_sums(codes[row], side, bank, block, scores, largest, added)
                    else:
                        slide_maxima(codes[row], side, bank, block, scores, largest)
            lanes = slice(block * LANES, (block + 1) * LANES)
            _turn(largest, added, best[row, lanes], total[row, lanes], fires[row, lanes])


@compile_kernel
def _score_positions(
    tables: NDArray[np.int32], kmer: int, kmers: Integers, scores: Integers
) -> None:
    """Score consecutive positions: two rows of the tables where the rest is none of four."""
    pair = len(tables) % 4 != 0
    for p in range(len(scores)):
        if pair:
            a, b = kmers[p], kmers[p + kmer]
            for k in range(LANES):
                scores[p, k] = tables[0, a, k] + tables[1, b, k]
        else:
            scores[p] = 0
        for i in range(2 if pair else 0, len(tables), 4):
            a, b = kmers[p + i * kmer], kmers[p + (i + 1) * kmer]
            c, d = kmers[p + (i + 2) * kmer], kmers[p + (i + 3) * kmer]
            for k in range(LANES):
                left = np.int32(tables[i, a, k] + tables[i + 1, b, k])
                right = np.int32(tables[i + 2, c, k] + tables[i + 3, d, k])
                scores[p, k] += np.int32(left + right)


@compile_kernel
def _add_up(scores: Integers, sums: Sums) -> None:
    """Sum what is above 0 before each position (positions + 1, lanes)."""
    for p in range(len(scores)):
        for k in range(LANES):
            sums[p + 1, k] = sums[p, k] + max(scores[p, k], 0)


@compile_kernel
def _pool_inner(
    scores: Integers, sums: Sums, inner: int, has_mean: bool, best: Integers, total: Sums
) -> None:
    """Pool `inner` neighbouring positions, from each of the first ones on."""
    windows = len(best)
    values, reach = scores.ravel(), 1  # positions that an entry is the maximum of
    while 4 * reach < inner:
        count = windows + inner - 4 * reach
        merged = make_room(count).ravel()
        step = np.uintp(reach * LANES)
        _merge(values, step, np.uintp(2) * step, np.uintp(3) * step, count * LANES, merged)
        values, reach = merged, 4 * reach
    a, b, c = min(reach, inner - reach), min(2 * reach, inner - reach), inner - reach
    one, two, three = np.uintp(a * LANES), np.uintp(b * LANES), np.uintp(c * LANES)
    _merge(values, one, two, three, windows * LANES, best.ravel())
    if has_mean:
        for window in range(windows):
            for k in range(LANES):
                total[window, k] = sums[window + inner, k] - sums[window, k]


@compile_kernel
def _merge(
    values: Integers, one: np.uintp, two: np.uintp, three: np.uintp, count: int, out: Integers
) -> None:
    """Give the largest of each value and the three at these distances from it."""
    for i in range(np.uintp(count)):
        out[i] = max(values[i], values[i + one], values[i + two], values[i + three])


@compile_kernel
def _pool_alone(
    piece: NDArray[np.uint8],
    tables: NDArray[np.int32],
    bank: WindowBank,
    best: Integers,
    total: Sums,
) -> None:
    """Pool one window that is shorter than a detector, or no longer."""
    count = len(piece) + bank.width - 1
    kmers = np.empty(count + bank.kmer * len(tables), dtype=np.int32)
    scores = np.empty((count, LANES), dtype=np.int32)
    number_kmers(piece, 1 - bank.width, bank.kmer, kmers)
    _score_positions(tables, bank.kmer, kmers, scores)
    for k in range(LANES):
        best[k] = LOWEST
        if bank.has_mean:
            total[k] = 0
    for p in range(count):
        for k in range(LANES):
            best[k] = max(best[k], scores[p, k])
            if bank.has_mean:
                total[k] += max(scores[p, k], 0)


@compile_kernel
def _turn(
    largest: Integers, added: Sums, best: Integers, total: Sums, fires: NDArray[np.bool_]
) -> None:
    """Lay the windows of each lane that fires side by side."""
    windows = len(largest)
    highest = np.zeros(LANES, dtype=np.int32)
    for window in range(windows):
        for k in range(LANES):
            highest[k] = max(highest[k], largest[window, k])
    for k in range(LANES):
        fires[k] = highest[k] > 0
        if fires[k]:
            for window in range(windows):
                best[k, window] = largest[window, k]
            if added.size:
                for window in range(windows):
                    total[k, window] = added[window, k]
