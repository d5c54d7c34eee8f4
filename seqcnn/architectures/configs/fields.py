"""Fields of configs: each with what it means, and what it may be."""

from dataclasses import field
from typing import Any

__all__ = ["choice", "number"]


def number(default: float, meaning: str, *, low: float = 1, high: float = 1e6) -> Any:
    """Make a field that takes a number from `low` to `high`."""
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


def choice(default: str, meaning: str, *choices: str) -> Any:
    """Make a field that takes one of several words."""
    return field(default=default, metadata={"help": meaning, "choices": choices})
