"""Metrics of measured values: correlations and the squared error.

A target that is NaN is missing and left out; a correlation of what does not vary is NaN.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqcnn.metrics.resampling import (
    Estimate,
    add_intervals,
    count_rows,
    first_of,
    known_rows,
)

__all__ = [
    "evaluate_regression",
    "measure_regression",
    "measure_values",
    "pearson",
    "rank_groups",
    "spearman",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def evaluate_regression(
    targets: ArrayLike, predictions: ArrayLike, *, seed: int, resamples: int = 1000
) -> dict[str, Estimate]:
    """Measure how well predictions follow measured values, with bootstrap intervals.

    Parameters
    ----------
    targets
        Array (n,), NaN where missing.
    predictions
        Array (n,), in the units of the targets.
    seed
        Seed of the bootstrap.
    resamples
        Number of bootstrap resamples; 0 for none.

    Returns
    -------
    dict
        ``pearson``, ``spearman`` (average ranks) and ``mse``, the mean squared error. Ranks are
        taken anew in each resample.
    """
    observed, predicted = known_rows(targets, predictions)
    rng = np.random.default_rng(seed)
    size = len(observed)
    ranked = rank_groups(observed), rank_groups(predicted)

    def draw(count: int) -> dict[str, Floats]:
        rows = rng.integers(0, size, (count, size))
        return measure_values(observed, predicted, ranked, rows)

    values = first_of(measure_values(observed, predicted, ranked, np.arange(size)[None]))
    return add_intervals(values, draw, size, resamples)


def measure_regression(targets: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """Measure what `evaluate_regression` does, without intervals."""
    estimates = evaluate_regression(targets, predictions, seed=0, resamples=0)
    return {name: estimate.value for name, estimate in estimates.items()}


def pearson(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Measure the linear correlation; NaN where one side does not vary."""
    return measure_regression(targets, predictions)["pearson"]


def spearman(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Measure the correlation of average ranks; NaN where one side does not vary."""
    return measure_regression(targets, predictions)["spearman"]


def rank_groups(values: Floats) -> Integers:
    """Give each value the number of its place among the distinct ones."""
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def measure_values(
    observed: Floats, predicted: Floats, ranked: tuple[Integers, Integers], rows: Integers
) -> dict[str, Floats]:
    """Measure resamples given as indices (resamples, n)."""
    if not rows.size:
        return dict.fromkeys(("pearson", "spearman", "mse"), np.full(len(rows), math.nan))
    ranks = [_rank_rows(groups, rows) for groups in ranked]
    return {
        "pearson": _correlate_rows(observed[rows], predicted[rows]),
        "spearman": _correlate_rows(*ranks),
        "mse": ((observed - predicted) ** 2)[rows].mean(axis=1),
    }


def _rank_rows(groups: Integers, rows: Integers) -> Floats:
    """Give the average rank of each drawn value within its resample."""
    drawn = groups[rows]
    counts = count_rows(drawn, int(groups.max()) + 1)
    ranks = counts.cumsum(axis=1) - 0.5 * (counts - 1)
    return np.take_along_axis(ranks, drawn, axis=1)


def _correlate_rows(left: Floats, right: Floats) -> Floats:
    varied = (np.ptp(left, axis=1) > 0) & (np.ptp(right, axis=1) > 0)
    left, right = (side - side.mean(axis=1, keepdims=True) for side in (left, right))
    covariance = np.einsum("rn,rn->r", left, right)
    spread = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.where(varied, covariance / np.where(varied, spread, 1.0), math.nan)
