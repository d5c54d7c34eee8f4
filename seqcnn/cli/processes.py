"""A command that ``torchrun`` starts several times over: who does what."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqcnn.training.processes import Processes

__all__ = ["joined_processes", "wait_for_all"]


@contextlib.contextmanager
def joined_processes(options: dict[str, Any]) -> "Iterator[Processes]":
    """Join the processes of ``torchrun``, where it has started this one; the first alone talks.

    Each takes a GPU of its own, where ``--device`` allows one.
    """
    from seqcnn.training.processes import Processes, find_processes

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    import torch

    from seqcnn.engine.devices import find_device

    device = find_device(options["device"])
    if device.startswith("cuda"):
        options["device"] = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(options["device"])
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        processes = find_processes()
        if processes.rank:
            logging.getLogger("seqcnn").setLevel(logging.ERROR)
            options["quiet"] = True
        yield processes
    finally:
        torch.distributed.destroy_process_group()


def wait_for_all(processes: "Processes") -> None:
    """Wait until every process is here."""
    if processes.number > 1:
        import torch

        torch.distributed.barrier()
