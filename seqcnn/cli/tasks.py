"""Some tasks of a model: the option that chooses them, and files that are named after them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.modelfile import ModelSpec

__all__ = ["choose_tasks", "plain_name", "plain_names", "task_option"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LONGEST_NAME = 80


def task_option(command: Decorated) -> Decorated:
    """Add ``--task``, which may be repeated."""
    return click.option(
        "--task",
        "tasks",
        multiple=True,
        metavar="NAME",
        help="Only this task; may be repeated. Default: all.",
    )(command)


def choose_tasks(spec: "ModelSpec", options: Mapping[str, Any]) -> list[int]:
    """Give the numbers of the tasks of ``--task``, or of all, in the model's order.

    Raises
    ------
    ConfigError
        For a task that the model has not.
    """
    for name in options["tasks"]:
        if name not in spec.tasks:
            some = ", ".join(spec.tasks[:5]) + (", ..." if len(spec.tasks) > 5 else "")
            raise ConfigError(f"--task {name}", "the model has no such task", expected=some)
    chosen = set(options["tasks"]) or set(spec.tasks)
    return [number for number, name in enumerate(spec.tasks) if name in chosen]


def plain_name(name: str) -> str:
    """Turn a name into one that any file can have."""
    plain = re.sub(r"[^A-Za-z0-9.+=-]+", "_", name).lstrip(".") or "_"
    return plain[:_LONGEST_NAME]


def plain_names(names: Sequence[str]) -> list[str]:
    """Turn names into ones of files, told apart by a number where they would be equal."""
    taken: set[str] = set()
    found = []
    for name in names:
        free, number = plain_name(name), 2
        while free in taken:
            free, number = f"{plain_name(name)}-{number}", number + 1
        taken.add(free)
        found.append(free)
    return found
