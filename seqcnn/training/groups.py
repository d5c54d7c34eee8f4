"""Which networks are trained as one.

On a CPU those of one shape that share a stream of batches, on a GPU all of one shape.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import torch

from seqcnn.architectures import StackedConfig
from seqcnn.training.compiled import shape_of
from seqcnn.training.config import TrainingJob

__all__ = ["group_jobs", "is_shared", "likeness"]

_LANES = 256
"""Detectors that stand side by side on a CPU: more would not fit a core's cache."""

_CELLS = 2**29
"""Scores that a step may hold on a GPU: 2 GB, and a few times that with their gradients."""


def group_jobs(jobs: Sequence[TrainingJob], device: torch.device, workers: int) -> list[list[int]]:
    """Part the numbers of the jobs into groups that are trained as one."""
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        alike[likeness(number, job, device)].append(number)
    groups: list[list[int]] = []
    for numbers in alike.values():
        parts = _count_parts([jobs[number] for number in numbers], device, workers)
        groups += [part.tolist() for part in np.array_split(np.array(numbers), parts)]
    return groups


def likeness(number: int, job: TrainingJob, device: torch.device) -> Hashable:
    """Say what jobs of one group must have in common."""
    if shape_of(job) is None or (device.type == "cpu" and job.batches is None):
        return number
    stream = None if job.batches is None else (job.batches, id(job.split))
    spec, config = job.spec, job.config
    return (
        stream,
        shape_of(job),
        spec.length,
        spec.strands,
        spec.task_kind,
        config.steps,
        config.batch_size,
        config.evaluations,
        config.augment,
    )


def _count_parts(jobs: Sequence[TrainingJob], device: torch.device, workers: int) -> int:
    shape = shape_of(jobs[0])
    if shape is None:
        return 1
    if device.type == "cpu":
        per_part = max(1, _LANES // shape.number)
        return min(len(jobs), max(workers, -(-len(jobs) // per_part)))
    places = jobs[0].spec.length + 2 * shape.padding
    cells = jobs[0].config.batch_size * places * max(shape.number, 4 * shape.width)
    return -(-len(jobs) // max(1, _CELLS // cells))


def is_shared(job: TrainingJob) -> bool:
    """Tell whether several processes train a network together; else the first does it alone."""
    return isinstance(job.spec.config, StackedConfig)
