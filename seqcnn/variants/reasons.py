"""Why an allele has no score, and what to know of one that has."""

import enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOTES", "REASONS", "Note", "Reason", "note_names", "reason_names"]


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
    "invalid_allele": "ALT, trimmed, has letters other than ACGT, or REF or ALT has any that are"
    " neither bases nor IUPAC codes",
    "ref_equals_alt": "REF and ALT are the same sequence",
    "duplicate_allele_in_record": "the same ALT, in either case, stands earlier in the record, and"
    " is scored there",
    "contig_missing": "the FASTA has no contig of this name, nor of a usual alias",
    "window_off_contig": "REF lies, wholly or in part, off the contig; so do the telomeres, which"
    " VCF numbers 0 and one beyond the last base",
    "ref_mismatch": "REF is not what the FASTA has there",
    "too_long": "REF or ALT, trimmed, is longer than the model's window",
    "window_all_n": "the FASTA has no known base in any window of REF, or in any of a deletion",
}
"""What each reason means; in the order in which they are looked for."""


class Note(enum.IntFlag):
    """What to know of a scored allele."""

    NONE = 0
    REF_MISMATCH = 1
    REF_UNKNOWN = 2
    WINDOW_PADDED = 4
    REF_AMBIGUOUS = 8
    WINDOW_IN_REPEAT = 16


NOTES = {
    "ref_mismatch": "REF is not the FASTA's but stands in the windows as given",
    "ref_unknown": "the FASTA has no known base where REF has one, which stands in the windows",
    "window_padded": "a window reaches past the contig's end and is filled up with N",
    "ref_ambiguous": "REF has no known base where ALT changes it, so that the reference has N",
    "window_in_repeat": "the windows lie within the repeat whose length changes",
}
"""What each note means."""


def reason_names(reasons: NDArray[np.uint8]) -> list[str]:
    """Spell reasons (n,); ``.`` for an allele that is scored."""
    names = [".", *(reason.name.lower() for reason in Reason if reason)]
    return [names[code] for code in reasons.tolist()]


def note_names(notes: NDArray[np.uint8]) -> list[str]:
    """Spell notes (n,), joined by ``&``; ``.`` for none. `NOTES` has their meaning."""
    flags = [flag for flag in Note if flag]
    names = [
        "&".join(flag.name.lower() for flag in flags if flag.name and code & flag) or "."
        for code in range(sum(flags) + 1)
    ]
    return [names[code] for code in notes.tolist()]
