"""Everything that is told of a model's calls on data with known labels, beside its metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.metrics import measure_classes
from seqcnn.modelfile import ModelSpec
from seqcnn.motifs import Motif
from seqcnn.protocol.calibration import calibration_errors
from seqcnn.protocol.confusion import count_confusion
from seqcnn.protocol.errors import ErrorGroup, WorstError, group_errors, worst_errors

__all__ = ["Examination", "examine"]


@dataclass(frozen=True)
class Examination:
    """What is told of a model's calls.

    Attributes
    ----------
    confusion
        See `count_confusion`.
    calibration
        See `calibration_errors`.
    classes
        Of classes that exclude each other, what `measure_classes` says of all of them together;
        else empty.
    errors
        What the model is most wrong about.
    groups
        What right and wrong calls are like.
    """

    confusion: dict[str, dict[str, int]]
    calibration: dict[str, Any]
    classes: dict[str, Any]
    errors: tuple[WorstError, ...]
    groups: tuple[ErrorGroup, ...]

    def to_json(self) -> dict[str, Any]:
        """Spell what ``metrics.json`` holds of it, without what is empty."""
        parts = {name: getattr(self, name) for name in ("confusion", "calibration", "classes")}
        return {name: part for name, part in parts.items() if part}


def examine(
    spec: ModelSpec,
    data: LabelledSequences,
    logits: NDArray[np.float64],
    *,
    motifs: Sequence[Motif],
    seed: int,
) -> Examination:
    """Look into a model's calls on data.

    Parameters
    ----------
    spec
        Of the model, with its temperatures and thresholds.
    data
        Sequences with targets.
    logits
        What the model says of them (n, tasks); of a profile, of each base (n, tasks, length).
    motifs
        Of the model, most important first.
    seed
        Of the bootstrap.
    """
    targets = data.targets if data.profiles is None else data.profiles
    by_sequence = logits if data.profiles is None else logits.max(axis=2)
    classes: dict[str, Any] = {}
    confusion = count_confusion(spec, targets, logits)
    if spec.task_kind == "multiclass":
        classes = measure_classes(targets, logits, names=spec.tasks, seed=seed)
        classes.pop("confusion")
    return Examination(
        confusion,
        calibration_errors(spec, targets, logits),
        classes,
        tuple(worst_errors(spec, data, by_sequence, motifs=motifs)),
        tuple(group_errors(spec, data, by_sequence)),
    )
