"""Metrics of classes that exclude each other, from logits whose softmax is the probability.

Each class is measured against all others, as if it were a task of its own, and all of them
together: accuracy, macro averages (of the classes, alike) and the confusion of one with another.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqcnn.metrics.binary import evaluate_binary, group_rows, measure_rows
from seqcnn.metrics.resampling import Estimate, add_intervals, known_rows

__all__ = ["class_logits", "evaluate_classes", "measure_classes", "softmax"]

Floats = NDArray[np.float64]

_BINS = 15
_AVERAGED = ("auroc", "auprc", "f1")


def softmax(logits: ArrayLike) -> Floats:
    """Turn logits (..., classes) into probabilities that add up to 1."""
    values = np.asarray(logits, dtype=np.float64)
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def class_logits(logits: ArrayLike) -> Floats:
    """Give the logit of each class against all others: the log odds of its softmax (n, classes)."""
    values = np.asarray(logits, dtype=np.float64)
    return np.stack([_against(values, c) for c in range(values.shape[-1])], axis=-1)


def _against(values: Floats, number: int) -> Floats:
    others = np.delete(values, number, axis=-1)
    highest = others.max(axis=-1)
    rest = highest + np.log(np.exp(others - highest[..., None]).sum(axis=-1))
    return np.asarray(values[..., number] - rest)


def _margins(logits: Floats) -> Floats:
    """Give how far each class is above the best other one: above 0 for the class called."""
    columns = [
        logits[:, c] - np.delete(logits, c, axis=1).max(axis=1) for c in range(logits.shape[1])
    ]
    return np.stack(columns, axis=1)


def evaluate_classes(
    targets: ArrayLike,
    logits: ArrayLike,
    *,
    names: Sequence[str],
    seed: int,
    resamples: int = 1000,
) -> dict[str, dict[str, object]]:
    """Measure each class against all others.

    Parameters
    ----------
    targets
        Array (n, classes), 1 in one column; rows of NaN are left out.
    logits
        Array (n, classes).
    names
        Of the classes.
    seed, resamples
        Of the bootstrap.

    Returns
    -------
    dict
        For each class what `evaluate_binary` gives for its log odds; precision, recall and F1 are
        those of calling the likeliest class.
    """
    truth, values = known_rows(targets, logits)
    odds, margins = class_logits(values), _margins(values)
    answer: dict[str, dict[str, object]] = {}
    for number, name in enumerate(names):
        column = truth[:, number]
        estimates = evaluate_binary(column, odds[:, number], seed=seed, resamples=resamples)
        called = evaluate_binary(column, margins[:, number], seed=seed, resamples=resamples)
        estimates |= {key: called[key] for key in ("f1", "precision", "recall")}
        answer[name] = {key: estimate.to_json() for key, estimate in estimates.items()}
        answer[name] |= {"n": len(column), "n_positive": int(column.sum())}
    return answer


def measure_classes(
    targets: ArrayLike,
    logits: ArrayLike,
    *,
    names: Sequence[str],
    seed: int,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Measure all classes together.

    Parameters
    ----------
    targets, logits, names, seed, resamples
        As for `evaluate_classes`; rows are resampled.

    Returns
    -------
    dict
        ``accuracy``, ``macro_auroc``, ``macro_auprc`` and ``macro_f1`` (means over the classes
        that a resample has), ``log_loss`` (nats) and ``calibration_error`` (of the probability of
        the class called, in 15 bins) as ``{"value", "low", "high"}``; ``confusion``, the number
        of sequences by true class and, in it, called class; ``n``.
    """
    truth, values = known_rows(targets, logits)
    own, called = truth.argmax(axis=1), values.argmax(axis=1)
    rng = np.random.default_rng(seed)
    columns = [group_rows(truth[:, c], odds) for c, odds in enumerate(class_logits(values).T)]
    calls = [group_rows(truth[:, c], margin) for c, margin in enumerate(_margins(values).T)]
    hits, losses, surplus, bins = _by_row(own, called, values)

    def measure(rows: NDArray[np.int64]) -> dict[str, Floats]:
        both = [
            (measure_rows(by_odds, rows), measure_rows(by_margin, rows))
            for by_odds, by_margin in zip(columns, calls, strict=True)
        ]
        stacked = {key: np.stack([sides[key == "f1"][key] for sides in both]) for key in _AVERAGED}
        macro = {f"macro_{key}": _mean_of_known(values) for key, values in stacked.items()}
        return {
            "accuracy": hits[rows].mean(axis=1),
            **macro,
            "log_loss": losses[rows].mean(axis=1),
            "calibration_error": np.array([_bin_gaps(surplus[row], bins[row]) for row in rows]),
        }

    def draw(count: int) -> dict[str, Floats]:
        return measure(rng.integers(0, len(truth), (count, len(truth))))

    whole = {key: float(v[0]) for key, v in measure(np.arange(len(truth))[None]).items()}
    estimates: dict[str, Estimate] = add_intervals(whole, draw, len(truth), resamples)
    answer: dict[str, Any] = {key: estimate.to_json() for key, estimate in estimates.items()}
    answer["confusion"] = {
        name: {other: int(((own == i) & (called == j)).sum()) for j, other in enumerate(names)}
        for i, name in enumerate(names)
    }
    answer["n"] = len(truth)
    return answer


def _by_row(
    own: NDArray[np.intp], called: NDArray[np.intp], logits: Floats
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Give of each row: right or wrong, its loss, how far from its confidence, and in which bin."""
    probabilities = softmax(logits)
    rows = np.arange(len(own))
    hits = (own == called).astype(np.float64)
    confidence = probabilities[rows, called]
    losses = -np.log(np.maximum(probabilities[rows, own], np.finfo(np.float64).tiny))
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return hits, losses, hits - confidence, bins


def _bin_gaps(surplus: Floats, bins: NDArray[np.int64]) -> float:
    gaps = np.abs(np.bincount(bins, weights=surplus, minlength=_BINS)).sum()
    return float(gaps / max(len(bins), 1))


def _mean_of_known(values: Floats) -> Floats:
    """Average (classes, resamples) over the classes that a resample has."""
    known = ~np.isnan(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
