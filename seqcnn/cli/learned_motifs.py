"""Where the motifs of a model come from: its file, sequences of the user's, or random ones."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from seqcnn.cli.models import make_engine

if TYPE_CHECKING:
    from seqcnn.dna import Codes
    from seqcnn.filters import Judges
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.motifs import Motif
    from seqcnn.motifs.comparison import Strands

__all__ = ["FoundMotifs", "find_motifs"]

_log = logging.getLogger("seqcnn.logos")

_WORTH = "Importance is the drop in {} when the detector and its duplicates are set to their means."
_ON_TEST = "the model's score on test data (AUROC of classes, else correlation)"
_ON_SHUFFLES = "the AUROC of these against shuffles of them"
_ON_ITSELF = "the correlation with the model's own scores"
_SHARE = "Importance is the share of the model's signal that is lost without the detector."

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
        codes, labelled = (
            _read_sequences(model.spec, options["sequences"]),
            _has_one_class(model.spec),
        )
        origin = "Sites are those in the sequences given. "
        origin += _WORTH.format(_ON_SHUFFLES if labelled else _ON_ITSELF)
        return _look_for(model, codes, origin, labelled=labelled, options=options)
    if model.motifs or model.unused:
        older = all(math.isnan(motif.share) for motif in model.motifs)
        origin = "Sites are those in the positives of the training data. "
        origin += _SHARE if older else _WORTH.format(_ON_TEST)
        return FoundMotifs(_group(model.motifs, model.spec), dict(model.unused), origin)
    _log.info("the model file has no motifs: sites are looked for in random sequences")
    origin = "Sites are those in random sequences, for the model file holds no motifs. "
    origin += _WORTH.format(_ON_ITSELF)
    codes = _draw_sequences(model.spec)
    found = _look_for(model, codes, origin, labelled=False, options=options)
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
    model: "TrainedModel",
    codes: "Codes",
    origin: str,
    *,
    labelled: bool,
    options: Mapping[str, Any],
) -> FoundMotifs:
    from seqcnn.filters import learn_motifs

    judges = _judges(codes, labelled=labelled)
    motifs: list[Motif] = []
    unused: dict[str, int] = {}
    side_by_side = () if model.is_mixture else model.parts
    for part in side_by_side or (model,):
        engine = make_engine(part.with_rule(length=codes.shape[1]), options)
        found = learn_motifs(engine, codes, judges=judges, convention=options["convention"])
        prefix = f"{part.spec.tasks[0]}_".replace("/", "_") if side_by_side else ""
        motifs += [_rename(motif, prefix) for motif in found.motifs]
        unused |= {prefix + name: number for name, number in found.unused.items()}
    motifs.sort(key=lambda motif: (bool(motif.duplicate_of), -motif.importance))
    return FoundMotifs(tuple(motifs), unused, origin)


def _judges(codes: "Codes", *, labelled: bool) -> "Judges":
    """Set shuffles of the sequences beside them: the negatives of a model of one class."""
    import numpy as np

    from seqcnn.filters import Judges
    from seqcnn.negatives import shuffle_dinucleotides

    both = np.concatenate([codes, shuffle_dinucleotides(codes, rng=np.random.default_rng(1))])
    targets = np.repeat(np.array([1, 0], dtype=np.float32), len(codes))[:, None]
    return Judges(both, targets if labelled else None)


def _has_one_class(spec: "ModelSpec") -> bool:
    return len(spec.tasks) == 1 and spec.task_kind == "binary"


def _rename(motif: "Motif", prefix: str) -> "Motif":
    other = prefix + motif.duplicate_of if motif.duplicate_of else ""
    return replace(motif, name=prefix + motif.name, duplicate_of=other)


def _group(motifs: "tuple[Motif, ...]", spec: "ModelSpec") -> "tuple[Motif, ...]":
    """Find the duplicates among the motifs of an older file, which does not say them."""
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
