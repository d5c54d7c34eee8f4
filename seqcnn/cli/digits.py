"""Spelling many numbers at once: what tables of predictions take most of their time for."""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.spelling import format_numbers

__all__ = ["format_many"]

_FEW = 1 << 13  # not worth loading the loops
_LONGEST = 13  # bytes: a sign, 0 and a point, three zeros, six digits, a line feed
_SURE = 0.4999  # a difference that no rounding of the product turns
_ZERO, _POINT, _MINUS, _END = b"0.-\n"

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def format_many(values: Floats, form: str) -> list[str]:
    """Give what `seqcnn.spelling.format_numbers` gives, for ``%.6f`` and ``%.6g`` sooner."""
    numbers = np.ascontiguousarray(values, dtype=np.float64).ravel()
    if numbers.size < _FEW or form not in ("%.6f", "%.6g") or np.isnan(numbers).all():
        return format_numbers(numbers, form)
    out = np.empty(numbers.size * _LONGEST, dtype=np.uint8)
    hard = np.zeros(numbers.size, dtype=np.bool_)
    used = _spell(numbers, form == "%.6f", out, hard)
    texts = out[:used].tobytes().decode("ascii").split("\n")[:-1]
    places = np.flatnonzero(hard)
    for place, text in zip(places.tolist(), format_numbers(numbers[places], form), strict=True):
        texts[place] = text
    return texts


@compile_kernel
def _spell(values: Floats, is_fixed: bool, out: Bytes, hard: NDArray[np.bool_]) -> int:
    """Write a line for each number, an empty one for a hard one; give the bytes used."""
    at = 0
    for i in range(len(values)):
        if values[i] < 0:
            out[at] = _MINUS
        begin = at + (values[i] < 0)
        size = abs(values[i])
        end = _spell_fixed(size, out, begin) if is_fixed else _spell_short(size, out, begin)
        hard[i] = end == begin
        at = at if end == begin else end
        out[at] = _END
        at += 1
    return at


@compile_kernel
def _spell_fixed(size: float, out: Bytes, at: int) -> int:
    """Write a number with six decimals; give where it ends, or begins where rounding is close."""
    scaled = size * 1e6
    rounded = np.rint(scaled)
    if not (rounded < 1e9 and abs(scaled - rounded) < _SURE):
        return at
    whole, rest = divmod(int(rounded), 1_000_000)
    digits = 1 + (whole > 9) + (whole > 99)
    _put(whole, digits, out, at)
    out[at + digits] = _POINT
    _put(rest, 6, out, at + digits + 1)
    return at + digits + 7


@compile_kernel
def _spell_short(size: float, out: Bytes, at: int) -> int:
    """Write a number likewise with six significant digits, without zeros at its end."""
    if not 1e-4 <= size < 1e6:  # with an exponent
        return at
    point, factor, limit = -3, 1e9, 1e-3  # digits in front of the point
    while size >= limit:
        point, factor, limit = point + 1, factor / 10, limit * 10
    scaled = size * factor
    rounded = np.rint(scaled)
    if not (1e5 <= rounded < 1e6 and abs(scaled - rounded) < _SURE):
        return at
    number, digits = int(rounded), 6
    while number % 10 == 0 and digits > max(1, point):
        number, digits = number // 10, digits - 1
    if digits == point:
        _put(number, digits, out, at)
        return at + digits
    tail, point = digits - point, max(point, 1)
    whole, number = divmod(number, 10**tail)
    _put(whole, point, out, at)
    out[at + point] = _POINT
    _put(number, tail, out, at + point + 1)
    return at + point + 1 + tail


@compile_kernel
def _put(number: int, digits: int, out: Bytes, at: int) -> None:
    for place in range(at + digits - 1, at - 1, -1):
        number, digit = divmod(number, 10)
        out[place] = _ZERO + digit
