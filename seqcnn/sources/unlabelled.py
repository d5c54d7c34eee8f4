"""Sequences to be scored: FASTA, BED, or a table, told apart by their first line."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqcnn.datasets import encode_records, label_windows, place_windows, read_seq_records
from seqcnn.dna import Codes
from seqcnn.errors import ConfigError, InputError
from seqcnn.files import numbered_lines, standard_input_file
from seqcnn.genome import Genome, Interval, Sequences, open_genome, read_bed, read_fasta_records
from seqcnn.tables import read_table_records, read_table_sequences

__all__ = ["WholeSequences", "read_unlabelled", "read_whole"]

_LOCUS = {"contig", "start", "end"}

Records = list[tuple[str, Codes]]


@dataclass(frozen=True)
class WholeSequences:
    """Sequences of any lengths: codes and a name each, and where they come from."""

    codes: Sequence[Codes]
    names: tuple[str, ...]
    intervals: tuple[Interval, ...] | None = None

    def __len__(self) -> int:
        return len(self.codes)


def read_unlabelled(path: Path, *, length: int, fasta: Path | None) -> Sequences:
    """Read sequences of a file, or of standard input for ``-``.

    Parameters
    ----------
    path
        FASTA, BED or narrowPeak, a table, or DeepBind's .seq.
    length
        Bases of a window.
    fasta
        The genome that intervals lie on.

    Raises
    ------
    SeqcnnError
        For a file that cannot be read, or intervals without a genome.
    """
    found = _read(path, length=length, fasta=fasta)
    if isinstance(found, Sequences):
        return found
    where = "standard input" if str(path) == "-" else path
    return encode_records(found, length=length, where=where)


def read_whole(path: Path, *, length: int, fasta: Path | None) -> WholeSequences:
    """Read sequences as long as they are; for intervals, windows of a length.

    Parameters
    ----------
    path, length, fasta
        As in `read_unlabelled`.

    Raises
    ------
    SeqcnnError
        As `read_unlabelled`.
    """
    found = _read(path, length=length, fasta=fasta)
    if isinstance(found, Sequences):
        return WholeSequences(list(found.codes), found.names, found.intervals)
    names = tuple(name for name, _ in found)
    return WholeSequences([codes for _, codes in found], names)


def _read(path: Path, *, length: int, fasta: Path | None) -> Sequences | Records:
    """Read sequences as they are spelled, or windows where places are named."""
    with standard_input_file(path) as file, contextlib.ExitStack() as resources:
        first = _first_line(file)
        if first is not None and first.startswith(">"):
            return read_fasta_records(file)
        columns = set() if first is None else set(first.replace(",", "\t").split())
        if {"seq", "Bound"} <= columns:
            return [row[:2] for row in read_seq_records(file)]
        genome = resources.enter_context(open_genome(fasta)) if fasta else None
        if first is None or "sequence" in columns or columns >= _LOCUS:
            records = read_table_records(file)
            if records is not None:
                return records
            return read_table_sequences(file, length=length, genome=genome)
        return _read_intervals(file, genome, length=length)


def _first_line(path: Path) -> str | None:
    """Give the first line that is not empty; None for Parquet."""
    with path.open("rb") as handle:
        if handle.read(4) == b"PAR1":
            return None
    return next((line for _, line in numbered_lines(path, InputError) if line.strip()), "")


def _read_intervals(path: Path, genome: Genome | None, *, length: int) -> Sequences:
    intervals = read_bed(path)
    if genome is None:
        raise ConfigError(path, "intervals without a genome", remedy="give it with --fasta")
    windows, _ = place_windows(path, intervals, genome, length=length)
    none = np.zeros((len(windows), 0), dtype=np.float32)
    return label_windows(path, windows, genome, none)[0]
