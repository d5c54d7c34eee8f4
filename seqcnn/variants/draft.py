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
from seqcnn.genome import Genome, gather_windows
from seqcnn.variants.reasons import Note, Reason
from seqcnn.variants.vcf import VcfBlock

__all__ = ["Draft", "Spellings", "left_shift", "trim_alleles", "window_starts"]

_SPELLED_ALT = re.compile(r"[ACGTacgt]+")
_SPELLED_REF = re.compile(r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+")


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
        self._judge_spelling()

    @property
    def open(self) -> NDArray[np.bool_]:
        """Alleles that have no reason so far (m,)."""
        return np.asarray(self.reasons == Reason.SCORED)

    def _give(self, alleles: NDArray[np.bool_], reason: Reason) -> None:
        self.reasons[alleles & self.open] = reason

    def _judge_spelling(self) -> None:
        odd = np.flatnonzero(~self.single | (self._alt_codes >= UNKNOWN))
        self.reasons[odd] = [_judge_alt(self.alts[row]) for row in odd.tolist()]
        refs = self.block.refs
        valid = self._ref_codes != INVALID
        for record in np.flatnonzero(self._ref_lengths > 1).tolist():
            valid[record] = _SPELLED_REF.fullmatch(refs[record]) is not None
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
                differs = found != ref
                self.mismatched[record] = bool((differs & (found != UNKNOWN)).any())
                self.unknown[record] = bool((differs & (found == UNKNOWN)).any())

    def settle_mismatches(self, *, skip: bool) -> None:
        """Give alleles whose REF is not the genome's their reason, or else a note."""
        if skip:
            self._give(self.mismatched[self.records], Reason.REF_MISMATCH)
        for records, note in (
            (self.mismatched, Note.REF_MISMATCH),
            (self.unknown, Note.REF_UNKNOWN),
        ):
            self.notes[records[self.records] & self.open] |= np.uint8(note)

    def trim(self, genome: Genome, length: int) -> None:
        """Trim each open allele and move it left; refuse what is longer than the window."""
        self.starts = self.origins[self.records]
        refs: dict[int, Codes] = {}
        alts: dict[int, Codes] = {}
        for contig, rows in self._by_contig(np.flatnonzero(self.open & ~self.single)):
            codes = genome.codes(contig)
            for row in rows.tolist():
                ref, alt = self.block.refs[self.records[row]], self.alts[row]
                prefix, ref, alt = trim_alleles(ref.upper(), alt.upper())
                if max(len(ref), len(alt)) > length:
                    self.reasons[row] = Reason.TOO_LONG
                    continue
                self.starts[row] += prefix
                refs[row], alts[row] = _encode(ref), _encode(alt)
                if not (ref and alt) and not self.notes[row]:
                    moved = refs if ref else alts
                    self.starts[row], moved[row] = left_shift(
                        codes, int(self.starts[row]), moved[row]
                    )
        self.refs = self._spell(self._ref_codes[self.records], refs)
        self.alternatives = self._spell(self._alt_codes, alts)

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

    def judge_windows(self, genome: Genome, length: int) -> None:
        """Refuse windows without a known base; note those that reach past the contig's end."""
        sizes = self.sizes[self.records]
        first = window_starts(self.starts, self.refs.lengths, length)
        grown = self.alternatives.lengths - self.refs.lengths
        first_alt = window_starts(self.starts, self.alternatives.lengths, length)
        padded = (np.minimum(first, first_alt) < 0) | (first + length > sizes)
        padded |= first_alt + length > sizes + grown
        self.notes[padded & self.open] |= np.uint8(Note.WINDOW_PADDED)
        for contig, rows in self._by_contig(np.flatnonzero(self.open)):
            codes = genome.codes(contig)
            middle = first[rows] + length // 2
            # Only a window whose middle is unknown can be unknown as a whole.
            unknown = codes[np.minimum(middle, len(codes) - 1)] == UNKNOWN
            rows = rows[unknown | (middle >= len(codes))]  # noqa: PLW2901
            windows = gather_windows(codes, first[rows], length)
            self.reasons[rows[(windows == UNKNOWN).all(axis=1)]] = Reason.WINDOW_ALL_N


def window_starts(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """Place windows (n,) so that the middle of each allele is the window's centre.

    Parameters
    ----------
    starts, lengths
        First base and number of bases of each allele (n,).
    length
        Bases of the window.
    """
    return starts + lengths // 2 - length // 2


def trim_alleles(ref: str, alt: str) -> tuple[int, str, str]:
    """Take off what two alleles share: first at their ends, then at their beginnings.

    Returns
    -------
    tuple
        Bases taken off at the beginning, and what is left of REF and ALT.
    """
    suffix = _shared(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - suffix], alt[: len(alt) - suffix]
    prefix = _shared(ref, alt)
    return prefix, ref[prefix:], alt[prefix:]


def left_shift(codes: Codes, start: int, letters: Codes) -> tuple[int, Codes]:
    """Move inserted or deleted letters left as long as the sequence stays the same.

    Parameters
    ----------
    codes
        The contig (contig length,).
    start
        Where the letters are inserted, or the first of those deleted.
    letters
        The inserted or deleted bases (k,), k > 0.

    Returns
    -------
    tuple
        The leftmost start, and the letters that are inserted or deleted there.
    """
    reach = 32
    while start and codes[start - 1] == letters[-1]:
        left = codes[max(0, start - reach) : start]
        both = np.concatenate([left, letters])
        differ = np.flatnonzero(left != both[len(letters) :])
        same = len(left) - (int(differ[-1]) + 1 if len(differ) else 0)
        begin = len(left) - same
        start, letters = start - same, both[begin : begin + len(letters)]
        reach = min(reach * 8, 1 << 20)
    return start, letters


def _shared(one: str, other: str) -> int:
    """Count the letters that two strings have in common at their beginning, by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _judge_alt(alt: str) -> Reason:
    if _SPELLED_ALT.fullmatch(alt):
        return Reason.SCORED
    if alt == ".":
        return Reason.NO_ALTERNATIVE
    if alt == "*":
        return Reason.SPANNING_DELETION
    if any(mark in alt for mark in "<>[]") or alt[:1] == "." or alt[-1:] == ".":
        return Reason.SYMBOLIC_ALLELE
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
