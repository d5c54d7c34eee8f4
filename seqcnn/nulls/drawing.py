"""The null distribution of a model: the effects of null variants, scored as any other alleles.

Each context is a dinucleotide shuffle of a training sequence (or of a piece of a genome), taken
as a circle. Where a variant stands is drawn from its bases, and the window around it is a rotation
of the shuffle: it has the context's dinucleotides, but for the one where the circle closes. A
substitution stands where the shuffle has its reference base; in a shuffle without that base, the
base is put there. Other alleles stand anywhere. With a genome's own intervals, windows are pieces
of the genome as they are, around random bases of the intervals. Unknown bases, which may be a
twentieth of a window, become others of the same sequence.

A context holds one variant of a type, so those of one type do not depend on each other. It holds
the three substitutions of one base, or all the other types, most of which have the same reference
window. A null belongs to the strands and the shifts that it was drawn with.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.effects import score_pairs
from seqcnn.engine import Engine
from seqcnn.engine.compiled_backend import CompiledBackend
from seqcnn.errors import ConfigError
from seqcnn.genome import Genome
from seqcnn.modelfile import ModelSpec
from seqcnn.nulls.places import SLOTS, draw_places, draw_windows
from seqcnn.nulls.records import CONTIG, MARGIN, draw_records, fill_unknown, shuffle_windows
from seqcnn.significance import ALLELE_TYPES, Null
from seqcnn.variants import AllelePlacer, allele_pairs
from seqcnn.variants.windows import shift_offsets

__all__ = ["COUNT", "choose_count", "draw_null", "null_from_genome"]

_log = logging.getLogger(__name__)

COUNT = 1000
"""Null variants of each type, where nothing else is said: the smallest p is 1 / 1001."""

_FEW = 300

_ROWS = 256
"""Rows of contexts held at a time."""

_MOST_CONTEXTS = 4000
"""Windows of a genome; more null variants stand in more shuffles of the same ones."""


def choose_count(spec: ModelSpec) -> int:
    """Choose how many null variants of each type a model is given when it is trained.

    More than is needed where they cost seconds, in networks with global pooling; in deep ones,
    where each takes a pass through the network, a few hundred.
    """
    return 2 * COUNT if CompiledBackend.suits(spec) else _FEW


def draw_null(
    engine: Engine, contexts: Codes, *, count: int = COUNT, seed: int = 0, shifts: int = 1
) -> Null:
    """Draw null variants in dinucleotide shuffles of sequences.

    Parameters
    ----------
    engine
        The model, with the strands that it shall look at.
    contexts
        Sequences (n, at least the model's length); each is shuffled as often as is needed, those
        with many unknown bases not at all.
    count
        Null variants of each type.
    seed
        Seed of everything that is drawn: the same gives the same null.
    shifts
        Number of offsets that effects are averaged over.

    Raises
    ------
    ConfigError
        When no sequence has known bases.
    """
    return _shuffled(engine, contexts, np.random.default_rng([seed, 7]), count, shifts, "training")


def null_from_genome(
    engine: Engine,
    genome: Genome,
    *,
    count: int = COUNT,
    seed: int = 0,
    shifts: int = 1,
    bed: Path | None = None,
) -> Null:
    """Draw null variants in shuffled windows of a genome, or in its own sequence.

    Parameters
    ----------
    engine
        The model, with the strands that it shall look at.
    genome
        The open genome.
    count, seed, shifts
        As for `draw_null`.
    bed
        BED of intervals in whose unchanged sequence null variants stand.

    Raises
    ------
    BedError
        For a file that is no BED of this genome, or intervals without enough known bases.
    FastaError
        For a genome without known bases.
    """
    rng = np.random.default_rng([seed, 8])
    length = engine.spec.length
    if bed is None:
        contexts = draw_windows(genome, length=length, count=min(count, _MOST_CONTEXTS), rng=rng)
        return _shuffled(engine, contexts, rng, count, shifts, "genome")
    places = draw_places(genome, bed, length=length, count=count, rng=rng)
    centre, width = MARGIN + length // 2, length + 2 * MARGIN
    blocks = (
        places.gather(genome, slice(start, start + _ROWS), centre=centre, width=width)
        for start in range(0, count, _ROWS)
    )
    known = (fill_unknown(windows, rng=rng) for windows in blocks)
    return _score(engine, known, rng, shifts, "intervals")


def _shuffled(
    engine: Engine,
    contexts: Codes,
    rng: np.random.Generator,
    count: int,
    shifts: int,
    source: str,
) -> Null:
    usable = _usable(contexts)
    cycles = -(-count * SLOTS // len(usable))
    rows = np.concatenate([rng.permutation(usable) for _ in range(cycles)])[: count * SLOTS]
    rows = rows.reshape(SLOTS, count).T
    blocks = (
        shuffle_windows(contexts[rows[start : start + _ROWS]], length=engine.spec.length, rng=rng)
        for start in range(0, count, _ROWS)
    )
    return _score(engine, blocks, rng, shifts, source)


def _usable(contexts: Codes) -> NDArray[np.int64]:
    """Choose the rows of mostly known bases, or else those with any."""
    known = (contexts < UNKNOWN).mean(axis=1)
    usable = np.flatnonzero(known > 0.5)
    usable = usable if len(usable) else np.flatnonzero(known)
    if not len(usable):
        raise ConfigError(
            "null variants",
            f"no known base in {len(contexts)} sequences",
            expected="sequences to shuffle",
        )
    return usable


def _score(
    engine: Engine, blocks: Iterable[Codes], rng: np.random.Generator, shifts: int, source: str
) -> Null:
    """Score an allele of each type in each row of blocks of windows (k, SLOTS, width)."""
    _log.info("scoring null variants of %d types", len(ALLELE_TYPES))
    length = engine.spec.length
    offsets = shift_offsets(shifts, length=length)
    sizes = []
    for windows in blocks:
        contig, records = draw_records(windows, length=length, rng=rng)
        genome = _genome_of(contig)
        alleles = AllelePlacer(genome, length=length).place(records)
        shifted = [allele_pairs(alleles, genome, offset=offset) for offset in offsets]
        delta = score_pairs(engine, shifted).delta.astype(np.float32)
        sizes.append(np.abs(delta).reshape(len(windows), len(ALLELE_TYPES), -1))
    by_type = np.concatenate(sizes).transpose(1, 2, 0)  # (types, tasks, count)
    return Null(
        np.ascontiguousarray(np.sort(by_type, axis=2)),
        strands=engine.spec.strands,
        shifts=shifts,
        source=source,
    )


def _genome_of(contig: Codes) -> Genome:
    return Genome(Path(CONTIG), {CONTIG: len(contig)}, lambda _: contig)
