"""The dense layers after a trunk, for whole sequences and for changes.

The reference is summed in float64. A change goes through hidden layers in float32, for it is
small beside the reference, and into the logits in float64.
"""

import itertools
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from seqcnn.architectures.layers import Layer
from seqcnn.architectures.modules import norm_moments
from seqcnn.engine.parts import FEWEST_COLUMNS, FEWEST_ROWS, fill_up
from seqcnn.engine.settling import Strip, sum_positions
from seqcnn.engine.settling_loops import Indices, rectify_by_loops

__all__ = ["DeltaHead", "pool_changes"]


class DeltaHead:
    """Dense layers through which changes of the features can be followed.

    Parameters
    ----------
    layers
        What the modules are.
    head
        The modules, in float64.
    """

    def __init__(self, layers: Sequence[Layer], head: nn.Module) -> None:
        modules = list(cast("nn.Sequential", head))
        self.layers = [
            (layer, module)
            for layer, module in zip(layers, modules, strict=True)
            if layer.kind != "dropout"
        ]
        kinds = [layer.kind for layer, _ in self.layers]
        self._folded = [
            pair == ("dense", "batch norm") for pair in itertools.pairwise(["", *kinds])
        ]
        self._weights = [self._lay_out(number) for number in range(len(self.layers))]

    def _lay_out(self, number: int) -> Tensor | None:
        """Give weights (inputs, outputs), filled up with zeros, or a scale (channels,), or None."""
        layer, module = self.layers[number]
        if layer.kind == "batch norm":
            return norm_moments(module)[0].detach().float()
        if layer.kind != "dense":
            return None
        weights = cast("nn.Linear", module).weight.detach().T
        is_last = number == len(self.layers) - 1
        if not is_last and self._folded[number + 1]:
            weights = weights * norm_moments(self.layers[number + 1][1])[0]
        missing = max(0, FEWEST_COLUMNS - weights.shape[1])
        weights = nn.functional.pad(weights, (0, missing))
        return (weights if is_last else weights.float()).contiguous()

    def run_references(self, features: Tensor) -> list[Tensor]:
        """Run (n, features) in float64: what enters each layer, and the logits (n, tasks)."""
        values = [features]
        for _, module in self.layers:
            values.append(module(values[-1]))
        return values

    def follow(
        self,
        delta: Tensor | Strip,
        own: tuple[Indices, Indices],
        rows: Tensor,
        references: Sequence[Tensor],
    ) -> Tensor:
        """Give the logits of M mutants.

        Parameters
        ----------
        delta
            Changes of the features (M, features), or of a stretch of flattened positions.
        own
            First position that each mutant changes, and the one after the last (M,); looked at
            where positions are flattened.
        rows
            Reference of each (M,).
        references
            Of `run_references`.

        Returns
        -------
        Tensor
            (M, tasks) in float64.
        """
        first = 0
        if isinstance(delta, Strip):
            if self.layers[0][0].kind == "dense":
                delta, first = self._enter(delta, own), 1
            else:
                delta = _spread(delta, references[0].shape[1])
        for number in range(first, len(self.layers)):
            delta = self._pass(number, delta, rows, references)
        return references[-1][rows] + delta

    def _pass(
        self, number: int, delta: Tensor, rows: Tensor, references: Sequence[Tensor]
    ) -> Tensor:
        (layer, module), weights = self.layers[number], self._weights[number]
        if self._folded[number]:
            return delta
        if weights is None:
            return _change_of(module, references[number].float(), rows, delta)
        if weights.ndim == 1:
            return delta * weights
        return _multiply(delta.to(weights.dtype), weights)[:, : layer.channels]

    def _enter(self, strip: Strip, own: tuple[Indices, Indices]) -> Tensor:
        """Take the first product of only those columns that a mutant touches.

        The rest of its stretch is zeros, but with these a product may be rounded in another way.
        """
        weights = cast("Tensor", self._weights[0])
        count, _, channels = strip.delta.shape
        out = weights.new_empty((count, weights.shape[1]))
        spans, member = np.unique(np.stack(own, axis=1), axis=0, return_inverse=True)
        for number, (start, stop) in enumerate(spans.tolist()):
            mutants = torch.from_numpy(np.flatnonzero(member == number)).to(out.device)
            first = start - int(strip.start[mutants[0]])
            part = strip.delta[mutants, first : first + stop - start]
            columns = weights[start * channels : stop * channels]
            out[mutants] = _multiply(part.flatten(1).to(weights.dtype), columns)
        return out[:, : self.layers[0][0].channels]


def pool_changes(kind: str, strip: Strip, rows: Tensor, trunk: Tensor) -> Strip | Tensor:
    """Take changes through the last layer of a trunk.

    Parameters
    ----------
    kind
        ``flatten`` or a global pooling.
    strip
        Changes of M mutants.
    rows
        Reference of each (M,).
    trunk
        Of the references, what the layer pools (n, positions, channels).

    Returns
    -------
    Strip | Tensor
        Changes of the features: of all (M, features), or for ``flatten`` the strip itself.
    """
    if kind == "flatten":
        return strip
    parts = []
    if "max" in kind:
        parts.append(_change_of_max(strip, rows, trunk))
    if "mean" in kind:
        parts.append((sum_positions(strip.delta) / trunk.shape[1]).float())
    return torch.cat(parts, dim=1)


def _change_of_max(strip: Strip, rows: Tensor, trunk: Tensor) -> Tensor:
    """Compare the maxima before, in and after the stretch (M, channels)."""
    positions, width = trunk.shape[1], strip.delta.shape[1]
    lowest = trunk.new_full((len(trunk), 1, trunk.shape[2]), -torch.inf)
    left = torch.cat([lowest, trunk.cummax(dim=1).values], dim=1)  # of the positions before
    right = torch.cat([lowest, trunk.flip(1).cummax(dim=1).values], dim=1)  # of the last ones
    place = strip.start[:, None] + torch.arange(width, device=trunk.device)
    within = (trunk[rows[:, None], place] + strip.delta).amax(dim=1)
    beside = torch.maximum(left[rows, strip.start], right[rows, positions - strip.start - width])
    return torch.maximum(within, beside) - left[rows, positions]


def _change_of(module: nn.Module, before: Tensor, rows: Tensor, delta: Tensor) -> Tensor:
    """Take changes (M, units) through an activation, maybe in place."""
    if isinstance(module, nn.ReLU) and not delta.is_cuda and delta.is_contiguous():
        rectify_by_loops(before.numpy(), rows.numpy(), delta.numpy())
        return delta
    before = before[rows]
    return cast("Tensor", module(before + delta) - module(before))


def _multiply(rows: Tensor, weights: Tensor) -> Tensor:
    """Multiply matrices; a row's product does not depend on the number of rows."""
    enough = rows if len(rows) >= FEWEST_ROWS else fill_up(rows)
    return (enough @ weights)[: len(rows)]


def _spread(strip: Strip, features: int) -> Tensor:
    """Lay changes of a stretch of positions out as changes of all features (M, features)."""
    count, width, channels = strip.delta.shape
    full = strip.delta.new_zeros((count, features // channels, channels))
    mutant = torch.arange(count, device=full.device)[:, None]
    place = strip.start[:, None] + torch.arange(width, device=full.device)
    full[mutant, place] = strip.delta
    return full.flatten(1)
