"""Networks with global pooling as plain numbers, readable without torch.

deepbind and motif are one computation with different numbers: detectors slide over the
sequence, an activation, maximum and mean over all positions, one or two dense layers. What
batch normalisation does after training is folded into the layer beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs import DeepBindConfig, MotifConfig, NetworkConfig

__all__ = ["Dense", "PooledForm", "dense_names", "pooled_form", "weight_shapes"]

Numbers = NDArray[np.float64]
Weights = Mapping[str, NDArray[np.float32]]
Shapes = dict[str, tuple[int, ...]]
Dense = tuple[Numbers, Numbers]
"""Weights (outputs, inputs) and bias (outputs,)."""

_EPSILON = 1e-5  # what torch's batch norm adds to a variance


@dataclass(frozen=True)
class PooledForm:
    """A network with global pooling, for one strand.

    Attributes
    ----------
    columns
        Detectors (width, 4, number): what a base adds to the score, by position in the detector.
    offsets
        What is added to each detector's score (number,).
    padding
        Unknown bases put on each side of a sequence.
    ceiling
        None for ReLU; for the exponential activation the largest exponent.
    has_mean
        Whether the mean over positions stands beside the maximum.
    head
        Dense layers with ReLU between them. The first takes the maxima of all detectors, then
        the means.
    """

    columns: Numbers
    offsets: Numbers
    padding: int
    ceiling: float | None
    has_mean: bool
    head: tuple[Dense, ...]


def pooled_form(config: NetworkConfig, weights: Weights) -> PooledForm | None:
    """Lay a trained network out as plain numbers, or give None if its pooling is not global.

    Parameters
    ----------
    config
        The numbers of its family.
    weights
        Its weights by name.
    """
    if isinstance(config, DeepBindConfig):
        return _deepbind_form(config, _as_double(weights))
    if isinstance(config, MotifConfig):
        return _motif_form(config, _as_double(weights))
    return None


def weight_shapes(config: NetworkConfig, tasks: int) -> Shapes | None:
    """Give the shape of each of a network's weights, or None if its pooling is not global."""
    if isinstance(config, DeepBindConfig):
        features = config.detectors * (2 if config.pooling == "max_mean" else 1)
        shapes: Shapes = {"thresholds": (config.detectors,)}
        shapes |= {"detectors": (config.detectors, 4, config.width)}
        return shapes | _head_shapes(config, features, tasks)
    if isinstance(config, MotifConfig):
        shapes = {"detectors": (config.detectors, 4, config.width)}
        shapes |= _norm_shapes("norm", config.detectors)
        shapes |= _norm_shapes("head.0", 2 * config.detectors)
        return shapes | _head_shapes(config, 2 * config.detectors, tasks)
    return None


def dense_names(hidden: int, *, normalised: bool) -> list[str]:
    """Name the dense layers of a head.

    Parameters
    ----------
    hidden
        Units of the hidden layer, which a ReLU follows; 0: there is none.
    normalised
        Whether a batch norm comes first; dropout does in any case.
    """
    first = 2 if normalised else 1
    return [f"head.{place}" for place in ((first, first + 2) if hidden else (first,))]


def _names(config: DeepBindConfig | MotifConfig) -> list[str]:
    return dense_names(config.hidden, normalised=isinstance(config, MotifConfig))


def _head_shapes(config: DeepBindConfig | MotifConfig, features: int, tasks: int) -> Shapes:
    sizes = [features, *([config.hidden] if config.hidden else []), tasks]
    shapes: Shapes = {}
    for name, (inputs, outputs) in zip(_names(config), pairwise(sizes), strict=True):
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return shapes


def _dense_layers(config: DeepBindConfig | MotifConfig, weights: dict[str, Numbers]) -> list[Dense]:
    return [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in _names(config)]


def _norm_shapes(name: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts}


def _as_double(weights: Weights) -> dict[str, Numbers]:
    return {name: values.astype(np.float64) for name, values in weights.items()}


def _deepbind_form(config: DeepBindConfig, weights: dict[str, Numbers]) -> PooledForm:
    has_mean = config.pooling == "max_mean"
    head = _dense_layers(config, weights)
    if has_mean:  # the network interleaves them: max_0, mean_0, max_1, ...
        matrix, bias = head[0]
        head[0] = (np.concatenate([matrix[:, 0::2], matrix[:, 1::2]], axis=1), bias)
    return PooledForm(
        columns=weights["detectors"].transpose(2, 1, 0),
        offsets=weights["thresholds"],
        padding=config.width - 1,
        ceiling=None,
        has_mean=has_mean,
        head=tuple(head),
    )


def _motif_form(config: MotifConfig, weights: dict[str, Numbers]) -> PooledForm:
    scale, shift = _affine(weights, "norm")
    of_feature, added = _affine(weights, "head.0")
    (matrix, bias), *others = _dense_layers(config, weights)
    return PooledForm(
        columns=(weights["detectors"] * scale[:, None, None]).transpose(2, 1, 0),
        offsets=shift,
        padding=0,
        ceiling=config.ceiling,
        has_mean=True,
        head=((matrix * of_feature, bias + matrix @ added), *others),
    )


def _affine(weights: dict[str, Numbers], name: str) -> tuple[Numbers, Numbers]:
    """Turn a batch norm's running statistics into a scale and a shift."""
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + _EPSILON)
    return scale, weights[f"{name}.bias"] - scale * weights[f"{name}.running_mean"]
