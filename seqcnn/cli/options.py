"""Options that all commands share, and the file of options, ``--config``."""

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.cli.option_file import Given

__all__ = ["INPUT", "OUTPUT", "check_file_or_stdout", "common_options", "read_shard"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

INPUT = click.Path(path_type=Path)
OUTPUT = click.Path(path_type=Path)


def common_options(command: Decorated) -> Decorated:
    """Add the options that every command has."""
    options = [
        click.option(
            "--config",
            type=INPUT,
            is_eager=True,
            expose_value=False,
            callback=_read_config,
            metavar="FILE.yaml",
            help="Options by their long names; flags win.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**31 - 1),
            default=0,
            show_default=True,
            metavar="N",
            help="Seed of every random choice.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="auto|cpu|cuda[:N]",
            help="Where networks run; auto takes a GPU where there is one.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(0),
            default=0,
            metavar="N",
            help="CPU threads; 0, the default, means one for each core.",
        ),
        click.option("--force", is_flag=True, help="Write over existing output."),
        click.option("-q", "--quiet", is_flag=True, help="Only warnings and errors."),
        click.option("-v", "--verbose", is_flag=True, help="More than usual."),
    ]
    return add_options(command, options, "Of every command")


def _read_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    from seqcnn.cli.option_file import read_option_file

    names = {
        spelling.lstrip("-"): parameter
        for parameter in ctx.command.params
        for spelling in parameter.opts
        if spelling.startswith("--") and parameter.expose_value
    }
    defaults: dict[str, Any] = {}
    for key, value in read_option_file(path).items():
        parameter = names.get(key.replace("_", "-"))
        if parameter is None:
            near = difflib.get_close_matches(key[:50], names, n=1, cutoff=0.0)
            raise ConfigError(
                f"{path}: {key[:50]}", "no such option", remedy=f"did you mean {near[0]!r}?"
            )
        name = str(parameter.name)
        if name in defaults:
            raise ConfigError(f"{path}: {key}", "stands twice", remedy="remove one of them")
        defaults[name] = _as_given(value, many=parameter.multiple)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _as_given(value: "Given", *, many: bool) -> "Given":
    """Turn lists into what the command line has for an option that is given once."""
    if many:
        return value if isinstance(value, list) else [value]
    return ",".join(value) if isinstance(value, list) else value


def read_shard(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, int] | None:
    """Read ``I/N``, the I-th of N parts."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter("expected I/N with 1 <= I <= N, such as 3/8", ctx, parameter)
    return int(match[1]), int(match[2])


def check_file_or_stdout(output: Path, *, force: bool, inputs: Iterable[Path]) -> None:
    """Refuse an output that is there already, or is read; ``-``, standard output, never is."""
    from seqcnn.files import check_output

    if str(output) != "-":
        check_output(output, force=force, inputs=inputs)
