"""Gapped k-mers in compiled loops: what two l-mers have in common, and so two sequences.

An l-mer is a number with two bits a base. Two of them that differ at d of l bases share
C(l - d, k) gapped k-mers, so that gapped k-mers need never be listed: the square of a sequence's
length in their space is a sum over pairs of its l-mers, a whole number, and what changes in it
with a few l-mers is known from those alone. Scores are whole numbers too (see `GkmTable`): every
sum comes out the same in any order.

References
----------
Ghandi et al. 2014, doi:10.1371/journal.pcbi.1003711
"""

import functools
from math import comb

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.compiled import compile_kernel

__all__ = [
    "NO_LMER",
    "Integers",
    "Lmers",
    "number_lmers",
    "shared_kmers",
    "similarity",
    "square_length",
    "turn_lmers",
]

Lmers = NDArray[np.int32]
Integers = NDArray[np.int64]

NO_LMER = np.int32(1 << 30)
"""Stands for the bases around an N."""

_DIGITS = 0x00555555  # the lower bit of each of 12 bases


def shared_kmers(width: int, informative: int) -> Integers:
    """Give the gapped k-mers that two l-mers share, by their mismatches; 0 from 16 on (N)."""
    shared = np.zeros(32, dtype=np.int64)
    shared[: width + 1] = [comb(width - d, informative) for d in range(width + 1)]
    return shared


@compile_kernel
def number_lmers(codes: Codes, width: int, forward: Lmers, reverse: Lmers) -> None:
    """Give the l-mers of one sequence (length,), and their reverse complements, numbers.

    Parameters
    ----------
    codes
        The sequence.
    width
        Bases of an l-mer.
    forward, reverse
        Take the numbers (length - width + 1,), `NO_LMER` where there is an N.
    """
    mask = (1 << (2 * width)) - 1
    ahead, behind, known = np.int64(0), np.int64(0), 0
    for i in range(len(codes)):
        code = np.int64(codes[i])
        if code > 3:
            known, code = -1, np.int64(0)
        ahead = ((ahead << 2) | code) & mask
        behind = (behind >> 2) | ((3 - code) << (2 * width - 2))
        known += 1
        if i >= width - 1:
            whole = known >= width
            forward[i - width + 1] = ahead if whole else NO_LMER
            reverse[i - width + 1] = behind if whole else NO_LMER


@functools.cache
def turn_lmers(width: int) -> Lmers:
    """Give the number of each l-mer's reverse complement (4 ** width,)."""
    turned = np.zeros(1, dtype=np.int32)
    for _ in range(width):  # a base more on the left is, turned, its complement on the right
        turned = ((turned << 2) + (3 - np.arange(4, dtype=np.int32))[:, None]).ravel()
    turned.flags.writeable = False
    return turned


@compile_kernel
def _mismatches(one: int, other: int) -> int:
    """Count the bases that differ; 16 or more where one of the two is no l-mer."""
    bits = one ^ other
    marked = (bits | (bits >> 1)) & _DIGITS
    marked = (marked & 0x33333333) + ((marked >> 2) & 0x33333333)
    marked = (marked + (marked >> 4)) & 0x0F0F0F0F
    marked = marked + (marked >> 8)
    return ((marked + (marked >> 16)) & 0xF) + ((bits >> 26) & 16)


@compile_kernel
def similarity(lmer: int, forward: Lmers, reverse: Lmers, both: bool, shared: Integers) -> int:
    """Sum what an l-mer shares with each of others, and with their reverse complements."""
    total = 0
    for i in range(len(forward)):
        total += shared[_mismatches(lmer, forward[i])]
    if both:
        for i in range(len(reverse)):
            total += shared[_mismatches(lmer, reverse[i])]
    return total


@compile_kernel
def square_length(forward: Lmers, reverse: Lmers, both: bool, shared: Integers) -> int:
    """Square the length of a sequence's counts: each of its l-mers with each, and turned."""
    total = 0
    for i in range(len(forward)):
        one = forward[i]
        if one != NO_LMER:
            pairs = similarity(one, forward[i + 1 :], reverse[i + 1 :], both, shared)
            total += shared[0] + 2 * pairs
            if both:
                total += shared[_mismatches(one, reverse[i])]
    return total
