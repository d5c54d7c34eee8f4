"""The numbers of each network family, readable without torch.

To add a family: a config dataclass here and in `ARCHITECTURES`. A `StackedConfig` that lists its
layers is a network already; any other needs a module in a file of its own, named in
`seqcnn.architectures.networks`.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from seqcnn.architectures.layers import (
    Layer,
    batch_norm,
    convolution,
    dense,
    flatten,
    pool,
    residual,
    shortest_input,
    trace_layers,
    unit,
)
from seqcnn.errors import ConfigError

__all__ = [
    "ARCHITECTURES",
    "AlexNetConfig",
    "DeepBindConfig",
    "MotifConfig",
    "NetworkConfig",
    "ResNetConfig",
    "SeveralConfig",
    "StackedConfig",
    "configure",
    "describe_architecture",
]


def _number(default: float, meaning: str, *, low: float = 1, high: float = 1e6) -> Any:
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


def _choice(default: str, meaning: str, *choices: str) -> Any:
    return field(default=default, metadata={"help": meaning, "choices": choices})


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
        return _dense_layers(features, (), tasks)

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
class DeepBindConfig(NetworkConfig):
    """DeepBind's network.

    References
    ----------
    Alipanahi et al. 2015, doi:10.1038/nbt.3300
    """

    strands: ClassVar[str] = "max"
    summary: ClassVar[str] = "convolution, threshold, ReLU, global pooling, linear (DeepBind 2015)"

    detectors: int = _number(16, "motif detectors")
    width: int = _number(24, "bases of a detector", high=200)
    pooling: str = _choice("max", "over all positions", "max", "max_mean")
    hidden: int = _number(0, "ReLU units of a hidden layer; 0: none", low=0)
    dropout: float = _number(0.0, "share of pooled features dropped in training", low=0, high=0.99)

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
        layers = [unit("dropout", features, amount=self.dropout)]
        if self.hidden:
            layers += [dense("hidden", features, self.hidden), unit("ReLU", self.hidden)]
        return (*layers, dense("output", self.hidden or features, tasks))


@dataclass(frozen=True)
class MotifConfig(NetworkConfig):
    """Many short detectors with an exponential activation and global pooling.

    References
    ----------
    Koo & Ploenzke 2021, doi:10.1038/s42256-020-00291-x (exponential activation)
    """

    summary: ClassVar[str] = "convolution, batch norm, exponential, global max and mean, linear"

    detectors: int = _number(256, "motif detectors")
    width: int = _number(10, "bases of a detector", high=200)
    ceiling: float = _number(5.0, "largest exponent", low=0.1, high=20)
    init_sd: float = _number(0.05, "standard deviation of initial weights", low=1e-8, high=10)
    dropout: float = _number(0.2, "share of pooled features dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List convolution, batch norm, exponential and pooling."""
        return (
            convolution("detectors", (4, self.detectors), self.width, bias=False),
            batch_norm(self.detectors),
            unit("exponential", self.detectors, amount=self.ceiling),
            unit("global max and mean", self.detectors),
        )

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List batch norm and output."""
        dropout = unit("dropout", features, amount=self.dropout)
        return (batch_norm(features), dropout, dense("output", features, tasks))


@dataclass(frozen=True)
class StackedConfig(NetworkConfig):
    """What the configs of networks with several convolutions share: their layers are all."""


@dataclass(frozen=True)
class AlexNetConfig(StackedConfig):
    """AlexNet's three convolutions with local pooling, in the form of Basset.

    References
    ----------
    Kelley et al. 2016, doi:10.1101/gr.200535.115
    """

    summary: ClassVar[str] = "three convolutions with max pooling, two hidden layers (Basset 2016)"

    channels1: int = _number(300, "detectors of the first convolution", high=10_000)
    width1: int = _number(19, "bases of a detector", high=200)
    pool1: int = _number(3, "positions of the first max pooling", high=1000)
    channels2: int = _number(200, "channels of the second convolution", high=10_000)
    width2: int = _number(11, "positions it looks at", high=200)
    pool2: int = _number(4, "positions of the second max pooling", high=1000)
    channels3: int = _number(200, "channels of the third convolution", high=10_000)
    width3: int = _number(7, "positions it looks at", high=200)
    pool3: int = _number(4, "positions of the third max pooling", high=1000)
    padding: str = _choice("valid", "none, or half a kernel on both sides", "valid", "half")
    first: str = _choice("relu", "activation of the detectors", "relu", "exponential")
    ceiling: float = _number(5.0, "largest exponent", low=0.1, high=20)
    hidden1: int = _number(1000, "units of the first hidden layer", high=100_000)
    hidden2: int = _number(1000, "units of the second hidden layer", high=100_000)
    dropout: float = _number(0.3, "share of hidden units dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:
        """List three times convolution, batch norm, activation, pooling; then all positions."""
        sizes = (
            (self.channels1, self.width1, self.pool1),
            (self.channels2, self.width2, self.pool2),
            (self.channels3, self.width3, self.pool3),
        )
        layers: list[Layer] = []
        inputs = 4
        for number, (channels, width, pooled) in enumerate(sizes, start=1):
            name = "detectors" if number == 1 else f"convolution {number}"
            padding = self.padding
            layers += [
                convolution(name, (inputs, channels), width, padding=padding, bias=False),
                batch_norm(channels),
                _activation(self.first if number == 1 else "relu", channels, self.ceiling),
                pool("max pool", channels, pooled),
            ]
            inputs = channels
        return (*layers, flatten(inputs, trace_layers(layers, length)[-1].positions))

    def head(self, features: int, tasks: int) -> tuple[Layer, ...]:
        """List the two hidden layers and the output."""
        return _dense_layers(features, (self.hidden1, self.hidden2), tasks, dropout=self.dropout)


@dataclass(frozen=True)
class ResNetConfig(StackedConfig):
    """A residual network of dilated convolutions, in the form of BPNet's trunk.

    References
    ----------
    He et al. 2016, doi:10.1109/CVPR.2016.90
    Avsec et al. 2021, doi:10.1038/s41588-021-00782-6 (BPNet)
    """

    summary: ClassVar[str] = "residual blocks of dilated convolutions, global mean (BPNet 2021)"

    channels: int = _number(64, "channels of all convolutions", high=10_000)
    width: int = _number(21, "bases of a detector", high=200)
    blocks: int = _number(9, "residual blocks; the dilation doubles from 2 on", low=0, high=14)
    kernel: int = _number(3, "positions that a dilated convolution looks at", high=50)
    first: str = _choice("relu", "activation of the detectors", "relu", "exponential")
    ceiling: float = _number(5.0, "largest exponent", low=0.1, high=20)
    norm: str = _choice("batch", "normalisation after each convolution", "batch", "none")
    dropout: float = _number(0.1, "share of pooled features dropped in training", low=0, high=0.99)

    def trunk(self, length: int) -> tuple[Layer, ...]:  # noqa: ARG002
        """List the stem, the residual blocks and the mean over all positions."""
        stem = self._convolution("detectors", 4, self.width, 1)
        layers = [*stem, _activation(self.first, self.channels, self.ceiling)]
        for number in range(1, self.blocks + 1):
            name = f"block {number}"
            body = self._convolution(name, self.channels, self.kernel, 2**number)
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


def _activation(name: str, channels: int, ceiling: float) -> Layer:
    if name == "exponential":
        return unit("exponential", channels, amount=ceiling)
    return unit("ReLU", channels)


def _dense_layers(
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


@dataclass(frozen=True)
class SeveralConfig(NetworkConfig):
    """No network of its own: the model is several models side by side."""

    summary: ClassVar[str] = "several models side by side"


ARCHITECTURES: dict[str, type[NetworkConfig]] = {
    "deepbind": DeepBindConfig,
    "motif": MotifConfig,
    "alexnet": AlexNetConfig,
    "resnet": ResNetConfig,
}


def configure(name: str, values: Mapping[str, str | float]) -> NetworkConfig:
    """Make the config of a family from ``FIELD=VALUE`` settings.

    Raises
    ------
    ConfigError
        For an unknown family or field (with the nearest name), or a value that does not fit.
    """
    if name == "several" and not values:
        return SeveralConfig()
    if name not in ARCHITECTURES:
        raise ConfigError("--arch", f"no architecture {name!r}", expected=", ".join(ARCHITECTURES))
    fields = {item.name: item for item in dataclasses.fields(ARCHITECTURES[name])}
    parsed = {}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.0)
            raise ConfigError(
                f"--set {key}={value}",
                f"{name} has no field {key!r}",
                expected=", ".join(fields),
                remedy=f"did you mean {near[0]}?",
            )
        parsed[key] = _parse(f"--set {key}={value}", fields[key], value)
    return ARCHITECTURES[name](**parsed)


def _parse(where: str, item: "dataclasses.Field[Any]", value: str | float) -> str | int | float:
    if "choices" in item.metadata:
        if value not in item.metadata["choices"]:
            raise ConfigError(where, f"{value!r}", expected=" or ".join(item.metadata["choices"]))
        return str(value)
    low, high = item.metadata["low"], item.metadata["high"]
    number = _number_of(value, whole=item.type is int)
    if not low <= number <= high:
        kind = "a whole number" if item.type is int else "a number"
        raise ConfigError(where, f"{value!r}", expected=f"{kind} from {low:g} to {high:g}")
    return number


def _number_of(value: object, *, whole: bool) -> int | float:
    """Read a number, or NaN where there is none; 2.5 is no whole number, and True no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return float("nan")
    try:
        number = int(value) if whole else float(value)
    except (ValueError, OverflowError):
        return float("nan")
    return number if isinstance(value, str) or number == value else float("nan")


def describe_architecture(name: str) -> str:
    """List the fields of a family with their defaults and meaning, a line each."""
    config = ARCHITECTURES[name]
    lines = [f"{name}: {config.summary}; strands: {config.strands}"]
    for item in dataclasses.fields(config):
        choices = " | ".join(item.metadata.get("choices", ()))
        meaning = item.metadata["help"] + (f" ({choices})" if choices else "")
        lines.append(f"  {item.name + '=' + str(item.default):<20} {meaning}")
    return "\n".join(lines)
