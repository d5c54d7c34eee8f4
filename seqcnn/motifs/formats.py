"""Motif files: minimal MEME, JASPAR and TRANSFAC, read and written.

The readers refuse a file that is not whole, so that no motif is ever lost. They accept:

Minimal MEME
    ``MEME version 4`` (or later), then optionally ``ALPHABET= ACGT`` or ``ACGU``, ``strands:``
    and ``Background letter frequencies`` (then four pairs of letter and frequency; uniform when
    absent). Each motif is ``MOTIF id [name]`` and one ``letter-probability matrix: alength= 4
    w= W nsites= N E= 0`` with exactly W rows of four probabilities that sum to 1 (+-0.01).
    Without nsites, or with 0, it is 20, MEME's own default. Other lines are passed over.
JASPAR
    ``>ID [name]``, then the rows ``A [ 1 2 3 ]``, C, G and T (or U), in any order.
TRANSFAC
    Records closed by ``//``: ``AC`` the name (else ``ID``), ``ID`` the second name, ``P0`` (or
    ``PO``) with the letters A C G T (or U), then rows numbered 01, 02, ... with four counts.
    Other lines are passed over.

Counts may be fractions. The number of sites of a JASPAR or TRANSFAC motif is its largest column.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from seqcnn.dna import ALPHABETS
from seqcnn.errors import MotifFileError
from seqcnn.files import numbered_lines
from seqcnn.motifs.matrix import UNIFORM, Background, Motif, ppm, spell_consensus

__all__ = [
    "format_jaspar",
    "format_meme",
    "format_transfac",
    "read_jaspar",
    "read_meme",
    "read_transfac",
]

_Line = tuple[int, str]
_Starts = Callable[[str], bool]
_DEFAULT_SITES = 20
_TOLERANCE = 0.01
_REMEDY = "fetch or write the file again"


def format_meme(motifs: Sequence[Motif], *, alphabet: str = "dna", pseudocount: float = 0.0) -> str:
    """Write motifs as minimal MEME text, with the background of the first of them.

    A pseudo-count is shared out by the background, added to the counts of each position, and
    named in the line above the background.
    """
    letters = ALPHABETS[alphabet][:4]
    background = motifs[0].background if motifs else UNIFORM
    head = ["MEME version 4", f"ALPHABET= {letters}"] + ["strands: + -"] * (alphabet == "dna")
    spelled = " ".join(f"{x} {share:.6f}" for x, share in zip(letters, background, strict=True))
    added = f" (pseudo-count of {pseudocount:g} in each position):" if pseudocount else ""
    blocks = ["\n\n".join([*head, f"Background letter frequencies{added}\n{spelled}"])]
    for motif in motifs:
        keys = f"alength= 4 w= {motif.width} nsites= {motif.sites} E= 0"
        shares = ppm(motif, pseudocount=pseudocount).T
        rows = [" ".join(f"{value:.6f}" for value in row) for row in shares]
        title = f"MOTIF {_titles(motif)}".rstrip()
        blocks.append("\n".join([title, f"letter-probability matrix: {keys}", *rows]))
    return "\n\n".join(blocks) + "\n"


def format_jaspar(motifs: Sequence[Motif], *, alphabet: str = "dna") -> str:
    """Write motifs as JASPAR text: counts, one row a base."""
    lines: list[str] = []
    for motif in motifs:
        lines.append(f">{_titles(motif)}".rstrip())
        for letter, row in zip(ALPHABETS[alphabet][:4], motif.pfm, strict=True):
            lines.append(f"{letter} [ {' '.join(map(_spell_count, row))} ]")
    return "".join(line + "\n" for line in lines)


def format_transfac(motifs: Sequence[Motif], *, alphabet: str = "dna") -> str:
    """Write motifs as TRANSFAC text: counts, one row a position, with the consensus."""
    letters = "  ".join(ALPHABETS[alphabet][:4])
    lines: list[str] = []
    for motif in motifs:
        name, _, alternate = _titles(motif).partition(" ")
        lines += [f"AC  {name}", "XX", f"ID  {alternate or name}", "XX"]
        shares = zip(ALPHABETS[alphabet][:4], motif.background, strict=True)
        background = " ".join(f"{letter} {share:.6f}" for letter, share in shares)
        lines += [f"CC  background {background}", "CC  no pseudo-counts", "XX", f"P0  {letters}"]
        consensus = spell_consensus(motif, alphabet=alphabet)
        for number, (row, base) in enumerate(zip(motif.pfm.T, consensus, strict=True), 1):
            lines.append(f"{number:02d}  {'  '.join(map(_spell_count, row))}  {base}")
        lines += ["XX", "//"]
    return "".join(line + "\n" for line in lines)


def _titles(motif: Motif) -> str:
    """Join both names, each made one word, because these formats part them by blanks."""
    name, alternate = ("_".join(text.split()) for text in (motif.name, motif.alternate))
    return f"{name or 'motif'} {alternate}"


def _spell_count(value: float) -> str:
    return f"{value:.10g}"


def read_meme(path: str | Path) -> list[Motif]:
    """Read every motif of a minimal MEME file.

    The counts are the probabilities times the number of sites.

    Raises
    ------
    MotifFileError
        If the file is not minimal MEME for DNA or RNA, or not whole.
    """
    head, sections = _sections(path, lambda text: text.split()[:1] == ["MOTIF"])
    background = _meme_header(path, head)
    _check_any(path, sections, "a line 'MOTIF id'")
    return [_meme_motif(path, section, background) for section in sections]


def _meme_header(path: str | Path, head: list[_Line]) -> Background:
    first = next(((number, text) for number, text in head if text), (1, "nothing"))
    version = re.match(r"MEME version (\d+)", first[1])
    if not version or int(version[1]) < 4:
        raise _error(path, first[0], first[1], expected="'MEME version 4' as the first line")
    background = UNIFORM
    for index, (number, text) in enumerate(head):
        letters = text.partition("=")[2].strip()
        if text.startswith("ALPHABET") and letters not in ("ACGT", "ACGU"):
            raise _error(path, number, text, expected="'ALPHABET= ACGT' or 'ALPHABET= ACGU'")
        if text.startswith("Background letter frequencies"):
            background = _meme_background(path, number, head[index + 1 :])
    return background


def _meme_background(path: str | Path, number: int, rest: list[_Line]) -> Background:
    words = " ".join(text for _, text in rest).split()[:8]
    values = [_number(word) for word in words[1::2]]
    spelt = "".join(words[0::2]).upper().replace("U", "T")
    if spelt != "ACGT" or len(values) != 4 or not _is_distribution(values) or min(values) <= 0:
        raise _error(
            path, number, f"background '{' '.join(words)}'",
            expected="a positive frequency for each of A C G T, that sum to 1",
        )  # fmt: skip
    a, c, g, t = (value / sum(values) for value in values)
    return a, c, g, t


def _meme_motif(path: str | Path, section: list[_Line], background: Background) -> Motif:
    (start, title), *body = section
    name, _, alternate = title.partition("MOTIF")[2].strip().partition(" ")
    matrices = [i for i, (_, text) in enumerate(body) if text.startswith("letter-probability")]
    if not name or len(matrices) != 1:
        found = f"motif '{name}' with {len(matrices)} letter-probability matrices"
        raise _error(path, start, found, expected="a name and one matrix")
    number, keys = body[matrices[0]]
    width, sites = _meme_keys(path, number, keys)
    rows = _meme_rows(path, [line for line in body[matrices[0] + 1 :] if line[1]])
    if len(rows) != width:
        found = f"{len(rows)} rows in the matrix of motif '{name}'"
        raise _error(path, number, found, expected=f"w= {width} rows")
    shares = np.array(rows).T
    return Motif(name, shares / shares.sum(axis=0) * sites, sites, background, math.nan,
                 " ".join(alternate.split()))  # fmt: skip


def _meme_keys(path: str | Path, number: int, text: str) -> tuple[int, int]:
    """Read the width and the number of sites from the line above a matrix."""
    keys = dict(re.findall(r"(\w+)=\s*(\S+)", text))
    width, sites = _number(keys.get("w", "")), _number(keys.get("nsites", str(_DEFAULT_SITES)))
    if keys.get("alength", "4") != "4" or not _are_counts([width, sites]) or width < 1:
        raise _error(path, number, text, expected="alength= 4, w= width and nsites= sites")
    return int(width), round(sites) or _DEFAULT_SITES


def _meme_rows(path: str | Path, lines: list[_Line]) -> list[list[float]]:
    rows = []
    for number, text in takewhile(lambda line: _starts_with_number(line[1]), lines):
        values = [_number(word) for word in text.split()]
        if len(values) != 4 or not _is_distribution(values):
            raise _error(path, number, text, expected="four probabilities that sum to 1")
        rows.append(values)
    return rows


def read_jaspar(path: str | Path) -> list[Motif]:
    """Read every motif of a JASPAR file.

    Raises
    ------
    MotifFileError
        If the file is not JASPAR's format, or not whole.
    """
    head, sections = _sections(path, lambda text: text.startswith(">"))
    for number, text in head:
        if text:
            raise _error(path, number, text, expected="a line '>ID name'")
    _check_any(path, sections, "a line '>ID name'")
    return [_jaspar_motif(path, section) for section in sections]


def _jaspar_motif(path: str | Path, section: list[_Line]) -> Motif:
    (start, title), *body = section
    name, _, alternate = title[1:].strip().partition(" ")
    rows: dict[str, list[float]] = {}
    for number, text in body:
        match = re.fullmatch(r"([ACGTU])\s*\[([^\[\]]*)\]", text)
        values = [_number(word) for word in match[2].split()] if match else []
        if text and not (match and _are_counts(values)):
            raise _error(path, number, text, expected="a row of counts 'A [ 1 2 3 ]'")
        base = match[1].replace("U", "T") if match else ""
        if base in rows:
            raise _error(path, number, f"base {base} a second time", expected="it once")
        if base:
            rows[base] = values
    if sorted(rows) != list("ACGT") or len({len(row) for row in rows.values()}) != 1:
        found = f"motif '{name}' with rows " + ", ".join(f"{b} of {len(rows[b])}" for b in rows)
        raise _error(path, start, found, expected="four rows A, C, G, T of one length")
    return _counts_motif(path, start, (name, alternate), [rows[base] for base in "ACGT"])


def read_transfac(path: str | Path) -> list[Motif]:
    """Read every motif of a TRANSFAC file.

    Raises
    ------
    MotifFileError
        If the file is not TRANSFAC's format, or not whole.
    """
    records: list[list[_Line]] = [[]]
    for number, text in _read_lines(path):
        if text == "//":
            records.append([])
        elif text:
            records[-1].append((number, text))
    if records[-1]:
        raise _error(path, records[-1][0][0], "a record without end", expected="'//' behind it")
    motifs = [record for record in records if record and not _is_preamble(record)]
    _check_any(path, motifs, "a record with 'ID', 'P0' and '//'")
    return [_transfac_motif(path, record) for record in motifs]


def _is_preamble(record: list[_Line]) -> bool:
    return all(text[:2] in ("VV", "XX") for _, text in record)


def _transfac_motif(path: str | Path, record: list[_Line]) -> Motif:
    start = record[0][0]
    fields = {text[:2]: text[2:].strip() for _, text in reversed(record)}  # the first one counts
    letters = fields.get("P0", fields.get("PO", "")).split()
    if "".join(letters).replace("U", "T") != "ACGT":
        raise _error(path, start, "a record without matrix", expected="a line 'P0  A  C  G  T'")
    name = fields.get("AC") or fields.get("ID", "")
    alternate = fields.get("ID", "")
    rows: list[list[float]] = []
    for number, text in record:
        if text[0].isdigit():
            position, *words = text.split()
            values = [_number(word) for word in words[:4]]
            if int(_number(position, -1)) != len(rows) + 1 or not _are_counts(values, 4):
                expected = f"position {len(rows) + 1:02d} with four counts"
                raise _error(path, number, text, expected=expected)
            rows.append(values)
    columns = [list(column) for column in zip(*rows, strict=True)]
    return _counts_motif(path, start, (name, "" if alternate == name else alternate), columns)


def _counts_motif(
    path: str | Path, number: int, names: tuple[str, str], rows: list[list[float]]
) -> Motif:
    """Make a motif of four rows of counts that were read at the line."""
    name, alternate = names
    pfm = np.array(rows)
    if not name or not pfm.size or (pfm.sum(axis=0) == 0).any():
        found = f"motif '{name}' of {len(pfm.T)} positions"
        raise _error(path, number, found, expected="a name, and counts at every position")
    return Motif(name, pfm, round(float(pfm.sum(axis=0).max())), alternate=alternate.strip())


def _read_lines(path: str | Path) -> list[_Line]:
    """Read the stripped lines of a text file, each with its number from 1."""
    lines = numbered_lines(Path(path), MotifFileError)
    return [(number, text.strip()) for number, text in lines]


def _sections(path: str | Path, starts: _Starts) -> tuple[list[_Line], list[list[_Line]]]:
    """Part the lines into those before the first start and one section from each start on."""
    lines = _read_lines(path)
    cuts = [index for index, (_, text) in enumerate(lines) if starts(text)]
    ends = [*cuts[1:], len(lines)]
    sections = [lines[start:end] for start, end in zip(cuts, ends, strict=False)]
    return lines[: cuts[0] if cuts else None], sections


def _check_any(path: str | Path, motifs: Sequence[object], expected: str) -> None:
    if not motifs:
        raise MotifFileError(path, "no motif in this file", expected=expected, remedy=_REMEDY)


def _number(word: str, otherwise: float = math.nan) -> float:
    try:
        return float(word)
    except ValueError:
        return otherwise


def _starts_with_number(text: str) -> bool:
    return bool(re.match(r"[-+]?(\.?\d|nan|inf)", text, re.IGNORECASE))


def _are_counts(values: list[float], length: int = 0) -> bool:
    enough = len(values) == length if length else bool(values)
    return enough and all(math.isfinite(value) and value >= 0 for value in values)


def _is_distribution(values: list[float]) -> bool:
    return _are_counts(values) and abs(sum(values) - 1) <= _TOLERANCE


def _error(path: str | Path, number: int, found: str, *, expected: str) -> MotifFileError:
    shown = found if len(found) <= 80 else found[:77] + "..."
    return MotifFileError(f"{path}:{number}", shown, expected=expected, remedy=_REMEDY)
