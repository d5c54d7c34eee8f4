"""Writing VCF text, bgzip or BCF; under its name only when it is whole.

BCF is made by htslib out of the finished text. What the header does not declare and BCF cannot
do without (contigs, FILTER, INFO and FORMAT keys) is declared then, as text of any number.
"""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pysam
import pysam.bcftools
from pysam.utils import SamtoolsError

from seqcnn.errors import ConfigError, VcfError
from seqcnn.linefiles import Finish, LineFile, Mark
from seqcnn.variants.stream import open_chunks

__all__ = ["bcf_finish", "open_vcf", "output_kind"]

_KINDS = {"v": "VCF", "z": "VCF, bgzip", "b": "BCF", "u": "BCF, not compressed"}
_DECLARED = re.compile(r"##(contig|FILTER|INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+)")
_TEXT, _FLAG = ",Number=.,Type=String", ",Number=0,Type=Flag"
_UNDECLARED = ',Description="Not declared in the input"'


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
    target: str | Path, header: Sequence[str], *, kind: str = "v", start: Mark | None = None
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
    finish = bcf_finish(kind) if kind in "bu" else None
    return LineFile(target, header, packed=kind == "z", finish=finish, start=start)


def bcf_finish(kind: str) -> Finish:
    """Give what makes a BCF of the text of a VCF.

    It raises a VcfError where BCF cannot hold a record.
    """

    def finish(text: Path, target: BinaryIO) -> None:
        header, count = _complete_header(text)
        with _folder_beside(text) as folder:
            whole, bcf = folder / "in.vcf", folder / "out.bcf"
            with whole.open("wb") as lines:
                lines.writelines(_with_header(header, text))
            _convert(whole, bcf, kind)
            with pysam.VariantFile(str(bcf)) as records:
                written = sum(1 for _ in records)
            if written != count:
                found = f"{written} records in the BCF, {count} in the VCF"
                raise VcfError("BCF output", found, remedy="write VCF instead (-O z)")
            with contextlib.ExitStack() as resources:
                if kind == "b":
                    shutil.copyfileobj(resources.enter_context(bcf.open("rb")), target)
                else:
                    # htslib puts it into blocks all the same, stored as it is.
                    target.writelines(open_chunks(bcf, resources))

    return finish


@contextlib.contextmanager
def _folder_beside(text: Path) -> Iterator[Path]:
    """Make a folder of a fixed name, so that what a killed process leaves goes with the next."""
    folder = text.with_name(f"{text.name}.bcf")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _convert(vcf: Path, bcf: Path, kind: str) -> None:
    # By bcftools, not by pysam's records: those lose an END, or gain one, by the kind of ALT.
    pysam.set_verbosity(0)
    try:
        pysam.bcftools.view(
            "--no-version", f"-O{kind}", "-o", str(bcf), str(vcf), catch_stdout=False
        )
    except SamtoolsError as problem:
        found = "a header" if "header" in str(problem) else "a record"
        raise VcfError(
            "BCF output",
            f"{found} that htslib cannot put into BCF",
            remedy="write VCF instead (-O z)",
        ) from problem


class _Declarations:
    """What a header declares, and what records use beside it, in the order of their use."""

    def __init__(self, header: Sequence[str]) -> None:
        self._known = {(m[1], m[2]) for line in header if (m := _DECLARED.match(line))}
        self._known.add(("FILTER", "PASS"))
        self._contigs: dict[str, None] = {}
        self._filters: dict[str, None] = {}
        self._formats: dict[str, None] = {}
        self._infos: dict[str, bool] = {}

    def collect(self, record: str) -> None:
        """Take in what a record uses."""
        fields = record.split("\t", 9)
        self._contigs[fields[0]] = None
        self._filters[fields[6]] = None
        for item in fields[7].split(";"):
            key, equals, _ = item.partition("=")
            self._infos[key] = bool(equals)
        if len(fields) > 8:
            self._formats[fields[8]] = None

    def missing_lines(self) -> Iterator[str]:
        """Yield a header line for each name in use that is not declared."""
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


def _names(joined: Iterable[str], separator: str) -> list[str]:
    return [name for names in joined for name in names.split(separator)]
