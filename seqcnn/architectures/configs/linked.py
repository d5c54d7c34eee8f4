"""Networks whose layers see more than the last one: resnet, densenet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import EndingConfig, PooledConfig
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import Layer, branches, crop, residual, seen_beyond

__all__ = ["DenseNetConfig", "ResNetConfig"]

_CROP = "cut off the positions that see past the ends of the sequence"


@dataclass(frozen=True)
class ResNetConfig(EndingConfig):
    """A residual network, of dilated convolutions in the form of BPNet's trunk, or plain.

    References
    ----------
    He et al. 2016, doi:10.1109/CVPR.2016.90
    Avsec et al. 2021, doi:10.1038/s41588-021-00782-6 (BPNet)
    """

    summary: ClassVar[str] = "residual blocks of dilated convolutions, global mean (BPNet 2021)"

    channels: int = number(64, "channels of all convolutions", high=10_000)
    width: int = number(21, "bases of a detector", high=200)
    blocks: int = number(9, "residual blocks", low=0, high=14)
    kernel: int = number(3, "positions that a convolution in a block looks at", high=50)
    dilation: int = number(2, "factor of the dilation from block to block; 1: plain", high=4)
    convolutions: int = number(1, "convolutions of a block", high=10)
    bottleneck: int = number(
        0, "channels in a block, between two convolutions of 1; 0: all", low=0, high=10_000
    )
    crop: str = choice("no", _CROP, "no", "yes")
    ending: str = choice("mean", "pooling of all positions", "max", "mean", "max_mean", "flatten")
    dropout: float = number(0.1, "share of pooled features dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List the stem, the residual blocks and the mean over all positions."""
        layers = self.block("detectors", (4, self.channels), self.width)
        for place in range(1, self.blocks + 1):
            layers.append(residual(f"block {place}", *self._body(f"block {place}", place)))
        if self.crop == "yes":
            layers.append(crop(self.channels, max(seen_beyond(layers))))
        return self.end(layers, length)

    def _body(self, name: str, place: int) -> list[Layer]:
        inner = self.bottleneck or self.channels
        dilation = min(self.dilation**place, _MOST_DILATION)
        body: list[Layer] = []
        if self.bottleneck:
            body += self.block(f"{name} in", (self.channels, inner), 1)
        for _ in range(self.convolutions):
            body += self.block(name, (inner, inner), self.kernel, dilation=dilation)
        if self.bottleneck:
            body += self.block(f"{name} out", (inner, self.channels), 1)
        return body


_MOST_DILATION = 2**14


@dataclass(frozen=True)
class DenseNetConfig(PooledConfig, EndingConfig):
    """Dilated convolutions that each see what all earlier ones gave, as in Basenji.

    References
    ----------
    Huang et al. 2017, doi:10.1109/CVPR.2017.243
    Kelley et al. 2018, doi:10.1101/gr.227819.117 (Basenji)
    """

    summary: ClassVar[str] = "dilated convolutions that see all earlier ones (Basenji 2018)"

    channels: int = number(64, "motif detectors", high=10_000)
    width: int = number(21, "bases of a detector", high=200)
    pool_size: int = number(2, "positions of the pooling after them", high=1000)
    depth: int = number(6, "dilated layers", low=0, high=14)
    growth: int = number(32, "channels that each of them adds", high=10_000)
    kernel: int = number(3, "positions that each looks at", high=50)
    dilation: int = number(2, "factor of the dilation from layer to layer; 1: none", high=4)
    bottleneck: int = number(
        0, "channels that each first brings all earlier ones down to; 0: none", low=0, high=10_000
    )

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List the detectors, the dilated layers and the pooling of all positions."""
        layers = self.block("detectors", (4, self.channels), self.width)
        layers.append(self.pool(self.channels, self.pool_size))
        for place in range(1, self.depth + 1):
            inputs = layers[-1].channels
            name = f"layer {place}"
            layers.append(branches(name, inputs, (), self._added(name, place, inputs)))
        return self.end(layers, length)

    def _added(self, name: str, place: int, inputs: int) -> tuple[Layer, ...]:
        dilation = min(self.dilation ** (place - 1), _MOST_DILATION)
        made: Sequence[Layer] = ()
        if self.bottleneck:
            made = self.block(f"{name} in", (inputs, self.bottleneck), 1)
            inputs = self.bottleneck
        return *made, *self.block(name, (inputs, self.growth), self.kernel, dilation=dilation)
