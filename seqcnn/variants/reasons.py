"""Why an allele has no score, and what to know of one that has."""

import enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["REASONS", "Note", "Reason", "note_names", "reason_names"]


class Reason(enum.IntEnum):
    """What became of an allele; the first reason that applies, in this order."""

    SCORED = 0
    NO_ALTERNATIVE = 1
    SPANNING_DELETION = 2
    SYMBOLIC_ALLELE = 3
    INVALID_ALLELE = 4
    REF_EQUALS_ALT = 5
    DUPLICATE_ALLELE_IN_RECORD = 6
    CONTIG_MISSING = 7
    WINDOW_OFF_CONTIG = 8
    REF_MISMATCH = 9
    TOO_LONG = 10
    WINDOW_ALL_N = 11


REASONS = {
    "no_alternative": "ALT is '.': the record names no other allele",
    "spanning_deletion": "ALT is '*': a deletion that another record tells of",
    "symbolic_allele": "ALT is symbolic (<DEL>, <*>) or a breakend: it spells no sequence",
    "invalid_allele": "ALT has letters other than ACGT, or REF other than ACGT, N and IUPAC codes",
    "ref_equals_alt": "REF and ALT are the same sequence",
    "duplicate_allele_in_record": "the same ALT stands earlier in the record, and is scored there",
    "contig_missing": "the FASTA has no contig of this name, nor of a usual alias",
    "window_off_contig": "REF lies, wholly or in part, off the contig (POS 0 included)",
    "ref_mismatch": "REF is not what the FASTA has there",
    "too_long": "REF or ALT, trimmed, is longer than the model's window",
    "window_all_n": "the FASTA has no known base in the window",
}
"""What each reason means; in the order in which they are looked for."""


class Note(enum.IntFlag):
    """What to know of a scored allele."""

    NONE = 0
    REF_MISMATCH = 1
    REF_UNKNOWN = 2
    WINDOW_PADDED = 4


def reason_names(reasons: NDArray[np.uint8]) -> list[str]:
    """Spell reasons (n,); ``.`` for an allele that is scored."""
    names = [".", *(reason.name.lower() for reason in Reason if reason)]
    return [names[code] for code in reasons.tolist()]


def note_names(notes: NDArray[np.uint8]) -> list[str]:
    """Spell notes (n,), joined by ``&``; ``.`` for none.

    ``ref_mismatch``: REF is not what the FASTA has, and stands in the windows all the same;
    ``ref_unknown``: the FASTA has N or an IUPAC code where REF names a base, which stands in the
    windows; ``window_padded``: a window reaches past the contig's end and is filled up with N.
    """
    flags = [flag for flag in Note if flag]
    names = [
        "&".join(flag.name.lower() for flag in flags if flag.name and code & flag) or "."
        for code in range(sum(flags) + 1)
    ]
    return [names[code] for code in notes.tolist()]
