"""Null variants: random alleles of every type, in the middle of windows that mean nothing.

They are records like those of a VCF, of a contig that is made for them. Lengths are drawn
log-uniformly within the class, up to `LONGEST` bases; inserted letters are drawn from the window's
own; half of the ``other`` alleles have as many letters as they replace.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes, decode
from seqcnn.negatives import shuffle_dinucleotides
from seqcnn.nulls.places import SLOTS
from seqcnn.significance import ALLELE_TYPES
from seqcnn.variants import VcfBlock

__all__ = ["CONTIG", "LONGEST", "MARGIN", "draw_records", "fill_unknown", "shuffle_windows"]

CONTIG = "null"
"""Name of the contig that the records stand on."""

LONGEST = 50
"""Most bases of a null insertion, deletion or replacement."""

MARGIN = 2 * LONGEST
"""Bases on both sides of a window, into which alleles and shifts move it."""

_BOUNDS = {"1": (1, 1), "2-4": (2, 4), "5+": (5, LONGEST)}

_SUBSTITUTIONS = 12
_SLOT = np.array([min(i // 3, SLOTS - 1) for i in range(len(ALLELE_TYPES))])
"""Kind of place at which each type stands: its own reference base, or any."""

Integers = NDArray[np.int64]


def shuffle_windows(contexts: Codes, *, length: int, rng: np.random.Generator) -> Codes:
    """Shuffle sequences and turn each, as a circle, to a random place.

    Parameters
    ----------
    contexts
        Sequences (k, SLOTS, at least length), each with a known base. Unknown bases become
        others of the same sequence.
    length
        Bases of the model's window.
    rng
        Source of the shuffles and the places.

    Returns
    -------
    Codes
        Windows (k, SLOTS, length + 2 * MARGIN) with A, C, G, T and any base in the middle.
    """
    size = contexts.shape[2]
    centre, width = MARGIN + length // 2, length + 2 * MARGIN
    filled = fill_unknown(contexts, rng=rng).reshape(-1, size)
    circles = shuffle_dinucleotides(filled, rng=rng).reshape(contexts.shape)
    right = np.ones(contexts.shape, dtype=np.bool_)
    right[:, :4] = circles[:, :4] == np.arange(4)[:, None]
    places = (rng.random(right.shape, dtype=np.float32) + right).argmax(axis=2)
    turned = (places[..., None] - centre + np.arange(width)) % size
    windows: Codes = np.take_along_axis(circles, turned, axis=2)
    windows[:, :4, centre] = np.arange(4)  # where a circle has no such base
    return windows


def fill_unknown(codes: Codes, *, rng: np.random.Generator) -> Codes:
    """Put others of the same sequence in the place of unknown bases.

    Parameters
    ----------
    codes
        Sequences (..., length), each with a known base.
    rng
        Source of the choice.
    """
    filled = codes.reshape(-1, codes.shape[-1]).copy()
    for number in np.flatnonzero((filled == UNKNOWN).any(axis=1)):
        row = filled[number]
        unknown = row == UNKNOWN
        row[unknown] = rng.choice(row[~unknown], size=int(unknown.sum()))
    return filled.reshape(codes.shape)


def draw_records(
    windows: Codes, *, length: int, rng: np.random.Generator
) -> tuple[Codes, VcfBlock]:
    """Draw an allele of every type for each row of windows.

    Parameters
    ----------
    windows
        As `shuffle_windows` gives them (k, SLOTS, length + 2 * MARGIN), all bases known.
    length
        Bases of the model's window, and most bases of an allele.
    rng
        Source of lengths and letters.

    Returns
    -------
    tuple
        The contig `CONTIG` of all windows side by side, and a record for each allele: k times
        all types in turn.
    """
    centre, width = MARGIN + length // 2, windows.shape[2]
    contig = windows.ravel()
    removed, inserted = (
        each.ravel() for each in _draw_lengths(len(windows), min(LONGEST, length), rng)
    )
    first = ((np.arange(len(windows))[:, None] * SLOTS + _SLOT) * width).ravel()
    starts = first + centre - removed // 2
    ends = np.concatenate([[0], np.cumsum(inserted)])
    letters = contig[rng.integers(0, width, size=ends[-1]) + np.repeat(first, inserted)]
    _settle_letters(letters, ends, contig[starts], contig[starts + removed - 1], removed, rng)
    return contig, _spell_records(contig, starts, removed, letters, ends)


def _draw_lengths(count: int, longest: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Draw how many bases alleles of each type (count, types) take away and bring."""
    removed, inserted = np.ones((2, count, len(ALLELE_TYPES)), dtype=np.int64)
    for number, name in enumerate(ALLELE_TYPES):
        kind, _, size = name.partition("_")
        if not size:
            continue
        low, high = (min(bound, longest) for bound in _BOUNDS[size])
        drawn = np.minimum(low * ((high + 1) / low) ** rng.random(count), high).astype(np.int64)
        removed[:, number] = inserted[:, number] = 0
        if kind == "other":
            removed[:, number], inserted[:, number] = _pair_sizes(drawn, rng)
        else:
            (removed if kind == "deletion" else inserted)[:, number] = drawn
    return removed, inserted


def _pair_sizes(longer: Integers, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Give each allele another side: half of the time as long, else shorter; in random order."""
    count = len(longer)
    shorter = 1 + (rng.random(count) * (longer - 1)).astype(np.int64)
    other = np.where(rng.random(count) < 0.5, longer, shorter)
    is_longer = rng.random(count) < 0.5
    return np.where(is_longer, longer, other), np.where(is_longer, other, longer)


def _settle_letters(
    letters: Codes,
    ends: Integers,
    first_replaced: Codes,
    last_replaced: Codes,
    removed: Integers,
    rng: np.random.Generator,
) -> None:
    """Make the letters those of the types: no base may be left that REF and ALT share."""
    types = np.tile(np.arange(len(ALLELE_TYPES)), len(removed) // len(ALLELE_TYPES))
    inserted = np.diff(ends)
    first, last = ends[:-1], ends[1:] - 1
    alternatives = np.array(["ACGT".find(name[-1]) for name in ALLELE_TYPES], dtype=np.int64)
    substitution = types < _SUBSTITUTIONS
    letters[first[substitution]] = alternatives[types[substitution]]

    other = ~substitution & (removed > 0) & (inserted > 0)
    single = other & (inserted == 1)
    several = other & (inserted > 1)
    _avoid(letters, first[single], first_replaced[single], last_replaced[single], rng)
    _avoid(letters, first[several], first_replaced[several], first_replaced[several], rng)
    _avoid(letters, last[several], last_replaced[several], last_replaced[several], rng)


def _avoid(
    letters: Codes, at: Integers, one: Codes, other: Codes, rng: np.random.Generator
) -> None:
    """Draw the letters at some places anew while they are one of two."""
    drawn = letters[at]
    while (clash := (drawn == one) | (drawn == other)).any():
        drawn[clash] = rng.integers(0, 4, size=int(clash.sum()))
    letters[at] = drawn


def _spell_records(
    contig: Codes, starts: Integers, removed: Integers, letters: Codes, ends: Integers
) -> VcfBlock:
    """Spell alleles as a VCF does: with the base before them where one side is empty."""
    bases, own = decode(contig), decode(letters)
    begins = starts - ((removed == 0) | (np.diff(ends) == 0))
    places = (each.tolist() for each in (begins, starts, starts + removed, ends[:-1], ends[1:]))
    alleles = [
        (bases[begin:stop], bases[begin:start] + own[first:last])
        for begin, start, stop, first, last in zip(*places, strict=True)
    ]
    refs, alts = zip(*alleles, strict=True)
    none = ("",) * len(refs)
    numbers = np.arange(1, len(refs) + 1)
    names = (CONTIG,) * len(refs)
    return VcfBlock("null variant ", list(none), numbers, names, begins + 1, none, refs, alts)
