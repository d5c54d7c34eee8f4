"""What stands in a run directory."""

import gzip
import io
import json
import logging
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from seqcnn.cli.tables import write_rows

if TYPE_CHECKING:
    from seqcnn.engine import Predictions
    from seqcnn.experiment import Experiment
    from seqcnn.genome import Sequences
    from seqcnn.modelfile import ModelSpec
    from seqcnn.splits import Split

__all__ = [
    "Run",
    "canonical_command",
    "log_metrics",
    "log_split",
    "write_json",
    "write_predictions",
    "write_run_directory",
]

_log = logging.getLogger("seqcnn.run")


@dataclass(frozen=True)
class Run:
    """A finished training, its data, its options and its device."""

    experiment: "Experiment"
    split: "Split"
    options: dict[str, Any]
    device: str


def canonical_command(name: str, options: Mapping[str, Any]) -> str:
    """Spell a command without folders, so that the place of a run leaves no trace in its model."""
    words = ["seqcnn", name]
    for key, value in _given(options).items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{key}"] if item is True else [f"--{key}", _without_folders(item)]
    return shlex.join(words)


def _without_folders(value: object) -> str:
    text = str(value)
    name, equals, file = text.partition("=")
    if equals:
        return f"{name}={Path(file).name}"
    return Path(text).name if Path(text).exists() else text


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options by their long names, those that are set, as plain values."""
    given = {}
    for key, value in options.items():
        name = {"settings": "set"}.get(key, key.replace("_", "-"))
        plain = list(value) if isinstance(value, tuple) else value
        if plain not in (None, [], False):
            given[name] = str(plain) if isinstance(plain, Path) else plain
    return given


def log_split(split: "Split") -> None:
    """Say how many rows each side has."""
    for name in ("train", "validation", "test"):
        data = getattr(split, name)
        positive = int(data.positive.sum())
        extra = (
            f", fresh shuffles each epoch: {split.shuffles * positive}"
            if (name == "train" and split.shuffles)
            else ""
        )
        _log.info("%s: %d sequences, %d positive%s", name, len(data), positive, extra)


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
    metrics = {**model.metrics, "seconds": round(seconds, 1), "device": run.device}
    write_json(folder / "metrics.json", metrics)
    with (folder / "history.tsv").open("w") as handle:
        history = run.experiment.history
        write_rows(handle, list(history[0]), (list(row.values()) for row in history))
    with open_deterministic_gzip(folder / "predictions.test.tsv.gz") as handle:
        test = run.split.test
        write_predictions(
            handle, test.sequences, run.experiment.predictions, model.spec, targets=test.targets
        )
    page = render_report(build_report(run, metrics))
    (folder / "report.html").write_text(page, encoding="utf-8")
    log_metrics(metrics)


def _write_config(path: Path, options: Mapping[str, Any]) -> None:
    import yaml

    given = {key: _absolute(value) for key, value in _given(options).items()}
    path.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")


def _absolute(value: Any) -> Any:
    """Spell files by their whole path, so that the run can be repeated from anywhere."""
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    if isinstance(value, str):
        name, equals, file = value.partition("=")
        if equals and Path(file).exists():
            return f"{name}={Path(file).absolute()}"
        return str(Path(value).absolute()) if Path(value).exists() else value
    return value


def write_json(path: Path, values: object) -> None:
    """Write JSON, indented, keys in the order given."""
    path.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def open_deterministic_gzip(path: Path) -> TextIO:
    """Open a gzip text file without the time and the name in its header."""
    return io.TextIOWrapper(_GzipWithoutTime(path), encoding="utf-8", write_through=False)


class _GzipWithoutTime(gzip.GzipFile):
    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._raw, mtime=0)

    def close(self) -> None:
        super().close()
        self._raw.close()


def write_predictions(
    handle: TextIO,
    sequences: "Sequences",
    predictions: "Predictions",
    spec: "ModelSpec",
    *,
    targets: "np.ndarray[Any, np.dtype[np.float32]] | None" = None,
) -> None:
    """Write predictions as TSV, a row a sequence and task."""
    located = sequences.intervals is not None
    columns = ["name", *(["contig", "start", "end", "strand"] if located else []), "task"]
    columns += ["logit", "probability", "sd", *([] if targets is None else ["target"])]
    logits, sds = predictions.logits, predictions.sd
    probabilities = 1 / (1 + np.exp(-logits))

    def rows() -> Any:
        for i, name in enumerate(sequences.names):
            place = sequences.intervals[i] if sequences.intervals else None
            where = [place.contig, place.start, place.end, place.strand] if place else []
            for t, task in enumerate(spec.tasks):
                probability = None if spec.task_kind == "regression" else probabilities[i, t]
                target = [] if targets is None else [targets[i, t]]
                yield [name, *where, task, logits[i, t], probability, sds[i, t], *target]

    write_rows(handle, columns, rows())
