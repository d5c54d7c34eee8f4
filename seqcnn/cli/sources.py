"""The SOURCE and BACKGROUND options."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.options import INPUT

if TYPE_CHECKING:
    from seqcnn.sources import Source

__all__ = ["source_options", "take_source"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def source_options(command: Decorated) -> Decorated:
    """Add the SOURCE and BACKGROUND options."""
    return add_options(add_options(command, _BACKGROUND, "Background"), _SOURCE, "Source")


_SOURCE = [
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
    click.option(
        "--targets",
        metavar="COL,...",
        help="Target columns of --table; a column of words holds classes.",
    ),
    click.option(
        "--profile",
        multiple=True,
        metavar="[NAME=]FILE",
        help="BED or bigWig: a target for each base, around --peaks or on the loci of --table;"
        " repeated: one task each.",
    ),
    click.option(
        "--length",
        type=click.IntRange(1, 1_000_000),
        metavar="BP",
        help="Bases of a window. Default: 101 around each summit or middle; for"
        " sequences, the length that 95 % of them reach.",
    ),
]

_BACKGROUND = [
    click.option(
        "--background",
        metavar="dinucleotide|gc|none|FILE.bed|FILE.fa",
        help="Negatives. Default: dinucleotide shuffles where the source has none.",
    ),
    click.option(
        "--ratio",
        type=click.IntRange(1, 100),
        default=1,
        show_default=True,
        metavar="N",
        help="Negatives made for each positive.",
    ),
    click.option(
        "--exclude", type=INPUT, metavar="BED", help="Places that --background gc must not use."
    ),
    click.option(
        "--ranks",
        type=click.Choice(["auto", "order", "none"]),
        default="auto",
        show_default=True,
        help="What makes a positive count more in training; auto: the signal (or score) of"
        " peaks, and the order of a .seq.",
    ),
]


def take_source(options: dict[str, Any]) -> "Source":
    """Make a source of a command's options.

    Raises
    ------
    ConfigError
        For options that do not fit together.
    """
    from seqcnn.sources import Source

    plain = ("fasta", "positives", "negatives", "seq", "table", "length", "background", "ratio")
    return Source(
        peaks=tuple(_name_task(peaks) for peaks in options["peaks"]),
        profile=tuple(_name_task(profile) for profile in options["profile"]),
        targets=tuple(_words(options["targets"] or "")),
        exclude=options["exclude"],
        ranks=options["ranks"],
        **{name: options[name] for name in plain},
    )


def _name_task(peaks: str) -> tuple[str, Path]:
    """Part ``[NAME=]FILE``; without a name, that of the file up to its first dot is the task's."""
    name, equals, file = peaks.partition("=")
    if equals and not Path(peaks).exists():
        return name, Path(file)
    from seqcnn.sources import name_task

    return name_task(Path(peaks)), Path(peaks)


def _words(text: str) -> Iterable[str]:
    return (word for part in text.split(",") if (word := part.strip()))
