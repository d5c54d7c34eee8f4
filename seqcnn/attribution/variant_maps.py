"""Mutation maps of variants: of the reference, and of the alternative allele.

They are the maps of the two windows whose logits are the allele's scores
(`seqcnn.variants.windows`): each shows what every further substitution would do there.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.attribution.mapping import mutate_whole
from seqcnn.attribution.mutation_map import MutationMap
from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.genome import Genome, Haplotypes
from seqcnn.variants import AllelePairs, AlleleTable, allele_pairs

__all__ = ["VariantMaps", "map_variants", "name_allele"]

Places = NDArray[np.int64]

_CELLS = 1 << 21  # logits that are held at a time


class VariantMaps(NamedTuple):
    """The maps of one allele, and which row of its table it is."""

    row: int
    ref: MutationMap
    alt: MutationMap


class _Side(NamedTuple):
    """The windows of one side: codes and places (n, length), marked columns (n, 2)."""

    codes: Codes
    places: Places
    marks: Places


def name_allele(alleles: AlleleTable, row: int) -> str:
    """Name an allele as its record spells it: ``contig:position:REF:ALT``."""
    block, record = alleles.block, int(alleles.records[row])
    place = f"{block.contigs[record]}:{block.positions[record]}"
    return f"{place}:{block.refs[record]}:{alleles.alts[row]}"


def map_variants(
    engine: Engine,
    alleles: AlleleTable,
    genome: Genome,
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[VariantMaps]:
    """Map both windows of every allele of a table that can be scored, in its order.

    Parameters
    ----------
    engine
        The model.
    alleles
        Alleles, placed in this genome for windows of the model's length.
    genome
        The open genome.
    progress
        Called with the number of alleles done since the last call.
    """
    pairs = allele_pairs(alleles, genome)
    sides = _lay_sides(alleles, pairs)
    cells = pairs.length * 4 * len(engine.spec.tasks) * engine.model.networks
    step = max(1, _CELLS // (2 * cells))
    for start in range(0, len(pairs), step):
        rows = range(start, min(start + step, len(pairs)))
        found = [mutate_whole(engine, side.codes[rows.start : rows.stop]) for side in sides]
        for i in rows:
            row = int(pairs.rows[i])
            ref, alt = (
                MutationMap(
                    name=f"{name_allele(alleles, row)}/{label}",
                    codes=side.codes[i],
                    places=side.places[i],
                    logits=logits[i - start],
                    unchanged=unchanged[i - start],
                    tasks=engine.spec.tasks,
                    alphabet=engine.spec.alphabet,
                    contig=alleles.names[alleles.contigs[row]],
                    marked=(int(side.marks[i, 0]), int(side.marks[i, 1])),
                )
                for label, side, (logits, unchanged) in zip(
                    ("ref", "alt"), sides, found, strict=True
                )
            )
            yield VariantMaps(row, ref, alt)
        progress(len(rows))


def _lay_sides(alleles: AlleleTable, pairs: AllelePairs) -> tuple[_Side, _Side]:
    places = np.empty((2, len(pairs), pairs.length), dtype=np.int64)
    marks = np.empty((2, len(pairs), 2), dtype=np.int64)
    for part in pairs.parts:
        rows = pairs.rows[part.places]
        sizes = alleles.refs.lengths_at(rows)
        first = alleles.starts[rows] + alleles.slack[rows] // 2 - part.ref.starts
        marks[0, part.places] = np.stack([first, first + sizes], axis=1)
        first = part.alt.alleles - part.alt.starts
        marks[1, part.places] = np.stack([first, first + np.diff(part.alt.ends)], axis=1)
        for side, windows in enumerate((part.ref, part.alt)):
            places[side, part.places] = _trace_bases(windows, pairs.length)
    np.clip(marks, 0, pairs.length, out=marks)
    return _Side(pairs.ref, places[0], marks[0]), _Side(pairs.alt, places[1], marks[1])


def _trace_bases(windows: Haplotypes, length: int) -> Places:
    """Find where each base of windows (n, length) stands on the contig.

    Letters beyond those that they replace stand where the base left of them does.
    """
    places = windows.starts[:, None] + np.arange(length)
    first, removed = windows.alleles[:, None], windows.removed[:, None]
    sizes = np.diff(windows.ends)[:, None]
    number = places - first  # of the letter
    shifted = np.where(number >= sizes, places + removed - sizes, places)
    is_extra = (number >= removed) & (number < sizes)
    return np.where(is_extra, first + removed - 1, shifted)
