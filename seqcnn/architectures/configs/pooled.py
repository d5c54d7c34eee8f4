"""Networks of one convolution with global pooling."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.base import NetworkConfig
from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import Layer, batch_norm, convolution, dense, unit

__all__ = ["DeepBindConfig", "MotifConfig"]


@dataclass(frozen=True)
class DeepBindConfig(NetworkConfig):
    """DeepBind's network.

    References
    ----------
    Alipanahi et al. 2015, doi:10.1038/nbt.3300
    """

    strands: ClassVar[str] = "max"
    summary: ClassVar[str] = "convolution, threshold, ReLU, global pooling, linear (DeepBind 2015)"
    learning_rate: ClassVar[float] = 1e-2

    detectors: int = number(16, "motif detectors")
    width: int = number(24, "bases of a detector", high=200)
    pooling: str = choice("max", "over all positions", "max", "max_mean")
    hidden: int = number(0, "ReLU units of a hidden layer; 0: none", low=0)
    dropout: float = number(0.0, "share of pooled features dropped in training", low=0, high=0.99)
    init_sd: float = number(0.0, "standard deviation of initial detectors; 0: He's", low=0, high=10)
    head_sd: float = number(0.0, "that of initial dense weights; 0: He's", low=0, high=10)

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List convolution, rectification and pooling."""
        pooling = {"max": "global max", "max_mean": "global max and mean"}[self.pooling]
        return (
            convolution("detectors", (4, self.detectors), self.width, padding="full"),
            unit("ReLU", self.detectors),
            unit(pooling, self.detectors),
        )

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the hidden layer, if any, and the output."""
        return _dropped_and_weighed(self, features, tasks)


@dataclass(frozen=True)
class MotifConfig(NetworkConfig):
    """Many short detectors with an exponential activation and global pooling.

    References
    ----------
    Koo & Ploenzke 2021, doi:10.1038/s42256-020-00291-x (exponential activation)
    """

    summary: ClassVar[str] = "convolution, batch norm, exponential, global max and mean, dense"
    passes: ClassVar[int] = 30
    with_repeats: ClassVar[dict[str, float]] = {"dropout": 0.6}
    formerly: ClassVar[dict[str, str | float]] = {"hidden": 0}

    detectors: int = number(256, "motif detectors")
    width: int = number(10, "bases of a detector", high=200)
    hidden: int = number(16, "ReLU units of a hidden layer; 0: none", low=0)
    ceiling: float = number(5.0, "largest exponent", low=0.1, high=20)
    init_sd: float = number(0.05, "standard deviation of initial weights", low=1e-8, high=10)
    dropout: float = number(
        0.2,
        "share of pooled features dropped in training"
        f" (train: {with_repeats['dropout']}, if negatives stay the same)",
        low=0,
        high=0.99,
    )

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List convolution, batch norm, exponential and pooling."""
        return (
            convolution("detectors", (4, self.detectors), self.width, bias=False),
            batch_norm(self.detectors),
            unit("exponential", self.detectors, amount=self.ceiling),
            unit("global max and mean", self.detectors),
        )

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List batch norm, the hidden layer, if any, and the output."""
        return (batch_norm(features), *_dropped_and_weighed(self, features, tasks))


def _dropped_and_weighed(
    config: DeepBindConfig | MotifConfig, features: int, tasks: int
) -> tuple[Layer, ...]:
    layers = [unit("dropout", features, amount=config.dropout)]
    if config.hidden:
        layers += [dense("hidden", features, config.hidden), unit("ReLU", config.hidden)]
    return (*layers, dense("output", config.hidden or features, tasks))
