"""Collections of known motifs: a file of any of the three formats, or JASPAR as it is installed.

A file's format is told from its first words. The word ``jaspar`` stands for the newest release of
JASPAR CORE that the package pyjaspar brings, vertebrates, the latest version of each motif;
``jaspar:fungi`` for those of another group of organisms; ``jaspar2024`` or ``jaspar2024:plants``
for another release. Nothing is fetched from anywhere. A file that is called so is ``./jaspar``.
"""

import importlib.util
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqcnn.errors import ConfigError, MotifFileError
from seqcnn.files import numbered_lines
from seqcnn.motifs.formats import read_jaspar, read_meme, read_transfac
from seqcnn.motifs.matrix import Motif

__all__ = ["KnownMotifs", "read_known_motifs"]

_JASPAR = re.compile(r"jaspar(\d{4})?(?::(\w+))?", re.IGNORECASE)
_DEFAULT_GROUP = "vertebrates"
_COLLECTION = "CORE"

_Reader = Callable[[str | Path], list[Motif]]
_FORMATS: dict[str, _Reader] = {
    r"MEME version": read_meme,
    r">": read_jaspar,
    r"(AC|ID|VV|XX|P0|PO|NA|DE|BF|CC|TF)(\s|$)|//$": read_transfac,
}
_URACIL = re.compile(r"ALPHABET=\s*ACGU|U\s*\[|P[0O]\s+A\s+C\s+G\s+U")


@dataclass(frozen=True)
class KnownMotifs:
    """Motifs that others are held against, and where they are from.

    Attributes
    ----------
    source
        A file, or a release of JASPAR.
    motifs
        All motifs of it.
    alphabet
        ``dna`` or ``rna``, as they are spelled there.
    """

    source: str
    motifs: tuple[Motif, ...]
    alphabet: str = "dna"


def read_known_motifs(source: str) -> KnownMotifs:
    """Read a motif file, or the installed JASPAR.

    Raises
    ------
    MotifFileError
        If the file is no motif file, or not whole.
    ConfigError
        If JASPAR is asked for and not installed, or the release or group is not in it.
    """
    if match := _JASPAR.fullmatch(source):
        return _read_installed(source, match[1], (match[2] or _DEFAULT_GROUP).lower())
    path = Path(source)
    lines = [text.strip() for _, text in numbered_lines(path, MotifFileError)]
    first = next((text for text in lines if text), "")
    for pattern, read in _FORMATS.items():
        if re.match(pattern, first):
            rna = any(_URACIL.match(text) for text in lines)
            return KnownMotifs(source, tuple(read(path)), "rna" if rna else "dna")
    raise MotifFileError(
        f"{path}:1",
        f"begins with {first[:40]!r}",
        expected="'MEME version 4', '>ID name' (JASPAR) or 'ID' (TRANSFAC)",
        remedy="convert it to minimal MEME",
    )


def _read_installed(source: str, release: str | None, group: str) -> KnownMotifs:
    paths = _find_releases(source)
    if not paths or (release and release not in paths):
        raise ConfigError(
            f"--motifs {source}",
            f"there is no release {release or ''}".rstrip(),
            expected=f"one of {', '.join(sorted(paths))}",
        )
    chosen = release or max(paths)
    with sqlite3.connect(f"{paths[chosen].as_uri()}?mode=ro&immutable=1", uri=True) as base:
        motifs = _query(base, group)
        if not motifs:
            groups = base.execute(_GROUPS, (_COLLECTION,))
            raise ConfigError(
                f"--motifs {source}",
                f"JASPAR {chosen} has no motifs of {group!r}",
                expected=f"one of {', '.join(str(name) for (name,) in groups)}",
            )
    base.close()
    return KnownMotifs(f"JASPAR {chosen} {_COLLECTION}, {group}", tuple(motifs))


def _find_releases(source: str) -> dict[str, Path]:
    package = importlib.util.find_spec("pyjaspar")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(
            f"--motifs {source}",
            "the package pyjaspar is not installed",
            remedy="pip install 'seqcnn[jaspar]', or name a motif file",
        )
    folder = Path(package.submodule_search_locations[0]) / "data"
    return {path.stem[-4:]: path for path in folder.glob("JASPAR????.sqlite")}


_GROUPS = """
select distinct lower(a.VAL) from MATRIX_ANNOTATION a join MATRIX m on m.ID = a.ID
where a.TAG = 'tax_group' and m.COLLECTION = ? order by 1
"""
_COUNTS = """
select m.BASE_ID || '.' || m.VERSION, m.NAME, d."row", d.col, d.val
from (
    select BASE_ID, max(VERSION) as VERSION from MATRIX where COLLECTION = ?1 group by BASE_ID
) latest
join MATRIX m on m.BASE_ID = latest.BASE_ID and m.VERSION = latest.VERSION and m.COLLECTION = ?1
join MATRIX_DATA d on d.ID = m.ID
where m.ID in (select ID from MATRIX_ANNOTATION where TAG = 'tax_group' and lower(VAL) = ?2)
"""


def _query(base: sqlite3.Connection, group: str) -> list[Motif]:
    """Read the latest version of each motif of a group, in the order of their names."""
    names: dict[str, str] = {}
    counts: dict[str, dict[tuple[str, int], float]] = {}
    for identity, name, row, column, value in base.execute(_COUNTS, (_COLLECTION, group)):
        names[identity] = " ".join(name.split())
        counts.setdefault(identity, {})[row, column] = value
    motifs = []
    for identity, cells in sorted(counts.items()):
        width = max(column for _, column in cells)
        pfm = [[cells[base, column] for column in range(1, width + 1)] for base in "ACGT"]
        sites = round(float(np.sum(pfm, axis=0).max()))
        motifs.append(Motif(identity, np.array(pfm), sites, alternate=names[identity]))
    return motifs
