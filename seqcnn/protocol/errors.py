"""What a model is most wrong about, and what those sequences have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes, gc_fraction
from seqcnn.modelfile import ModelSpec
from seqcnn.motifs import Motif, find_best_hit
from seqcnn.protocol.complexity import low_complexity

__all__ = ["ErrorGroup", "WorstError", "group_errors", "worst_errors"]

_MOST_TASKS = 20
_MOST_MOTIFS = 20
_MOST_GROUPED = 2000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WorstError:
    """One sequence that a model is wrong about.

    Attributes
    ----------
    task
        Of which task.
    kind
        ``false_positive`` or ``false_negative``; of values ``too_high`` or ``too_low``.
    row
        Of the data.
    logit, target
        What the model says, and what is true.
    gc, low_complexity
        Shares of the known bases that are G or C, and of the bases in repeats.
    motif, start, strand, bits
        The motif of the model that fits best, where its hit begins (0-based, on the sequence as
        given), on which strand, and its log odds; empty and NaN without motifs.
    """

    task: str
    kind: str
    row: int
    logit: float
    target: float
    gc: float
    low_complexity: float
    motif: str
    start: int
    strand: str
    bits: float


@dataclass(frozen=True)
class ErrorGroup:
    """Sequences that were called alike: their number, and their mean GC and low complexity."""

    task: str
    kind: str
    number: int
    gc: float
    low_complexity: float


def worst_errors(
    spec: ModelSpec,
    data: LabelledSequences,
    logits: Floats,
    *,
    motifs: Sequence[Motif],
    number: int = 10,
) -> list[WorstError]:
    """List the sequences that a model is most sure of, and wrong.

    Parameters
    ----------
    spec
        Of the model, with its thresholds.
    data
        Sequences with targets.
    logits
        What the model says of them (n, tasks).
    motifs
        Of the model, most important first.
    number
        How many of each kind to list, for each of the first 20 tasks.
    """
    errors = []
    used = motifs[:_MOST_MOTIFS]
    for task, name in enumerate(spec.tasks[:_MOST_TASKS]):
        for kind, (rows, by) in _wrong_rows(spec, data.targets, logits, task).items():
            for row in rows[np.argsort(-by[rows], kind="stable")[:number]].tolist():
                codes = data.sequences.codes[row]
                hit = find_best_hit(codes, used, both=spec.alphabet == "dna")
                errors.append(
                    WorstError(
                        name,
                        kind,
                        row,
                        logit=float(logits[row, task]),
                        target=float(data.targets[row, task]),
                        gc=float(gc_fraction(codes[None])[0]),
                        low_complexity=low_complexity(codes),
                        motif=hit.motif if hit else "",
                        start=hit.start if hit else -1,
                        strand=hit.strand if hit else ".",
                        bits=hit.bits if hit else float("nan"),
                    )
                )
    return errors


def group_errors(spec: ModelSpec, data: LabelledSequences, logits: Floats) -> list[ErrorGroup]:
    """Measure what the sequences called rightly and wrongly are like; nothing for values.

    Of each group at most 2,000 sequences are looked at.
    """
    if spec.is_signal:
        return []
    groups = []
    for task, name in enumerate(spec.tasks[:_MOST_TASKS]):
        called, positive, known = _calls(spec, data.targets, logits, task)
        for kind, chosen in (
            ("true_positive", called & positive),
            ("false_negative", ~called & positive),
            ("false_positive", called & ~positive),
            ("true_negative", ~called & ~positive),
        ):
            rows = np.flatnonzero(chosen & known)
            groups.append(ErrorGroup(name, kind, len(rows), *_describe(data.sequences.codes, rows)))
    return groups


def _describe(codes: Codes, rows: NDArray[np.intp]) -> tuple[float, float]:
    seen = codes[rows[:_MOST_GROUPED]]
    if not len(seen):
        return float("nan"), float("nan")
    repeats = [low_complexity(row) for row in seen]
    return float(gc_fraction(seen).mean()), float(np.mean(repeats))


def _calls(
    spec: ModelSpec, targets: NDArray[np.float32], logits: Floats, task: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of each row whether it is called, positive, and known."""
    known = ~np.isnan(targets[:, task])
    positive = targets[:, task] > 0.5
    return _certainty(spec, logits, task) > 0, positive, known


def _certainty(spec: ModelSpec, logits: Floats, task: int) -> Floats:
    """Give how far a row's logit is above what makes it a call."""
    if spec.task_kind == "multiclass":
        others = np.delete(logits, task, axis=1)
        return np.asarray(logits[:, task] - others.max(axis=1))
    return np.asarray(logits[:, task] - (spec.thresholds[task] if spec.thresholds else 0.0))


def _wrong_rows(
    spec: ModelSpec, targets: NDArray[np.float32], logits: Floats, task: int
) -> dict[str, tuple[NDArray[np.intp], Floats]]:
    """Give the rows of each kind of error, and how wrong every row is."""
    if spec.is_signal:
        residual = logits[:, task] - targets[:, task]
        known = ~np.isnan(residual)
        return {
            "too_high": (np.flatnonzero(known & (residual > 0)), residual),
            "too_low": (np.flatnonzero(known & (residual < 0)), -residual),
        }
    called, positive, known = _calls(spec, targets, logits, task)
    certainty = _certainty(spec, logits, task)
    return {
        "false_positive": (np.flatnonzero(known & called & ~positive), certainty),
        "false_negative": (np.flatnonzero(known & ~called & positive), -certainty),
    }
