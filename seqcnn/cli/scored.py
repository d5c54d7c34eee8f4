"""Lines of what ``score-variants`` wrote, for the commands that read it again."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from seqcnn.errors import InputError

__all__ = ["batches", "is_table", "table_lines"]

_BATCH = 1000
_LONGEST = 1000
"""Of a first line, as much as tells what file it is."""


def is_table(path: Path) -> bool:
    """Tell a table from a VCF or BCF."""
    from seqcnn.files import open_binary

    with open_binary(path, InputError) as handle:
        first = handle.readline(_LONGEST)
    return b"\t" in first and not first.startswith((b"#", b"BCF"))


def table_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a table without their ends, the titles first."""
    from seqcnn.files import open_binary

    # An ID may hold any bytes, which come out as they went in.
    with open_binary(path, InputError) as handle:
        for line in handle:
            yield line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def batches(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield some lines at a time."""
    return iter(lambda: list(islice(lines, _BATCH)), [])
