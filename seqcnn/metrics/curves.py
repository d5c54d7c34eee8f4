"""Points of receiver operating characteristics and precision-recall curves, ready to plot."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["curve_bands", "precision_recall_curve", "roc_curve"]

_MOST_POINTS = 500
_GRID = np.linspace(0, 1, 51)
_RESAMPLES = 200
_INTERVAL = (2.5, 97.5)

Floats = NDArray[np.float64]


def roc_curve(targets: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Trace the share of positives found against the share of negatives taken for positives.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    scores
        Array (n,), larger for positives.

    Returns
    -------
    tuple of NDArray
        False and true positive rate, from 0 to 1, at most 500 points each; empty where a class
        is absent.
    """
    positives, negatives = _count_calls(targets, scores)
    if not (len(positives) and positives[-1] and negatives[-1]):
        return np.empty(0), np.empty(0)
    points = _thin(len(positives))
    return (
        np.append(0.0, (negatives / negatives[-1])[points]),
        np.append(0.0, (positives / positives[-1])[points]),
    )


def precision_recall_curve(targets: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Trace the share of true calls among all calls against the share of positives found.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    scores
        Array (n,), larger for positives.

    Returns
    -------
    tuple of NDArray
        Recall, rising from 0 to 1, and precision, at most 500 points each; empty where a class
        is absent.
    """
    positives, negatives = _count_calls(targets, scores)
    if not (len(positives) and positives[-1] and negatives[-1]):
        return np.empty(0), np.empty(0)
    points = _thin(len(positives))
    recall = (positives / positives[-1])[points]
    precision = (positives / (positives + negatives))[points]
    return np.append(0.0, recall), np.append(precision[0], precision)


def curve_bands(
    targets: ArrayLike, scores: ArrayLike, *, seed: int
) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:
    """Find where the curves lie in 95 % of the resamples, at 51 places.

    Positives and negatives are resampled apart, 200 times.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    scores
        Array (n,), larger for positives.
    seed
        Seed of the resamples.

    Returns
    -------
    tuple
        Of the receiver operating characteristic, and of precision against recall: places, lower
        end, upper end; all empty where a class is absent.
    """
    truth = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(truth)
    positive, values = truth[known] > 0.5, np.asarray(scores, dtype=np.float64)[known]
    sides = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    if not (len(sides[0]) and len(sides[1])):
        nothing = (np.empty(0), np.empty(0), np.empty(0))
        return nothing, nothing
    rng = np.random.default_rng(seed)
    rates, precisions = [], []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([side[rng.integers(0, len(side), len(side))] for side in sides])
        found, wrong = _count_calls(positive[drawn], values[drawn])
        recall = found / found[-1]
        fall_out = np.append(0.0, wrong / wrong[-1])
        rates.append(np.interp(_GRID, fall_out, np.append(0.0, recall)))
        # The precision that a recall has is that of the first threshold which reaches it.
        first = np.minimum(np.searchsorted(recall, _GRID - 1e-12), len(recall) - 1)
        precisions.append((found / (found + wrong))[first])
    return _band(rates), _band(precisions)


def _band(curves: list[Floats]) -> tuple[Floats, Floats, Floats]:
    low, high = np.percentile(np.array(curves), _INTERVAL, axis=0)
    return _GRID, low, high


def _count_calls(
    targets: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count positives and negatives at or above each distinct score, from the highest."""
    truth = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(truth)
    positive, values = truth[known] > 0.5, np.asarray(scores, dtype=np.float64)[known]
    order = np.argsort(-values, kind="stable")
    lasts = np.flatnonzero(np.diff(values[order], append=np.nan) != 0)
    found = np.cumsum(positive[order], dtype=np.int64)[lasts]
    return found, np.asarray(lasts + 1 - found, dtype=np.int64)


def _thin(count: int) -> NDArray[np.int64]:
    """Choose the points to keep, evenly, the first and the last among them."""
    even = np.linspace(0, count - 1, min(count, _MOST_POINTS - 1))
    return np.round(even).astype(np.int64)
