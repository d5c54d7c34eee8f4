"""Whether an allele's effect stands out: types of alleles, null distributions, p-values.

An effect is compared with those of null variants of its own type: alleles of the same kind in
sequences that mean nothing. The types, from trimmed alleles
    ``A>C`` and the eleven other single bases;
    ``insertion_1``, ``insertion_2-4``, ``insertion_5+`` by the number of inserted bases;
    ``deletion_1``, ``deletion_2-4``, ``deletion_5+`` by the number of deleted bases;
    ``other_2-4``, ``other_5+``, where bases are replaced, by the longer of the two alleles.
A base in the place of an unknown one has no type.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from seqcnn.variants.draft import Spellings

__all__ = ["ALLELE_TYPES", "UNTYPED", "Null", "allele_types", "classify_alleles", "p_values"]

_CLASSES = ("1", "2-4", "5+")
_LEAST = np.array([2, 5])  # bases from which on an allele is of the second, and the third class

ALLELE_TYPES = (
    *(f"{ref}>{alt}" for ref in "ACGT" for alt in "ACGT" if ref != alt),
    *(f"insertion_{size}" for size in _CLASSES),
    *(f"deletion_{size}" for size in _CLASSES),
    *(f"other_{size}" for size in _CLASSES[1:]),
)
"""Names of the types; the number of a type is its place here."""

UNTYPED = 255
"""Number of an allele that has no type."""

_INSERTION = ALLELE_TYPES.index("insertion_1")
_DELETION = ALLELE_TYPES.index("deletion_1")
_OTHER = ALLELE_TYPES.index("other_2-4") - 1  # there is no class of one base

_ROUNDING = np.float32(1e-6)
"""Effects below this share of a task's largest null are rounding, and count as none."""

Integers = NDArray[np.int64]
Types = NDArray[np.uint8]


def allele_types(refs: "Spellings", alternatives: "Spellings") -> Types:
    """Tell the type of trimmed alleles, as numbers (m,) of `ALLELE_TYPES`.

    Parameters
    ----------
    refs, alternatives
        What each of m alleles replaces, and by what; either may be empty.
    """
    first_letters = [_first_letters(side) for side in (refs, alternatives)]
    return classify_alleles(refs.lengths, alternatives.lengths, *first_letters)


def _first_letters(alleles: "Spellings") -> NDArray[np.uint8]:
    padded = np.append(alleles.letters, np.uint8(0))
    return np.asarray(padded[alleles.starts[:-1]], dtype=np.uint8)


def classify_alleles(
    ref_lengths: Integers,
    alt_lengths: Integers,
    ref_letters: NDArray[np.uint8],
    alt_letters: NDArray[np.uint8],
) -> Types:
    """Tell the type of trimmed alleles, as `allele_types` does.

    Parameters
    ----------
    ref_lengths, alt_lengths
        Bases of both alleles (m,).
    ref_letters, alt_letters
        Code of the first base of each (m,); only those of single bases matter.
    """
    longer = np.maximum(ref_lengths, alt_lengths)
    size = np.searchsorted(_LEAST, longer, side="right")
    types = np.select(
        [longer == 0, ref_lengths == 0, alt_lengths == 0, longer > 1],
        [UNTYPED, _INSERTION + size, _DELETION + size, _OTHER + size],
        default=_number_substitutions(ref_letters, alt_letters),
    )
    return types.astype(np.uint8)


def _number_substitutions(ref: NDArray[np.uint8], alt: NDArray[np.uint8]) -> Integers:
    before, after = ref.astype(np.int64), alt.astype(np.int64)
    known = (before < 4) & (after < 4) & (before != after)
    return np.where(known, 3 * before + after - (after > before), UNTYPED)


@dataclass(frozen=True)
class Null:
    """Sizes of the effects of null variants, of each type and for each task.

    Attributes
    ----------
    sizes
        Absolute deltas (types, tasks, count) of null variants, each row in rising order.
    types
        Names of the types.
    strands
        The strands that were looked at: with others, effects have another distribution.
    shifts
        Number of offsets that were averaged over; the same holds for them.
    source
        What the null variants stand in: ``training`` or ``genome`` (shuffled), or ``intervals``
        (of the genome, as they are).

    Raises
    ------
    ValueError
        For sizes that are none, are not sorted, or do not fit the types.
    """

    sizes: NDArray[np.float32]
    types: tuple[str, ...] = ALLELE_TYPES
    strands: str = "average"
    shifts: int = 1
    source: str = "training"

    def __post_init__(self) -> None:
        sizes, types = self.sizes, self.types
        if sizes.ndim != 3 or not sizes.size or len(sizes) != len(types):
            raise ValueError(f"null of shape {sizes.shape} for {len(types)} types")
        if sizes.dtype != np.float32 or not np.isfinite(sizes).all() or (sizes < 0).any():
            raise ValueError("null holds values that are no sizes")
        if (sizes[..., 1:] < sizes[..., :-1]).any():
            raise ValueError("null is not sorted")
        if len(set(types)) < len(types) or not all(isinstance(name, str) for name in types):
            raise ValueError("null with types that are no names")
        if type(self.shifts) is not int or self.shifts < 1:
            raise ValueError(f"null of {self.shifts!r} shifts")
        if not isinstance(self.strands, str) or not isinstance(self.source, str):
            raise ValueError(f"null of {self.strands!r}, {self.source!r}")

    @property
    def count(self) -> int:
        """Null variants of each type."""
        return int(self.sizes.shape[2])

    def suits(self, *, strands: str, shifts: int) -> bool:
        """Tell whether effects over these strands and this number of shifts can be compared."""
        return (self.strands, self.shifts) == (strands, shifts)


def p_values(null: Null, types: Types, delta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compare effects with those of null variants of the same type, without regard to sign.

    p = (rank + 1) / (count + 1), where rank is the number of null variants whose effect is at
    least as large in size. So ties count against significance, p is never 0, and on null
    variants themselves it is uniform however skewed their effects are: P(p <= a) <= a.

    Parameters
    ----------
    null
        The model's.
    types
        Number of the type of each allele (n,).
    delta
        Effects (n, tasks).

    Returns
    -------
    NDArray
        p (n, tasks), two-sided; NaN without an effect, a type, or null variants of the type.

    References
    ----------
    Phipson and Smyth 2010, doi:10.2202/1544-6115.1585 (why 1 is added)
    """
    sizes = np.abs(delta).astype(np.float32)  # rounded as the null is, so that ties stay ties
    sizes[sizes <= _ROUNDING * null.sizes[..., -1].max(axis=0)] = 0
    p = np.full(delta.shape, np.nan)
    for number in np.unique(types[types < len(ALLELE_TYPES)]):
        if ALLELE_TYPES[number] not in null.types:
            continue
        rows = np.flatnonzero(types == number)
        of_type = null.sizes[null.types.index(ALLELE_TYPES[number])]
        for task, sorted_sizes in enumerate(of_type):
            smaller = np.searchsorted(sorted_sizes, sizes[rows, task], side="left")
            p[rows, task] = (null.count - smaller + 1) / (null.count + 1)
    p[np.isnan(delta)] = np.nan
    return p
