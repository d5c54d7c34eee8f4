"""What a command was given: spelled so that it can be run again, or recognised anywhere."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

__all__ = ["canonical_command", "digest_inputs", "given_options"]

_RUNTIME = {
    *("output", "tsv", "parquet", "summary", "report", "write_index"),
    *("dry_run", "resume", "keep_going", "force", "quiet", "verbose", "threads", "device"),
}
_NAMES = {"settings": "set"}
_FILE_OR_WORD = {"background", "validation", "test"}


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options by their long names as plain values, with whole paths.

    Those that do not change a result are left out, and those that are not set.
    """
    return {
        _NAMES.get(key, key.replace("_", "-")): _plain(key, value)
        for key, value in options.items()
        if key not in _RUNTIME and not (value is None or value is False or value == ())
    }


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if key == "peaks":
        return [_absolute_peaks(item) for item in value]
    if key in _FILE_OR_WORD and Path(value).is_file():
        return str(Path(value).absolute())
    return list(value) if isinstance(value, tuple) else value


def _absolute_peaks(peaks: str) -> str:
    name, equals, file = peaks.partition("=")
    if equals and not Path(peaks).exists():
        return f"{name}={Path(file).absolute()}"
    return str(Path(peaks).absolute())


def canonical_command(options: Mapping[str, Any], *arguments: Path) -> str:
    """Spell the running command without folders, runtime options, and defaults.

    So neither the place of a run nor the way its options were given leaves a trace in its model.
    """
    command = click.get_current_context().command
    defaults = {parameter.name: parameter.default for parameter in command.params}
    chosen = {key: value for key, value in options.items() if value != defaults.get(key)}
    words = ["seqcnn", str(command.name)]
    for key, value in given_options(chosen).items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--{key}"] if item is True else [f"--{key}", _without_folders(item)]
    return shlex.join([*words, *(path.name for path in arguments)])


def _without_folders(value: object) -> str:
    text = str(value)
    name, equals, file = text.partition("=")
    if equals and Path(file).is_absolute():
        return f"{name}={Path(file).name}"
    return Path(text).name if Path(text).is_absolute() else text


def digest_inputs(paths: Iterable[Path]) -> dict[str, str]:
    """Give the sha256 of files by their names, which are told apart where they are equal."""
    from seqcnn.files import sha256

    named = sorted((path.name, sha256(path)) for path in dict.fromkeys(paths))
    digests: dict[str, str] = {}
    for name, digest in named:
        free, number = name, 2
        while free in digests:
            free, number = f"{name} ({number})", number + 1
        digests[free] = digest
    return digests
