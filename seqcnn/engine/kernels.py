"""The compiled steps that all work with global pooling is made of.

Names that recur: `kmers[p]`, the number of the k-mer that begins at base p of a padded
sequence; `best` (lanes,), the largest scores so far; `total` (lanes,), the sum of activations
so far. `seqcnn.engine.detectors` describes the integers and the lanes.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.detectors import Lanes, Scale

__all__ = [
    "LOWEST",
    "Work",
    "add_activations",
    "add_scores",
    "copy_row",
    "finish",
    "keep_larger",
    "make_work",
    "number_kmers",
    "pool_positions",
]

Integers = NDArray[np.int32]
Sums = NDArray[np.int64]
Logits = NDArray[np.float64]

LOWEST = np.int32(-(2**31))
"""Below every score."""

# 2^x on [0, 1] to 2e-7 of its value, as near as float32 can be.
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.polynomial.chebyshev.Chebyshev.interpolate(np.exp2, 5, (0, 1))
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)


class Work(NamedTuple):
    """Arrays that a thread computes in; all but the last two are as long as the lanes."""

    scores: Integers
    wholes: Integers
    powers: NDArray[np.float32]
    exponents: Integers  # the bits of `powers`
    sums: Sums
    rounded: Logits  # the bits of `sums`
    active: Sums
    features: Logits
    units: Logits


@compile_kernel
def make_work(lanes: Lanes, copies: int) -> Work:
    """Make the arrays that a thread computes in, for so many copies of the lanes."""
    number = copies * lanes.tables.shape[2]
    powers = np.empty(number, dtype=np.float32)
    sums = np.empty(number, dtype=np.int64)
    return Work(
        np.empty(number, dtype=np.int32),
        np.empty(number, dtype=np.int32),
        powers,
        powers.view(np.int32),
        sums,
        sums.view(np.float64),
        np.empty(number, dtype=np.int64),
        np.empty(2 * number, dtype=np.float64),
        np.empty(len(lanes.hidden_bias), dtype=np.float64),
    )


@compile_kernel
def number_kmers(codes: NDArray[np.uint8], first: int, kmer: int, out: Integers) -> None:
    """Give the k-mers from the base `first` on their number (base 5); N lies off the codes."""
    base = 5 ** (kmer - 1)
    number = 0
    for p in range(len(out) + kmer - 1):
        q = first + p
        code = np.int64(codes[q]) if 0 <= q < len(codes) else np.int64(4)
        number = number % base * 5 + code
        if p >= kmer - 1:
            out[p - kmer + 1] = number


@compile_kernel
def add_scores(
    tables: NDArray[np.int32], kmer: int, kmers: Integers, p: int, scores: Integers
) -> None:
    """Score the position p: two rows of the tables, then four at a time."""
    number = len(scores)
    a, b = kmers[p], kmers[p + kmer]
    for k in range(number):
        scores[k] = tables[0, a, k] + tables[1, b, k]
    for i in range(2, len(tables), 4):
        a, b = kmers[p + i * kmer], kmers[p + (i + 1) * kmer]
        c, d = kmers[p + (i + 2) * kmer], kmers[p + (i + 3) * kmer]
        for k in range(number):
            left = np.int32(tables[i, a, k] + tables[i + 1, b, k])
            right = np.int32(tables[i + 2, c, k] + tables[i + 3, d, k])
            scores[k] += np.int32(left + right)


@compile_kernel
def copy_row(row: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy numbers; numba's own assignment of arrays takes seconds to compile."""
    for k in range(len(row)):
        out[k] = row[k]


@compile_kernel
def keep_larger(best: Integers, scores: Integers) -> None:
    """Keep the larger of two scores in the first."""
    for k in range(len(best)):
        best[k] = max(best[k], scores[k])


@compile_kernel
def add_activations(
    scores: Integers,
    scale: Scale,
    total: Sums,
    wholes: Integers,
    powers: NDArray[np.float32],
    exponents: Integers,
    sums: Sums,
    rounded: Logits,
) -> None:
    """Add the activations of scores to a total; from `wholes` on, the arrays of a `Work`."""
    if scale.exponential:
        zero = _raise_two(scores, scale, wholes, powers, exponents, rounded)
        for k in range(len(total)):
            total[k] += sums[k] - zero
    else:
        for k in range(len(total)):
            total[k] += max(scores[k], 0)


@compile_kernel
def _raise_two(
    scores: Integers,
    scale: Scale,
    wholes: Integers,
    powers: NDArray[np.float32],
    exponents: Integers,
    rounded: Logits,
) -> int:
    """Give 2^score as integers, the bits of `rounded`, too large by the number returned."""
    mask = np.int32((1 << scale.bits) - 1)
    unit = np.float32(2.0**-scale.bits)
    shift = np.int32(scale.bits)
    low, high = np.int32(scale.lowest), np.int32(scale.highest)
    for k in range(len(scores)):
        clamped = np.int32(min(max(scores[k], low), high))
        x = np.float32(clamped & mask) * unit
        y = _C5 * x + _C4
        y = y * x + _C3
        y = y * x + _C2
        y = y * x + _C1
        powers[k] = y * x + _C0  # 2^fraction
        wholes[k] = (clamped >> shift) << np.int32(23)
    for k in range(len(scores)):
        exponents[k] += wholes[k]
    # The mantissa of a number near 1.5 * 2^52 units counts units.
    shifter = 1.5 * 2.0 ** (52 - scale.precision)
    for k in range(len(scores)):
        rounded[k] = np.float64(powers[k]) + shifter
    return int(np.float64(shifter).view(np.int64))


@compile_kernel
def pool_positions(
    kmers: Integers, first: int, last: int, lanes: Lanes, work: Work, best: Integers, total: Sums
) -> None:
    """Pool the scores of the positions from `first` up to `last` of a padded sequence."""
    tables, kmer, scale, has_mean = lanes.tables, lanes.kmer, lanes.scale, lanes.has_mean
    scores, wholes, powers = work.scores, work.wholes, work.powers
    exponents, sums, rounded = work.exponents, work.sums, work.rounded
    for p in range(first, last):
        add_scores(tables, kmer, kmers, p, scores)
        keep_larger(best, scores)
        if has_mean:
            add_activations(scores, scale, total, wholes, powers, exponents, sums, rounded)


@compile_kernel
def finish(best: Integers, total: Sums, count: int, lanes: Lanes, out: Logits) -> None:
    """Weigh what was pooled over `count` positions, with both strands' logits together.

    Parameters
    ----------
    best, total
        Of n sequences (n, lanes); `total` is not read where there is no mean.
    out
        Takes the logits (n, tasks).
    """
    work = make_work(lanes, 1)
    scores, active, features, units = work.scores, work.active, work.features, work.units
    wholes, powers, exponents = work.wholes, work.powers, work.exponents
    sums, rounded, scale = work.sums, work.rounded, lanes.scale
    first, first_bias = lanes.hidden_weights, lanes.hidden_bias
    last, last_bias = lanes.output_weights, lanes.output_bias
    number = np.uintp(best.shape[1] // lanes.strands)
    has_mean, larger, has_hidden = lanes.has_mean, lanes.larger, len(first_bias) > 0
    unit = 2.0**-scale.precision
    for row in range(len(best)):
        for k in range(len(scores)):
            scores[k], active[k] = best[row, k], 0
        add_activations(scores, scale, active, wholes, powers, exponents, sums, rounded)
        for strand in range(lanes.strands):
            lane = np.uintp(strand) * number  # unsigned, or the loops go one by one
            for k in range(number):
                features[k] = active[lane + k] * unit
            if has_mean:
                for k in range(number):
                    features[number + k] = total[row, lane + k] * unit / count
            if has_hidden:
                _fill_units(first, first_bias, features, units)
            for task in range(len(last_bias)):
                logit = last_bias[task]
                logit += _dot(last, task, units) if has_hidden else _dot(last, task, features)
                if strand == 0:
                    out[row, task] = logit
                elif larger:
                    out[row, task] = max(out[row, task], logit)
                else:
                    out[row, task] = (out[row, task] + logit) / 2


@compile_kernel
def _fill_units(weights: Logits, bias: Logits, features: Logits, units: Logits) -> None:
    """Compute the hidden layer, all of its units at a time."""
    copy_row(bias, units)
    for j in range(len(weights)):
        value = features[j]
        for i in range(len(units)):
            units[i] += weights[j, i] * value
    for i in range(len(units)):
        units[i] = max(units[i], 0.0)


@compile_kernel
def _dot(weights: Logits, row: int, values: Logits) -> float:
    """Sum products in eight sums side by side: as many as one instruction takes."""
    a = b = c = d = e = f = g = h = 0.0
    for i in range(0, weights.shape[1], 8):
        a += weights[row, i] * values[i]
        b += weights[row, i + 1] * values[i + 1]
        c += weights[row, i + 2] * values[i + 2]
        d += weights[row, i + 3] * values[i + 3]
        e += weights[row, i + 4] * values[i + 4]
        f += weights[row, i + 5] * values[i + 5]
        g += weights[row, i + 6] * values[i + 6]
        h += weights[row, i + 7] * values[i + 7]
    return ((a + e) + (b + f)) + ((c + g) + (d + h))
