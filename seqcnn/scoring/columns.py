"""The scores of a block of alleles, spelled: INFO fields of the VCF, rows of the table.

Both hold the same text for the same number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcnn.effects import VariantEffects
from seqcnn.modelfile import TrainedModel
from seqcnn.spelling import format_numbers
from seqcnn.variants import (
    NOTE_FIELD,
    REASON_FIELD,
    AlleleTable,
    InfoField,
    annotate_lines,
    note_names,
    reason_names,
    score_fields,
)

__all__ = ["COLUMNS", "Columns", "ScoreFields", "spell_scores", "table_rows"]

_SCORES = ("ref_logit", "alt_logit", "delta", "probability_difference", "deepbind", "quantile")
_SPREAD = ("p", "sd")

_UNITS = {"none": "target", "log2": "log2", "log2p1": "log2"}
"""How the targets of a regression were changed -> what its output is."""

COLUMNS = ("contig", "position", "id", "ref", "alt", "task", *_SCORES, "p", "q", "sd", "reason")
"""Columns of the table."""

Columns = dict[tuple[str, int], Sequence[str]]
"""(score, number of the task) -> the score of each allele, spelled; ``.`` for missing."""


def spell_scores(alleles: AlleleTable, effects: VariantEffects) -> Columns:
    """Spell the scores of all alleles of a block, scored or not."""
    columns: Columns = {}
    scored = alleles.scored
    for score in (*_SCORES, *_SPREAD):
        values = getattr(effects, score)
        for task in range(values.shape[1]):
            spread = np.full(len(alleles), np.nan)
            spread[scored] = values[:, task]
            columns[score, task] = format_numbers(spread)
    return columns


@dataclass(frozen=True)
class ScoreFields:
    """The INFO fields of a run.

    Attributes
    ----------
    scores
        (score, number of the task) -> field.
    declared
        All fields that the header declares.
    """

    scores: dict[tuple[str, int], InfoField]
    declared: tuple[InfoField, ...]

    @classmethod
    def choose(cls, model: TrainedModel, *, with_p: bool, with_q: bool) -> "ScoreFields":
        """Choose the fields that a model's scores have a number for."""
        tasks = model.spec.tasks
        left_out = {
            "p": not with_p,
            "q": not with_q,
            "sd": model.networks == 1,
            "probability_difference": model.spec.is_signal,
        }
        wanted = [score for score in (*_SCORES, "p", "q", "sd") if not left_out.get(score)]
        output = _UNITS[model.spec.transform] if model.spec.is_signal else "logit"
        fields = score_fields(wanted, tasks, output=output)
        numbered = {
            (score, tasks.index(task)): field
            for (score, task), field in fields.items()
            if score != "q"  # added when all p are known
        }
        return cls(numbered, (*fields.values(), REASON_FIELD, NOTE_FIELD))

    def annotate(self, alleles: AlleleTable, columns: Columns) -> list[str]:
        """Give the records of a block with their fields."""
        spelled: dict[InfoField, Sequence[str]] = {
            field: columns[key] for key, field in self.scores.items()
        }
        spelled[REASON_FIELD] = reason_names(alleles.reasons)
        spelled[NOTE_FIELD] = note_names(alleles.notes)
        return annotate_lines(alleles, spelled)


def table_rows(alleles: AlleleTable, columns: Columns, tasks: Sequence[str]) -> list[str]:
    """Give the rows of a block: one an allele and task, in the order of the file."""
    block = alleles.block
    reasons = reason_names(alleles.reasons)
    loci = [
        f"{block.contigs[r]}\t{block.positions[r]}\t{block.identifiers[r]}\t{block.refs[r]}\t{alt}"
        for r, alt in zip(alleles.records.tolist(), alleles.alts, strict=True)
    ]
    by_task = [
        [
            "\t".join(row)
            for row in zip(
                loci,
                [task] * len(loci),
                *(columns[score, number] for score in (*_SCORES, "p")),
                ["."] * len(loci),
                columns["sd", number],
                reasons,
                strict=True,
            )
        ]
        for number, task in enumerate(tasks)
    ]
    return [row for rows in zip(*by_task, strict=True) for row in rows]
