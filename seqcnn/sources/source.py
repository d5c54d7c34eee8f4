"""What a source of data names: files, and what goes with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqcnn.errors import ConfigError

__all__ = ["BACKGROUNDS", "Source", "name_task"]

_ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and bytes that are no UTF-8: they would break tables and pages."""

BACKGROUNDS = ("dinucleotide", "gc", "none")
"""What ``--background`` may be beside a file."""


@dataclass(frozen=True)
class Source:
    """What the SOURCE and BACKGROUND options name.

    Attributes
    ----------
    peaks
        (task, BED or narrowPeak file) pairs.
    fasta
        The genome of peaks and other loci.
    positives, negatives
        FASTA files.
    seq
        DeepBind's .seq.
    table, targets
        A table and its target columns.
    profile
        (task, BED or bigWig file) pairs: targets of each base, around peaks or on loci.
    length
        Bases of a window; None leaves the choice to the data.
    background
        ``dinucleotide``, ``gc``, ``none``, or the name of a BED or FASTA file; None leaves the
        choice to the data.
    ratio
        Negatives made for each positive.
    exclude
        BED file of places that are no background.
    ranks
        Where the strength of positives is taken from, by which they count in training:
        ``auto`` (the signal or score of peaks, the order of a .seq), ``order`` or ``none``.

    Raises
    ------
    ConfigError
        Unless exactly one source is named, with all that it needs and nothing that it ignores.
    """

    peaks: tuple[tuple[str, Path], ...] = ()
    fasta: Path | None = None
    positives: Path | None = None
    negatives: Path | None = None
    seq: Path | None = None
    table: Path | None = None
    targets: tuple[str, ...] = ()
    profile: tuple[tuple[str, Path], ...] = ()
    length: int | None = None
    background: str | None = None
    ratio: int = 1
    exclude: Path | None = None
    ranks: str = "auto"

    def __post_init__(self) -> None:
        sources = ("peaks", "positives", "seq", "table")
        given = [f"--{name}" for name in sources if getattr(self, name)]
        if len(given) != 1:
            raise ConfigError(
                "the source of data",
                f"{' and '.join(given) or 'none'} given",
                expected=f"one of {', '.join(f'--{name}' for name in sources)}",
            )
        for option, other in (
            ("peaks", "fasta"),
            ("negatives", "positives"),
            ("targets", "table"),
            ("table", "targets"),
        ):
            if option == "table" and self.profile:
                continue
            if getattr(self, option) and not getattr(self, other):
                raise ConfigError(
                    f"--{option}", f"no --{other}", expected=f"both, or no --{option}"
                )
        if self.exclude and self.background != "gc":
            raise ConfigError(
                "--exclude", "nothing to keep away from it", expected="--background gc beside it"
            )
        if self.profile and (not self.fasta or self.positives or self.seq or self.targets):
            raise ConfigError(
                "--profile",
                "a source that is neither --peaks nor the loci of a --table",
                expected="one of them, with --fasta and without --targets",
            )
        named = (*self.peaks, *self.profile)
        for name in (*(name for name, _ in named), *self.targets):
            if not name or _ODD.search(name):
                raise ConfigError(
                    "the tasks",
                    f"the name {name!r}",
                    expected="letters, without control characters",
                    remedy="give another: --peaks NAME=FILE, or rename the column",
                )
        _refuse_repeated("--peaks", [name for name, _ in self.peaks], "--peaks NAME=FILE")
        _refuse_repeated("--profile", [name for name, _ in self.profile], "--profile NAME=FILE")
        _refuse_repeated("--targets", self.targets, "each column once")

    @property
    def tracks(self) -> tuple[tuple[str, Path], ...]:
        """What gives each base its target, where it has one: tracks, or the peaks themselves."""
        return self.profile or self.peaks

    @property
    def files(self) -> list[Path]:
        """All files that are named."""
        named = [self.fasta, self.positives, self.negatives, self.seq, self.table, self.exclude]
        if self.background and self.background not in BACKGROUNDS:
            named.append(Path(self.background))
        pairs = (*self.peaks, *self.profile)
        return [path for path in [*named, *(path for _, path in pairs)] if path]


def name_task(path: Path) -> str:
    """Name a task after its file, up to the first dot."""
    return _ODD.sub("_", path.name.split(".")[0] or path.name)


def _refuse_repeated(option: str, names: Sequence[str], remedy: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(option, f"two tasks are named {repeated[0]!r}", remedy=f"give {remedy}")
