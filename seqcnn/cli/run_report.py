"""From a finished training to what its report tells."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcnn.metrics import precision_recall_curve, roc_curve
from seqcnn.report import Report

if TYPE_CHECKING:
    from seqcnn.cli.run_directory import Run

__all__ = ["build_report"]


def build_report(run: "Run", metrics: Mapping[str, Any]) -> Report:
    """Gather the plain data of a report."""
    model = run.experiment.model
    provenance = {**model.provenance, "device": run.device, "seconds": metrics["seconds"]}
    command = provenance.pop("command")
    return Report(
        title=", ".join(model.spec.tasks),
        command=command,
        metrics=metrics,
        counts=_counts(run),
        history=run.experiment.history,
        curves=_curves(run),
        motifs=model.motifs,
        provenance=provenance,
        config={**run.options, **model.spec.to_json()},
        alphabet=model.spec.alphabet,
    )


def _counts(run: "Run") -> dict[str, dict[str, int]]:
    sides = {name: getattr(run.split, name) for name in ("train", "validation", "test")}
    counts = {
        name: {"sequences": len(data), "positives": int(data.positive.sum())}
        for name, data in sides.items()
    }
    if run.split.shuffles:
        counts["train"]["fresh shuffles each epoch"] = (
            run.split.shuffles * counts["train"]["positives"]
        )
    return counts


def _curves(run: "Run") -> dict[str, Any]:
    test, spec = run.split.test, run.experiment.model.spec
    logits = run.experiment.predictions.logits
    columns = {}
    for column, task in enumerate(spec.tasks):
        known = ~np.isnan(test.targets[:, column])
        columns[task] = (test.targets[known, column], logits[known, column])
    if spec.task_kind == "regression":
        return {"scatter": columns}
    return {
        "roc": {task: roc_curve(*pair) for task, pair in columns.items()},
        "precision_recall": {task: precision_recall_curve(*pair) for task, pair in columns.items()},
    }
