"""What the configs of all families share."""

from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.layers import Layer, batch_norm, dense, shortest_input, unit

__all__ = ["NetworkConfig", "SeveralConfig", "StackedConfig", "activation", "dense_layers"]


@dataclass(frozen=True)
class NetworkConfig:
    """What the configs of all families share."""

    strands: ClassVar[str] = "average"
    summary: ClassVar[str] = ""

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List the layers from one-hot DNA of a length to the features that are weighed."""
        raise NotImplementedError

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the layers from the features to the logits."""
        return dense_layers(features, (), tasks)

    def layers(self, *, length: int, tasks: int) -> tuple[Layer, ...]:
        """List all layers.

        Parameters
        ----------
        length
            Bases of a sequence.
        tasks
            Number of outputs.
        """
        trunk = self.trunk(length)
        return (*trunk, *self.head(trunk[-1].channels, tasks))

    @property
    def shortest(self) -> int:
        """Bases that a sequence must have at least."""
        return shortest_input(self.trunk(1))


@dataclass(frozen=True)
class StackedConfig(NetworkConfig):
    """What the configs of networks with several convolutions share: their layers are all."""


@dataclass(frozen=True)
class SeveralConfig(NetworkConfig):
    """No network of its own: the model is several models side by side."""

    summary: ClassVar[str] = "several models side by side"


def activation(name: str, channels: int, ceiling: float) -> Layer:
    """Make an activation by the name that settings have for it."""
    if name == "exponential":
        return unit("exponential", channels, amount=ceiling)
    return unit("ReLU", channels)


def dense_layers(
    features: int, hidden: tuple[int, ...], tasks: int, *, dropout: float = 0.0
) -> tuple[Layer, ...]:
    """List hidden layers, each with batch norm, ReLU and dropout, and the output."""
    layers: list[Layer] = []
    for number, units in enumerate(hidden, start=1):
        layers += [
            dense(f"hidden {number}", features, units, bias=False),
            batch_norm(units),
            unit("ReLU", units),
            unit("dropout", units, amount=dropout),
        ]
        features = units
    return (*layers, dense("output", features, tasks))
