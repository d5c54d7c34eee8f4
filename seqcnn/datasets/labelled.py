"""Sequences with what is known of them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.errors import ConfigError
from seqcnn.genome import (
    Sequences,
)
from seqcnn.ranks import join_ranks, weigh_ranks

__all__ = [
    "LabelledSequences",
    "check_labels",
    "concatenate",
]


@dataclass(frozen=True)
class LabelledSequences:
    """Sequences with their targets.

    Attributes
    ----------
    sequences
        The sequences.
    targets
        Array (n, tasks), NaN where a label is missing.
    tasks
        Their names.
    profiles
        Targets of each base (n, tasks, length), where there are any; `targets` then says
        whether a base of the sequence has the label, or how high its signal is at most.
    exclusive
        Whether the tasks are classes, of which each sequence belongs to one.
    ranks
        Place (n,) among the positives by strength, 0 for the strongest; NaN where it is not
        known. None where it is known of none.
    """

    sequences: Sequences
    targets: NDArray[np.float32]
    tasks: tuple[str, ...]
    profiles: NDArray[np.float32] | None = None
    exclusive: bool = False
    ranks: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, indices: NDArray[np.integer]) -> "LabelledSequences":
        """Choose rows, in the order of `indices`."""
        return replace(
            self,
            sequences=self.sequences.take(indices),
            targets=self.targets[indices],
            profiles=None if self.profiles is None else self.profiles[indices],
            ranks=None if self.ranks is None else self.ranks[indices],
        )

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """How much each row (n,) counts in training; None where all count alike."""
        return weigh_ranks(self.ranks)

    def without_weaker(self, number: int) -> "LabelledSequences":
        """Leave the positives out that are not among so many of the strongest.

        Positives of no rank stay, as negatives do.
        """
        if self.ranks is None:
            return self
        return self.take(np.flatnonzero(~(self.positive & (self.ranks >= number))))

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Rows (n,) that are positive in at least one task."""
        return np.asarray((self.targets > 0.5).any(axis=1))

    @property
    def strata(self) -> NDArray[np.intp]:
        """Number (n,) of what a row is, for choices that shall leave no kind of rows out.

        The class where there are classes, else whether the row is positive.
        """
        if self.exclusive:
            return np.asarray(np.nan_to_num(self.targets).argmax(axis=1))
        return self.positive.astype(np.intp)


def concatenate(parts: Sequence[LabelledSequences]) -> LabelledSequences:
    """Join data of one length and the same tasks, in order.

    Intervals are kept only where every row of every part has one.
    """
    located = all(part.sequences.intervals is not None for part in parts)
    intervals = itertools.chain.from_iterable(part.sequences.intervals or () for part in parts)
    sequences = Sequences(
        np.concatenate([part.sequences.codes for part in parts]),
        tuple(itertools.chain.from_iterable(part.sequences.names for part in parts)),
        tuple(intervals) if located else None,
    )
    profiles = [part.profiles for part in parts if part.profiles is not None]
    return replace(
        parts[0],
        sequences=sequences,
        targets=np.concatenate([part.targets for part in parts]),
        profiles=np.concatenate(profiles) if profiles else None,
        ranks=join_ranks([part.ranks for part in parts], [len(part) for part in parts]),
    )


def check_labels(data: LabelledSequences, *, where: object, remedy: str) -> None:
    """Refuse targets from which nothing can be learned.

    Raises
    ------
    ConfigError
        When a task has only one value.
    """
    for column, task in enumerate(data.tasks):
        values = np.unique(data.targets[:, column])
        values = values[~np.isnan(values)]
        if len(values) < 2:
            found = f"{values[0]:g}" if len(values) else "missing"
            raise ConfigError(
                where,
                f"every label of {task!r} is {found}",
                expected="at least two values",
                remedy=remedy,
            )
