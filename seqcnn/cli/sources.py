"""Where data come from: the SOURCE, BACKGROUND and SPLIT options, and reading what they name."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.options import INPUT
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.datasets import LabelledSequences
    from seqcnn.genome import Genome, Interval
    from seqcnn.splits import HeldOut, Split

__all__ = ["Source", "input_files", "prepare_evaluation", "prepare_split", "source_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_BACKGROUNDS = ("dinucleotide", "gc", "none")


@dataclass(frozen=True)
class Source:
    """The SOURCE and BACKGROUND options as given."""

    peaks: tuple[str, ...]
    fasta: Path | None
    positives: Path | None
    negatives: Path | None
    seq: Path | None
    table: Path | None
    targets: str | None
    length: int | None
    background: str | None
    ratio: int
    exclude: Path | None

    @classmethod
    def take(cls, options: dict[str, Any]) -> "Source":
        """Take the options of this class out of a command's options."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def peak_files(self) -> list[tuple[str, Path]]:
        """Part each ``[NAME=]FILE``; without a name the file's stem names the task."""
        parts = [peaks.partition("=") for peaks in self.peaks]
        files = [
            (name, Path(file))
            if equals and not Path(whole).exists()
            else (_stem(whole), Path(whole))
            for (name, equals, file), whole in zip(parts, self.peaks, strict=True)
        ]
        names = [name for name, _ in files]
        if len(set(names)) < len(names):
            raise ConfigError(
                "--peaks",
                f"two tasks are named {max(names, key=names.count)!r}",
                remedy="name them: --peaks NAME=FILE",
            )
        return files


def source_options(command: Command) -> Command:
    """Add the SOURCE and BACKGROUND options."""
    whole = click.IntRange(1, 1_000_000)
    options = [
        click.option(
            "--peaks",
            multiple=True,
            metavar="[NAME=]FILE",
            help="BED or narrowPeak with --fasta; repeated: one task each.",
        ),
        click.option("--fasta", type=INPUT, metavar="FA", help="Reference genome."),
        click.option("--positives", type=INPUT, metavar="FA", help="A positive sequence a record."),
        click.option("--negatives", type=INPUT, metavar="FA", help="A negative sequence a record."),
        click.option("--seq", type=INPUT, metavar="FILE", help="DeepBind's .seq or .seq.gz."),
        click.option(
            "--table",
            type=INPUT,
            metavar="FILE",
            help="TSV, CSV or Parquet: `sequence`, or `contig start end [strand]` with --fasta.",
        ),
        click.option("--targets", metavar="COL,...", help="Target columns of --table."),
        click.option(
            "--length",
            type=whole,
            metavar="BP",
            help="Bases of a window. Default: 101 around each summit or middle; for"
            " sequences, the length that 95 % of them reach.",
        ),
        click.option(
            "--background",
            metavar="|".join([*_BACKGROUNDS, "FILE.bed", "FILE.fa"]),
            help="Negatives. Default: dinucleotide shuffles where the source has none.",
        ),
        click.option(
            "--ratio",
            type=click.IntRange(1, 100),
            default=1,
            show_default=True,
            help="Negatives made for each positive.",
        ),
        click.option(
            "--exclude", type=INPUT, metavar="BED", help="Places that --background gc must not use."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _stem(path: str) -> str:
    return Path(path).name.split(".")[0]


def input_files(source: Source, *others: str | None) -> dict[str, str]:
    """Digest the files of a source: sha256 by file name."""
    from seqcnn.files import sha256

    named = [source.fasta, source.positives, source.negatives, source.seq, source.table]
    files = [path for path in [*named, source.exclude] if path]
    files += [path for _, path in source.peak_files()]
    files += [Path(text) for text in (source.background, *others) if text and Path(text).is_file()]
    return {path.name: sha256(path) for path in sorted(files)}


# --- training data ---------------------------------------------------------------------------


def prepare_split(
    source: Source, *, validation: str | None, test: str | None, task_kind: str | None, seed: int
) -> "tuple[Split, str]":
    """Read a source and part it; give the split and the kind of the task."""
    from seqcnn.datasets import check_labels
    from seqcnn.splits import split_data

    with contextlib.ExitStack() as resources:
        reader = _Reader(source, resources, length=source.length)
        data = reader.read(source)
        kind = _task_kind(task_kind, data)
        made = reader.background(data, kind)
        data = reader.with_windows(data, made, seed=seed)
        held = {
            name: reader.held_out(text, length=data.sequences.length, name=name)
            for name, text in (("validation", validation), ("test", test))
        }
        _check_tasks(data, held)
        split = split_data(data, validation=held["validation"], test=held["test"], seed=seed)
        split = reader.with_records(split, made, seed=seed)
    split = _with_shuffles(split, source, made, seed=seed)
    remedy = "choose another split, or give negatives with --background or --negatives"
    for name in ("train", "validation", "test"):
        side: LabelledSequences = getattr(split, name)
        if not (name == "train" and split.shuffles):
            check_labels(side, where=f"the {name} data", remedy=remedy)
    return split, kind


def prepare_evaluation(
    source: Source, *, tasks: tuple[str, ...], task_kind: str, length: int, seed: int
) -> "LabelledSequences":
    """Read a source to evaluate a model of these tasks and this length on."""
    from seqcnn.datasets import check_labels
    from seqcnn.splits import add_shuffles, label_negatives

    with contextlib.ExitStack() as resources:
        reader = _Reader(source, resources, length=length)
        data = _arrange_tasks(reader.read(source), tasks)
        made = reader.background(data, task_kind)
        data = reader.with_windows(data, made, seed=seed)
        records = reader.records(made, length=length)
    if records is not None:
        from seqcnn.datasets import concatenate

        data = concatenate([data, label_negatives(records, tasks)])
    if made == "dinucleotide":
        data = add_shuffles(data, ratio=source.ratio, seed=seed)
    check_labels(data, where="the data", remedy="give negatives with --background or --negatives")
    return data


class _Reader:
    """Reads the files of a source, with the genome open while it is needed."""

    def __init__(
        self, source: Source, resources: contextlib.ExitStack, *, length: int | None
    ) -> None:
        from seqcnn.genome import open_genome

        self.source, self.length = source, length
        self.genome: Genome | None = None
        if source.fasta:
            self.genome = resources.enter_context(open_genome(source.fasta))

    def read(self, source: Source) -> "LabelledSequences":
        """Read the one source that is named."""
        from seqcnn.datasets import read_fasta_classes, read_peaks, read_seq
        from seqcnn.tables import read_table

        named = {
            "--peaks": source.peaks,
            "--positives": source.positives,
            "--seq": source.seq,
            "--table": source.table,
        }
        given = [name for name, value in named.items() if value]
        if len(given) != 1:
            raise ConfigError(
                "source",
                f"{' and '.join(given) or 'none'} given",
                expected=f"one of {', '.join(named)}",
            )
        if source.peaks:
            return read_peaks(
                source.peak_files(), self._genome("--peaks"), length=self.length or 101
            )
        if source.positives:
            return read_fasta_classes(
                source.positives,
                source.negatives,
                length=self.length,
                task=_stem(str(source.positives)),
            )
        if source.seq:
            return read_seq(source.seq, length=self.length, task=_stem(str(source.seq)))
        if not source.targets:
            raise ConfigError("--table", "no --targets", expected="--targets COLUMN,...")
        targets = [name.strip() for name in source.targets.split(",")]
        return read_table(source.table, targets=targets, length=self.length, genome=self.genome)  # type: ignore[arg-type]

    def _genome(self, option: str) -> "Genome":
        if self.genome is None:
            raise ConfigError(option, "no --fasta", expected="the genome that the loci lie on")
        return self.genome

    def background(self, data: "LabelledSequences", kind: str) -> str:
        """Decide what the negatives are: a kind, or a file."""
        asked = self.source.background
        if asked is None:
            negative = ~(data.targets > 0.5).any(axis=1)
            wants = kind != "regression" and not negative.any() and self.source.table is None
            return "dinucleotide" if wants else "none"
        if kind == "regression" and asked != "none":
            raise ConfigError(f"--background {asked}", "the task is a regression", expected="none")
        if asked not in _BACKGROUNDS and not Path(asked).exists():
            raise ConfigError(
                f"--background {asked}",
                "no such kind, and no such file",
                expected=f"{', '.join(_BACKGROUNDS)}, or a BED or FASTA file",
            )
        return asked

    def with_windows(
        self, data: "LabelledSequences", made: str, *, seed: int
    ) -> "LabelledSequences":
        """Add the negatives that are windows of the genome."""
        from seqcnn.datasets import LabelledSequences, concatenate, label_windows

        if made == "gc":
            windows = self._matched_windows(data, seed=seed)
        elif made not in _BACKGROUNDS and not _is_fasta(Path(made)):
            windows = self._background_windows(Path(made), data.sequences.length)
        else:
            return data
        import numpy as np

        targets = np.zeros((len(windows), len(data.tasks)), dtype=np.float32)
        path = Path(made) if made != "gc" else Path("--background gc")
        sequences, targets = label_windows(path, windows, self._genome("--background"), targets)
        return concatenate([data, LabelledSequences(sequences, targets, data.tasks)])

    def _background_windows(self, path: Path, length: int) -> "list[Interval]":
        from seqcnn.datasets import place_windows
        from seqcnn.genome import read_bed

        return place_windows(path, read_bed(path), self._genome("--background"), length=length)[0]

    def _matched_windows(self, data: "LabelledSequences", *, seed: int) -> "list[Interval]":
        import numpy as np

        from seqcnn.genome import bridge_contigs, read_bed
        from seqcnn.negatives import match_gc_windows

        genome = self._genome("--background gc")
        if data.sequences.intervals is None:
            raise ConfigError(
                "--background gc", "the source has no coordinates", expected="--peaks, or loci"
            )
        excluded = read_bed(self.source.exclude) if self.source.exclude else []
        bridges = bridge_contigs((place.contig for place in excluded), genome.contigs)
        kept = [replace(p, contig=bridges[p.contig]) for p in excluded if p.contig in bridges]
        return match_gc_windows(
            data.sequences.codes,
            genome=genome,
            intervals=data.sequences.intervals,
            excluded=kept,
            ratio=self.source.ratio,
            rng=np.random.default_rng([seed, 6]),
        )

    def records(self, made: str, *, length: int) -> "Any":
        """Read a background FASTA file; None where the background is none."""
        from seqcnn.datasets import encode_records
        from seqcnn.genome import read_fasta_records

        if made in _BACKGROUNDS or not _is_fasta(Path(made)):
            return None
        return encode_records(read_fasta_records(Path(made)), length=length, where=made)

    def with_records(self, split: "Split", made: str, *, seed: int) -> "Split":
        """Share a background FASTA file out to the sides."""
        from seqcnn.splits import add_negatives, label_negatives

        records = self.records(made, length=split.train.sequences.length)
        if records is None:
            return split
        return add_negatives(split, label_negatives(records, split.train.tasks), seed=seed)

    def held_out(self, text: str | None, *, length: int, name: str) -> "HeldOut":
        """Read ``--validation`` or ``--test``: a file of the source's kind, or a share."""
        from seqcnn.splits import parse_held_out

        if text is None or not Path(text).is_file():
            return None if text is None else parse_held_out(text)
        source, path = self.source, Path(text)
        self.length = length
        if source.peaks:
            files = source.peak_files()
            if len(files) > 1:
                raise ConfigError(
                    f"--{name} {text}",
                    "a file, but the source has several tasks",
                    expected="contig names or a fraction",
                )
            return self.read(replace(source, peaks=(f"{files[0][0]}={text}",)))
        changes: dict[str, Any] = {
            key: path for key in ("positives", "seq", "table") if getattr(source, key)
        }
        return self.read(replace(source, negatives=None, **changes))


def _is_fasta(path: Path) -> bool:
    from seqcnn.errors import InputError
    from seqcnn.files import numbered_lines

    return next((line for _, line in numbered_lines(path, InputError) if line), "").startswith(">")


def _task_kind(asked: str | None, data: "LabelledSequences") -> str:
    """Check --task against the targets; by default it follows from them."""
    import numpy as np

    values = data.targets[~np.isnan(data.targets)]
    two_valued = bool(np.isin(values, (0, 1)).all())
    default = "regression" if not two_valued else "binary" if len(data.tasks) == 1 else "multilabel"
    kind = asked or default
    if kind != "regression" and not two_valued:
        raise ConfigError(
            f"--task {kind}", "targets other than 0 and 1", expected="--task regression"
        )
    if kind == "binary" and len(data.tasks) > 1:
        raise ConfigError("--task binary", f"{len(data.tasks)} tasks", expected="multilabel")
    return kind


def _check_tasks(data: "LabelledSequences", held: "dict[str, HeldOut]") -> None:
    from seqcnn.datasets import LabelledSequences

    for name, side in held.items():
        if isinstance(side, LabelledSequences):
            held[name] = replace(side, tasks=data.tasks)


def _with_shuffles(split: "Split", source: Source, made: str, *, seed: int) -> "Split":
    """Give the held-out sides fixed shuffles, and let training make fresh ones."""
    from seqcnn.splits import add_shuffles

    if made != "dinucleotide":
        return split
    sides = {
        name: add_shuffles(side, ratio=source.ratio, seed=seed) if side.positive.all() else side
        for name, side in (("validation", split.validation), ("test", split.test))
    }
    return replace(split, shuffles=source.ratio, **sides)


def _arrange_tasks(data: "LabelledSequences", tasks: tuple[str, ...]) -> "LabelledSequences":
    """Bring targets into the order of the model's tasks; tasks without data are missing."""
    import numpy as np

    if len(tasks) == 1 and len(data.tasks) == 1:
        return replace(data, tasks=tasks)
    unknown = [name for name in data.tasks if name not in tasks]
    if unknown:
        raise ConfigError(
            "source",
            f"the model has no task {unknown[0]!r}",
            expected=", ".join(tasks),
            remedy="name the tasks as in training: --peaks NAME=FILE, --targets NAME,...",
        )
    targets = np.full((len(data), len(tasks)), np.nan, dtype=np.float32)
    for column, name in enumerate(data.tasks):
        targets[:, tasks.index(name)] = data.targets[:, column]
    return replace(data, targets=targets, tasks=tasks)
