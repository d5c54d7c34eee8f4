"""From a finished training or evaluation to what its report tells."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcnn.metrics import (
    class_logits,
    curve_bands,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)
from seqcnn.report import Report

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqcnn.cli.run_directory import Run
    from seqcnn.datasets import LabelledSequences
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.protocol import Examination

__all__ = ["build_evaluation_report", "build_report", "error_rows"]

_MOST_BANDS = 3
_MOST_TASKS = 6

Columns = dict[str, tuple["NDArray[np.float64]", "NDArray[np.float64]"]]


def build_report(run: "Run", metrics: Mapping[str, Any]) -> Report:
    """Gather the plain data of a training's report."""
    model, test = run.experiment.model, run.split.test
    provenance = {**model.provenance, "device": run.device, "seconds": metrics["seconds"]}
    command = provenance.pop("command")
    return Report(
        title=", ".join(model.spec.tasks),
        command=command,
        counts=_counts(run),
        history=run.experiment.history,
        pictures=run.pictures,
        provenance=provenance,
        config={**run.options, **model.spec.to_json()},
        families=_count_families(model),
        **_judged(
            model, test, run.experiment.predictions.logits, run.experiment.examination, metrics
        ),
    )


def _count_families(model: "TrainedModel") -> dict[str, int]:
    families: Counter[str] = Counter()
    for part in model.parts or (model,):
        families[part.spec.architecture] += len(part.members)
    return dict(families)


def build_evaluation_report(
    model: "TrainedModel",
    data: "LabelledSequences",
    logits: "NDArray[np.float64]",
    examination: "Examination",
    *,
    metrics: Mapping[str, Any],
    told: Mapping[str, Any],
) -> Report:
    """Gather the plain data of an evaluation's report.

    `told` holds the ``command``, the ``options`` and the ``provenance``, as of the model's file.
    """
    side = _count_rows(data, model.spec)
    trained = {f"model_{key}": value for key, value in model.provenance.items()}
    return Report(
        title=f"Evaluation of {', '.join(model.spec.tasks)}",
        command=told["command"],
        counts={"test": side},
        provenance={**told["provenance"], **trained},
        config={**told["options"], **model.spec.to_json()},
        trained=False,
        **_judged(model, data, logits, examination, metrics),
    )


def _judged(
    model: "TrainedModel",
    data: "LabelledSequences",
    logits: "NDArray[np.float64]",
    examination: "Examination",
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Gather what is told of a model on test data."""
    spec = model.spec
    columns = _columns(spec, data, logits)
    return {
        "metrics": metrics,
        "motifs": model.motifs,
        "alphabet": spec.alphabet,
        "errors": error_rows(examination, data),
        "groups": [
            {
                "task": g.task,
                "kind": g.kind,
                "number": g.number,
                "gc": g.gc,
                "low": g.low_complexity,
            }
            for g in examination.groups
        ],
        **_drawn(spec, columns),
    }


def _drawn(spec: "ModelSpec", columns: Columns) -> dict[str, Any]:
    """Give curves, bands and reliability."""
    if spec.is_signal:
        return {"curves": {"scatter": columns}}
    curves = {
        "roc": {task: roc_curve(*pair) for task, pair in columns.items()},
        "precision_recall": {task: precision_recall_curve(*pair) for task, pair in columns.items()},
    }
    bands: dict[str, Any] = {"roc": {}, "precision_recall": {}}
    if len(columns) <= _MOST_BANDS:
        for task, pair in columns.items():
            bands["roc"][task], bands["precision_recall"][task] = curve_bands(*pair, seed=0)
    scales = dict(zip(spec.tasks, spec.scale or (1.0,) * len(spec.tasks), strict=True))
    reliability = {}
    for task, (truth, values) in list(columns.items())[:_MOST_TASKS]:
        sides = {"as calibrated": values}
        if spec.scale and spec.task_kind != "multiclass":
            sides = {"before": values / scales[task], "after the temperature": values}
        reliability[task] = {
            name: reliability_curve(truth, _sigmoid(side)) for name, side in sides.items()
        }
    return {"curves": curves, "bands": bands, "reliability": reliability}


def _sigmoid(logits: "NDArray[np.float64]") -> "NDArray[np.float64]":
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits))


def _columns(
    spec: "ModelSpec", data: "LabelledSequences", logits: "NDArray[np.float64]"
) -> Columns:
    """Give the known targets of each task and what the model says of them."""
    targets = data.targets if data.profiles is None else data.profiles
    said = class_logits(logits) if spec.task_kind == "multiclass" else logits
    columns = {}
    for number, task in enumerate(spec.tasks):
        truth, values = targets[:, number].ravel(), said[:, number].ravel()
        known = ~np.isnan(truth)
        columns[task] = (truth[known].astype(np.float64), values[known])
    return columns


def error_rows(examination: "Examination", data: "LabelledSequences") -> list[dict[str, Any]]:
    """Give the rows of ``errors.test.tsv``."""
    rows = []
    for error in examination.errors:
        place = data.sequences.intervals[error.row] if data.sequences.intervals else None
        where = {"contig": place.contig, "start": place.start, "end": place.end} if place else {}
        rows.append(
            {
                "task": error.task,
                "kind": error.kind,
                "name": data.sequences.names[error.row],
                **where,
                "logit": error.logit,
                "target": error.target,
                "gc": error.gc,
                "low_complexity": error.low_complexity,
                "motif": error.motif,
                "motif_start": error.start,
                "strand": error.strand,
                "bits": error.bits,
            }
        )
    return rows


def _counts(run: "Run") -> dict[str, dict[str, int]]:
    sides = {
        name: getattr(run.split, name) for name in ("train", "train_dev", "validation", "test")
    }
    counts = {
        name: _count_rows(data, run.experiment.model.spec)
        for name, data in sides.items()
        if data is not None
    }
    if run.split.shuffles:
        made = run.split.shuffles * int(run.split.train.positive.sum())
        counts["train"]["fresh shuffles each epoch"] = made
    return counts


def _count_rows(data: "LabelledSequences", spec: "ModelSpec") -> dict[str, int]:
    """Count sequences and, where some are positive and others not, the positives."""
    counts = {"sequences": len(data)}
    if not (spec.is_signal or spec.task_kind == "multiclass"):
        counts["positives"] = int(data.positive.sum())
    return counts
