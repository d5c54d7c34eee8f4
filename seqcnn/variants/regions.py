"""Regions of a genome that a user asks for, as ``bcftools -r`` and ``-R`` understand them.

A list
    Parted by commas: ``CHR``, ``CHR:POS``, ``CHR:FROM-TO`` or ``CHR:FROM-``, from 1, both ends
    included. A contig's name may hold colons; where that leaves two readings, and for a name with
    a comma, it is put in braces: ``{HLA-A*01:01}:5-9``.

A file (plain, gzip or bgzip)
    With the suffix .bed or .bed.gz: contig, start, end, from 0, the end not included. Else, parted
    by tabs: contig, position, and perhaps the last position, from 1, both included; what stands
    there and is no number is not looked at, so a VCF serves too, with its positions. Lines with
    ``#``, blank lines and BED's ``track`` and ``browser`` are left out.

Which records
    Those that overlap a region: from POS to INFO/END, or without END to the last base of REF. (A
    record with POS 0 belongs to the regions that begin with the contig.) Each record comes once,
    however many regions it overlaps: contig by contig in the order of their first mention, and in
    the order of the file within a contig.
"""

import logging
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqcnn.contigs import ContigBridge
from seqcnn.errors import ConfigError, InputError
from seqcnn.files import numbered_lines

__all__ = ["Intervals", "Region", "Regions", "parse_regions", "read_regions"]

_LOG = logging.getLogger(__name__)
_FARTHEST = 1 << 44
_PLACE = re.compile(r"(?P<contig>.+):(?P<start>[0-9]{1,12})(?P<dash>-(?P<end>[0-9]{0,12}))?")
_BRACED = re.compile(r"\{(?P<contig>[^}]+)\}(?P<place>:.*)?")
_ITEM = re.compile(r"(?:\{[^}]*\}|[^,])+")
_END = re.compile(r"(?:^|;)END=([0-9]{1,18})(?=[;\r]|$)")
_FORMS = "CHR, CHR:POS, CHR:FROM-TO or CHR:FROM-, parted by commas"
_BED_SUFFIXES = (".bed", ".bed.gz", ".bed.bgz")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a contig: bases start to end - 1, from 0; ``start`` -1 is before the first base."""

    contig: str
    start: int = -1
    end: int = _FARTHEST


class Intervals:
    """Merged parts of one contig, ascending.

    Parameters
    ----------
    parts
        (start, end) in any order, 0-based, half-open.
    """

    def __init__(self, parts: Iterable[tuple[int, int]]) -> None:
        merged: list[tuple[int, int]] = []
        for start, end in sorted((start, end) for start, end in parts if start < end):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self.parts = tuple(merged)
        self._starts = [start for start, _ in merged]
        self._ends = [end for _, end in merged]

    def meet(self, start: int, end: int) -> bool:
        """Tell whether bases start to end - 1 overlap one of the parts."""
        first = bisect_left(self._ends, start + 1)
        return first < len(self._ends) and self._starts[first] < end

    def hold(self, line: str) -> bool:
        """Tell whether a record overlaps one of the parts; one that is malformed always does."""
        fields = line.split("\t", 8)
        if len(fields) < 8 or not (fields[1].isascii() and fields[1].isdecimal()):
            return True
        position, reach = int(fields[1]), len(fields[3])
        if "END=" in fields[7] and (match := _END.search(fields[7])):
            end = int(match.group(1))
            reach = end - position + 1 if end >= position else reach
        return self.meet(position - 1, position - 1 + max(reach, 1))


@dataclass(frozen=True, slots=True)
class Regions:
    """Regions that are asked for.

    Attributes
    ----------
    asked
        Each region: the ways in which it can be read, the more usual first.
    doubtful
        Contigs that are malformed regions, unless the file has contigs of these names.
    """

    asked: tuple[tuple[Region, ...], ...]
    doubtful: frozenset[str] = frozenset()

    def choose(
        self, known: Collection[str], name: str, *, warn: bool = True
    ) -> dict[str, Intervals]:
        """Settle on contigs that the file has, in the order of their first mention.

        Parameters
        ----------
        known
            The file's contigs.
        name
            What the file is called in messages.
        warn
            Whether to warn of contigs that the file has not.

        Raises
        ------
        ConfigError
            When a region can be read in two ways, or is malformed.
        """
        parts: dict[str, list[tuple[int, int]]] = {}
        missing: dict[str, None] = {}
        for readings in self.asked:
            found = [region for region in readings if region.contig in known]
            if len(found) > 1:
                raise _ambiguous(found)
            if not found and readings[0].contig in self.doubtful:
                raise _malformed(readings[0].contig)
            if not found:
                missing[readings[0].contig] = None
                continue
            (region,) = found
            parts.setdefault(region.contig, []).append((region.start, region.end))
        if missing and warn:
            _warn_missing(list(missing), known, name)
        return {contig: Intervals(each) for contig, each in parts.items()}


def _ambiguous(found: Sequence[Region]) -> ConfigError:
    names = " and ".join(region.contig for region in found)
    return ConfigError(
        "-r",
        f"the file has contigs of both names: {names}",
        expected="a region that can be read in one way",
        remedy=f"put the name in braces: {{{found[-1].contig}}}",
    )


def _warn_missing(missing: Sequence[str], known: Collection[str], name: str) -> None:
    bridge = ContigBridge(missing, known)
    other = next(((c, found) for c in missing if (found := bridge.find(c))), None)
    hint = f"; its name for {other[0]} is {other[1]}" if other else ""
    some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    has = ", ".join(list(known)[:5]) + (", ..." if len(known) > 5 else "")
    _LOG.warning("%s has no record on %s (it has: %s)%s", name, some, has or "none", hint)


def parse_regions(text: str) -> Regions:
    """Read a list of regions.

    Raises
    ------
    ConfigError
        When one of them is malformed, or there is none.
    """
    items = _ITEM.findall(text)
    if not items:
        raise _malformed(text)
    asked = tuple(map(_parse_item, items))
    wholes = {item for item in items if ":" in item and not item.startswith("{")}
    return Regions(asked, frozenset(r[0].contig for r in asked) & wholes)


def _malformed(text: str, why: str = "is no region") -> ConfigError:
    return ConfigError("-r", f"{text[:60]!r} {why}", expected=_FORMS)


def _parse_item(item: str) -> tuple[Region, ...]:
    if braced := _BRACED.fullmatch(item):
        return (_place(braced["contig"], f"x{braced['place'] or ''}", item),)
    if "{" in item or "}" in item:
        raise _malformed(item, "has braces that do not close")
    whole = Region(item)
    if ":" not in item:
        return (whole,)
    match = _PLACE.fullmatch(item)
    # A name with a colon and nothing more, such as HLA-A*01:01:01:01N.
    return (_place(match["contig"], item, item), whole) if match else (whole,)


def _place(contig: str, text: str, item: str) -> Region:
    if ":" not in text:
        return Region(contig)
    match = _PLACE.fullmatch(text)
    if match is None:
        raise _malformed(item)
    start = int(match["start"])
    if not match["dash"]:
        return Region(contig, start - 1, start)
    end = int(match["end"]) if match["end"] else _FARTHEST
    if end < start:
        raise _malformed(item, "ends before it begins")
    return Region(contig, start - 1, end)


def read_regions(path: Path) -> Regions:
    """Read a file of regions.

    Raises
    ------
    InputError
        When it cannot be read, a line is malformed, or it holds no region.
    """
    bed = path.name.lower().endswith(_BED_SUFFIXES)
    asked = tuple((region,) for region in _read_lines(path, bed=bed))
    if not asked:
        raise InputError(path, "holds no region", expected=_columns(bed=bed))
    return Regions(asked)


def _read_lines(path: Path, *, bed: bool) -> Iterator[Region]:
    for number, line in numbered_lines(path, InputError):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.split("\t")
        if bed and fields[0].split(" ")[0] in {"track", "browser"}:
            continue
        numbers = [_whole_number(field) for field in fields[1:3]]
        region = _region_of(fields[0], [*numbers, None, None][:2], bed=bed)
        if region is None or not fields[0]:
            raise InputError(
                f"{path}:{number}", f"{line[:60]!r} is no region", expected=_columns(bed=bed)
            )
        yield region


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else None


def _region_of(contig: str, numbers: Sequence[int | None], *, bed: bool) -> Region | None:
    first, last = numbers
    if first is None or (bed and last is None):
        return None
    if bed:
        return Region(contig, first, last or 0) if first <= (last or 0) else None
    last = first if last is None else last
    return Region(contig, first - 1, last) if first <= last else None


def _columns(*, bed: bool) -> str:
    return "contig, start and end (BED)" if bed else "contig, position [and last position]"
