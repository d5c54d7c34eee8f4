"""Options that all commands share, and the file of options, ``--config``."""

import difflib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from seqcnn.errors import ConfigError, InputError

__all__ = ["INPUT", "OUTPUT", "common_options", "set_up_logging"]

Command = TypeVar("Command", bound=Callable[..., Any])

INPUT = click.Path(path_type=Path)
OUTPUT = click.Path(path_type=Path)

_NOT_IN_CONFIG = {"config", "help"}


def common_options(command: Command) -> Command:
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
        click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True),
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
    for option in reversed(options):
        command = option(command)
    return command


def _read_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    values = _load_yaml(path)
    names = {
        spelling.lstrip("-"): parameter
        for parameter in ctx.command.params
        for spelling in parameter.opts
        if spelling.startswith("--") and parameter.name not in _NOT_IN_CONFIG
    }
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        parameter = names.get(str(key).replace("_", "-"))
        if parameter is None:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)
            raise ConfigError(
                f"{path}: {key}", "no such option", remedy=f"did you mean {near[0]!r}?"
            )
        if value is not None:
            name = str(parameter.name)
            many = parameter.multiple and not isinstance(value, list)
            defaults[name] = [value] if many else value
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _load_yaml(path: Path) -> dict[object, Any]:
    import yaml

    from seqcnn.files import read_bytes

    try:
        values = yaml.safe_load(read_bytes(path, InputError))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ConfigError(path, f"is not YAML ({problem})") from problem
    if not isinstance(values, dict):
        raise ConfigError(path, "holds no options", expected="lines like `length: 101`")
    return values


def set_up_logging(*, quiet: bool, verbose: bool, file: Path | None = None) -> None:
    """Send log lines to stderr, and to a file where one is given."""
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logger = logging.getLogger("seqcnn")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.DEBUG)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(level)
    handlers: list[logging.Handler] = [terminal]
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
        handlers[-1].setLevel(logging.INFO if not verbose else logging.DEBUG)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
