"""What stands in a run directory."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcnn.cli.provenance import given_options
from seqcnn.cli.tables import open_table, write_predictions, write_rows

if TYPE_CHECKING:
    from seqcnn.datasets import LabelledSequences
    from seqcnn.engine import Predictions
    from seqcnn.experiment import Experiment
    from seqcnn.metrics import TaskKind
    from seqcnn.modelfile import ModelSpec
    from seqcnn.report.rendering import Picture
    from seqcnn.splits import Split

__all__ = [
    "EVALUATION_FILES",
    "RUN_FILES",
    "Run",
    "log_metrics",
    "log_split",
    "write_errors",
    "write_json",
    "write_page",
    "write_run_directory",
    "write_test_predictions",
]

_log = logging.getLogger("seqcnn.run")

EVALUATION_FILES = (
    "metrics.json",
    "predictions.test.tsv.gz",
    "errors.test.tsv",
    "report.html",
)
RUN_FILES = (
    *EVALUATION_FILES,
    "model.safetensors",
    "config.yaml",
    "history.tsv",
    "train.log",
)


_DIAGNOSES_TOLD = 3


@dataclass(frozen=True)
class Run:
    """A finished training, its data, its options and its device.

    Attributes
    ----------
    told
        What metrics.json holds besides.
    pictures
        What the report shows besides, by the headings of its sections.
    """

    experiment: "Experiment"
    split: "Split"
    options: dict[str, Any]
    device: str
    told: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, "Sequence[Picture]"] = field(default_factory=dict)


def log_split(split: "Split", kind: "TaskKind") -> None:
    """Say how many rows each side has."""
    for name in ("train", "train_dev", "validation", "test"):
        data = getattr(split, name)
        if data is None:
            continue
        positive = int(data.positive.sum())
        extra = (
            f", fresh shuffles each epoch: {split.shuffles * positive}"
            if (name == "train" and split.shuffles)
            else ""
        )
        labels = "" if kind in ("regression", "multiclass") else f", {positive} positive"
        if kind == "multiclass":
            own = zip(data.tasks, (data.targets > 0.5).sum(axis=0), strict=True)
            labels = ": " + ", ".join(f"{number} {task}" for task, number in own)[:200]
        _log.info("%s: %d sequences%s%s", name.replace("_", "-"), len(data), labels, extra)


def log_metrics(metrics: Mapping[str, Any]) -> None:
    """Say the test metrics, and what the baselines reach on the same data."""
    for task, values in metrics["test"].items():
        key = "auroc" if "auroc" in values else "pearson"
        own = _estimate(values[key])
        others = ", ".join(
            f"{name} alone {_estimate(baseline[task][key])}"
            for name, baseline in metrics["baselines"].items()
        )
        _log.info("test %s: %s %s; %s", task, key.upper() if key == "auroc" else key, own, others)
    if "classes" in metrics:
        _log.info("test: accuracy %s", _estimate(metrics["classes"]["accuracy"]))


def _estimate(values: Mapping[str, float | None]) -> str:
    if values["value"] is None:
        return "undefined"
    low, high = values["low"], values["high"]
    ends = f" ({low:.3f}-{high:.3f})" if low is not None and high is not None else ""
    return f"{values['value']:.3f}{ends}"


def write_run_directory(folder: Path, run: Run, *, seconds: float) -> None:
    """Fill a run directory."""
    from seqcnn.cli.run_report import build_report
    from seqcnn.modelfile import write_model
    from seqcnn.report import render_report

    model = run.experiment.model
    write_model(model, folder / "model.safetensors")
    _write_config(folder / "config.yaml", run.options)
    metrics = {**run.experiment.metrics, **run.told}
    metrics |= {"seconds": round(seconds, 1), "device": run.device}
    write_json(folder / "metrics.json", metrics)
    with open_table(folder / "history.tsv") as handle:
        history = run.experiment.history
        write_rows(handle, list(history[0]), (list(row.values()) for row in history))
    write_test_predictions(folder, run.split.test, run.experiment.predictions, model.spec)
    report = build_report(run, metrics)
    write_errors(folder, report.errors)
    write_page(folder / "report.html", render_report(report))
    log_metrics(metrics)
    for task, diagnosis in list(run.experiment.diagnosis.items())[:_DIAGNOSES_TOLD]:
        _log.info("%s: %s", task, diagnosis.words)


def write_page(path: Path, page: str) -> None:
    """Write a page. What it names need not be text."""
    path.write_text(page, encoding="utf-8", errors="backslashreplace")


def write_errors(folder: Path, errors: Sequence[Mapping[str, Any]]) -> None:
    """Write errors.test.tsv, the sequences that the model is most wrong about."""
    columns = list(errors[0]) if errors else ["task", "kind", "name"]
    with open_table(folder / "errors.test.tsv") as handle:
        write_rows(handle, columns, (list(row.values()) for row in errors))


def write_test_predictions(
    folder: Path, data: "LabelledSequences", predictions: "Predictions", spec: "ModelSpec"
) -> None:
    """Write predictions.test.tsv.gz."""
    with open_table(folder / "predictions.test.tsv.gz") as handle:
        targets = data.targets if data.profiles is None else data.profiles
        write_predictions(handle, data.sequences, predictions, spec, targets=targets)


def _write_config(path: Path, options: Mapping[str, Any]) -> None:
    import yaml

    path.write_text(yaml.safe_dump(given_options(options), sort_keys=False), encoding="utf-8")


def write_json(path: Path, values: object) -> None:
    """Write JSON, indented, keys in the order given."""
    path.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
