"""Sequences as they are spelled: FASTA, and DeepBind's .seq."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from seqcnn.datasets.labelled import LabelledSequences
from seqcnn.dna import INVALID, Codes, encode
from seqcnn.errors import InputError, TableError
from seqcnn.files import numbered_lines
from seqcnn.genome import (
    Sequences,
    fit_length,
    read_fasta_records,
)
from seqcnn.ranks import rank_by_order

__all__ = [
    "common_length",
    "encode_or_refuse",
    "encode_records",
    "read_fasta_classes",
    "read_seq",
    "read_seq_records",
]

_log = logging.getLogger(__name__)


def common_length(lengths: Sequence[int]) -> int:
    """Choose the length that 95 % of the sequences reach, so that few need padding.

    Padding would tell a network how long a sequence was.
    """
    return int(np.quantile(np.asarray(lengths), 0.05, method="lower"))


def encode_records(
    records: Sequence[tuple[str, Codes]], *, length: int | None, where: object
) -> Sequences:
    """Bring named sequences to one length: cut or N-padded on both sides alike.

    Parameters
    ----------
    records
        (name, codes) pairs.
    length
        Bases of each; `common_length` where it is not given.
    where
        The file, for the log.
    """
    lengths = [len(codes) for _, codes in records]
    size = length or common_length(lengths)
    cut, padded = sum(n > size for n in lengths), sum(n < size for n in lengths)
    if cut or padded:
        _log.warning(
            "%s: lengths %d to %d brought to %d bp around the middle: %d cut, %d padded with N",
            *(where, min(lengths), max(lengths), size, cut, padded),
        )
    codes = np.empty((len(records), size), dtype=np.uint8)
    for row, (_, sequence) in enumerate(records):
        codes[row] = sequence if len(sequence) == size else fit_length(sequence, size)
    return Sequences(codes, tuple(name for name, _ in records))


def read_fasta_classes(
    positives: Path, negatives: Path | None, *, length: int | None, task: str
) -> LabelledSequences:
    """Read positives and negatives from FASTA files.

    Raises
    ------
    FastaError
        See `read_fasta_records`.
    """
    files = [positives] if negatives is None else [positives, negatives]
    groups = [read_fasta_records(path) for path in files]
    records = [record for group in groups for record in group]
    sequences = encode_records(records, length=length, where=" and ".join(map(str, files)))
    targets = np.zeros((len(records), 1), dtype=np.float32)
    targets[: len(groups[0])] = 1
    return LabelledSequences(sequences, targets, (task,))


def read_seq(path: Path, *, length: int | None, task: str) -> LabelledSequences:
    """Read DeepBind's .seq or .seq.gz; see `read_seq_records`."""
    rows = read_seq_records(path)
    sequences = encode_records([row[:2] for row in rows], length=length, where=path)
    targets = np.array([[row[2]] for row in rows], dtype=np.float32)
    return LabelledSequences(sequences, targets, (task,), ranks=rank_by_order(targets))


def read_seq_records(path: Path) -> list[tuple[str, Codes, float]]:
    """Read the name, sequence and label of each row of DeepBind's .seq or .seq.gz.

    Raises
    ------
    TableError
        With file and line, for a missing column, a letter that is no nucleotide, or a `Bound`
        other than 0 and 1.
    """
    lines = ((n, line) for n, line in numbered_lines(path, TableError) if line.strip())
    first, header = next(lines, (1, ""))
    separator = "\t" if "\t" in header else None
    columns = {name.strip(): i for i, name in enumerate(header.split(separator))}
    for name in ("seq", "Bound"):
        if name not in columns:
            raise TableError(
                f"{path}:{first}",
                f"no column {name!r} among {', '.join(columns)[:80]}",
                expected="the header FoldID EventID seq Bound",
                remedy="add the header line, or give the file as --table",
            )
    rows = [
        _parse_seq(f"{path}:{number}", line.split(separator), columns) for number, line in lines
    ]
    if not rows:
        raise TableError(
            path,
            "no sequence under the header",
            expected="at least one line",
            remedy="check how it was made",
        )
    return rows


def _parse_seq(
    where: str, fields: list[str], columns: Mapping[str, int]
) -> tuple[str, Codes, float]:
    if len(fields) != len(columns):
        raise TableError(
            where,
            f"{len(fields)} columns",
            expected=f"{len(columns)}, as in the header",
            remedy="correct the line, or take it out",
        )
    bound = fields[columns["Bound"]].strip()
    if bound not in {"0", "1"}:
        raise TableError(
            where,
            f"Bound {bound!r}",
            expected="0 or 1",
            remedy="measured values? give the file as --table, with --targets Bound",
        )
    name = fields[columns["EventID"]].strip() if "EventID" in columns else ""
    codes = encode_or_refuse(where, fields[columns["seq"]].strip())
    return name or f"line{where.rpartition(':')[2]}", codes, float(bound)


def encode_or_refuse(
    where: object, sequence: str, *, error: type[InputError] = TableError
) -> Codes:
    """Encode a sequence of a table.

    Raises
    ------
    InputError
        Of the class given, for an empty sequence or a letter that is no nucleotide.
    """
    codes = encode(sequence)
    wrong = np.flatnonzero(codes == INVALID)
    if not len(codes) or len(wrong):
        raise error(
            where,
            f"letter {sequence[wrong[0]]!r} in a sequence" if len(wrong) else "an empty sequence",
            expected="nucleotide letters (IUPAC)",
            remedy="is this the column of sequences? correct the line, or take it out",
        )
    return codes
