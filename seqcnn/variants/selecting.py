"""The records of regions, as lines of VCF text, by way of an index."""

import contextlib
import functools
import itertools
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqcnn.errors import VcfError
from seqcnn.files import check_readable
from seqcnn.variants.indexed import IndexedFile, bcf_header_size
from seqcnn.variants.regions import Intervals, Regions
from seqcnn.variants.stream import PipedVariants, bcf_batches, text_batches

__all__ = ["CONTIG_LINE", "Selection", "open_selection"]

CONTIG_LINE = re.compile(r"##contig=<(?:.*?,)?ID=([^,>]+)")
"""A header line that declares a contig."""

Choose = Callable[[Collection[str]], dict[str, Intervals]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Some records of a file.

    Attributes
    ----------
    head
        The first bytes of the file.
    batches
        The header's lines, and then the records'.
    """

    head: bytes
    batches: Iterator[list[str]]


def open_selection(
    source: str | Path, regions: Regions, resources: contextlib.ExitStack, *, warn: bool = True
) -> Selection:
    """Open the records of a file that overlap regions; warn, if asked to, of what is odd.

    Raises
    ------
    VcfError
        When the source is no bgzip file with its index.
    """
    if str(source) == "-":
        raise VcfError(
            "standard input", "has no index, which regions need",
            expected="VCF.gz or BCF with its index",
            remedy="name the file, or select before: bcftools view -t REGIONS",
        )  # fmt: skip
    path = Path(source)
    check_readable(path, VcfError)
    file = IndexedFile(path, warn=warn)
    resources.callback(file.close)
    head = next(file.read(), b"")
    choose = functools.partial(regions.choose, name=str(path), warn=warn)
    if head.startswith(b"BCF\2"):
        return Selection(head, _select_bcf(file, choose, str(path), resources))
    return Selection(head, _select_text(file, choose, str(path)))


def _select_text(file: IndexedFile, choose: Choose, name: str) -> Iterator[list[str]]:
    header = _header_lines(text_batches(file.read(), name))
    yield header
    declared = [match.group(1) for line in header if (match := CONTIG_LINE.match(line))]
    numbers = {contig: i for i, contig in enumerate(file.index.names)}
    chosen = choose(dict.fromkeys([*numbers, *declared]))
    for contig, wanted in chosen.items():
        if contig in numbers:
            for chunk in file.read_lines(numbers[contig], wanted):
                for lines in text_batches(chunk, name):
                    yield _overlapping(file, lines, {contig: wanted})


def _header_lines(batches: Iterator[list[str]]) -> list[str]:
    header: list[str] = []
    for line in itertools.chain.from_iterable(batches):
        header.append(line)
        if not line.startswith("##"):
            break
    return header


def _overlapping(file: IndexedFile, lines: list[str], chosen: dict[str, Intervals]) -> list[str]:
    kept = []
    for line in lines:
        wanted = chosen.get(line.partition("\t")[0])
        if wanted is not None and wanted.hold(line):
            kept.append(line)
        elif wanted is None and line.strip():
            raise file.unfit("it leads to records of another contig")
    return kept


def _select_bcf(
    file: IndexedFile, choose: Choose, name: str, resources: contextlib.ExitStack
) -> Iterator[list[str]]:
    header = _bcf_header(file, name)
    with contextlib.closing(PipedVariants([header], name)) as variants:
        text = str(variants.file.header)
        numbers = {str(c.name): int(c.id) for c in variants.file.header.contigs.values()}
    yield text.rstrip("\n").split("\n")
    chosen = choose(numbers)
    chunks = (
        data
        for contig, wanted in chosen.items()
        for chunk in file.read_region(numbers[contig], wanted)
        for data in chunk
    )
    records = PipedVariants(itertools.chain([header], chunks), name)
    resources.callback(records.close)
    for lines in bcf_batches(records):
        yield _overlapping(file, lines, chosen)


def _bcf_header(file: IndexedFile, name: str) -> bytes:
    head = b""
    for data in file.read():
        head += data
        if len(head) >= 9 and len(head) >= (size := bcf_header_size(head)):
            return head[:size]
    raise VcfError(name, "has no header that can be read", expected="a whole VCF or BCF file")
