"""Right and wrong calls at the thresholds of a model."""

import numpy as np
from numpy.typing import NDArray

from seqcnn.metrics import measure_classes
from seqcnn.modelfile import ModelSpec

__all__ = ["count_confusion"]


def count_confusion(
    spec: ModelSpec, targets: NDArray[np.float32], logits: NDArray[np.float64]
) -> dict[str, dict[str, int]]:
    """Count calls.

    Parameters
    ----------
    spec
        Of the model.
    targets, logits
        Arrays (n, tasks), or of a profile (n, tasks, length).

    Returns
    -------
    dict
        For each task the numbers of true and false positives and negatives; of classes that
        exclude each other, by true class, how many were called as which. Empty for values.
    """
    if spec.is_signal:
        return {}
    if spec.task_kind == "multiclass":
        measured = measure_classes(targets, logits, names=spec.tasks, seed=0, resamples=0)
        confusion: dict[str, dict[str, int]] = measured["confusion"]
        return confusion
    thresholds = spec.thresholds or (0.0,) * len(spec.tasks)
    answer = {}
    for number, (task, threshold) in enumerate(zip(spec.tasks, thresholds, strict=True)):
        truth = targets[:, number].ravel()
        known = ~np.isnan(truth)
        positive, called = truth[known] > 0.5, logits[:, number].ravel()[known] > threshold
        answer[task] = {
            "true_positives": int((positive & called).sum()),
            "false_positives": int((~positive & called).sum()),
            "false_negatives": int((positive & ~called).sum()),
            "true_negatives": int((~positive & ~called).sum()),
        }
    return answer
