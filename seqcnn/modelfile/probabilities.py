"""What a model's logits mean as probabilities."""

import numpy as np
from numpy.typing import NDArray

from seqcnn.metrics import softmax
from seqcnn.modelfile.spec import ModelSpec

__all__ = ["probabilities"]

Floats = NDArray[np.float64]


def probabilities(logits: Floats, spec: ModelSpec) -> Floats:
    """Turn logits (..., tasks) into probabilities; NaN where the model gives values.

    By the sigmoid, or by the softmax over classes that exclude each other.
    """
    if spec.is_signal:
        return np.full_like(logits, np.nan)
    if spec.task_kind == "multiclass":
        return softmax(logits)
    # exp of a large negative number is 0, and of a large positive one is never asked for.
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1 / (1 + small), small / (1 + small)))
