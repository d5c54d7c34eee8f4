"""Writing tab-separated tables: six significant digits, ``.`` for what is missing."""

import contextlib
import gzip
import io
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import numpy as np

    from seqcnn.engine import Predictions
    from seqcnn.genome import Sequences
    from seqcnn.modelfile import ModelSpec
    from seqcnn.sources import WholeSequences

_BLANKS = str.maketrans("\t\r\n", "   ")

__all__ = ["format_value", "open_table", "write_predictions", "write_rows"]


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Open a table to write: a file, gzip for the suffix ``.gz``, or standard output for ``-``.

    The file is there only when the block ends well. Bytes that were no UTF-8 when they were read
    come out as they were.
    """
    from seqcnn.files import whole_file

    if str(path) == "-":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")
        yield sys.stdout
        sys.stdout.flush()
        return
    with whole_file(path) as partial, partial.open("wb") as raw:
        # Neither the time nor the name stands in the header of the gzip file.
        packed = path.suffix == ".gz"
        binary = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if packed else raw
        with binary, io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape") as text:
            yield text


def write_rows(handle: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows."""
    handle.write("\t".join(columns) + "\n")
    for row in rows:
        handle.write("\t".join(map(format_value, row)) + "\n")


def format_value(value: object) -> str:
    """Spell a value: numbers with six significant digits, None and NaN as ``.``.

    A tab or line feed within a name becomes a space.
    """
    if value is None:
        return "."
    if isinstance(value, str):
        return value.translate(_BLANKS)
    if isinstance(value, int):
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return "."
    text = f"{number:.6g}"
    return "0" if text == "-0" else text


def write_predictions(
    handle: TextIO,
    sequences: "Sequences | WholeSequences",
    predictions: "Predictions",
    spec: "ModelSpec",
    *,
    targets: "np.ndarray[Any, np.dtype[np.float32]] | None" = None,
) -> None:
    """Write predictions as TSV, a row a sequence and task; of profiles, a row a base and task.

    Bases have a column ``position`` that counts from 1 along the sequence as it was scored.
    """
    from seqcnn.cli.digits import format_many
    from seqcnn.modelfile import probabilities

    located = sequences.intervals is not None
    columns = ["name", *(["contig", "start", "end", "strand"] if located else []), "task"]
    by_base = predictions.members.ndim == 4
    columns += ["position"] if by_base else []
    columns += ["logit", "probability", "sd", *([] if targets is None else ["target"])]
    logits = predictions.logits
    numbers: list[np.ndarray[Any, Any]] = [logits, probabilities(logits, spec), predictions.sd]
    numbers += [] if targets is None else [targets]
    # Scores of the original DeepBind program have six decimals.
    forms = ["%.6f" if spec.window else _DIGITS, *[_DIGITS] * (len(numbers) - 1)]
    handle.write("\t".join(columns) + "\n")
    tasks = [format_value(task) for task in spec.tasks]
    if by_base:
        tasks = [f"{task}\t{base}" for task in tasks for base in range(1, spec.length + 1)]
    step = max(1, _ROWS // len(tasks))
    for start in range(0, len(sequences), step):
        stop = min(start + step, len(sequences))
        places = [_spell_place(sequences, i) for i in range(start, stop)]
        leads = [f"{place}\t{task}" for place in places for task in tasks]
        cells = (
            format_many(part[start:stop], form) for part, form in zip(numbers, forms, strict=True)
        )
        handle.write("\n".join(map("\t".join, zip(leads, *cells, strict=True))) + "\n")


_DIGITS = "%.6g"
_ROWS = 1 << 16


def _spell_place(sequences: "Sequences | WholeSequences", row: int) -> str:
    place = sequences.intervals[row] if sequences.intervals else None
    where = [place.contig, place.start, place.end, place.strand] if place else []
    return "\t".join(map(format_value, [sequences.names[row], *where]))
