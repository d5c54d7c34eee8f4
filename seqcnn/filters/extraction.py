"""From a model and the sequences it calls positive to motifs, each with what it is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine import Engine
from seqcnn.filters.importance import Knockout, measure_score, signal_shares
from seqcnn.filters.sites import Convention, Counted, count_sites, share_with_site
from seqcnn.motifs import Background, Motif, merge_duplicates, trim_motif
from seqcnn.negatives import shuffle_dinucleotides

__all__ = [
    "FEWEST_SITES",
    "Judges",
    "Learned",
    "learn_detector_motifs",
    "measure_background",
    "trim_ends",
]

FEWEST_SITES = 10
TRIM_BITS = 0.25

_SEED = 17
_MOST_CONTROLS = 4000


@dataclass(frozen=True)
class Judges:
    """Labelled sequences on which it is measured what a detector is worth.

    Attributes
    ----------
    codes
        Sequences (n, length) that the model did not learn from, positives and negatives.
    targets
        Their targets (n, tasks), NaN where missing; None where nothing is known of them.
    """

    codes: Codes
    targets: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Learned:
    """What a model's detectors recognise.

    Attributes
    ----------
    motifs
        Motifs, the most important first, then their duplicates.
    unused
        The other detectors: by name, the number of their sites, fewer than ten.
    """

    motifs: tuple[Motif, ...]
    unused: dict[str, int] = field(default_factory=dict)


def learn_detector_motifs(
    engine: Engine,
    positives: Codes,
    *,
    judges: Judges,
    convention: Convention = "half-maximum",
) -> Learned:
    """Build a motif of each detector from its sites, and say what it is worth.

    Motifs that say the same, as they are, reverse complemented or shifted, are merged: the one
    that carries most of the signal stands for all. Its importance is the drop in the score of
    the whole ensemble when it and its duplicates are set to their means; the importance of a
    duplicate is its own.

    Parameters
    ----------
    engine
        The model.
    positives
        Codes (n, length) of sequences that hold sites.
    judges
        Where importance is measured.
    convention
        What a site is.
    """
    knockout = Knockout(engine, judges.codes)
    targets = None if judges.targets is None else judges.targets[knockout.rows]
    background = measure_background(positives, engine.spec.strands)
    controls = shuffle_dinucleotides(positives[:_MOST_CONTROLS], rng=np.random.default_rng(_SEED))
    motifs: list[Motif] = []
    places: dict[str, tuple[int, int]] = {}
    unused: dict[str, int] = {}
    members = len(engine.torch.networks)
    for member in range(members):
        counted = count_sites(engine, positives, member=member, convention=convention)
        shares = signal_shares(knockout, targets, len(counted.sites), member)
        enriched = _enrichment(
            counted, share_with_site(engine, controls, counted.least, member=member), controls
        )
        for detector, number in enumerate(counted.sites):
            name = f"member{member + 1}_" * (members > 1) + f"detector{detector + 1}"
            places[name] = (member, detector)
            if number < FEWEST_SITES:
                unused[name] = int(number)
                continue
            motif = Motif(
                name,
                counted.pfms[detector],
                int(number),
                background,
                share=float(shares[detector]),
                enrichment=float(enriched[detector]),
                positions=tuple(counted.positions[detector].tolist()),
            )
            motifs.append(trim_ends(motif, convention))
    motifs.sort(key=lambda motif: -motif.share)
    judged = _Importance(knockout, targets, places)
    return Learned(tuple(_merge(motifs, judged, engine.spec.alphabet)), unused)


class _Importance:
    def __init__(
        self,
        knockout: Knockout,
        targets: NDArray[np.float32] | None,
        places: dict[str, tuple[int, int]],
    ) -> None:
        self._knockout, self._targets, self._places = knockout, targets, places
        self._whole = knockout.logits.mean(axis=0)
        self._score = measure_score(targets, self._whole, self._whole)

    def of(self, names: Sequence[str]) -> float:
        """Give the drop in score without the detectors; 0 where there is no score."""
        group: dict[int, list[int]] = {}
        for member, detector in (self._places[name] for name in names):
            group.setdefault(member, []).append(detector)
        logits = self._knockout.without(group).mean(axis=0)
        drop = self._score - measure_score(self._targets, logits, self._whole)
        return 0.0 if math.isnan(drop) else drop


def _merge(motifs: list[Motif], judged: _Importance, alphabet: str) -> list[Motif]:
    """Sort motifs by importance, and duplicates behind them."""
    by_name = {motif.name: motif for motif in motifs}
    kept, duplicates = [], []
    for first, names in merge_duplicates(motifs, strands="+" if alphabet == "rna" else "+-"):
        kept.append(replace(first, importance=judged.of(names)))
        duplicates += [
            replace(by_name[name], importance=judged.of([name]), duplicate_of=first.name)
            for name in names[1:]
        ]
    ordered = (sorted(part, key=lambda m: (-m.importance, -m.share)) for part in (kept, duplicates))
    return [motif for part in ordered for motif in part]


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


def _enrichment(
    counted: Counted, controls: NDArray[np.float64], shuffles: Codes
) -> NDArray[np.float64]:
    """Give log2 of the share of positives with a site over that of their shuffles (detectors,).

    Both are counted with one more sequence that has a site and one that has none.
    """
    return np.log2(_smooth(counted.rows, len(shuffles)) / _smooth(controls, len(shuffles)))


def _smooth(share: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    return np.asarray((share * number + 1) / (number + 2))
