"""What every network is to the rest of seqcnn."""

from abc import ABC, abstractmethod
from typing import cast

from torch import Tensor, nn

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module, ABC):
    """A network for one strand: one-hot DNA to logits, by way of motif detectors.

    The steps are named, so that the engine can stop between them: `detect` scores every
    position with every detector, `pool` sums a sequence up in features, `head` weighs them.
    """

    head: nn.Module
    detectors: nn.Parameter
    detector_width: int
    detector_padding: int
    """Unknown bases put on each side before detecting: position p of `detect` begins at base
    p - padding."""

    @abstractmethod
    def detect(self, one_hot: Tensor) -> Tensor:
        """Score (n, 4, length) with each detector, before the activation.

        Returns
        -------
        Tensor
            (n, detectors, positions).
        """

    @abstractmethod
    def activate(self, scores: Tensor) -> Tensor:
        """Apply the activation to detector scores of any shape."""

    @abstractmethod
    def pool(self, scores: Tensor) -> Tensor:
        """Sum detector scores (n, detectors, positions) up in features (n, features)."""

    @abstractmethod
    def features_of(self, detector: int) -> list[int]:
        """Say which columns of the features come from one detector."""

    def forward(self, one_hot: Tensor) -> Tensor:
        """Map (n, 4, length) to logits (n, tasks)."""
        return cast("Tensor", self.head(self.pool(self.detect(one_hot))))
