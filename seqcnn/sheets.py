"""Looking over what sheets name, before any work is begun: files, and names of contigs.

A sheet is a TSV whose titles are long options of the commands: a row names a source of
``seqcnn train`` (``peaks``, ``positives``, ``negatives``, ``seq``, ``table`` with ``targets``,
``exclude``) or the ``vcf`` of ``seqcnn score-variants``, and its ``fasta``. ``peaks`` holds
``[NAME=]FILE`` several times, separated by commas. Other columns, and empty cells, are passed
over. What several rows name is looked at once.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqcnn.contigs import unbridged_error
from seqcnn.datasets import place_windows, read_seq
from seqcnn.errors import FastaError, SeqcnnError, TableError, VcfError
from seqcnn.files import check_file, numbered_lines
from seqcnn.genome import Genome, open_genome, read_bed, read_fasta_records
from seqcnn.scoring import inspect
from seqcnn.tables import read_table, read_table_records
from seqcnn.variants import AllelePlacer, VcfReader

__all__ = ["SheetRow", "Survey", "read_sheet", "survey"]

_RECORDS = 10_000
"""Records of a VCF that are looked at, from its beginning."""

_WINDOW = 101
_MISMATCHES = 0.5
"""Share of alleles with another REF than the FASTA's from which on it is another genome."""


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet: where it stands, and its cells by title, without the empty ones."""

    place: str
    cells: Mapping[str, str]


@dataclass
class Survey:
    """What was found.

    Attributes
    ----------
    files
        What is known of each file, as plain JSON values, by kind and name.
    problems
        What is wrong, in the order of the sheets.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[SeqcnnError] = field(default_factory=list)


def read_sheet(path: Path) -> list[SheetRow]:
    """Read a sheet.

    Raises
    ------
    TableError
        When it has no titles, or a row has more cells than there are titles.
    """
    titles: list[str] = []
    rows: list[SheetRow] = []
    for number, line in numbered_lines(path, TableError):
        cells = [cell.strip() for cell in line.split("\t")]
        place = f"{path}:{number}"
        if not titles:
            titles = cells
        elif len(cells) > len(titles):
            found = f"{len(cells)} cells under {len(titles)} titles"
            raise TableError(place, found, expected="a title for each, separated by tabs")
        elif any(cells):
            named = zip(titles, cells, strict=False)
            rows.append(SheetRow(place, {title: cell for title, cell in named if cell}))
    return rows


def survey(rows: Sequence[SheetRow]) -> Survey:
    """Look at every file that the rows name; what is wrong is collected, and raises nothing.

    An index that a FASTA lacks is made beside it.
    """
    found = Survey()
    with contextlib.ExitStack() as resources:
        surveyor = _Surveyor(found, resources)
        for row in rows:
            surveyor.look(row)
    return found


class _Surveyor:
    """Looks at rows one after the other, and at each file once for each genome."""

    def __init__(self, found: Survey, resources: contextlib.ExitStack) -> None:
        self._found, self._resources = found, resources
        self._genomes: dict[Path, Genome | None] = {}
        self._seen: set[tuple[str, ...]] = set()

    def look(self, row: SheetRow) -> None:
        cells = row.cells
        genome = self._genome(row) if "fasta" in cells else None
        for task in cells.get("peaks", "").split(","):
            if task:
                self._check(row, "peaks", _file_of(task), genome)
        for kind in ("exclude", "vcf", "positives", "negatives", "seq", "table"):
            if kind in cells:
                self._check(row, kind, Path(cells[kind]), genome)

    def _genome(self, row: SheetRow) -> Genome | None:
        path = Path(row.cells["fasta"])
        if path not in self._genomes:
            self._genomes[path] = None
            with self._collecting(row):
                genome = self._resources.enter_context(open_genome(path))
                self._genomes[path] = genome
                size = {"contigs": len(genome.contigs), "bases": sum(genome.contigs.values())}
                self._found.files.setdefault("fasta", {})[str(path)] = size
        return self._genomes[path]

    def _check(self, row: SheetRow, kind: str, path: Path, genome: Genome | None) -> None:
        key = (kind, str(path), row.cells.get("fasta", ""), row.cells.get("targets", ""))
        if key in self._seen:
            return
        self._seen.add(key)
        with self._collecting(row):
            known = _LOOKS[kind](path, genome, row)
            self._found.files.setdefault(kind, {})[str(path)] = known

    @contextlib.contextmanager
    def _collecting(self, row: SheetRow) -> Iterator[None]:
        try:
            yield
        except SeqcnnError as problem:
            problem.where = f"{row.place}: {problem.where}"
            self._found.problems.append(problem)


def _file_of(peaks: str) -> Path:
    _, equals, file = peaks.partition("=")
    return Path(file if equals and not Path(peaks).exists() else peaks)


def _look_at_intervals(path: Path, genome: Genome | None, _: SheetRow) -> dict[str, Any]:
    intervals = read_bed(path)
    if genome is not None:
        place_windows(path, intervals, genome, length=1)
    return {"intervals": len(intervals), "contigs": len({i.contig for i in intervals})}


def _look_at_variants(path: Path, genome: Genome | None, _: SheetRow) -> dict[str, Any]:
    with VcfReader(path) as reader:
        if genome is None:
            return {}
        placer = AllelePlacer(genome, length=_WINDOW, declared=reader.header.contigs)
        found = inspect(reader, placer, records=(0, _RECORDS))
        if found.records and len(found.missing) == len(found.contigs):
            raise unbridged_error(path, found.missing, genome.contigs, error=VcfError)
        if found.match_rate < _MISMATCHES:
            raise VcfError(
                path,
                f"REF is the FASTA's in {100 * found.match_rate:.3g}% of its first alleles",
                expected="variants of the FASTA's genome build",
                remedy="name the FASTA that they were called against",
            )
        return {"records_looked_at": found.records} | {
            key: value for key, value in found.to_json().items() if key != "records"
        }


def _look_at_sequences(path: Path, _: Genome | None, __: SheetRow) -> dict[str, Any]:
    check_file(path, FastaError)
    return {"sequences": len(read_fasta_records(path))}


def _look_at_seq(path: Path, _: Genome | None, __: SheetRow) -> dict[str, Any]:
    return {"sequences": len(read_seq(path, length=None, task="task"))}


def _look_at_table(path: Path, _: Genome | None, row: SheetRow) -> dict[str, Any]:
    records = read_table_records(path)
    if records is None:  # loci: reading their sequences would take a genome's time
        return {}
    targets = [word.strip() for word in row.cells.get("targets", "").split(",") if word.strip()]
    read_table(path, targets=targets, length=None)
    return {"sequences": len(records)}


_LOOKS = {
    "peaks": _look_at_intervals,
    "exclude": _look_at_intervals,
    "vcf": _look_at_variants,
    "positives": _look_at_sequences,
    "negatives": _look_at_sequences,
    "seq": _look_at_seq,
    "table": _look_at_table,
}
