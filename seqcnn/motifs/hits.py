"""Where motifs fit a sequence best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.motifs.matrix import Motif, pwm, reverse_complement_motif

__all__ = ["Hit", "find_best_hit", "score_positions"]


@dataclass(frozen=True)
class Hit:
    """A place where a motif fits.

    Attributes
    ----------
    motif
        Its name.
    start
        First base of the hit, 0-based.
    strand
        ``+`` or ``-``.
    bits
        Log odds against the background of the motif.
    """

    motif: str
    start: int
    strand: str
    bits: float


def score_positions(codes: Codes, motif: Motif) -> NDArray[np.float64]:
    """Score a motif at each of its places in a sequence (length,): bits; an N adds nothing.

    Returns
    -------
    NDArray
        (length - width + 1,), empty for a motif that is wider than the sequence.
    """
    weights = np.vstack([pwm(motif), np.zeros(motif.width)])
    if len(codes) < motif.width:
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(np.minimum(codes, UNKNOWN), motif.width)
    return np.asarray(weights[windows, np.arange(motif.width)].sum(axis=1))


def find_best_hit(codes: Codes, motifs: Sequence[Motif], *, both: bool = True) -> Hit | None:
    """Find the motif, place and strand with the highest log odds; None without any motif.

    Parameters
    ----------
    codes
        One sequence (length,).
    motifs
        What is looked for; of equal hits, the first motif's and the leftmost is given.
    both
        Whether both strands are looked at.
    """
    best: Hit | None = None
    for motif in motifs:
        sides = [("+", motif), *([("-", reverse_complement_motif(motif))] if both else [])]
        for strand, side in sides:
            scores = score_positions(codes, side)
            if len(scores) and (best is None or scores.max() > best.bits):
                best = Hit(motif.name, int(scores.argmax()), strand, float(scores.max()))
    return best
