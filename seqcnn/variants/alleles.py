"""Every ALT of every record: what it spells, where it lies, and whether it can be scored.

The rules
---------
1. An ALT gets a score when what it changes is spelled in A, C, G and T (either case). Other
   letters that a VCF may have (N, IUPAC codes) may stand in REF, and in ALT where it has the same
   ones as REF on either side of the change. An ALT that repeats an earlier one of its record, in
   either case, is scored once; two that differ otherwise never make the same haplotype.
2. REF is compared with the FASTA, without regard to case. N or an IUPAC code in REF agrees only
   with an unknown base (N or any IUPAC code) of the FASTA. Where the FASTA has an unknown base
   and REF a known one, they do not contradict each other: REF's base stands in the windows, and
   the allele has the note ``ref_unknown``.
3. A mismatch: ``skip`` gives the reason ref_mismatch, ``error`` ends the run, ``warn`` scores REF
   and ALT as the record spells them, with the note ``ref_mismatch``.
4. REF and ALT are trimmed: first what their ends share, then what their beginnings share. Bases
   that the FASTA does not have (rules 2 and 3) stay.
5. What then is a pure insertion or deletion moves left as far as the sequence stays the same, as
   in ``bcftools norm``, and it is kept how far it could move right. (Alleles with a note about
   REF are not moved.) So two records that make one haplotype from the FASTA end in one allele,
   however they are spelled. The record itself is not touched.

Where the windows of an allele lie is told in `seqcnn.variants.windows`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import ContigBridge
from seqcnn.dna import decode
from seqcnn.errors import ConfigError, VcfError
from seqcnn.genome import Genome
from seqcnn.variants.draft import Draft, Spellings
from seqcnn.variants.reasons import Reason
from seqcnn.variants.vcf import VcfBlock

__all__ = ["AllelePlacer", "AlleleTable"]

_POLICIES = ("skip", "error", "warn")


@dataclass(frozen=True, slots=True)
class AlleleTable:
    """The m alleles of a block, one for each ALT, in the order of the file.

    Attributes
    ----------
    block
        The records.
    length
        Bases of the model's window.
    records
        Index of the record in the block (m,).
    numbers
        Which ALT of its record (m,), from 1 as in genotypes.
    alts
        The ALT as it stands.
    reasons, notes
        `Reason` and `Note` (m,).
    names
        Contigs of the FASTA that the block touches; `contigs` (m,) are indices of them, -1 for
        none.
    starts
        First base of the trimmed REF (m,), 0-based; for an insertion the base right of it.
    slack
        By how many bases a pure insertion or deletion could move right and leave the same
        sequence (m,); 0 for all others.
    refs, alternatives
        The trimmed alleles; where there is no score they mean nothing.
    """

    block: VcfBlock
    length: int
    records: NDArray[np.int64]
    numbers: NDArray[np.int64]
    alts: Sequence[str]
    reasons: NDArray[np.uint8]
    notes: NDArray[np.uint8]
    names: tuple[str, ...]
    contigs: NDArray[np.int64]
    starts: NDArray[np.int64]
    slack: NDArray[np.int64]
    refs: Spellings
    alternatives: Spellings

    def __len__(self) -> int:
        return len(self.records)

    @property
    def scored(self) -> NDArray[np.int64]:
        """Rows of the alleles that get a score."""
        return np.flatnonzero(self.reasons == Reason.SCORED)

    def count_reasons(self) -> dict[str, int]:
        """Count the alleles by reason, ``scored`` among them; reasons without any are left out."""
        counts = np.bincount(self.reasons, minlength=len(Reason)).tolist()
        return {r.name.lower(): counts[r] for r in Reason if counts[r]}


class AllelePlacer:
    """Finds the alleles of records in a genome, for one length of window.

    What becomes of an allele depends on its own record only, not on its neighbours.

    Parameters
    ----------
    genome
        An open genome.
    length
        Bases of the model's window.
    ref_mismatch
        ``skip``, ``error`` or ``warn``.
    declared
        Contigs that the VCF's header declares; with them Roman numbers are told from letters.
    offsets
        By how many bases windows will be moved (`seqcnn.variants.windows.shift_offsets`), so
        that the notes are true of all of them.
    """

    def __init__(
        self,
        genome: Genome,
        *,
        length: int,
        ref_mismatch: str = "skip",
        declared: Iterable[str] = (),
        offsets: range = range(1),
    ) -> None:
        if ref_mismatch not in _POLICIES:
            found = f"{ref_mismatch!r} is no policy"
            raise ConfigError("ref mismatch", found, expected=", ".join(_POLICIES))
        self._genome = genome
        self._length, self._offsets = length, offsets
        self._policy = ref_mismatch
        self._bridge = ContigBridge(declared, genome.contigs)
        self._bridges: dict[str, str | None] = {}

    def place(self, block: VcfBlock) -> AlleleTable:
        """Decide on every allele of a block.

        Raises
        ------
        VcfError
            With the policy ``error``, at the first allele whose REF is not what the FASTA has.
        """
        draft = Draft(block)
        self._locate(draft)
        draft.check_refs(self._genome)
        if self._policy == "error":
            self._refuse_mismatch(draft)
        draft.settle_mismatches(skip=self._policy == "skip")
        draft.trim(self._genome, self._length)
        draft.judge_windows(self._genome, self._length, self._offsets)
        return AlleleTable(
            block,
            self._length,
            draft.records,
            draft.numbers,
            draft.alts,
            draft.reasons,
            draft.notes,
            draft.names,
            draft.contigs[draft.records],
            draft.starts,
            draft.slack,
            draft.refs,
            draft.alternatives,
        )

    def bridge(self, contig: str) -> str | None:
        """Find the FASTA's name for a contig of the VCF, or None."""
        if contig not in self._bridges:
            self._bridges[contig] = self._bridge.find(contig)
        return self._bridges[contig]

    def _locate(self, draft: Draft) -> None:
        bridged = {c: self.bridge(c) for c in dict.fromkeys(draft.block.contigs)}
        names = tuple(dict.fromkeys(name for name in bridged.values() if name is not None))
        rank = {name: i for i, name in enumerate(names)}
        index = {c: -1 if name is None else rank[name] for c, name in bridged.items()}
        contigs = np.array([index[contig] for contig in draft.block.contigs], dtype=np.int64)
        draft.locate(contigs, names, [self._genome.contigs[name] for name in names])

    def _refuse_mismatch(self, draft: Draft) -> None:
        wrong = np.flatnonzero((draft.reasons == Reason.SCORED) & draft.mismatched[draft.records])
        if not len(wrong):
            return
        record = int(draft.records[wrong[0]])
        block, start = draft.block, int(draft.origins[record])
        codes = self._genome.codes(draft.names[draft.contigs[record]])
        ref = block.refs[record]
        raise VcfError(
            block.locate(record),
            f"REF {_shorten(ref)} at {block.contigs[record]}:{start + 1}",
            expected=f"{_shorten(decode(codes[start : start + len(ref)]))} as in the FASTA",
            remedy="is this the right genome build? --ref-mismatch skip goes on without it",
        )


def _shorten(letters: str) -> str:
    return letters if len(letters) <= 20 else f"{letters[:20]}... ({len(letters)} bases)"
