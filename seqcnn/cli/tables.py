"""Writing tab-separated tables: six significant digits, ``.`` for what is missing."""

import math
from collections.abc import Iterable, Sequence
from typing import TextIO

__all__ = ["format_value", "write_rows"]


def write_rows(handle: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows."""
    handle.write("\t".join(columns) + "\n")
    for row in rows:
        handle.write("\t".join(map(format_value, row)) + "\n")


def format_value(value: object) -> str:
    """Spell a value: numbers with six significant digits, None and NaN as ``.``."""
    if value is None:
        return "."
    if isinstance(value, str | int):
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if math.isnan(number):
        return "."
    text = f"{number:.6g}"
    return "0" if text == "-0" else text
