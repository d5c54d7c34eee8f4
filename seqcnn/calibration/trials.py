"""Trials: settings that were tried, and what cross-validation made of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcnn.calibration.priors import Settings
from seqcnn.errors import ConfigError
from seqcnn.training import TrainedNetwork

__all__ = ["Trial", "choose_best", "judge_trial"]


@dataclass(frozen=True)
class Trial:
    """One setting, trained once on each fold's training rows.

    Attributes
    ----------
    number
        From 1.
    settings
        What was drawn.
    budget
        Steps that its networks were trained for.
    steps
        Steps with which the setting is a candidate.
    losses
        Loss of each fold's held-out rows after so many steps; NaN where training broke down.
    seconds
        What its networks took of one thread.
    """

    number: int
    settings: Settings
    budget: int
    steps: int
    losses: tuple[float, ...]
    seconds: float

    @property
    def score(self) -> float:
        """The mean loss over the folds, which is to be low; NaN where training broke down."""
        return float(np.mean(self.losses))


def judge_trial(
    number: int,
    settings: Settings,
    networks: Sequence[TrainedNetwork],
    *,
    budget: int,
    checkpoints: bool,
    seconds: float,
) -> Trial:
    """Sum up what became of a setting's networks, one a fold.

    Each evaluation on the way is a candidate: that with the lowest mean loss counts.

    Parameters
    ----------
    number, settings, budget, seconds
        See `Trial`.
    networks
        In the order of the folds.
    checkpoints
        Whether training could as well have ended at an evaluation: not where the learning rate
        depends on the steps to come, where the candidate is the whole training.
    """
    curves = [{int(row["step"]): row["validation_loss"] for row in n.history} for n in networks]
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    means = [float(np.mean([curve[step] for curve in curves])) for step in common]
    broken = any(network.error for network in networks)
    if not common or (broken and not checkpoints):
        return Trial(number, settings, budget, budget, (math.nan,) * len(networks), seconds)
    steps = common[int(np.argmin(means)) if checkpoints else -1]
    # Written with six digits, and chosen by what is written: so a table read again chooses alike.
    losses = tuple(float(f"{curve[steps]:.6g}") for curve in curves)
    return Trial(number, settings, budget, steps if checkpoints else budget, losses, seconds)


def choose_best(trials: Sequence[Trial]) -> Trial:
    """Choose the trial with the lowest score, of equal ones the first.

    Raises
    ------
    ConfigError
        When the training of all of them broke down.
    """
    sound = [trial for trial in trials if math.isfinite(trial.score)]
    if not sound:
        raise ConfigError(
            "calibration",
            f"the training of all {len(trials)} trials broke down",
            expected="at least one whose loss stays a finite number",
            remedy="lower the learning rates of --priors, or look for extreme targets",
        )
    return min(sound, key=lambda trial: (trial.score, trial.number))
