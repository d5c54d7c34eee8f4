"""One contig, several names: chr1, 1 and chrI; chrM, MT and Mito.

A name is bridged in this order: as it is; with or without the prefix ``chr`` (any case); by the
usual names of the mitochondrion; and between Roman and Arabic numbers. Romans are believed only
where the file that has them holds the whole run I, II, III, ... up to the number in question
(so a human ``X`` never becomes ``10``), or where the name has several letters (``chrVII``).
"""

from collections.abc import Collection, Iterable

from seqcnn.errors import InputError

__all__ = ["ContigBridge", "bridge_contigs", "unbridged_error"]

_MITOCHONDRION = {"m", "mt", "mito", "mitochondrion", "mitochondrial", "mtdna"}
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}
_LONGEST_ROMAN = len("lxxxviii")
_LONGEST_NUMBER = 3
_LONGEST_SHOWN = 60


class ContigBridge:
    """Names of one file looked up in another, one at a time.

    Parameters
    ----------
    queries
        Names of the file that is read: they tell Roman numbers from letters.
    contigs
        Names of the reference FASTA.
    """

    def __init__(self, queries: Iterable[str], contigs: Iterable[str]) -> None:
        self._references = set(contigs)
        self._by_key = _unambiguous_keys(self._references)
        self._keys = {_key(name) for name in queries}
        self._run = _roman_run(self._by_key)

    def find(self, name: str) -> str | None:
        """Give the reference's name of a contig, or None where that is in doubt."""
        if name in self._references:
            return name
        key = _key(name)
        runs = _roman_run(self._keys, beside=key), self._run
        candidates = [key, *_other_numerals(key, *runs)]
        return next((self._by_key[k] for k in candidates if k in self._by_key), None)


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
    bridge = ContigBridge(names, contigs)
    return {name: found for name in names if (found := bridge.find(name)) is not None}


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
    shown = [f"{n[:_LONGEST_SHOWN]}..." if len(n) > _LONGEST_SHOWN else n for n in names[:5]]
    return ", ".join(shown) + (", ..." if len(names) > 5 else "")


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


def _roman_run(keys: Collection[str], *, beside: str = "") -> int:
    """Count how far the run i, ii, iii, ... goes without a gap, with one key more."""
    last = 0
    while (following := _to_roman(last + 1)) in keys or following == beside:
        last += 1
    return last


def _other_numerals(key: str, query_run: int, reference_run: int) -> list[str]:
    if key.isdecimal() and key.isascii():
        number = int(key) if len(key) <= _LONGEST_NUMBER else 0
        return [_to_roman(number)] if 0 < number <= reference_run else []
    roman = _from_roman(key)
    if roman is None:
        return []
    return [str(roman)] if len(key) > 1 or roman <= query_run else []


def _to_roman(number: int) -> str:
    roman = ""
    for value, letters in ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv")):
        while number >= value:
            roman += letters
            number -= value
    return roman + "i" * number


def _from_roman(key: str) -> int | None:
    if not 0 < len(key) <= _LONGEST_ROMAN or any(letter not in _ROMAN for letter in key):
        return None
    values = [_ROMAN[letter] for letter in key]
    total = sum(
        -value if value < max(values[i + 1 :], default=0) else value
        for i, value in enumerate(values)
    )
    return total if total > 0 and _to_roman(total) == key else None
