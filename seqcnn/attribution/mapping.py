"""Making mutation maps of sequences and of parts of a genome.

Which window a position is looked at in
---------------------------------------
A sequence or region of up to the model's length L is one window: N beside a sequence, the
genome's own bases beside a region, alike on both sides (`seqcnn.genome.window_bounds`). All its
positions are changed in this window, one at a time, and it has one logit of its own.

In a longer one each position is changed in the window of L bases that is centred on it. So each
delta is that of the same substitution in a VCF, and does not depend on where the region begins
or ends. Windows reach past the ends of a region into the genome; past the ends of a contig, or
of a sequence, there is N.

A model that scores the windows inside a sequence (DeepBind's) looks at a sequence as a whole,
however long it is, and at a genome as the others do.

The maps of variants are made in `seqcnn.attribution.variant_maps`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.attribution.mutation_map import MutationMap
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine import Engine
from seqcnn.genome import Genome, Haplotypes, Interval, gather_windows, window_bounds

__all__ = ["map_region", "map_sequences", "map_windows", "mutate_whole"]

Values = NDArray[np.float64]
Progress = Callable[[int], object]

_CELLS = 1 << 22  # bases of the windows, or logits, that are held at a time
_MOST_WINDOWS = 1 << 12


def _ignore(_: int) -> None:
    pass


def map_sequences(
    engine: Engine, records: Sequence[tuple[str, Codes]], *, progress: Progress = _ignore
) -> Iterator[MutationMap]:
    """Map sequences of any lengths.

    Parameters
    ----------
    engine
        The model.
    records
        Name and codes of each.
    progress
        Called with the number of positions done since the last call.
    """
    for name, codes in records:
        yield _map_stretch(engine, name, codes, None, (0, len(codes)), progress=progress)


def map_region(
    engine: Engine, genome: Genome, region: Interval, *, progress: Progress = _ignore
) -> MutationMap:
    """Map a region of a genome.

    Parameters
    ----------
    engine
        The model.
    genome
        The open genome.
    region
        A stretch of one of its contigs.
    progress
        Called with the number of positions done since the last call.
    """
    contig, span = genome.codes(region.contig), (region.start, region.end)
    return _map_stretch(engine, str(region), contig, region.contig, span, progress=progress)


def _map_stretch(
    engine: Engine,
    name: str,
    letters: Codes,
    contig: str | None,
    span: tuple[int, int],
    *,
    progress: Progress,
) -> MutationMap:
    """Map letters `span` of a contig, or of a sequence where the contig is None."""
    spec, (first, stop) = engine.spec, span
    is_whole = bool(spec.window) and contig is None
    if is_whole or stop - first <= spec.length:
        start, window = first, letters[first:stop]
        if not is_whole:
            start, _ = window_bounds((first + stop) // 2, spec.length)
            window = gather_windows(letters, np.array([start]), spec.length)[0]
        logits, unchanged = mutate_whole(engine, window[None])
        columns = slice(first - start, stop - start)
        logits, unchanged = logits[0, columns], unchanged[0, columns]
        progress(stop - first)
    else:
        logits, unchanged = _mutate_centred(engine, letters, first, stop, progress)
    return MutationMap(
        name=name,
        codes=letters[first:stop],
        places=np.arange(first, stop),
        logits=logits,
        unchanged=unchanged,
        tasks=spec.tasks,
        alphabet=spec.alphabet,
        contig=contig,
    )


def mutate_whole(engine: Engine, windows: Codes) -> tuple[Values, Values]:
    """Change every position of windows (n, length), one at a time.

    Returns
    -------
    tuple
        Logits (n, length, 4, tasks) with each base, and those of the windows as they are,
        repeated (n, length, tasks).
    """
    logits = engine.predict_mutants(windows).mean(axis=0)
    own = np.minimum(windows, 3)[..., None, None].astype(np.int64)
    unchanged = np.take_along_axis(logits, own, axis=2)[:, :, 0]
    for row, window in enumerate(windows):
        unknown = window >= UNKNOWN
        if unknown.all():
            unchanged[row] = engine.predict(windows[row : row + 1]).logits
        elif unknown.any():
            unchanged[row, unknown] = unchanged[row, np.argmin(unknown)]
    return logits, unchanged


def _mutate_centred(
    engine: Engine, letters: Codes, first: int, stop: int, progress: Progress
) -> tuple[Values, Values]:
    """Change positions `first` to `stop` - 1, each in the window centred on it."""
    length, tasks = engine.spec.length, len(engine.spec.tasks)
    logits = np.empty((stop - first, 4, tasks))
    unchanged = np.empty((stop - first, tasks))
    step = max(1, min(_MOST_WINDOWS, _CELLS // length))
    for start in range(first, stop, step):
        places = np.arange(start, min(start + step, stop))
        rows = slice(start - first, start - first + len(places))
        # A with C, then G with T: one of the four is the sequence as it is.
        for base in (0, 2):
            pair = [_place_base(places, length, letter) for letter in (base, base + 1)]
            found = engine.predict_alleles(letters, *pair)
            for letter, side in enumerate(found, start=base):
                logits[rows, letter] = side.logits
        own = letters[places]
        unchanged[rows] = logits[rows][np.arange(len(own)), np.minimum(own, 3)]
        unknown = np.flatnonzero(own >= UNKNOWN)
        if len(unknown):
            windows = gather_windows(letters, places[unknown] - length // 2, length)
            unchanged[start - first + unknown] = engine.predict(windows).logits
        progress(len(places))
    return logits, unchanged


def _place_base(places: NDArray[np.int64], length: int, base: int) -> Haplotypes:
    """Put one base in the middle of the windows around places (n,)."""
    number = len(places)
    letters = np.full(number, base, dtype=np.uint8)
    removed = np.ones(number, dtype=np.int64)
    return Haplotypes(places - length // 2, places, removed, letters, np.arange(number + 1))


def map_windows(engine: Engine, windows: Codes) -> Values:
    """Give what each base of windows (n, length) does for the output: (n, length, tasks).

    `MutationMap.effects` says what that is.
    """
    logits, unchanged = mutate_whole(engine, windows)
    deltas = logits - unchanged[:, :, None]
    own = windows[..., None] == np.arange(4)
    effects = -np.where(own[..., None], 0, deltas).sum(axis=2) / 3
    effects[windows >= UNKNOWN] = 0
    return np.asarray(effects)
