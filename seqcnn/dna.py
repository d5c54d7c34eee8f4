"""Integer codes of nucleotides: one byte a base, A C G T/U = 0 1 2 3, anything ambiguous = 4.

Sequences stay in this form everywhere; one-hot exists only in whole batches.
Lower case (soft-masked) letters mean the same base; IUPAC ambiguity codes and ``-`` become N.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALPHABETS",
    "COMPLEMENT",
    "INVALID",
    "UNKNOWN",
    "Codes",
    "decode",
    "encode",
    "gc_fraction",
    "one_hot",
    "reverse_complement",
]

Codes = NDArray[np.uint8]

UNKNOWN = 4
"""Code of N and of every other ambiguous letter."""

INVALID = 255
"""What `encode` gives for a byte that is no nucleotide letter at all."""

ALPHABETS = {"dna": "ACGTN", "rna": "ACGUN"}
"""Letters of the codes 0 to 4 for each ``--alphabet``."""

COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def _encoding_table() -> Codes:
    table = np.full(256, INVALID, dtype=np.uint8)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), ("NRYSWKMBDHV.-", UNKNOWN)):
        for letter in letters:
            table[ord(letter)] = table[ord(letter.lower())] = code
    return table


_ENCODING = _encoding_table()


def encode(sequence: str | bytes) -> Codes:
    """Encode a sequence, one byte a base.

    Parameters
    ----------
    sequence
        Nucleotide letters of either case.

    Returns
    -------
    Codes
        Array (length,) of 0-4, with `INVALID` (255) where a byte is no nucleotide letter,
        so that a reader can say where it stands.
    """
    raw = sequence.encode("latin-1", "replace") if isinstance(sequence, str) else sequence
    return _ENCODING[np.frombuffer(raw, dtype=np.uint8)]


def decode(codes: Codes, *, alphabet: str = "dna") -> str:
    """Spell codes (length,) as upper-case letters of the alphabet ``dna`` or ``rna``."""
    letters = np.frombuffer(ALPHABETS[alphabet].encode(), dtype=np.uint8)
    return letters[codes].tobytes().decode("ascii")


def reverse_complement(codes: Codes) -> Codes:
    """Reverse the last axis of codes (..., length) and complement each base; N stays N."""
    return COMPLEMENT[codes[..., ::-1]]


def gc_fraction(codes: Codes) -> NDArray[np.float64]:
    """Measure the share of G and C among the known bases of each row.

    Parameters
    ----------
    codes
        Array (..., length).

    Returns
    -------
    NDArray
        Array (...), 0 for rows without a known base.
    """
    strong = ((codes == 1) | (codes == 2)).sum(axis=-1)
    known = (codes < UNKNOWN).sum(axis=-1)
    return np.asarray(strong / np.maximum(known, 1), dtype=np.float64)


def one_hot(codes: Codes, *, unknown: float = 0.25) -> NDArray[np.float32]:
    """Expand codes (..., length) to one-hot rows (..., 4, length) in A, C, G, T order.

    Parameters
    ----------
    codes
        Array (..., length) of 0-4.
    unknown
        What N has in each of the four rows. DeepBind's 0.25 says "any base, equally likely".
    """
    table = np.vstack([np.eye(4, dtype=np.float32), np.full((1, 4), unknown, dtype=np.float32)])
    return np.ascontiguousarray(np.moveaxis(table[codes], -1, -2))
