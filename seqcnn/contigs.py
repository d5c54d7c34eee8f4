"""One contig, several names: chr1, 1 and chrI; chrM, MT and Mito.

A name is bridged in this order: as it is; with or without the prefix ``chr`` (any case); by the
usual names of the mitochondrion; and between Roman and Arabic numbers. Romans are believed only
where the file that has them holds the whole run I, II, III, ... up to the number in question
(so a human ``X`` never becomes ``10``), or where the name has several letters (``chrVII``).
"""

from collections.abc import Iterable

from seqcnn.errors import InputError

__all__ = ["bridge_contigs", "unbridged_error"]

_MITOCHONDRION = {"m", "mt", "mito", "mitochondrion", "mitochondrial", "mtdna"}
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}


def bridge_contigs(queries: Iterable[str], contigs: Iterable[str]) -> dict[str, str]:
    """Find for each contig name of one file its name in another.

    Parameters
    ----------
    queries
        Names as they stand in a BED, VCF or table.
    contigs
        Names of the reference FASTA.

    Returns
    -------
    dict
        Name in the reference for each query that can be bridged without doubt; the others are
        missing.
    """
    names = list(dict.fromkeys(queries))
    references = set(contigs)
    by_key = _unambiguous_keys(references)
    runs = _roman_run({_key(name) for name in names}), _roman_run(set(by_key))
    bridges = {}
    for name in names:
        key = _key(name)
        candidates = [key, *_other_numerals(key, *runs)]
        found = name if name in references else None
        found = found or next((by_key[k] for k in candidates if k in by_key), None)
        if found is not None:
            bridges[name] = found
    return bridges


def unbridged_error(
    path: object, missing: Iterable[str], contigs: Iterable[str], *, error: type[InputError]
) -> InputError:
    """Build the error for contigs that the FASTA has not, with five names of each side."""
    absent, present = list(dict.fromkeys(missing)), list(contigs)
    return error(
        path,
        f"{len(absent)} contig(s) not in the FASTA: {_some(absent)}",
        expected=f"names of the FASTA, such as {_some(present)}",
        remedy="is this the right genome build? rename the contigs, or take these lines out",
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _key(name: str) -> str:
    key = name.lower()
    key = key[3:] if key.startswith("chr") and len(key) > 3 else key
    return "mt" if key in _MITOCHONDRION else key


def _unambiguous_keys(references: set[str]) -> dict[str, str]:
    # A FASTA that has both "1" and "chr1" cannot serve a third spelling.
    by_key: dict[str, list[str]] = {}
    for name in sorted(references):
        by_key.setdefault(_key(name), []).append(name)
    return {key: names[0] for key, names in by_key.items() if len(names) == 1}


def _roman_run(keys: set[str]) -> int:
    """Count how far the run i, ii, iii, ... goes without a gap."""
    last = 0
    while _to_roman(last + 1) in keys:
        last += 1
    return last


def _other_numerals(key: str, query_run: int, reference_run: int) -> list[str]:
    if key.isdecimal() and key.isascii():
        return [_to_roman(int(key))] if 0 < int(key) <= reference_run else []
    number = _from_roman(key)
    if number is None:
        return []
    return [str(number)] if len(key) > 1 or number <= query_run else []


def _to_roman(number: int) -> str:
    roman = ""
    for value, letters in ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv")):
        while number >= value:
            roman += letters
            number -= value
    return roman + "i" * number


def _from_roman(key: str) -> int | None:
    if not key or any(letter not in _ROMAN for letter in key):
        return None
    values = [_ROMAN[letter] for letter in key]
    total = sum(
        -value if value < max(values[i + 1 :], default=0) else value
        for i, value in enumerate(values)
    )
    return total if total > 0 and _to_roman(total) == key else None
