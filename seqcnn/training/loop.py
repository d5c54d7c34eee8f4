"""The one training loop, of one network or of many.

Jobs are parted into groups whose networks are trained as one: on a CPU those of one shape that
share a stream of batches, on a GPU all of one shape. On a CPU each group trains on one thread
and groups side by side; a network's result depends neither on its group nor on the threads.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import torch

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.checkpoints import Checkpoints
from seqcnn.engine.devices import count_threads, keep_freed_memory
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.config import (
    History,
    TrainedNetwork,
    TrainingConfig,
    TrainingJob,
    Weights,
    count_steps,
)
from seqcnn.training.course import Advance, Course
from seqcnn.training.gkm import train_gkm
from seqcnn.training.groups import group_jobs, is_shared
from seqcnn.training.processes import HelperFinished, find_processes

__all__ = ["train_many", "train_members"]


def train_members(  # noqa: PLR0913
    split: Split,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    starts: Sequence[Weights] = (),
    device: torch.device,
    threads: int = 0,
    progress: Advance | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[tuple[Weights, ...], History]:
    """Train the networks of a model.

    Parameters
    ----------
    split
        Data; of each side only training and validation are looked at.
    spec
        What the model takes and gives.
    config
        How to train.
    starts
        Weights that the members begin with, one after the other, and again from the first.
    device
        Where to train.
    threads
        Members trained side by side on a CPU; 0 means one for each core.
    progress
        Called with the number of steps done since the last call.
    checkpoints
        Where to note how far each network is, and to go on from.

    Returns
    -------
    tuple
        Weights of each member that is kept, and the history of all.

    Raises
    ------
    DivergenceError
        When a loss is not finite.
    ConfigError
        When the windows are shorter than a detector, or a checkpoint cannot be gone on with.
    """
    jobs = [
        TrainingJob(
            split,
            spec,
            config,
            member=member,
            start=starts[member % len(starts)] if starts else None,
        )
        for member in range(config.members)
    ]
    networks = train_many(
        jobs,
        device=device,
        threads=threads,
        progress=progress,
        strict=True,
        checkpoints=checkpoints,
    )
    history = [row for network in networks for row in network.history]
    if config.keep == "best":
        networks = [min(networks, key=lambda network: network.validation_loss)]
    return tuple(network.weights for network in networks), history


def train_many(
    jobs: Sequence[TrainingJob],
    *,
    device: torch.device,
    threads: int = 0,
    progress: Advance | None = None,
    strict: bool = False,
    checkpoints: Checkpoints | None = None,
) -> list[TrainedNetwork]:
    """Train many networks at once: candidates of a calibration, ensembles, many data sets.

    Each comes out as it would alone: to the last bit on a CPU, to rounding on a GPU. Networks
    of one shape may differ in seed, learning rate, schedule, decay, dropout, momentum, optimiser,
    clip, warm-up and patience, and each may have data of its own.

    Parameters
    ----------
    jobs
        The networks.
    device
        Where to train.
    threads
        Of a CPU; 0 means one for each core.
    progress
        Called with the number of steps done, by whichever network, since the last call.
    strict
        Whether a network that breaks ends all, instead of being reported in its `error`.
    checkpoints
        Where to note how far each group of networks is, and to go on from.

    Returns
    -------
    list of TrainedNetwork
        In the order of the jobs.

    Raises
    ------
    HelperFinished
        In all processes of a training but the first.
    ConfigError
        When windows are shorter than a detector; if strict, a `DivergenceError` when a loss is
        not finite.
    """
    settled = [_settle(job) for job in jobs]
    keep_freed_memory()
    processes = find_processes()
    alone = device.type == "cpu" and processes.number == 1
    workers = count_threads(threads) if alone else 1
    groups = group_jobs(settled, device, workers)
    if processes.rank:
        groups = [group for group in groups if is_shared(settled[group[0]])]

    def train(group: list[int], advance: Advance) -> list[TrainedNetwork]:
        if isinstance(settled[group[0]].spec.config, GkmConfig):
            return [train_gkm(settled[job], advance) for job in group]
        course = Course([settled[job] for job in group], device, strict=strict)
        if checkpoints:
            course.keep(checkpoints, f"network-{group[0]}+{len(group) - 1}")
        return course.run(advance)

    results = _run_side_by_side(train, groups, workers, progress)
    if processes.rank:
        raise HelperFinished
    places = [job for group in groups for job in group]
    networks = [network for result in results for network in result]
    return [networks[place] for place in np.argsort(places)]


def _run_side_by_side(
    train: Callable[[list[int], Advance], list[TrainedNetwork]],
    groups: Sequence[list[int]],
    workers: int,
    progress: Advance | None,
) -> list[list[TrainedNetwork]]:
    """Train each group on a thread; the first error, or Ctrl-C, ends all of them."""
    given_up = threading.Event()

    def advance(steps: int) -> None:
        if given_up.is_set():
            raise InterruptedError
        if progress:
            progress(steps)

    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        runs = [pool.submit(train, group, advance) for group in groups]
        try:
            wait(runs, return_when=FIRST_EXCEPTION)
        finally:
            given_up.set()
    errors = [run.exception() for run in runs]
    for error in errors:
        if error and not isinstance(error, InterruptedError):
            raise error
    return [run.result() for run in runs]


def _settle(job: TrainingJob) -> TrainingJob:
    steps = count_steps(job.config, job.spec, job.split)
    return replace(job, config=replace(job.config, steps=steps))
