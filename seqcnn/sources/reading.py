"""Reading the files that a source names."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqcnn.contigs import bridge_contigs
from seqcnn.datasets import (
    LabelledSequences,
    concatenate,
    encode_records,
    label_windows,
    place_windows,
    read_fasta_classes,
    read_peaks,
    read_seq,
)
from seqcnn.errors import ConfigError
from seqcnn.genome import Genome, Interval, open_genome, read_bed, read_fasta_records
from seqcnn.negatives import match_gc_windows
from seqcnn.sources.profiles import add_profiles, read_moved_windows
from seqcnn.sources.source import Source, name_task
from seqcnn.splits import HeldOut, label_negatives, parse_held_out
from seqcnn.tables import read_table

__all__ = ["Background", "SourceReader"]

_WINDOW = 101


@dataclass(frozen=True)
class Background:
    """Where negatives come from: one of `BACKGROUNDS`, or a file of ``windows`` or ``records``."""

    kind: str
    path: Path = Path("--background gc")


class SourceReader:
    """Reads the files of a source, with the genome open while it is needed.

    Parameters
    ----------
    source
        What to read.
    resources
        Closes what was opened.
    profiled
        Seed of the windows' moves where each base has a target; None where sequences have.
    """

    def __init__(
        self, source: Source, resources: contextlib.ExitStack, *, profiled: int | None = None
    ) -> None:
        self.source, self._profiled = source, profiled
        self._genome = resources.enter_context(open_genome(source.fasta)) if source.fasta else None

    def genome(self, option: str) -> Genome:
        """Give the genome that an option needs."""
        if self._genome is None:
            raise ConfigError(option, "no --fasta", expected="the genome that the loci lie on")
        return self._genome

    def read(
        self, source: Source, *, length: int | None, classes: Sequence[str] | None = None
    ) -> LabelledSequences:
        """Read the rows of a source, without negatives other than its own.

        `classes` is as in `read_table`.
        """
        if self._profiled is not None:
            return self._read_profiled(source, length, self._profiled)
        if source.peaks:
            return read_peaks(source.peaks, self.genome("--peaks"), length=length or _WINDOW)
        if source.positives:
            task = name_task(source.positives)
            return read_fasta_classes(source.positives, source.negatives, length=length, task=task)
        if source.seq:
            return read_seq(source.seq, length=length, task=name_task(source.seq))
        table = source.table or Path()
        return read_table(
            table, targets=source.targets, length=length, genome=self._genome, classes=classes
        )

    def _read_profiled(self, source: Source, length: int | None, seed: int) -> LabelledSequences:
        genome, size = self.genome("--profile"), length or _WINDOW
        if source.peaks:
            data = read_moved_windows(source.peaks, genome, length=size, seed=seed)
        else:
            table = source.table or Path()
            data = read_table(table, targets=(), length=size, genome=genome)
        return add_profiles(data, source.tracks)

    def held_out(
        self,
        text: str | None,
        *,
        name: str,
        like: LabelledSequences,
        background: Background,
        seed: int,
    ) -> HeldOut:
        """Read ``--validation`` or ``--test``: a file of the source's kind, or a share."""
        if text is None:
            return None
        if not Path(text).is_file():
            return parse_held_out(text)
        source, path = self.source, Path(text)
        if len(source.peaks) > 1:
            raise ConfigError(
                f"--{name} {text}",
                "a file, but the source has several tasks",
                expected="contig names, regions, or a fraction",
            )
        changes: dict[str, Any] = {
            key: path for key in ("positives", "seq", "table") if getattr(source, key)
        }
        if source.peaks:
            changes["peaks"] = ((source.peaks[0][0], path),)
        in_a_column = like.exclusive and len(source.targets) == 1
        data = self.read(
            replace(source, negatives=None, **changes),
            length=like.sequences.length,
            classes=like.tasks if in_a_column else None,
        )
        data = replace(data, tasks=like.tasks, exclusive=like.exclusive)
        if background.kind == "gc":
            data = concatenate([data, self._matched(data, seed=seed)])
        return data

    # Negatives ------------------------------------------------------------------------------

    def negatives(
        self, background: Background, data: LabelledSequences, *, seed: int
    ) -> LabelledSequences | None:
        """Read or draw negatives; None where there are none, or shuffles are made later."""
        if background.kind == "gc":
            return self._matched(data, seed=seed)
        length = data.sequences.length
        if background.kind == "windows":
            genome = self.genome("--background")
            intervals = read_bed(background.path)
            windows, _ = place_windows(background.path, intervals, genome, length=length)
            return self._label(background.path, windows, data.tasks)
        if background.kind == "records":
            records = read_fasta_records(background.path)
            sequences = encode_records(records, length=length, where=background.path)
            return self._profile(label_negatives(sequences, data.tasks))
        return None

    def _label(
        self, where: Path, windows: Sequence[Interval], tasks: tuple[str, ...]
    ) -> LabelledSequences:
        none = np.zeros((len(windows), len(tasks)), dtype=np.float32)
        sequences, targets = label_windows(where, windows, self.genome("--background"), none)
        return self._profile(LabelledSequences(sequences, targets, tasks))

    def _profile(self, data: LabelledSequences) -> LabelledSequences:
        return data if self._profiled is None else add_profiles(data, self.source.tracks)

    def _matched(self, data: LabelledSequences, *, seed: int) -> LabelledSequences:
        """Draw background windows of the positives' GC content."""
        genome = self.genome("--background gc")
        positives = data.take(np.flatnonzero(data.positive))
        if data.sequences.intervals is None or positives.sequences.intervals is None:
            raise ConfigError(
                "--background gc", "the source has no coordinates", expected="--peaks, or loci"
            )
        windows = match_gc_windows(
            positives.sequences.codes,
            genome=genome,
            intervals=positives.sequences.intervals,
            excluded=[*data.sequences.intervals, *self._excluded(genome)],
            ratio=self.source.ratio,
            rng=np.random.default_rng([seed, 6]),
        )
        return self._label(Path("--background gc"), windows, data.tasks)

    def _excluded(self, genome: Genome) -> list[Interval]:
        if self.source.exclude is None:
            return []
        places = read_bed(self.source.exclude)
        bridges = bridge_contigs((place.contig for place in places), genome.contigs)
        return [replace(p, contig=bridges[p.contig]) for p in places if p.contig in bridges]
