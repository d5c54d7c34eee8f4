"""The options of a search for settings."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.options import INPUT, read_shard
from seqcnn.cli.priors import describe_priors

__all__ = ["search_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


_OPTIONS = [
    click.option(
        "--trials",
        type=click.IntRange(1, 100_000),
        default=30,
        show_default=True,
        metavar="N",
        help="Settings that are tried.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(2, 100),
        default=3,
        show_default=True,
        metavar="N",
        help="Parts of the training rows, each held out once from every trial.",
    ),
    click.option(
        "--retrain",
        type=click.IntRange(1, 100),
        default=6,
        show_default=True,
        metavar="N",
        help="Networks trained with the best setting.",
    ),
    click.option(
        "--search",
        type=click.Choice(["random", "halving"]),
        default="random",
        show_default=True,
        help="All trials to their end; or all for a ninth of the steps, the best third of"
        " them for a third, and the best third of those to the end.",
    ),
    click.option(
        "--priors",
        type=INPUT,
        metavar="FILE.yaml",
        help="Where settings are drawn from. Default: the family's own (--priors-help).",
    ),
    click.option(
        "--priors-help",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=describe_priors,
        help="Show the priors of all families, as a file of one's own spells them.",
    ),
    click.option(
        "--trial-shard",
        callback=read_shard,
        metavar="I/N",
        help="Only the I-th of N parts of the trials, into a folder within RUN/.",
    ),
    click.option(
        "--finish",
        is_flag=False,
        flag_value="",
        multiple=True,
        metavar="[FOLDER]",
        help="Take the trials from the shards in RUN/, or in FOLDER, and train the best.",
    ),
]


def search_options(command: Decorated) -> Decorated:
    """Add the options that say what is searched, and in which parts."""
    return add_options(command, _OPTIONS, "Search")
