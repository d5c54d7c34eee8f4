"""The families by name, and their settings."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from seqcnn.architectures.configs.base import MixtureConfig, NetworkConfig, SeveralConfig
from seqcnn.architectures.configs.chains import (
    AlexNetConfig,
    LeNetConfig,
    RecurrentConfig,
    VGGConfig,
)
from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.architectures.configs.linked import DenseNetConfig, ResNetConfig
from seqcnn.architectures.configs.parallel import InceptionConfig, OctaveConfig
from seqcnn.architectures.configs.pooled import DeepBindConfig, MotifConfig
from seqcnn.architectures.configs.positions import FCNConfig, UNetConfig
from seqcnn.errors import ConfigError

__all__ = ["ARCHITECTURES", "configure", "describe_architecture"]

ARCHITECTURES: dict[str, type[NetworkConfig]] = {
    "deepbind": DeepBindConfig,
    "motif": MotifConfig,
    "gkm": GkmConfig,
    "lenet": LeNetConfig,
    "alexnet": AlexNetConfig,
    "vgg": VGGConfig,
    "inception": InceptionConfig,
    "resnet": ResNetConfig,
    "densenet": DenseNetConfig,
    "unet": UNetConfig,
    "fcn": FCNConfig,
    "octave": OctaveConfig,
    "recurrent": RecurrentConfig,
}

_OF_PARTS: dict[str, type[NetworkConfig]] = {"several": SeveralConfig, "mixture": MixtureConfig}


def configure(name: str, values: Mapping[str, str | float]) -> NetworkConfig:
    """Make the config of a family from ``FIELD=VALUE`` settings.

    Raises
    ------
    ConfigError
        For an unknown family or field (with the nearest name), or a value that does not fit.
    """
    if name in _OF_PARTS and not values:
        return _OF_PARTS[name]()
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
    preset = ARCHITECTURES[name].presets.get(str(parsed.get("preset")), {})
    return ARCHITECTURES[name](**{**preset, **parsed})


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
    rate = f"learning rate: {config.learning_rate:g}"
    lines = [f"{name}: {config.summary}; strands: {config.strands}; {rate}"]
    families = {*ARCHITECTURES.values(), NetworkConfig}
    above = (each for each in config.__mro__ if dataclasses.is_dataclass(each))
    shared = {item.name for c in above if c not in families for item in dataclasses.fields(c)}
    fields = sorted(dataclasses.fields(config), key=lambda item: item.name in shared)
    for item in fields:
        choices = " | ".join(item.metadata.get("choices", ()))
        meaning = item.metadata["help"] + (f" ({choices})" if choices else "")
        lines.append(f"  {item.name + '=' + str(item.default):<20} {meaning}")
    for preset, values in config.presets.items():
        listed = " ".join(f"{key}={value}" for key, value in values.items())
        lines.append(f"  preset={preset}: {listed}")
    return "\n".join(lines)
