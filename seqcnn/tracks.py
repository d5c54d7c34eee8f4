"""Writing a number for each base of a genome: bigWig, or bedGraph.

By the suffix: ``.bw`` or ``.bigwig`` is bigWig; ``.bedgraph`` or ``.bg``, with ``.gz`` where it
is to be packed, is text: contig, start, end (0-based, half-open), value. Contigs stand in the
order of their names as bytes, because programs look names up in a bigWig as in a sorted list, and
``bedGraphToBigWig`` wants its input so. A bigWig has single precision; bedGraph six digits.

The zoom levels of a bigWig, which show a browser whole chromosomes at once, are made in memory by
libBigWig when the file is closed, 15 bytes for each value. So a file of more than 64 million values
(1 GB) has none; all else is written as it comes.
"""

import contextlib
import gzip
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from seqcnn.errors import ConfigError
from seqcnn.files import whole_file
from seqcnn.spelling import format_numbers

__all__ = ["Track", "check_track", "open_track", "order_contigs"]

Values = NDArray[np.float64]

_BIGWIG = (".bw", ".bigwig")
_TEXT = (".bedgraph", ".bg", ".bedgraph.gz", ".bg.gz")
_ZOOM_LEVELS = 10
_MOST_ZOOMED = 1 << 26
_LINES = 1 << 16


class Track(Protocol):
    """An open track; values come contig by contig in the order of `order_contigs`."""

    def add(self, contig: str, start: int, values: Values) -> None:
        """Write values (n,) of the bases from `start` on, right of all before; NaN is no value."""


def order_contigs(contigs: Mapping[str, int]) -> list[str]:
    """Give the names of contigs in the order in which a track has them."""
    return sorted(contigs, key=lambda name: name.encode("utf-8", "surrogateescape"))


def check_track(path: Path) -> None:
    """Refuse a name that no track can be written to.

    Raises
    ------
    ConfigError
        For another suffix, or where the library for bigWig is missing.
    """
    name = path.name.lower()
    if name.endswith(_BIGWIG):
        _import_library(path)
    elif not name.endswith(_TEXT):
        raise ConfigError(
            path,
            f"the suffix {path.suffix!r} names no kind of track",
            expected="a name that ends in .bw, .bigwig, .bedgraph or .bedgraph.gz",
        )


def _import_library(path: Path) -> Any:
    try:
        import pyBigWig
    except ImportError as problem:
        raise ConfigError(
            path,
            f"bigWig is written by the package pyBigWig, which cannot be loaded ({problem})",
            remedy="pip install pyBigWig, or name the output .bedgraph.gz",
        ) from problem
    return pyBigWig


@contextlib.contextmanager
def open_track(path: Path, contigs: Mapping[str, int], *, values: int) -> Iterator[Track]:
    """Open a track to write; the file is there only when the block ends well.

    Parameters
    ----------
    path
        Its suffix says which kind.
    contigs
        Length of each contig.
    values
        How many values will come, at most.

    Raises
    ------
    ConfigError
        As `check_track`.
    """
    check_track(path)
    with whole_file(path) as partial, contextlib.ExitStack() as resources:
        if path.name.lower().endswith(_BIGWIG):
            header = [(name, contigs[name]) for name in order_contigs(contigs)]
            file = resources.enter_context(
                contextlib.closing(_import_library(path).open(str(partial), "w"))
            )
            file.addHeader(header, maxZooms=_ZOOM_LEVELS if values <= _MOST_ZOOMED else 0)
            yield _BigWig(file)
        else:
            raw = resources.enter_context(partial.open("wb"))
            packed = path.suffix.lower() == ".gz"
            binary: Any = (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if packed else raw
            )
            resources.enter_context(binary)
            text = io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape")
            yield _BedGraph(resources.enter_context(text))


class _BigWig:
    def __init__(self, file: Any) -> None:
        self._file = file

    def add(self, contig: str, start: int, values: Values) -> None:
        for first, run in _known_runs(values):
            single = run.astype(np.float32)
            self._file.addEntries(contig, start + first, values=single, span=1, step=1)


class _BedGraph:
    def __init__(self, text: TextIO) -> None:
        self._text = text

    def add(self, contig: str, start: int, values: Values) -> None:
        for first, run in _known_runs(values):
            for offset in range(0, len(run), _LINES):
                numbers = format_numbers(run[offset : offset + _LINES])
                place = start + first + offset
                self._text.writelines(
                    f"{contig}\t{at}\t{at + 1}\t{number}\n"
                    for at, number in enumerate(numbers, start=place)
                )


def _known_runs(values: Values) -> Iterator[tuple[int, Values]]:
    """Yield where each run of values that are not NaN begins, and the run."""
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    for first, stop in edges.reshape(-1, 2).tolist():
        yield first, values[first:stop]
