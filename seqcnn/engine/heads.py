"""The dense layers after a trunk, for whole sequences and for changes.

The reference is summed in float64. A change goes through hidden layers in float32, for it is
small beside the reference, and into the logits in float64.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from seqcnn.architectures.layers import Layer
from seqcnn.architectures.stacked import norm_moments
from seqcnn.engine.settling import Strip, sum_positions

__all__ = ["DeltaHead", "pool_changes"]

_FEWEST = 4  # rows of a product: fewer are multiplied in another way, with other rounding


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
        self._weights = [self._lay_out(number) for number in range(len(self.layers))]

    def _lay_out(self, number: int) -> Tensor | None:
        """Give weights (inputs, outputs) or a scale (channels,), or None."""
        layer, module = self.layers[number]
        if layer.kind == "batch norm":
            return norm_moments(module)[0].detach().float()
        if layer.kind != "dense":
            return None
        weights = cast("nn.Linear", module).weight.detach().T
        is_last = number == len(self.layers) - 1
        return (weights if is_last else weights.float()).contiguous()

    def run_references(self, features: Tensor) -> list[Tensor]:
        """Run (n, features) in float64: what enters each layer, and the logits (n, tasks)."""
        values = [features]
        for _, module in self.layers:
            values.append(module(values[-1]))
        return values

    def follow(self, delta: Tensor | Strip, rows: Tensor, references: Sequence[Tensor]) -> Tensor:
        """Give the logits of M mutants.

        Parameters
        ----------
        delta
            Changes of the features (M, features), or of a stretch of flattened positions.
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
                delta, first = self._enter(delta), 1
            else:
                delta = _spread(delta, references[0].shape[1])
        for number in range(first, len(self.layers)):
            delta = self._pass(number, delta, rows, references)
        return references[-1][rows] + delta

    def _pass(
        self, number: int, delta: Tensor, rows: Tensor, references: Sequence[Tensor]
    ) -> Tensor:
        weights = self._weights[number]
        if weights is None:
            module = self.layers[number][1]
            before = references[number].float()[rows]
            return cast("Tensor", module(before + delta) - module(before))
        if weights.ndim == 1:
            return delta * weights
        return _multiply(delta.to(weights.dtype), weights)

    def _enter(self, strip: Strip) -> Tensor:
        """Take the first product of only those columns that are touched."""
        weights = cast("Tensor", self._weights[0])
        count, width, channels = strip.delta.shape
        out = weights.new_empty((count, weights.shape[1]))
        for start in np.unique(strip.start.cpu().numpy()).tolist():
            mutants = (strip.start == start).nonzero()[:, 0]
            columns = weights[start * channels : (start + width) * channels]
            part = strip.delta[mutants].flatten(1).to(weights.dtype)
            out[mutants] = _multiply(part, columns)
        return out


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


def _multiply(rows: Tensor, weights: Tensor) -> Tensor:
    """Multiply matrices; a row's product does not depend on the number of rows."""
    if len(rows) >= _FEWEST:
        return rows @ weights
    filled = rows.new_zeros((_FEWEST, rows.shape[1]))
    filled[: len(rows)] = rows
    return (filled @ weights)[: len(rows)]


def _spread(strip: Strip, features: int) -> Tensor:
    """Lay changes of a stretch of positions out as changes of all features (M, features)."""
    count, width, channels = strip.delta.shape
    full = strip.delta.new_zeros((count, features // channels, channels))
    mutant = torch.arange(count, device=full.device)[:, None]
    place = strip.start[:, None] + torch.arange(width, device=full.device)
    full[mutant, place] = strip.delta
    return full.flatten(1)
