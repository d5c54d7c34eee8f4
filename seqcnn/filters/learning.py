"""The motifs of any model: of its detectors, and of its gapped k-mers."""

from dataclasses import replace

from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.filters.extraction import Judges, Learned, learn_detector_motifs
from seqcnn.filters.gapped import learn_gapped_motifs
from seqcnn.filters.sites import Convention
from seqcnn.motifs import Motif

__all__ = ["learn_motifs"]


def learn_motifs(
    engine: Engine,
    positives: Codes,
    *,
    judges: Judges,
    convention: Convention = "half-maximum",
) -> Learned:
    """Build motifs of what a model recognises, and say what each is worth.

    The parts of a mixture are looked at one by one: what a motif is worth, it is worth to its
    part. Those of detectors come first, then those of gapped k-mers, which have no detectors.

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
    motifs: list[Motif] = []
    unused: dict[str, int] = {}
    several = len(engine.singles) > 1
    for part in engine.singles:
        if part.has_detectors:
            found = learn_detector_motifs(part, positives, judges=judges, convention=convention)
        else:
            found = learn_gapped_motifs(part, positives, judges=judges)
        prefix = f"{part.spec.architecture}_" * several
        motifs += [_rename(motif, prefix) for motif in found.motifs]
        unused |= {prefix + name: sites for name, sites in found.unused.items()}
    motifs.sort(key=lambda motif: bool(motif.duplicate_of))
    return Learned(tuple(motifs), unused)


def _rename(motif: Motif, prefix: str) -> Motif:
    other = prefix + motif.duplicate_of if motif.duplicate_of else ""
    return replace(motif, name=prefix + motif.name, duplicate_of=other)
