"""Which stretch of positions each mutant changes after each step of a network."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.layers import output_length
from seqcnn.engine.steps import Step

__all__ = ["Changes", "Indices", "Plan"]

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Changes:
    """M changed stretches of sequences, one in each mutant.

    Attributes
    ----------
    row
        The sequence of each (M,).
    start, stop
        Bases that change (M,).
    pairs
        What becomes of each base from the start on (M, widest): 5 * before + after.
    """

    row: Indices
    start: Indices
    stop: Indices
    pairs: Indices

    def __len__(self) -> int:
        return len(self.row)

    def choose(self, mutants: Indices | slice) -> "Changes":
        """Keep some of them, no wider than the widest among those."""
        start, stop = self.start[mutants], self.stop[mutants]
        widest = int((stop - start).max(initial=1))
        return Changes(self.row[mutants], start, stop, self.pairs[mutants, :widest])


@dataclass(frozen=True)
class Plan:
    """Where changes are after each step: `start` and `width` of the stretch of each mutant.

    Attributes
    ----------
    intervals
        For each step start and stop (M,), and the positions there are.
    channels
        Of each step's output.
    """

    intervals: tuple[tuple[Indices, Indices, int], ...]
    channels: tuple[int, ...]

    @classmethod
    def make(cls, steps: Iterable[Step], changes: Changes, length: int) -> "Plan":
        """Follow the changed intervals of sequences of a length through all steps."""
        place = changes.start, changes.stop, length
        intervals, channels = [], [0]
        for step in steps:
            place = _touched(step, *place)
            intervals.append(place)
            channels.append(channels[-1] if step.weights is None else step.weights.shape[2])
        return cls(tuple(intervals), tuple(channels[1:]))

    def stretch(self, step: int, mutants: slice) -> tuple[Indices, int]:
        """Give the first positions (m,) and the common width of some mutants after a step.

        A stretch begins where the mutant's own changes do, and may reach past the last position.
        After the last step it may not, and has the width of all mutants, for they are weighed
        together.
        """
        start, stop, positions = self.intervals[step]
        if step < len(self.intervals) - 1:
            return start[mutants], int((stop[mutants] - start[mutants]).max())
        width = int((stop - start).max())
        return np.minimum(start[mutants], positions - width), width

    @functools.cached_property
    def cells(self) -> list[int]:
        """Count the numbers of the widest stretch of a mutant after each step."""
        widths = [int((stop - start).max()) for start, stop, _ in self.intervals]
        return [w * c for w, c in zip(widths, self.channels, strict=True)]


def _touched(
    step: Step, start: Indices, stop: Indices, positions: int
) -> tuple[Indices, Indices, int]:
    """Give the outputs that intervals of inputs touch; one at least, touched or not."""
    for layer in step.layers:
        start = -((layer.span - 1 - layer.padding[0] - start) // layer.stride)
        stop = (stop - 1 + layer.padding[0]) // layer.stride + 1
        positions = output_length(layer, positions)
        start = start.clip(0, positions - 1)
        stop = np.maximum(stop.clip(0, positions), start + 1)
    return start, stop, positions
