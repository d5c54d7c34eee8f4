"""Parts of an indexed VCF.gz or BCF: from the index (.csi or .tbi beside the file) to its bytes.

A region's bytes are those between the virtual offsets that the index gives for the bins that
touch it; they hold whole records, in the order of the file. What can be verified of an index is:
it has to reach to the last record of the file, and to lead to records of the contig in question.
So an index of another file, or of the file before more was added, is an error, and one that is
merely older than its file a warning.

References
----------
.. [1] https://samtools.github.io/hts-specs/tabix.pdf, https://samtools.github.io/hts-specs/CSIv1.pdf
"""

import contextlib
import gzip
import itertools
import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seqcnn.errors import VcfError
from seqcnn.files import compression, is_stream, lacks_bgzf_end
from seqcnn.variants.regions import Intervals

__all__ = ["IndexedFile", "VariantIndex", "bcf_header_size", "find_index", "read_index"]

_LOG = logging.getLogger(__name__)
_SUFFIXES = (".csi", ".tbi")
_MAKE = "make it: bcftools index {0} (or tabix -p vcf {0})"
_REMAKE = "make the index again: bcftools index -f {0}"
_TBI_SHIFT, _TBI_DEPTH = 14, 5
_RAW_DEFLATE = -15
_HEADER_BLOCKS = 1000
_NO_BLOCK = "it leads to where no block begins"
_NO_LINE = "it leads to where no record begins"

Chunk = tuple[int, int]
"""First and last (excluded) virtual offset of some records."""


@dataclass(frozen=True, slots=True)
class VariantIndex:
    """What an index says: where the records of each bin of each contig lie.

    Attributes
    ----------
    names
        Contigs; none for the index of a BCF, which has the names itself.
    bins
        For each contig: bin -> its chunks.
    shift, depth
        Bits of the smallest bin, and levels of bins below the whole contig.
    """

    names: tuple[str, ...]
    bins: tuple[dict[int, list[Chunk]], ...]
    shift: int
    depth: int

    def end(self) -> int:
        """Give the virtual offset just after the last record, 0 if there is none."""
        return max((c[1] for bins in self.bins for each in bins.values() for c in each), default=0)

    def chunks(self, contig: int, wanted: Intervals) -> list[Chunk]:
        """Find where records of a contig may overlap, ascending, apart from each other."""
        if contig >= len(self.bins):
            return []
        found = [
            chunk
            for number, chunks in self.bins[contig].items()
            if wanted.meet(*self._span(number))
            for chunk in chunks
        ]
        merged: list[Chunk] = []
        for begin, end in sorted(found):
            # Two chunks in one block are read at once.
            if merged and begin >> 16 <= merged[-1][1] >> 16:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def _span(self, number: int) -> tuple[int, int]:
        """Give the bases of a bin; the first bins begin before the first base (POS 0)."""
        level, first = 0, 0
        while number >= first + (1 << 3 * level) and level < self.depth:
            first += 1 << 3 * level
            level += 1
        bits = self.shift + 3 * (self.depth - level)
        start = (number - first) << bits
        return (start if start else -1), start + (1 << bits)


def find_index(path: Path) -> Path:
    """Find the index beside a file.

    Raises
    ------
    VcfError
        When there is none.
    """
    for suffix in _SUFFIXES:
        index = path.with_name(path.name + suffix)
        if index.is_file():
            return index
    raise VcfError(
        path, "has no index, which regions need", expected="FILE.csi or FILE.tbi beside it",
        remedy=_MAKE.format(path),
    )  # fmt: skip


def read_index(index: Path, path: Path, *, warn: bool = True) -> VariantIndex:
    """Read an index; warn, if asked to, when it is older than its file.

    Raises
    ------
    VcfError
        When it is damaged, or the index of something else.
    """
    if warn and index.stat().st_mtime < path.stat().st_mtime:
        _LOG.warning("%s is older than %s", index, path)
    try:
        raw = gzip.decompress(index.read_bytes())
        return _parse_index(raw)
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as problem:
        raise VcfError(
            index, f"is no index that can be read ({problem})", expected="a whole .csi or .tbi",
            remedy=_REMAKE.format(path),
        ) from problem  # fmt: skip


class _Fields:
    """Little-endian numbers, one after another."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.place = raw, 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self.raw, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return values

    def take_bytes(self, size: int) -> bytes:
        if size < 0 or self.place + size > len(self.raw):
            raise ValueError("it is cut")
        self.place += size
        return self.raw[self.place - size : self.place]


def _parse_index(raw: bytes) -> VariantIndex:
    fields = _Fields(raw)
    magic = fields.take_bytes(4)
    if magic == b"TBI\1":
        (contigs,) = fields.take("i")
        names = _tabix_names(fields)
        bins = tuple(_parse_bins(fields, tbi=True, depth=_TBI_DEPTH) for _ in range(contigs))
        return VariantIndex(names, bins, _TBI_SHIFT, _TBI_DEPTH)
    if magic != b"CSI\1":
        raise ValueError("it begins otherwise")
    shift, depth, size = fields.take("iii")
    if not (0 < shift < 32 and 0 <= depth < 12):
        raise ValueError("its bins have no size")
    extra = _Fields(fields.take_bytes(size))
    names = _tabix_names(extra) if size else ()
    (contigs,) = fields.take("i")
    bins = tuple(_parse_bins(fields, tbi=False, depth=depth) for _ in range(contigs))
    return VariantIndex(names, bins, shift, depth)


def _tabix_names(fields: _Fields) -> tuple[str, ...]:
    kind, *_, size = fields.take("7i")
    if kind & 0xFFFF != 2:
        raise ValueError("it is no index of a VCF")
    names = fields.take_bytes(size).split(b"\0")[:-1]
    return tuple(name.decode("utf-8", "surrogateescape") for name in names)


def _parse_bins(fields: _Fields, *, tbi: bool, depth: int) -> dict[int, list[Chunk]]:
    beyond = ((1 << 3 * (depth + 1)) - 1) // 7
    bins = {}
    for _ in range(*fields.take("i")):
        number, *_, chunks = fields.take("Ii" if tbi else "IQi")
        offsets = fields.take(f"{2 * chunks}Q")
        # A bin beyond the last holds counts.
        if number < beyond:
            bins[number] = list(zip(offsets[::2], offsets[1::2], strict=True))
    if tbi:
        (size,) = fields.take("i")
        fields.take_bytes(8 * size)
    return bins


class IndexedFile:
    """A bgzip file and its index.

    Parameters
    ----------
    path
        A VCF.gz or BCF.
    warn
        Whether to warn of an index that is older than its file.

    Raises
    ------
    VcfError
        When the file is not of bgzip, was cut, has no index, or one that does not fit it.
    """

    def __init__(self, path: Path, *, warn: bool = True) -> None:
        self._path = path
        _check_indexable(path)
        self.index = read_index(find_index(path), path, warn=warn)
        self._held: tuple[int, bytes, int] = (-1, b"", 0)
        with contextlib.ExitStack() as resources:
            self._stream: BinaryIO = resources.enter_context(path.open("rb"))
            self._check_end()
            self._resources = resources.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._resources.close()

    def read(self, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes between two virtual offsets, block by block; to the end by default."""
        block, skipped = begin >> 16, begin & 0xFFFF
        last, within = (end >> 16, end & 0xFFFF) if end is not None else (1 << 62, 0)
        while block < last or (block == last and within):
            data, following = self._block(block)
            if following == block:
                if end is not None:
                    raise self.unfit("it leads past the end of the file")
                return
            yield data[skipped : within if block == last else None]
            if block < last < following:
                raise self.unfit(_NO_BLOCK)
            block, skipped = following, 0

    def read_region(self, contig: int, wanted: Intervals) -> Iterator[Iterator[bytes]]:
        """Yield the bytes of each chunk of whole records that may overlap."""
        for begin, end in self.index.chunks(contig, wanted):
            yield self.read(begin, end)

    def read_lines(self, contig: int, wanted: Intervals) -> Iterator[Iterator[bytes]]:
        """Yield the bytes of chunks of a text, and see that they are whole lines."""
        for begin, end in self.index.chunks(contig, wanted):
            yield self._whole_lines(begin, end)

    def _whole_lines(self, begin: int, end: int) -> Iterator[bytes]:
        # The byte before tells; at the beginning of a block it is out of reach.
        before = int(begin & 0xFFFF > 0)
        last = b"\n"
        for number, data in enumerate(self.read(begin - before, end)):
            skipped = before if number == 0 else 0
            if skipped and data[:1] != b"\n":
                raise self.unfit(_NO_LINE)
            last = data[-1:] or last
            yield data[skipped:]
        if last != b"\n" and end != self.index.end():
            raise self.unfit(_NO_LINE)

    def unfit(self, why: str) -> VcfError:
        """Build the error for an index that is not this file's."""
        return VcfError(
            self._path, f"its index does not fit it: {why}", expected="an index of this file",
            remedy=_REMAKE.format(self._path),
        )  # fmt: skip

    def _block(self, offset: int) -> tuple[bytes, int]:
        """Unpack the block at an offset of the file; give also where the next one begins."""
        if self._held[0] != offset:
            self._held = (offset, *self._read_block(offset))
        return self._held[1], self._held[2]

    def _read_block(self, offset: int) -> tuple[bytes, int]:
        try:
            self._stream.seek(offset)
        except (OSError, OverflowError) as problem:
            raise self.unfit(_NO_BLOCK) from problem
        head = self._stream.read(12)
        if not head:
            return b"", offset
        size = _block_size(head, self._stream)
        if size is None:
            raise self.unfit(_NO_BLOCK)
        rest = self._stream.read(offset + size - self._stream.tell())
        check, length = struct.unpack("<II", rest[-8:]) if len(rest) > 8 else (0, -1)
        try:
            data = zlib.decompress(rest[:-8], _RAW_DEFLATE)
        except zlib.error as problem:
            raise self._damaged(str(problem)) from problem
        if len(data) != length or zlib.crc32(data) != check:
            raise self._damaged("a wrong checksum")
        return data, offset + size

    def _damaged(self, why: str) -> VcfError:
        return VcfError(
            self._path, f"the compressed file is damaged ({why})", expected="a whole file",
            remedy="copy it or make it again",
        )  # fmt: skip

    def _check_end(self) -> None:
        """Refuse an index that does not know of the file's last records."""
        end = self.index.end()
        if end and any(data.strip() for data in self.read(end)):
            raise self.unfit("the file has records after those that it knows")
        if not end and self._has_records():
            raise self.unfit("the file has records, and it knows none")

    def _has_records(self) -> bool:
        head = b"".join(itertools.islice(self.read(), _HEADER_BLOCKS))
        if head.startswith(b"BCF"):
            return len(head) > bcf_header_size(head)
        return any(line and not line.startswith(b"#") for line in head.split(b"\n"))


def bcf_header_size(head: bytes) -> int:
    """Give the bytes of a BCF's header: its magic, the length of the text, and the text."""
    return 9 + int.from_bytes(head[5:9], "little")


def _block_size(head: bytes, stream: BinaryIO) -> int | None:
    """Read the size of a block from its header (12 bytes, and the extra fields after them)."""
    if len(head) < 12 or head[:4] != b"\x1f\x8b\x08\x04":
        return None
    extra = stream.read(int.from_bytes(head[10:12], "little"))
    while len(extra) >= 4:
        size = int.from_bytes(extra[2:4], "little")
        if extra[:2] == b"BC" and size == 2:
            return int.from_bytes(extra[4:6], "little") + 1
        extra = extra[4 + size :]
    return None


def _check_indexable(path: Path) -> None:
    if is_stream(path):
        raise VcfError(
            path, "is a pipe, and regions need an index", remedy="write it to a file first"
        )
    kind = compression(path)
    if kind != "bgzip":
        found = "is gzip, but not bgzip" if kind == "gzip" else "is not compressed by bgzip"
        raise VcfError(
            path, f"{found}, and regions need an index", expected="VCF.gz or BCF with its index",
            remedy=f"bcftools view -Oz -o NEW.vcf.gz {path} && bcftools index NEW.vcf.gz",
        )  # fmt: skip
    if lacks_bgzf_end(path):
        raise VcfError(
            path, "the bgzip file has no end marker: it was cut", expected="a whole file",
            remedy="copy it or make it again",
        )  # fmt: skip
