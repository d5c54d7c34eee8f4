"""Rate and momentum of every step of a training."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.training.config import TrainingConfig

__all__ = ["SCHEDULES", "Schedule", "plan_steps", "read_schedule"]

Doubles = NDArray[np.float64]

SCHEDULES: dict[str, tuple[float, ...]] = {
    "one-cycle": (),
    "constant": (),
    "inverse": (1.0,),
    "exponential": (0.95,),
    "root": (1.0,),
    "staircase": (0.5, 2.0),
    "cosine": (),
    "plateau": (0.3, 3.0),
}
"""Each schedule with its numbers, as they are where none is given."""

_FIRST_SHARE, _LAST_SHARE = 1 / 25, 1 / 25e4
_LEAST_MOMENTUM, _MOST_MOMENTUM = 0.85, 0.95


@dataclass(frozen=True)
class Schedule:
    """A schedule's name and numbers."""

    name: str
    numbers: tuple[float, ...]

    @property
    def ends_low(self) -> bool:
        """Whether the rate falls to nearly 0 at the last step, however many they are."""
        return self.name in ("one-cycle", "cosine")

    def lower_after(self) -> tuple[float, int]:
        """Give the factor of the rate on a plateau, and the evaluations that make one; or 1, 0."""
        if self.name != "plateau":
            return 1.0, 0
        return self.numbers[0], int(self.numbers[1])


def read_schedule(text: str) -> Schedule:
    """Read ``NAME``, ``NAME:NUMBER`` or ``NAME:NUMBER:NUMBER``.

    The highest rate times, with the epochs (passes over the data) from 0:

    - ``one-cycle``: from 1/25 up to 1, and down to nearly 0, each along half a cosine;
    - ``constant``: 1;
    - ``inverse:DECAY``: 1 / (1 + DECAY epoch);
    - ``exponential:FACTOR``: FACTOR ^ epoch;
    - ``root:K``: K / sqrt(epoch + 1);
    - ``staircase:FACTOR:EPOCHS``: FACTOR ^ (epoch / EPOCHS, rounded down);
    - ``cosine``: from 1 to 0 along half a cosine;
    - ``plateau:FACTOR:EVALUATIONS``: times FACTOR whenever the validation loss has not become
      lower in so many evaluations.

    Raises
    ------
    ConfigError
        For a schedule that is not there, or numbers that do not fit.
    """
    name, *words = text.split(":")
    if name not in SCHEDULES:
        raise ConfigError("schedule", repr(name), expected=f"one of {', '.join(SCHEDULES)}")
    defaults = SCHEDULES[name]
    try:
        given = tuple(float(word) for word in words)
    except ValueError:
        given = (-1.0,)
    if len(given) > len(defaults) or not all(0 < number < 1e6 for number in given):
        example = ":".join([name, *(f"{number:g}" for number in defaults)])
        raise ConfigError("schedule", repr(text), expected=f"positive numbers, as in {example}")
    numbers = given + defaults[len(given) :]
    if name == "plateau" and numbers[1] < 1:
        raise ConfigError("schedule", repr(text), expected="at least 1 evaluation")
    return Schedule(name, numbers)


def plan_steps(config: "TrainingConfig", *, rows: int) -> tuple[Doubles, Doubles]:
    """Give learning rate and momentum of each step.

    Parameters
    ----------
    config
        With its number of steps.
    rows
        Sequences of an epoch.

    References
    ----------
    Smith and Topin 2017, arXiv:1708.07120 (one cycle)
    """
    schedule = read_schedule(config.schedule)
    if schedule.name == "one-cycle":
        rates, momenta = _plan_cycle(config)
        return rates, momenta if config.first_momentum else np.zeros_like(momenta)
    step = np.arange(config.steps, dtype=np.float64)
    epoch = step * config.batch_size // max(rows, 1)
    shares = _shares(schedule, epoch, step / max(config.steps, 1))
    return config.learning_rate * shares, np.full(config.steps, config.first_momentum)


def _shares(schedule: Schedule, epoch: Doubles, progress: Doubles) -> Doubles:
    numbers = schedule.numbers
    if schedule.name == "inverse":
        return 1 / (1 + numbers[0] * epoch)
    if schedule.name == "exponential":
        return np.asarray(numbers[0] ** epoch)
    if schedule.name == "root":
        return numbers[0] / np.sqrt(epoch + 1)
    if schedule.name == "staircase":
        return np.asarray(numbers[0] ** (epoch // numbers[1]))
    if schedule.name == "cosine":
        return (1 + np.cos(np.pi * progress)) / 2
    return np.ones_like(progress)


def _plan_cycle(config: "TrainingConfig") -> tuple[Doubles, Doubles]:
    """Let the rate rise in the warm-up and fall then; the momentum runs against it."""
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
