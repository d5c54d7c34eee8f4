"""The course of one group of networks, from their first step to their last."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.checkpoints import Checkpoints, State
from seqcnn.engine.devices import use_precision
from seqcnn.errors import ConfigError
from seqcnn.training.batched import BatchedLearner
from seqcnn.training.batches import Feed
from seqcnn.training.compiled import CompiledLearner, shape_of
from seqcnn.training.config import (
    DivergenceError,
    History,
    TrainedNetwork,
    TrainingJob,
    Weights,
)
from seqcnn.training.learner import Learner, NetworkLearner, Seeded, Steps
from seqcnn.training.losses import mean_loss
from seqcnn.training.profiles import ProfileFeed, learning_targets
from seqcnn.training.schedules import plan_steps, read_schedule

__all__ = ["Advance", "Course", "make_learner"]

Advance = Callable[[int], object]
"""Told the number of steps done since the last call; may raise `InterruptedError` to end all."""

Doubles = NDArray[np.float64]


@dataclass
class _Record:
    """What has become of one network so far."""

    best: Weights
    lowest: float = np.inf  # of the weights that are kept
    since: int = 0
    history: History = field(default_factory=list)
    error: ConfigError | None = None
    finished: bool = False

    def state(self) -> State:
        """Give all of it as a checkpoint has it."""
        values: dict[str, Any] = {
            "lowest": self.lowest if np.isfinite(self.lowest) else None,
            "since": self.since,
            "history": self.history,
            "error": str(self.error) if self.error else None,
            "finished": self.finished,
        }
        return State(self.best, values)

    @classmethod
    def from_state(cls, state: State) -> "_Record":
        values = dict(state.values)
        error = values.pop("error")
        lowest = values.pop("lowest")
        return cls(
            dict(state.arrays),
            lowest=np.inf if lowest is None else lowest,
            error=ConfigError("training", error) if error else None,
            **values,
        )


class Course:
    """The training of a group of networks.

    Parameters
    ----------
    jobs
        The networks, which `group_jobs` put together.
    device
        Where to train.
    strict
        Whether a network that breaks ends all.
    """

    def __init__(self, jobs: Sequence[TrainingJob], device: torch.device, *, strict: bool) -> None:
        self.jobs, self.strict = jobs, strict
        self.config = jobs[0].config
        streams = [np.random.default_rng([job.config.seed, 4, job.member]) for job in jobs]
        seeded = [Seeded.draw(job, rng) for job, rng in zip(jobs, streams, strict=True)]
        for one in seeded:
            _check_windows(one.job.spec.length, one.network.shortest)
        if (common := jobs[0].batches) is not None:
            jobs, streams = jobs[:1], [np.random.default_rng([common, 6])]
        self.feeds = [_make_feed(job, rng) for job, rng in zip(jobs, streams, strict=True)]
        self.learner = make_learner(seeded, device)
        rows = [self.feeds[i % len(self.feeds)].rows for i in range(len(self.jobs))]
        plans = [plan_steps(job.config, rows=n) for job, n in zip(self.jobs, rows, strict=True)]
        self.rates = np.stack([rates for rates, _ in plans])
        self.momenta = np.stack([momenta for _, momenta in plans])
        self.records = [_Record(self.learner.weights(i)) for i in range(len(self.jobs))]
        self.done, self.losses = 0, np.empty((len(self.jobs), 0))
        self.save: Callable[[], None] = lambda: None
        self.is_due: Callable[[], bool] = lambda: False

    def keep(self, checkpoints: Checkpoints, name: str) -> None:
        """Note from now on how far the training is; go on from where that was noted before."""
        state = checkpoints.read(name)
        if state:
            self._restore(state)
        self.save = lambda: checkpoints.write(name, self._state())
        self.is_due = lambda: checkpoints.due(name)

    def run(self, advance: Advance) -> list[TrainedNetwork]:
        """Train until the last step, or until no network has improved for long enough."""
        steps = self.config.steps
        every = max(1, steps // self.config.evaluations)
        training = self._in_training()
        advance(self.done * len(training) + steps * (len(self.jobs) - len(training)))
        while self._evaluated < steps and (training := self._in_training()):
            until = min(self._evaluated + every, steps)
            self._learn(until, training, advance)
            self._evaluate(training)
            self.save()
            advance((steps - until) * (len(training) - len(self._in_training())))
        return [_trained(one) for one in self.records]

    @property
    def _evaluated(self) -> int:
        """The step of the last evaluation: the losses since then are waiting for the next."""
        return self.done - self.losses.shape[1]

    def _in_training(self) -> list[int]:
        return [number for number, record in enumerate(self.records) if not record.finished]

    def _learn(self, until: int, training: Sequence[int], advance: Advance) -> None:
        """Take the steps before `until`, and note their losses."""
        while self.done < until:
            stop = min(self.done + self.learner.at_once, until)
            steps, taken = self._take(stop), stop - self.done
            self.losses = np.concatenate([self.losses, self.learner.learn(steps)], axis=1)
            self.done = stop
            if self.strict:
                self._check_losses(training)
            try:
                advance(taken * len(training))
            except InterruptedError:
                self.save()
                raise
            if self.is_due():
                self.save()

    def _take(self, stop: int) -> Steps:
        """Take what the next steps, those before `stop`, are taken with."""
        taken = [feed.take(stop - self.done) for feed in self.feeds]
        return Steps(
            codes=np.stack([codes for codes, _ in taken]),
            targets=np.stack([targets for _, targets in taken]),
            rates=self.rates[:, self.done : stop],
            momenta=self.momenta[:, self.done : stop],
        )

    def _check_losses(self, training: Sequence[int]) -> None:
        for number in training:
            if not np.isfinite(self.losses[number]).all():
                self._give_up(number)

    def _evaluate(self, training: Sequence[int]) -> None:
        """Note the losses of each network in training, and end the training of some."""
        validation = self._validation_losses(training)
        for number in training:
            record, job = self.records[number], self.jobs[number]
            row = {
                "member": job.member,
                "step": self.done,
                "learning_rate": float(self.rates[number, self.done - 1]),
                "train_loss": float(self.losses[number].mean()),
                "validation_loss": validation[number],
            }
            if not np.isfinite(list(row.values())).all():
                self._give_up(number)
            else:
                self._note(row, number)
            if record.error or record.since >= job.config.most_failures:
                record.finished = True
                self.learner.stop(number)
        self.losses = self.losses[:, :0]

    def _note(self, row: dict[str, float], number: int) -> None:
        record, config = self.records[number], self.jobs[number].config
        record.history.append(row)
        if config.keeps_last or row["validation_loss"] < record.lowest:
            record.lowest, record.since = row["validation_loss"], 0
            record.best = self.learner.weights(number)
            return
        record.since += 1
        factor, evaluations = read_schedule(config.schedule).lower_after()
        if evaluations and record.since % evaluations == 0:
            self.rates[number, self.done :] *= factor

    def _give_up(self, number: int) -> None:
        record, broken = self.records[number], ~np.isfinite(self.losses[number])
        first = self.done - len(broken) + int(broken.argmax()) + 1 if broken.any() else self.done
        feed = self.feeds[number % len(self.feeds)]
        epoch, row = divmod((first - 1) * feed.batch_size, feed.rows)
        record.error = DivergenceError(
            f"training, step {first} (epoch {epoch + 1}, batch {row // feed.batch_size + 1})",
            "the loss is no longer a finite number",
            remedy="lower --learning-rate, or look for extreme targets",
            network=_trained(record),
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
                wanted = learning_targets(data, spec)
                losses[number] = mean_loss(own, wanted, spec.loss, weights=data.weights)
        return losses

    def _state(self) -> State:
        """Give all that a later process needs to go on, to the last bit."""
        own = {"losses": self.losses, "rates": self.rates}
        parts = {"course": State(own, {"done": self.done})}
        parts |= {"learner": State(self.learner.state(), {})}
        parts |= {f"feed{i}": feed.state() for i, feed in enumerate(self.feeds)}
        parts |= {f"network{i}": record.state() for i, record in enumerate(self.records)}
        return State.joined(parts)

    def _restore(self, state: State) -> None:
        own = state.within("course")
        self.losses, self.rates = own.arrays["losses"], own.arrays["rates"]
        self.done = own.values["done"]
        self.learner.restore(state.within("learner").arrays)
        for i, feed in enumerate(self.feeds):
            feed.restore(state.within(f"feed{i}"))
        self.records = [
            _Record.from_state(state.within(f"network{i}")) for i in range(len(self.jobs))
        ]


def _trained(record: _Record) -> TrainedNetwork:
    return TrainedNetwork(record.best, record.history, record.error, record.lowest)


def _make_feed(job: TrainingJob, rng: np.random.Generator) -> Feed:
    config = job.config
    if job.spec.task_kind == "profile" and config.augment.moves:
        raise ConfigError(
            "--augment",
            "moves bases away from their targets in a profile",
            expected="mutation alone",
        )
    kind = ProfileFeed if job.spec.task_kind == "profile" else Feed
    return kind(
        job.split,
        job.spec,
        batch_size=config.batch_size,
        rng=rng,
        augment=config.augment,
        changed=config.augment.count_changed(config.steps),
    )


def make_learner(seeded: Sequence[Seeded], device: torch.device) -> Learner:
    """Choose how the steps of a group are taken."""
    shape = shape_of(seeded[0].job)
    if device.type == "cuda":
        use_precision("float32" if shape else seeded[0].job.config.precision)
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
