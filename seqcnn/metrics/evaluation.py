"""Metrics of one task or of many, each with a 95 % percentile bootstrap interval.

Every metric is first written for many resamples at once; the value itself is the case of one
resample that is the data. A target that is NaN is missing and left out. A metric that the data
do not define, such as an AUROC of one class, is NaN, and None in JSON.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqcnn.errors import SeqcnnError

__all__ = [
    "Estimate",
    "TaskKind",
    "auprc",
    "auroc",
    "evaluate_binary",
    "evaluate_regression",
    "evaluate_tasks",
    "measure_binary",
    "measure_regression",
    "pearson",
    "spearman",
]

TaskKind = Literal["binary", "multilabel", "multiclass", "regression", "profile"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_BLOCK = 1 << 15
"""Values of resamples held at a time: what a core's cache holds."""

_CALIBRATION_BINS = 15
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


def evaluate_binary(
    targets: ArrayLike, logits: ArrayLike, *, seed: int, resamples: int = 1000
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

    Returns
    -------
    dict
        ``auroc`` (ties count one half), ``auprc`` (average precision), ``log_loss`` (nats),
        ``f1``, ``precision`` and ``recall`` (at logit 0), ``calibration_error`` (expected, in 15
        bins of probability).
    """
    groups = _group_scores(*_known(targets, logits))
    distinct = len(groups.probability)
    rng = np.random.default_rng(seed)

    def draw(count: int) -> dict[str, Floats]:
        positives = _draw_counts(groups.of_positives, distinct, count, rng)
        negatives = _draw_counts(groups.of_negatives, distinct, count, rng)
        return _measure_counts(groups, positives, negatives)

    return _add_intervals(_measure_groups(groups), draw, groups.size, resamples)


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
    observed, predicted = _known(targets, predictions)
    rng = np.random.default_rng(seed)
    size = len(observed)
    ranked = _rank_groups(observed), _rank_groups(predicted)

    def draw(count: int) -> dict[str, Floats]:
        rows = rng.integers(0, size, (count, size))
        return _measure_rows(observed, predicted, ranked, rows)

    values = _first(_measure_rows(observed, predicted, ranked, np.arange(size)[None]))
    return _add_intervals(values, draw, size, resamples)


def evaluate_tasks(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    task_names: Sequence[str],
    kind: TaskKind,
    seed: int,
    resamples: int = 1000,
) -> dict[str, dict[str, object]]:
    """Evaluate each task, as ``metrics.json`` has it.

    Parameters
    ----------
    targets
        Array (n, tasks), NaN where missing.
    predictions
        Array (n, tasks): logits, or for regression values in the units of the targets.
    task_names
        Name of each column.
    kind
        What the tasks are.
    seed
        Seed of the bootstrap; a task's interval does not depend on the tasks beside it.
    resamples
        Number of bootstrap resamples; 0 for none.

    Returns
    -------
    dict
        For each task the metrics as ``{"value", "low", "high"}``, the number ``n`` of known
        targets and, unless it is a regression, ``n_positive``. Ready for JSON.
    """
    evaluate = evaluate_regression if kind == "regression" else evaluate_binary
    answer: dict[str, dict[str, object]] = {}
    columns = zip(task_names, np.asarray(targets).T, np.asarray(predictions).T, strict=True)
    for name, target, prediction in columns:
        estimates = evaluate(target, prediction, seed=seed, resamples=resamples)
        answer[name] = {metric: estimate.to_json() for metric, estimate in estimates.items()}
        answer[name]["n"] = int((~np.isnan(target)).sum())
        if kind != "regression":
            answer[name]["n_positive"] = int((target > 0.5).sum())
    return answer


def measure_binary(targets: ArrayLike, logits: ArrayLike) -> dict[str, float]:
    """Measure what `evaluate_binary` does, without intervals."""
    return _measure_groups(_group_scores(*_known(targets, logits)))


def measure_regression(targets: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """Measure what `evaluate_regression` does, without intervals."""
    estimates = evaluate_regression(targets, predictions, seed=0, resamples=0)
    return {name: estimate.value for name, estimate in estimates.items()}


def auroc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Measure how often a positive scores above a negative; ties count one half."""
    return measure_binary(targets, scores)["auroc"]


def auprc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Measure average precision: the area in steps under precision against recall."""
    return measure_binary(targets, scores)["auprc"]


def pearson(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Measure the linear correlation; NaN where one side does not vary."""
    return measure_regression(targets, predictions)["pearson"]


def spearman(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Measure the correlation of average ranks; NaN where one side does not vary."""
    return measure_regression(targets, predictions)["spearman"]


def _known(targets: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    truth = np.asarray(targets, dtype=np.float64)
    known = ~np.isnan(truth)
    kept = np.asarray(predictions, dtype=np.float64)[known]
    wrong = int((~np.isfinite(kept)).sum())
    if wrong:
        raise SeqcnnError(
            "predictions",
            f"{wrong} of {len(kept)} are not finite numbers",
            remedy="train again with a lower learning rate, or on another device",
        )
    return truth[known], kept


def _first(measured: Mapping[str, Floats]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in measured.items()}


def _add_intervals(
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


@dataclass(frozen=True, slots=True)
class _ScoreGroups:
    """Distinct logits, falling; what each means, and who has it."""

    called: int  # how many of the logits say yes
    positive_loss: Floats
    negative_loss: Floats
    probability: Floats
    bin_starts: Integers
    of_positives: Integers  # the group of each positive
    of_negatives: Integers

    @property
    def size(self) -> int:
        return len(self.of_positives) + len(self.of_negatives)


def _group_scores(targets: Floats, logits: Floats) -> _ScoreGroups:
    rising, groups = np.unique(logits, return_inverse=True)
    groups = len(rising) - 1 - groups.reshape(-1)
    distinct = np.ascontiguousarray(rising[::-1])
    probability = 0.5 * (1 + np.tanh(0.5 * distinct))
    bins = np.minimum((probability * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    positive = targets > 0.5
    return _ScoreGroups(
        called=int((distinct > 0).sum()),
        positive_loss=np.logaddexp(0, -distinct),
        negative_loss=np.logaddexp(0, distinct),
        probability=probability,
        bin_starts=np.flatnonzero(np.diff(bins, prepend=-1)),
        of_positives=groups[positive],
        of_negatives=groups[~positive],
    )


def _measure_groups(groups: _ScoreGroups) -> dict[str, float]:
    size = len(groups.probability)
    positives, negatives = (
        np.bincount(members, minlength=size)[None]
        for members in (groups.of_positives, groups.of_negatives)
    )
    return _first(_measure_counts(groups, positives, negatives))


def _draw_counts(members: Integers, size: int, count: int, rng: np.random.Generator) -> Integers:
    """Resample members with replacement: how many are drawn of each group (count, size)."""
    if not len(members):
        return np.zeros((count, size), dtype=np.int64)
    drawn = members[rng.integers(0, len(members), (count, len(members)))]
    return _count_rows(drawn, size)


def _count_rows(groups: Integers, size: int) -> Integers:
    rows = len(groups)
    flat = (groups + np.arange(rows)[:, None] * size).ravel()
    return np.bincount(flat, minlength=rows * size).reshape(rows, size)


def _measure_counts(
    groups: _ScoreGroups, positives: Integers, negatives: Integers
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


def _measure_calibration(groups: _ScoreGroups, positives: Integers, negatives: Integers) -> Floats:
    """Average, over bins of probability, how far the share of positives is from it."""
    if not groups.size:
        return np.full(len(positives), math.nan)
    surplus = positives * (1 - groups.probability) - negatives * groups.probability
    gaps = np.abs(np.add.reduceat(surplus, groups.bin_starts, axis=1)).sum(axis=1)
    size = positives.sum(axis=1) + negatives.sum(axis=1)
    return np.asarray(gaps / size, dtype=np.float64)


def _rank_groups(values: Floats) -> Integers:
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def _measure_rows(
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
    counts = _count_rows(drawn, int(groups.max()) + 1)
    ranks = counts.cumsum(axis=1) - 0.5 * (counts - 1)
    return np.take_along_axis(ranks, drawn, axis=1)


def _correlate_rows(left: Floats, right: Floats) -> Floats:
    varied = (np.ptp(left, axis=1) > 0) & (np.ptp(right, axis=1) > 0)
    left, right = (side - side.mean(axis=1, keepdims=True) for side in (left, right))
    covariance = np.einsum("rn,rn->r", left, right)
    spread = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.where(varied, covariance / np.where(varied, spread, 1.0), math.nan)
