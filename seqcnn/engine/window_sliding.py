"""Detectors that reach past the ends of windows, on a CPU.

A window that moves on by one base costs each of them one column more: what its score gains when
that column becomes N is added up, position after position.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.kernels import LOWEST, Integers, Sums
from seqcnn.engine.window_layout import LANES, ROWS, WindowBank, make_room

__all__ = ["slide_maxima", "slide_sums"]

_BEFORE = np.int32(-(2**29))  # what no detector has given yet; see `slide_maxima`
_ROOM = 212  # rows of a state: a detector has at most 200 columns
# Unsigned places: one that might be negative would keep a loop from going many at a time.
_ROW, _ROW2, _ROW3, _ROW4, _ROW5, _ROW6, _ROW7 = (np.uintp(n * LANES) for n in range(1, 8))
_ROW8, _ROW9, _ROW10, _ROW11 = (np.uintp(n * LANES) for n in range(8, 12))
# The largest scores of eight rows and those before them, at each of four steps.
_FOUND, _FOUND1, _FOUND2, _FOUND3 = (np.uintp((_ROOM + 4 + n) * LANES) for n in range(4))
# Those of the rows before alone; before the first eight, of what has just entered.
_KEPT, _KEPT1, _KEPT2, _KEPT3 = (np.uintp((_ROOM + 4 + n - ROWS) * LANES) for n in range(4))

Letters = tuple[np.uintp, np.uintp, np.uintp, np.uintp]


@compile_kernel
def _letter(codes: NDArray[np.uint8], place: int, side: int) -> int:
    """Give the base that is lost, counted from the end of a side; off the sequence it is N."""
    place = len(codes) - 1 - place if side else place
    return int(codes[place]) if 0 <= place < len(codes) else 4


@compile_kernel
def slide_maxima(
    codes: NDArray[np.uint8],
    side: int,
    bank: WindowBank,
    block: int,
    scores: Integers,
    best: Integers,
) -> None:
    """Find the maxima of detectors that reach past the left (0) or right (1) end of windows.

    A detector with j columns outside stands in row j of the state. Four steps of the window are
    taken together, and eight rows.

    Parameters
    ----------
    codes
        The sequence.
    side
        0 or 1.
    bank, block
        The networks, and which block of theirs.
    scores
        Of the whole detectors (positions, lanes).
    best
        The maxima (windows, lanes) so far.
    """
    depth, padding, windows = bank.depths[block, side], bank.width - 1, len(best)
    if depth == 0:
        return
    last, groups = windows + padding - 2, (depth + ROWS - 1) // ROWS
    # Flat arrays and places in them: each view that a loop makes would cost as much as its work.
    lost, tracks, flat = bank.lost[block, side].ravel(), scores.ravel(), best.ravel()
    size = np.uintp(bank.lost.shape[3])
    old, new = make_room(2 * _ROOM).ravel(), make_room(2 * _ROOM).ravel()
    old[: np.uintp(groups) * _ROW8] = _BEFORE
    new[: np.uintp(groups) * _ROW8] = _BEFORE
    # Before the first window every row has to be filled, or be one without a column inside.
    first = max(0, padding - ROWS * groups - 3)
    for step in range(first, last + 1, 4):
        filled = min(groups, (step - first) // ROWS + 1)
        place = step - padding
        letters = (
            np.uintp(_letter(codes, place, side)) * size,
            np.uintp(_letter(codes, place + 1, side)) * size,
            np.uintp(_letter(codes, place + 2, side)) * size,
            np.uintp(_letter(codes, place + 3, side)) * size,
        )
        a, b, c, d = step, min(step + 1, last), min(step + 2, last), min(step + 3, last)
        if side:
            end = len(scores) - 1
            a, b, c, d = end - a, end - b, end - c, end - d
        _copy(tracks, np.uintp(a) * _ROW, old)
        entering = (np.uintp(b) * _ROW, np.uintp(c) * _ROW, np.uintp(d) * _ROW)
        _enter(tracks, entering, lost, letters, new)
        for group in range(filled):
            _move_on(old, lost, letters, np.uintp(group) * _ROW8, new)
        found = np.uintp(_ROOM + 4 + ROWS * (filled - 1)) * _ROW
        for i in range(4):
            window = place + 1 + i
            if 0 <= window < windows:
                target = np.uintp(windows - 1 - window if side else window) * _ROW
                _keep_larger(new, found + np.uintp(i) * _ROW, flat, target)
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
    entering: tuple[np.uintp, np.uintp, np.uintp],
    lost: Integers,
    letters: Letters,
    new: Integers,
) -> None:
    """Let scores enter at the second, third and fourth of four steps, and move on to the last."""
    second, third, fourth = entering
    _, two, three, four = letters
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
        new[_KEPT + k] = _BEFORE
        new[_KEPT1 + k] = u1
        new[_KEPT2 + k] = max(u2, v2)
        new[_KEPT3 + k] = max(u3, v3, w3)


@compile_kernel
def _move_on(old: Integers, lost: Integers, letters: Letters, row: np.uintp, new: Integers) -> None:
    """Move eight rows on by four steps, and note the largest score so far at each step."""
    one, two, three, four = letters
    for k in range(_ROW):
        i = row + k
        s0 = np.int32(old[i] + lost[one + i])
        s1 = np.int32(old[i + _ROW] + lost[one + i + _ROW])
        s2 = np.int32(old[i + _ROW2] + lost[one + i + _ROW2])
        s3 = np.int32(old[i + _ROW3] + lost[one + i + _ROW3])
        s4 = np.int32(old[i + _ROW4] + lost[one + i + _ROW4])
        s5 = np.int32(old[i + _ROW5] + lost[one + i + _ROW5])
        s6 = np.int32(old[i + _ROW6] + lost[one + i + _ROW6])
        s7 = np.int32(old[i + _ROW7] + lost[one + i + _ROW7])
        new[i + _FOUND] = max(new[i + _KEPT], s0, s1, s2, s3, s4, s5, s6, s7)
        s0 = np.int32(s0 + lost[two + i + _ROW])
        s1 = np.int32(s1 + lost[two + i + _ROW2])
        s2 = np.int32(s2 + lost[two + i + _ROW3])
        s3 = np.int32(s3 + lost[two + i + _ROW4])
        s4 = np.int32(s4 + lost[two + i + _ROW5])
        s5 = np.int32(s5 + lost[two + i + _ROW6])
        s6 = np.int32(s6 + lost[two + i + _ROW7])
        s7 = np.int32(s7 + lost[two + i + _ROW8])
        new[i + _FOUND1] = max(new[i + _KEPT1], s0, s1, s2, s3, s4, s5, s6, s7)
        s0 = np.int32(s0 + lost[three + i + _ROW2])
        s1 = np.int32(s1 + lost[three + i + _ROW3])
        s2 = np.int32(s2 + lost[three + i + _ROW4])
        s3 = np.int32(s3 + lost[three + i + _ROW5])
        s4 = np.int32(s4 + lost[three + i + _ROW6])
        s5 = np.int32(s5 + lost[three + i + _ROW7])
        s6 = np.int32(s6 + lost[three + i + _ROW8])
        s7 = np.int32(s7 + lost[three + i + _ROW9])
        new[i + _FOUND2] = max(new[i + _KEPT2], s0, s1, s2, s3, s4, s5, s6, s7)
        s0 = np.int32(s0 + lost[four + i + _ROW3])
        s1 = np.int32(s1 + lost[four + i + _ROW4])
        s2 = np.int32(s2 + lost[four + i + _ROW5])
        s3 = np.int32(s3 + lost[four + i + _ROW6])
        s4 = np.int32(s4 + lost[four + i + _ROW7])
        s5 = np.int32(s5 + lost[four + i + _ROW8])
        s6 = np.int32(s6 + lost[four + i + _ROW9])
        s7 = np.int32(s7 + lost[four + i + _ROW10])
        new[i + _FOUND3] = max(new[i + _KEPT3], s0, s1, s2, s3, s4, s5, s6, s7)
        new[i + _ROW4] = s0
        new[i + _ROW5] = s1
        new[i + _ROW6] = s2
        new[i + _ROW7] = s3
        new[i + _ROW8] = s4
        new[i + _ROW9] = s5
        new[i + _ROW10] = s6
        new[i + _ROW11] = s7


@compile_kernel
def slide_sums(
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
