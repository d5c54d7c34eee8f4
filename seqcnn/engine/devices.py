"""Which device a run is on, how exactly it computes, and how data come to it.

Nothing here imports torch before a device needs it: a run on a CPU may do without.
"""

import ctypes
import os
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "PRECISIONS",
    "count_threads",
    "describe_device",
    "find_device",
    "keep_freed_memory",
    "resolve_device",
    "stage",
    "use_precision",
]

PRECISIONS = ("float32", "tf32", "bf16")
"""What a GPU multiplies: float32, its 10 leading bits, or for whole windows bfloat16, of 7."""

_DRIVERS = ("libcuda.so.1", "nvcuda.dll")
_OTHER_GPUS = Path("/dev/kfd")  # a ROCm build of torch calls AMD's GPUs cuda too
_BLOCKS_AHEAD = 2


def find_device(name: str) -> str:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into ``cpu`` or the ``cuda:N`` that is there.

    torch is imported only where there is a GPU's driver, or where one is asked for.

    Raises
    ------
    ConfigError
        When the device asked for is absent: a run never falls back in silence.
    """
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    if name != "auto" and re.fullmatch(r"cuda(:[0-9]{1,4})?", name) is None:
        raise ConfigError(
            f"--device {name}", "no such device", expected="auto, cpu, cuda or cuda:N"
        )
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    number = int(name.partition(":")[2] or 0)
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}",
            f"this machine has {torch.cuda.device_count()} CUDA device(s)",
            remedy="use --device cpu, or run where the GPU and a CUDA build of torch are",
        )
    return f"cuda:{number}"


def resolve_device(name: str) -> "torch.device":
    """Give `find_device`'s answer as torch's device."""
    found = find_device(name)
    import torch

    return torch.device(found)


def _may_have_gpu() -> bool:
    """Tell whether torch is worth asking for a GPU: it takes seconds to import."""
    return "torch" in sys.modules or _OTHER_GPUS.exists() or any(map(_can_load, _DRIVERS))


def _can_load(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def describe_device(device: "torch.device | str") -> str:
    """Name a device as a log should: ``cuda:0 (NVIDIA ...)`` or ``cpu``."""
    if not str(device).startswith("cuda"):
        return str(device)
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def use_precision(precision: str) -> None:
    """Let CUDA multiply float32 as float32, or where that is asked for as TF32.

    By default torch rounds the factors of convolutions, and of matrix products where the
    caller's process has said so, to 10 bits (TF32).
    """
    import torch

    rounds = precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = rounds
    torch.backends.cudnn.allow_tf32 = rounds


def stage(blocks: "Iterable[Tensor]", device: "torch.device | str") -> "Iterator[Tensor]":
    """Bring blocks to a device, in order.

    To CUDA, the next blocks are copied from pinned memory while the caller works on the last one.
    Blocks that are there already are given as they are.
    """
    import torch

    device = torch.device(device)
    if device.type == "cuda":
        yield from _stage_ahead(blocks, device)
        return
    for block in blocks:
        yield block.to(device)


def _stage_ahead(blocks: "Iterable[Tensor]", device: "torch.device") -> "Iterator[Tensor]":
    import torch

    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def send(block: "Tensor") -> "tuple[Tensor, torch.cuda.Event]":
        if block.is_cuda:  # made by work that the caller's stream may not have done yet
            stream.wait_stream(torch.cuda.current_stream(device))
        else:
            block = block.pin_memory()
        with torch.cuda.stream(stream):
            copy = block.to(device, non_blocking=True)
            return copy, stream.record_event()

    def receive(copy: "Tensor", is_there: "torch.cuda.Event") -> "Tensor":
        current = torch.cuda.current_stream(device)
        current.wait_event(is_there)
        copy.record_stream(current)  # its memory is not to be given away before that work is done
        return copy

    ahead: deque[tuple[Tensor, torch.cuda.Event]] = deque()
    for block in blocks:
        ahead.append(send(block))
        if len(ahead) > _BLOCKS_AHEAD:
            yield receive(*ahead.popleft())
    while ahead:
        yield receive(*ahead.popleft())


def count_threads(asked: int) -> int:
    """Give the threads asked for, or for 0 one for each core that this process may use."""
    if asked:
        return asked
    # A batch system lends some of a machine's cores; os.cpu_count would count them all.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Let the process keep the memory of tensors that it frees, for the next ones.

    By default glibc hands freed memory back, and asks for it again a moment later, page by page;
    and it does so for each thread apart. Elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    settings = {_ARENAS: 1, _MAPPED_FROM: 1 << 30, _TRIMMED_FROM: (1 << 31) - 1}
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
    if mallopt is None:
        return
    for parameter, value in settings.items():
        mallopt(parameter, value)


# Of glibc's malloc.h: M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD.
_ARENAS, _MAPPED_FROM, _TRIMMED_FROM = -8, -3, -1
