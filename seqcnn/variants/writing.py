"""Writing VCF text, bgzip or BCF; under its name only when it is whole.

BCF is made by htslib out of the finished text. What the header does not declare and BCF cannot
do without (contigs, FILTER, INFO and FORMAT keys) is declared then, as text of any number.
"""

import contextlib
import itertools
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pysam

from seqcnn.errors import ConfigError, VcfError
from seqcnn.files import whole_file
from seqcnn.variants.stream import BGZF_END, PipedVariants, open_chunks

__all__ = ["VcfWriter", "output_kind"]

_KINDS = {"v": "VCF", "z": "VCF, bgzip", "b": "BCF", "u": "BCF, not compressed"}
_BGZF_DATA = 0xFF00
_DECLARED = re.compile(r"##(contig|FILTER|INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+)")
_TEXT, _FLAG = ",Number=.,Type=String", ",Number=0,Type=Flag"
_UNDECLARED = ',Description="Not declared in the input"'
# pysam cannot write BCF without blocks; level 0 is a copy that is quick to unpack.
_MODES = {"b": "wb", "u": "wb0"}


def output_kind(target: str | Path, *, asked: str | None = None) -> str:
    """Choose the kind of output: ``v`` VCF, ``z`` bgzip, ``b`` BCF, ``u`` BCF not compressed.

    Parameters
    ----------
    target
        A path, or ``-`` for standard output.
    asked
        What the user asks for; it wins over the name's suffix.

    Raises
    ------
    ConfigError
        When there is no such kind.
    """
    if asked is not None:
        if asked not in _KINDS:
            kinds = ", ".join(f"{kind} ({name})" for kind, name in _KINDS.items())
            raise ConfigError("-O", f"{asked!r} is no kind of output", expected=kinds)
        return asked
    suffix = Path(target).suffix.lower()
    return {".bcf": "b", ".gz": "z", ".bgz": "z"}.get(suffix, "v")


class VcfWriter:
    """A VCF or BCF that appears under its name when the ``with`` block ends well.

    Parameters
    ----------
    target
        A path, or ``-`` for standard output.
    header
        Header lines, without line feed.
    kind
        As `output_kind` gives it.
    """

    def __init__(self, target: str | Path, header: Sequence[str], *, kind: str = "v") -> None:
        with contextlib.ExitStack() as resources:
            stream = _open_target(target, resources)
            self._sink: _TextSink
            if kind in _MODES:
                folder = None if str(target) == "-" else Path(target).absolute().parent
                self._sink = _BcfSink(stream, kind, folder)
            else:
                self._sink = _BgzipSink(stream) if kind == "z" else _TextSink(stream)
            resources.callback(self._sink.close)
            self._sink.begin(header)
            self._resources = resources.pop_all()

    def write(self, lines: Iterable[str]) -> None:
        """Write records, without line feed."""
        self._sink.write(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._resources.__exit__(kind, error, trace)
            return
        with self._resources:
            self._sink.finish()


def _open_target(target: str | Path, resources: contextlib.ExitStack) -> BinaryIO:
    if str(target) == "-":
        resources.callback(sys.stdout.buffer.flush)
        return sys.stdout.buffer
    path = Path(target)
    # A device or a named pipe cannot be replaced by a file.
    special = path.exists() and not path.is_file()
    path = path if special else resources.enter_context(whole_file(path.resolve()))
    return resources.enter_context(path.open("wb"))


class _TextSink:
    """VCF text."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def begin(self, header: Sequence[str]) -> None:
        self.write(header)

    def write(self, lines: Iterable[str]) -> None:
        if text := "\n".join(lines):
            self._put(_encode(text + "\n"))

    def _put(self, data: bytes) -> None:
        self._stream.write(data)

    def finish(self) -> None:
        """Write what is still held."""

    def close(self) -> None:
        """Let go of temporary files."""


class _BgzipSink(_TextSink):
    """VCF text in blocks of bgzip; the same text gives the same bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._held = b""

    def _put(self, data: bytes) -> None:
        data = self._held + data
        whole = len(data) - len(data) % _BGZF_DATA
        for start in range(0, whole, _BGZF_DATA):
            self._stream.write(_bgzip_block(data[start : start + _BGZF_DATA]))
        self._held = data[whole:]

    def finish(self) -> None:
        if self._held:
            self._stream.write(_bgzip_block(self._held))
        self._stream.write(BGZF_END)


class _BcfSink(_TextSink):
    """BCF by way of a temporary file of text beside the target."""

    def __init__(self, stream: BinaryIO, kind: str, folder: Path | None) -> None:
        self._body = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        super().__init__(self._body)
        self._target, self._kind, self._folder = stream, kind, folder
        self._records = 0

    def begin(self, header: Sequence[str]) -> None:
        self._header = [line.removesuffix("\r") for line in header]
        self._declared = _Declarations(self._header)

    def write(self, lines: Iterable[str]) -> None:
        records = [line.removesuffix("\r") for line in lines]
        self._declared.collect(records)
        self._records += len(records)
        super().write(records)

    def finish(self) -> None:
        self._body.seek(0)
        lines = [*self._header[:-1], *self._declared.missing_lines(), self._header[-1]]
        header = _encode("\n".join(lines) + "\n")
        text = itertools.chain([header], iter(lambda: self._body.read(1 << 20), b""))
        with tempfile.NamedTemporaryFile(dir=self._folder) as bcf:
            written = self._convert(text, bcf.name)
            if written != self._records:
                found = f"{written} records in the BCF, {self._records} in the VCF"
                raise VcfError("BCF output", found, remedy="write VCF instead (-O z)")
            if self._kind == "b":
                shutil.copyfileobj(bcf, self._target)
                return
            with contextlib.ExitStack() as resources:
                self._target.writelines(open_chunks(bcf.name, resources))

    def _convert(self, text: Iterable[bytes], name: str) -> int:
        variants = PipedVariants(text, "BCF output")
        with contextlib.closing(variants):
            header = variants.file.header
            with pysam.VariantFile(name, _MODES[self._kind], header=header) as target:
                return sum(1 for _ in variants.each(target.write))

    def close(self) -> None:
        self._body.close()


class _Declarations:
    """What a header declares, and what records use beside it, in the order of their use."""

    def __init__(self, header: Sequence[str]) -> None:
        self._known = {(m[1], m[2]) for line in header if (m := _DECLARED.match(line))}
        self._known.add(("FILTER", "PASS"))
        self._contigs: dict[str, None] = {}
        self._filters: dict[str, None] = {}
        self._formats: dict[str, None] = {}
        self._infos: dict[str, bool] = {}
        self._has_symbols = False

    def collect(self, records: Iterable[str]) -> None:
        """Take in what the records use."""
        for record in records:
            fields = record.split("\t", 9)
            self._contigs[fields[0]] = None
            self._filters[fields[6]] = None
            self._has_symbols = self._has_symbols or "<" in fields[4]
            for item in fields[7].split(";"):
                key, equals, _ = item.partition("=")
                self._infos[key] = bool(equals)
            if len(fields) > 8:
                self._formats[fields[8]] = None

    def missing_lines(self) -> Iterator[str]:
        """Yield a header line for each name in use that is not declared."""
        if self._has_symbols and ("INFO", "END") not in self._known:
            # pysam gives each symbolic allele an END, declared or not; a BCF must declare it.
            self._known.add(("INFO", "END"))
            yield _END
        used = {
            "contig": dict.fromkeys(self._contigs, ""),
            "FILTER": dict.fromkeys(_names(self._filters, ";"), _UNDECLARED),
            "INFO": {
                key: (_TEXT if valued else _FLAG) + _UNDECLARED
                for key, valued in self._infos.items()
            },
            "FORMAT": dict.fromkeys(_names(self._formats, ":"), _TEXT + _UNDECLARED),
        }
        for section, names in used.items():
            for name, rest in names.items():
                if (section, name) not in self._known and name not in {"", "."}:
                    yield f"##{section}=<ID={name}{rest}>"


_END = '##INFO=<ID=END,Number=1,Type=Integer,Description="Last position of the variant">'


def _names(joined: Iterable[str], separator: str) -> list[str]:
    return [name for names in joined for name in names.split(separator)]


def _bgzip_block(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    if len(packed) > 0xFFFF - 26:
        packer = zlib.compressobj(0, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    head = BGZF_END[:16] + (len(packed) + 25).to_bytes(2, "little")
    tail = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return head + packed + tail


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
