"""DeepBind's network: f(s) = net(pool(rect(conv(s))))."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import Dropout, highest_scores, make_linear, stack_dense
from seqcnn.architectures.configs import DeepBindConfig

__all__ = ["DeepBind"]


class DeepBind(SequenceNetwork):
    """DeepBind 2015: padded detectors, threshold, ReLU, global pooling, linear or 32 hidden.

    The sequence is padded by width - 1 unknown bases (0.25 in each row) on both sides. Mean
    pooling divides by the length + width - 1 positions, and stands between the maxima:
    max_0, mean_0, max_1, mean_1, ...

    References
    ----------
    Alipanahi et al. 2015, doi:10.1038/nbt.3300
    """

    def __init__(self, config: DeepBindConfig, tasks: int, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.detector_width = config.width
        self.detector_padding = config.width - 1
        self.per_detector = 2 if config.pooling == "max_mean" else 1
        self.detectors = nn.Parameter(torch.empty(config.detectors, 4, config.width))
        if config.init_sd:
            nn.init.normal_(self.detectors, std=config.init_sd, generator=generator)
        else:
            nn.init.kaiming_normal_(self.detectors, generator=generator)
        self.thresholds = nn.Parameter(torch.zeros(config.detectors))
        features = config.detectors * self.per_detector
        make = partial(self._dense, generator=generator)
        dense = stack_dense(make, features, config.hidden, tasks)
        self.head = nn.Sequential(Dropout(config.dropout), *dense)

    def _dense(self, inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
        layer = make_linear(inputs, outputs, generator)
        if self.config.head_sd:
            nn.init.normal_(layer.weight, std=self.config.head_sd, generator=generator)
            nn.init.zeros_(layer.bias)
        return layer

    def effective_detectors(self, one_hot: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Give detectors and thresholds as they are; the thresholds are added."""
        return self.detectors, self.thresholds

    def activate(self, scores: Tensor) -> Tensor:
        """Rectify."""
        return functional.relu(scores)

    def pool(self, scores: Tensor) -> Tensor:
        """Keep each detector's maximum, and its mean where the config says so."""
        # The largest rectified score is the largest score, rectified.
        highest = self.activate(highest_scores(scores))  # (n, detectors)
        if self.per_detector == 1:
            return highest
        return torch.stack([highest, self.activate(scores).mean(dim=2)], dim=2).flatten(1)

    def join_strands(self, forward: Tensor, reverse: Tensor) -> Tensor:
        """Keep the larger maxima, and the mean of the means beside them."""
        joined = torch.maximum(forward, reverse)
        if self.per_detector == 2:
            joined[:, 1::2] = (forward[:, 1::2] + reverse[:, 1::2]) / 2
        return joined

    def features_of(self, detector: int) -> list[int]:
        """Say which feature columns come from one detector."""
        first = detector * self.per_detector
        return list(range(first, first + self.per_detector))
