"""Networks with several ways side by side: inception, octave."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import EndingConfig, PooledConfig
from seqcnn.architectures.configs.fields import number
from seqcnn.architectures.layers import Layer, branches, many_widths, octave, pool

__all__ = ["InceptionConfig", "OctaveConfig"]


@dataclass(frozen=True)
class InceptionConfig(PooledConfig, EndingConfig):
    """Detectors of several widths, then modules of parallel convolutions, no dense layer.

    References
    ----------
    Szegedy et al. 2015, doi:10.1109/CVPR.2015.7298594
    """

    summary: ClassVar[str] = "parallel kernels of five widths, 1x1 bottlenecks (GoogLeNet 2014)"

    each: int = number(32, "channels of each kernel width, in each module", high=10_000)
    kernel1: int = number(7, "narrowest kernel", high=200)
    kernel2: int = number(11, "second kernel", high=200)
    kernel3: int = number(15, "third kernel", high=200)
    kernel4: int = number(19, "fourth kernel", high=200)
    kernel5: int = number(25, "widest kernel", high=200)
    bottleneck: int = number(16, "channels before each kernel of a module", high=10_000)
    modules: int = number(2, "modules above the detectors", low=0, high=20)
    pool_size: int = number(2, "positions of the pooling above the detectors", high=1000)
    pool_branch: int = number(3, "positions of a module's pooling", high=100)
    auxiliary: float = number(
        0.0,
        "what the loss of an output above half of the modules counts in training",
        low=0,
        high=1,
    )

    @property
    def _kernels(self) -> tuple[int, ...]:
        return self.kernel1, self.kernel2, self.kernel3, self.kernel4, self.kernel5

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List detectors of all widths, the modules and the pooling of all positions."""
        detectors = many_widths("detectors", self._kernels, self.each, bias=self.norm == "none")
        layers = [detectors, *self.rectify(self.first, detectors.channels)]
        layers.append(self.pool(detectors.channels, self.pool_size))
        for place in range(1, self.modules + 1):
            layers.append(self._module(f"module {place}", layers[-1].channels))
        return self.end(layers, length)

    @property
    def auxiliary_output(self) -> tuple[int, float] | None:
        """Stop after half of the modules, where that output counts at all."""
        if not self.auxiliary:
            return None
        detectors = 2 + len(self.rectify(self.first, self.each))
        return detectors - 1 + self.modules // 2, self.auxiliary

    def _module(self, name: str, inputs: int) -> Layer:
        ways = []
        for kernel in self._kernels:
            before = self.block(f"{name}, 1 before {kernel}", (inputs, self.bottleneck), 1)
            channels = self.bottleneck, self.each
            ways.append((*before, *self.block(f"{name}, {kernel}", channels, kernel)))
        size = 2 * (self.pool_branch // 2) + 1
        pooled = pool("max pool", inputs, size, stride=1, padding=(size // 2, size // 2))
        ways.append((pooled, *self.block(f"{name}, 1 after pooling", (inputs, self.each), 1)))
        return branches(name, inputs, *ways)


@dataclass(frozen=True)
class OctaveConfig(EndingConfig):
    """Convolutions of two resolutions: slow changes along the sequence at half of it.

    References
    ----------
    Chen et al. 2019, doi:10.1109/ICCV.2019.00353
    """

    summary: ClassVar[str] = "convolutions at full and half resolution (octave convolution 2019)"

    channels: int = number(64, "channels of a convolution, both resolutions", low=2, high=10_000)
    width: int = number(19, "bases of a detector", high=200)
    depth: int = number(3, "octave convolutions", high=50)
    kernel: int = number(5, "positions, or pairs of them, that each looks at", high=50)
    alpha: float = number(0.5, "share of channels at half resolution", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List the detectors, octave convolutions and the pooling of all positions."""
        layers = self.block("detectors", (4, self.channels), self.width)
        half = min(round(self.alpha * self.channels), self.channels - 1)
        low = 0
        for place in range(1, self.depth + 1):
            after = half if place < self.depth else 0
            layers += self._octave(f"octave {place}", (low, after))
            low = after
        return self.end(layers, length)

    def _octave(self, name: str, low: tuple[int, int]) -> list[Layer]:
        wide = 2 if self.activation == "maxout" else 1
        channels = self.channels, wide * self.channels
        spread = low[0], wide * low[1]
        made = octave(name, channels, spread, self.kernel, bias=self.norm == "none")
        return [made, *self.rectify(self.activation, self.channels)]
