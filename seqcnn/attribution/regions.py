"""Regions that a user names, on the contigs of a genome.

As samtools has them: ``CONTIG:START-END`` from 1, both ends included; also ``CONTIG:POSITION``,
``CONTIG:START-`` and ``CONTIG``. Several are parted by commas; the numbers of a single one may
have commas. `seqcnn.variants.regions` has the rest of the grammar. Unlike there, a region has to
lie on its contig.
"""

import re

from seqcnn.contigs import ContigBridge, unbridged_error
from seqcnn.errors import ConfigError, InputError
from seqcnn.genome import Genome, Interval
from seqcnn.variants.regions import Region, parse_regions

__all__ = ["locate_regions"]

_FORM = "CONTIG:START-END, from 1, both included"
_SHOWN = 60
_THOUSANDS = re.compile(r".+:[0-9]{1,3}(,[0-9]{3})*-[0-9]{1,3}(,[0-9]{3})*")


def locate_regions(text: str, genome: Genome, *, option: str, most: int) -> list[Interval]:
    """Find regions on the contigs of a genome, by the usual aliases of their names.

    Parameters
    ----------
    text
        The regions.
    genome
        The open genome.
    option
        What messages call them.
    most
        The most bases of a region.

    Raises
    ------
    SeqcnnError
        When a region is malformed, on no contig, off its contig or too long.
    """
    where = f"{option} {text[:_SHOWN]}"
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
    try:
        asked = parse_regions(plain).asked
    except ConfigError as problem:
        raise ConfigError(where, problem.found, expected=_FORM) from problem
    return [_place(*_choose(readings, genome, where), genome, where, most) for readings in asked]


def _choose(readings: tuple[Region, ...], genome: Genome, where: str) -> tuple[Region, str]:
    bridge = ContigBridge([region.contig for region in readings], genome.contigs)
    for region in readings:
        if (name := bridge.find(region.contig)) is not None:
            return region, name
    missing = readings[0].contig
    if ":" in missing:
        raise ConfigError(where, f"{missing[:_SHOWN]!r} is no region", expected=_FORM)
    raise unbridged_error(where, [missing], genome.contigs, error=InputError)


def _place(region: Region, contig: str, genome: Genome, where: str, most: int) -> Interval:
    size, is_whole = genome.contigs[contig], region == Region(region.contig)
    start = 0 if is_whole else region.start
    end = size if region.end == Region("").end else region.end
    if not (0 <= start < end <= size):
        raise ConfigError(
            where,
            f"is not on the contig: {contig} has {size:,} bases",
            expected=f"a region within {contig}:1-{size}",
        )
    if end - start > most:
        raise ConfigError(
            where,
            f"has {end - start:,} bases",
            expected=f"at most {most:,} at a time",
            remedy="choose a part of it; seqcnn scan scores whole contigs",
        )
    return Interval(contig, start, end)
