"""Pairs of windows, reference and alternative, around alleles.

The one rule of centring
------------------------
Each allele of the pair stands in the middle of its own window: k bases have ``L // 2 - k // 2``
bases before them and the rest of the window's L bases after them. For one base that is
`seqcnn.genome.window_bounds`: the middle of an odd window, the first base right of the middle of
an even one; the window of an interval of k bases lies at the same place. For no base (REF of an
insertion, ALT of a deletion) the base right of the gap stands there.

In a repeat an insertion or deletion could stand at any of s + 1 neighbouring places. Then the k
bases and the s bases beside them, which are the whole of the repeat, stand in the middle as one:
neither end of the repeat counts for more. So

- SNVs and substitutions of k bases: both windows have the same flanks;
- an insertion or deletion of d bases: the window of the shorter allele has d more bases of
  flank, ``d // 2`` on the left and the others on the right, or the other way round where d and s
  are odd;
- a repeat with s of L or more: both windows lie within it (note ``window_in_repeat``).

The other strand has the same windows where L and k + s are both odd or both even. Else nothing
can be in the middle, and its windows lie one base off.

Bases off the contig are N; on the alternative haplotype the contig ends where its bases end.

Shifts
------
K shifts are the offsets from ``-((K - 1) // 2)`` to ``K // 2``: as many to the left as to the
right for an odd K, one more to the right for an even one. Both windows of a pair move alike, and
as no shift may move the middle base out of the window, there are at most L. (An SNV has the same
mean on both strands where K and L are both odd or both even.)
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

__all__ = ["AllelePairs", "ContigPairs", "allele_pairs", "shift_offsets"]

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


def shift_offsets(count: int, *, length: int) -> range:
    """List the offsets of a number of shifts.

    Parameters
    ----------
    count
        Number of shifts.
    length
        Bases of the window.

    Raises
    ------
    ConfigError
        When the outermost ones move windows off the variant.
    """
    offsets = range(-((count - 1) // 2), count // 2 + 1)
    if not 1 <= count <= length:
        raise ConfigError(
            f"{count} shifts",
            f"windows of {length} bases, moved by {offsets[0]} to {offsets[-1]}, miss the variant"
            if count > 0
            else "no window at all",
            expected=f"1 to {length} shifts",
        )
    return offsets


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
        low, high = -((length - 1) // 2), length // 2
        raise ConfigError(
            "shift",
            f"{offset} moves windows of {length} bases off the variant",
            expected=f"a shift between {low} and {high}",
        )
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
    sizes, slack = alleles.lengths_at(rows), table.slack[rows]
    starts = window_starts(table.starts[rows], sizes + slack, table.length) + offset
    # In the middle of where it can stand, where the window is: the letters turn as it moves.
    turned = slack // 2
    removed = np.where(spelled, table.refs.lengths_at(rows), 0)
    sizes = np.where(spelled, sizes, 0)
    place = np.where(spelled, table.starts[rows] + turned, starts + table.length)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    within = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes)
    if turned.any():
        within = (within + np.repeat(turned, sizes)) % np.repeat(sizes, sizes)
    letters = alleles.letters[np.repeat(alleles.starts[rows], sizes) + within]
    laid = Haplotypes(starts, place, removed, letters, ends)
    return _begin_later(laid, table.length) if (place < starts).any() else laid


def _begin_later(windows: Haplotypes, length: int) -> Haplotypes:
    """Describe windows that begin right of their alleles by what is in them.

    Such a window holds the last letters and the contig right of them, or the contig alone.
    """
    starts, place, removed, letters, ends = windows
    sizes = np.diff(ends)
    begun = place < starts
    hidden = np.where(begun, np.minimum(starts - place, sizes), 0)
    is_contig = begun & (hidden == sizes)
    right = place + removed  # the base right of the allele
    starts = np.where(begun, np.where(is_contig, starts + removed - sizes, right), starts)
    place = np.where(begun, np.where(is_contig, starts + length, right), place)
    seen = np.arange(ends[-1]) - np.repeat(ends[:-1], sizes) >= np.repeat(hidden, sizes)
    ends = np.concatenate([[0], np.cumsum(sizes - hidden)])
    return Haplotypes(starts, place, np.where(begun, 0, removed), letters[seen], ends)
