"""Reading VCF and BCF as lines of VCF text, in blocks.

VCF
    Plain, gzip or bgzip; the first line is ``##fileformat=VCF...``; then more lines with ``##``,
    the line ``#CHROM POS ID REF ALT QUAL FILTER INFO [FORMAT SAMPLE...]``, and records with as
    many columns, all parted by single tabs. Lines may end in CR LF. Neither contigs nor INFO
    keys need to be declared, and the order of records does not matter. POS is a whole number
    from 0. CHROM, POS, REF and ALT are not empty. Blank lines are no records: they are left out.

BCF
    Version 2, compressed or not; htslib spells its records as text.

Some of a file
    With `seqcnn.variants.regions`, the records that overlap them, by way of the file's index. Or
    records by their numbers: those before are only counted, and their columns too.

Anything else is a VcfError with file and line (file and record number for BCF). What an allele
spells is not judged here: see `seqcnn.variants.alleles`.
"""

import contextlib
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seqcnn.errors import VcfError
from seqcnn.files import is_stream
from seqcnn.variants.regions import Regions
from seqcnn.variants.selecting import CONTIG_LINE, open_selection
from seqcnn.variants.stream import (
    PipedVariants,
    bcf_batches,
    open_chunks,
    source_name,
    text_batches,
)

__all__ = ["VcfBlock", "VcfHeader", "VcfReader"]

_LOG = logging.getLogger(__name__)
_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_BLOCK_CHARACTERS = 1 << 25
_WHITE = re.compile(r"\s")
_FIRST = "##fileformat=VCF"
_BCF = b"BCF\2"
_BLANK = " \r\v\f"


@dataclass(frozen=True, slots=True)
class VcfHeader:
    """The header of a VCF: its lines as they stand (without line feed), and what they declare."""

    lines: tuple[str, ...]
    samples: tuple[str, ...]
    contigs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VcfBlock:
    """Some consecutive records: n lines of text, and their first five columns.

    Attributes
    ----------
    source
        What the file is called in messages; its unit is ``line`` or ``record``.
    lines
        The records, without line feed.
    numbers
        Line (BCF: record) of the file (n,), from 1; of the regions' records, where there are
        regions.
    contigs, positions, identifiers, refs, alts
        CHROM, POS (1-based), ID, REF and ALT as they stand.
    """

    source: str
    lines: list[str]
    numbers: NDArray[np.int64]
    contigs: tuple[str, ...]
    positions: NDArray[np.int64]
    identifiers: tuple[str, ...]
    refs: tuple[str, ...]
    alts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def locate(self, record: int) -> str:
        """Say where a record of the block stands, for a message."""
        return f"{self.source}{self.numbers[record]}"


class VcfReader:
    """A VCF or BCF file, read from its beginning to its end in bounded memory.

    Parameters
    ----------
    source
        A path, or ``-`` for standard input.
    block_records
        Records in a block, at most; lines of many samples make the blocks shorter.
    regions
        Read only the records that overlap them; the file needs an index.

    Attributes
    ----------
    name
        What the file is called in messages.
    header
        The header.

    Raises
    ------
    VcfError
        When the file is no VCF or BCF, has no header, or is empty.
    """

    _warn = True

    def __init__(
        self, source: str | Path, *, block_records: int = 10_000, regions: Regions | None = None
    ) -> None:
        self.name = source_name(source)
        self._source, self._regions = source, regions
        self._block_records = block_records
        self._blank = self._read = 0
        self._variants: PipedVariants | None = None
        with contextlib.ExitStack() as resources:
            batches = self._open(source, resources)
            header, self._batches = _split_header(batches, self.name)
            self.header = _parse_header(header, self.name)
            self._resources = resources.pop_all()
        # Only in a text are the header lines lines of what is counted.
        self._before = len(header) if self._unit == ":" else 0
        tabs = header[-1].count("\t")
        self._tabs = {tabs, tabs - 1} if tabs == len(_COLUMNS) else {tabs}

    def _open(self, source: str | Path, resources: contextlib.ExitStack) -> Iterator[list[str]]:
        if self._regions is not None:
            self._unit = ": in the regions, record "
            selection = open_selection(source, self._regions, resources, warn=self._warn)
            if not selection.head.startswith(_BCF):
                _check_first_line(selection.head, self.name)
            return selection.batches
        chunks = open_chunks(source, resources, tell=self._tell)
        head = next(chunks)
        chunks = itertools.chain([head], chunks)
        if not head.startswith(_BCF):
            self._unit = ":"
            _check_first_line(head, self.name)
            return text_batches(chunks, self.name)
        self._unit = ": record "
        self._variants = variants = PipedVariants(chunks, self.name)
        resources.callback(variants.close)
        header = str(variants.file.header).rstrip("\n").split("\n")
        _check_first_line(header[0].encode("utf-8", "surrogateescape"), self.name)
        return itertools.chain([header], bcf_batches(variants))

    def _tell(self, size: int) -> None:
        self._read += size

    @property
    def share(self) -> float | None:
        """Share of the file that has been read; None where its size is not known."""
        size = 0 if str(self._source) == "-" else Path(self._source).stat().st_size
        return min(1.0, self._read / size) if self._read and size else None

    def count(self) -> int:
        """Count the records that `blocks` yields, in a pass of its own over the file.

        It reads to the end, so a file that was cut is found out, and checks the number of
        columns of each line; what the columns hold is checked when `blocks` comes to it.

        Raises
        ------
        VcfError
            When the file can be read only once, is malformed, or was cut.
        """
        if str(self._source) == "-" or is_stream(Path(self._source)):
            raise VcfError(
                self.name,
                "its records cannot be counted: it can be read only once",
                expected="a file",
                remedy="write it to a file first",
            )
        with _CountingReader(self._source, regions=self._regions) as other:
            if other._variants is not None:
                return sum(1 for _ in other._variants.each(id))
            return sum(len(lines) for lines, _ in other._records())

    def blocks(self, *, first: int = 0, stop: int | None = None) -> Iterator[VcfBlock]:
        """Yield records in blocks, in the order of the file; once.

        Parameters
        ----------
        first, stop
            Number of the first record, from 0, and of the one after the last; by default the
            whole file. Blank lines are no records. After ``stop`` the file is not read on, so
            that it is whole must be known from `count`.

        Raises
        ------
        VcfError
            At the first malformed line, with its number, and where the file was cut.
        """
        place = self._skip(first)
        for lines, numbers in self._records(place):
            begin = max(0, first - place)
            end = len(lines) if stop is None else min(len(lines), stop - place)
            if begin < end:
                yield from self._parse(lines[begin:end], numbers[begin:end])
            place += len(lines)
            if stop is not None and place >= stop:
                return
        if self._blank:
            _LOG.warning("%s: %d blank line(s) left out", self.name, self._blank)

    def _skip(self, records: int) -> int:
        """Leave out the first records unseen, if that can be; tell how many then are."""
        if self._variants is None:
            return 0
        self._variants.skip(records)
        return records

    def _records(self, skipped: int = 0) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
        """Yield lines with the right number of columns, and their numbers."""
        done = self._before + skipped
        for lines in _reblock(self._batches, self._block_records):
            numbers = np.arange(done + 1, done + 1 + len(lines), dtype=np.int64)
            done += len(lines)
            if "" in lines or any(map(str.isspace, lines)):
                full = [i for i, line in enumerate(lines) if line.strip(_BLANK)]
                self._blank += len(lines) - len(full)
                lines, numbers = [lines[i] for i in full], numbers[full]  # noqa: PLW2901
            if not {line.count("\t") for line in lines} <= self._tabs:
                self._refuse(lines, numbers)
            if lines:
                yield lines, numbers

    def _parse(self, lines: list[str], numbers: NDArray[np.int64]) -> Iterator[VcfBlock]:
        """Parse lines with the right number of columns.

        They are checked all at once, which is why the message comes from `_refuse`.
        """
        columns = zip(*[line.split("\t", 5)[:5] for line in lines], strict=True)
        contigs, positions, identifiers, refs, alts = columns
        sound = (
            all(map(_is_contig, set(contigs)))
            and _are_positions(positions)
            and all(refs)
            and all(alts)
        )
        if not sound:
            self._refuse(lines, numbers)
        values = np.fromiter(map(int, positions), dtype=np.int64, count=len(lines))
        source = f"{self.name}{self._unit}"
        yield VcfBlock(source, lines, numbers, contigs, values, identifiers, refs, alts)

    def _refuse(self, lines: Sequence[str], numbers: NDArray[np.int64]) -> None:
        for line, number in zip(lines, numbers.tolist(), strict=True):
            self._check(line, f"{self.name}{self._unit}{number}")

    def _check(self, line: str, where: str) -> None:
        if line.startswith("#"):
            raise VcfError(
                where,
                "a header line after the records",
                expected="records only",
                remedy="join VCF files with bcftools concat",
            )
        fields = line.split("\t")
        if len(fields) - 1 not in self._tabs:
            spaces = " (parted by spaces?)" if len(fields) == 1 and " " in line else ""
            expected = f"{max(self._tabs) + 1} parted by tabs, as in the line #CHROM"
            raise VcfError(where, f"{len(fields)} column(s){spaces}", expected=expected)
        contig, position, _, ref, alt = fields[:5]
        if not _is_contig(contig):
            raise VcfError(where, f"CHROM {contig!r}", expected="a name without white space")
        if not _are_positions([position]):
            found = f"POS {position[:40]!r}"
            raise VcfError(where, found, expected="a whole number from 0, of at most 18 digits")
        for name, allele in (("REF", ref), ("ALT", alt)):
            if not allele:
                raise VcfError(where, f"{name} is empty", expected="an allele, or '.' for no ALT")

    def close(self) -> None:
        """Close the file."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _CountingReader(VcfReader):
    """Reads what another reader of the same file has warned of, or will."""

    _warn = False


def _check_first_line(head: bytes, name: str) -> None:
    if head.startswith(_FIRST.encode()):
        return
    first = head.split(b"\n", 1)[0][:60].decode("utf-8", "replace").rstrip("\r")
    no_header = head.startswith(b"#") or first.count("\t") >= 4
    raise VcfError(
        f"{name}:1",
        f"the VCF has no header: it begins with {first!r}" if no_header else "is no VCF file",
        expected=f"a first line {_FIRST}v4.2 or the like",
        remedy="put the header back (bcftools reheader)" if no_header else "check the path",
    )


def _split_header(batches: Iterator[list[str]], name: str) -> tuple[list[str], Iterator[list[str]]]:
    header: list[str] = []
    for batch in batches:
        for i, line in enumerate(batch):
            if not line.startswith("##"):
                header += batch[: i + 1]
                return header, itertools.chain([batch[i + 1 :]], batches)
        header += batch
    where = f"{name}:{len(header)}"
    if any("\r" in line.rstrip("\r") for line in header):
        found = "its lines end in a carriage return and no line feed"
        raise VcfError(name, found, expected="line feeds", remedy="convert it: tr '\\r' '\\n'")
    raise VcfError(where, "the header ends without a line #CHROM", expected=" ".join(_COLUMNS))


def _parse_header(lines: list[str], name: str) -> VcfHeader:
    columns = lines[-1].rstrip("\r").split("\t")
    if tuple(columns[:8]) != _COLUMNS or columns[8:9] not in ([], ["FORMAT"]):
        found = lines[-1][:60] if lines[-1].startswith("#") else "a record before the line #CHROM"
        hint = " (parted by spaces?)" if lines[-1].startswith("#CHROM ") else ""
        raise VcfError(
            f"{name}:{len(lines)}",
            f"{found!r}{hint}" if lines[-1].startswith("#") else found,
            expected="a line of " + " ".join(_COLUMNS) + " [FORMAT SAMPLE...], parted by tabs",
        )
    contigs = tuple(match.group(1) for line in lines if (match := CONTIG_LINE.match(line)))
    return VcfHeader(tuple(lines), tuple(columns[9:]), contigs)


def _reblock(batches: Iterable[list[str]], size: int) -> Iterator[list[str]]:
    held: list[str] = []
    characters = 0
    for batch in batches:
        held += batch
        characters += sum(map(len, batch))
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
            characters = sum(map(len, held))
        if characters >= _BLOCK_CHARACTERS:
            yield held
            held, characters = [], 0
    if held:
        yield held


def _is_contig(name: str) -> bool:
    return bool(name) and not name.startswith("#") and not _WHITE.search(name)


def _are_positions(positions: Iterable[str]) -> bool:
    lengths = set(map(len, positions))
    digits = "".join(positions)
    return digits.isascii() and digits.isdecimal() and min(lengths) > 0 and max(lengths) <= 18
