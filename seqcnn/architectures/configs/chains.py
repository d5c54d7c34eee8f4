"""Chains of convolutions with local pooling, then dense layers: lenet, alexnet, vgg, recurrent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from seqcnn.architectures.configs.base import ACTIVATIONS, EndingConfig, PooledConfig
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import Layer, recurrent, unit

__all__ = ["AlexNetConfig", "ChainConfig", "LeNetConfig", "RecurrentConfig", "VGGConfig"]

_PADDING = (
    "none; as long as the input; the same on both sides; all that touches it",
    *("valid", "same", "half", "full"),
)


@dataclass(frozen=True)
class ChainConfig(PooledConfig, EndingConfig):
    """What chains share: convolution, pooling, and so on; then all positions and dense layers."""

    ending: str = choice(
        *("flatten", "what becomes of all positions: side by side, or pooled"),
        *("flatten", "max", "mean", "max_mean"),
    )
    padding: str = choice("valid", *_PADDING)
    stride: int = number(1, "bases from one position of the detectors to the next", high=100)
    trunk_dropout: float = number(
        0.0, "share of activations dropped after each pooling", low=0, high=0.99
    )

    def chain(self, sizes: Iterable[tuple[int, int, int]], repeats: int = 1) -> list[Layer]:
        """List convolutions and a pooling for each (channels, width, pool).

        Parameters
        ----------
        sizes
            Of the parts of the chain; a pooling of 1 is none.
        repeats
            Convolutions of each part.
        """
        layers: list[Layer] = []
        inputs, place = 4, 0
        for channels, width, pooled in sizes:
            for _ in range(repeats):
                place += 1
                name = f"convolution {place}" if place > 1 else "detectors"
                layers += self.block(name, (inputs, channels), width, padding=self.padding)
                inputs = channels
            layers[0] = replace(layers[0], stride=self.stride)
            layers.append(self.pool(inputs, pooled))
            inputs = layers[-1].channels
            if self.trunk_dropout:
                layers.append(unit("dropout", inputs, amount=self.trunk_dropout))
        return layers


@dataclass(frozen=True)
class LeNetConfig(ChainConfig):
    """LeNet-5's two convolutions with pooling and two hidden layers.

    References
    ----------
    LeCun et al. 1998, doi:10.1109/5.726791
    """

    summary: ClassVar[str] = "two convolutions with pooling, two hidden layers (LeNet-5, 1998)"

    dropout: float = number(0.5, "share of hidden units dropped in training", low=0, high=0.99)
    channels1: int = number(128, "detectors of the first convolution", high=10_000)
    width1: int = number(15, "bases of a detector", high=200)
    pool1: int = number(4, "positions of the first pooling", high=1000)
    channels2: int = number(64, "channels of the second convolution", high=10_000)
    width2: int = number(5, "positions it looks at", high=200)
    pool2: int = number(4, "positions of the second pooling", high=1000)
    hidden1: int = number(120, "units of the first hidden layer; 0: none", low=0, high=100_000)
    hidden2: int = number(84, "units of the second hidden layer; 0: none", low=0, high=100_000)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List two times convolution and pooling; then all positions."""
        sizes = (
            (self.channels1, self.width1, self.pool1),
            (self.channels2, self.width2, self.pool2),
        )
        return self.end(self.chain(sizes), length)

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the two hidden layers and the output."""
        return self.hidden_layers(features, (self.hidden1, self.hidden2), tasks)


@dataclass(frozen=True)
class AlexNetConfig(ChainConfig):
    """AlexNet's three convolutions with local pooling, in the form of Basset or DeepSEA.

    References
    ----------
    Kelley et al. 2016, doi:10.1101/gr.200535.115 (Basset)
    Zhou & Troyanskaya 2015, doi:10.1038/nmeth.3547 (DeepSEA)
    """

    summary: ClassVar[str] = "three convolutions with pooling, two hidden layers (Basset, DeepSEA)"
    presets: ClassVar[dict[str, dict[str, str | float]]] = {
        "basset": {"padding": "valid", "first": "relu"},
        "deepsea": {
            **{"channels1": 320, "width1": 8, "pool1": 4},
            **{"channels2": 480, "width2": 8, "pool2": 4},
            **{"channels3": 960, "width3": 8, "pool3": 1},
            **{"hidden1": 925, "hidden2": 0, "norm": "none", "padding": "valid", "first": "relu"},
            **{"dropout": 0.5, "trunk_dropout": 0.2},
        },
    }

    preset: str = choice("none", "as published; other settings win", "none", "basset", "deepsea")
    padding: str = choice("same", *_PADDING)
    channels1: int = number(300, "detectors of the first convolution", high=10_000)
    width1: int = number(19, "bases of a detector", high=200)
    pool1: int = number(3, "positions of the first pooling", high=1000)
    channels2: int = number(200, "channels of the second convolution", high=10_000)
    width2: int = number(11, "positions it looks at", high=200)
    pool2: int = number(4, "positions of the second pooling", high=1000)
    channels3: int = number(200, "channels of the third convolution", high=10_000)
    width3: int = number(7, "positions it looks at", high=200)
    pool3: int = number(4, "positions of the third pooling", high=1000)
    hidden1: int = number(1000, "units of the first hidden layer; 0: none", low=0, high=100_000)
    hidden2: int = number(1000, "units of the second hidden layer; 0: none", low=0, high=100_000)
    dropout: float = number(0.3, "share of hidden units dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List three times convolution, batch norm, activation, pooling; then all positions."""
        sizes = (
            (self.channels1, self.width1, self.pool1),
            (self.channels2, self.width2, self.pool2),
            (self.channels3, self.width3, self.pool3),
        )
        return self.end(self.chain(sizes), length)

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the two hidden layers and the output."""
        return self.hidden_layers(features, (self.hidden1, self.hidden2), tasks)


@dataclass(frozen=True)
class VGGConfig(ChainConfig):
    """Stacks of small kernels, in the form of DeepSTARR.

    References
    ----------
    Simonyan & Zisserman 2014, arXiv:1409.1556
    de Almeida et al. 2022, doi:10.1038/s41588-022-01048-5 (DeepSTARR)
    """

    summary: ClassVar[str] = "four stacks of small kernels, two hidden layers (VGG, DeepSTARR)"

    channels1: int = number(256, "detectors of the first stack", high=10_000)
    width1: int = number(7, "bases of a detector", high=200)
    channels2: int = number(60, "channels of the second stack", high=10_000)
    width2: int = number(3, "positions that they look at", high=200)
    channels3: int = number(60, "channels of the third stack", high=10_000)
    width3: int = number(5, "positions that they look at", high=200)
    channels4: int = number(120, "channels of the fourth stack", high=10_000)
    width4: int = number(3, "positions that they look at", high=200)
    repeats: int = number(1, "convolutions of a stack", high=20)
    pool_size: int = number(2, "positions of the pooling after each stack", high=1000)
    padding: str = choice("same", *_PADDING)
    hidden1: int = number(256, "units of the first hidden layer; 0: none", low=0, high=100_000)
    hidden2: int = number(256, "units of the second hidden layer; 0: none", low=0, high=100_000)
    dropout: float = number(0.4, "share of hidden units dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List four stacks of convolutions, each with a pooling; then all positions."""
        sizes = (
            (self.channels1, self.width1, self.pool_size),
            (self.channels2, self.width2, self.pool_size),
            (self.channels3, self.width3, self.pool_size),
            (self.channels4, self.width4, self.pool_size),
        )
        return self.end(self.chain(sizes, self.repeats), length)

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the two hidden layers and the output."""
        return self.hidden_layers(features, (self.hidden1, self.hidden2), tasks)


@dataclass(frozen=True)
class RecurrentConfig(ChainConfig):
    """A convolution, and an LSTM in both directions along what it found, as in DanQ.

    References
    ----------
    Quang & Xie 2016, doi:10.1093/nar/gkw226
    """

    summary: ClassVar[str] = "convolution with pooling, LSTM in both directions, dense (DanQ 2016)"

    channels: int = number(320, "motif detectors", high=10_000)
    width: int = number(26, "bases of a detector", high=200)
    pool_size: int = number(13, "positions of the pooling", high=1000)
    units: int = number(320, "units of the LSTM in each direction", high=10_000)
    hidden: int = number(925, "units of the hidden layer; 0: none", low=0, high=100_000)
    norm: str = choice("none", "normalisation after the convolution", "batch", "none")
    trunk_dropout: float = number(
        0.2, "share of activations dropped after the pooling", low=0, high=0.99
    )
    dropout: float = number(0.5, "share dropped after the LSTM", low=0, high=0.99)
    first: str = choice("relu", "activation of the detectors", *ACTIVATIONS)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List convolution, pooling and LSTM; then all positions."""
        layers = self.chain([(self.channels, self.width, self.pool_size)])
        layers.append(recurrent("LSTM", layers[-1].channels, self.units))
        layers.append(unit("dropout", 2 * self.units, amount=self.dropout))
        return self.end(layers, length)

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the hidden layer and the output."""
        hidden = self.hidden_layers(features, (self.hidden,), tasks)
        return tuple(layer for layer in hidden if layer.kind != "dropout")
