"""What is left of two alleles when the bases that they share are taken off, and where it can lie.

In a repeat the same haplotype comes of an insertion or deletion at any of several places. They
are neighbours: from the leftmost one, where other tools put it, to the rightmost one.
"""

import numpy as np

from seqcnn.dna import Codes

__all__ = ["left_align", "trim_alleles"]

_FEW = 8  # bases are looked at one by one
_FIRST_REACH = 32
_FURTHEST_REACH = 1 << 20


def trim_alleles(
    ref: str, alt: str, *, keep: tuple[int, int] | None = None
) -> tuple[int, str, str]:
    """Take off what two alleles share: first at their ends, then at their beginnings.

    Parameters
    ----------
    ref, alt
        The alleles, both in upper case.
    keep
        First and last base of REF that must stay.

    Returns
    -------
    tuple
        Bases taken off at the beginning, and what is left of REF and ALT.
    """
    first, last = keep or (len(ref), -1)
    suffix = min(_shared(ref[::-1], alt[::-1]), len(ref) - 1 - last)
    ref, alt = ref[: len(ref) - suffix], alt[: len(alt) - suffix]
    prefix = min(_shared(ref, alt), first)
    return prefix, ref[prefix:], alt[prefix:]


def left_align(codes: Codes, start: int, letters: Codes, *, removed: int) -> tuple[int, int, Codes]:
    """Move inserted or deleted letters left as long as the sequence stays the same.

    Parameters
    ----------
    codes
        The contig (contig length,).
    start
        Where the letters are inserted, or the first of those deleted.
    letters
        The inserted or deleted bases (k,), k > 0.
    removed
        k for a deletion, 0 for an insertion.

    Returns
    -------
    tuple
        The leftmost start; how many bases further right the rightmost one is; the letters that
        are inserted or deleted at the leftmost one.
    """
    left = _count_repeated(codes[:start][::-1], letters[::-1])
    right = _count_repeated(codes[start + removed :], letters)
    return start - left, left + right, np.roll(letters, left) if left else letters


def _count_repeated(bases: Codes, letters: Codes) -> int:
    """Count the bases, from the first on, that are the letters over and over."""
    period = len(letters)
    for count in range(min(_FEW, len(bases))):
        if bases[count] != letters[count % period]:
            return count
    return _count_many(bases, letters) if len(bases) > _FEW else len(bases)


def _count_many(bases: Codes, letters: Codes) -> int:
    period = len(letters)
    differs = bases[:period] != letters[: len(bases)]
    count, reach = 0, _FIRST_REACH
    while not differs.any():
        count += len(differs)
        if count == len(bases):
            return count
        # Those are the letters, so what follows has to repeat what is `period` bases before.
        part = bases[count : count + reach]
        differs = part != bases[count - period : count - period + len(part)]
        reach = min(reach * 8, _FURTHEST_REACH)
    return count + int(differs.argmax())


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
