"""How networks are trained: the numbers of a run, and what comes of it."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.augmentation import Augmentation
from seqcnn.training.schedules import read_schedule

__all__ = [
    "OPTIMISERS",
    "DivergenceError",
    "History",
    "TrainedNetwork",
    "TrainingConfig",
    "TrainingJob",
    "Weights",
    "choose_steps",
    "count_steps",
    "standardise_targets",
]

Weights = dict[str, NDArray[np.float32]]
History = list[dict[str, float]]
"""One mapping an evaluation: member, step, learning_rate, train_loss, validation_loss."""

OPTIMISERS = ("adamw", "adam", "nesterov", "momentum", "sgd", "rmsprop")
_WITHOUT_MOMENTUM = ("sgd", "rmsprop")
_PATIENCE = 10


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    steps
        Optimiser steps; 0 leaves the choice to `choose_steps`.
    batch_size
        Sequences of a step, negatives included.
    learning_rate
        Highest rate of the schedule.
    weight_decay
        Decay of matrices; biases and normalisation have none. AdamW's is apart from the
        gradient; that of the others is part of it (L2).
    warmup
        Share of the steps in which the rate of one cycle rises.
    clip
        Largest norm of the gradient.
    evaluations
        How many times the validation loss is measured.
    patience
        Evaluations without improvement after which training stops; the weights with the lowest
        validation loss are kept. None: 10, but where the rate falls to nearly 0 at the end
        (`Schedule.ends_low`) training goes on to it, and the last weights are kept.
    members
        Networks of the ensemble.
    keep
        ``all`` members, or the ``best``: that with the lowest validation loss.
    seed
        Seed of weights, batches, shuffles and dropout; member i has a stream of its own.
    optimiser
        One of `OPTIMISERS`. DeepBind was trained with ``nesterov`` and a ``constant`` schedule.
    momentum
        The optimiser's first momentum; None is 0.9. In one cycle it runs against the rate,
        between 0.85 and 0.95, whatever stands here.
    schedule
        How the rate goes; see `seqcnn.training.schedules.read_schedule`.
    l1
        What the gradient of matrices has besides: this times the sign of each weight.
    detector_l1
        The same for the detectors; None: as `l1`.
    l1_start
        Steps before L1 begins to pull.
    trunk_rate
        Rate of all layers but the last, as a share of the rate; 0 leaves them, and the running
        statistics of batch norms, as they are.
    augment
        How training sequences are changed.
    precision
        What CUDA multiplies in networks that are trained through autograd: ``float32``,
        ``tf32`` or ``bf16``.
    """

    steps: int = 0
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.15
    clip: float = 5.0
    evaluations: int = 20
    patience: int | None = None
    members: int = 1
    keep: str = "all"
    seed: int = 0
    optimiser: str = "adamw"
    momentum: float | None = None
    schedule: str = "one-cycle"
    l1: float = 0.0
    detector_l1: float | None = None
    l1_start: int = 0
    trunk_rate: float = 1.0
    augment: Augmentation = field(default_factory=Augmentation)
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Refuse an optimiser or a schedule that is not there."""
        if self.optimiser not in OPTIMISERS:
            expected = f"one of {', '.join(OPTIMISERS)}"
            raise ConfigError("optimiser", repr(self.optimiser), expected=expected)
        if self.momentum and self.optimiser in _WITHOUT_MOMENTUM:
            remedy = "choose nesterov or momentum, or leave the momentum out"
            raise ConfigError("momentum", f"{self.optimiser} has none", remedy=remedy)
        read_schedule(self.schedule)

    @property
    def l1_of_detectors(self) -> float:
        """L1 of the detectors, whether it is their own or that of all."""
        return self.l1 if self.detector_l1 is None else self.detector_l1

    @property
    def keeps_last(self) -> bool:
        """Whether the last weights are kept, rather than those with the lowest loss."""
        return self.patience is None and read_schedule(self.schedule).ends_low

    @property
    def most_failures(self) -> int:
        """Evaluations without improvement after which training stops."""
        return _PATIENCE if self.patience is None else self.patience

    @property
    def first_momentum(self) -> float:
        """The momentum outside one cycle."""
        if self.optimiser in _WITHOUT_MOMENTUM:
            return 0.0
        return 0.9 if self.momentum is None else self.momentum


@dataclass(frozen=True)
class TrainingJob:
    """One network to be trained.

    Attributes
    ----------
    split
        Data; of each side only training and validation are looked at.
    spec
        What the model takes and gives.
    config
        How to train; its `members` does not matter here.
    member
        Number of the network in its ensemble, which chooses its stream of random numbers.
    batches
        None for batches of its own. A seed, for a stream of batches that all jobs on the same
        split object with the same seed share: their comparison is fairer, and they are faster.
    start
        Weights by name to begin with; what is not among them is drawn.
    """

    split: Split
    spec: ModelSpec
    config: TrainingConfig
    member: int = 0
    batches: int | None = None
    start: Weights | None = None


@dataclass(frozen=True)
class TrainedNetwork:
    """What became of a job.

    Attributes
    ----------
    weights
        Those that were kept, by name; see `TrainingConfig.patience`.
    history
        A row an evaluation.
    error
        Why it was given up, if it was.
    validation_loss
        Of these weights; infinite where it was not measured.
    """

    weights: Weights
    history: History
    error: ConfigError | None = None
    validation_loss: float = math.inf


class DivergenceError(ConfigError):
    """A training whose loss is no longer finite.

    Attributes
    ----------
    network
        What there was before: the best weights, which are those drawn where `history` is empty.
    """

    def __init__(self, where: str, found: str, *, remedy: str, network: TrainedNetwork) -> None:
        super().__init__(where, found, remedy=remedy)
        self.network = network


def standardise_targets(spec: ModelSpec, train: LabelledSequences) -> ModelSpec:
    """Note mean and standard deviation of regression targets in the spec.

    A task whose known targets are all the same keeps its scale.
    """
    if not spec.is_signal:
        return spec
    centres, scales = [], []
    targets = train.targets if train.profiles is None else train.profiles
    for task in range(len(spec.tasks)):
        column = targets[:, task].ravel().astype(np.float64)
        known = column[~np.isnan(column)]
        centres.append(float(known.mean()) if len(known) else 0.0)
        scales.append((float(known.std()) if len(known) else 0.0) or 1.0)
    return replace(spec, centre=tuple(centres), scale=tuple(scales))


def count_steps(config: TrainingConfig, spec: ModelSpec, split: Split) -> int:
    """Give the steps of a network: those asked for, or as many as suit family and data."""
    return config.steps or choose_steps(split, config.batch_size, passes=spec.config.passes)


def choose_steps(split: Split, batch_size: int, *, passes: int) -> int:
    """Choose so many passes over the training rows, but between 480 and 3000 steps.

    Small data get at most 60 passes: more is learning by heart.
    """
    rows = len(split.train) + split.shuffles * int(split.train.positive.sum())
    wanted, most = (-(-number * rows // batch_size) for number in (passes, 60))
    return min(max(wanted, 480), 3000, most)
