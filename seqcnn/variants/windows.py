"""Pairs of windows, reference and alternative, around alleles.

The one rule of centring
------------------------
Each allele of the pair stands in the middle of its own window: a trimmed, left-aligned allele of
k bases has ``L // 2 - k // 2`` bases before it and the rest of the window's L bases after it. For
one base that is `seqcnn.genome.window_bounds`: the middle of an odd window, the first base right
of the middle of an even one. For the empty allele (REF of an insertion, ALT of a deletion) the
base right of the gap stands there. So

- SNVs and substitutions of k bases: both windows have the same flanks;
- an insertion or deletion of d bases: the window with fewer bases of the allele has d more bases
  of flank, ``d // 2`` at one end and the rest at the other. Which end gets the odd one depends
  on the lengths alone. On the other strand the picture is the same to within one base, apart
  from repeats, where left alignment is of the plus strand.

Bases off the contig are N; on the alternative haplotype the contig ends where its bases end.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.errors import ConfigError
from seqcnn.genome import Genome, Haplotypes, cut_haplotypes
from seqcnn.variants.alleles import AlleleTable
from seqcnn.variants.draft import Spellings, window_starts
from seqcnn.variants.reasons import Note

__all__ = ["AllelePairs", "ContigPairs", "allele_pairs"]

_REF_NOTES = int(Note.REF_MISMATCH | Note.REF_UNKNOWN)


class ContigPairs(NamedTuple):
    """The pairs of one contig.

    Attributes
    ----------
    contig
        Codes of the whole contig.
    places
        Which of all pairs these are (n,), ascending.
    ref, alt
        The reference and the alternative haplotypes, n each.
    """

    contig: Codes
    places: NDArray[np.int64]
    ref: Haplotypes
    alt: Haplotypes


@dataclass(frozen=True, slots=True)
class AllelePairs:
    """The windows of the scored alleles of a table.

    Attributes
    ----------
    length
        Bases of a window.
    rows
        Row of the table (n,), ascending.
    parts
        The pairs, contig by contig.
    """

    length: int
    rows: NDArray[np.int64]
    parts: tuple[ContigPairs, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ref(self) -> Codes:
        """Codes (n, length) of the reference haplotypes, cut anew."""
        return self._cut([part.ref for part in self.parts])

    @property
    def alt(self) -> Codes:
        """Codes (n, length) of the alternative haplotypes, cut anew."""
        return self._cut([part.alt for part in self.parts])

    def _cut(self, sides: list[Haplotypes]) -> Codes:
        windows = np.empty((len(self), self.length), dtype=np.uint8)
        for part, side in zip(self.parts, sides, strict=True):
            windows[part.places] = cut_haplotypes(part.contig, side, self.length)
        return windows


def allele_pairs(table: AlleleTable, genome: Genome, *, offset: int = 0) -> AllelePairs:
    """Lay the windows of every scored allele.

    Parameters
    ----------
    table
        Alleles, placed in this genome.
    genome
        The open genome.
    offset
        Bases by which all windows are moved to the right, for averages over shifts.

    Raises
    ------
    ConfigError
        When the offset moves the windows off the variants.
    """
    length = table.length
    if not 0 <= length // 2 - offset < length:
        found = f"{offset} moves windows of {length} bases off the variant"
        low, high = -((length - 1) // 2), length // 2
        raise ConfigError("shift", found, expected=f"a shift between {low} and {high}")
    rows = table.scored
    contigs = table.contigs[rows]
    parts = []
    for index in np.unique(contigs):
        places = np.flatnonzero(contigs == index)
        codes = genome.codes(table.names[index])
        noted = (table.notes[rows[places]] & _REF_NOTES) != 0
        ref = _lay(table, rows[places], table.refs, spelled=noted, offset=offset)
        everything = np.ones(len(places), dtype=bool)
        alternative = table.alternatives
        alt = _lay(table, rows[places], alternative, spelled=everything, offset=offset)
        parts.append(ContigPairs(codes, places, ref, alt))
    return AllelePairs(length, rows, tuple(parts))


def _lay(
    table: AlleleTable,
    rows: NDArray[np.int64],
    alleles: Spellings,
    *,
    spelled: NDArray[np.bool_],
    offset: int,
) -> Haplotypes:
    """Lay windows centred on alleles; where one is not spelled, the contig's bases stay."""
    sizes = alleles.lengths_at(rows)
    starts = window_starts(table.starts[rows], sizes, table.length) + offset
    removed = np.where(spelled, table.refs.lengths_at(rows), 0)
    sizes = np.where(spelled, sizes, 0)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    within = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes)
    letters = alleles.letters[np.repeat(alleles.starts[rows], sizes) + within]
    place = np.where(spelled, table.starts[rows], starts + table.length)
    return Haplotypes(starts, place, removed, letters, ends)
