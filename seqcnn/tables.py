"""Tables of sequences or loci with measured targets; `seqcnn.datasets` has the format."""

import difflib
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
from seqcnn.errors import ConfigError, TableError
from seqcnn.files import check_readable, numbered_lines
from seqcnn.genome import Genome, Interval, Sequences

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table", "read_table_sequences"]

_MISSING = ("", ".", "NA", "NaN", "nan")


def read_table(
    path: Path, *, targets: Sequence[str], length: int | None, genome: Genome | None = None
) -> LabelledSequences:
    """Read a TSV, CSV or Parquet table with one or several target columns.

    Parameters
    ----------
    path
        The table.
    targets
        Names of the target columns; each becomes a task.
    length
        Bases of a sequence; for sequences `common_length` where it is not given.
    genome
        The genome that loci lie on, for tables without a column ``sequence``.

    Raises
    ------
    TableError
        For a missing column, a value that is no number, or a letter that is no nucleotide.
    """
    frame = _read_frame(path)
    values = _target_values(path, frame, targets)
    if "sequence" in frame.columns:
        sequences = _sequences(path, frame, length)
    else:
        sequences, values = _windows(path, frame, values, genome, length or 101)
    return LabelledSequences(sequences, values, tuple(targets))


def read_table_sequences(path: Path, *, length: int, genome: Genome | None = None) -> Sequences:
    """Read only the sequences of a table, as `read_table` does."""
    return read_table(path, targets=(), length=length, genome=genome).sequences


def _read_frame(path: Path) -> "pd.DataFrame":
    import pandas as pd

    check_readable(path, TableError)
    with path.open("rb") as handle:
        is_parquet = handle.read(4) == b"PAR1"
    try:
        if is_parquet:
            return pd.read_parquet(path).reset_index(drop=True)
        return _read_text(path)
    except ImportError as problem:
        raise TableError(
            path, "Parquet needs pyarrow", remedy="pip install 'seqcnn[parquet]'"
        ) from problem
    except (ValueError, OSError) as problem:
        raise TableError(path, f"cannot be read as a table ({problem})") from problem


def _read_text(path: Path) -> "pd.DataFrame":
    """Read delimited text into columns of strings, with the line number as the index."""
    import pandas as pd

    lines = ((n, line) for n, line in numbered_lines(path, TableError) if line.strip())
    _, header = next(lines, (0, ""))
    separator = "\t" if "\t" in header else "," if "," in header else None
    columns = [name.strip().strip('"') for name in header.split(separator)]
    numbers, rows = [], []
    for number, line in lines:
        fields = line.split(separator)
        if len(fields) != len(columns):
            raise TableError(
                f"{path}:{number}",
                f"{len(fields)} columns",
                expected=f"{len(columns)}, as in the header",
            )
        numbers.append(number)
        rows.append([value.strip().strip('"') for value in fields])
    if not rows:
        raise TableError(path, "no row under the header", expected="at least one row")
    return pd.DataFrame(rows, columns=columns, index=numbers)


def _column(path: Path, frame: "pd.DataFrame", name: str) -> "pd.Series[str]":
    if name not in frame.columns:
        near = difflib.get_close_matches(name, map(str, frame.columns), n=1)
        raise TableError(
            path,
            f"no column {name!r} among {', '.join(map(str, frame.columns))}",
            expected="`sequence`, or `contig`, `start` and `end`, and the target columns",
            remedy=f"did you mean {near[0]!r}?" if near else "does the file have its header line?",
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
        missing = (column.isna() | column.isin(_MISSING)).to_numpy()
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        wrong = ~np.isfinite(numbers) & ~missing
        if wrong.any():
            row = int(wrong.argmax())
            raise TableError(
                f"{path}:{frame.index[row]}",
                f"{name} is {column.iloc[row]!r}",
                expected="a number, or nothing where it is missing",
            )
        values[:, i] = np.where(missing, np.nan, numbers)
    return values


def _sequences(path: Path, frame: "pd.DataFrame", length: int | None) -> Sequences:
    names = _names(frame, [f"row{i}" for i in range(1, len(frame) + 1)])
    records = [
        (name, encode_or_refuse(f"{path}:{line}", str(sequence)))
        for name, line, sequence in zip(names, frame.index, frame["sequence"], strict=True)
    ]
    return encode_records(records, length=length, where=path)


def _windows(
    path: Path,
    frame: "pd.DataFrame",
    values: NDArray[np.float32],
    genome: Genome | None,
    length: int,
) -> tuple[Sequences, NDArray[np.float32]]:
    contigs, starts, ends = (_column(path, frame, name) for name in ("contig", "start", "end"))
    if genome is None:
        raise ConfigError(path, "the table holds loci", remedy="give the genome with --fasta")
    names = _names(frame, ["."] * len(frame))
    strands = frame["strand"] if "strand" in frame.columns else ["."] * len(frame)
    intervals = [
        _interval(f"{path}:{line}", fields)
        for line, *fields in zip(frame.index, contigs, starts, ends, names, strands, strict=True)
    ]
    windows, kept = place_windows(path, intervals, genome, length=length)
    return label_windows(path, windows, genome, values[kept])


def _names(frame: "pd.DataFrame", default: list[str]) -> list[str]:
    return [str(name) for name in frame["name"]] if "name" in frame.columns else default


def _interval(where: str, fields: list[object]) -> Interval:
    contig, start, end, name, strand = (str(field) for field in fields)
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise TableError(where, f"start {start}, end {end}", expected="0 <= start < end")
    if strand not in {"+", "-", "."}:
        raise TableError(where, f"strand {strand!r}", expected="+, - or .")
    return Interval(contig, int(start), int(end), name, strand, line=int(where.rpartition(":")[2]))
