"""How a change becomes the change of a layer's output: one step of `seqcnn.engine.strips`.

Of each mutant only a stretch of positions is looked at, the same number for all mutants of a
call. `settle` adds the products of the changed inputs up to what they add to the scores, takes
activation and pooling, and subtracts what the reference has. There is one loop for a CPU and one
chain of gathers for any device; both do the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqcnn.engine.settling_loops import (
    EXPONENTIAL,
    MEAN,
    RELU,
    Geometry,
    Loops,
    add_by_loops,
    pool_references,
    pools,
    settle_by_loops,
    sum_by_loops,
)

__all__ = [
    "Changed",
    "Kept",
    "Strip",
    "add_strip",
    "keep_scores",
    "settle",
    "sum_positions",
]


class Strip(NamedTuple):
    """Changes of M mutants, each in its own stretch of w positions.

    A stretch may reach past the last position; what is there is 0.

    Attributes
    ----------
    start
        First position of the stretch (M,).
    delta
        Mutant minus reference (M, w, channels).
    """

    start: Tensor
    delta: Tensor

    def choose(self, part: slice) -> "Strip":
        """Keep some of the mutants."""
        return Strip(self.start[part], self.delta[part])


class Changed(NamedTuple):
    """What M mutants change before a step.

    Attributes
    ----------
    row
        Reference of each (M,).
    strip
        Changes of the inputs, each mutant's from the start of its stretch.
    stops
        Where they end (M,).
    held
        Changes to be added to those of the outputs, if any.
    """

    row: Tensor
    strip: Strip
    stops: Tensor
    held: Strip | None = None

    def choose(self, part: slice) -> "Changed":
        """Keep some of the mutants."""
        held = self.held and self.held.choose(part)
        return Changed(self.row[part], self.strip.choose(part), self.stops[part], held)

    def lay_out(self, outputs: Tensor, kept: "Kept") -> Loops:
        """Put together what the loops know; `outputs` (M,) are the first ones wanted."""
        nothing = kept.scores.new_empty((len(self.row), 0, kept.scores.shape[2]))
        held = self.held or Strip(outputs, nothing)
        tensors = (self.row, self.strip.start, self.stops, outputs, *kept, *held)
        return Loops(*(tensor.numpy() for tensor in tensors))


class Kept(NamedTuple):
    """What is kept of a step of n references.

    Attributes
    ----------
    scores
        Before the activation (n, positions, channels).
    outputs
        After activation and pooling (n, outputs, channels); the scores themselves where nothing
        is pooled, and on CUDA, where they are not read.
    """

    scores: Tensor
    outputs: Tensor

    @classmethod
    def join(cls, parts: Sequence["Kept"]) -> "Kept":
        """Put references after others."""
        scores = torch.cat([part.scores for part in parts])
        if parts[0].outputs is parts[0].scores:
            return cls(scores, scores)
        return cls(scores, torch.cat([part.outputs for part in parts]))

    def choose(self, count: int) -> "Kept":
        """Keep the first ones."""
        scores = self.scores[:count]
        return Kept(scores, scores if self.outputs is self.scores else self.outputs[:count])


def keep_scores(scores: Tensor, geometry: Geometry) -> Kept:
    """Keep the scores (n, positions, channels) of references, with what comes of them."""
    if scores.is_cuda or not pools(geometry):
        return Kept(scores, scores)
    count = _count_outputs(scores.shape[1], geometry)
    outputs = scores.new_empty((len(scores), count, scores.shape[2]))
    pool_references(scores.numpy(), geometry, outputs.numpy())
    return Kept(scores, outputs)


def _count_outputs(positions: int, geometry: Geometry) -> int:
    free = positions + 2 * geometry.pool_padding - geometry.pool_size
    return free // geometry.pool_stride + 1


def settle(
    products: Tensor,
    which: Tensor | None,
    changed: Changed,
    kept: Kept,
    *,
    geometry: Geometry,
    out: Strip,
) -> None:
    """Compute the change of a step's output.

    Parameters
    ----------
    products
        What an input adds to the scores it touches (kernel, inputs, channels).
    which
        Input of each mutant and changed position (M, w), as a column of `products`; None where
        they are in the mutants' order.
    changed
        The mutants; of the strip, nothing but its start is looked at.
    kept
        Of the references.
    geometry
        The step.
    out
        Changes of the outputs, which are written.
    """
    if out.delta.is_cuda:
        _settle_by_gathers(products, which, changed, kept.scores, geometry=geometry, out=out)
        if changed.held:
            add_strip(out, changed.held)
        return
    kernel, _, channels = products.shape
    mutants = 1 if which is not None else len(out.delta)
    cut = products.view(kernel, mutants, -1, channels).numpy()
    listed = np.empty((0, 0), dtype=np.int64) if which is None else which.numpy()
    settle_by_loops(cut, listed, changed.lay_out(out.start, kept), geometry, out.delta.numpy())


def add_strip(strip: Strip, more: Strip) -> None:
    """Add the changes of one stretch to those of another, in place, where they overlap."""
    if strip.delta.is_cuda:
        _add_by_gathers(strip, more)
        return
    starts = strip.start.numpy(), more.start.numpy()
    add_by_loops(*starts, strip.delta.numpy(), more.delta.numpy())


def sum_positions(delta: Tensor) -> Tensor:
    """Sum changes (M, w, channels) over the positions, in float64."""
    if delta.is_cuda:
        return delta.sum(dim=1, dtype=torch.float64)
    total = torch.zeros((delta.shape[0], delta.shape[2]), dtype=torch.float64)
    sum_by_loops(delta.numpy(), total.numpy())
    return total


def _add_by_gathers(strip: Strip, more: Strip) -> None:
    width = more.delta.shape[1]
    u = torch.arange(strip.delta.shape[1], device=strip.delta.device)
    place = u + (strip.start - more.start)[:, None]  # (M, w)
    inside = (place >= 0) & (place < width)
    mutant = torch.arange(len(place), device=place.device)[:, None]
    strip.delta.add_(more.delta[mutant, place.clamp(0, width - 1)] * inside[..., None])


def _settle_by_gathers(
    products: Tensor,
    which: Tensor | None,
    changed: Changed,
    reference: Tensor,
    *,
    geometry: Geometry,
    out: Strip,
) -> None:
    outputs, wanted = out
    device, positions = wanted.device, reference.shape[1]
    if which is None:
        which = torch.arange(products.shape[1], device=device).view(len(wanted), -1)
    place = outputs[:, None] + torch.arange(wanted.shape[1], device=device)
    there_is = place < _count_outputs(positions, geometry)
    first = place * geometry.pool_stride - geometry.pool_padding
    t = first[..., None] + torch.arange(geometry.pool_size, device=device)  # (M, outputs, pool)
    inside = (t >= 0) & (t < positions)
    t = t.clamp(0, positions - 1)
    before = reference[changed.row[:, None, None], t]  # (M, outputs, pool, channels)
    after = before.clone()
    mutant = torch.arange(len(wanted), device=device)[:, None, None]
    i = t * geometry.stride - geometry.padding - changed.strip.start[:, None, None]
    for j in range(len(products)):
        there = (i >= 0) & (i < which.shape[1])
        product = which[mutant, i.clamp(0, which.shape[1] - 1)]
        after += products[j, product] * there[..., None]
        i = i + geometry.dilation
    changes = _pooled(after, inside, geometry) - _pooled(before, inside, geometry)
    wanted.copy_(torch.where(there_is[..., None], changes, 0))


def _pooled(scores: Tensor, inside: Tensor, geometry: Geometry) -> Tensor:
    """Activate and pool (M, outputs, pool, channels) over the positions inside."""
    if geometry.activation == RELU:
        scores = scores.relu()
    elif geometry.activation == EXPONENTIAL:
        scores = scores.clamp(max=geometry.ceiling).exp()
    if geometry.pool == MEAN:
        return (scores * inside[..., None]).sum(dim=2) / inside.sum(dim=2)[..., None]
    return scores.masked_fill(~inside[..., None], -torch.inf).amax(dim=2)
