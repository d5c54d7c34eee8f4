"""The default network: many short detectors, exponential activation, global pooling."""

from functools import partial

import torch
from torch import Tensor, nn

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import (
    Dropout,
    fold_batch_norm,
    highest_scores,
    make_linear,
    stack_dense,
)
from seqcnn.architectures.configs import MotifConfig

__all__ = ["MotifNet"]


class MotifNet(SequenceNetwork):
    """Detectors without padding, batch norm, exp, global max and mean, one or two dense layers.

    The exponential makes a detector all but blind below its best matches, which raises
    accuracy and gives detectors that look like motifs.

    References
    ----------
    Koo & Ploenzke 2021, doi:10.1038/s42256-020-00291-x
    """

    def __init__(self, config: MotifConfig, tasks: int, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.detector_width = config.width
        self.detector_padding = 0
        self.detectors = nn.Parameter(torch.empty(config.detectors, 4, config.width))
        nn.init.normal_(self.detectors, std=config.init_sd, generator=generator)
        self.norm = nn.BatchNorm1d(config.detectors)
        features = 2 * config.detectors
        make = partial(make_linear, generator=generator)
        dense = stack_dense(make, features, config.hidden, tasks)
        self.head = nn.Sequential(nn.BatchNorm1d(features), Dropout(config.dropout), *dense)

    def effective_detectors(self, one_hot: Tensor) -> tuple[Tensor, Tensor]:
        """Give the detectors with the batch norm folded into them."""
        return fold_batch_norm(self.detectors, self.norm, one_hot)

    def activate(self, scores: Tensor) -> Tensor:
        """Raise e to the score, no higher than the ceiling."""
        return scores.clamp(max=self.config.ceiling).exp()

    def pool(self, scores: Tensor) -> Tensor:
        """Keep each detector's maximum, then each detector's mean: (n, 2 detectors)."""
        # The largest exponential is the exponential of the largest score.
        highest, mean = self.activate(highest_scores(scores)), self.activate(scores).mean(dim=2)
        return torch.cat([highest, mean], dim=1)

    def join_strands(self, forward: Tensor, reverse: Tensor) -> Tensor:
        """Keep the larger maxima, and the mean of the means."""
        highest, mean = zip(*(side.chunk(2, dim=1) for side in (forward, reverse)), strict=True)
        return torch.cat([torch.maximum(*highest), (mean[0] + mean[1]) / 2], dim=1)

    def features_of(self, detector: int) -> list[int]:
        """Say which feature columns come from one detector."""
        return [detector, detector + self.config.detectors]
