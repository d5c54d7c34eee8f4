"""Metrics of targets of each base: those of labels or of values, over all bases together.

Neighbouring bases say much the same, so whole sequences are resampled.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.metrics.binary import group_rows, measure_rows
from seqcnn.metrics.regression import measure_values, rank_groups
from seqcnn.metrics.resampling import Estimate, add_intervals, first_of

__all__ = ["evaluate_profiles"]

_RESAMPLES = 100

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def evaluate_profiles(  # noqa: PLR0913
    targets: NDArray[np.float32],
    predictions: Floats,
    *,
    task_names: Sequence[str],
    is_signal: bool,
    seed: int,
    thresholds: Sequence[float] = (),
    resamples: int = _RESAMPLES,
) -> dict[str, dict[str, object]]:
    """Evaluate each track, base by base.

    Parameters
    ----------
    targets, predictions
        Arrays (n, tasks, length); a target that is NaN is missing, for all bases alike.
    task_names
        Of the tracks.
    is_signal
        Whether targets are values, and not labels.
    seed
        Seed of the bootstrap.
    thresholds
        Logit above which each label is called.
    resamples
        Number of bootstrap resamples; 0 for none.

    Returns
    -------
    dict
        For each task the metrics of `evaluate_regression` or `evaluate_binary` as ``{"value",
        "low", "high"}``, the number ``n`` of bases, and of labels ``n_positive``.
    """
    answer: dict[str, dict[str, object]] = {}
    for task, name in enumerate(task_names):
        known = ~np.isnan(targets[:, task]).any(axis=1)
        truth = targets[known, task].astype(np.float64)
        said = predictions[known, task].astype(np.float32).astype(np.float64)
        threshold = thresholds[task] if thresholds else 0.0
        measure = _values(truth, said) if is_signal else _labels(truth, said - threshold)
        estimates = _estimate(measure, truth.shape, seed=seed, resamples=resamples)
        answer[name] = {key: estimate.to_json() for key, estimate in estimates.items()}
        answer[name]["n"] = truth.size
        if not is_signal:
            loss = _labels(truth, said)(np.arange(truth.size)[None]) if truth.size else {}
            for key in ("log_loss", "calibration_error"):
                answer[name][key] = _plain(loss, key)
            answer[name]["n_positive"] = int((truth > 0.5).sum())
    return answer


def _plain(measured: dict[str, Floats], key: str) -> dict[str, float | None]:
    value = float(measured[key][0]) if key in measured else None
    return {"value": value, "low": None, "high": None}


def _labels(truth: Floats, margins: Floats) -> Callable[[Rows], dict[str, Floats]]:
    groups = group_rows(truth.ravel(), margins.ravel())
    return lambda bases: measure_rows(groups, bases)


def _values(truth: Floats, said: Floats) -> Callable[[Rows], dict[str, Floats]]:
    flat = truth.ravel(), said.ravel()
    ranked = rank_groups(flat[0]), rank_groups(flat[1])
    return lambda bases: measure_values(*flat, ranked, bases)


def _estimate(
    measure: Callable[[Rows], dict[str, Floats]],
    shape: tuple[int, ...],
    *,
    seed: int,
    resamples: int,
) -> dict[str, Estimate]:
    rng = np.random.default_rng(seed)
    rows, length = shape

    def draw(count: int) -> dict[str, Floats]:
        drawn = rng.integers(0, rows, (count, rows))
        bases = drawn[:, :, None] * length + np.arange(length)
        return measure(bases.reshape(count, -1))

    whole = first_of(measure(np.arange(rows * length)[None]))
    return add_intervals(whole, draw, rows * length, resamples)
