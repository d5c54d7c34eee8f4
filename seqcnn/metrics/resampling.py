"""Values with 95 % percentile bootstrap intervals: what all metrics share.

Every metric is first written for many resamples at once; the value itself is the case of one
resample that is the data.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqcnn.errors import SeqcnnError

__all__ = ["Estimate", "add_intervals", "count_rows", "first_of", "known_rows"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_BLOCK = 1 << 15
"""Values of resamples held at a time: what a core's cache holds."""

_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the ends of its 95 % interval; NaN where the data do not define it."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Spell the estimate for JSON, with None for NaN."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {key: None if math.isnan(end) else end for key, end in ends.items()}


def known_rows(targets: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    """Leave out what has no target: of a task (n,), or of classes (n, classes).

    Raises
    ------
    SeqcnnError
        For predictions that are not finite.
    """
    truth = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(truth) if truth.ndim == 1 else ~np.isnan(truth).any(axis=1)
    kept = np.asarray(predictions, dtype=np.float64)[known]
    wrong = int((~np.isfinite(kept)).sum())
    if wrong:
        raise SeqcnnError(
            "predictions",
            f"{wrong} of {len(kept)} are not finite numbers",
            remedy="train again with a lower learning rate, or on another device",
        )
    return truth[known], kept


def first_of(measured: Mapping[str, Floats]) -> dict[str, float]:
    """Give what was measured of the first resample."""
    return {name: float(values[0]) for name, values in measured.items()}


def add_intervals(
    values: Mapping[str, float],
    draw: Callable[[int], dict[str, Floats]],
    size: int,
    resamples: int,
) -> dict[str, Estimate]:
    """Draw the resamples in blocks that bound the memory, and take percentiles."""
    step = max(1, _BLOCK // max(size, 1))
    counts = [min(step, resamples - done) for done in range(0, resamples if size else 0, step)]
    drawn = [draw(count) for count in counts]
    return {
        name: Estimate(value, *_percentiles([block[name] for block in drawn]))
        for name, value in values.items()
    }


def _percentiles(blocks: Sequence[Floats]) -> tuple[float, float]:
    values = np.concatenate([*blocks, np.empty(0)])
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, _INTERVAL)
    return float(low), float(high)


def count_rows(groups: Integers, size: int) -> Integers:
    """Count the members of each of `size` groups, in each row of numbers of groups."""
    rows = len(groups)
    flat = (groups + np.arange(rows)[:, None] * size).ravel()
    return np.bincount(flat, minlength=rows * size).reshape(rows, size)
