"""Tables of sequences or loci with targets or classes; `seqcnn.datasets` has the format."""

import csv
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import (
    LabelledSequences,
    encode_or_refuse,
    encode_records,
    label_windows,
    place_windows,
)
from seqcnn.dna import Codes
from seqcnn.errors import ConfigError, TableError
from seqcnn.files import check_file, numbered_lines
from seqcnn.genome import Genome, Interval, Sequences

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table", "read_table_records", "read_table_sequences"]

_PLACE = re.compile("[0-9]{1,12}", re.ASCII)
_LOCUS = {"contig", "start", "end"}
_MISSING = ("", ".", "NA", "NaN", "nan")
_MOST_CLASSES = 1000


def read_table(
    path: Path,
    *,
    targets: Sequence[str],
    length: int | None,
    genome: Genome | None = None,
    classes: Sequence[str] | None = None,
) -> LabelledSequences:
    """Read a TSV, CSV or Parquet table with one or several target columns.

    Parameters
    ----------
    path
        The table.
    targets
        Names of the target columns; each becomes a task. One column of words becomes a task for
        each of them: classes that exclude each other.
    length
        Bases of a sequence; for sequences `common_length` where it is not given.
    genome
        The genome that loci lie on, for tables without a column ``sequence``.
    classes
        What a single column holds: None where its values tell, the classes in their order, or
        nothing for those that are found, in order.

    Raises
    ------
    TableError
        For a missing column, a value that is no number, an unknown class, or a letter that is no
        nucleotide.
    """
    frame = _read_frame(path)
    if len(targets) == 1 and (classes is not None or _holds_words(path, frame, targets[0])):
        values, tasks = _class_values(path, frame, targets[0], classes or ())
    else:
        values, tasks = _target_values(path, frame, targets), tuple(targets)
    if "sequence" in frame.columns or not _LOCUS & set(frame.columns):
        sequences = _sequences(path, frame, length)
    else:
        sequences, values = _windows(path, frame, values, genome, length or 101)
    return LabelledSequences(sequences, values, tasks, exclusive=tasks != tuple(targets))


def read_table_sequences(path: Path, *, length: int, genome: Genome | None = None) -> Sequences:
    """Read only the sequences of a table, as `read_table` does."""
    return read_table(path, targets=(), length=length, genome=genome).sequences


def read_table_records(path: Path) -> list[tuple[str, Codes]] | None:
    """Read the names and sequences of a table; None where it holds loci instead.

    Raises
    ------
    TableError
        As `read_table`.
    """
    frame = _read_frame(path)
    if "sequence" in frame.columns or not _LOCUS & set(frame.columns):
        return _records(path, frame)
    return None


def _read_frame(path: Path) -> "pd.DataFrame":

    check_file(path, TableError)
    with path.open("rb") as handle:
        is_parquet = handle.read(4) == b"PAR1"
    try:
        if is_parquet:
            frame = _read_parquet(path)
            frame.index = [f"{path}: row {row}" for row in range(1, len(frame) + 1)]
            return _checked(path, frame)
        return _checked(path, _read_text(path))
    except ImportError as problem:
        raise TableError(
            path,
            "Parquet, and pyarrow is not installed",
            expected="pyarrow, or a TSV or CSV",
            remedy="pip install 'seqcnn[parquet]'",
        ) from problem
    except (ValueError, OSError, KeyError, TypeError, NotImplementedError) as problem:
        raise TableError(
            path,
            f"cannot be read as a table ({str(problem).splitlines()[0]})",
            expected="a whole Parquet file",
            remedy="copy or make it again",
        ) from problem


def _read_parquet(path: Path) -> "pd.DataFrame":
    """Read Parquet; what pandas once used as its index is a column like any other."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(path).replace_schema_metadata().to_pandas()
    return frame


def _checked(path: Path, frame: "pd.DataFrame") -> "pd.DataFrame":
    twice = frame.columns[frame.columns.duplicated()]
    if any(map(str, twice)):
        raise TableError(
            path,
            f"two columns {str(max(twice))!r}",
            expected="each name once",
            remedy="rename or remove one of them",
        )
    if not len(frame):
        raise TableError(
            path,
            "no row under the header",
            expected="at least one row",
            remedy="check how it was made",
        )
    return frame


def _read_text(path: Path) -> "pd.DataFrame":
    """Read delimited text into columns of strings, with ``file:line`` as the index."""
    import pandas as pd

    lines = ((n, line) for n, line in numbered_lines(path, TableError) if line.strip())
    first, header = next(lines, (1, ""))
    separator = "\t" if "\t" in header else "," if "," in header else None
    columns = _fields(f"{path}:{first}", header, separator)
    places: list[str] = []
    rows: list[list[str]] = []
    for number, line in lines:
        fields = _fields(f"{path}:{number}", line, separator)
        if len(fields) != len(columns):
            remedy = "correct the line, or take it out"
            if len(fields) == len(columns) + 1 and not rows:
                remedy = "row names of R? write.table(..., row.names = FALSE)"
            raise TableError(
                f"{path}:{number}",
                f"{len(fields)} columns",
                expected=f"{len(columns)}, as in the header",
                remedy=remedy,
            )
        places.append(f"{path}:{number}")
        rows.append(fields)
    return pd.DataFrame(rows, columns=columns, index=places)


def _fields(where: str, line: str, separator: str | None) -> list[str]:
    if '"' not in line:
        return [value.strip() for value in line.split(separator)]
    try:
        (fields,) = csv.reader([line], delimiter=separator or " ", strict=True)
    except csv.Error as problem:
        raise TableError(
            where,
            f"quotes that do not fit ({problem})",
            expected='a value within "...", or none with a quote',
            remedy="close or remove the quotes",
        ) from problem
    return [value.strip() for value in fields]


def _column(path: Path, frame: "pd.DataFrame", name: str) -> "pd.Series[str]":
    if name not in frame.columns:
        present = [str(column) for column in frame.columns]
        by_lower = {column.lower(): column for column in reversed(present)}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
        raise TableError(
            path,
            f"no column {name!r} among {', '.join(present)[:200]}",
            expected="`sequence`, or `contig`, `start` and `end`, and the target columns",
            remedy=f"did you mean {by_lower[near[0]]!r}?"
            if near and len(present) > 1
            else "does the file have its header line, and tabs or commas?",
        )
    column: pd.Series[str] = frame[name]
    return column


def _target_values(
    path: Path, frame: "pd.DataFrame", targets: Sequence[str]
) -> NDArray[np.float32]:
    import pandas as pd

    values = np.full((len(frame), len(targets)), np.nan, dtype=np.float32)
    for i, name in enumerate(targets):
        column = _column(path, frame, name)
        missing = _missing(column)
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        wrong = ~np.isfinite(numbers) & ~missing
        if wrong.any():
            row = int(wrong.argmax())
            raise TableError(
                frame.index[row],
                f"{name} is {str(column.iloc[row])!r}",
                expected="a number, or nothing where it is missing",
                remedy="correct it, or is this the right column?",
            )
        values[:, i] = np.where(missing, np.nan, numbers)
    return values


def _holds_words(path: Path, frame: "pd.DataFrame", name: str) -> bool:
    """Tell whether no value of a column is a number, so that a slip of the pen is not a class."""
    import pandas as pd

    column = _column(path, frame, name)
    given = column[~_missing(column)]
    return len(given) > 0 and bool(pd.to_numeric(given, errors="coerce").isna().all())


def _class_values(
    path: Path, frame: "pd.DataFrame", name: str, classes: Sequence[str]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Give each class of a column its own, 1 in one of them and 0 in all others."""
    column = _column(path, frame, name)
    missing = _missing(column)
    words = [_spell_class(value) for value in column]
    found = {word for word, none in zip(words, missing, strict=True) if not none}
    order = list(classes) or sorted(found, key=_natural_order)
    if len(found) > _MOST_CLASSES:
        raise TableError(
            path,
            f"{len(found)} different values in {name!r}",
            expected=f"names or numbers of at most {_MOST_CLASSES} classes",
            remedy="is this the right column, or a regression?",
        )
    places = {word: place for place, word in enumerate(order)}
    values = np.zeros((len(frame), len(order)), dtype=np.float32)
    values[missing] = np.nan
    for row in np.flatnonzero(~missing).tolist():
        if words[row] not in places:
            raise TableError(
                frame.index[row],
                f"{name} is {words[row]!r}",
                expected=f"one of {', '.join(order)[:100]}",
                remedy="correct it, or train with data that have this class",
            )
        values[row, places[words[row]]] = 1
    return values, tuple(order)


def _spell_class(value: object) -> str:
    """Spell a class: a whole number, as Parquet may hold it with a fraction, without one."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]


def _natural_order(word: str) -> tuple[float, str]:
    """Order numbers by their size, and before words."""
    try:
        return (float(word), word)
    except ValueError:
        return (float("inf"), word)


def _missing(column: "pd.Series[str]") -> NDArray[np.bool_]:
    return np.asarray(column.isna() | column.astype(str).isin(_MISSING), dtype=bool)


def _sequences(path: Path, frame: "pd.DataFrame", length: int | None) -> Sequences:
    return encode_records(_records(path, frame), length=length, where=path)


def _records(path: Path, frame: "pd.DataFrame") -> list[tuple[str, Codes]]:
    column = _column(path, frame, "sequence")
    # NA and NaN are spelled in nucleotide letters.
    spelled = column.astype(str).mask(_missing(column), "")
    names = _words(frame, "name", [f"row{i}" for i in range(1, len(frame) + 1)])
    return [
        (name, encode_or_refuse(where, sequence))
        for name, where, sequence in zip(names, frame.index, spelled, strict=True)
    ]


def _windows(
    path: Path,
    frame: "pd.DataFrame",
    values: NDArray[np.float32],
    genome: Genome | None,
    length: int,
) -> tuple[Sequences, NDArray[np.float32]]:
    columns = (_column(path, frame, name) for name in ("contig", "start", "end"))
    places = [column.astype(str).mask(column.isna(), "") for column in columns]
    if genome is None:
        raise ConfigError(
            path,
            "the table holds loci",
            expected="the genome that they lie on",
            remedy="give it with --fasta",
        )
    none = ["."] * len(frame)
    words = [_words(frame, name, none) for name in ("name", "strand")]
    intervals = [
        _interval(where, fields)
        for where, *fields in zip(frame.index, *places, *words, strict=True)
    ]
    windows, kept = place_windows(path, intervals, genome, length=length)
    return label_windows(path, windows, genome, values[kept])


def _words(frame: "pd.DataFrame", name: str, default: list[str]) -> list[str]:
    """Give a column that may be missing, as a whole or in places."""
    if name not in frame.columns:
        return default
    given = zip(frame[name].astype(str), _missing(frame[name]), default, strict=True)
    return [other if missing else word for word, missing, other in given]


def _interval(where: str, fields: list[str]) -> Interval:
    contig, start, end, name, strand = fields
    if not (_PLACE.fullmatch(start) and _PLACE.fullmatch(end) and int(start) < int(end)):
        raise TableError(
            where,
            f"start {start!r}, end {end!r}",
            expected="whole numbers, 0 <= start < end (0-based, half-open)",
            remedy="correct the line, or take it out",
        )
    if strand not in {"+", "-", "."}:
        raise TableError(
            where,
            f"strand {strand!r}",
            expected="+, - or .",
            remedy="correct the line, or take it out",
        )
    return Interval(contig, int(start), int(end), name, strand, line=_line(where))


def _line(where: str) -> int:
    return int(re.split("[: ]", where)[-1])
