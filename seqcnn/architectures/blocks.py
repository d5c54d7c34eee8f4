"""Layers that the network families share."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "Dropout",
    "correlate",
    "fold_batch_norm",
    "highest_scores",
    "make_linear",
    "stack_dense",
]

_MANY_DETECTORS = 64
_ROWS = 64


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own.

    torch's draws from one global state, which networks that train side by side would share.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Set a share of the features to 0 in training and scale up the rest."""
        if not self.training or self.share == 0:
            return features
        kept = torch.empty_like(features).bernoulli_(1 - self.share, generator=self.generator)
        return features * kept / (1 - self.share)


def make_linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Make a linear layer with torch's usual initial weights, drawn from a generator."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


def stack_dense(
    make: Callable[[int, int], nn.Linear], features: int, hidden: int, tasks: int
) -> list[nn.Module]:
    """Make the dense layers of a head: a hidden one with ReLU, unless it has 0 units, and the last.

    `make` makes a layer of so many inputs and outputs.
    """
    if not hidden:
        return [make(features, tasks)]
    return [make(features, hidden), nn.ReLU(), make(hidden, tasks)]


def correlate(one_hot: Tensor, detectors: Tensor, offsets: Tensor) -> Tensor:
    """Slide detectors (k, 4, width) along (n, 4, length) and add their offsets (k,).

    Returns
    -------
    Tensor
        Scores (n, k, length - width + 1).
    """
    number, _, width = detectors.shape
    if number < _MANY_DETECTORS and not one_hot.is_cuda:
        return functional.conv1d(one_hot, detectors, offsets)
    # Many detectors on four rows: a matrix product of all windows takes half of conv1d's time
    # in training. On a GPU, conv1d would round to 10 bits (TF32).
    scores = torch.addmm(offsets[:, None], detectors.flatten(1), _windows(one_hot, width))
    return scores.view(number, len(one_hot), -1).transpose(0, 1)


def _windows(one_hot: Tensor, width: int) -> Tensor:
    """Lay every window of (n, 4, length) out as a column: (4 width, n windows)."""
    return one_hot.unfold(2, width, 1).permute(1, 3, 0, 2).reshape(4 * width, -1)


def highest_scores(scores: Tensor) -> Tensor:
    """Find each detector's largest score: (n, k, positions) to (n, k)."""
    # amax is twice as fast, but would share the gradient out among equal scores, slowly.
    return scores.max(dim=2).values if scores.requires_grad else scores.amax(dim=2)


def fold_batch_norm(
    detectors: Tensor, norm: nn.BatchNorm1d, one_hot: Tensor
) -> tuple[Tensor, Tensor]:
    """Fold the batch norm of detector scores into the detectors.

    In training, mean and variance of the scores follow from those of the windows, w'm and w'Cw,
    so that the scores themselves, a hundred times larger, are neither read nor differentiated
    for it. As with torch's layer, the running mean and variance are noted.

    Parameters
    ----------
    detectors
        Weights (k, 4, width).
    norm
        Scale, shift and running statistics of k scores.
    one_hot
        The batch (n, 4, length).

    Returns
    -------
    tuple
        Weights (k, 4, width) and offsets (k,).
    """
    weights = detectors.flatten(1)  # (k, 4 width)
    if norm.training:
        centre, covariance, count = _window_moments(one_hot, detectors.shape[2])
        mean = weights @ centre
        variance = ((weights @ covariance) * weights).sum(dim=1)
        _note_moments(norm, mean.detach(), variance.detach() * count / max(count - 1, 1))
    else:
        mean, variance = _running_moments(norm)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return detectors * scale[:, None, None], norm.bias - scale * mean


@torch.no_grad()
def _window_moments(one_hot: Tensor, width: int) -> tuple[Tensor, Tensor, int]:
    """Measure mean (4 width,) and covariance (4 width, 4 width) of the windows, and count them."""
    size = 4 * width
    total = torch.zeros(size, dtype=torch.float64, device=one_hot.device)
    products = torch.zeros(size, size, dtype=torch.float64, device=one_hot.device)
    for start in range(0, len(one_hot), _ROWS):
        windows = _windows(one_hot[start : start + _ROWS], width)
        total += windows.sum(dim=1, dtype=torch.float64)
        products += windows @ windows.T
    count = len(one_hot) * (one_hot.shape[2] - width + 1)
    centre = total / count
    covariance = products / count - torch.outer(centre, centre)
    return centre.to(one_hot.dtype), covariance.to(one_hot.dtype), count


@torch.no_grad()
def _note_moments(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    running_mean, running_variance = _running_moments(norm)
    momentum = 0.1 if norm.momentum is None else norm.momentum
    running_mean.lerp_(mean, momentum)
    running_variance.lerp_(variance, momentum)


def _running_moments(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    if norm.running_mean is None or norm.running_var is None:
        raise TypeError("a batch norm without running statistics")
    return norm.running_mean, norm.running_var
