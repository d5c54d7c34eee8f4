"""Say in plain words what the metrics of a run mean, and what to be wary of."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "METRIC_NAMES",
    "SIDE_NAMES",
    "format_estimate",
    "primary_metric",
    "summarise",
    "tell_diagnosis",
    "warn",
]

SIDE_NAMES = {
    "train": "Training",
    "train_dev": "Train-dev",
    "validation": "Validation",
    "test": "Test",
}
"""Sides of the data by their keys, in the order in which they are shown."""

METRIC_NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "pearson": "Pearson r",
    "spearman": "Spearman r",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "mse": "Mean squared error",
}
"""Metrics by their keys, in the order in which they are shown."""

_CHANCE = {"auroc": 0.5, "pearson": 0.0}

_WIDE = 0.1
"""Width of a 95 % interval from which on it is called wide."""

_CLOSE = 0.02
"""How far a baseline must stay below the model's interval not to be called close."""

_TOLD_ONE_BY_ONE = 3

_OVERFITTED = 0.1
"""Difference between training and test data from which on it is worth a word."""

Metrics = Mapping[str, Any]
Counts = Mapping[str, Mapping[str, int]]


def primary_metric(tasks: Metrics) -> str:
    """Choose what to judge by: AUROC, or Pearson's r where targets are values."""
    return "pearson" if any("pearson" in values for values in tasks.values()) else "auroc"


def format_estimate(estimate: Mapping[str, float | None] | None) -> str:
    """Spell a value with its interval, such as ``0.951 (0.930-0.968)``."""
    if estimate is None or estimate["value"] is None:
        return "–"  # noqa: RUF001
    words = f"{estimate['value']:.3f}"
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return words
    return f"{words} ({low:.3f} to {high:.3f})"


def summarise(
    metrics: Metrics,
    counts: Counts,
    config: Mapping[str, object],
    *,
    families: Mapping[str, int] | None = None,
    trained: bool = True,
) -> str:
    """Tell in one paragraph what was trained on what, how good it is, and beside what.

    `families` says how many members of each the model has.
    """
    if trained:
        sentences = [_tell_training(metrics["test"], counts, families or {})]
    else:
        sentences = [f"A trained model was measured on {_tell_side(counts.get('test', {}))}."]
    if (accuracy := metrics.get("classes", {}).get("accuracy")) is not None:
        sentences.append(
            f"It calls the right one of {len(metrics['test'])} classes for "
            f"{format_estimate(accuracy)} of the test sequences."
        )
    known = {task: values for task, values in _chief(metrics["test"]).items() if values}
    if len(known) == 1:
        unit = "base" if config.get("task_kind") == "profile" else "sequence"
        sentences += _tell_one(metrics, *known.items(), unit=unit)
    elif known:
        sentences += _tell_many(metrics, known)
    return " ".join(sentences)


def tell_diagnosis(diagnosis: Mapping[str, Any]) -> list[str]:
    """Say in words what costs most: bias, variance or mismatch; of many tasks, how often which."""
    if len(diagnosis) <= _TOLD_ONE_BY_ONE:
        several = len(diagnosis) > 1
        return [
            f"{task}: {one['words']}" if several else one["words"]
            for task, one in diagnosis.items()
        ]
    verdicts = [one["verdict"] for one in diagnosis.values()]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    told = ", ".join(
        f"{'no gap' if verdict == 'none' else verdict} in {number}"
        for verdict, number in sorted(counts.items(), key=lambda item: -item[1])
    )
    return [f"Of {len(verdicts)} tasks, what costs most is {told}; each task's gaps are below."]


def warn(metrics: Metrics, counts: Counts) -> list[str]:
    """List what a careful reader should know before trusting the numbers."""
    chief = primary_metric(metrics["test"])
    name = METRIC_NAMES[chief]
    several = len(metrics["test"]) > 1
    warnings: list[str] = []
    for task, estimate in _chief(metrics["test"]).items():
        place = f" for {task}" if several else ""
        if estimate is None:
            warnings.append(
                f"The test data do not define the {name}{place}: they lack targets, or have "
                "positives or negatives only."
            )
            continue
        warnings += _warn_of_baselines(metrics, task, estimate, place)
        warnings += _warn_of_ranks(metrics, task, place)
        warnings += _warn_of_chance(chief, estimate, place)
        warnings += _warn_of_overfitting(metrics, task, estimate, place)
    return warnings + _warn_of_dropped(counts)


def _chief(tasks: Metrics) -> dict[str, dict[str, float] | None]:
    """Give each task's estimate of the primary metric, None where it is not defined."""
    chief = primary_metric(tasks)
    chosen = {task: values.get(chief) for task, values in tasks.items()}
    return {
        task: estimate if estimate and estimate["value"] is not None else None
        for task, estimate in chosen.items()
    }


def _chief_values(side: Metrics) -> list[float]:
    return [estimate["value"] for estimate in _chief(side).values() if estimate]


def _times(share: float) -> int:
    """Give a share as times out of 100: never and always are kept for what they mean."""
    return round(100 * share) if share in (0, 1) else min(max(round(100 * share), 1), 99)


def _tell_training(tasks: Metrics, counts: Counts, families: Mapping[str, int]) -> str:
    goal = "predict" if primary_metric(tasks) == "pearson" else "recognise"
    named = next(iter(tasks)) if len(tasks) == 1 else f"{len(tasks)} tasks"
    held_out = _tell_side(counts.get("test", {}))
    data = f" on {_tell_side(counts['train'])}" if counts.get("train") else ""
    ending = f", and tested on {held_out} that it had not seen" if held_out else ""
    return f"{_tell_members(families)} trained{data} to {goal} {named}{ending}."


def _tell_members(families: Mapping[str, int]) -> str:
    total = sum(families.values())
    if total < 2:
        return f"A model{''.join(f' of the family “{name}”' for name in families)} was"
    if len(families) == 1:
        return f"{total} models of the family “{next(iter(families))}”, which are averaged, were"
    each = [f"{number} of the family “{name}”" for name, number in families.items()]
    listed = f"{', '.join(each[:-1])} and {each[-1]}"
    return f"{total} models, {listed}, which are averaged, were"


def _tell_side(side: Mapping[str, int]) -> str:
    if "sequences" not in side:
        return ""
    positives = f" ({side['positives']:,} of them positive)" if "positives" in side else ""
    return f"{side['sequences']:,} sequences{positives}"


def _tell_one(metrics: Metrics, known: tuple[str, Any], *, unit: str) -> list[str]:
    task, estimate = known
    chief = primary_metric(metrics["test"])
    low, high = estimate.get("low"), estimate.get("high")
    interval = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
    meaning = (
        f": given one positive and one negative {unit}, it ranks the positive higher "
        f"{_times(estimate['value'])} times out of 100"
        if chief == "auroc"
        else ""
    )
    sentence = f"On the test data its {METRIC_NAMES[chief]} is {estimate['value']:.3f}{interval}"
    baselines = {
        name: other["value"]
        for name, side in metrics.get("baselines", {}).items()
        if (other := _chief(side).get(task))
    }
    return [f"{sentence}{meaning}.", *_tell_baselines(baselines)]


def _tell_many(metrics: Metrics, known: Mapping[str, Any]) -> list[str]:
    name = METRIC_NAMES[primary_metric(metrics["test"])]
    ranked = sorted(known, key=lambda task: known[task]["value"])
    worst, best = (f"{known[task]['value']:.3f} ({task})" for task in (ranked[0], ranked[-1]))
    mean = sum(estimate["value"] for estimate in known.values()) / len(known)
    baselines = {
        side: sum(values) / len(values)
        for side, tasks in metrics.get("baselines", {}).items()
        if (values := _chief_values(tasks))
    }
    sentence = f"On the test data its mean {name} is {mean:.3f}, from {worst} to {best}."
    return [sentence, *_tell_baselines(baselines)]


def _tell_baselines(baselines: Mapping[str, float]) -> list[str]:
    if not baselines:
        return []
    parts = [f"{name} alone reaches {value:.3f}" for name, value in baselines.items()]
    words = " and ".join(parts)
    return [f"On the same data, {words}."]


def _warn_of_baselines(metrics: Metrics, task: str, estimate: Any, place: str) -> list[str]:
    chance = _CHANCE[primary_metric(metrics["test"])]
    own = estimate["value"]
    floor = own if estimate.get("low") is None else estimate["low"]
    warnings = []
    for name, side in metrics.get("baselines", {}).items():
        other = _chief(side).get(task)
        if other and other["value"] > max(floor - _CLOSE, chance + _CLOSE):
            relation = "close to" if other["value"] < own else "not less than"
            warnings.append(
                f"{name.capitalize()} alone reaches {other['value']:.3f}{place}, {relation} the "
                f"model's {own:.3f}. Perhaps the model has learned how positives and negatives "
                "differ as a whole, and no motif; another kind of negatives would tell."
            )
    return warnings


def _warn_of_ranks(metrics: Metrics, task: str, place: str) -> list[str]:
    """Tell of a baseline that orders measured values better than the model does."""
    own = (metrics["test"][task].get("spearman") or {}).get("value")
    warnings = []
    for name, side in metrics.get("baselines", {}).items():
        other = (side.get(task, {}).get("spearman") or {}).get("value")
        if own is not None and other is not None and other > own:
            warnings.append(
                f"{name.capitalize()} alone orders the test values better{place}: Spearman r "
                f"{other:.3f}, the model's {own:.3f}. Low values may tell of the assay, not of "
                "binding."
            )
    return warnings


def _warn_of_chance(chief: str, estimate: Any, place: str) -> list[str]:
    low, high = estimate.get("low"), estimate.get("high")
    if low is None or high is None:
        return []
    warnings = []
    if low <= _CHANCE[chief]:
        warnings.append(
            f"The interval{place} includes chance: this may be no better than guessing."
        )
    if high - low > _WIDE:
        warnings.append(
            f"The interval{place} is wide ({low:.3f} to {high:.3f}): more test data would "
            "narrow it."
        )
    return warnings


def _warn_of_overfitting(metrics: Metrics, task: str, estimate: Any, place: str) -> list[str]:
    training = _chief(metrics.get("train", {})).get(task)
    if not training or training["value"] - estimate["value"] < _OVERFITTED:
        return []
    return [
        f"The model is much better on its training data ({training['value']:.3f}) than on test "
        f"data ({estimate['value']:.3f}){place}: it has learned some of them by heart."
    ]


def _warn_of_dropped(counts: Counts) -> list[str]:
    dropped = sum(counts.get("dropped", {}).values())
    kept = sum(counts.get(side, {}).get("sequences", 0) for side in ("train", "validation", "test"))
    if dropped <= kept:
        return []
    return [f"More sequences were dropped ({dropped:,}) than kept ({kept:,}); see why below."]
