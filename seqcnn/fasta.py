"""Reading FASTA into integer codes; `seqcnn.genome` describes the accepted format."""

import contextlib
import gzip
import logging
import os
import re
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pysam
from numpy.typing import NDArray

from seqcnn.dna import INVALID, Codes, encode
from seqcnn.errors import FastaError
from seqcnn.files import check_file, compression, open_binary

__all__ = ["Genome", "open_genome", "read_fasta_records"]

_log = logging.getLogger(__name__)

_CACHE_BASES = 600_000_000
_HEADER = re.compile(rb"\s*>[ \t]*(\S*)[^\n]*\n")
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_LONGEST_GAP = 1 << 16
"""Bytes of a header line, at most, in a FASTA that is read by index."""


class Genome:
    """A FASTA file, read one contig at a time into integer codes.

    Attributes
    ----------
    path
        The file.
    contigs
        Length in bases of each contig, in the order of the file.
    """

    def __init__(self, path: Path, contigs: dict[str, int], fetch: Callable[[str], Codes]) -> None:
        self.path = path
        self.contigs = contigs
        self._fetch = fetch
        self._cache: OrderedDict[str, Codes] = OrderedDict()
        self._cached = 0

    def codes(self, contig: str) -> Codes:
        """Give the codes (contig length,) of a whole contig; do not write to them.

        Raises
        ------
        FastaError
            When the FASTA has no such contig, or it holds letters that are no nucleotides.
        """
        if contig not in self._cache:
            if contig not in self.contigs:
                raise FastaError(
                    self.path,
                    f"no contig {contig!r}",
                    expected=f"one of {', '.join(list(self.contigs)[:5])}, ...",
                    remedy="is this the right genome build?",
                )
            codes = self._fetch(contig)
            codes.flags.writeable = False
            self._make_room(len(codes))
            self._cache[contig] = codes
        self._cache.move_to_end(contig)
        return self._cache[contig]

    def _make_room(self, bases: int) -> None:
        # The last contigs used stay, so that a sorted file reads each contig once.
        while self._cache and bases + self._cached > _CACHE_BASES:
            _, codes = self._cache.popitem(last=False)
            self._cached -= len(codes)
        self._cached += bases

    def close(self) -> None:
        """Let go of the contigs in memory."""
        self._cache.clear()
        self._cached = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_genome(path: Path) -> Genome:
    """Open a reference FASTA.

    Raises
    ------
    FastaError
        When the file is absent, empty, cut, no FASTA, or names a contig twice.
    """
    check_file(path, FastaError)
    with open_binary(path, FastaError) as handle:
        _refuse_no_fasta(path, handle.read(4096))
    kind = compression(path)
    if kind == "gzip":
        _log.info("%s: read into memory as a whole; bgzip needs less", path)
    index = None if kind == "gzip" else _indexed_contigs(path, kind)
    if index is None:
        return _open_in_memory(path)

    def fetch(name: str) -> Codes:
        try:
            raw = next(_read_spans(path, index.blocks, [index.spans[name]]))
        except (OSError, EOFError, zlib.error) as problem:
            raise _damaged(path, f"{name} cannot be read ({problem})") from problem
        codes = _encode(path, name, raw)
        if len(codes) != index.lengths[name]:
            raise _damaged(path, f"{name} has not the {index.lengths[name]} bases of its index")
        return codes

    return Genome(path, index.lengths, fetch)


# --- records, read one after the other -------------------------------------------------------


def read_fasta_records(path: Path) -> list[tuple[str, Codes]]:
    """Read every record of a FASTA file as (name, codes).

    A record that repeats both name and sequence of an earlier one is dropped.

    Raises
    ------
    FastaError
        When the file is no FASTA, holds letters that are no nucleotides, or gives one name to
        different sequences.
    """
    records: dict[str, Codes] = {}
    repeated = 0
    for name, codes in _read_records(path):
        if name not in records:
            records[name] = codes
        elif np.array_equal(records[name], codes):
            repeated += 1
        else:
            raise _duplicate(path, name)
    if repeated:
        _log.warning("%s: %d records left out that stand there twice", path, repeated)
    return list(records.items())


def _open_in_memory(path: Path) -> Genome:
    contigs: dict[str, Codes] = {}
    for name, codes in _read_records(path):
        if name in contigs:
            raise _duplicate(path, name)
        contigs[name] = codes
    return Genome(path, {name: len(codes) for name, codes in contigs.items()}, contigs.__getitem__)


def _read_records(path: Path) -> Iterator[tuple[str, Codes]]:
    with open_binary(path, FastaError) as handle:
        name, sequence = "", bytearray()
        for number, line in enumerate(_lines(handle), start=1):
            if not line.startswith(b">"):
                if not name and line.strip():
                    raise _no_fasta(path, line[:20])
                sequence += line
                continue
            if name:
                yield name, _encode(path, name, bytes(sequence))
            name, sequence = _name(line), bytearray()
            if not name:
                raise FastaError(
                    f"{path}:{number}",
                    "no name after '>'",
                    expected="a name for each sequence",
                    remedy="give it one, or remove the record",
                )
        if not name:
            raise _no_fasta(path, b"")
        yield name, _encode(path, name, bytes(sequence))


def _lines(handle: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines that end in LF, CRLF, or CR alone, without a byte-order mark."""
    for i, raw in enumerate(handle):
        line = raw if i else raw.removeprefix(_BOM)
        if b"\r" in line[:-2]:
            yield from line.splitlines(keepends=True)
        else:
            yield line


def _name(header: bytes) -> str:
    words = header[1:].split(maxsplit=1)
    return _spell(words[0]) if words else ""


def _spell(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _encode(path: Path, name: str, raw: bytes) -> Codes:
    sequence = raw.translate(None, _BLANK)
    codes = encode(sequence)
    if not len(codes):
        raise FastaError(
            f"{path}: {name}",
            "no sequence under the name",
            expected="bases",
            remedy="remove the record, or is the file cut?",
        )
    if codes.max() == INVALID:
        position = int((codes == INVALID).argmax())
        raise FastaError(
            f"{path}: {name}",
            f"letter {chr(sequence[position])!r} at position {position + 1}",
            expected="nucleotide letters (IUPAC)",
            remedy="is this a protein file?",
        )
    return codes


def _refuse_no_fasta(path: Path, head: bytes) -> None:
    if not head.removeprefix(_BOM).lstrip(_BLANK).startswith(b">"):
        raise _no_fasta(path, head[:20])


def _no_fasta(path: Path, head: bytes) -> FastaError:
    shown = head.strip().split(b"\n")[0].strip().decode("latin-1")
    return FastaError(
        path,
        f"starts with {shown!r}",
        expected="a FASTA file ('>name', and the sequence under it)",
        remedy="name a FASTA file",
    )


def _duplicate(path: Path, name: str) -> FastaError:
    return FastaError(
        path,
        f"the name {name!r} stands twice",
        expected="each name once",
        remedy="rename or remove one of them",
    )


def _damaged(path: Path, what: str) -> FastaError:
    return FastaError(
        path,
        what,
        expected="a whole file that does not change while it is read",
        remedy=f"copy or make it again, and remove {path.name}.fai",
    )


# --- contigs, read by index ------------------------------------------------------------------


@dataclass(frozen=True)
class _Index:
    """Where the bases of each contig stand in the FASTA text, in the order of the file."""

    lengths: dict[str, int]
    spans: dict[str, tuple[int, int]]
    """First byte, and the byte after the last base."""
    blocks: NDArray[np.uint64] | None
    """Of bgzip: (packed byte, unpacked byte) at which each block begins (n, 2)."""


def _indexed_contigs(path: Path, kind: str) -> _Index | None:
    """Load the index beside the FASTA, or make it; None where the file cannot be indexed."""
    suffixes = [".fai"] if kind == "plain" else [".fai", ".gzi"]
    beside = [Path(f"{path}{suffix}") for suffix in suffixes]
    modified = path.stat().st_mtime
    with contextlib.suppress(OSError):  # there is none
        if all(file.stat().st_mtime >= modified for file in beside):
            index = _load_index(path, beside)
            if index:
                return index
    with contextlib.ExitStack() as stack:
        made = _make_index(path, suffixes, stack)
        index = _load_index(path, made) if made else None
        if not index:
            return None
        for file, place in zip(made, beside, strict=True):
            with contextlib.suppress(OSError):  # a read-only folder
                os.utime(file, (max(modified, file.stat().st_mtime),) * 2)
                file.replace(place)
        return index


def _make_index(path: Path, suffixes: list[str], stack: contextlib.ExitStack) -> list[Path]:
    """Let htslib index a FASTA, in a folder of its own: several processes may do so at once."""
    try:
        folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=".seqcnn-")
    except OSError:  # a read-only folder
        folder = tempfile.TemporaryDirectory(prefix="seqcnn-")
    files = [Path(stack.enter_context(folder)) / f"index{suffix}" for suffix in suffixes]
    options = zip(("--fai-idx", "--gzi-idx"), map(str, files), strict=False)
    loudness = pysam.set_verbosity(0)
    try:
        pysam.faidx(*[word for option in options for word in option], str(path.absolute()))
    except pysam.utils.SamtoolsError:
        return []
    finally:
        pysam.set_verbosity(loudness)
    return files


def _load_index(path: Path, files: list[Path]) -> _Index | None:
    """Load an index; None where it is damaged, or of another file."""
    lengths, spans = {}, {}
    try:
        for line in files[0].read_bytes().splitlines():
            name, *fields = line.split(b"\t")
            length, offset, bases, width = map(int, fields)
            lines, rest = divmod(length - 1, bases)
            lengths[_spell(name)] = length
            spans[_spell(name)] = offset, offset + lines * width + rest + 1
        blocks = _load_blocks(files[1]) if files[1:] else None
    except (ValueError, ZeroDivisionError):
        return None
    index = _Index(lengths, spans, blocks)
    return index if _fits(path, index) else None


def _load_blocks(file: Path) -> NDArray[np.uint64]:
    table = np.fromfile(file, dtype="<u8")
    if not len(table):
        raise ValueError(file)
    start = np.zeros((1, 2), dtype=np.uint64)
    return np.concatenate([start, table[1:].reshape(int(table[0]), 2)])


def _fits(path: Path, index: _Index) -> bool:
    """Tell whether before each sequence of an index stands its name, and nothing else.

    So it is in no index of another FASTA, nor in one from which htslib has left out a record
    without bases, or with the name of another.
    """
    if not index.spans:
        return False
    starts, ends = zip(*index.spans.values(), strict=True)
    gaps = list(zip((0, *ends), (*starts, ends[-1] + _LONGEST_GAP), strict=True))
    if any(not 0 < end - start <= _LONGEST_GAP for start, end in gaps):
        return False
    try:
        texts = _read_spans(path, index.blocks, gaps)
        for name, text in zip(index.spans, texts, strict=False):
            header = _HEADER.fullmatch(text)
            if not (name and header and _spell(header[1]) == name):
                return False
        rest = next(_read_spans(path, index.blocks, gaps[-1:]))
    except (OSError, EOFError, zlib.error):
        return False
    return len(rest) < _LONGEST_GAP and not rest.strip()


def _read_spans(
    path: Path, blocks: NDArray[np.uint64] | None, spans: Iterable[tuple[int, int]]
) -> Iterator[bytes]:
    """Yield the FASTA text from byte to byte, of plain or bgzip."""
    with path.open("rb") as handle:
        if blocks is None:
            for start, end in spans:
                handle.seek(start)
                yield handle.read(end - start)
            return
        text, base = gzip.GzipFile(fileobj=handle), 0
        for start, end in spans:
            if not 0 <= start - base - text.tell() <= _LONGEST_GAP:
                packed, unpacked = blocks[np.searchsorted(blocks[:, 1], start, side="right") - 1]
                handle.seek(int(packed))
                text, base = gzip.GzipFile(fileobj=handle), int(unpacked)
            text.seek(start - base)
            yield text.read(end - start)
