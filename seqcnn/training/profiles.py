"""Training on a target for each base: batches, and targets in the form that a loss compares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes, reverse_complement
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.batches import Feed, scale_targets

__all__ = ["ProfileFeed", "learning_targets"]

Floats = NDArray[np.float32]


def learning_targets(data: LabelledSequences, spec: ModelSpec) -> Floats:
    """Give what the outputs of a network are held against (n, outputs), standardised.

    The outputs of a profile are those of the first task's bases, then those of the next.
    """
    if spec.task_kind != "profile":
        return scale_targets(data.targets, spec)
    profiles = data.profiles
    if profiles is None:
        raise TypeError("data without profiles")
    if spec.is_signal:
        centre, scale = (np.array(v, np.float32)[:, None] for v in (spec.centre, spec.scale))
        profiles = (profiles - centre) / scale
    return profiles.reshape(len(profiles), -1)


class ProfileFeed(Feed):
    """A stream of batches whose targets are turned round with their sequences.

    Parameters are those of `Feed`; sequences are not changed otherwise.

    Raises
    ------
    ConfigError
        When they shall be changed.
    """

    def __init__(self, split: Split, spec: ModelSpec, **how: Any) -> None:
        if how.get("augment") is not None and how.get("changed"):
            raise ConfigError(
                "--augment",
                "the task is a profile, whose targets would have to change with the sequence",
                expected="no --augment; both strands are seen anyway",
            )
        super().__init__(split, spec, **how)
        targets = learning_targets(split.train, spec)
        shuffled = np.zeros((len(self.sources) - len(targets), targets.shape[1]), dtype=np.float32)
        self.targets = np.concatenate([targets, shuffled])
        self._tasks = len(spec.tasks)
        self._both, self.turning = self.turning, False

    def take(self, steps: int) -> tuple[Codes, Floats]:
        """See `Feed`."""
        codes, targets = super().take(steps)
        if not self._both:
            return codes, targets
        turned = self.rng.random(codes.shape[:2]) < 0.5
        codes[turned] = reverse_complement(codes[turned])
        by_base = targets[turned].reshape(int(turned.sum()), self._tasks, -1)
        targets[turned] = by_base[:, :, ::-1].reshape(len(by_base), -1)
        return codes, targets
