"""The motifs of any model: of its detectors, and of its gapped k-mers, one list for all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.filters.extraction import DetectorPart, Sample
from seqcnn.filters.gapped import GappedPart
from seqcnn.filters.importance import Numbers, Worth, choose_rows
from seqcnn.filters.sites import Convention
from seqcnn.motifs import Motif, merge_duplicates

__all__ = ["Judges", "Learned", "learn_motifs"]

_Part = DetectorPart | GappedPart


@dataclass(frozen=True)
class Judges:
    """Labelled sequences on which it is measured what a motif is worth.

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
    """What a model recognises.

    Attributes
    ----------
    motifs
        Motifs, the most important first, then their duplicates.
    unused
        The detectors without one: by name, the number of their sites, fewer than ten.
    """

    motifs: tuple[Motif, ...]
    unused: dict[str, int] = field(default_factory=dict)


def learn_motifs(
    engine: Engine,
    positives: Codes,
    *,
    judges: Judges,
    convention: Convention = "half-maximum",
) -> Learned:
    """Build motifs of what a model recognises, and say what each is worth.

    Motifs that say the same, as they are, reverse complemented or shifted, are merged, whichever
    members of whichever families they come from: the one that carries most of the signal stands
    for all. Its importance is the drop in the score of the whole model when it and its
    duplicates are taken out of all members together; the importance of a duplicate is its own.

    Parameters
    ----------
    engine
        The model.
    positives
        Codes (n, length) of sequences that hold sites.
    judges
        Where importance is measured.
    convention
        What a site of a detector is.
    """
    rows = choose_rows(engine.singles, len(judges.codes))
    sample = Sample(positives, judges.codes[rows])
    parts = _take_apart(engine, sample, convention)
    worth = Worth(parts, None if judges.targets is None else judges.targets[rows])
    home = {motif.name: part for part in parts for motif in part.motifs}
    motifs = [
        replace(motif, share=worth.share(part.lost_without([motif.name])))
        for part in parts
        for motif in part.motifs
    ]
    # The sites of detectors are those of a published convention: they stand for gapped k-mers.
    motifs.sort(key=lambda motif: (isinstance(home[motif.name], GappedPart), -motif.share))
    unused = {name: sites for part in parts for name, sites in part.unused.items()}
    return Learned(tuple(_merge(motifs, worth, home, engine.spec.alphabet)), unused)


def _take_apart(engine: Engine, sample: Sample, convention: Convention) -> list[_Part]:
    """Look at each part of a mixture, or the whole model; networks of a family are counted on."""
    several = len(engine.singles) > 1
    networks = Counter[str]()
    for part in engine.singles:
        networks[part.spec.architecture] += len(part.model.members)
    counted = Counter[str]()
    parts: list[_Part] = []
    for part in engine.singles:
        family = part.spec.architecture
        prefix = f"{family}_" * several
        if part.has_detectors:
            first, counted[family] = counted[family], counted[family] + len(part.model.members)
            members = range(first + 1, counted[family] + 1)
            names = [f"{prefix}member{m}_" if networks[family] > 1 else prefix for m in members]
            parts.append(DetectorPart(part, sample, convention=convention, names=names))
        else:
            parts.append(GappedPart(part, sample, prefix=prefix))
    return parts


def _merge(
    motifs: Sequence[Motif], worth: Worth, home: Mapping[str, _Part], alphabet: str
) -> list[Motif]:
    """Sort motifs by importance, and duplicates behind them."""

    def drop(names: Sequence[str]) -> float:
        lost: list[Numbers] = []
        for part in dict.fromkeys(home[name] for name in names):
            lost.append(part.lost_without([name for name in names if home[name] is part]))
        return worth.drop(np.sum(lost, axis=0))

    by_name = {motif.name: motif for motif in motifs}
    kept, duplicates = [], []
    for first, names in merge_duplicates(motifs, strands="+" if alphabet == "rna" else "+-"):
        kept.append(replace(first, importance=drop(names)))
        duplicates += [
            replace(by_name[name], importance=drop([name]), duplicate_of=first.name)
            for name in names[1:]
        ]
    ordered = (sorted(part, key=lambda m: (-m.importance, -m.share)) for part in (kept, duplicates))
    return [motif for part in ordered for motif in part]
