"""What a run would meet, before it runs: names of contigs, the reference, the size of the work."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.scoring.tally import Tally
from seqcnn.variants import AllelePlacer, VcfBlock, VcfReader

__all__ = ["Preflight", "inspect"]

_SAMPLED = 200
"""Records of each block whose REF is compared with the FASTA."""

_TRIAL = 2000
"""Records that are kept for a trial."""

_SHOWN = 5


@dataclass
class Preflight:
    """What was found.

    Attributes
    ----------
    tally
        Counts of all sampled alleles, as a run would count them.
    records, alleles
        Of the whole file.
    contigs
        Records by contig of the VCF.
    bridged
        Contig of the VCF -> the FASTA's, or None.
    trial
        Some neighbouring records, for a trial of the model.
    """

    tally: Tally = field(default_factory=Tally)
    records: int = 0
    alleles: int = 0
    contigs: Counter[str] = field(default_factory=Counter)
    bridged: dict[str, str | None] = field(default_factory=dict)
    trial: VcfBlock | None = None

    @property
    def missing(self) -> list[str]:
        """Contigs of the VCF that the FASTA does not have, the most frequent ones first."""
        return [name for name, _ in self.contigs.most_common() if self.bridged[name] is None]

    @property
    def match_rate(self) -> float:
        """Share of the alleles on known contigs whose REF is the FASTA's; NaN without any."""
        reasons = self.tally.reasons
        compared = sum(reasons[name] for name in ("scored", "ref_mismatch", "window_off_contig"))
        wrong = reasons["ref_mismatch"] + reasons["window_off_contig"]
        return (compared - wrong) / compared if compared else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        rate = self.match_rate
        return {
            "records": self.records,
            "alleles": self.alleles,
            "contigs": dict(self.contigs),
            "contigs_of_the_fasta": self.bridged,
            "sampled": self.tally.to_json(),
            "ref_match_rate": None if np.isnan(rate) else round(rate, 6),
        }

    def describe(self, genome_contigs: list[str]) -> Iterator[str]:
        """Say it in lines."""
        yield f"{self.records} records, {self.alleles} alleles on {len(self.contigs)} contig(s)"
        renamed = [f"{a} = {b}" for a, b in self.bridged.items() if b not in (None, a)]
        if renamed:
            yield f"names bridged: {_some(renamed)}"
        if self.missing:
            lost = sum(self.contigs[name] for name in self.missing)
            yield f"not in the FASTA: {_some(self.missing)} ({lost} records)"
            yield f"contigs of the FASTA: {_some(genome_contigs)}"
        rate = self.match_rate
        if not np.isnan(rate):
            yield f"REF is the FASTA's in {100 * rate:.4g}% of {self.tally.alleles} sampled alleles"
        yield f"sample: {self.tally.describe()}"


def inspect(
    reader: VcfReader, placer: AllelePlacer, *, records: tuple[int, int | None] = (0, None)
) -> Preflight:
    """Read a whole file, and place some records of each block.

    Parameters
    ----------
    reader
        The open file.
    placer
        Made for the genome and the model's length.
    records
        First record of the run and the one after its last, of those that the reader yields.
    """
    found = Preflight()
    first, stop = records
    for block in reader.blocks(first=first, stop=stop):
        found.records += len(block)
        found.alleles += sum(alt.count(",") + 1 for alt in block.alts)
        found.contigs.update(block.contigs)
        for contig in set(block.contigs) - set(found.bridged):
            found.bridged[contig] = placer.bridge(contig)
        rows = np.linspace(0, len(block) - 1, min(_SAMPLED, len(block))).astype(np.int64)
        alleles = placer.place(_choose(block, rows))
        found.tally.add(alleles)
        if found.trial is None and len(alleles.scored):
            found.trial = _choose(block, np.arange(min(_TRIAL, len(block))))
    return found


def _choose(block: VcfBlock, rows: NDArray[np.int64]) -> VcfBlock:
    """Keep some records of a block."""

    def some(column: Sequence[str]) -> tuple[str, ...]:
        return tuple(column[row] for row in rows.tolist())

    return replace(
        block,
        lines=list(some(block.lines)),
        numbers=block.numbers[rows],
        positions=block.positions[rows],
        contigs=some(block.contigs),
        identifiers=some(block.identifiers),
        refs=some(block.refs),
        alts=some(block.alts),
    )


def _some(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
