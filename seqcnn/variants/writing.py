"""Writing VCF text, bgzip or BCF; under its name only when it is whole.

BCF is made by htslib out of the finished text. What the header does not declare and BCF cannot
do without (contigs, FILTER, INFO and FORMAT keys) is declared then, as text of any number.
"""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pysam

from seqcnn.errors import ConfigError, VcfError
from seqcnn.linefiles import Finish, LineFile
from seqcnn.variants.stream import PipedVariants, open_chunks

__all__ = ["bcf_finish", "open_vcf", "output_kind"]

_KINDS = {"v": "VCF", "z": "VCF, bgzip", "b": "BCF", "u": "BCF, not compressed"}
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


def open_vcf(
    target: str | Path, header: Sequence[str], *, kind: str = "v", start: int | None = None
) -> LineFile:
    """Open a VCF or BCF to write: it appears under its name when the ``with`` block ends well.

    Parameters
    ----------
    target
        A path, or ``-`` for standard output.
    header
        Header lines, without line feed.
    kind
        As `output_kind` gives it.
    start
        As for `LineFile`.
    """
    finish = bcf_finish(kind) if kind in _MODES else None
    return LineFile(target, header, packed=kind == "z", finish=finish, start=start)


def bcf_finish(kind: str) -> Finish:
    """Give what makes a BCF of the text of a VCF.

    It raises a VcfError where BCF cannot hold a record.
    """

    def finish(text: Path, target: BinaryIO) -> None:
        header, count = _complete_header(text)
        with tempfile.NamedTemporaryFile(dir=text.parent) as bcf:
            written = _convert(_with_header(header, text), bcf.name, _MODES[kind])
            if written != count:
                found = f"{written} records in the BCF, {count} in the VCF"
                raise VcfError("BCF output", found, remedy="write VCF instead (-O z)")
            if kind == "b":
                shutil.copyfileobj(bcf, target)
                return
            with contextlib.ExitStack() as resources:
                target.writelines(open_chunks(bcf.name, resources))

    return finish


def _complete_header(text: Path) -> tuple[list[str], int]:
    """Give the header lines with all declarations that BCF needs, and the number of records."""
    header: list[str] = []
    count = 0
    with text.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            header.append(line.rstrip("\r\n"))
            if not line.startswith("##"):
                break
        declared = _Declarations(header)
        for count, line in enumerate(lines, start=1):  # noqa: B007
            declared.collect(line.rstrip("\r\n"))
    return [*header[:-1], *declared.missing_lines(), header[-1]], count


def _with_header(header: Sequence[str], text: Path) -> Iterator[bytes]:
    yield ("\n".join(header) + "\n").encode("utf-8", "surrogateescape")
    with text.open("rb") as lines:
        for line in lines:
            if not line.startswith(b"#"):
                yield line.rstrip(b"\r\n") + b"\n"
                break
        yield from (line.replace(b"\r\n", b"\n") for line in lines)


def _convert(text: Iterable[bytes], name: str, mode: str) -> int:
    variants = PipedVariants(text, "BCF output")
    with contextlib.closing(variants):
        header = variants.file.header
        with pysam.VariantFile(name, mode, header=header) as target:
            return sum(1 for _ in variants.each(target.write))


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

    def collect(self, record: str) -> None:
        """Take in what a record uses."""
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
