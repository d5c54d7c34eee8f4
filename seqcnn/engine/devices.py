"""Which device a run is on."""

import torch

from seqcnn.errors import ConfigError

__all__ = ["describe_device", "resolve_device"]


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a device that is there.

    Raises
    ------
    ConfigError
        When the device asked for is absent: a run never falls back in silence.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise ConfigError(
            f"--device {name}", "no such device", expected="auto, cpu, cuda or cuda:N"
        )
    if int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}",
            f"this machine has {torch.cuda.device_count()} CUDA device(s)",
            remedy="use --device cpu, or run where the GPU and a CUDA build of torch are",
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Name a device as a log should: ``cuda:0 (NVIDIA ...)`` or ``cpu``."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)
