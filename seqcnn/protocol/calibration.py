"""Temperature and threshold of each task, from the validation data."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.metrics import (
    choose_threshold,
    fit_class_temperature,
    fit_temperature,
    measure_binary,
    measure_classes,
)
from seqcnn.modelfile import ModelSpec

__all__ = ["calibrate_spec", "calibration_errors"]

Floats = NDArray[np.float64]
Targets = NDArray[np.float32]


def calibrate_spec(spec: ModelSpec, targets: Targets, logits: Floats) -> ModelSpec:
    """Note in a spec the temperature and the threshold of each task.

    Parameters
    ----------
    spec
        Of a model without either; one whose output is a value stays as it is.
    targets
        Of the validation data (n, tasks); of a profile, flat (n, tasks, length).
    logits
        What the model gives for them, of the same shape.

    Returns
    -------
    ModelSpec
        With ``scale``, one over the temperature, and ``thresholds``, which count in the scaled
        logits.
    """
    if spec.is_signal:
        return spec
    number = len(spec.tasks)
    none = (0.0,) * number
    if spec.task_kind == "multiclass":
        scale = 1 / fit_class_temperature(targets, logits)
        return replace(spec, centre=none, scale=(scale,) * number)
    columns = list(zip(_columns(targets), _columns(logits), strict=True))
    scales = tuple(1 / fit_temperature(*column) for column in columns)
    thresholds = tuple(
        scale * choose_threshold(*column) for scale, column in zip(scales, columns, strict=True)
    )
    return replace(spec, centre=none, scale=scales, thresholds=thresholds)


def calibration_errors(spec: ModelSpec, targets: Targets, logits: Floats) -> dict[str, Any]:
    """Measure the expected calibration error before and after the temperature.

    Parameters
    ----------
    spec
        With its temperatures.
    targets, logits
        Of other data than those that they were fitted on; logits as the model gives them, with
        the temperature.

    Returns
    -------
    dict
        For each task ``temperature``, ``before``, ``after`` and, for labels, ``threshold``; of
        classes that exclude each other, one for all of them together, named ``all classes``.
    """
    if spec.is_signal or not spec.scale:
        return {}
    if spec.task_kind == "multiclass":
        sides = (logits / spec.scale[0], logits)
        before, after = (
            measure_classes(targets, side, names=spec.tasks, seed=0, resamples=0) for side in sides
        )
        errors = [side["calibration_error"]["value"] for side in (before, after)]
        return {"all classes": _entry(spec.scale[0], errors)}
    answer: dict[str, Any] = {}
    columns = zip(spec.tasks, spec.scale, _columns(targets), _columns(logits), strict=True)
    for number, (task, scale, truth, values) in enumerate(columns):
        errors = [
            measure_binary(truth, side)["calibration_error"] for side in (values / scale, values)
        ]
        answer[task] = _entry(scale, errors)
        if spec.thresholds:
            answer[task]["threshold"] = spec.thresholds[number]
    return answer


def _entry(scale: float, errors: list[float]) -> dict[str, float | None]:
    before, after = (None if error is None or np.isnan(error) else error for error in errors)
    return {"temperature": 1 / scale, "before": before, "after": after}


def _columns(values: NDArray[np.floating[Any]]) -> list[Floats]:
    """Part (n, tasks, ...) into the flat values of each task."""
    return [np.asarray(values[:, task], np.float64).ravel() for task in range(values.shape[1])]
