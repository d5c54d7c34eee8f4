"""The decisions on one block of alleles, step by step; `seqcnn.variants.alleles` has the rules.

Records with one letter on both sides (nearly all of an ordinary file) are handled by array
operations; only the others go through a Python loop.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import INVALID, UNKNOWN, Codes
from seqcnn.genome import Genome, Haplotypes, cut_haplotypes
from seqcnn.variants.reasons import Note, Reason
from seqcnn.variants.trimming import left_align, trim_alleles
from seqcnn.variants.vcf import VcfBlock

__all__ = ["Draft", "Spellings", "window_starts"]

_BASES = re.compile(r"[ACGTacgt]+")
_SPELLED = re.compile(r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+")


def _letter_table() -> Codes:
    table = np.full(256, INVALID, dtype=np.uint8)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("T", 3), ("NRYSWKMBDHV", UNKNOWN)):
        for letter in letters:
            table[ord(letter)] = table[ord(letter.lower())] = code
    return table


# Not dna.encode: in a VCF neither U nor a gap is a base.
_LETTERS = _letter_table()


@dataclass(frozen=True, slots=True)
class Spellings:
    """Sequences of n alleles, one after another: allele i is letters[starts[i]:starts[i + 1]]."""

    letters: Codes
    starts: NDArray[np.int64]

    def __getitem__(self, row: int) -> Codes:
        return self.letters[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bases of each allele (n,)."""
        return np.diff(self.starts)

    def lengths_at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bases of some of the alleles (k,)."""
        return self.starts[rows + 1] - self.starts[rows]


class Draft:
    """A block of n records and m alleles, and what is known of them so far.

    The steps come in this order: spelling (at once), `locate`, `check_refs`,
    `settle_mismatches`, `trim`, `judge_windows`. An allele keeps the first reason it gets.
    """

    def __init__(self, block: VcfBlock) -> None:
        self.block = block
        self.alts, self.records, self.numbers = _list_alleles(block)
        self.reasons = np.zeros(len(self.alts), dtype=np.uint8)
        self.notes = np.zeros(len(self.alts), dtype=np.uint8)
        self.origins = block.positions - 1
        self._ref_lengths = _lengths(block.refs)
        self._ref_codes, self._alt_codes = _first_letters(block.refs), _first_letters(self.alts)
        self.single = (self._ref_lengths[self.records] == 1) & (_lengths(self.alts) == 1)
        self.mismatched = np.zeros(len(block), dtype=bool)
        self.unknown = np.zeros(len(block), dtype=bool)
        # First and last base of REF that the genome does not have, of records with some.
        self._differing: dict[int, tuple[int, int]] = {}
        self._judge_spelling()

    @property
    def open(self) -> NDArray[np.bool_]:
        """Alleles that have no reason so far (m,)."""
        return np.asarray(self.reasons == Reason.SCORED)

    def _give(self, alleles: NDArray[np.bool_], reason: Reason) -> None:
        self.reasons[alleles & self.open] = reason

    def _judge_spelling(self) -> None:
        odd = np.flatnonzero(~self.single | (self._alt_codes >= UNKNOWN))
        refs, records = self.block.refs, self.records[odd].tolist()
        self.reasons[odd] = [
            _judge_alt(refs[record], self.alts[row])
            for record, row in zip(records, odd.tolist(), strict=True)
        ]
        valid = self._ref_codes != INVALID
        for record in np.flatnonzero(self._ref_lengths > 1).tolist():
            valid[record] = _SPELLED.fullmatch(refs[record]) is not None
        self._give(~valid[self.records], Reason.INVALID_ALLELE)
        same = self.single & (self._ref_codes[self.records] == self._alt_codes)
        for row in np.flatnonzero(~self.single & self.open).tolist():
            same[row] = refs[self.records[row]].upper() == self.alts[row].upper()
        self._give(same, Reason.REF_EQUALS_ALT)
        self._give(self._repeated(), Reason.DUPLICATE_ALLELE_IN_RECORD)

    def _repeated(self) -> NDArray[np.bool_]:
        repeated = np.zeros(len(self.alts), dtype=bool)
        counts = np.bincount(self.records, minlength=len(self.block))
        ends = np.cumsum(counts)
        for record in np.flatnonzero(counts > 1):
            seen: set[str] = set()
            for row in range(ends[record] - counts[record], ends[record]):
                alt = self.alts[row].upper()
                repeated[row] = alt in seen
                seen.add(alt)
        return repeated

    def locate(
        self, contigs: NDArray[np.int64], names: tuple[str, ...], sizes: Sequence[int]
    ) -> None:
        """Take in each record's contig (n,), an index of `names`, or -1 for none.

        Parameters
        ----------
        contigs
            Index of the contig of each record (n,).
        names, sizes
            Name and bases of each contig in the FASTA.
        """
        self.contigs, self.names = contigs, names
        self.sizes = np.array([*sizes, 0], dtype=np.int64)[contigs]
        self._give((contigs < 0)[self.records], Reason.CONTIG_MISSING)
        off = (self.origins < 0) | (self.origins + self._ref_lengths > self.sizes)
        self._give(off[self.records], Reason.WINDOW_OFF_CONTIG)

    def _by_contig(self, of: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield (contig, its open alleles or their records) for a choice `of` open rows."""
        contigs = self.contigs[self.records[of]]
        for index in np.unique(contigs):
            yield self.names[index], of[contigs == index]

    def check_refs(self, genome: Genome) -> None:
        """Compare the REF of each record that has an open allele with the genome."""
        for contig, rows in self._by_contig(np.flatnonzero(self.open)):
            codes = genome.codes(contig)
            records = np.unique(self.records[rows])
            short = records[self._ref_lengths[records] == 1]
            found, said = codes[self.origins[short]], self._ref_codes[short]
            self.mismatched[short] = (found != said) & (found != UNKNOWN)
            self.unknown[short] = (found == UNKNOWN) & (said != UNKNOWN)
            for record in records[self._ref_lengths[records] > 1].tolist():
                start, ref = int(self.origins[record]), _encode(self.block.refs[record])
                found = codes[start : start + len(ref)]
                differs = np.flatnonzero(found != ref)
                if len(differs):
                    self._differing[record] = int(differs[0]), int(differs[-1])
                    self.mismatched[record] = bool((found[differs] != UNKNOWN).any())
                    self.unknown[record] = bool((found[differs] == UNKNOWN).any())

    def settle_mismatches(self, *, skip: bool) -> None:
        """Give alleles whose REF is not the genome's their reason, or else a note."""
        if skip:
            self._give(self.mismatched[self.records], Reason.REF_MISMATCH)
        self._note(self.mismatched[self.records], Note.REF_MISMATCH)
        self._note(self.unknown[self.records], Note.REF_UNKNOWN)

    def trim(self, genome: Genome, length: int) -> None:
        """Trim each open allele and move it left; refuse what is longer than the window."""
        self.starts = self.origins[self.records]
        self.slack = np.zeros(len(self.alts), dtype=np.int64)
        refs: dict[int, Codes] = {}
        alts: dict[int, Codes] = {}
        for contig, rows in self._by_contig(np.flatnonzero(self.open & ~self.single)):
            codes = genome.codes(contig)
            for row in rows.tolist():
                record = int(self.records[row])
                ref, alt = self.block.refs[record].upper(), self.alts[row].upper()
                keep = self._differing.get(record)
                prefix, ref, alt = trim_alleles(ref, alt, keep=keep)
                if max(len(ref), len(alt)) > length:
                    self.reasons[row] = Reason.TOO_LONG
                    continue
                self.starts[row] += prefix
                refs[row], alts[row] = _encode(ref), _encode(alt)
                if not (ref and alt) and keep is None:
                    self._align(row, codes, refs if ref else alts, removed=len(ref))
        self.refs = self._spell(self._ref_codes[self.records], refs)
        self.alternatives = self._spell(self._alt_codes, alts)

    def _align(self, row: int, codes: Codes, moved: dict[int, Codes], *, removed: int) -> None:
        start = int(self.starts[row])
        self.starts[row], self.slack[row], moved[row] = left_align(
            codes, start, moved[row], removed=removed
        )

    def _spell(self, codes: Codes, others: dict[int, Codes]) -> Spellings:
        single = self.single & self.open
        lengths = single.astype(np.int64)
        rows = list(others)
        lengths[rows] = [len(others[row]) for row in rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        letters = np.empty(starts[-1], dtype=np.uint8)
        letters[starts[:-1][single]] = codes[single]
        for row, spelled in others.items():
            letters[starts[row] : starts[row + 1]] = spelled
        return Spellings(letters, starts)

    def judge_windows(self, genome: Genome, length: int, offsets: range) -> None:
        """Refuse windows without a known base; note what else there is to know of a window.

        Parameters
        ----------
        genome
            Where the windows lie.
        length
            Bases of a window.
        offsets
            By how many bases the windows are moved, ascending.
        """
        sizes = self.sizes[self.records]
        grown = self.alternatives.lengths - self.refs.lengths
        first = window_starts(self.starts, self.refs.lengths + self.slack, length)
        first_alt = window_starts(self.starts, self.alternatives.lengths + self.slack, length)
        padded = np.minimum(first, first_alt) + offsets[0] < 0
        padded |= np.maximum(first, first_alt - grown) + offsets[-1] + length > sizes
        self._note(padded, Note.WINDOW_PADDED)
        self._note(self.slack >= length, Note.WINDOW_IN_REPEAT)
        self._note(self._holds_unknown(), Note.REF_AMBIGUOUS)
        # From the first base of the first shifted window to the last base of the last one.
        first, first_alt = first + offsets[0], first_alt + offsets[0]
        length += offsets[-1] - offsets[0]
        for contig, rows in self._by_contig(np.flatnonzero(self.open)):
            codes = genome.codes(contig)
            self._refuse_unknown(codes, rows, first, removed=np.zeros_like(first), length=length)
            gone = rows[self.alternatives.lengths_at(rows) == 0]
            self._refuse_unknown(codes, gone, first_alt, removed=self.refs.lengths, length=length)
        self.notes[~self.open] = 0

    def _refuse_unknown(
        self,
        codes: Codes,
        rows: NDArray[np.int64],
        first: NDArray[np.int64],
        *,
        removed: NDArray[np.int64],
        length: int,
    ) -> None:
        """Refuse alleles whose windows, with nothing where bases are removed, are all N."""
        middle = first[rows] + length // 2
        middle += np.where(middle >= self.starts[rows], removed[rows], 0)
        # Only a window whose middle is unknown can be unknown as a whole.
        known = codes[np.minimum(middle, len(codes) - 1)] != UNKNOWN
        rows = rows[~known | (middle >= len(codes))]
        empty = np.zeros(len(rows) + 1, dtype=np.int64)
        without = Haplotypes(first[rows], self.starts[rows], removed[rows], codes[:0], empty)
        windows = cut_haplotypes(codes, without, length)
        self.reasons[rows[(windows == UNKNOWN).all(axis=1)]] = Reason.WINDOW_ALL_N

    def _note(self, alleles: NDArray[np.bool_], note: Note) -> None:
        self.notes[alleles & self.open] |= np.uint8(note)

    def _holds_unknown(self) -> NDArray[np.bool_]:
        """Tell which of the trimmed REFs hold a letter other than A, C, G and T (m,)."""
        found = np.zeros(len(self.alts), dtype=bool)
        letters = np.flatnonzero(self.refs.letters == UNKNOWN)
        found[np.searchsorted(self.refs.starts, letters, side="right") - 1] = True
        return found


def window_starts(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """Place windows (n,) so that the middle of each stretch is the window's centre.

    Parameters
    ----------
    starts, lengths
        First base and number of bases of each stretch (n,).
    length
        Bases of the window.
    """
    return starts + lengths // 2 - length // 2


def _judge_alt(ref: str, alt: str) -> Reason:
    if _BASES.fullmatch(alt):
        return Reason.SCORED
    if alt == ".":
        return Reason.NO_ALTERNATIVE
    if alt == "*":
        return Reason.SPANNING_DELETION
    if any(mark in alt for mark in "<>[]") or alt[:1] == "." or alt[-1:] == ".":
        return Reason.SYMBOLIC_ALLELE
    if _SPELLED.fullmatch(alt):
        # Unknown bases may stand beside what changes, but not be what it changes to.
        _, _, changed = trim_alleles(ref.upper(), alt.upper())
        if not changed or _BASES.fullmatch(changed):
            return Reason.SCORED
    return Reason.INVALID_ALLELE


def _list_alleles(
    block: VcfBlock,
) -> tuple[Sequence[str], NDArray[np.int64], NDArray[np.int64]]:
    """List (ALT, record, number of the ALT in its record from 1) of every allele."""
    records = np.arange(len(block), dtype=np.int64)
    counts = np.array([alt.count(",") + 1 for alt in block.alts], dtype=np.int64)
    if counts.max(initial=1) == 1:
        return block.alts, records, np.ones(len(block), dtype=np.int64)
    alts = [alt for alts in block.alts for alt in alts.split(",")]
    first = np.cumsum(counts) - counts
    numbers = np.arange(len(alts), dtype=np.int64) - np.repeat(first, counts) + 1
    return alts, np.repeat(records, counts), numbers


def _lengths(alleles: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(len, alleles), dtype=np.int64, count=len(alleles))


def _first_letters(alleles: Sequence[str]) -> Codes:
    return _encode("".join([allele[:1] or "-" for allele in alleles]))


def _encode(letters: str) -> Codes:
    return _LETTERS[np.frombuffer(letters.encode("ascii", "replace"), dtype=np.uint8)]
