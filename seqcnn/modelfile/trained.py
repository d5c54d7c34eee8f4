"""A trained model, or several side by side."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.modelfile.spec import ModelSpec
from seqcnn.motifs import Motif
from seqcnn.significance import Null

__all__ = ["UNSUPERVISED", "TrainedModel"]

UNSUPERVISED = "unsupervised"
"""Key of the provenance of a model that learned without labels: the names of what it learned."""


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, or an ensemble of them, and what was measured when it was trained.

    Attributes
    ----------
    spec
        What it takes and gives.
    members
        Weights of each member by name.
    reference
        Scores (tasks, quantiles) of the training positives at even quantiles from 0 to 1,
        against which an allele's score is ranked.
    motifs
        What the detectors recognise, most important first, duplicates last.
    unused
        By name, the number of sites of each detector that has too few for a motif.
    metrics
        As in metrics.json, without time and device.
    baselines
        The composition and length baselines, as JSON values.
    provenance
        Version, command, checksums of the data, seed.
    null
        Effects of null variants, against which those of alleles are held; None where there is
        no null distribution.
    parts
        Models that this one is made of; it has no members of its own then. Side by side, of one
        network each, their tasks one after the other are those of this model. In a mixture
        (`is_mixture`) they all have its tasks, and all their members are its members: what each
        says is brought on one scale by the centre and scale of its part.
    """

    spec: ModelSpec
    members: tuple[dict[str, NDArray[Any]], ...]
    reference: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    motifs: tuple[Motif, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    null: Null | None = None
    parts: tuple["TrainedModel", ...] = ()
    unused: dict[str, int] = field(default_factory=dict)

    @property
    def networks(self) -> int:
        """How many networks say something about each task."""
        if self.is_mixture:
            return sum(len(part.members) for part in self.parts)
        return len(self.members) or 1

    @property
    def is_mixture(self) -> bool:
        """Whether the parts are of one and the same task, and averaged."""
        return self.spec.architecture == "mixture"

    def with_rule(self, **changes: Any) -> "TrainedModel":
        """Give a model that scores by another rule, such as ``strands="single"``; parts too."""
        parts = tuple(part.with_rule(**changes) for part in self.parts)
        return replace(self, spec=replace(self.spec, **changes), parts=parts)
