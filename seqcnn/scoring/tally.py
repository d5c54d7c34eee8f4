"""What became of the alleles of a run: counts by reason, a summary, and a stop that comes early."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqcnn.errors import VcfError
from seqcnn.files import whole_file
from seqcnn.variants import AlleleTable, Note, Reason

__all__ = ["EARLY", "EarlyStop", "Tally", "write_summary"]

EARLY = 1000
"""Records from the beginning of a run that must not all fail for one reason of `EarlyStop`."""

_HINTS = {
    Reason.CONTIG_MISSING: "is the FASTA of the same genome, with the same names of contigs?",
    Reason.WINDOW_OFF_CONTIG: "is the FASTA of the same genome build?",
    Reason.REF_MISMATCH: "is the FASTA of the same genome build?",
}


@dataclass
class Tally:
    """Counts of records and alleles.

    Attributes
    ----------
    records, alleles
        How many were read.
    reasons
        Alleles by what became of them, ``scored`` among them.
    notes
        Scored alleles by note.
    """

    records: int = 0
    alleles: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, table: AlleleTable) -> None:
        """Count the alleles of a block."""
        self.records += len(table.block)
        self.alleles += len(table)
        self.reasons.update(table.count_reasons())
        for note in Note:
            if note and (number := int(np.count_nonzero(table.notes[table.scored] & note))):
                self.notes[str(note.name).lower()] += number

    @property
    def scored(self) -> int:
        """Alleles with a score."""
        return self.reasons["scored"]

    def describe(self) -> str:
        """Say it in a line: the alleles scored, and the others by reason."""
        others = ", ".join(f"{reason} {n}" for reason, n in self._unscored())
        return f"{self.scored} of {self.alleles} alleles scored" + (f"; {others}" if others else "")

    @property
    def hint(self) -> str:
        """What the user may be asked where nothing is scored; empty where no genome would help."""
        told = [reason for reason in _HINTS if self.reasons[reason.name.lower()]]
        return _HINTS[told[0]] if told and not self.scored else ""

    def _unscored(self) -> list[tuple[str, int]]:
        return [(name, n) for name, n in self.reasons.most_common() if name != "scored"]

    def to_json(self) -> dict[str, Any]:
        """Give the counts as plain JSON values."""
        return {
            "records": self.records,
            "alleles": self.alleles,
            "scored": self.scored,
            "reasons": dict(sorted(self._unscored())),
            "notes": dict(sorted(self.notes.items())),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Tally":
        """Build the counts of `to_json` again."""
        reasons = Counter(values["reasons"])
        if values["scored"]:
            reasons["scored"] = values["scored"]
        return cls(values["records"], values["alleles"], reasons, Counter(values["notes"]))


def write_summary(path: Path, values: Mapping[str, Any]) -> None:
    """Write a summary as JSON."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


class EarlyStop:
    """Ends a run whose first records all fail, for a reason that tells of a wrong genome.

    Alleles that no genome has a score for, such as ``*`` and ``<DEL>``, do not count; where they
    are the most, nothing is said of the genome.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen = 0
        self._reasons: Counter[Reason] = Counter()

    def check(self, table: AlleleTable) -> None:
        """Look at a block.

        Raises
        ------
        VcfError
            When the first `EARLY` records have failed so.
        """
        if self._seen >= EARLY:
            return
        early = table.reasons[table.records < EARLY - self._seen].tolist()
        self._reasons.update(Reason(number) for number in early)
        self._seen += len(table.block)
        if self._seen >= EARLY:
            self._judge()

    def _judge(self) -> None:
        told = Counter({reason: self._reasons[reason] for reason in _HINTS})
        if self._reasons[Reason.SCORED] or 2 * told.total() <= self._reasons.total():
            return
        ((reason, _),) = told.most_common(1)
        raise VcfError(
            self._name,
            f"none of the first {EARLY} records can be scored: {reason.name.lower()}",
            expected=f"records of the FASTA's genome; {_HINTS[reason]}",
            remedy="--keep-going scores the rest all the same",
        )
