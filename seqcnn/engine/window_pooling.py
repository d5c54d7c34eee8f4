"""The largest (and mean) detector scores of every window inside sequences, on a CPU.

See `seqcnn.engine.window_layout` for the layout, and `seqcnn.engine.sliding` for the idea: each
position is scored once, and a detector that reaches past a window's end loses one column more
when the window moves on by one base.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.kernels import LOWEST, Integers, Sums, number_kmers
from seqcnn.engine.window_layout import LANES, WindowBank

__all__ = ["pool_windows"]

_BEFORE = np.int32(-(2**29))  # what no detector has given yet; see `_slide_maxima`
_ROOM = 208  # rows of a state: a detector has at most 200 columns
# Unsigned places: one that might be negative would keep a loop from going many at a time.
_ROW, _ROW2, _ROW3, _ROW4, _ROW5, _ROW6, _ROW7 = (np.uintp(n * LANES) for n in range(1, 8))
_FOUND, _FOUND1, _FOUND2, _FOUND3 = (np.uintp((_ROOM + 4 + n) * LANES) for n in range(4))
_FIRST1, _FIRST2, _FIRST3 = (np.uintp((_ROOM + n) * LANES) for n in range(1, 4))


@compile_kernel
def pool_windows(
    codes: NDArray[np.uint8],
    size: int,
    real_flanks: bool,
    bank: WindowBank,
    best: NDArray[np.int32],
    total: NDArray[np.int64],
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
        Takes the largest scores (n, blocks, windows, lanes).
    total
        Takes the sums of what is above 0, likewise; not touched where there is no mean.
    """
    rows, length = codes.shape
    padding = bank.width - 1
    windows, positions = length - size + 1, length + padding
    spread = bank.kmer * bank.tables.shape[1]
    kmers = np.empty((rows, positions + spread), dtype=np.int32)
    for row in range(rows):
        number_kmers(codes[row], -padding, bank.kmer, kmers[row])
    scores = np.empty((positions, LANES), dtype=np.int32)
    sums = np.zeros((positions + 1, LANES if bank.has_mean else 0), dtype=np.int64)
    for block in range(len(bank.tables)):
        tables = bank.tables[block]
        for row in range(rows):
            largest, added = best[row, block], total[row, block]
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
                        _slide_sums(codes[row], side, bank, block, scores, largest, added)
                    else:
                        _slide_maxima(codes[row], side, bank, block, scores, largest)


@compile_kernel
def _score_positions(
    tables: NDArray[np.int32], kmer: int, kmers: Integers, scores: Integers
) -> None:
    """Score consecutive positions: two rows of the tables, then four at a time."""
    for p in range(len(scores)):
        a, b = kmers[p], kmers[p + kmer]
        for k in range(LANES):
            scores[p, k] = tables[0, a, k] + tables[1, b, k]
        for i in range(2, len(tables), 4):
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
    used = (windows + inner - 1) * LANES
    here = scores.ravel()[:used].copy()
    there = np.empty(used, dtype=np.int32)
    reach = 1  # positions that an entry is the maximum of
    while 2 * reach <= inner:
        _keep_larger_of(here, np.uintp(reach * LANES), used - reach * LANES, there)
        here, there = there, here
        used -= reach * LANES
        reach *= 2
    _keep_larger_of(here, np.uintp((inner - reach) * LANES), windows * LANES, best.ravel())
    if has_mean:
        for window in range(windows):
            for k in range(LANES):
                total[window, k] = sums[window + inner, k] - sums[window, k]


@compile_kernel
def _keep_larger_of(values: Integers, distance: np.uintp, count: int, out: Integers) -> None:
    """Give the larger of each value and the one at a distance from it."""
    for i in range(np.uintp(count)):
        out[i] = max(values[i], values[i + distance])


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
def _letter(codes: NDArray[np.uint8], place: int, side: int) -> int:
    """Give the base that is lost, counted from the end of a side; off the sequence it is N."""
    place = len(codes) - 1 - place if side else place
    return int(codes[place]) if 0 <= place < len(codes) else 4


@compile_kernel
def _slide_maxima(
    codes: NDArray[np.uint8],
    side: int,
    bank: WindowBank,
    block: int,
    scores: Integers,
    best: Integers,
) -> None:
    """Find the maxima of detectors that reach past the left (0) or right (1) end of windows.

    A detector with j columns outside stands in row j of the state. Four steps of the window are
    taken together, and four rows.
    """
    depth, padding, windows = bank.depths[block, side], bank.width - 1, len(best)
    if depth == 0:
        return
    last, groups = windows + padding - 2, (depth + 3) // 4
    # Flat arrays and places in them: each view that a loop makes would cost as much as its work.
    lost, tracks, flat = bank.lost[block, side].ravel(), scores.ravel(), best.ravel()
    size = np.uintp(bank.lost.shape[3])
    old = np.empty(2 * _ROOM * LANES, dtype=np.int32)
    new = np.empty(2 * _ROOM * LANES, dtype=np.int32)
    old[: 4 * LANES] = _BEFORE
    # Before the first window every row has to be filled, or be one without a column inside.
    first = max(0, padding - 4 * groups - 3)
    for step in range(first, last + 1, 4):
        filled = min(groups, (step - first) // 4 + 1)
        place = step - padding
        one = np.uintp(_letter(codes, place, side)) * size
        two = np.uintp(_letter(codes, place + 1, side)) * size
        three = np.uintp(_letter(codes, place + 2, side)) * size
        four = np.uintp(_letter(codes, place + 3, side)) * size
        a, b, c, d = step, min(step + 1, last), min(step + 2, last), min(step + 3, last)
        if side:
            end = len(scores) - 1
            a, b, c, d = end - a, end - b, end - c, end - d
        _copy(tracks, np.uintp(a) * _ROW, old)
        _enter(
            tracks,
            np.uintp(b) * _ROW,
            np.uintp(c) * _ROW,
            np.uintp(d) * _ROW,
            lost,
            two,
            three,
            four,
            new,
        )
        for group in range(filled):
            _move_on(old, lost, one, two, three, four, np.uintp(group) * _ROW4, new)
        for i in range(4):
            window = step + i - padding + 1
            if 0 <= window < windows:
                target = np.uintp(windows - 1 - window if side else window) * _ROW
                for group in range(0 if i else 1, filled + 1):
                    found = np.uintp(_ROOM + 4 * group + i) * _ROW
                    _keep_larger(new, found, flat, target)
        old, new = new, old


@compile_kernel
def _copy(values: Integers, place: np.uintp, out: Integers) -> None:
    for k in range(_ROW):
        out[k] = values[place + k]


@compile_kernel
def _keep_larger(values: Integers, place: np.uintp, best: Integers, target: np.uintp) -> None:
    for k in range(_ROW):
        best[target + k] = max(best[target + k], values[place + k])


@compile_kernel
def _enter(
    scores: Integers,
    second: np.uintp,
    third: np.uintp,
    fourth: np.uintp,
    lost: Integers,
    two: np.uintp,
    three: np.uintp,
    four: np.uintp,
    new: Integers,
) -> None:
    """Let scores enter at the second, third and fourth of four steps, and move on to the last."""
    for k in range(_ROW):
        u1 = np.int32(scores[second + k] + lost[two + k])
        u2 = np.int32(u1 + lost[three + _ROW + k])
        u3 = np.int32(u2 + lost[four + _ROW2 + k])
        v2 = np.int32(scores[third + k] + lost[three + k])
        v3 = np.int32(v2 + lost[four + _ROW + k])
        w3 = np.int32(scores[fourth + k] + lost[four + k])
        new[_ROW + k] = w3
        new[_ROW2 + k] = v3
        new[_ROW3 + k] = u3
        new[_FIRST1 + k] = u1
        new[_FIRST2 + k] = max(u2, v2)
        new[_FIRST3 + k] = max(u3, v3, w3)


@compile_kernel
def _move_on(
    old: Integers,
    lost: Integers,
    one: np.uintp,
    two: np.uintp,
    three: np.uintp,
    four: np.uintp,
    row: np.uintp,
    new: Integers,
) -> None:
    """Move four rows on by four steps, and note the largest score at each step."""
    for k in range(_ROW):
        i = row + k
        s0 = np.int32(old[i] + lost[one + i])
        s1 = np.int32(old[i + _ROW] + lost[one + i + _ROW])
        s2 = np.int32(old[i + _ROW2] + lost[one + i + _ROW2])
        s3 = np.int32(old[i + _ROW3] + lost[one + i + _ROW3])
        new[i + _FOUND] = max(s0, s1, s2, s3)
        t0 = np.int32(s0 + lost[two + i + _ROW])
        t1 = np.int32(s1 + lost[two + i + _ROW2])
        t2 = np.int32(s2 + lost[two + i + _ROW3])
        t3 = np.int32(s3 + lost[two + i + _ROW4])
        new[i + _FOUND1] = max(t0, t1, t2, t3)
        u0 = np.int32(t0 + lost[three + i + _ROW2])
        u1 = np.int32(t1 + lost[three + i + _ROW3])
        u2 = np.int32(t2 + lost[three + i + _ROW4])
        u3 = np.int32(t3 + lost[three + i + _ROW5])
        new[i + _FOUND2] = max(u0, u1, u2, u3)
        v0 = np.int32(u0 + lost[four + i + _ROW3])
        v1 = np.int32(u1 + lost[four + i + _ROW4])
        v2 = np.int32(u2 + lost[four + i + _ROW5])
        v3 = np.int32(u3 + lost[four + i + _ROW6])
        new[i + _FOUND3] = max(v0, v1, v2, v3)
        new[i + _ROW4] = v0
        new[i + _ROW5] = v1
        new[i + _ROW6] = v2
        new[i + _ROW7] = v3


@compile_kernel
def _slide_sums(
    codes: NDArray[np.uint8],
    side: int,
    bank: WindowBank,
    block: int,
    scores: Integers,
    best: Integers,
    total: Sums,
) -> None:
    """Find the maxima likewise, and the sums of what is above 0, step by step."""
    depth, padding, windows = bank.depths[block, side], bank.width - 1, len(best)
    if depth == 0:
        return
    lost = bank.lost[block, side]
    length = np.uintp(depth) * _ROW
    old = np.full(length, LOWEST, dtype=np.int32)
    new = old.copy()
    for step in range(padding - depth, windows + padding - 1):
        window = step - padding + 1  # the first steps only fill the state
        entering = len(scores) - 1 - step if side else step
        gained = lost[_letter(codes, step - padding, side)]
        for k in range(_ROW):
            new[k] = scores[entering, k] + gained[k]
        for k in range(length - _ROW):
            new[_ROW + k] = old[k] + gained[_ROW + k]
        old, new = new, old
        if window < 0:
            continue
        window = windows - 1 - window if side else window
        for row in range(np.uintp(0), length, _ROW):
            for k in range(_ROW):
                best[window, k] = max(best[window, k], old[row + k])
                total[window, k] += max(old[row + k], 0)
