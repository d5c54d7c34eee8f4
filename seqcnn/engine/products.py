"""Products of matrices within compiled loops, as fast as the processor multiplies.

The call of a library takes longer than a small product does, and its results come back through
memory. Here the sums of a few rows and one vector of columns stay in registers, and what calls
goes on with them while they are in the nearest cache. Each sum is taken in the order of the
inputs, whatever rows there are beside it; inputs of zero change no rounding.
"""

from typing import Any

import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.settling_loops import (
    RELU,
    Floats,
    Geometry,
    Loops,
    add_held,
    find_scores,
    pools,
    settle_scores,
)

__all__ = ["LANES", "add_products", "settle_products"]

LANES = 16
"""Columns that are multiplied together."""

_ROWS = 6  # whose sums the registers hold, and enough of them to hide the time that one takes

_cgutils: Any = numba.core.cgutils

_NUMBER = ir.FloatType()
_VECTOR = ir.VectorType(_NUMBER, LANES)
_BYTES = 4  # of a number

_POSITIONS = 36  # whose scores are made at a time: a multiple of `_ROWS`


@compile_kernel
def settle_products(
    weights: Floats, inputs: Floats, loops: Loops, geometry: Geometry, out: Floats
) -> None:
    """Compute the changes of a step's output from those of its input.

    Parameters
    ----------
    weights
        (kernel, channels before, columns): the channels after, and zeros up to whole `LANES`.
    inputs
        Changes (M, width, channels before).
    loops
        The mutants and their references.
    geometry
        The step.
    out
        Takes the changes (M, outputs, channels after).
    """
    channels, positions = out.shape[2], loops.scores.shape[1]
    some = max(1, _POSITIONS // geometry.pool_stride)
    longest = (some - 1) * geometry.pool_stride + geometry.pool_size
    sums = np.empty((longest, weights.shape[2]), dtype=np.float32)
    scores = np.empty((longest, channels), dtype=np.float32)
    for m in range(len(out)):
        row, changed = loops.row[m], inputs[m, : loops.stops[m] - loops.inputs[m]]
        for u in range(0, out.shape[1], some):
            part, first = out[m, u : u + some], loops.outputs[m] + u
            begin, end, window = find_scores(first, len(part), positions, geometry)
            shift = loops.inputs[m] - begin * geometry.stride + geometry.padding
            kept, new = loops.scores[row, begin:end], scores[: end - begin]
            _add_taps(weights, changed, shift, geometry, sums[: len(new)])
            if geometry.activation == RELU and not pools(geometry):
                _rectify(kept, sums, part)
            else:
                _add_scores(kept, sums, new)
                before = loops.settled[row, first : first + len(part)]
                settle_scores(new, window, before, geometry, part)
            add_held(loops, m, first, part)


@compile_kernel
def _add_taps(
    weights: Floats, changed: Floats, shift: int, geometry: Geometry, sums: Floats
) -> None:
    """Sum what changed inputs, the first of them `shift` after the first score's, add to scores."""
    stride, flat = geometry.stride, sums.reshape(-1)
    for i in range(len(flat)):
        flat[i] = 0
    for j in range(len(weights)):
        offset = j * geometry.dilation - shift  # input of the first score under this tap
        begin = max(0, -(offset // stride))
        end = min(len(sums), (len(changed) - 1 - offset) // stride + 1)
        if begin < end:
            add_products(changed[begin * stride + offset :], stride, weights[j], sums[begin:end])


@compile_kernel
def _rectify(before: Floats, sums: Floats, out: Floats) -> None:
    """Give what a ReLU makes of sums that are added to scores; 0 beyond these."""
    zero = np.float32(0)
    for t in range(len(before)):
        old, more, change = before[t], sums[t], out[t]
        for c in range(len(change)):
            change[c] = max(old[c] + more[c], zero) - max(old[c], zero)
    for t in range(len(before), len(out)):
        for c in range(out.shape[1]):
            out[t, c] = 0


@compile_kernel
def _add_scores(scores: Floats, sums: Floats, out: Floats) -> None:
    for t in range(len(out)):
        for c in range(out.shape[1]):
            out[t, c] = scores[t, c] + sums[t, c]


@compile_kernel
def add_products(rows: Floats, apart: int, weights: Floats, sums: Floats) -> None:
    """Add the products of rows with weights to sums; all arrays are contiguous.

    Parameters
    ----------
    rows
        Factors (n, inputs).
    apart
        Rows from one that is taken to the next: the first is taken, and as many as `sums` has.
    weights
        The other factors (inputs, columns); of columns, a multiple of `LANES`.
    sums
        (m, columns).
    """
    inputs, columns = weights.shape
    row, weight, place = rows.ctypes.data, weights.ctypes.data, sums.ctypes.data
    size, width = _BYTES * apart * inputs, _BYTES * columns
    for begin in range(0, width, _BYTES * LANES):
        for first in range(0, len(sums), _ROWS):
            addresses = row + first * size, weight + begin, place + first * width + begin
            count = min(_ROWS, len(sums) - first)
            _add_tile(addresses, size, width, inputs, count)  # type: ignore[call-arg]


@intrinsic
def _add_tile(_: Any, addresses: Any, size: Any, width: Any, inputs: Any, count: Any) -> Any:
    """Add the products of up to `_ROWS` rows with one vector of columns.

    Parameters
    ----------
    addresses
        Of the first row's inputs, of the weights, and of the sums.
    size
        Bytes from one row of inputs to the next.
    width
        Bytes of a row of weights, and of one of sums.
    inputs
        Of a row.
    count
        Rows that there are; in the place of those that there are not, the last is taken again.
    """

    def write(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        addresses, size, width, inputs, count = arguments
        row, weight, place = _cgutils.unpack_tuple(builder, addresses)
        last = builder.sub(count, count.type(1))
        numbers = [_smaller(builder, count.type(number), last) for number in range(_ROWS)]
        rows = [builder.add(row, builder.mul(size, number)) for number in numbers]
        places = [builder.add(place, builder.mul(width, number)) for number in numbers]
        sums = [_cgutils.alloca_once_value(builder, _load(builder, p, _VECTOR)) for p in places]
        with _cgutils.for_range(builder, inputs) as loop:
            vector = _load(builder, builder.add(weight, builder.mul(width, loop.index)), _VECTOR)
            offset = builder.mul(loop.index, loop.index.type(_BYTES))
            for row, total in zip(rows, sums, strict=True):
                factor = _load(builder, builder.add(row, offset), _NUMBER)
                builder.store(_add_product(builder, factor, vector, builder.load(total)), total)
        for place, total in zip(places, sums, strict=True):
            _store(builder, builder.load(total), place)
        return context.get_dummy_value()

    return types.void(addresses, size, width, inputs, count), write


def _smaller(builder: Any, left: Any, right: Any) -> Any:
    return builder.select(builder.icmp_signed("<", left, right), left, right)


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=_BYTES)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=_BYTES)


def _add_product(builder: Any, factor: Any, vector: Any, total: Any) -> Any:
    """Multiply and add in one instruction, where the processor has it."""
    name = f"llvm.fmuladd.v{LANES}f32"
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    multiply = _cgutils.get_or_insert_function(builder.module, kind, name)
    nothing, first = ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    filled = builder.insert_element(nothing, factor, first)
    same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.call(multiply, [builder.shuffle_vector(filled, nothing, same), vector, total])
