"""Bytes of a VCF or BCF file, whatever they are packed in, and whether they are whole.

Plain text, gzip (any number of members), bgzip and BCF (compressed or not) are told apart by
their first bytes, never by the name. A compressed stream has to be whole: every member ends with
its own checksum, and bgzip with the empty block that marks its end.
"""

import contextlib
import itertools
import os
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import pysam

from seqcnn.errors import VcfError
from seqcnn.files import BGZF_END, check_readable

__all__ = [
    "PipedVariants",
    "bcf_batches",
    "open_chunks",
    "source_name",
    "text_batches",
]

Used = TypeVar("Used")

_CHUNK = 1 << 17
_HEAD = 64
_GZIP = 31
_LONGEST_LINE = 1 << 28
_BATCH = 500
_FOREIGN = {
    b"\xef\xbb\xbf": "begins with a byte-order mark",
    b"\xff\xfe": "is UTF-16 text",
    b"\xfe\xff": "is UTF-16 text",
    b"#\0#\0": "is UTF-16 text",
    b"\0#\0#": "is UTF-16 text",
    b"BAM\1": "is a BAM file",
    b"CRAM": "is a CRAM file",
    b"BCF\4": "is BCF version 1",
    b"PK\3\4": "is a zip archive",
    b"BZh": "is compressed by bzip2",
    b"\xfd7zXZ": "is compressed by xz",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd",
    b">": "is a FASTA file",
}


def open_chunks(
    source: str | Path,
    resources: contextlib.ExitStack,
    *,
    tell: Callable[[int], object] | None = None,
) -> Iterator[bytes]:
    """Open a file, or standard input for ``-``, and give its bytes decompressed, in chunks.

    The first chunk is long enough to tell what the file is.

    Parameters
    ----------
    source
        The file.
    resources
        What closes it.
    tell
        Called with the number of bytes of each chunk that is read, as they stand in the file.

    Raises
    ------
    VcfError
        When the file is absent, empty, packed in another way, cut or damaged; the last two
        come when the reading gets there.
    """
    name = source_name(source)
    chunks = _with_head(_read_chunks(_open_stream(source, resources), name, tell or _ignore))
    head = next(chunks, b"")
    if not head:
        raise VcfError(name, "the file is empty", remedy="check how it was made")
    chunks = itertools.chain([head], chunks)
    if head[:2] == b"\x1f\x8b":
        chunks = _with_head(_inflate(chunks, name, bgzip=_is_bgzip(head)))
        head = next(chunks, b"")
        if not head:
            raise VcfError(name, "the compressed file holds nothing", expected="a VCF file")
        chunks = itertools.chain([head], chunks)
    for magic, found in _FOREIGN.items():
        if head.startswith(magic):
            expected = "VCF (plain, gzip or bgzip) or BCF version 2"
            raise VcfError(name, found, expected=expected, remedy="convert it, or name another")
    return chunks


def source_name(source: str | Path) -> str:
    """Name the source in messages."""
    return "standard input" if str(source) == "-" else str(source)


def _open_stream(source: str | Path, resources: contextlib.ExitStack) -> BinaryIO:
    if str(source) == "-":
        return sys.stdin.buffer
    check_readable(Path(source), VcfError)
    return resources.enter_context(Path(source).open("rb"))


def _ignore(_: int) -> None: ...


def _read_chunks(stream: BinaryIO, name: str, tell: Callable[[int], object]) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except OSError as problem:
            raise VcfError(name, f"cannot be read ({problem.strerror or problem})") from problem
        if not chunk:
            return
        tell(len(chunk))
        yield chunk


def _with_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    while len(head) < _HEAD and (chunk := next(chunks, b"")):
        head += chunk
    if head:
        yield head
    yield from chunks


def _is_bgzip(head: bytes) -> bool:
    return len(head) >= 18 and bool(head[3] & 4) and head[12:14] == b"BC"


def _inflate(chunks: Iterable[bytes], name: str, *, bgzip: bool) -> Iterator[bytes]:
    member, end = None, b""
    for chunk in chunks:
        end = (end + chunk)[-len(BGZF_END) :]
        rest = chunk
        while rest:
            if member is None:
                # gzip allows zero bytes after a member.
                rest = rest.lstrip(b"\0")
                member = zlib.decompressobj(_GZIP) if rest else None
                continue
            try:
                data = member.decompress(rest)
            except zlib.error as problem:
                raise _cut(name, f"the compressed file is damaged ({problem})") from problem
            if data:
                yield data
            rest = member.unused_data
            member = None if member.eof else member
    if member is not None:
        raise _cut(name, "the compressed file ends in the middle of a block: it was cut")
    if bgzip and end != BGZF_END:
        raise _cut(name, "the bgzip file has no end marker: it was cut")


def _cut(name: str, found: str) -> VcfError:
    return VcfError(name, found, expected="a whole file", remedy="copy it or make it again")


def text_batches(chunks: Iterable[bytes], name: str) -> Iterator[list[str]]:
    """Split the bytes of a text VCF into lines without their line feed, some at a time.

    Bytes that are no UTF-8 survive as surrogates; a carriage return stays part of its line.

    Raises
    ------
    VcfError
        At a zero byte, and at a line of more than 256 MiB.
    """
    held: list[bytes] = []
    for chunk in chunks:
        if b"\0" in chunk:
            raise VcfError(name, "holds a zero byte: it is no text, or damaged", expected="VCF")
        whole, feed, rest = chunk.rpartition(b"\n")
        if feed:
            yield _decode(b"".join([*held, whole])).split("\n")
            held = []
        held.append(rest)
        if sum(map(len, held)) > _LONGEST_LINE:
            raise VcfError(name, "holds a line of more than 256 MiB", expected="VCF")
    if last := b"".join(held):
        yield _decode(last).split("\n")


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class PipedVariants:
    """A VCF or BCF read by htslib from chunks of bytes, by way of a pipe.

    So whatever htslib reads has been checked for wholeness before, from standard input too.

    Attributes
    ----------
    file
        The pysam file; read it, then call `finish`.
    """

    def __init__(self, chunks: Iterable[bytes], name: str) -> None:
        self._name = name
        self._skipped = 0
        self._problem: VcfError | None = None
        pysam.set_verbosity(0)
        pysam.set_encoding_error_handler("surrogateescape")
        reading, writing = os.pipe()
        self._feeder = threading.Thread(target=self._feed, args=(chunks, writing), daemon=True)
        self._feeder.start()
        try:
            with os.fdopen(reading, "rb") as pipe:
                self.file = pysam.VariantFile(pipe, "r")
        except (OSError, ValueError) as problem:
            self._feeder.join()
            raise self._problem or self._broken("has no header that can be read") from problem

    def _feed(self, chunks: Iterable[bytes], descriptor: int) -> None:
        # A broken pipe: the reader has given up, and says why.
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
            try:
                for chunk in chunks:
                    pipe.write(chunk)
            except VcfError as problem:
                self._problem = problem

    def _broken(self, found: str) -> VcfError:
        return VcfError(self._name, found, expected="a whole VCF or BCF file")

    def skip(self, records: int) -> None:
        """Leave out the first records, in `each` to come."""
        self._skipped = records

    def each(self, use: Callable[[pysam.VariantRecord], Used]) -> Iterator[Used]:
        """Yield what `use` makes of each record.

        Raises
        ------
        VcfError
            At a record that htslib cannot read or use, with its number, and where the bytes end
            early.
        """
        number = 0
        try:
            for number, record in enumerate(self.file, start=1):
                if number > self._skipped:
                    yield use(record)
        except (OSError, ValueError, OverflowError) as problem:
            self.close()
            raise self._problem or VcfError(
                f"{self._name}: about record {number + 1}",
                f"htslib cannot read it ({problem})",
                expected="a whole VCF or BCF file",
            ) from problem
        self._feeder.join()
        if self._problem:
            raise self._problem

    def close(self) -> None:
        """Stop reading."""
        self.file.close()
        self._feeder.join()


def bcf_batches(variants: PipedVariants) -> Iterator[list[str]]:
    """Spell the records of a BCF as lines of VCF text, some at a time."""
    lines = variants.each(_spell)
    while batch := list(itertools.islice(lines, _BATCH)):
        yield batch


def _spell(record: pysam.VariantRecord) -> str:
    # For an empty string among a sample's values, htslib prints a zero byte.
    return str(record).removesuffix("\n").replace("\0", "")
