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

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.errors import ConfigError
from seqcnn.genome import Genome, gather_windows
from seqcnn.variants.alleles import AlleleTable
from seqcnn.variants.draft import Spellings, window_starts
from seqcnn.variants.reasons import Note

__all__ = ["AllelePairs", "allele_pairs"]

_CELLS = 1 << 20
_REF_NOTES = int(Note.REF_MISMATCH | Note.REF_UNKNOWN)


@dataclass(frozen=True, slots=True)
class AllelePairs:
    """The windows of the scored alleles of a table.

    Attributes
    ----------
    ref, alt
        Codes (n, length) of the reference and the alternative haplotype.
    rows
        Row of the table (n,), ascending.
    """

    ref: Codes
    alt: Codes
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


def allele_pairs(table: AlleleTable, genome: Genome, *, offset: int = 0) -> AllelePairs:
    """Cut the windows of every scored allele.

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
    ref = np.empty((len(rows), length), dtype=np.uint8)
    alt = np.empty_like(ref)
    contigs = table.contigs[rows]
    for index in np.unique(contigs):
        here = np.flatnonzero(contigs == index)
        codes = genome.codes(table.names[index])
        ref[here], alt[here] = _cut(table, codes, rows[here], offset)
    return AllelePairs(ref, alt, rows)


def _cut(
    table: AlleleTable, codes: Codes, rows: NDArray[np.int64], offset: int
) -> tuple[Codes, Codes]:
    length = table.length
    removed, inserted = table.refs.lengths_at(rows), table.alternatives.lengths_at(rows)
    starts = window_starts(table.starts[rows], removed, length) + offset
    ref = gather_windows(codes, starts, length)
    noted = np.flatnonzero(table.notes[rows] & _REF_NOTES)
    ref[noted] = _haplotypes(table, codes, rows[noted], table.refs, offset)
    alt = ref.copy()
    single = (removed == 1) & (inserted == 1)
    letters = table.alternatives.letters[table.alternatives.starts[rows[single]]]
    alt[single, length // 2 - offset] = letters
    others = np.flatnonzero(~single)
    alt[others] = _haplotypes(table, codes, rows[others], table.alternatives, offset)
    return ref, alt


def _haplotypes(
    table: AlleleTable,
    codes: Codes,
    rows: NDArray[np.int64],
    alleles: Spellings,
    offset: int,
) -> Codes:
    """Cut windows (n, length) out of the contig with each allele in the place of its REF."""
    windows = np.empty((len(rows), table.length), dtype=np.uint8)
    step = max(1, _CELLS // table.length)
    for i in range(0, len(rows), step):
        some = rows[i : i + step]
        start = table.starts[some, None]
        size = alleles.lengths_at(some)[:, None]
        first = window_starts(start, size, table.length) + offset
        position = first + np.arange(table.length)
        right = position >= start + size
        origin = position + np.where(right, table.refs.lengths_at(some)[:, None] - size, 0)
        known = (origin >= 0) & (origin < len(codes))
        cut = np.where(known, codes[np.clip(origin, 0, len(codes) - 1)], UNKNOWN)
        inside = (position >= start) & ~right
        letter = alleles.starts[some, None] + position - start
        cut[inside] = alleles.letters[letter[inside]]
        windows[i : i + step] = cut
    return windows
