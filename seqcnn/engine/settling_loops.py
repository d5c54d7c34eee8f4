"""The loops of `seqcnn.engine.settling`: scores of mutants, activation, pooling."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel

__all__ = [
    "EXPONENTIAL",
    "LINEAR",
    "MAX",
    "MEAN",
    "RELU",
    "Floats",
    "Geometry",
    "Indices",
    "Loops",
    "add_by_loops",
    "add_held",
    "copy_floats",
    "find_scores",
    "pool_references",
    "pools",
    "rectify_by_loops",
    "settle_by_loops",
    "settle_scores",
    "sum_by_loops",
]

LINEAR, RELU, EXPONENTIAL = 0, 1, 2
MAX, MEAN = 0, 1

_NEAR = 2048  # numbers

Indices = NDArray[np.int64]
Floats = NDArray[np.float32]


class Geometry(NamedTuple):
    """The numbers of one step: a convolution, its activation, its pooling."""

    stride: int = 1
    dilation: int = 1
    padding: int = 0  # before the first input
    activation: int = LINEAR
    ceiling: float = 0.0
    pool: int = MAX
    pool_size: int = 1
    pool_stride: int = 1
    pool_padding: int = 0


class Loops(NamedTuple):
    """What the loops know of M mutants and of their references, as arrays.

    Attributes
    ----------
    row
        Reference of each mutant (M,).
    inputs, stops
        Where its changed inputs begin and end (M,).
    outputs
        First output wanted (M,).
    scores, settled
        Of the references: a `Kept`.
    place, held
        Changes that are added to the outputs (M, w, channels), and where each begins (M,); w is
        0 where there are none.
    """

    row: Indices
    inputs: Indices
    stops: Indices
    outputs: Indices
    scores: Floats
    settled: Floats
    place: Indices
    held: Floats


@compile_kernel
def pool_references(scores: Floats, geometry: Geometry, out: Floats) -> None:
    """Activate and pool the scores of whole sequences (n, positions, channels)."""
    scratch = np.empty(scores.shape[1:], dtype=np.float32)
    for row in range(len(out)):
        copy_floats(scores[row], scratch)
        _pool(scratch, -geometry.pool_padding, geometry, out[row])


@compile_kernel
def settle_by_loops(
    products: Floats, which: Indices, loops: Loops, geometry: Geometry, out: Floats
) -> None:
    """Settle on a CPU.

    The products are (kernel, M, inputs, channels), those of each mutant's inputs; or, where
    `which` is not empty, (kernel, 1, inputs, channels), of which it chooses.
    """
    channels, positions = out.shape[2], loops.scores.shape[1]
    # A part of the outputs at a time, whose scores stay in the nearest cache.
    some = 1 + _NEAR // (channels * geometry.pool_stride)
    longest = (some - 1) * geometry.pool_stride + geometry.pool_size
    scratch = np.empty((longest, channels), dtype=np.float32)
    for m in range(out.shape[0]):
        row = loops.row[m]
        for u in range(0, out.shape[1], some):
            part, first = out[m, u : u + some], loops.outputs[m] + u
            begin, end, window = find_scores(first, len(part), positions, geometry)
            new = scratch[: end - begin]
            copy_floats(loops.scores[row, begin:end], new)
            shift = loops.inputs[m] - begin * geometry.stride + geometry.padding
            if len(which) > 0:
                _add_listed(products, which[m], shift, geometry, new)
            else:
                _add_in_order(products, m, shift, geometry, new)
            settle_scores(
                new, window, loops.settled[row, first : first + len(part)], geometry, part
            )
            add_held(loops, m, first, part)


@compile_kernel
def find_scores(first: int, count: int, positions: int, geometry: Geometry) -> tuple[int, int, int]:
    """Find the scores under `count` outputs: begin, end, and where the first window begins.

    The last of these counts from `begin`.
    """
    start = first * geometry.pool_stride - geometry.pool_padding
    stop = start + (count - 1) * geometry.pool_stride + geometry.pool_size
    begin = min(max(start, 0), positions)
    return begin, max(begin, min(stop, positions)), start - begin


@compile_kernel
def copy_floats(values: Floats, out: Floats) -> None:
    """Copy an array (rows, channels); numba's own assignment takes seconds to compile."""
    source, target = values.reshape(-1), out.reshape(-1)
    for i in range(len(target)):
        target[i] = source[i]


# In both of the next, one tap of the kernel after the other: then zeros among the inputs change
# no rounding.


@compile_kernel
def _add_listed(
    products: Floats, which: Indices, shift: int, geometry: Geometry, scores: Floats
) -> None:
    """Add the products of inputs, the first of which is `shift` ones after the first score's."""
    stride = geometry.stride
    for j in range(products.shape[0]):
        offset = j * geometry.dilation - shift  # input of the first score under this tap
        begin = max(0, -(offset // stride))
        end = min(len(scores), (len(which) - 1 - offset) // stride + 1)
        for t in range(begin, end):
            _add_row(products[j, 0, which[t * stride + offset]], scores[t])


@compile_kernel
def _add_in_order(products: Floats, m: int, shift: int, geometry: Geometry, scores: Floats) -> None:
    """Add the products of a mutant's neighbouring inputs."""
    stride, width = geometry.stride, products.shape[2]
    for j in range(products.shape[0]):
        offset = j * geometry.dilation - shift
        begin = max(0, -(offset // stride))
        end = min(len(scores), (width - 1 - offset) // stride + 1)
        if stride > 1:
            for t in range(begin, end):
                _add_row(products[j, m, t * stride + offset], scores[t])
        elif begin < end:
            first = begin + offset
            inputs = products[j, m, first : first + end - begin]
            _add_row(inputs.reshape(-1), scores[begin:end].reshape(-1))


@compile_kernel
def _add_row(values: Floats, out: Floats) -> None:
    for i in range(len(out)):
        out[i] += values[i]


@compile_kernel
def settle_scores(
    scores: Floats, first: int, before: Floats, geometry: Geometry, out: Floats
) -> None:
    """Activate and pool scores, and subtract what the reference has.

    Parameters
    ----------
    scores
        Of the positions that there are (positions, channels).
    first
        Where the first window begins; what is not among the scores counts for nothing.
    before
        Of the reference, as much as there is: outputs (outputs, channels), or scores where the
        step does not pool.
    geometry
        The step.
    out
        Takes the changes (outputs, channels); 0 where there is no output. The scores may be
        overwritten.
    """
    number, target = before.size, out.reshape(-1)
    kept, part = before.reshape(-1), target[:number]
    if not pools(geometry):
        _subtract_scores(scores.reshape(-1), kept, geometry, part)
    else:
        _pool(scores, first, geometry, out[: len(before)])
        for i in range(number):
            part[i] -= kept[i]
    for i in range(number, len(target)):
        target[i] = 0


@compile_kernel
def pools(geometry: Geometry) -> bool:
    """Tell whether a step takes several positions together."""
    return geometry.pool_size > 1 or geometry.pool_stride > 1


@compile_kernel
def _subtract_scores(scores: Floats, before: Floats, geometry: Geometry, out: Floats) -> None:
    """Activate both scores, and subtract the second from the first."""
    zero, ceiling = np.float32(0), np.float32(geometry.ceiling)
    if geometry.activation == RELU:
        for i in range(len(out)):
            out[i] = max(scores[i], zero) - max(before[i], zero)
    elif geometry.activation == EXPONENTIAL:
        for i in range(len(out)):
            old = np.float32(np.exp(min(before[i], ceiling)))
            out[i] = np.float32(np.exp(min(scores[i], ceiling))) - old
    else:
        for i in range(len(out)):
            out[i] = scores[i] - before[i]


@compile_kernel
def _pool(scores: Floats, first: int, geometry: Geometry, out: Floats) -> None:
    """Activate and pool scores, which may be overwritten."""
    if geometry.pool == MEAN:
        _activate(scores.reshape(-1), geometry)
    for u in range(len(out)):
        start = first + u * geometry.pool_stride
        window = scores[max(start, 0) : min(start + geometry.pool_size, len(scores))]
        if geometry.pool == MEAN:
            _find_mean(window, out[u])
        else:
            _find_largest(window, out[u])
    if geometry.pool == MAX:  # the activations rise: the largest is that of the largest score
        _activate(out.reshape(-1), geometry)


@compile_kernel
def _activate(scores: Floats, geometry: Geometry) -> None:
    zero, ceiling = np.float32(0), np.float32(geometry.ceiling)
    if geometry.activation == RELU:
        for i in range(len(scores)):
            scores[i] = max(scores[i], zero)
    elif geometry.activation == EXPONENTIAL:
        for i in range(len(scores)):
            scores[i] = np.exp(min(scores[i], ceiling))


@compile_kernel
def add_held(loops: Loops, m: int, first: int, out: Floats) -> None:
    """Add to the outputs of a mutant from `first` on what was held."""
    offset = first - loops.place[m] if loops.held.shape[1] > 0 else 0
    begin, end = max(0, -offset), min(len(out), loops.held.shape[1] - offset)
    if begin < end:
        values = loops.held[m, begin + offset : end + offset]
        _add_row(values.reshape(-1), out[begin:end].reshape(-1))


@compile_kernel
def _find_largest(scores: Floats, out: Floats) -> None:
    for c in range(len(out)):
        out[c] = scores[0, c]
    for t in range(1, len(scores)):
        for c in range(len(out)):
            out[c] = max(out[c], scores[t, c])


@compile_kernel
def _find_mean(activations: Floats, out: Floats) -> None:
    for c in range(len(out)):
        out[c] = activations[0, c]
    for t in range(1, len(activations)):
        for c in range(len(out)):
            out[c] += activations[t, c]
    count = np.float32(len(activations))
    for c in range(len(out)):
        out[c] /= count


@compile_kernel
def sum_by_loops(delta: Floats, total: NDArray[np.float64]) -> None:
    """Sum stretches (M, w, channels) over their positions."""
    # In the order of the positions: then zeros among them change no rounding.
    for m in range(delta.shape[0]):
        for u in range(delta.shape[1]):
            for c in range(delta.shape[2]):
                total[m, c] += delta[m, u, c]


@compile_kernel
def add_by_loops(start: Indices, other: Indices, delta: Floats, more: Floats) -> None:
    """Add to stretches (M, w, channels) what other ones have in the same place."""
    for m in range(len(delta)):
        offset = other[m] - start[m]
        first, stop = max(0, -offset), min(more.shape[1], delta.shape[1] - offset)
        if first < stop:
            target = delta[m, first + offset : stop + offset].reshape(-1)
            _add_row(more[m, first:stop].reshape(-1), target)


@compile_kernel
def rectify_by_loops(before: Floats, row: Indices, delta: Floats) -> None:
    """Take changes (M, units) of a reference's units (rows, units) through a ReLU, in place."""
    zero = np.float32(0)
    for m in range(len(delta)):
        old, change = before[row[m]], delta[m]
        for i in range(len(change)):
            change[i] = max(old[i] + change[i], zero) - max(old[i], zero)
