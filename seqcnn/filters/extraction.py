"""From the detectors of networks, and the sequences these call positive, to motifs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine import Engine
from seqcnn.filters.importance import Knockout, Numbers
from seqcnn.filters.sites import Convention, count_sites, share_with_site
from seqcnn.motifs import Background, Motif, trim_motif
from seqcnn.negatives import shuffle_dinucleotides

__all__ = [
    "FEWEST_SITES",
    "DetectorPart",
    "Sample",
    "measure_background",
    "measure_enrichment",
    "trim_ends",
]

FEWEST_SITES = 10
TRIM_BITS = 0.25

_SEED = 17
_MOST_CONTROLS = 4000


@dataclass(frozen=True)
class Sample:
    """Sequences at which a model is looked at.

    Attributes
    ----------
    positives
        Codes (n, length) of sequences that hold sites.
    judged
        Codes (rows, length) of those on which it is measured what a motif is worth.
    """

    positives: Codes
    judged: Codes


class DetectorPart:
    """The motifs of networks' detectors, and what their model says without some of them.

    Parameters
    ----------
    engine
        A model of networks.
    sample
        Where to look.
    convention
        What a site is.
    names
        What the name of a detector begins with, for each of the networks.

    Attributes
    ----------
    motifs
        A motif of each detector with ten sites or more.
    unused
        The other detectors: by name, the number of their sites.
    logits
        What the networks say of the judged sequences (members, rows, tasks).
    """

    def __init__(
        self, engine: Engine, sample: Sample, *, convention: Convention, names: Sequence[str]
    ) -> None:
        self._engine, self._sample, self._convention = engine, sample, convention
        self._background = measure_background(sample.positives, engine.spec.strands)
        controls = sample.positives[:_MOST_CONTROLS]
        self._controls = shuffle_dinucleotides(controls, rng=np.random.default_rng(_SEED))
        self._places: dict[str, tuple[int, int]] = {}
        self.motifs: list[Motif] = []
        self.unused: dict[str, int] = {}
        for member, name in enumerate(names):
            self._learn(member, name)
        self._knockout = Knockout(engine, sample.judged)
        self._scale = np.array(engine.spec.scale or 1.0)
        self.logits = self._knockout.logits * self._scale

    def _learn(self, member: int, prefix: str) -> None:
        engine, convention = self._engine, self._convention
        counted = count_sites(engine, self._sample.positives, member=member, convention=convention)
        shuffled = share_with_site(engine, self._controls, counted.least, member=member)
        enriched = measure_enrichment(counted.rows, shuffled, len(self._controls))
        for detector, number in enumerate(counted.sites.tolist()):
            name = f"{prefix}detector{detector + 1}"
            self._places[name] = (member, detector)
            if number < FEWEST_SITES:
                self.unused[name] = number
                continue
            motif = Motif(
                name,
                counted.pfms[detector],
                number,
                self._background,
                enrichment=float(enriched[detector]),
                positions=tuple(counted.positions[detector].tolist()),
            )
            self.motifs.append(trim_ends(motif, convention))

    def lost_without(self, names: Sequence[str]) -> Numbers:
        """Give what detectors add to the sum of the networks' logits (rows, tasks)."""
        group: dict[int, list[int]] = {}
        for member, detector in (self._places[name] for name in names):
            group.setdefault(member, []).append(detector)
        lost = self._knockout.logits - self._knockout.without(group)
        return np.asarray(lost.sum(axis=0) * self._scale)


def trim_ends(motif: Motif, convention: Convention = "half-maximum") -> Motif:
    """Cut uninformative ends off, by the rule of the convention."""
    if convention == "deepbind":
        return trim_motif(motif, threshold=max(0.1, 0.1 * motif.highest_bits), minimum=1)
    return trim_motif(motif, threshold=_trimming_bits(motif.sites), minimum=5)


def measure_background(codes: Codes, strands: str) -> Background:
    """Measure the frequencies of A, C, G, T on the strands where sites are looked for."""
    counts = np.bincount(codes[codes < UNKNOWN], minlength=4) + 1.0
    if strands != "single":
        counts = counts + counts[::-1]
    a, c, g, t = (counts / counts.sum()).tolist()
    return a, c, g, t


def _trimming_bits(sites: int) -> float:
    """Give the bits below which an end is cut: few sites look informative by chance.

    References
    ----------
    Schneider et al. 1986, doi:10.1016/0022-2836(86)90165-8 (small-sample correction)
    """
    return TRIM_BITS + 3 / (2 * math.log(2) * sites)


def measure_enrichment(
    positives: NDArray[np.float64], shuffles: NDArray[np.float64], number: int
) -> NDArray[np.float64]:
    """Give log2 of the share of positives with a site over that of their shuffles, of each motif.

    Parameters
    ----------
    positives, shuffles
        The shares.
    number
        Of the shuffles. Both sides are counted with one more sequence that has a site and one
        that has none.
    """
    with_site, without = ((share * number + 1) / (number + 2) for share in (positives, shuffles))
    return np.asarray(np.log2(with_site / without))
