"""The one training loop, of one network or of many.

Jobs are parted into groups whose networks are trained as one: on a CPU those of one shape that
share a stream of batches, on a GPU all of one shape. On a CPU each group trains on one thread
and groups side by side; a network's result depends neither on its group nor on the threads.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.engine.devices import count_threads, keep_freed_memory, use_precision
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.batched import BatchedLearner
from seqcnn.training.batches import Feed, scale_targets
from seqcnn.training.compiled import CompiledLearner, shape_of
from seqcnn.training.config import (
    History,
    TrainedNetwork,
    TrainingConfig,
    TrainingJob,
    Weights,
    choose_steps,
    plan_steps,
)
from seqcnn.training.learner import Learner, NetworkLearner, Seeded, Steps
from seqcnn.training.losses import mean_loss

__all__ = ["train_many", "train_members"]

Advance = Callable[[int], object]
Doubles = NDArray[np.float64]

_LANES = 256
"""Detectors that stand side by side on a CPU: more would not fit a core's cache."""

_CELLS = 2**29
"""Scores that a step may hold on a GPU: 2 GB, and a few times that with their gradients."""


def train_members(
    split: Split,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    device: torch.device,
    threads: int = 0,
    progress: Advance | None = None,
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
    device
        Where to train.
    threads
        Members trained side by side on a CPU; 0 means one for each core.
    progress
        Called with the number of steps done since the last call.

    Returns
    -------
    tuple
        Weights of each member, and the history of all.

    Raises
    ------
    ConfigError
        When a loss is not finite, or the windows are shorter than a detector.
    """
    jobs = [TrainingJob(split, spec, config, member=member) for member in range(config.members)]
    networks = train_many(jobs, device=device, threads=threads, progress=progress, strict=True)
    history = [row for network in networks for row in network.history]
    return tuple(network.weights for network in networks), history


def train_many(
    jobs: Sequence[TrainingJob],
    *,
    device: torch.device,
    threads: int = 0,
    progress: Advance | None = None,
    strict: bool = False,
) -> list[TrainedNetwork]:
    """Train many networks at once: candidates of a calibration, ensembles, many data sets.

    Each comes out as it would alone: to the last bit on a CPU, to rounding on a GPU. Networks
    of one shape may differ in seed, learning rate, decay, dropout, momentum, optimiser, clip,
    warm-up and patience, and each may have data of its own.

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

    Returns
    -------
    list of TrainedNetwork
        In the order of the jobs.

    Raises
    ------
    ConfigError
        When windows are shorter than a detector; if strict, when a loss is not finite.
    """
    settled = [_settle(job) for job in jobs]
    keep_freed_memory()
    if device.type == "cuda":
        use_precision("float32")
    workers = 1 if device.type == "cuda" else count_threads(threads)
    groups = _group_jobs(settled, device, workers)

    def train(group: list[int], advance: Advance) -> list[TrainedNetwork]:
        return _Training([settled[job] for job in group], device, strict=strict).run(advance)

    results = _run_side_by_side(train, groups, workers, progress)
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
    config = job.config
    steps = config.steps or choose_steps(job.split, config.batch_size)
    return replace(job, config=replace(config, steps=steps))


# --- groups --------------------------------------------------------------------------------------


def _group_jobs(jobs: Sequence[TrainingJob], device: torch.device, workers: int) -> list[list[int]]:
    """Part the numbers of the jobs into groups that are trained as one."""
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        alike[_likeness(number, job, device)].append(number)
    groups: list[list[int]] = []
    for numbers in alike.values():
        parts = _count_parts([jobs[number] for number in numbers], device, workers)
        groups += [part.tolist() for part in np.array_split(np.array(numbers), parts)]
    return groups


def _likeness(number: int, job: TrainingJob, device: torch.device) -> Hashable:
    """Say what jobs of one group must have in common."""
    if shape_of(job.spec) is None or (device.type == "cpu" and job.batches is None):
        return number
    stream = None if job.batches is None else (job.batches, id(job.split))
    spec, config = job.spec, job.config
    return (
        stream,
        shape_of(spec),
        spec.length,
        spec.strands,
        spec.task_kind,
        config.steps,
        config.batch_size,
        config.evaluations,
    )


def _count_parts(jobs: Sequence[TrainingJob], device: torch.device, workers: int) -> int:
    shape = shape_of(jobs[0].spec)
    if shape is None:
        return 1
    if device.type == "cpu":
        per_part = max(1, _LANES // shape.number)
        return min(len(jobs), max(workers, -(-len(jobs) // per_part)))
    places = jobs[0].spec.length + 2 * shape.padding
    cells = jobs[0].config.batch_size * places * max(shape.number, 4 * shape.width)
    return -(-len(jobs) // max(1, _CELLS // cells))


# --- one group -----------------------------------------------------------------------------------


@dataclass
class _Record:
    """What has become of one network so far."""

    best: Weights
    lowest: float = np.inf
    since: int = 0
    history: History = field(default_factory=list)
    error: ConfigError | None = None
    finished: bool = False


class _Training:
    """The training of a group of networks."""

    def __init__(self, jobs: Sequence[TrainingJob], device: torch.device, *, strict: bool) -> None:
        self.jobs, self.strict = jobs, strict
        self.config = jobs[0].config
        streams = [np.random.default_rng([job.config.seed, 4, job.member]) for job in jobs]
        seeded = [Seeded.draw(job, rng) for job, rng in zip(jobs, streams, strict=True)]
        for one in seeded:
            _check_windows(one.job.spec.length, one.network.shortest)
        if (common := jobs[0].batches) is not None:
            jobs, streams = jobs[:1], [np.random.default_rng([common, 6])]
        self.feeds = [
            Feed(job.split, job.spec, batch_size=job.config.batch_size, rng=rng)
            for job, rng in zip(jobs, streams, strict=True)
        ]
        self.learner = _make_learner(seeded, device)
        plans = [plan_steps(job.config) for job in self.jobs]
        self.rates = np.stack([rates for rates, _ in plans])
        self.momenta = np.stack([momenta for _, momenta in plans])
        self.records = [_Record(self.learner.weights(i)) for i in range(len(self.jobs))]

    def run(self, advance: Advance) -> list[TrainedNetwork]:
        """Train until the last step, or until no network has improved for long enough."""
        steps = self.config.steps
        every = max(1, steps // self.config.evaluations)
        done = 0
        while done < steps and (training := self._in_training()):
            until = min(done + every, steps)
            losses = self._learn(done, until, lambda taken: advance(taken * len(training)))
            self._evaluate(until, losses, training)
            advance((steps - until) * (len(training) - len(self._in_training())))
            done = until
        return [TrainedNetwork(one.best, one.history, one.error) for one in self.records]

    def _in_training(self) -> list[int]:
        return [number for number, record in enumerate(self.records) if not record.finished]

    def _learn(self, done: int, until: int, advance: Advance) -> Doubles:
        """Take the steps from `done` to `until`: losses (networks, steps)."""
        losses = []
        while done < until:
            stop = min(done + self.learner.at_once, until)
            taken = [feed.take(stop - done) for feed in self.feeds]
            steps = Steps(
                codes=np.stack([codes for codes, _ in taken]),
                targets=np.stack([targets for _, targets in taken]),
                rates=self.rates[:, done:stop],
                momenta=self.momenta[:, done:stop],
            )
            losses.append(self.learner.learn(steps))
            advance(stop - done)
            done = stop
        return np.concatenate(losses, axis=1)

    def _evaluate(self, step: int, losses: Doubles, training: Sequence[int]) -> None:
        """Note the losses of each network in training, and end the training of some."""
        validation = self._validation_losses(training)
        for number in training:
            record, job = self.records[number], self.jobs[number]
            row = {
                "member": job.member,
                "step": step,
                "learning_rate": float(self.rates[number, step - 1]),
                "train_loss": float(losses[number].mean()),
                "validation_loss": validation[number],
            }
            if not np.isfinite(list(row.values())).all():
                self._give_up(record, step)
            else:
                self._note(record, row, number)
            if record.error or record.since >= job.config.patience:
                record.finished = True
                self.learner.stop(number)

    def _note(self, record: _Record, row: dict[str, float], number: int) -> None:
        record.history.append(row)
        if row["validation_loss"] < record.lowest:
            record.lowest, record.since = row["validation_loss"], 0
            record.best = self.learner.weights(number)
        else:
            record.since += 1

    def _give_up(self, record: _Record, step: int) -> None:
        record.error = ConfigError(
            f"training, step {step}",
            "the loss is no longer a finite number",
            remedy="lower --learning-rate, or look for extreme targets",
        )
        if self.strict:
            raise record.error

    def _validation_losses(self, training: Sequence[int]) -> dict[int, float]:
        """Measure the validation loss of networks, those on the same data together."""
        by_data: dict[int, list[int]] = defaultdict(list)
        for number in training:
            by_data[id(self.jobs[number].split)].append(number)
        losses = {}
        for numbers in by_data.values():
            data = self.jobs[numbers[0]].split.validation
            logits = self.learner.score(data.sequences.codes, numbers)
            for number, own in zip(numbers, logits, strict=True):
                spec = self.jobs[number].spec
                losses[number] = mean_loss(own, scale_targets(data.targets, spec), spec.task_kind)
        return losses


def _make_learner(seeded: Sequence[Seeded], device: torch.device) -> Learner:
    shape = shape_of(seeded[0].job.spec)
    if shape is None:
        return NetworkLearner(seeded[0], device)
    if device.type == "cpu":
        return CompiledLearner(seeded, shape)
    return BatchedLearner(seeded, shape, device)


def _check_windows(length: int, shortest: int) -> None:
    if length < shortest:
        raise ConfigError(
            "--length",
            f"{length} bp",
            expected=f"at least the network's {shortest} bp",
            remedy="choose a larger --length, or --set width=...",
        )
