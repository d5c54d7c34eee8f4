"""What the configs of all families share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from seqcnn.architectures.configs.fields import choice, number
from seqcnn.architectures.layers import (
    Layer,
    batch_norm,
    convolution,
    dense,
    flatten,
    maxout,
    pool,
    shortest_input,
    trace_layers,
    unit,
)

__all__ = [
    "ACTIVATIONS",
    "EndingConfig",
    "MixtureConfig",
    "NetworkConfig",
    "PooledConfig",
    "SeveralConfig",
    "StackedConfig",
]

ACTIVATIONS = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "exponential": "exponential",
}
"""The kinds of layers by the names that settings have for them."""

_POOLS = {"max": "max pool", "mean": "mean pool", "max_mean": "max and mean pool"}
_GLOBAL_POOLS = {"max": "global max", "mean": "global mean", "max_mean": "global max and mean"}


@dataclass(frozen=True)
class NetworkConfig:
    """What the configs of all families share.

    Attributes
    ----------
    strands
        How the logits of both strands are joined where nothing else is asked for.
    summary
        The network in a line.
    learning_rate
        Highest rate of training where nothing else is asked for.
    passes
        How many times training goes over the data, where nothing else is asked for and steps
        are neither too few nor too many.
    with_repeats
        Fields that `train` sets otherwise, where nothing else is asked for, for classes whose
        negatives stay the same in each pass: what is seen so often is learned by heart.
    formerly
        What fields that older model files do not have were, before there were such fields.
    presets
        Settings of the fields that go with each choice of a field ``preset``.
    gives_profile
        Whether the network's `profile` gives a logit for each base.
    """

    strands: ClassVar[str] = "average"
    summary: ClassVar[str] = ""
    learning_rate: ClassVar[float] = 3e-3
    passes: ClassVar[int] = 5
    with_repeats: ClassVar[dict[str, float]] = {}
    formerly: ClassVar[dict[str, str | float]] = {}
    presets: ClassVar[dict[str, dict[str, str | float]]] = {}
    gives_profile: ClassVar[bool] = False

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List the layers from one-hot DNA of a length to the features that are weighed."""
        raise NotImplementedError

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the layers from the features to the logits."""
        return (dense("output", features, tasks),)

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

    @property
    def auxiliary_output(self) -> tuple[int, float] | None:
        """The layer of the trunk with an output of its own in training, and what that counts."""
        return None


@dataclass(frozen=True)
class StackedConfig(NetworkConfig):
    """What the configs of networks with several convolutions share: their layers are all."""

    activation: str = choice(
        *("relu", "activation of all layers but the detectors", *ACTIVATIONS, "maxout")
    )
    first: str = choice("exponential", "activation of the detectors", *ACTIVATIONS)
    ceiling: float = number(5.0, "largest exponent of an exponential", low=0.1, high=20)
    norm: str = choice("batch", "normalisation after each convolution", "batch", "none")
    dropout: float = number(0.2, "share of features dropped in training", low=0, high=0.99)
    init: str = choice("torch", "rule of initial weights", "torch", "he", "xavier", "lecun")

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List dropout and output."""
        return unit("dropout", features, amount=self.dropout), dense("output", features, tasks)

    def block(
        self,
        name: str,
        channels: tuple[int, int],
        kernel: int,
        *,
        dilation: int = 1,
        padding: str = "same",
    ) -> list[Layer]:
        """List a convolution, its batch norm if any, and its activation.

        The first convolution, which takes DNA, has the same padding on both sides.
        """
        inputs, outputs = channels
        is_first = inputs == 4 and name == "detectors"
        kind = self.first if is_first else self.activation
        if is_first and padding == "same":
            padding = "half"
        wide = 2 * outputs if kind == "maxout" else outputs
        made = convolution(
            *(name, (inputs, wide), kernel),
            dilation=dilation,
            padding=padding,
            bias=self.norm == "none",
        )
        return [made, *self.rectify(kind, outputs)]

    def rectify(self, kind: str, channels: int) -> list[Layer]:
        """List the batch norm, if any, and the activation that leaves `channels`."""
        wide = 2 * channels if kind == "maxout" else channels
        norm = [batch_norm(wide)] if self.norm == "batch" else []
        if kind == "maxout":
            return [*norm, maxout(channels)]
        amount = self.ceiling if kind == "exponential" else 0.0
        return [*norm, unit(ACTIVATIONS[kind], channels, amount=amount)]

    def hidden_layers(self, features: int, hidden: Sequence[int], tasks: int) -> tuple[Layer, ...]:
        """List dense layers, each with batch norm, activation and dropout, and the output."""
        layers: list[Layer] = []
        wide = 2 if self.activation == "maxout" else 1
        for place, units in enumerate(filter(None, hidden), start=1):
            layers += [
                dense(f"hidden {place}", features, wide * units, bias=self.norm == "none"),
                *self.rectify(self.activation, units),
                unit("dropout", units, amount=self.dropout),
            ]
            features = units
        return (*layers, dense("output", features, tasks))


@dataclass(frozen=True)
class EndingConfig(StackedConfig):
    """What the configs of networks share that sum all positions up."""

    ending: str = choice(
        *("max_mean", "what becomes of all positions: side by side, or pooled"),
        *("flatten", *_GLOBAL_POOLS),
    )

    def end(self, layers: Sequence[Layer], length: int) -> tuple[Layer, ...]:
        """Add what becomes of all positions to the layers of a trunk."""
        channels = layers[-1].channels
        if self.ending == "flatten":
            return (*layers, flatten(channels, trace_layers(layers, length)[-1].positions))
        return (*layers, unit(_GLOBAL_POOLS[self.ending], channels))


@dataclass(frozen=True)
class PooledConfig(StackedConfig):
    """What the configs of networks with local pooling share."""

    pooling: str = choice("max", "of neighbouring positions", *_POOLS)
    overlap: int = number(0, "positions that neighbouring poolings share", low=0, high=100)

    def pool(self, channels: int, size: int) -> Layer:
        """Make a local pooling."""
        return pool(_POOLS[self.pooling], channels, size, stride=max(1, size - self.overlap))


@dataclass(frozen=True)
class MixtureConfig(NetworkConfig):
    """No network of its own: the model is the mean of models of one and the same task."""

    summary: ClassVar[str] = "models of other families, averaged"


@dataclass(frozen=True)
class SeveralConfig(NetworkConfig):
    """No network of its own: the model is several models side by side."""

    summary: ClassVar[str] = "several models side by side"
