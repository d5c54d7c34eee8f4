"""Where the motifs of a model come from: its file, sequences of the user's, or random ones."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from seqcnn.cli.models import make_engine

if TYPE_CHECKING:
    from seqcnn.dna import Codes
    from seqcnn.engine import Engine
    from seqcnn.filters import Judges
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.motifs import Motif
    from seqcnn.motifs.comparison import Strands

__all__ = ["FoundMotifs", "find_motifs"]

_log = logging.getLogger("seqcnn.logos")

_RANDOM = 5000
_SHORTEST = 101


@dataclass(frozen=True)
class FoundMotifs:
    """Motifs, the detectors without one, and where the sites come from, in words."""

    motifs: "tuple[Motif, ...]"
    unused: dict[str, int] = field(default_factory=dict)
    origin: str = ""


def find_motifs(model: "TrainedModel", options: Mapping[str, Any]) -> FoundMotifs:
    """Take the motifs that a model file holds, or look for them.

    With ``--sequences`` sites are looked for in these. Without, a model that was trained has its
    motifs in its file; for one that was imported, sites are looked for in random sequences.
    """
    if options["sequences"]:
        origin = "Sites are those in the sequences given."
        return _look_for(model, _read_sequences(model.spec, options["sequences"]), origin, options)
    if model.motifs or model.unused:
        origin = "Sites are those in the positives of the training data."
        return FoundMotifs(_group(model.motifs, model.spec), dict(model.unused), origin)
    _log.info("the model file has no motifs: sites are looked for in random sequences")
    origin = "Sites are those in random sequences, for the model file holds no motifs."
    found = _look_for(model, _draw_sequences(model.spec), origin, options)
    bare = [replace(m, enrichment=float("nan"), positions=()) for m in found.motifs]
    return replace(found, motifs=tuple(bare))


def _read_sequences(spec: "ModelSpec", path: Any) -> "Codes":
    from seqcnn.datasets import encode_records
    from seqcnn.genome import read_fasta_records

    records = read_fasta_records(path)
    # A model that scores windows inside sequences is no judge of how long they should be.
    length = None if spec.window else spec.length
    return encode_records(records, length=length, where=path).codes


def _draw_sequences(spec: "ModelSpec") -> "Codes":
    import numpy as np

    length = max(spec.length, _SHORTEST) if spec.window else spec.length
    return np.random.default_rng(0).integers(0, 4, (_RANDOM, length), dtype=np.uint8)


def _look_for(
    model: "TrainedModel", codes: "Codes", origin: str, options: Mapping[str, Any]
) -> FoundMotifs:
    from seqcnn.filters import learn_motifs

    motifs: list[Motif] = []
    unused: dict[str, int] = {}
    side_by_side = () if model.is_mixture else model.parts
    for part in side_by_side or (model,):
        engine = make_engine(part.with_rule(length=codes.shape[1]), options)
        judges = _judges(engine, codes)
        found = learn_motifs(engine, codes, judges=judges, convention=options["convention"])
        prefix = f"{part.spec.tasks[0]}_".replace("/", "_") if side_by_side else ""
        motifs += [_rename(motif, prefix) for motif in found.motifs]
        unused |= {prefix + name: number for name, number in found.unused.items()}
    motifs.sort(key=lambda motif: (bool(motif.duplicate_of), -motif.importance))
    return FoundMotifs(tuple(motifs), unused, origin)


def _judges(engine: "Engine", codes: "Codes") -> "Judges":
    """Set shuffles of the sequences beside them: the negatives of a model of one class."""
    import numpy as np

    from seqcnn.filters import Judges
    from seqcnn.negatives import shuffle_dinucleotides

    both = np.concatenate([codes, shuffle_dinucleotides(codes, rng=np.random.default_rng(1))])
    if len(engine.spec.tasks) > 1 or engine.spec.task_kind != "binary":
        return Judges(both)
    return Judges(both, np.repeat(np.array([1, 0], dtype=np.float32), len(codes))[:, None])


def _rename(motif: "Motif", prefix: str) -> "Motif":
    other = prefix + motif.duplicate_of if motif.duplicate_of else ""
    return replace(motif, name=prefix + motif.name, duplicate_of=other)


def _group(motifs: "tuple[Motif, ...]", spec: "ModelSpec") -> "tuple[Motif, ...]":
    """Find the duplicates among the motifs of an older file, which does not say them."""
    import math

    from seqcnn.motifs import merge_duplicates

    if not all(math.isnan(motif.share) for motif in motifs):
        return motifs
    strands: Strands = "+-" if spec.alphabet == "dna" else "+"
    first = {
        name: kept.name
        for kept, names in merge_duplicates(motifs, strands=strands)
        for name in names
    }
    marked = [replace(m, duplicate_of=first[m.name] * (first[m.name] != m.name)) for m in motifs]
    return tuple(sorted(marked, key=lambda motif: bool(motif.duplicate_of)))
