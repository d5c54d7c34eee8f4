"""Known motifs in a sequence, where the model looks at it.

A motif is found where its log-odds score is one that a random sequence reaches with a probability
of at most 10^-4 a place and strand (exactly, from the distribution of the score), and where
substitutions do to the output what they do to the motif's score: they correlate by at least .6 over
all bases and positions under it, and they matter at least as much, in the mean, as in the sequence
as a whole. Of hits that overlap the one with the best correlation stays, with the names of the
next two.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seqcnn.attribution.mutation_map import MutationMap
from seqcnn.dna import Codes
from seqcnn.motifs import Motif, pwm, reverse_complement_motif

__all__ = ["MotifHit", "find_hits"]

Values = NDArray[np.float64]

_STEP = 0.05  # bits that scores are rounded to
_HIGHEST_P = 1e-4
_LEAST_CORRELATION = 0.6
_MOST = 12  # in 1,000 bases
_MOST_OTHERS = 2
_NO_SCORE = -(1 << 20)


@dataclass(frozen=True)
class MotifHit:
    """A motif on columns `start` to `end` - 1 of a map, on strand ``+`` or ``-``.

    Attributes
    ----------
    p
        The chance that a random sequence has it at a place and strand.
    correlation
        Of what substitutions do to the output and to the motif's score.
    others
        Names of the next motifs that overlap this one and fit.
    """

    name: str
    start: int
    end: int
    strand: str
    p: float
    correlation: float
    others: tuple[str, ...] = ()


def find_hits(
    mutation_map: MutationMap, motifs: Sequence[Motif], *, both: bool = True
) -> list[MotifHit]:
    """Find motifs in a mapped sequence, from left to right.

    Parameters
    ----------
    mutation_map
        The map of one task, or of several, which then are added up.
    motifs
        What is looked for.
    both
        Whether on both strands.
    """
    deltas = mutation_map.deltas().sum(axis=2)
    candidates: list[MotifHit] = []
    for motif in motifs:
        for strand in (motif, reverse_complement_motif(motif))[: 1 + both]:
            if motif.width <= len(mutation_map):
                sign = "-" if strand is not motif else "+"
                candidates += _find_motif(mutation_map.codes, deltas, strand, sign)
    most = _MOST * math.ceil(len(mutation_map) / 1000)
    return sorted(_thin_out(candidates)[:most], key=lambda hit: hit.start)


def _find_motif(codes: Codes, deltas: Values, motif: Motif, strand: str) -> Iterable[MotifHit]:
    width, name = motif.width, motif.alternate or motif.name
    scores = _round_scores(motif)
    tail, lowest = _score_tail(scores.tobytes(), motif.background)
    if tail[-1] > _HIGHEST_P:  # too little information for any hit
        return
    least = lowest + int(np.argmax(tail <= _HIGHEST_P))
    table = np.vstack([scores, np.full((1, width), _NO_SCORE)])  # N matches nothing
    found = table[sliding_window_view(codes, width), np.arange(width)].sum(axis=1)
    mean_change = np.abs(deltas).mean()
    for start in np.flatnonzero(found >= least).tolist():
        under = deltas[start : start + width].T
        correlation = _correlate(under, scores)
        if correlation >= _LEAST_CORRELATION and np.abs(under).mean() >= mean_change:
            p = float(tail[int(found[start]) - lowest])
            yield MotifHit(name, start, start + width, strand, p, correlation)


def _correlate(deltas: Values, scores: NDArray[np.int64]) -> float:
    """Correlate deltas and scores (4, width), each less its mean over the bases."""
    one, other = (values - values.mean(axis=0) for values in (deltas, scores))
    size = math.sqrt(float((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / size if size else 0.0


def _round_scores(motif: Motif) -> NDArray[np.int64]:
    return np.rint(pwm(motif) / _STEP).astype(np.int64)


@lru_cache(maxsize=4096)
def _score_tail(raw: bytes, background: tuple[float, ...]) -> tuple[Values, int]:
    """Give the chance that a random sequence scores as high, for each score from the lowest on."""
    scores = np.frombuffer(raw, dtype=np.int64).reshape(4, -1)
    lowest = int(scores.min(axis=0).sum())
    density = np.ones(1)
    for column in (scores - scores.min(axis=0)).T:
        wider = np.zeros(len(density) + int(column.max()))
        for gain, share in zip(column.tolist(), background, strict=True):
            wider[gain : gain + len(density)] += share * density
        density = wider
    return density[::-1].cumsum()[::-1], lowest


def _thin_out(candidates: list[MotifHit]) -> list[MotifHit]:
    """Keep the hits that fit best and do not overlap."""
    kept: list[MotifHit] = []
    for hit in sorted(candidates, key=lambda hit: (-hit.correlation, hit.start, hit.name)):
        rivals = [i for i, k in enumerate(kept) if hit.end > k.start and hit.start < k.end]
        if not rivals:
            kept.append(hit)
            continue
        best = kept[rivals[0]]
        if hit.name not in (best.name, *best.others) and len(best.others) < _MOST_OTHERS:
            kept[rivals[0]] = replace(best, others=(*best.others, hit.name))
    return kept
