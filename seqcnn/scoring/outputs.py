"""The files of a run: the annotated VCF, the table, and the table as Parquet.

Each is written block by block as lines; what has to know all of them, such as q-values, BCF and
Parquet, is made of the lines when the last block is there.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from seqcnn.files import is_stream
from seqcnn.linefiles import Finish, LineFile, Mark, write_lines
from seqcnn.scoring.columns import COLUMNS
from seqcnn.scoring.discovery import Layout, TableLayout, VcfLayout, add_q
from seqcnn.scoring.journal import JOURNAL_SUFFIX
from seqcnn.scoring.parquet import table_to_parquet
from seqcnn.variants import bcf_finish

__all__ = ["OutputFiles", "Outputs"]

_BATCH = 1000


@dataclass(frozen=True)
class Outputs:
    """Where the scores go.

    Attributes
    ----------
    vcf, kind
        The annotated VCF, a path or ``-``, and its kind as `output_kind` gives it.
    tsv, parquet
        The table, or None.
    with_q
        Whether q-values are added at the end.
    """

    vcf: Path
    kind: str
    tsv: Path | None = None
    parquet: Path | None = None
    with_q: bool = False

    @property
    def journal(self) -> Path | None:
        """The journal's path, beside the first output; None where one of them is a stream."""
        paths = [path for path in (self.vcf, self.tsv, self.parquet) if path is not None]
        if any(str(path) == "-" or is_stream(path) for path in paths):
            return None
        first = paths[0].resolve()
        return first.with_name(first.name + JOURNAL_SUFFIX)

    @contextlib.contextmanager
    def open(
        self, header: Sequence[str], *, marks: Mapping[str, Mark] | None = None
    ) -> "Iterator[OutputFiles]":
        """Open all of them.

        Parameters
        ----------
        header
            Lines of the VCF's header.
        marks
            What is kept of partial files, as `OutputFiles.mark` gave it.
        """
        kept = marks or {}
        files = OutputFiles()
        with contextlib.ExitStack() as stack:
            for name, path, packed, finish in self._tables():
                file = LineFile(
                    path, ["\t".join(COLUMNS)], packed=packed, finish=finish, start=kept.get(name)
                )
                files.tables[name] = stack.enter_context(file)
            files.vcf = stack.enter_context(
                LineFile(
                    self.vcf,
                    header,
                    packed=self.kind == "z",
                    finish=self._vcf_finish(header),
                    start=kept.get("vcf"),
                )
            )
            yield files
            files.settle()

    def _tables(self) -> Iterator[tuple[str, Path, bool, Finish | None]]:
        layout = TableLayout(COLUMNS, "the table") if self.with_q else None
        if self.tsv:
            packed = self.tsv.suffix in {".gz", ".bgz"}
            yield "tsv", self.tsv, packed, _with_q(layout, None, packed=packed)
        if self.parquet:
            yield "parquet", self.parquet, False, _with_q(layout, table_to_parquet, packed=False)

    def _vcf_finish(self, header: Sequence[str]) -> Finish | None:
        layout = VcfLayout(header, "the VCF") if self.with_q else None
        binary = bcf_finish(self.kind) if self.kind in "bu" else None
        return _with_q(layout, binary, packed=self.kind == "z")


class OutputFiles:
    """The open outputs of a run.

    Attributes
    ----------
    vcf
        The VCF.
    tables
        The tables by name.
    """

    vcf: LineFile

    def __init__(self) -> None:
        self.tables: dict[str, LineFile] = {}

    def write(self, records: Iterable[str], rows: Callable[[], Sequence[str]]) -> None:
        """Write the records of a block, and its rows where there is a table."""
        self.vcf.write(records)
        if self.tables:
            lines = rows()
            for table in self.tables.values():
                table.write(lines)

    def mark(self) -> dict[str, Mark]:
        """Bring everything to the disk, where it stays; tell how far each output has come."""
        everything = {"vcf": self.vcf, **self.tables}
        marks = {name: file.mark() for name, file in everything.items()}
        for file in everything.values():
            file.keep = True
        return marks

    def settle(self) -> None:
        """Do all that can still fail, or take long, before the first output has its name."""
        for file in (self.vcf, *self.tables.values()):
            file.settle()


def _with_q(layout: Layout | None, then: Finish | None, *, packed: bool) -> Finish | None:
    """Give what adds q-values to a spool of lines, and then makes the output of them."""
    if layout is None:
        return then

    def finish(spool: Path, target: BinaryIO) -> None:
        lines = add_q(lambda: _read_lines(spool), layout)
        batches = iter(lambda: list(islice(lines, _BATCH)), [])
        if then is None:
            write_lines(batches, target, packed=packed)
            return
        text = spool.with_name(f"{spool.name}.q")  # a later process takes the same name
        try:
            with text.open("wb") as stream:
                write_lines(batches, stream, packed=False)
            then(text, target)
        finally:
            text.unlink(missing_ok=True)

    return finish


def _read_lines(spool: Path) -> Iterator[str]:
    with spool.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            yield line.removesuffix("\n")
