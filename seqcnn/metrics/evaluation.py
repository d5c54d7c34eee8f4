"""Metrics of all tasks of a model, as ``metrics.json`` has them."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seqcnn.metrics.binary import evaluate_binary
from seqcnn.metrics.classes import evaluate_classes
from seqcnn.metrics.regression import evaluate_regression

__all__ = ["TaskKind", "evaluate_tasks"]

TaskKind = Literal["binary", "multilabel", "multiclass", "regression", "profile"]
"""What the targets of a model are; see `seqcnn.modelfile.ModelSpec`."""


def evaluate_tasks(  # noqa: PLR0913
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    task_names: Sequence[str],
    kind: TaskKind,
    seed: int,
    resamples: int = 1000,
    thresholds: Sequence[float] = (),
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
    thresholds
        Logit above which each label is called; 0 where there are none. Of classes that exclude
        each other, the likeliest is called.

    Returns
    -------
    dict
        For each task the metrics as ``{"value", "low", "high"}``, the number ``n`` of known
        targets and, unless it is a regression, ``n_positive``. Ready for JSON.
    """
    if kind == "multiclass":
        return evaluate_classes(
            targets, predictions, names=task_names, seed=seed, resamples=resamples
        )
    answer: dict[str, dict[str, object]] = {}
    columns = zip(task_names, np.asarray(targets).T, np.asarray(predictions).T, strict=True)
    for number, (name, target, prediction) in enumerate(columns):
        if kind == "regression":
            estimates = evaluate_regression(target, prediction, seed=seed, resamples=resamples)
        else:
            threshold = thresholds[number] if thresholds else 0.0
            estimates = evaluate_binary(
                target, prediction, seed=seed, resamples=resamples, threshold=threshold
            )
        answer[name] = {metric: estimate.to_json() for metric, estimate in estimates.items()}
        answer[name]["n"] = int((~np.isnan(target)).sum())
        if kind != "regression":
            answer[name]["n_positive"] = int((target > 0.5).sum())
    return answer
