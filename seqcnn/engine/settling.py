"""How a change becomes the change of a layer's output: one step of `seqcnn.engine.strips`.

Of each mutant only a stretch of positions is looked at, the same number for all mutants of a
call. `settle` adds the products of the changed inputs up to what they add to the scores, and
takes activation and pooling twice: of the reference's scores and of the mutant's. There is one
loop for a CPU and one chain of gathers for any device; both do the same.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.engine.compiled import compile_kernel

__all__ = [
    "EXPONENTIAL",
    "LINEAR",
    "MAX",
    "MEAN",
    "RELU",
    "Geometry",
    "Strip",
    "activate_scores",
    "add_strip",
    "settle",
    "sum_positions",
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


class Strip(NamedTuple):
    """Changes of M mutants, each in its own stretch of w positions.

    Attributes
    ----------
    start
        First position of the stretch (M,).
    delta
        Mutant minus reference (M, w, channels).
    """

    start: Tensor
    delta: Tensor


class _Places(NamedTuple):
    """Where the inputs and outputs of M mutants are, as int64 arrays (M,)."""

    row: Indices  # of the reference
    inputs: Indices
    outputs: Indices


def settle(
    products: Tensor,
    which: Tensor,
    places: tuple[Tensor, ...],
    reference: Tensor,
    *,
    geometry: Geometry,
    out: Tensor,
) -> None:
    """Compute the change of a step's output.

    Parameters
    ----------
    products
        What an input adds to the scores it touches (inputs, kernel, channels).
    which
        Input of each mutant and changed position (M, w), as a row of `products`.
    places
        For each mutant (M,): row of the reference, first changed input, first output wanted.
    reference
        Scores before the activation (rows, positions, channels).
    geometry
        The step.
    out
        Changes of the outputs (M, width, channels), which are written.
    """
    if out.is_cuda:
        _settle_by_gathers(products, which, places, reference, geometry=geometry, out=out)
        return
    tensors = (products, which, *places, reference, out)
    p, w, row, inputs, outputs, r, o = (tensor.numpy() for tensor in tensors)
    _settle_by_loops(p, w, _Places(row, inputs, outputs), r, geometry, o)


@compile_kernel
def _settle_by_loops(
    products: Floats,
    which: Indices,
    places: _Places,
    reference: Floats,
    geometry: Geometry,
    out: Floats,
) -> None:
    positions, channels = reference.shape[1], out.shape[2]
    # A part of the outputs at a time, whose scores stay in the nearest cache.
    some = 1 + _NEAR // (channels * geometry.pool_stride)
    longest = (some - 1) * geometry.pool_stride + geometry.pool_size
    scores = np.empty((longest, channels), dtype=np.float32)
    for m in range(out.shape[0]):
        for u in range(0, out.shape[1], some):
            part = out[m, u : u + some]
            first = (places.outputs[m] + u) * geometry.pool_stride - geometry.pool_padding
            last = first + (len(part) - 1) * geometry.pool_stride + geometry.pool_size
            begin, end = max(first, 0), min(last, positions)
            old = reference[places.row[m], begin:end]
            new = scores[: end - begin]
            new[:] = old
            shift = places.inputs[m] - begin * geometry.stride + geometry.padding
            _add_products(products, which[m], shift, geometry, new)
            if geometry.pool_size == 1:
                _subtract_activated(new, old, geometry, part)
            else:
                _subtract_pooled(new, old, first - begin, geometry, part)


@compile_kernel
def _add_products(
    products: Floats, which: Indices, shift: int, geometry: Geometry, scores: Floats
) -> None:
    """Add the products of inputs, the first of which is `shift` ones after the first score's.

    One tap of the kernel after the other: then zeros among the inputs change no rounding.
    """
    stride = geometry.stride
    for j in range(products.shape[1]):
        offset = j * geometry.dilation - shift  # input of the first score under this tap
        begin = max(0, -(offset // stride))
        end = min(len(scores), (len(which) - 1 - offset) // stride + 1)
        for t in range(begin, end):
            i = which[t * stride + offset]
            for c in range(scores.shape[1]):
                scores[t, c] += products[i, j, c]


@compile_kernel
def _activate(score: np.float32, geometry: Geometry) -> np.float32:
    if geometry.activation == RELU:
        return max(score, np.float32(0))
    if geometry.activation == EXPONENTIAL:
        return np.float32(np.exp(min(score, np.float32(geometry.ceiling))))
    return score


@compile_kernel
def _subtract_activated(new: Floats, old: Floats, geometry: Geometry, out: Floats) -> None:
    zero = np.float32(0)
    if geometry.activation == RELU:
        for u in range(len(out)):
            for c in range(out.shape[1]):
                out[u, c] = max(new[u, c], zero) - max(old[u, c], zero)
    else:
        for u in range(len(out)):
            for c in range(out.shape[1]):
                out[u, c] = _activate(new[u, c], geometry) - _activate(old[u, c], geometry)


@compile_kernel
def _subtract_pooled(new: Floats, old: Floats, first: int, geometry: Geometry, out: Floats) -> None:
    """Pool both, windows from position `first` on; what is not there counts for nothing."""
    before, after = np.empty((2, 1, out.shape[1]), dtype=np.float32)
    for u in range(len(out)):
        begin = max(first, 0)
        end = min(first + geometry.pool_size, len(new))
        if geometry.pool == MAX:
            # The activations rise: the largest one is that of the largest score.
            _largest(new[begin:end], after[0])
            _largest(old[begin:end], before[0])
            _subtract_activated(after, before, geometry, out[u : u + 1])
        else:
            for c in range(out.shape[1]):
                total = np.float32(0)
                for t in range(begin, end):
                    total += _activate(new[t, c], geometry) - _activate(old[t, c], geometry)
                out[u, c] = total / np.float32(end - begin)
        first += geometry.pool_stride


@compile_kernel
def _largest(scores: Floats, out: Floats) -> None:
    for c in range(len(out)):
        out[c] = scores[0, c]
    for t in range(1, len(scores)):
        for c in range(len(out)):
            out[c] = max(out[c], scores[t, c])


def activate_scores(strip: Strip, row: Tensor, reference: Tensor, *, geometry: Geometry) -> None:
    """Turn scores of mutants into changes of activations, in place, on a CPU.

    Parameters
    ----------
    strip
        Holds scores where changes shall be.
    row
        Of the reference (M,).
    reference
        Scores before the activation (rows, positions, channels).
    geometry
        The step, without pooling.
    """
    _activate_by_loops(
        strip.start.numpy(), row.numpy(), reference.numpy(), strip.delta.numpy(), geometry
    )


@compile_kernel
def _activate_by_loops(
    start: Indices, row: Indices, reference: Floats, scores: Floats, geometry: Geometry
) -> None:
    for m in range(scores.shape[0]):
        old = reference[row[m], start[m] : start[m] + scores.shape[1]]
        _subtract_activated(scores[m], old, geometry, scores[m])


def add_strip(strip: Strip, more: Strip) -> None:
    """Add the changes of one stretch to those of another, in place, where they overlap."""
    if strip.delta.is_cuda:
        _add_by_gathers(strip, more)
        return
    starts = strip.start.numpy(), more.start.numpy()
    _add_by_loops(*starts, strip.delta.numpy(), more.delta.numpy())


def sum_positions(delta: Tensor) -> Tensor:
    """Sum changes (M, w, channels) over the positions, in float64."""
    if delta.is_cuda:
        return delta.sum(dim=1, dtype=torch.float64)
    total = torch.zeros((delta.shape[0], delta.shape[2]), dtype=torch.float64)
    _sum_by_loops(delta.numpy(), total.numpy())
    return total


@compile_kernel
def _sum_by_loops(delta: Floats, total: NDArray[np.float64]) -> None:
    # In the order of the positions: then zeros among them change no rounding.
    for m in range(delta.shape[0]):
        for u in range(delta.shape[1]):
            for c in range(delta.shape[2]):
                total[m, c] += delta[m, u, c]


@compile_kernel
def _add_by_loops(start: Indices, other: Indices, delta: Floats, more: Floats) -> None:
    width, channels = more.shape[1], more.shape[2]
    for m in range(len(delta)):
        offset = other[m] - start[m]
        for u in range(max(0, -offset), min(width, delta.shape[1] - offset)):
            for c in range(channels):
                delta[m, u + offset, c] += more[m, u, c]


def _add_by_gathers(strip: Strip, more: Strip) -> None:
    width = more.delta.shape[1]
    u = torch.arange(strip.delta.shape[1], device=strip.delta.device)
    place = u + (strip.start - more.start)[:, None]  # (M, w)
    inside = (place >= 0) & (place < width)
    mutant = torch.arange(len(place), device=place.device)[:, None]
    strip.delta.add_(more.delta[mutant, place.clamp(0, width - 1)] * inside[..., None])


def _settle_by_gathers(
    products: Tensor,
    which: Tensor,
    places: tuple[Tensor, ...],
    reference: Tensor,
    *,
    geometry: Geometry,
    out: Tensor,
) -> None:
    row, inputs, outputs = places
    device, positions = out.device, reference.shape[1]
    first = (outputs[:, None] + torch.arange(out.shape[1], device=device)) * geometry.pool_stride
    t = (first - geometry.pool_padding)[:, :, None] + torch.arange(
        geometry.pool_size, device=device
    )  # (M, outputs, pool)
    inside = (t >= 0) & (t < positions)
    t = t.clamp(0, positions - 1)
    before = reference[row[:, None, None], t]  # (M, outputs, pool, channels)
    after = before.clone()
    mutant = torch.arange(len(out), device=device)[:, None, None]
    i = t * geometry.stride - geometry.padding - inputs[:, None, None]
    for j in range(products.shape[1]):
        there = (i >= 0) & (i < which.shape[1])
        product = which[mutant, i.clamp(0, which.shape[1] - 1)]
        after += products[product, j] * there[..., None]
        i = i + geometry.dilation
    out.copy_(_pooled(after, inside, geometry) - _pooled(before, inside, geometry))


def _pooled(scores: Tensor, inside: Tensor, geometry: Geometry) -> Tensor:
    """Activate and pool (M, outputs, pool, channels) over the positions inside."""
    if geometry.activation == RELU:
        scores = scores.relu()
    elif geometry.activation == EXPONENTIAL:
        scores = scores.clamp(max=geometry.ceiling).exp()
    if geometry.pool == MEAN:
        return (scores * inside[..., None]).sum(dim=2) / inside.sum(dim=2)[..., None]
    return scores.masked_fill(~inside[..., None], -torch.inf).amax(dim=2)
