"""Sources of training data, each read into `LabelledSequences`.

Peaks
    BED or narrowPeak files (see `seqcnn.genome`), one task each. A window of the model's length
    stands around each summit or middle. Windows of several files whose centres lie within half
    a window are one window; it is positive in every task with a centre inside it.
FASTA classes
    One file of positives and, if wished, one of negatives, a sequence a record.
.seq (DeepBind)
    Tab (or space) separated, with the header ``FoldID EventID seq Bound``, of which `seq` and
    `Bound` must be there, in any order; `Bound` is 0 or 1. A file with only 1 gets a background.
    The positives stand in the order of their strength.
Table
    TSV, CSV or Parquet with a header: ``sequence``, or ``contig start end [strand]`` (0-based,
    half-open) together with a FASTA; ``name`` if there is one; any number of target columns.
    A value may be quoted; missing is one of nothing, ``.``, ``NA``, ``NaN``, ``nan``.

Every letter that is no A, C, G, T or U counts as N.
"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import unbridged_error
from seqcnn.dna import INVALID, UNKNOWN, Codes, encode
from seqcnn.errors import BedError, ConfigError, InputError, TableError
from seqcnn.files import numbered_lines
from seqcnn.genome import (
    Genome,
    Interval,
    Sequences,
    bridge_contigs,
    extract_windows,
    fit_length,
    read_bed,
    read_fasta_records,
    window_bounds,
)
from seqcnn.ranks import join_ranks, rank_by_order, rank_by_signal, weigh_ranks

__all__ = [
    "LabelledSequences",
    "check_labels",
    "common_length",
    "concatenate",
    "encode_or_refuse",
    "encode_records",
    "label_windows",
    "place_windows",
    "read_fasta_classes",
    "read_peaks",
    "read_seq",
    "read_seq_records",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSequences:
    """Sequences with their targets.

    Attributes
    ----------
    sequences
        The sequences.
    targets
        Array (n, tasks), NaN where a label is missing.
    tasks
        Their names.
    profiles
        Targets of each base (n, tasks, length), where there are any; `targets` then says
        whether a base of the sequence has the label, or how high its signal is at most.
    exclusive
        Whether the tasks are classes, of which each sequence belongs to one.
    ranks
        Place (n,) among the positives by strength, 0 for the strongest; NaN where it is not
        known. None where it is known of none.
    """

    sequences: Sequences
    targets: NDArray[np.float32]
    tasks: tuple[str, ...]
    profiles: NDArray[np.float32] | None = None
    exclusive: bool = False
    ranks: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, indices: NDArray[np.integer]) -> "LabelledSequences":
        """Choose rows, in the order of `indices`."""
        return replace(
            self,
            sequences=self.sequences.take(indices),
            targets=self.targets[indices],
            profiles=None if self.profiles is None else self.profiles[indices],
            ranks=None if self.ranks is None else self.ranks[indices],
        )

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """How much each row (n,) counts in training; None where all count alike."""
        return weigh_ranks(self.ranks)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Rows (n,) that are positive in at least one task."""
        return np.asarray((self.targets > 0.5).any(axis=1))

    @property
    def strata(self) -> NDArray[np.intp]:
        """Number (n,) of what a row is, for choices that shall leave no kind of rows out.

        The class where there are classes, else whether the row is positive.
        """
        if self.exclusive:
            return np.asarray(np.nan_to_num(self.targets).argmax(axis=1))
        return self.positive.astype(np.intp)


def concatenate(parts: Sequence[LabelledSequences]) -> LabelledSequences:
    """Join data of one length and the same tasks, in order.

    Intervals are kept only where every row of every part has one.
    """
    located = all(part.sequences.intervals is not None for part in parts)
    intervals = itertools.chain.from_iterable(part.sequences.intervals or () for part in parts)
    sequences = Sequences(
        np.concatenate([part.sequences.codes for part in parts]),
        tuple(itertools.chain.from_iterable(part.sequences.names for part in parts)),
        tuple(intervals) if located else None,
    )
    profiles = [part.profiles for part in parts if part.profiles is not None]
    return replace(
        parts[0],
        sequences=sequences,
        targets=np.concatenate([part.targets for part in parts]),
        profiles=np.concatenate(profiles) if profiles else None,
        ranks=join_ranks([part.ranks for part in parts], [len(part) for part in parts]),
    )


# --- windows of a genome ---------------------------------------------------------------------


def place_windows(
    path: Path, intervals: Sequence[Interval], genome: Genome, *, length: int
) -> tuple[list[Interval], list[int]]:
    """Turn the intervals of a file into windows with the contig names of the genome.

    Windows that reach over a contig's end are left out, and counted in the log.

    Returns
    -------
    tuple
        The windows, and for each the row of its interval.

    Raises
    ------
    BedError
        For contigs that the FASTA has not, an interval past its contig's end, or when no window
        is left.
    """
    bridges = bridge_contigs((i.contig for i in intervals), genome.contigs)
    missing = [i.contig for i in intervals if i.contig not in bridges]
    if missing:
        raise unbridged_error(path, missing, genome.contigs, error=BedError)
    windows, rows = [], []
    for row, interval in enumerate(intervals):
        contig = bridges[interval.contig]
        size = genome.contigs[contig]
        if interval.end > size:
            raise _past_the_end(path, interval, size)
        start, end = window_bounds(interval.centre, length)
        if start >= 0 and end <= size:
            windows.append(_window(interval, contig, start, end))
            rows.append(row)
    if len(windows) < len(intervals):
        left_out = len(intervals) - len(windows)
        _log.warning("%s: %d windows over a contig's end left out", path, left_out)
    if not windows:
        raise BedError(
            path,
            f"no window of {length} bp fits its contig",
            expected="contigs longer than that",
            remedy="choose a smaller --length",
        )
    return windows, rows


def _window(interval: Interval, contig: str, start: int, end: int) -> Interval:
    locus = f"{contig}:{start + 1}-{end}"
    name = locus if interval.name in {".", ""} else interval.name
    return Interval(
        contig, start, end, name, interval.strand, line=interval.line, signal=interval.signal
    )


def _past_the_end(path: Path, interval: Interval, size: int) -> BedError:
    return BedError(
        f"{path}:{interval.line}",
        f"{interval.contig} {interval.start} {interval.end} ends past its contig",
        expected=f"an end up to {size}",
        remedy="is this the right genome build?",
    )


def label_windows(
    path: Path, windows: Sequence[Interval], genome: Genome, targets: NDArray[np.float32]
) -> tuple[Sequences, NDArray[np.float32]]:
    """Read windows from the genome and leave out those that are mostly N."""
    codes = extract_windows(windows, genome)
    known = (codes < UNKNOWN).mean(axis=1) >= 0.5
    if not known.all():
        _log.warning("%s: %d windows mostly N left out", path, int((~known).sum()))
    if not known.any():
        raise BedError(
            path,
            "every window is N in the FASTA",
            expected="known bases",
            remedy="is this the right genome build, and not hard-masked?",
        )
    kept = np.flatnonzero(known)
    intervals = tuple(windows[int(i)] for i in kept)
    names = tuple(interval.name for interval in intervals)
    return Sequences(codes[kept], names, intervals), targets[kept]


def read_peaks(
    files: Sequence[tuple[str, Path]], genome: Genome, *, length: int
) -> LabelledSequences:
    """Read peak files, one task each, as positive windows.

    Parameters
    ----------
    files
        (task name, BED or narrowPeak file) pairs.
    genome
        The genome that the peaks lie on.
    length
        Bases of a window.

    Raises
    ------
    BedError
        See `place_windows`.
    """
    placed = [place_windows(path, read_bed(path), genome, length=length)[0] for _, path in files]
    marks = [(w, task) for task, windows in enumerate(placed) for w in windows]
    order = {contig: i for i, contig in enumerate(genome.contigs)}
    marks.sort(key=lambda mark: (order[mark[0].contig], mark[0].start, mark[1]))
    merged = _merge_tasks(marks, reach=length // 2 if len(files) > 1 else 0)
    targets = np.zeros((len(merged), len(files)), dtype=np.float32)
    for row, (_, tasks) in enumerate(merged):
        targets[row, list(tasks)] = 1
    if len(merged) < len(marks):
        _log.info("%d windows merged into others at the same place", len(marks) - len(merged))
    windows = [window for window, _ in merged]
    sequences, targets = label_windows(files[0][1], windows, genome, targets)
    signals = [window.signal for window in sequences.intervals or ()]
    ranks = rank_by_signal(signals) if len(files) == 1 else None
    return LabelledSequences(sequences, targets, tuple(name for name, _ in files), ranks=ranks)


def _merge_tasks(
    marks: Sequence[tuple[Interval, int]], *, reach: int
) -> list[tuple[Interval, set[int]]]:
    """Join sorted windows that start within `reach` of the window before them."""
    merged: list[tuple[Interval, set[int]]] = []
    for window, task in marks:
        last = merged[-1][0] if merged else None
        if last and last.contig == window.contig and window.start - last.start <= reach:
            merged[-1][1].add(task)
        else:
            merged.append((window, {task}))
    return merged


# --- sequences as they are -------------------------------------------------------------------


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


def check_labels(data: LabelledSequences, *, where: object, remedy: str) -> None:
    """Refuse targets from which nothing can be learned.

    Raises
    ------
    ConfigError
        When a task has only one value.
    """
    for column, task in enumerate(data.tasks):
        values = np.unique(data.targets[:, column])
        values = values[~np.isnan(values)]
        if len(values) < 2:
            found = f"{values[0]:g}" if len(values) else "missing"
            raise ConfigError(
                where,
                f"every label of {task!r} is {found}",
                expected="at least two values",
                remedy=remedy,
            )
