"""Many networks with global pooling as one: stacked parameters, batched products.

The parameters of K networks of one shape lie in one buffer (K, parameters), a row each, in the
order of `BankShape.sections`; the same rows serve the compiled loops of a CPU and, as here,
batched products on any device, whose number does not grow with K. Detectors lie as (width, 4,
number), and the features of a sequence are all maxima and then all means, whatever the order in
the network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seqcnn.architectures.configs import DeepBindConfig, MotifConfig, NetworkConfig
from seqcnn.architectures.pooled import dense_names

__all__ = ["BankShape", "bank_logits", "bank_shape", "keep_features", "read_row", "write_row"]

Floats = NDArray[np.float32]
Sections = dict[str, tuple[int, ...]]

EPSILON = 1e-5
"""What batch norms add to a variance."""

MOMENTUM = 0.1
"""Share of a batch in the running statistics of a batch norm."""


@dataclass(frozen=True)
class BankShape:
    """What networks have in common that can be trained as one.

    Attributes
    ----------
    width, number, padding
        Of the detectors.
    ceiling
        Largest exponent of the exponential activation; 0 for ReLU.
    has_mean
        Whether the means follow the maxima.
    normalised
        Whether batch norms stand after the detectors and before the head.
    hidden
        Units of the hidden layer, or 0.
    tasks
        Outputs.
    unknown
        What N and padding have in each of the four one-hot rows.
    """

    width: int
    number: int
    padding: int
    ceiling: float
    has_mean: bool
    normalised: bool
    hidden: int
    tasks: int
    unknown: float

    @property
    def features(self) -> int:
        """Columns that the head weighs."""
        return self.number * (2 if self.has_mean else 1)

    @cached_property
    def sections(self) -> Sections:
        """Shapes of a row's sections, in order; what a network has not is empty."""
        scores = self.number if self.normalised else 0
        features = self.features if self.normalised else 0
        return {
            "detectors": (self.width, 4, self.number),
            "gain": (scores,),
            "shift": (self.number,),
            "head_gain": (features,),
            "head_shift": (features,),
            "hidden": (self.hidden, self.features),
            "hidden_bias": (self.hidden,),
            "output": (self.tasks, self.hidden or self.features),
            "output_bias": (self.tasks,),
        }

    @cached_property
    def running(self) -> Sections:
        """Shapes of the running statistics."""
        scores = self.number if self.normalised else 0
        features = self.features if self.normalised else 0
        return {
            "mean": (scores,),
            "variance": (scores,),
            "head_mean": (features,),
            "head_variance": (features,),
        }

    def decays(self) -> Floats:
        """Mark with 1 the parameters that decay, those of matrices."""
        return np.concatenate(
            [
                np.full(math.prod(shape), float(len(shape) > 1), dtype=np.float32)
                for shape in self.sections.values()
            ]
        )


def bank_shape(config: NetworkConfig, *, tasks: int, unknown: float = 0.25) -> BankShape | None:
    """Describe a network, or give None if its pooling is not global."""
    if isinstance(config, DeepBindConfig):
        has_mean, padding = config.pooling == "max_mean", config.width - 1
        ceiling, hidden, normalised = 0.0, config.hidden, False
    elif isinstance(config, MotifConfig):
        has_mean, padding = True, 0
        ceiling, hidden, normalised = config.ceiling, config.hidden, True
    else:
        return None
    return BankShape(
        width=config.width,
        number=config.detectors,
        padding=padding,
        ceiling=ceiling,
        has_mean=has_mean,
        normalised=normalised,
        hidden=hidden,
        tasks=tasks,
        unknown=unknown,
    )


# --- rows and the networks' own names ------------------------------------------------------------


def _names(shape: BankShape) -> dict[str, str]:
    """Name each section as the network does."""
    names = {"detectors": "detectors"}
    if shape.normalised:
        names |= {
            "gain": "norm.weight",
            "shift": "norm.bias",
            "mean": "norm.running_mean",
            "variance": "norm.running_var",
            "head_gain": "head.0.weight",
            "head_shift": "head.0.bias",
            "head_mean": "head.0.running_mean",
            "head_variance": "head.0.running_var",
        }
    else:
        names["shift"] = "thresholds"
    sections = ["hidden", "output"] if shape.hidden else ["output"]
    places = dense_names(shape.hidden, normalised=shape.normalised)
    for section, place in zip(sections, places, strict=True):
        names |= {section: f"{place}.weight", f"{section}_bias": f"{place}.bias"}
    return names


def _columns(shape: BankShape) -> NDArray[np.intp]:
    """Say where each feature stands in the network; deepbind's are max_0, mean_0, max_1, ..."""
    order = np.arange(shape.features)
    if shape.has_mean and not shape.normalised:
        order = np.concatenate([order[0::2], order[1::2]])
    return order


def read_row(shape: BankShape, weights: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Lay a network's weights out as a row of parameters and one of running statistics."""
    names, columns = _names(shape), _columns(shape)
    rows: list[Floats] = []
    for sections in (shape.sections, shape.running):
        parts = [np.empty(0, dtype=np.float32)]
        for section in sections:
            if section in names:
                values = weights[names[section]]
                if section == "detectors":
                    values = values.transpose(2, 1, 0)
                elif _weighs_features(shape, section):
                    values = values[:, columns]
                parts.append(values.ravel())
        rows.append(np.concatenate(parts).astype(np.float32))
    return rows[0], rows[1]


def write_row(shape: BankShape, parameters: Floats, running: Floats) -> dict[str, Floats]:
    """Turn rows back into a network's weights by name."""
    columns = np.argsort(_columns(shape))
    parts = _split(parameters, shape.sections) | _split(running, shape.running)
    weights = {}
    for section, name in _names(shape).items():
        values = parts[section]
        if section == "detectors":
            values = values.transpose(2, 1, 0)
        elif _weighs_features(shape, section):
            values = values[:, columns]
        weights[name] = np.array(values, order="C")
    return weights


def _weighs_features(shape: BankShape, section: str) -> bool:
    return section == ("hidden" if shape.hidden else "output")


def _split(row: Floats, sections: Sections) -> dict[str, Floats]:
    parts, start = {}, 0
    for name, shape in sections.items():
        stop = start + math.prod(shape)
        parts[name] = row[start:stop].reshape(shape)
        start = stop
    return parts


def _split_rows(rows: Tensor, sections: Sections) -> dict[str, Tensor]:
    sizes = [math.prod(shape) for shape in sections.values()]
    parts = torch.split(rows, sizes, dim=1)
    return {
        name: part.reshape(len(rows), *shape)
        for (name, shape), part in zip(sections.items(), parts, strict=True)
    }


# --- dropout -------------------------------------------------------------------------------------

_WORD = 0xFFFFFFFF


def keep_features(keys: Tensor, shares: Tensor, rows: int, features: int) -> Tensor:
    """Draw dropout masks by hashing, the same on every device.

    Parameters
    ----------
    keys
        A 32-bit number (K,) for each network and step.
    shares
        Share of the features that each network drops (K,).

    Returns
    -------
    Tensor
        (K, rows, features): 0 or ``1 / (1 - share)``.
    """
    cells = torch.arange(rows * features, device=keys.device).view(1, rows, features)
    mixed = (cells * 0x9E3779B1 + keys.view(-1, 1, 1)) & _WORD
    mixed = ((mixed ^ (mixed >> 16)) * 0x7FEB352D) & _WORD
    mixed = ((mixed ^ (mixed >> 15)) * 0x846CA68B) & _WORD
    mixed = mixed ^ (mixed >> 16)
    share = shares.double().view(-1, 1, 1)
    kept = mixed >= (share * 2.0**32).floor()
    return kept * (1 / (1 - share))


# --- the networks --------------------------------------------------------------------------------


def bank_logits(
    shape: BankShape,
    rows: Tensor,
    running: Tensor,
    one_hot: Tensor,
    *,
    kept: Tensor | None = None,
    training: bool = False,
) -> Tensor:
    """Map sequences to the logits of K networks.

    Parameters
    ----------
    shape
        Of the networks.
    rows
        Parameters (K, parameters).
    running
        Running statistics (K, ...), which training updates.
    one_hot
        Sequences (K, n, length, 4), or (1, n, length, 4) for all networks.
    kept
        What features are multiplied with (K, n, features): dropout.
    training
        Whether batch norms measure the batch.

    Returns
    -------
    Tensor
        (K, n, tasks).
    """
    parts = _split_rows(rows, shape.sections)
    noted = _split_rows(running, shape.running)
    if shape.padding:
        sides = (0, 0, shape.padding, shape.padding)
        one_hot = functional.pad(one_hot, sides, value=shape.unknown)
    windows = one_hot.unfold(2, shape.width, 1).transpose(3, 4).flatten(3)  # (., n, P, 4 width)
    detectors = parts["detectors"].flatten(1, 2)  # (K, 4 width, number)
    shift = parts["shift"]
    if shape.normalised:
        mean, variance = noted["mean"], noted["variance"]
        if training:
            mean, variance = _moments(windows, detectors, mean, variance)
        scale = parts["gain"] * torch.rsqrt(variance + EPSILON)
        detectors, shift = detectors * scale[:, None], shift - scale * mean
    pool = _pool_all if shape.has_mean else _pool_winners
    features = pool(shape, windows, detectors, shift)  # (K, n, features)
    if shape.normalised:
        features = _normalise(features, parts, noted, training=training)
    if kept is not None:
        features = features * kept
    if shape.hidden:
        features = functional.relu(_weigh(features, parts["hidden"], parts["hidden_bias"]))
    return _weigh(features, parts["output"], parts["output_bias"])


def _weigh(features: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias[:, None], features, weights.transpose(1, 2))


def _score(windows: Tensor, detectors: Tensor, shift: Tensor) -> Tensor:
    """Score all windows: (K, n, places, number)."""
    networks, size, number = detectors.shape
    some, n, places, _ = windows.shape
    if some == networks:
        scores = torch.baddbmm(shift[:, None], windows.reshape(some, n * places, size), detectors)
        return scores.view(networks, n, places, number)
    # One wide product for a batch that all networks share.
    wide = detectors.transpose(0, 1).reshape(size, networks * number)
    scores = torch.addmm(shift.reshape(-1), windows.reshape(n * places, size), wide)
    return scores.view(n, places, networks, number).permute(2, 0, 1, 3)


def _pool_winners(shape: BankShape, windows: Tensor, detectors: Tensor, shift: Tensor) -> Tensor:
    """Find the winning windows without a gradient, and differentiate only there."""
    del shape  # ReLU is the only activation whose maximum stands alone
    with torch.no_grad():
        winners = _score(windows, detectors, shift).argmax(dim=2)  # (K, n, number)
    network = torch.arange(len(winners), device=winners.device) % len(windows)
    row = torch.arange(winners.shape[1], device=winners.device)
    best = windows[network[:, None, None], row[None, :, None], winners]  # (K, n, number, 4 width)
    scores = torch.einsum("knds,ksd->knd", best, detectors) + shift[:, None]
    return functional.relu(scores)


def _pool_all(shape: BankShape, windows: Tensor, detectors: Tensor, shift: Tensor) -> Tensor:
    scores = _score(windows, detectors, shift)
    if shape.ceiling:
        activations = scores.clamp(max=shape.ceiling).exp()
    else:
        activations = functional.relu(scores)
    highest = scores.detach().argmax(dim=2, keepdim=True)
    return torch.cat([activations.gather(2, highest).squeeze(2), activations.mean(dim=2)], dim=2)


def _moments(
    windows: Tensor, detectors: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor]:
    """Measure mean and variance (K, number) of scores by those of the windows, and note them."""
    with torch.no_grad():
        flat = windows.flatten(1, 2)  # (., windows, 4 width)
        count = flat.shape[1]
        centre = flat.mean(dim=1, keepdim=True)
        covariance = flat.transpose(1, 2) @ flat / count - centre.transpose(1, 2) @ centre
    own_mean = (centre @ detectors).squeeze(1)
    own_variance = ((covariance @ detectors) * detectors).sum(dim=1)
    _note(mean, variance, own_mean, own_variance, count)
    return own_mean, own_variance


def _normalise(
    features: Tensor, parts: Mapping[str, Tensor], noted: Mapping[str, Tensor], *, training: bool
) -> Tensor:
    mean, variance = noted["head_mean"], noted["head_variance"]
    if training:
        own_mean, own_variance = features.mean(dim=1), features.var(dim=1, correction=0)
        _note(mean, variance, own_mean, own_variance, features.shape[1])
        mean, variance = own_mean, own_variance
    scale = parts["head_gain"] * torch.rsqrt(variance + EPSILON)
    return (features - mean[:, None]) * scale[:, None] + parts["head_shift"][:, None]


@torch.no_grad()
def _note(mean: Tensor, variance: Tensor, own: Tensor, own_variance: Tensor, count: int) -> None:
    mean.lerp_(own, MOMENTUM)
    variance.lerp_(own_variance * (count / max(count - 1, 1)), MOMENTUM)
