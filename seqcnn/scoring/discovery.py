"""False discovery rates beside p-values, in files that are scored already.

A q-value needs all p-values of a run, so it is added in a second pass: the first one counts the
p-values, which are few different numbers, and memory stays small whatever the size of the file.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from seqcnn.errors import InputError
from seqcnn.significance import discover
from seqcnn.spelling import format_numbers
from seqcnn.variants import SCORES, InfoField, score_fields

__all__ = ["Layout", "TableLayout", "VcfLayout", "add_q", "declare_q"]

QTables = Mapping[str, Mapping[str, str]]
"""Task -> p-value as it is spelled -> q-value."""

_MISSING = "."
_P_FIELD = re.compile(r'##INFO=<ID=SEQCNN_P(_[^,>]*)?,.*?Description="((?:[^"\\]|\\.)*)"')
_Q_FIELD = re.compile(r"##INFO=<ID=SEQCNN_Q[_,]")


class Layout(Protocol):
    """Where a file's lines have their p-values.

    Attributes
    ----------
    name
        What the file is called in messages.
    """

    name: str

    def find(self, line: str) -> Iterable[tuple[str, Sequence[str]]]:
        """Give (task, p-values) of a line."""

    def insert(self, line: str, tables: QTables) -> str:
        """Put the q-values of a line into it."""


def add_q(read: Callable[[], Iterator[str]], layout: Layout) -> Iterator[str]:
    """Give the lines of a file with their q-values.

    Parameters
    ----------
    read
        Opens the file's lines anew, without line feed; called twice.
    layout
        Where the p-values are.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    counts: dict[str, Counter[str]] = {}
    for line in read():
        for task, values in layout.find(line):
            counts.setdefault(task, Counter()).update(values)
    tables = {task: _q_by_p(counter, layout.name) for task, counter in counts.items()}
    return (layout.insert(line, tables) for line in read())


def _q_by_p(counts: Counter[str], name: str) -> dict[str, str]:
    """Give the q-value of each p-value, both as they are spelled."""
    numbers = {text: _number(text, name) for text in counts if text != _MISSING}
    spelled = sorted(numbers, key=numbers.__getitem__)
    p = np.array([numbers[text] for text in spelled], dtype=np.float64)
    q = discover(p, np.array([counts[text] for text in spelled], dtype=np.int64))
    return dict(zip(spelled, format_numbers(q), strict=True))


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        found = f"the p-value {text[:40]!r}"
        raise InputError(name, found, expected="a number from 0 to 1, or a dot")
    return value


class VcfLayout:
    """Records of a VCF that `declare_q` has declared the q-values of.

    Parameters
    ----------
    header
        Its header lines.

    Raises
    ------
    InputError
        When no p-values are declared.
    """

    def __init__(self, header: Sequence[str], name: str) -> None:
        self.name = name
        matches = [match for line in header if (match := _P_FIELD.match(line))]
        if not matches:
            raise InputError(
                name,
                "has no p-values (SEQCNN_P)",
                expected="a VCF or BCF that seqcnn score-variants wrote, with a model's null",
            )
        self._q_of = {f"SEQCNN_P{m[1] or ''}": f"SEQCNN_Q{m[1] or ''}" for m in matches}
        self._q_keys = set(self._q_of.values())

    def find(self, line: str) -> Iterable[tuple[str, Sequence[str]]]:
        """Give (key of the p-values, p-values) of a record."""
        if line.startswith("#") or "SEQCNN_P" not in line:
            return
        for item in line.split("\t", 8)[7].rstrip("\r").split(";"):
            key, _, values = item.partition("=")
            if key in self._q_of:
                yield key, values.split(",")

    def insert(self, line: str, tables: QTables) -> str:
        """Put q-values after the p-values of a record; older ones are replaced."""
        if line.startswith("#") or "SEQCNN_P" not in line:
            return line
        fields = line.split("\t", 8)
        info = fields[7].removesuffix("\r")
        ending = fields[7][len(info) :]
        items: list[str] = []
        for item in info.split(";"):
            key, _, values = item.partition("=")
            if key in self._q_keys:
                continue
            items.append(item)
            if key in self._q_of:
                items.append(f"{self._q_of[key]}={_spell(values.split(','), tables[key])}")
        fields[7] = ";".join(items) + ending
        return "\t".join(fields)


def declare_q(header: Sequence[str]) -> list[str]:
    """Declare the q-values beside each p-value that a header declares."""
    fields = _q_fields([match for line in header if (match := _P_FIELD.match(line))])
    lines: list[str] = []
    for line in header:
        if _Q_FIELD.match(line):
            continue
        lines.append(line)
        if match := _P_FIELD.match(line):
            ending = "\r" if line.endswith("\r") else ""
            lines.append(fields[match[1] or ""].header_line + ending)
    return lines


def _q_fields(p_fields: Sequence[re.Match[str]]) -> dict[str, InfoField]:
    """Give the field of the q-values by the suffix of the key, described as in a run with q."""
    named = [match[2].rpartition("; task ") for match in p_fields]
    tasks = [re.sub(r"\\(.)", r"\1", task) for _, _, task in named]
    described: Collection[InfoField] = score_fields(["q"], tasks).values()
    keys = [f"SEQCNN_Q{match[1] or ''}" for match in p_fields]
    if keys != [field.key for field in described]:  # some tasks were taken away
        described = [InfoField(key, "Float", SCORES["q"][1]) for key in keys]
    return {match[1] or "": field for match, field in zip(p_fields, described, strict=True)}


class TableLayout:
    """Rows of a table that ``score-variants --tsv`` wrote.

    Parameters
    ----------
    columns
        Its column names.

    Raises
    ------
    InputError
        When it has no columns for them.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        missing = [column for column in ("task", "p", "q") if column not in columns]
        if missing:
            raise InputError(
                name,
                f"has no column {missing[0]!r}",
                expected="a VCF, BCF or TSV that seqcnn score-variants wrote",
            )
        self.name, self._width = name, len(columns)
        self._task, self._p, self._q = (columns.index(name) for name in ("task", "p", "q"))
        self._title = "\t".join(columns)

    def find(self, line: str) -> Iterable[tuple[str, Sequence[str]]]:
        """Give the task and the p-value of a row; tables put together may repeat their titles.

        Raises
        ------
        InputError
            When it has not as many columns as the title.
        """
        if line == self._title:
            return
        fields = line.split("\t")
        if len(fields) != self._width:
            raise InputError(
                self.name,
                f"a row of {len(fields)} column(s): {line[:60]!r}",
                expected=f"{self._width} columns, as in its first line",
                remedy="was it cut? make it again",
            )
        yield fields[self._task], [fields[self._p]]

    def insert(self, line: str, tables: QTables) -> str:
        """Put the q-value of a row into its column."""
        if line == self._title:
            return line
        fields = line.split("\t")
        fields[self._q] = _spell([fields[self._p]], tables[fields[self._task]])
        return "\t".join(fields)


def _spell(p_values: Sequence[str], q_of: Mapping[str, str]) -> str:
    return ",".join([q_of.get(p, _MISSING) for p in p_values])
