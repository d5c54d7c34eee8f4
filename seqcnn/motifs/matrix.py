"""The motif itself: counts (PFM), probabilities (PPM), log2 odds (PWM), information.

All matrices are (4, width) in A, C, G, T order; U stands in the place of T.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "UNIFORM",
    "Background",
    "Matrix",
    "Motif",
    "information_content",
    "ppm",
    "pwm",
    "reverse_complement_motif",
    "spell_consensus",
    "trim_motif",
]

Matrix = NDArray[np.float64]
Background = tuple[float, float, float, float]

UNIFORM: Background = (0.25, 0.25, 0.25, 0.25)
"""Background in which the four bases are equally frequent."""

_BACKGROUND_TOLERANCE = 0.01
_PAIR_CODES = {"AC": "M", "AG": "R", "AT": "W", "CG": "S", "CT": "Y", "GT": "K"}


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so no generated ==
class Motif:
    """Hold the base counts of aligned binding sites.

    Parameters
    ----------
    name
        Identifier, such as ``MA0062.4``.
    pfm
        Counts (4, width), A, C, G, T; kept as a read-only copy.
    sites
        Number of aligned sites.
    background
        Frequencies of A, C, G, T where the sites come from.
    importance
        What the model loses without this motif; NaN where it is not known.
    alternate
        Second name, such as ``GABPA``.
    share
        Its share of the model's signal; NaN where it is not known.
    enrichment
        How much more often positives have a site than their shuffles, as log2; NaN where it is
        not known.
    positions
        Number of sites by where they lie in the sequence, in parts of it of equal length.
    duplicate_of
        Name of another motif that says the same and stands for this one too.

    Raises
    ------
    ValueError
        If the counts or the background are not what they are called.
    """

    name: str
    pfm: Matrix
    sites: int
    background: Background = UNIFORM
    importance: float = math.nan
    alternate: str = ""
    share: float = math.nan
    enrichment: float = math.nan
    positions: tuple[int, ...] = ()
    duplicate_of: str = ""

    def __post_init__(self) -> None:
        pfm = np.array(self.pfm, dtype=np.float64)
        if pfm.ndim != 2 or pfm.shape[0] != 4 or pfm.shape[1] == 0:
            raise ValueError(f"counts of shape {pfm.shape}, not (4, width)")
        if not (np.isfinite(pfm) & (pfm >= 0)).all():
            raise ValueError("counts must be finite and not negative")
        if min(self.background) <= 0 or abs(sum(self.background) - 1) > _BACKGROUND_TOLERANCE:
            raise ValueError(f"background {self.background} is not four shares of 1")
        pfm.flags.writeable = False
        object.__setattr__(self, "pfm", pfm)
        a, c, g, t = (share / sum(self.background) for share in self.background)
        object.__setattr__(self, "background", (a, c, g, t))

    @property
    def width(self) -> int:
        """Count the positions."""
        return int(self.pfm.shape[1])

    @property
    def consensus(self) -> str:
        """Spell a base with at least half of the counts, or a pair with three quarters, or N."""
        return "".join(_consensus_letter(column) for column in ppm(self).T)

    @property
    def highest_bits(self) -> float:
        """Give the information content of the most informative position, in bits."""
        return float(information_content(self).max())

    @property
    def information(self) -> float:
        """Sum the information content over the positions, in bits."""
        return float(information_content(self).sum())


def spell_consensus(motif: Motif, *, alphabet: str = "dna") -> str:
    """Spell the consensus of a motif in the letters of its alphabet: U, not T, for RNA."""
    return motif.consensus.replace("T", "U") if alphabet == "rna" else motif.consensus


def _consensus_letter(column: Matrix) -> str:
    first, second = np.argsort(-column, kind="stable")[:2]
    if column[first] >= 0.5:
        return "ACGT"[first]
    if column[first] + column[second] >= 0.75:
        return _PAIR_CODES["".join(sorted("ACGT"[first] + "ACGT"[second]))]
    return "N"


def ppm(motif: Motif, *, pseudocount: float = 0.0) -> Matrix:
    """Turn counts into probabilities (4, width).

    Parameters
    ----------
    motif
        Counts.
    pseudocount
        Counts added to each position, shared out by the background. A position without any
        count has the background's probabilities.
    """
    background = np.array(motif.background)[:, None]
    counts = motif.pfm + pseudocount * background
    total = counts.sum(axis=0)
    shares = np.where(total > 0, counts / np.where(total > 0, total, 1.0), background)
    return np.asarray(shares, dtype=np.float64)


def pwm(motif: Motif, *, pseudocount: float = 1.0) -> Matrix:
    """Turn counts into log2 odds (4, width) of each base against the background, in bits."""
    background = np.array(motif.background)[:, None]
    odds = ppm(motif, pseudocount=pseudocount) / background
    with np.errstate(divide="ignore"):  # without pseudocount, a base never seen has -inf
        return np.asarray(np.log2(odds), dtype=np.float64)


def information_content(motif: Motif) -> Matrix:
    """Measure how far each position (width,) is from the background, in bits.

    It is the Kullback-Leibler divergence of the probabilities from the background: 0 where the
    sites look like any sequence, 2 where one base alone occurs and the background is uniform.
    No correction for few sites is made.

    References
    ----------
    Schneider TD et al. (1986) J Mol Biol 188:415. https://doi.org/10.1016/0022-2836(86)90165-8
    """
    probabilities = ppm(motif)
    logs = np.where(probabilities > 0, pwm(motif, pseudocount=0.0), 0.0)  # 0 log 0 is 0
    bits = (probabilities * logs).sum(axis=0)
    return np.asarray(np.maximum(bits, 0.0), dtype=np.float64)


def reverse_complement_motif(motif: Motif) -> Motif:
    """Give the motif as it reads on the other strand."""
    a, c, g, t = motif.background
    return replace(motif, pfm=motif.pfm[::-1, ::-1], background=(t, g, c, a))


def trim_motif(motif: Motif, *, threshold: float = 0.25, minimum: int = 5) -> Motif:
    """Cut positions of little information off both ends.

    Parameters
    ----------
    motif
        Counts.
    threshold
        Bits below which a position at an end is cut off; those between strong ones stay.
    minimum
        Positions to keep at least: where fewer would be left, the most informative stretch of
        this width around them stays, or the whole of a narrower motif.
    """
    bits = information_content(motif)
    strong = np.flatnonzero(bits >= threshold)
    start, end = (int(strong[0]), int(strong[-1]) + 1) if strong.size else (0, 0)
    if end - start < minimum:
        start, end = _best_stretch(bits, min(minimum, motif.width), start, end)
    return replace(motif, pfm=motif.pfm[:, start:end])


def _best_stretch(bits: Matrix, width: int, start: int, end: int) -> tuple[int, int]:
    """Find the stretch of the width with the most bits that has [start, end) in it."""
    first, last = (max(0, end - width), start) if end else (0, len(bits) - width)
    last = min(last, len(bits) - width)
    totals = [bits[s : s + width].sum() for s in range(first, last + 1)]
    best = first + int(np.argmax(totals))
    return best, best + width
