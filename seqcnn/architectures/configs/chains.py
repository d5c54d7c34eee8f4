"""Chains of convolutions with local pooling, then dense layers."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import StackedConfig, activation, dense_layers
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import (
    Layer,
    batch_norm,
    convolution,
    flatten,
    pool,
    trace_layers,
)

__all__ = ["AlexNetConfig"]


@dataclass(frozen=True)
class AlexNetConfig(StackedConfig):
    """AlexNet's three convolutions with local pooling, in the form of Basset.

    References
    ----------
    Kelley et al. 2016, doi:10.1101/gr.200535.115
    """

    summary: ClassVar[str] = "three convolutions with max pooling, two hidden layers (Basset 2016)"

    channels1: int = number(300, "detectors of the first convolution", high=10_000)
    width1: int = number(19, "bases of a detector", high=200)
    pool1: int = number(3, "positions of the first max pooling", high=1000)
    channels2: int = number(200, "channels of the second convolution", high=10_000)
    width2: int = number(11, "positions it looks at", high=200)
    pool2: int = number(4, "positions of the second max pooling", high=1000)
    channels3: int = number(200, "channels of the third convolution", high=10_000)
    width3: int = number(7, "positions it looks at", high=200)
    pool3: int = number(4, "positions of the third max pooling", high=1000)
    padding: str = choice("valid", "none, or half a kernel on both sides", "valid", "half")
    first: str = choice("relu", "activation of the detectors", "relu", "exponential")
    ceiling: float = number(5.0, "largest exponent", low=0.1, high=20)
    hidden1: int = number(1000, "units of the first hidden layer", high=100_000)
    hidden2: int = number(1000, "units of the second hidden layer", high=100_000)
    dropout: float = number(0.3, "share of hidden units dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List three times convolution, batch norm, activation, pooling; then all positions."""
        sizes = (
            (self.channels1, self.width1, self.pool1),
            (self.channels2, self.width2, self.pool2),
            (self.channels3, self.width3, self.pool3),
        )
        layers: list[Layer] = []
        inputs = 4
        for place, (channels, width, pooled) in enumerate(sizes, start=1):
            name = "detectors" if place == 1 else f"convolution {place}"
            padding = self.padding
            layers += [
                convolution(name, (inputs, channels), width, padding=padding, bias=False),
                batch_norm(channels),
                activation(self.first if place == 1 else "relu", channels, self.ceiling),
                pool("max pool", channels, pooled),
            ]
            inputs = channels
        return (*layers, flatten(inputs, trace_layers(layers, length)[-1].positions))

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the two hidden layers and the output."""
        return dense_layers(features, (self.hidden1, self.hidden2), tasks, dropout=self.dropout)
