"""Layers that the network families share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Dropout", "correlate"]


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


def correlate(one_hot: Tensor, detectors: Tensor, bias: Tensor | None = None) -> Tensor:
    """Slide detectors (k, 4, width) along (n, 4, length): scores (n, k, length - width + 1)."""
    return functional.conv1d(one_hot, detectors, bias)
