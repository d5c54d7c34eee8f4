"""Bias, variance or mismatch: which gap between the sides of the data costs most.

From the training data to the best that is possible lies the bias; from there to data of the same
kind that were held out (train-dev; where validation is of that kind, validation) the variance;
from those to validation data of another kind the mismatch; and from validation to test what was
lost by choosing on validation, or to test data of yet another kind. What is best is not known, and
noise counts as bias: bias is named only where no other gap stands out, or none half as large.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Diagnosis", "diagnose"]

_LEAST = 0.02
"""A gap below that is no matter."""

_LEAST_BIAS = 0.05

_NAMES = {"auroc": "AUROC", "pearson": "Pearson r"}

_REMEDIES = {
    "bias": "a larger network, more steps or a higher rate would help, unless the data say no more",
    "variance": "more data, an ensemble (--members), more dropout or decay would help",
    "mismatch": "training data more like those it is used on would help",
    "choice": "more validation data, or some like the test data, would help",
}
_WHAT = {
    "bias": "bias, what is missing on the training data themselves",
    "variance": "variance, from training data to held-out data of the same kind",
    "mismatch": "mismatch, from held-out data of the training's kind to validation data",
    "choice": "from validation data, which chose the weights, to test data",
}


@dataclass(frozen=True)
class Diagnosis:
    """What the gaps of a task say.

    Attributes
    ----------
    metric
        ``auroc`` or ``pearson``.
    values
        Of each side that there is: train, train_dev, validation, test.
    gaps
        ``bias``, ``variance``, ``mismatch`` (where there is a train-dev side) and ``choice``.
    verdict
        The gap that costs most, of those that are more than chance: its name, or ``none``.
    """

    metric: str
    values: Mapping[str, float]
    gaps: Mapping[str, float]
    verdict: str

    @property
    def words(self) -> str:
        """Tell it in a few sentences."""
        names = {"train_dev": "train-dev"}
        sides = ", ".join(f"{names.get(s, s)} {value:.3f}" for s, value in self.values.items())
        told = f"{_NAMES[self.metric]} by side: {sides}."
        if self.verdict == "none":
            return f"{told} No gap stands out: neither bias, nor variance, nor mismatch."
        gap = self.gaps[self.verdict]
        return f"{told} What costs most, {gap:.3f}, is {_WHAT[self.verdict]}: {self.remedy}."

    @property
    def remedy(self) -> str:
        """Say what would help."""
        return _REMEDIES.get(self.verdict, "")

    def to_json(self) -> dict[str, Any]:
        """Spell it for ``metrics.json``."""
        return {
            "metric": self.metric,
            "values": dict(self.values),
            "gaps": dict(self.gaps),
            "verdict": self.verdict,
            "words": self.words,
        }


def diagnose(metrics: Mapping[str, Any]) -> dict[str, Diagnosis]:
    """Compare the sides of each task.

    Parameters
    ----------
    metrics
        As in ``metrics.json``: ``train``, ``validation``, ``test`` and perhaps ``train_dev``.

    Returns
    -------
    dict
        For each task for which the sides that are compared define the metric.
    """
    answer = {}
    for task, values in metrics["test"].items():
        metric = "pearson" if "pearson" in values else "auroc"
        sides = {}
        for side in ("train", "train_dev", "validation", "test"):
            estimate = metrics.get(side, {}).get(task, {}).get(metric)
            if estimate and estimate["value"] is not None:
                sides[side] = estimate
        if {"train", "validation", "test"} <= set(sides):
            answer[task] = _compare(metric, sides)
    return answer


def _compare(metric: str, sides: Mapping[str, Mapping[str, float]]) -> Diagnosis:
    values = {side: estimate["value"] for side, estimate in sides.items()}
    held = "train_dev" if "train_dev" in sides else "validation"
    gaps = {"bias": 1 - values["train"], "variance": values["train"] - values[held]}
    ends = {"bias": "train", "variance": held, "choice": "test"}
    if held == "train_dev":
        gaps["mismatch"] = values["train_dev"] - values["validation"]
        ends["mismatch"] = "validation"
    gaps["choice"] = values["validation"] - values["test"]
    standing = {
        name: gap
        for name, gap in gaps.items()
        if gap >= max(_LEAST_BIAS if name == "bias" else _LEAST, _noise(sides[ends[name]]))
    }
    bias = standing.pop("bias", 0.0)
    verdict = max(standing, key=lambda name: standing[name]) if standing else "none"
    if bias > 2 * standing.get(verdict, 0.0):
        verdict = "bias"
    return Diagnosis(metric, values, gaps, verdict)


def _noise(estimate: Mapping[str, float | None]) -> float:
    """Give half the width of an interval."""
    low, high = estimate["low"], estimate["high"]
    return 0.0 if low is None or high is None else (high - low) / 2
