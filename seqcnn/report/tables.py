"""Tables of a report: metrics, counts, calls and errors, spelled for a reader."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqcnn.report.words import METRIC_NAMES, SIDE_NAMES, format_estimate, primary_metric

__all__ = [
    "Table",
    "chief_table",
    "class_table",
    "confusion_tables",
    "count_tables",
    "detail_tables",
    "error_tables",
    "flatten",
    "gap_table",
    "group_tables",
    "spell",
    "spell_key",
    "temperature_table",
]

_FULL_TASKS = 3
"""Up to so many tasks have all their metrics in view; of more, the chief ones."""

_MOST_CLASSES = 30
_SHOWN_ERRORS = 5

_KINDS = {
    "true_positive": "right calls, positive",
    "false_negative": "missed positives",
    "false_positive": "negatives called positive",
    "true_negative": "right calls, negative",
    "too_high": "predicted too high",
    "too_low": "predicted too low",
}


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def spell(value: object) -> str:
    """Spell a value as a reader wants it: thousands apart, few digits, no None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"  # noqa: RUF001
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def spell_key(key: str) -> str:
    """Spell a name of the program as words."""
    text = key.replace("_", " ")
    return text[:1].upper() + text[1:]


def flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """List nested values as (place, words), in their own order."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += flatten(value, f"{prefix}{key} · ")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{key}", ", ".join(str(item) for item in value)))
        else:
            rows.append((f"{prefix}{key}", "–" if value is None else str(value)))  # noqa: RUF001
    return rows


# --- metrics ---------------------------------------------------------------------------------


def chief_table(metrics: Mapping[str, Any]) -> Table:
    """Tabulate the test metrics beside the baselines."""
    test, baselines = metrics["test"], metrics.get("baselines", {})
    header = ["", "Model", *(f"{name.capitalize()} alone" for name in baselines)]
    caption = "On test data: value (95 % interval)"
    if len(test) > _FULL_TASKS:
        return _table_of_tasks(test, baselines, caption)
    rows = []
    for task, values in test.items():
        prefix = f"{task}: " if len(test) > 1 else ""
        others = [baseline.get(task, {}) for baseline in baselines.values()]
        rows += [
            [f"{prefix}{name}", *(format_estimate(side.get(key)) for side in (values, *others))]
            for key, name in METRIC_NAMES.items()
            if key in values
        ]
    return Table(caption, header, rows)


def _table_of_tasks(test: Mapping[str, Any], baselines: Mapping[str, Any], caption: str) -> Table:
    chief = primary_metric(test)
    second = "auprc" if chief == "auroc" else "spearman"
    counted = [key for key in ("n", "n_positive") if any(key in values for values in test.values())]
    header = ["Task", METRIC_NAMES[chief], METRIC_NAMES[second]]
    header += [f"{METRIC_NAMES[chief]}, {name} alone" for name in baselines]
    header += [{"n": "Sequences", "n_positive": "Positives"}[key] for key in counted]
    rows = [
        [task, format_estimate(values.get(chief)), format_estimate(values.get(second))]
        + [format_estimate(side.get(task, {}).get(chief)) for side in baselines.values()]
        + [spell(values.get(key)) for key in counted]
        for task, values in test.items()
    ]
    return Table(caption, header, rows)


def detail_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """Tabulate every metric of every side, a table for each task."""
    sides = {words: metrics[name] for name, words in SIDE_NAMES.items() if name in metrics}
    sides |= {
        f"{name.capitalize()} alone": side for name, side in metrics.get("baselines", {}).items()
    }
    header = ["", *sides]
    tables = []
    for task in metrics["test"]:
        columns = [side.get(task, {}) for side in sides.values()]
        rows = [
            [name, *(format_estimate(column.get(key)) for column in columns)]
            for key, name in METRIC_NAMES.items()
            if any(key in column for column in columns)
        ]
        for key, name in (("n", "Sequences"), ("n_positive", "Positives")):
            if any(key in column for column in columns):
                rows.append([name, *(spell(column.get(key)) for column in columns)])
        tables.append(Table(task, header, rows))
    return tables


def class_table(metrics: Mapping[str, Any]) -> list[Table]:
    """Tabulate what is measured of all classes together, if there are such."""
    classes = metrics.get("classes", {})
    names = {
        "accuracy": "Accuracy",
        "macro_auroc": "AUROC, mean of the classes",
        "macro_auprc": "AUPRC, mean of the classes",
        "macro_f1": "F1, mean of the classes",
        "log_loss": "Log loss",
        "calibration_error": "Calibration error",
    }
    rows = [[name, format_estimate(classes[key])] for key, name in names.items() if key in classes]
    return [Table("All classes together, on test data", ["", "Model"], rows)] if rows else []


# --- counts ----------------------------------------------------------------------------------


def count_tables(counts: Mapping[str, Mapping[str, int]]) -> list[Table]:
    """Tabulate what was kept, by side, and what was not, by reason."""
    sides = {name: counts[name] for name in SIDE_NAMES if name in counts}
    kinds = list(dict.fromkeys(kind for side in sides.values() for kind in side))
    tables = []
    if sides:
        header = ["", *(spell_key(kind) for kind in kinds)]
        rows = [
            [SIDE_NAMES[name], *(spell(side.get(kind)) for kind in kinds)]
            for name, side in sides.items()
        ]
        tables.append(Table("Kept, by side of the split", header, rows))
    for name, group in counts.items():
        if name not in sides and group:
            rows = [[spell_key(reason), spell(number)] for reason, number in group.items()]
            tables.append(Table(f"{spell_key(name)}, by reason", ["", "Number"], rows))
    return tables


# --- calls and errors ------------------------------------------------------------------------


def gap_table(diagnosis: Mapping[str, Any]) -> list[Table]:
    """Tabulate the gaps between the sides, a row for each task."""
    sides = list(dict.fromkeys(side for one in diagnosis.values() for side in one["values"]))
    gaps = list(dict.fromkeys(gap for one in diagnosis.values() for gap in one["gaps"]))
    names = {
        "bias": "Bias: missing in training",
        "variance": "Variance: lost on held-out data of the kind",
        "mismatch": "Mismatch: lost on validation of another kind",
        "choice": "Lost from validation to test",
    }
    header = ["Task", *(SIDE_NAMES[side] for side in sides), *(names[gap] for gap in gaps)]
    rows = [
        [
            task,
            *(_number(one["values"].get(side)) for side in sides),
            *(_number(one["gaps"].get(gap)) for gap in gaps),
        ]
        for task, one in diagnosis.items()
    ]
    return [Table("Sides of the data, and the gaps between them", header, rows)] if rows else []


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"  # noqa: RUF001


def temperature_table(calibration: Mapping[str, Any]) -> list[Table]:
    """Tabulate temperatures, thresholds and calibration errors."""
    header = ["Task", "Temperature", "Calibration error before", "after", "Threshold (logit)"]
    rows = [
        [
            task,
            _number(one["temperature"]),
            _number(one["before"]),
            _number(one["after"]),
            _number(one.get("threshold")),
        ]
        for task, one in calibration.items()
    ]
    return [Table("Chosen on validation data, measured on test data", header, rows)] if rows else []


def confusion_tables(confusion: Mapping[str, Mapping[str, int]]) -> list[Table]:
    """Tabulate right and wrong calls: of classes as a matrix, of labels a row for each task."""
    if not confusion:
        return []
    first = next(iter(confusion.values()))
    if "true_positives" in first and "true_negatives" in first:
        header = ["Task", *(spell_key(name) for name in first)]
        rows = [[task, *(spell(n) for n in one.values())] for task, one in confusion.items()]
        return [Table("Calls on test data, at the threshold", header, rows)]
    if len(confusion) > _MOST_CLASSES:
        return []
    header = ["True class", *(f"called {name}" for name in confusion)]
    rows = [[name, *(spell(n) for n in one.values())] for name, one in confusion.items()]
    return [Table("Calls on test data: the likeliest class", header, rows)]


def group_tables(groups: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Tabulate what right and wrong calls are like."""
    header = ["", "Sequences", "Mean GC", "In low complexity"]
    return [
        Table(
            f"{task}: what the calls are like",
            header,
            [
                [_KINDS[g["kind"]], spell(g["number"]), _share(g["gc"]), _share(g["low"])]
                for g in groups
                if g["task"] == task
            ],
        )
        for task in list(dict.fromkeys(g["task"] for g in groups))[:_FULL_TASKS]
    ]


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f} %"  # noqa: RUF001


def error_tables(errors: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Tabulate the worst errors of the first tasks."""
    header = ["Sequence", "Output", "True", "GC", "Low complexity", "Best motif", "at", "bits"]
    tables = []
    for task in list(dict.fromkeys(error["task"] for error in errors))[:_FULL_TASKS]:
        for kind in dict.fromkeys(e["kind"] for e in errors if e["task"] == task):
            own = [e for e in errors if e["task"] == task and e["kind"] == kind]
            rows = [_error_row(error) for error in own[:_SHOWN_ERRORS]]
            tables.append(Table(f"{task}: {_KINDS[kind]}, the worst", header, rows))
    return tables


def _error_row(error: Mapping[str, Any]) -> list[str]:
    place = f"{error['motif_start'] + 1}{error['strand']}" if error["motif"] else "–"  # noqa: RUF001
    return [
        error["name"],
        _number(error["logit"]),
        f"{error['target']:.4g}",
        _share(error["gc"]),
        _share(error["low_complexity"]),
        error["motif"] or "–",  # noqa: RUF001
        place,
        "–" if math.isnan(error["bits"]) else f"{error['bits']:.1f}",  # noqa: RUF001
    ]
