"""What every network is to the rest of seqcnn."""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.auxiliary import AuxiliaryHead
from seqcnn.architectures.blocks import correlate

__all__ = ["SequenceNetwork"]

# Detector scores held at a time: what a core's cache holds, or what keeps a GPU busy. With 256
# detectors on one core, parts of 2 MB go through three times as fast as parts of 64 MB.
_CELLS_CPU = 2**19
_CELLS_CUDA = 2**27


class SequenceNetwork(nn.Module, ABC):
    """A network for one strand: one-hot DNA to logits, by way of motif detectors.

    The steps are named, so that the engine can stop between them: `detect` scores every
    position with every detector, `pool` sums a sequence up in features, `head` weighs them.
    """

    unknown: float = 0.25
    """What an unknown base has in each of the four one-hot rows: N, and padding."""

    head: nn.Module
    detectors: nn.Parameter
    detector_width: int
    detector_padding: int
    """Unknown bases put on each side before detecting: position p of `detect` begins at base
    p - padding."""

    @abstractmethod
    def effective_detectors(self, one_hot: Tensor) -> tuple[Tensor, Tensor]:
        """Give the detectors as they are slid along a batch (n, 4, length).

        Returns
        -------
        tuple
            Weights (detectors, 4, width), and what is added to each one's scores (detectors,).
        """

    @abstractmethod
    def activate(self, scores: Tensor) -> Tensor:
        """Apply the activation to detector scores of any shape."""

    @abstractmethod
    def pool(self, scores: Tensor) -> Tensor:
        """Sum detector scores (n, detectors, positions) up in features (n, features)."""

    def attach_auxiliary(self, generator: torch.Generator) -> AuxiliaryHead | None:  # noqa: ARG002
        """Add the second output that the config asks for in training: here none."""
        return None

    def features_of(self, detector: int) -> list[int]:  # noqa: ARG002
        """Say which columns of the features come from one detector alone: here none."""
        return []

    def join_strands(self, forward: Tensor, reverse: Tensor) -> Tensor:
        """Join the features of a sequence and of its reverse complement to those of both.

        Which of them is called forward makes no difference, so that the logits are the same for
        a sequence and its reverse complement: the two strands share all weights.

        References
        ----------
        Shrikumar, Greenside & Kundaje 2017, doi:10.1101/103663
        """
        return torch.maximum(forward, reverse)

    @property
    def shortest(self) -> int:
        """Bases that a sequence must have at least."""
        return max(1, self.detector_width - 2 * self.detector_padding)

    def rows_at_once(self, length: int, device: torch.device) -> int:
        """Choose how many sequences of a length go through the detectors together."""
        number = self.detectors.shape[0]
        positions = length + 2 * self.detector_padding - self.detector_width + 1
        if device.type == "cuda":
            return max(2, _CELLS_CUDA // (positions * max(number, 4 * self.detector_width)))
        # Two at least: torch scores a single sequence in another way, with other rounding.
        return max(2, _CELLS_CPU // (positions * max(number, 8)))

    def detect(self, one_hot: Tensor) -> Tensor:
        """Score (n, 4, length) with each detector, before the activation.

        Returns
        -------
        Tensor
            (n, detectors, positions).
        """
        return self._slide(one_hot, *self.effective_detectors(one_hot))

    def features(self, one_hot: Tensor) -> Tensor:
        """Detect and pool (n, 4, length), a part of the rows at a time: (n, features)."""
        detectors, offsets = self.effective_detectors(one_hot)
        rows = self.rows_at_once(one_hot.shape[2], one_hot.device)
        parts = [one_hot[start : start + rows] for start in range(0, len(one_hot), rows)]
        return torch.cat([self.pool(self._slide(part, detectors, offsets)) for part in parts])

    def forward(self, one_hot: Tensor) -> Tensor:
        """Map (n, 4, length) to logits (n, tasks)."""
        return cast("Tensor", self.head(self.features(one_hot)))

    def _slide(self, one_hot: Tensor, detectors: Tensor, offsets: Tensor) -> Tensor:
        if self.detector_padding:
            padding = (self.detector_padding, self.detector_padding)
            one_hot = functional.pad(one_hot, padding, value=self.unknown)
        return correlate(one_hot, detectors, offsets)
