"""Reading FASTA into integer codes; `seqcnn.genome` describes the accepted format."""

import contextlib
import gzip
import os
import re
import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyfaidx
import pysam

from seqcnn.dna import INVALID, Codes, encode
from seqcnn.errors import FastaError
from seqcnn.files import check_readable, compression, read_bytes

__all__ = ["Genome", "open_genome", "read_fasta_records"]

_CACHE_BASES = 600_000_000
_HEADER = re.compile(rb"^>[ \t]*([^\s]*)[^\n]*", re.MULTILINE)
_BLANK = b" \t\r\n"


class Genome:
    """A FASTA file, read one contig at a time into integer codes.

    Attributes
    ----------
    path
        The file.
    contigs
        Length in bases of each contig, in the order of the file.
    """

    def __init__(
        self,
        path: Path,
        contigs: dict[str, int],
        fetch: Callable[[str], Codes],
        resources: contextlib.ExitStack,
    ) -> None:
        self.path = path
        self.contigs = contigs
        self._fetch = fetch
        self._resources = resources
        self._cache: OrderedDict[str, Codes] = OrderedDict()

    def codes(self, contig: str) -> Codes:
        """Give the codes (contig length,) of a whole contig; do not write to them.

        Raises
        ------
        FastaError
            When the FASTA has no such contig, or it holds letters that are no nucleotides.
        """
        if contig not in self._cache:
            if contig not in self.contigs:
                raise FastaError(self.path, f"no contig {contig!r}")
            codes = self._fetch(contig)
            codes.flags.writeable = False
            self._make_room(len(codes))
            self._cache[contig] = codes
        self._cache.move_to_end(contig)
        return self._cache[contig]

    def _make_room(self, bases: int) -> None:
        # The last contigs used stay, so that a sorted file reads each contig once.
        while self._cache and bases + sum(map(len, self._cache.values())) > _CACHE_BASES:
            self._cache.popitem(last=False)

    def close(self) -> None:
        """Close the file and remove a temporary index."""
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


def open_genome(path: Path) -> Genome:
    """Open a reference FASTA.

    Raises
    ------
    FastaError
        When the file is absent, empty, cut, no FASTA, or names a contig twice.
    """
    check_readable(path, FastaError)
    kind = compression(path)
    if kind == "gzip":
        return _open_in_memory(path)
    _refuse_no_fasta(path, kind)
    with contextlib.ExitStack() as resources:
        try:
            contigs, fetch = (_open_plain if kind == "plain" else _open_bgzip)(path, resources)
        except pyfaidx.FastaIndexingError:
            # Lines of unequal length cannot be indexed; they can be read.
            return _open_in_memory(path)
        return Genome(path, contigs, fetch, resources.pop_all())


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
    for name, codes in _parse_records(path, read_bytes(path, FastaError)):
        if name in records and not np.array_equal(records[name], codes):
            raise _duplicate(path, name)
        records.setdefault(name, codes)
    return list(records.items())


def _parse_records(path: Path, data: bytes) -> Iterator[tuple[str, Codes]]:
    headers = list(_HEADER.finditer(data))
    if not headers or data[: headers[0].start()].strip(b"\xef\xbb\xbf" + _BLANK):
        raise _no_fasta(path, data[:20])
    ends = [header.start() for header in headers[1:]] + [len(data)]
    for number, (header, end) in enumerate(zip(headers, ends, strict=True), start=1):
        name = header.group(1).decode("latin-1")
        if not name:
            raise FastaError(f"{path}: record {number}", "no name after '>'")
        yield name, _encode(path, name, data[header.end() : end])


def _encode(path: Path, name: str, raw: bytes) -> Codes:
    sequence = raw.translate(None, _BLANK)
    codes = encode(sequence)
    wrong = np.flatnonzero(codes == INVALID)
    if len(wrong):
        position = int(wrong[0])
        letter = chr(sequence[position])
        raise FastaError(
            f"{path}: {name}",
            f"letter {letter!r} at position {position + 1}",
            expected="nucleotide letters (IUPAC)",
            remedy="is this a protein file?",
        )
    if not len(codes):
        raise FastaError(f"{path}: {name}", "no sequence under the name", expected="bases")
    return codes


def _no_fasta(path: Path, head: bytes) -> FastaError:
    shown = head.decode("latin-1").splitlines()[:1]
    return FastaError(
        path, f"starts with {shown[0] if shown else ''!r}", expected="a FASTA file ('>name')"
    )


def _duplicate(path: Path, name: str) -> FastaError:
    return FastaError(
        path,
        f"the name {name!r} stands twice",
        expected="each name once",
        remedy="rename or remove one of them",
    )


def _refuse_no_fasta(path: Path, kind: str) -> None:
    opener = path.open("rb") if kind == "plain" else gzip.open(path, "rb")
    try:
        with opener as handle:
            head = handle.read(4096)
    except (OSError, EOFError, zlib.error) as problem:
        raise FastaError(path, f"the bgzip file is damaged ({problem})") from problem
    if not head.lstrip(b"\xef\xbb\xbf" + _BLANK).startswith(b">"):
        raise _no_fasta(path, head[:20])


def _open_in_memory(path: Path) -> Genome:
    contigs: dict[str, Codes] = {}
    for name, codes in _parse_records(path, read_bytes(path, FastaError)):
        if name in contigs:
            raise _duplicate(path, name)
        contigs[name] = codes
    lengths = {name: len(codes) for name, codes in contigs.items()}
    return Genome(path, lengths, contigs.__getitem__, contextlib.ExitStack())


_Opened = tuple[dict[str, int], Callable[[str], Codes]]


def _open_plain(path: Path, resources: contextlib.ExitStack) -> _Opened:
    index = _index_place(path, resources, [".fai"])
    try:
        faidx = pyfaidx.Faidx(str(path), indexname=f"{index}.fai", as_raw=True)
    except ValueError as problem:
        Path(f"{index}.fai").unlink(missing_ok=True)
        raise _duplicate(path, str(problem).split('"')[1::2][0]) from problem
    resources.callback(faidx.close)
    contigs = {name: int(entry.rlen) for name, entry in faidx.index.items()}

    def fetch(contig: str) -> Codes:
        return _encode(path, contig, str(faidx.fetch(contig, 1, contigs[contig])).encode("latin-1"))

    return contigs, fetch


def _open_bgzip(path: Path, resources: contextlib.ExitStack) -> _Opened:
    index = _index_place(path, resources, [".fai", ".gzi"])
    if not Path(f"{index}.fai").exists():
        _build_bgzip_index(path, index)
    fasta = pysam.FastaFile(
        str(path), filepath_index=f"{index}.fai", filepath_index_compressed=f"{index}.gzi"
    )
    resources.callback(fasta.close)
    contigs = dict(zip(fasta.references, fasta.lengths, strict=True))

    def fetch(contig: str) -> Codes:
        try:
            sequence = fasta.fetch(contig)
        except (OSError, ValueError) as problem:
            raise FastaError(path, f"{contig} cannot be read: the file is damaged") from problem
        return _encode(path, contig, sequence.encode("latin-1"))

    return contigs, fetch


def _build_bgzip_index(path: Path, index: Path) -> None:
    # htslib keeps only the first of two equal names, with a word on stderr.
    seen: set[str] = set()
    for name, _ in _parse_records(path, read_bytes(path, FastaError)):
        if name in seen:
            raise _duplicate(path, name)
        seen.add(name)
    made = [f"{index}.{os.getpid()}{suffix}" for suffix in (".fai", ".gzi")]
    try:
        pysam.faidx("--fai-idx", made[0], "--gzi-idx", made[1], str(path))
    except pysam.utils.SamtoolsError as problem:
        raise pyfaidx.FastaIndexingError(str(problem)) from problem
    for name, suffix in zip(made, (".fai", ".gzi"), strict=True):
        Path(name).replace(f"{index}{suffix}")


def _index_place(path: Path, resources: contextlib.ExitStack, suffixes: list[str]) -> Path:
    """Give the stem of the index files: beside the FASTA, or in a temporary folder."""
    beside = [Path(f"{path}{suffix}") for suffix in suffixes]
    modified = path.stat().st_mtime
    if all(file.exists() and file.stat().st_mtime >= modified for file in beside):
        return path
    if os.access(path.parent, os.W_OK):
        for file in beside:
            file.unlink(missing_ok=True)
        return path
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="seqcnn-"))
    return Path(folder) / path.name
