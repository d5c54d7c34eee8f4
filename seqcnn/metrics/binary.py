"""Metrics of two classes, from logits.

A target that is NaN is missing and left out. A metric that the data do not define, such as an
AUROC of one class, is NaN, and None in JSON.
"""

import math
from dataclasses import dataclass

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
    "ScoreGroups",
    "auprc",
    "auroc",
    "evaluate_binary",
    "group_rows",
    "measure_binary",
    "measure_rows",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CALIBRATION_BINS = 15


def evaluate_binary(
    targets: ArrayLike,
    logits: ArrayLike,
    *,
    seed: int,
    resamples: int = 1000,
    threshold: float = 0.0,
) -> dict[str, Estimate]:
    """Measure how well logits tell positives from negatives, with bootstrap intervals.

    Positives and negatives are resampled apart, so that each resample has as many of both.

    Parameters
    ----------
    targets
        Array (n,) of 0 and 1, NaN where missing.
    logits
        Array (n,), positive where the model says yes.
    seed
        Seed of the bootstrap.
    resamples
        Number of bootstrap resamples; 0 for none.
    threshold
        Logit above which a sequence is called positive.

    Returns
    -------
    dict
        ``auroc`` (ties count one half), ``auprc`` (average precision), ``log_loss`` (nats),
        ``f1``, ``precision`` and ``recall`` (at the threshold), ``calibration_error`` (expected,
        in 15 bins of probability).
    """
    groups = _group_scores(*known_rows(targets, logits), threshold)
    distinct = len(groups.probability)
    rng = np.random.default_rng(seed)

    def draw(count: int) -> dict[str, Floats]:
        positives = _draw_counts(groups.of_positives, distinct, count, rng)
        negatives = _draw_counts(groups.of_negatives, distinct, count, rng)
        return _measure_counts(groups, positives, negatives)

    return add_intervals(_measure_groups(groups), draw, groups.size, resamples)


def measure_binary(
    targets: ArrayLike, logits: ArrayLike, *, threshold: float = 0.0
) -> dict[str, float]:
    """Measure what `evaluate_binary` does, without intervals."""
    return _measure_groups(_group_scores(*known_rows(targets, logits), threshold))


def auroc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Measure how often a positive scores above a negative; ties count one half."""
    return measure_binary(targets, scores)["auroc"]


def auprc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Measure average precision: the area in steps under precision against recall."""
    return measure_binary(targets, scores)["auprc"]


@dataclass(frozen=True, slots=True)
class ScoreGroups:
    """Distinct logits, falling; what each means, and who has it."""

    called: int  # how many of the logits say yes
    positive_loss: Floats
    negative_loss: Floats
    probability: Floats
    bin_starts: Integers
    of_positives: Integers  # the group of each positive
    of_negatives: Integers
    of_rows: Integers  # that of each row; a negative's comes after all of the positives

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.of_positives) + len(self.of_negatives)


def _group_scores(targets: Floats, logits: Floats, threshold: float) -> ScoreGroups:
    rising, groups = np.unique(logits, return_inverse=True)
    groups = len(rising) - 1 - groups.reshape(-1)
    distinct = np.ascontiguousarray(rising[::-1])
    probability = 0.5 * (1 + np.tanh(0.5 * distinct))
    bins = np.minimum((probability * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    positive = targets > 0.5
    return ScoreGroups(
        called=int((distinct > threshold).sum()),
        positive_loss=np.logaddexp(0, -distinct),
        negative_loss=np.logaddexp(0, distinct),
        probability=probability,
        bin_starts=np.flatnonzero(np.diff(bins, prepend=-1)),
        of_positives=groups[positive],
        of_negatives=groups[~positive],
        of_rows=np.where(positive, groups, groups + len(distinct)),
    )


def group_rows(targets: ArrayLike, logits: ArrayLike) -> ScoreGroups:
    """Sort the logits (n,) of rows for `measure_rows`; calls are those above 0."""
    return _group_scores(np.asarray(targets, np.float64), np.asarray(logits, np.float64), 0.0)


def measure_rows(groups: ScoreGroups, rows: Integers) -> dict[str, Floats]:
    """Measure resamples given as rows (resamples, n) that may be drawn many times."""
    distinct = len(groups.probability)
    counts = count_rows(groups.of_rows[rows], 2 * distinct)
    return _measure_counts(groups, counts[:, :distinct], counts[:, distinct:])


def _measure_groups(groups: ScoreGroups) -> dict[str, float]:
    size = len(groups.probability)
    positives, negatives = (
        np.bincount(members, minlength=size)[None]
        for members in (groups.of_positives, groups.of_negatives)
    )
    return first_of(_measure_counts(groups, positives, negatives))


def _draw_counts(members: Integers, size: int, count: int, rng: np.random.Generator) -> Integers:
    """Resample members with replacement: how many are drawn of each group (count, size)."""
    if not len(members):
        return np.zeros((count, size), dtype=np.int64)
    drawn = members[rng.integers(0, len(members), (count, len(members)))]
    return count_rows(drawn, size)


def _measure_counts(
    groups: ScoreGroups, positives: Integers, negatives: Integers
) -> dict[str, Floats]:
    """Measure resamples given as counts (resamples, groups) in each group."""
    true_calls, false_calls = positives.cumsum(axis=1), negatives.cumsum(axis=1)
    all_positives, all_negatives = positives.sum(axis=1), negatives.sum(axis=1)
    hits = positives[:, : groups.called].sum(axis=1)
    false_alarms = negatives[:, : groups.called].sum(axis=1)
    losses = np.einsum("rg,g->r", positives, groups.positive_loss)
    losses += np.einsum("rg,g->r", negatives, groups.negative_loss)
    below = all_negatives[:, None] - false_calls + 0.5 * negatives
    precision = true_calls / np.maximum(true_calls + false_calls, 1)
    defined = np.where((all_positives > 0) & (all_negatives > 0), 1.0, math.nan)
    with np.errstate(invalid="ignore"):
        return {
            "auroc": np.einsum("rg,rg->r", positives, below) / (all_positives * all_negatives),
            "auprc": np.einsum("rg,rg->r", positives, precision) / all_positives * defined,
            "log_loss": losses / (all_positives + all_negatives),
            "f1": np.where(all_positives, 2 * hits, math.nan)
            / (hits + false_alarms + all_positives),
            "precision": hits / (hits + false_alarms),
            "recall": hits / all_positives,
            "calibration_error": _measure_calibration(groups, positives, negatives),
        }


def _measure_calibration(groups: ScoreGroups, positives: Integers, negatives: Integers) -> Floats:
    """Average, over bins of probability, how far the share of positives is from it."""
    if not groups.size:
        return np.full(len(positives), math.nan)
    surplus = positives * (1 - groups.probability) - negatives * groups.probability
    gaps = np.abs(np.add.reduceat(surplus, groups.bin_starts, axis=1)).sum(axis=1)
    size = positives.sum(axis=1) + negatives.sum(axis=1)
    return np.asarray(gaps / size, dtype=np.float64)
