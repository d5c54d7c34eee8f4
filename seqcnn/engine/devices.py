"""Which device a run is on, and how many of its cores it may use."""

import os
import re

import torch

from seqcnn.errors import ConfigError

__all__ = ["count_threads", "describe_device", "keep_freed_memory", "resolve_device"]


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
    if re.fullmatch(r"cuda(:[0-9]{1,4})?", name) is None:
        raise ConfigError(
            f"--device {name}", "no such device", expected="auto, cpu, cuda or cuda:N"
        )
    if int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
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


def count_threads(asked: int) -> int:
    """Give the threads asked for, or for 0 one for each core that this process may use."""
    if asked:
        return asked
    # A batch system lends some of a machine's cores; os.cpu_count would count them all.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Let the process keep the memory of tensors that it frees, for the next ones.

    By default glibc hands the end of its heap back as soon as 128 kB are free, and asks for it
    again a moment later, page by page: half of the time of a pass. It stops doing so once it
    has seen a block of up to 32 MB freed. Elsewhere this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
