"""The numbers of each network family, readable without torch.

To add a family: a config dataclass here and in `ARCHITECTURES`, and its module in a file of its
own, named in `seqcnn.architectures.networks`.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from seqcnn.errors import ConfigError

__all__ = [
    "ARCHITECTURES",
    "DeepBindConfig",
    "MotifConfig",
    "NetworkConfig",
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


ARCHITECTURES: dict[str, type[NetworkConfig]] = {"deepbind": DeepBindConfig, "motif": MotifConfig}


def configure(name: str, values: Mapping[str, str | float]) -> NetworkConfig:
    """Make the config of a family from ``FIELD=VALUE`` settings.

    Raises
    ------
    ConfigError
        For an unknown family or field (with the nearest name), or a value that does not fit.
    """
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
