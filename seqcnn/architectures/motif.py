"""The default network: many short detectors, exponential activation, global pooling."""

import torch
from torch import Tensor, nn

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import Dropout, correlate
from seqcnn.architectures.configs import MotifConfig

__all__ = ["MotifNet"]


class MotifNet(SequenceNetwork):
    """Detectors without padding, batch norm, exp, global max and mean, linear.

    The exponential makes a detector all but blind below its best matches, which raises
    accuracy and gives detectors that look like motifs.

    References
    ----------
    Koo & Ploenzke 2021, doi:10.1038/s42256-020-00291-x
    """

    def __init__(self, config: MotifConfig, tasks: int) -> None:
        super().__init__()
        self.config = config
        self.detector_width = config.width
        self.detector_padding = 0
        self.detectors = nn.Parameter(torch.empty(config.detectors, 4, config.width))
        nn.init.normal_(self.detectors, std=config.init_sd)
        self.norm = nn.BatchNorm1d(config.detectors)
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * config.detectors),
            Dropout(config.dropout),
            nn.Linear(2 * config.detectors, tasks),
        )

    def detect(self, one_hot: Tensor) -> Tensor:
        """Score and normalise (n, 4, length): (n, detectors, length - width + 1)."""
        scores: Tensor = self.norm(correlate(one_hot, self.detectors))
        return scores

    def activate(self, scores: Tensor) -> Tensor:
        """Raise e to the score, no higher than the ceiling."""
        return scores.clamp(max=self.config.ceiling).exp()

    def pool(self, scores: Tensor) -> Tensor:
        """Keep each detector's maximum, then each detector's mean: (n, 2 detectors)."""
        activations = self.activate(scores)
        return torch.cat([activations.amax(dim=2), activations.mean(dim=2)], dim=1)

    def features_of(self, detector: int) -> list[int]:
        """Say which feature columns come from one detector."""
        return [detector, detector + self.config.detectors]
