"""Points of receiver operating characteristics and precision-recall curves, ready to plot."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["precision_recall_curve", "roc_curve"]

_MOST_POINTS = 500

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
