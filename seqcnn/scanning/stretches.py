"""Every window of a genome, or of its regions, in order and in bounded memory.

A window's value stands at its centre: the middle base of an odd window, the first base right of
the middle of an even one (`seqcnn.genome.window_bounds`). Only windows that lie on the contig
have a value, so half a window at either end has none, nor has a window without any known base.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs, unbridged_error
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine import Engine
from seqcnn.errors import BedError, FastaError
from seqcnn.genome import Interval
from seqcnn.tracks import order_contigs
from seqcnn.variants.regions import Intervals

__all__ = ["Stretch", "plan_scan", "scan_stretch"]

Values = NDArray[np.float64]


class Stretch(NamedTuple):
    """Neighbouring bases of a contig, `first` to `stop` - 1, each the centre of a window."""

    contig: str
    first: int
    stop: int


def plan_scan(
    contigs: Mapping[str, int],
    *,
    length: int,
    regions: Sequence[Interval] | None = None,
    where: Path,
) -> list[Stretch]:
    """List the stretches of a scan, in the order of `seqcnn.tracks.order_contigs`.

    Parameters
    ----------
    contigs
        Length of each contig.
    length
        Bases of a window.
    regions
        Only windows whose centre lies in one of these; by default all.
    where
        What messages name: the file of the regions, or the FASTA.

    Raises
    ------
    InputError
        For a region on no contig or off its contig, and where no window fits.
    """
    parts = _whole(contigs) if regions is None else _cut_regions(regions, contigs, where)
    stretches = []
    for contig in order_contigs(contigs):
        low, high = length // 2, contigs[contig] - length + length // 2 + 1
        for start, end in Intervals(parts.get(contig, ())).parts:
            if max(start, low) < min(end, high):
                stretches.append(Stretch(contig, max(start, low), min(end, high)))
    if not stretches:
        raise FastaError(
            where,
            f"no window of {length} bases fits",
            expected=f"contigs, and regions, with room for {length} bases",
            remedy="name another file",
        )
    return stretches


def _whole(contigs: Mapping[str, int]) -> dict[str, list[tuple[int, int]]]:
    return {contig: [(0, size)] for contig, size in contigs.items()}


def _cut_regions(
    regions: Sequence[Interval], contigs: Mapping[str, int], where: Path
) -> dict[str, list[tuple[int, int]]]:
    names = bridge_contigs([region.contig for region in regions], contigs)
    missing = [region.contig for region in regions if region.contig not in names]
    if missing:
        raise unbridged_error(where, missing, contigs, error=BedError)
    parts: dict[str, list[tuple[int, int]]] = {}
    for region in regions:
        contig = names[region.contig]
        if region.start >= contigs[contig]:
            raise BedError(
                f"{where}:{region.line}",
                f"{region.contig}:{region.start}-{region.end} is off the contig",
                expected=f"an interval that begins before base {contigs[contig]:,}, its end",
                remedy="is this the right genome build?",
            )
        parts.setdefault(contig, []).append((region.start, region.end))
    return parts


def scan_stretch(engine: Engine, contig: Codes, stretch: Stretch) -> Iterator[tuple[int, Values]]:
    """Score the windows centred on each base of a stretch, block by block.

    Parameters
    ----------
    engine
        The model.
    contig
        Codes of the whole contig.
    stretch
        Bases of it.

    Yields
    ------
    tuple
        The first base of the block, and the logits (bases, tasks), averaged over the members;
        NaN where a window has no known base.
    """
    length = engine.spec.length
    before = length // 2
    for start, members in engine.scan(
        contig, first=stretch.first - before, stop=stretch.stop - before
    ):
        logits = members.mean(axis=0)
        unknown = contig[start : start + len(logits) + length - 1] >= UNKNOWN
        if unknown.any():
            counts = np.concatenate([[0], np.cumsum(unknown)])
            logits[counts[length:] - counts[:-length] == length] = np.nan
        yield start + before, logits
