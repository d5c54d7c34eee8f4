"""Networks with an output for each position: unet, fcn."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import StackedConfig
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import Layer, branches, convolution, pool, residual, unit, upsample

__all__ = ["FCNConfig", "UNetConfig"]


@dataclass(frozen=True)
class UNetConfig(StackedConfig):
    """An encoder and a decoder, linked at each resolution.

    The network's `profile` has a logit for each base. Its logit of a sequence, by which it is
    trained, evaluated and scored where the task is not a profile, is the largest of these.

    References
    ----------
    Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28
    Li & Guan 2021, doi:10.1101/gr.269613.120 (Leopard: per-base labels of DNA)
    """

    summary: ClassVar[str] = "encoder and decoder, an output for each base (U-Net 2015)"
    gives_profile: ClassVar[bool] = True

    channels: int = number(32, "channels at full resolution", high=10_000)
    width: int = number(21, "bases of a detector", high=200)
    levels: int = number(3, "times that the resolution goes down", low=0, high=12)
    pool_size: int = number(2, "factor by which it does", low=2, high=100)
    widening: float = number(1.5, "factor by which channels grow with each", high=4)
    kernel: int = number(5, "positions that a convolution looks at", high=50)
    link: str = choice("concatenate", "of encoder and decoder", "concatenate", "sum")
    pooling: str = choice("max", "of neighbouring positions", "max", "mean")

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List detectors, encoder and decoder."""
        width = self.width - (self.width + 1) % 2  # odd, so that there is an output for each base
        detectors = self.block("detectors", (4, self.channels), width)
        return (*detectors, *self._level(1, self.channels))

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List dropout, a logit for each position, and the largest of them."""
        return (
            unit("dropout", features, amount=self.dropout),
            convolution("profile", (features, tasks), 1),
            unit("global max", tasks, name="largest"),
        )

    def _level(self, level: int, channels: int) -> list[Layer]:
        """List the way down to a level, what is below, and the way up, with the link."""
        if level > self.levels:
            return []
        inner = round(channels * self.widening)
        size = self.pool_size  # with a last window for what is left over
        way = (
            pool(f"{self.pooling} pool", channels, size, padding=(0, size - 1)),
            *self.block(f"down {level}", (channels, inner), self.kernel),
            *self._level(level + 1, inner),
            upsample(inner, self.pool_size),
            *self.block(f"up {level}", (inner, channels), self.kernel),
        )
        if self.link == "sum":
            return [residual(f"link {level}", *way)]
        joined = branches(f"link {level}", channels, (), way)
        return [joined, *self.block(f"joined {level}", (2 * channels, channels), self.kernel)]


@dataclass(frozen=True)
class FCNConfig(UNetConfig):
    """A fully convolutional network whose decoder adds what the encoder had at each resolution.

    References
    ----------
    Long et al. 2015, doi:10.1109/CVPR.2015.7298965
    """

    summary: ClassVar[str] = "encoder and decoder that are summed, an output for each base (FCN)"

    channels: int = number(64, "channels at full resolution", high=10_000)
    widening: float = number(1.0, "factor by which channels grow with each", high=4)
    link: str = choice("sum", "of encoder and decoder", "concatenate", "sum")
