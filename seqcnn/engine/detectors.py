"""Networks with global pooling as integers, laid out for the compiled loops.

Why integers
    A score is a sum of one number for each base under a detector. As multiples of 2^-bits, held
    in 32-bit integers, those sums are exact: they come out the same in whatever order, in
    whatever block and on whatever processor they are taken, and a base can be exchanged in a
    score by subtracting one number and adding another, without error piling up. Activations are
    multiples of 2^-precision in 64-bit integers, so that sums over positions, and differences
    of such sums, are exact as well. The numbers are as fine as float32 or finer.

Layout
    Detectors are the innermost axis, so that a processor handles many at once: first those of
    the forward strand, then (where the model looks at both strands) their reverse complements,
    each group filled up to a multiple of 16 with detectors of zeros. Tables hold the sums for
    all k-mers over A, C, G, T, N: a score is then the sum of a few rows.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.pooled import Dense, PooledForm

__all__ = ["Lanes", "Scale", "fix_point", "lay_out", "tabulate"]

_LANES = 16
_LETTERS = 5
_TABLE_BYTES = 1 << 19  # half of a core's second-level cache
_LONGEST_KMER = 4
_MOST_BITS = 24
_MOST_PRECISION = 36
_LEAST_EXPONENT = -120  # float32 ends at -126
_LOG2_E = math.log2(math.e)  # exp(x) = 2^(x log2 e)
_STRONGEST = 2.0**20  # under an exponential, larger weights are as good as infinite


class Scale(NamedTuple):
    """What the integers count, and the activation.

    Attributes
    ----------
    exponential
        Whether the activation is 2^score, else ReLU.
    bits
        A score is its integer times 2^-bits.
    lowest, highest
        Where a score is clamped before the exponential.
    precision
        An activation is its integer times 2^-precision.
    """

    exponential: bool
    bits: int
    lowest: int
    highest: int
    precision: int


class Lanes(NamedTuple):
    """A network as the compiled loops take it; n lanes are the detectors of all strands.

    Attributes
    ----------
    tables
        Sums (chunks, 5^kmer, n) over the k-mers of each chunk of columns.
    columns
        Single columns (width, 5, n); the offset is in the first one.
    kmer
        Columns of a chunk.
    padding
        Unknown bases on each side of a window.
    strands
        1 or 2.
    larger
        Whether the larger strand's logit counts, not the mean of both.
    scale
        What the integers count, and the activation.
    has_mean
        Whether the mean over positions follows the maximum.
    hidden_weights, hidden_bias
        Weights (features, units) and bias (units,) of the hidden layer; no units: there is none.
    output_weights, output_bias
        Weights (tasks, features or units) and bias (tasks,) of the last layer.
    """

    tables: NDArray[np.int32]
    columns: NDArray[np.int32]
    kmer: int
    padding: int
    strands: int
    larger: bool
    scale: Scale
    has_mean: bool
    hidden_weights: NDArray[np.float64]
    hidden_bias: NDArray[np.float64]
    output_weights: NDArray[np.float64]
    output_bias: NDArray[np.float64]


def lay_out(form: PooledForm, *, length: int, strands: str, unknown: float = 0.25) -> Lanes:
    """Turn a network into integers.

    Parameters
    ----------
    form
        The network.
    length
        Bases of its window.
    strands
        ``average``, ``max`` or ``single``.
    unknown
        What N has in each of the four one-hot rows.
    """
    number = form.columns.shape[2]
    columns, bits = fix_point(form, unknown, both=strands != "single")
    kmer = _choose_kmer(len(columns), columns.shape[2])
    positions = length + 2 * form.padding - len(columns) + 1
    hidden, output = _lay_out_head(form.head, number)
    return Lanes(
        tables=tabulate(columns, kmer),
        columns=columns,
        kmer=kmer,
        padding=form.padding,
        strands=1 if strands == "single" else 2,
        larger=strands == "max",
        scale=_choose_scale(form.ceiling, bits, positions),
        has_mean=form.has_mean,
        hidden_weights=hidden[0],
        hidden_bias=hidden[1],
        output_weights=output[0],
        output_bias=output[1],
    )


def fix_point(form: PooledForm, unknown: float, *, both: bool) -> tuple[NDArray[np.int32], int]:
    """Round the columns (width, 5, lanes) to multiples of 2^-bits.

    Rounded once for both strands: a sequence and its reverse complement then score the same.
    """
    unit, most = (1.0, np.inf) if form.ceiling is None else (_LOG2_E, _STRONGEST)
    known = np.clip(form.columns * unit, -most, most)
    columns = np.concatenate([known, unknown * known.sum(axis=1, keepdims=True)], axis=1)
    offsets = np.clip(form.offsets * unit, -most, most)
    span = float((np.abs(columns).max(axis=1).sum(axis=0) + np.abs(offsets)).max())
    bits = min(_MOST_BITS, 29 - _exponent(span))
    forward = _fill_up(np.rint(np.ldexp(columns, bits)))
    sides = [forward, forward[::-1, [3, 2, 1, 0, 4]]] if both else [forward]
    fixed = np.concatenate(sides, axis=2)
    fixed[0] += np.tile(_fill_up(np.rint(np.ldexp(offsets, bits))), len(sides))
    return np.ascontiguousarray(fixed, dtype=np.int32), bits


def _choose_scale(ceiling: float | None, bits: int, positions: int) -> Scale:
    if ceiling is None:
        return Scale(False, bits, -(2**31), 2**31 - 1, bits)
    top = ceiling * _LOG2_E
    lowest = max(-(2**31), round(math.ldexp(_LEAST_EXPONENT, bits)))
    highest = min(2**31 - 1, round(math.ldexp(top, bits)))
    precision = min(_MOST_PRECISION, 50 - math.ceil(max(top, 1) + math.log2(positions)))
    return Scale(True, bits, lowest, highest, precision)


def _exponent(value: float) -> int:
    """Give the least power of two that is larger than a value."""
    return max(0, math.frexp(value)[1])


def _fill_up(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add columns of zeros up to a multiple of the lanes."""
    missing = -values.shape[-1] % _LANES
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])


def _choose_kmer(width: int, lanes: int) -> int:
    """Choose the longest k-mers whose tables stay in a core's cache."""
    for kmer in range(min(_LONGEST_KMER, width), 1, -1):
        if _count_chunks(width, kmer) * _LETTERS**kmer * lanes * 4 <= _TABLE_BYTES:
            return kmer
    return 1


def _count_chunks(width: int, kmer: int) -> int:
    """Count the chunks of a detector; the loops take two, then four at a time."""
    return 2 + 4 * max(0, -(-(width - 2 * kmer) // (4 * kmer)))


def tabulate(columns: NDArray[np.int32], kmer: int) -> NDArray[np.int32]:
    """Sum columns (width, 5, lanes) over the k-mers of each chunk: (chunks, 5^kmer, lanes)."""
    width, _, lanes = columns.shape
    chunks = _count_chunks(width, kmer)
    padded = np.zeros((chunks * kmer, _LETTERS, lanes), dtype=np.int32)
    padded[:width] = columns
    tables = np.zeros((chunks, 1, lanes), dtype=np.int32)
    for place in range(kmer):
        letter = padded[place::kmer, None, :, :]  # (chunks, 1, letters, lanes)
        tables = (tables[:, :, None] + letter).reshape(chunks, -1, lanes)
    return tables


def _lay_out_head(head: tuple[Dense, ...], number: int) -> tuple[Dense, Dense]:
    first, bias = head[0]
    parts = np.split(first, first.shape[1] // number, axis=1)
    first = np.concatenate([_fill_up(part) for part in parts], axis=1)
    if len(head) == 1:
        return (np.zeros((first.shape[1], 0)), np.zeros(0)), (first, bias)
    missing = -len(bias) % _LANES
    hidden = (np.pad(first, ((0, missing), (0, 0))).T.copy(), np.pad(bias, (0, missing)))
    return hidden, (_fill_up(head[1][0]), head[1][1])
