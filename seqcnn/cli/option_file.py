"""Reading a file of options, ``--config``: YAML, every value as the text that stands there.

So a value means what it means on the command line: ``true``, ``0x1F``, ``2020-01-01`` or ``.inf``
turn into nothing else on their way.
"""

from pathlib import Path

import yaml

from seqcnn.errors import ConfigError, InputError
from seqcnn.files import open_binary

__all__ = ["Given", "read_mapping", "read_option_file"]

Given = str | list[str]
"""What stands for an option: a value, or several."""

_LARGEST = 1 << 20
_NULLS = {"", "~", "null", "Null", "NULL"}
_EXPECTED = "lines like `length: 101`"


def read_option_file(path: Path) -> dict[str, Given]:
    """Read options by their names; a mapping becomes a list of ``NAME=VALUE``.

    Options without a value are left out.

    Raises
    ------
    ConfigError, InputError
        When the file cannot be read, is no YAML, or holds anything but options.
    """
    return {
        name: _flatten(f"{path}: {name}", value)
        for name, value in read_mapping(path).items()
        if value is not None
    }


def read_mapping(path: Path) -> dict[str, object]:
    """Read a mapping of names to values of any depth, every scalar as its text.

    Raises
    ------
    ConfigError, InputError
        When the file cannot be read, is no YAML, or holds no mapping.
    """
    with open_binary(path, InputError) as handle:
        raw = handle.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ConfigError(path, "is more than 1 MiB", expected=_EXPECTED, remedy="name another")
    try:
        values = yaml.load(raw.decode("utf-8-sig"), _TextLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
        raise _no_yaml(path, problem) from problem
    if not isinstance(values, dict):
        raise ConfigError(path, "holds no options", expected=_EXPECTED)
    return {str(name): value for name, value in values.items()}


class _TextLoader(yaml.BaseLoader):
    """Gives scalars as text, and None for nothing; a name that stands twice is an error."""

    def construct_scalar(self, node: yaml.ScalarNode) -> str | None:  # type: ignore[override]
        return None if node.style is None and node.value in _NULLS else node.value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        mapping: dict[object, object] = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            names = [key.value for key, _ in node.value]
            again = max(names, key=names.count)
            raise yaml.MarkedYAMLError(
                problem=f"{again!r} stands twice", problem_mark=node.start_mark
            )
        # The option --null has the name of YAML's nothing.
        return {"null" if name is None else name: value for name, value in mapping.items()}


def _no_yaml(path: Path, problem: Exception) -> ConfigError:
    mark = problem.problem_mark if isinstance(problem, yaml.MarkedYAMLError) else None
    where = f"{path}:{mark.line + 1}" if mark else path
    if isinstance(problem, yaml.MarkedYAMLError):
        why = problem.problem or "it cannot be parsed"
    elif isinstance(problem, RecursionError):
        why = "too many brackets"
    else:
        why = "it holds bytes that are no text"
    return ConfigError(
        where, f"is not YAML ({why})", expected=_EXPECTED, remedy="check its colons and quotes"
    )


def _flatten(where: str, value: object) -> Given:
    """Turn what a name stands for into words of the command line."""
    if isinstance(value, dict):
        return [f"{name}={_word(where, item)}" for name, item in value.items()]
    if isinstance(value, list):
        return [_word(where, item) for item in value]
    return _word(where, value)


def _word(where: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        found = "nothing" if value is None else "a zero byte"
        found = "a list within a list" if isinstance(value, list | dict) else found
        raise ConfigError(where, found, expected="a value, or a plain list of values")
    return value
