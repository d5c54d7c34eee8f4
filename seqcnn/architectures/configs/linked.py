"""Networks whose layers see what came before the last one."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import StackedConfig, activation
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import Layer, batch_norm, convolution, dense, residual, unit

__all__ = ["ResNetConfig"]


@dataclass(frozen=True)
class ResNetConfig(StackedConfig):
    """A residual network of dilated convolutions, in the form of BPNet's trunk.

    References
    ----------
    He et al. 2016, doi:10.1109/CVPR.2016.90
    Avsec et al. 2021, doi:10.1038/s41588-021-00782-6 (BPNet)
    """

    summary: ClassVar[str] = "residual blocks of dilated convolutions, global mean (BPNet 2021)"

    channels: int = number(64, "channels of all convolutions", high=10_000)
    width: int = number(21, "bases of a detector", high=200)
    blocks: int = number(9, "residual blocks; the dilation doubles from 2 on", low=0, high=14)
    kernel: int = number(3, "positions that a dilated convolution looks at", high=50)
    first: str = choice("relu", "activation of the detectors", "relu", "exponential")
    ceiling: float = number(5.0, "largest exponent", low=0.1, high=20)
    norm: str = choice("batch", "normalisation after each convolution", "batch", "none")
    dropout: float = number(0.1, "share of pooled features dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List the stem, the residual blocks and the mean over all positions."""
        stem = self._convolution("detectors", 4, self.width, 1)
        layers = [*stem, activation(self.first, self.channels, self.ceiling)]
        for place in range(1, self.blocks + 1):
            name = f"block {place}"
            body = self._convolution(name, self.channels, self.kernel, 2**place)
            layers.append(residual(name, *body, unit("ReLU", self.channels)))
        return (*layers, unit("global mean", self.channels))

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List dropout and output."""
        return unit("dropout", features, amount=self.dropout), dense("output", features, tasks)

    def _convolution(self, name: str, inputs: int, kernel: int, dilation: int) -> list[Layer]:
        """List a convolution and its batch norm, if any."""
        normed = self.norm == "batch"
        padding = "half" if inputs == 4 else "same"
        made = convolution(
            name,
            (inputs, self.channels),
            kernel,
            dilation=dilation,
            padding=padding,
            bias=not normed,
        )
        return [made, batch_norm(self.channels)] if normed else [made]
