"""How networks are trained: the numbers of a run, and rate and momentum of every step."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split

__all__ = [
    "OPTIMISERS",
    "History",
    "TrainedNetwork",
    "TrainingConfig",
    "TrainingJob",
    "Weights",
    "choose_steps",
    "plan_steps",
    "standardise_targets",
]

Doubles = NDArray[np.float64]
Weights = dict[str, NDArray[np.float32]]
History = list[dict[str, float]]
"""One mapping an evaluation: member, step, learning_rate, train_loss, validation_loss."""

OPTIMISERS = ("adamw", "sgd")
_FIRST_SHARE, _LAST_SHARE = 1 / 25, 1 / 25e4
_LEAST_MOMENTUM, _MOST_MOMENTUM = 0.85, 0.95


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
        Highest rate of the cycle; with ``sgd`` the rate of all steps.
    weight_decay
        Decay of matrices; biases and normalisation have none. AdamW's is apart from the
        gradient, SGD's is part of it.
    warmup
        Share of the steps in which the rate rises.
    clip
        Largest norm of the gradient.
    evaluations
        How many times the validation loss is measured.
    patience
        Evaluations without improvement after which training stops.
    members
        Networks of the ensemble.
    seed
        Seed of weights, batches, shuffles and dropout; member i has a stream of its own.
    optimiser
        ``adamw`` with one cycle of the rate, or ``sgd`` with Nesterov's momentum and one rate,
        as DeepBind was trained.
    momentum
        Of ``sgd``; AdamW's runs against the rate between 0.85 and 0.95.
    """

    steps: int = 0
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.15
    clip: float = 5.0
    evaluations: int = 20
    patience: int = 10
    members: int = 1
    seed: int = 0
    optimiser: str = "adamw"
    momentum: float = 0.95

    def __post_init__(self) -> None:
        """Refuse an optimiser that is not there."""
        if self.optimiser not in OPTIMISERS:
            expected = " or ".join(OPTIMISERS)
            raise ConfigError("optimiser", repr(self.optimiser), expected=expected)


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
    """

    split: Split
    spec: ModelSpec
    config: TrainingConfig
    member: int = 0
    batches: int | None = None


@dataclass(frozen=True)
class TrainedNetwork:
    """What became of a job.

    Attributes
    ----------
    weights
        Those with the lowest validation loss, by name.
    history
        A row an evaluation.
    error
        Why it was given up, if it was.
    """

    weights: Weights
    history: History
    error: ConfigError | None = None

    @property
    def validation_loss(self) -> float:
        """The lowest one."""
        return min((row["validation_loss"] for row in self.history), default=math.inf)


def standardise_targets(spec: ModelSpec, train: LabelledSequences) -> ModelSpec:
    """Note mean and standard deviation of regression targets in the spec.

    A task whose known targets are all the same keeps its scale.
    """
    if spec.task_kind != "regression":
        return spec
    centres, scales = [], []
    for column in train.targets.astype(np.float64).T:
        known = column[~np.isnan(column)]
        centres.append(float(known.mean()) if len(known) else 0.0)
        scales.append((float(known.std()) if len(known) else 0.0) or 1.0)
    return replace(spec, centre=tuple(centres), scale=tuple(scales))


def choose_steps(split: Split, batch_size: int) -> int:
    """Choose five passes over the training rows, between 480 and 2000 steps.

    Small data get at most 60 passes: more is learning by heart.
    """
    rows = len(split.train) + split.shuffles * int(split.train.positive.sum())
    return min(int(np.clip(_steps(5, rows, batch_size), 480, 2000)), _steps(60, rows, batch_size))


def _steps(passes: int, rows: int, batch_size: int) -> int:
    return -(-passes * rows // batch_size)


def plan_steps(config: TrainingConfig) -> tuple[Doubles, Doubles]:
    """Give learning rate and momentum of each step.

    AdamW's rate follows one cycle: from a 25th of the highest rate up to it in the warm-up, and
    down to nearly nothing, each along half a cosine; its momentum runs against the rate.

    References
    ----------
    Smith and Topin 2017, arXiv:1708.07120
    """
    if config.optimiser == "sgd":
        return np.full(config.steps, config.learning_rate), np.full(config.steps, config.momentum)
    last = max(config.steps, 2) - 1
    peak = (config.warmup + 1e-9) * (last + 1) - 1  # of exactly one step, it must not be 0
    step = np.arange(config.steps, dtype=np.float64)
    rising = step <= peak
    share = np.where(rising, step / peak, (step - peak) / max(last - peak, 1e-12))
    swing = (1 + np.cos(np.pi * share)) / 2  # 1 at the beginning of a phase, 0 at its end
    start = np.where(rising, _FIRST_SHARE, 1.0)
    end = np.where(rising, 1.0, _LAST_SHARE)
    rates = config.learning_rate * (end + (start - end) * swing)
    start = np.where(rising, _MOST_MOMENTUM, _LEAST_MOMENTUM)
    end = np.where(rising, _LEAST_MOMENTUM, _MOST_MOMENTUM)
    return rates, end + (start - end) * swing
