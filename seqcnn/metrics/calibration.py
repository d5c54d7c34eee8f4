"""How far probabilities can be believed, and what makes them right.

References
----------
Guo et al. 2017, arXiv:1706.04599 (temperature scaling, expected calibration error)
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "choose_threshold",
    "fit_class_temperature",
    "fit_temperature",
    "reliability_curve",
]

Floats = NDArray[np.float64]

_BINS = 15
_PRIOR_SD = 0.7
"""Of the logarithm of a temperature: a factor of two. Few or perfectly told labels would
otherwise ask for logits without end."""

_REACH = np.log(20.0)
_HALVINGS = 60


def _take_known(targets: ArrayLike, logits: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Take the rows of which all targets are known: which are positive, and their logits."""
    truth = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(truth).any(axis=tuple(range(1, truth.ndim)))
    return truth[known] > 0.5, np.asarray(logits, dtype=np.float64)[known]


def fit_temperature(targets: ArrayLike, logits: ArrayLike) -> float:
    """Find the temperature that logits of two classes are to be divided by.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    logits
        Array (n,).

    Returns
    -------
    float
        That with the lowest log loss, the more strongly drawn to 1 the fewer the labels; 1 where
        a class is absent.
    """
    positive, values = _take_known(targets, logits)
    if not positive.any() or positive.all():
        return 1.0
    signed = np.where(positive, -values, values)

    def slope(scale: float) -> float:
        """Give the slope of the log loss by the scale."""
        return float((signed * 0.5 * (1 + np.tanh(0.5 * scale * signed))).sum())

    return _find_temperature(slope)


def fit_class_temperature(targets: ArrayLike, logits: ArrayLike) -> float:
    """Find the temperature of classes that exclude each other.

    Parameters
    ----------
    targets
        Array (n, classes), 1 in one column; rows of NaN are left out.
    logits
        Array (n, classes).
    """
    own, values = _take_known(targets, logits)
    if len(values) == 0:
        return 1.0
    values = values - values[own][:, None]  # the true class's is 0

    def slope(scale: float) -> float:
        raised = np.exp(scale * (values - values.max(axis=1, keepdims=True)))
        shares = raised / raised.sum(axis=1, keepdims=True)
        return float((shares * values).sum())

    return _find_temperature(slope)


def _find_temperature(slope: Callable[[float], float]) -> float:
    """Halve the range of the logarithm of the scale until loss and prior are in balance.

    The loss is convex in the scale, and its slope times the scale is that by the logarithm.
    """
    low, high = -_REACH, _REACH
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        scale = float(np.exp(middle))
        if scale * slope(scale) + middle / _PRIOR_SD**2 > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def choose_threshold(targets: ArrayLike, logits: ArrayLike) -> float:
    """Choose the logit above which to call a sequence positive, so that F1 is highest.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    logits
        Array (n,).

    Returns
    -------
    float
        Halfway between the last logit that is called and the first that is not; where all are
        called, one below the lowest; 0 where a class is absent.
    """
    positive, values = _take_known(targets, logits)
    if not positive.any() or positive.all():
        return 0.0
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    lasts = np.flatnonzero(np.diff(falling, append=-np.inf) != 0)
    hits = np.cumsum(positive[order])[lasts]
    f1 = 2 * hits / (lasts + 1 + positive.sum())
    best = int(f1.argmax())
    called = falling[lasts[best]]
    if best + 1 == len(lasts):
        return float(called - 1)
    return float((called + falling[lasts[best] + 1]) / 2)


def reliability_curve(
    targets: ArrayLike, probabilities: ArrayLike
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Hold the probabilities that were told against what came true, in 15 bins.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    probabilities
        Array (n,).

    Returns
    -------
    tuple
        Of each bin that is not empty: mean probability, share of positives, number of sequences.
    """
    truth = np.asarray(targets, dtype=np.float64).ravel()
    known = ~np.isnan(truth)
    told, came = np.asarray(probabilities, dtype=np.float64).ravel()[known], truth[known] > 0.5
    bins = np.minimum((told * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = np.flatnonzero(counts)
    sums = [np.bincount(bins, weights=w, minlength=_BINS)[filled] for w in (told, came)]
    return sums[0] / counts[filled], sums[1] / counts[filled], counts[filled]
