"""The simplest models there are: what composition or length alone would reach.

A network that is hardly better than these has learned how its negatives were made, not a motif.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.errors import ModelFileError
from seqcnn.metrics.evaluation import TaskKind

__all__ = [
    "Baseline",
    "fit_composition_baseline",
    "fit_length_baseline",
    "predict_baseline",
]

BaselineName = Literal["composition", "length"]

Floats = NDArray[np.float64]

_BLOCK = 1 << 20
"""Bases counted at a time."""

_RIDGE = 1.0
"""Penalty on half the squared weights of standardised features, in units of one sequence."""

_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Baseline:
    """Linear scores of composition or of length, a column of weights for each task.

    Parameters
    ----------
    name
        ``composition`` or ``length``.
    centre, scale
        Mean and standard deviation of each feature in the training data (features,).
    weights
        Weights of the standardised features (features + 1, tasks); the last row is the
        intercept.
    """

    name: BaselineName
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]

    def to_json(self) -> dict[str, object]:
        """Spell the baseline for JSON."""
        return {
            "name": self.name,
            "centre": list(self.centre),
            "scale": list(self.scale),
            "weights": [list(row) for row in self.weights],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Baseline":
        """Build the baseline that `to_json` spelled.

        Raises
        ------
        ModelFileError
            If the values are no baseline.
        """
        try:
            features = _FEATURE_COUNTS[values["name"]]
            centre, scale = (_real_row(values[key], features) for key in ("centre", "scale"))
            rows = values["weights"]
            weights = tuple(_real_row(row, len(rows[0])) for row in rows)
            if len(weights) != features + 1:
                raise ValueError
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            raise ModelFileError(
                "baseline",
                "values that are no baseline",
                expected="name, centre, scale and weights",
                remedy="train the model again",
            ) from None
        return cls(values["name"], centre, scale, weights)


_FEATURE_COUNTS = {"composition": 20, "length": 1}


def _real_row(values: Sequence[float], size: int) -> tuple[float, ...]:
    row = tuple(float(value) for value in values)
    if len(row) != size or not np.isfinite(row).all():
        raise ValueError
    return row


def fit_composition_baseline(codes: Codes, targets: ArrayLike, kind: TaskKind) -> Baseline:
    """Fit a linear model of mono- and dinucleotide frequencies.

    Parameters
    ----------
    codes
        Training sequences (n, length); N is left out of the frequencies.
    targets
        Array (n, tasks), NaN where missing.
    kind
        ``regression`` for ridge regression, else logistic regression with a small ridge.
    """
    return _fit_baseline("composition", codes, targets, kind)


def fit_length_baseline(codes: Codes, targets: ArrayLike, kind: TaskKind) -> Baseline:
    """Fit a linear model of the number of known bases.

    Parameters
    ----------
    codes
        Training sequences (n, length), shorter ones filled up with N.
    targets
        Array (n, tasks), NaN where missing.
    kind
        ``regression`` for ridge regression, else logistic regression with a small ridge.
    """
    return _fit_baseline("length", codes, targets, kind)


def predict_baseline(baseline: Baseline, codes: Codes) -> Floats:
    """Score sequences (n, length) by a baseline: logits, or values for regression (n, tasks)."""
    features = _measure_features(baseline.name, codes)
    weights = np.array(baseline.weights)
    standardised = (features - baseline.centre) / baseline.scale
    return np.asarray(standardised @ weights[:-1] + weights[-1], dtype=np.float64)


def _fit_baseline(name: BaselineName, codes: Codes, targets: ArrayLike, kind: TaskKind) -> Baseline:
    features = _measure_features(name, codes)
    centre = features.mean(axis=0) if len(features) else np.zeros(features.shape[1])
    scale = features.std(axis=0) if len(features) else np.ones(features.shape[1])
    scale = np.where(scale > 1e-12, scale, 1.0)  # a constant feature has no say
    design = np.column_stack([(features - centre) / scale, np.ones(len(features))])
    fit = _fit_ridge if kind == "regression" else _fit_logistic
    columns = []
    for target in np.asarray(targets, dtype=np.float64).T:
        known = ~np.isnan(target)
        columns.append(fit(design[known], target[known]))
    rows = np.column_stack(columns).tolist()
    return Baseline(
        name, tuple(centre.tolist()), tuple(scale.tolist()), tuple(tuple(row) for row in rows)
    )


def _measure_features(name: BaselineName, codes: Codes) -> Floats:
    if name == "length":
        return np.asarray((codes < UNKNOWN).sum(axis=1, keepdims=True), dtype=np.float64)
    features = np.empty((len(codes), _FEATURE_COUNTS[name]))
    rows = max(1, _BLOCK // max(codes.shape[1], 1))
    for start in range(0, len(codes), rows):
        block = codes[start : start + rows].astype(np.int64)
        letters = _count_by_row(block, 5)[:, :4]
        pairs = _count_by_row(5 * block[:, :-1] + block[:, 1:], 25)
        pairs = pairs.reshape(-1, 5, 5)[:, :4, :4].reshape(-1, 16)
        features[start : start + rows] = np.hstack([_to_shares(letters), _to_shares(pairs)])
    return features


def _count_by_row(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    flat = values + np.arange(len(values))[:, None] * size
    return np.bincount(flat.ravel(), minlength=len(values) * size).reshape(-1, size)


def _to_shares(counts: NDArray[np.int64]) -> Floats:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _penalties(design: Floats) -> Floats:
    """Give the ridge of each weight: none for the intercept, but enough to solve for it."""
    return np.append(np.full(design.shape[1] - 1, _RIDGE), 1e-9)


def _fit_ridge(design: Floats, targets: Floats) -> Floats:
    weights = np.linalg.solve(design.T @ design + np.diag(_penalties(design)), design.T @ targets)
    return np.asarray(weights, dtype=np.float64)


def _fit_logistic(design: Floats, targets: Floats) -> Floats:
    """Fit by Newton's method; a step that makes things worse is halved."""
    weights = np.zeros(design.shape[1])
    positive = targets > 0.5
    if positive.all() or not positive.any():
        return weights
    penalties = _penalties(design)

    def loss(trial: Floats) -> float:
        signed = np.where(positive, -1.0, 1.0) * (design @ trial)
        return float(np.logaddexp(0, signed).sum() + 0.5 * penalties @ trial**2)

    for _ in range(_NEWTON_STEPS):
        probability = 0.5 * (1 + np.tanh(0.5 * design @ weights))
        gradient = design.T @ (probability - positive) + penalties * weights
        variance = (probability * (1 - probability))[:, None]
        step = np.linalg.solve(design.T @ (design * variance) + np.diag(penalties), gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step /= 2
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights
