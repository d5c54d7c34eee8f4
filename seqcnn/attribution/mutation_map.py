"""The mutation map: what each substitution of a sequence does to a model's output.

References
----------
Alipanahi et al. 2015, doi:10.1038/nbt.3300 (mutation maps and their gate)
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes

__all__ = ["GATES", "Gate", "MutationMap"]

Gate = Literal["none", "indicator", "product"]
Values = NDArray[np.float64]

GATES: tuple[Gate, ...] = ("none", "indicator", "product")
"""How deltas are weighed: see `MutationMap.deltas`."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class MutationMap:
    """Logits of all substitutions of one sequence.

    Attributes
    ----------
    name
        What the sequence is called.
    codes
        Its bases (length,).
    places
        Where each base stands (length,), from 0: on the contig, or in the sequence where there
        is none. Inserted bases stand where the base left of them does.
    logits
        Logits (length, 4, tasks) with each base at each position; with the sequence's own base,
        those of the sequence.
    unchanged
        Logits (length, tasks) of the window in which a position was looked at, as it is.
    tasks
        A name for each output.
    alphabet
        ``dna`` or ``rna``.
    contig
        Where the bases come from; None for a sequence of its own.
    marked
        First column of what a variant changes, and the one after the last: the same where there
        is nothing between two bases. None without a variant.
    """

    name: str
    codes: Codes
    places: NDArray[np.int64]
    logits: Values
    unchanged: Values
    tasks: tuple[str, ...]
    alphabet: str = "dna"
    contig: str | None = None
    marked: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def deltas(self, gate: Gate = "none") -> Values:
        """Subtract the sequence's own logits: (length, 4, tasks), 0 with its own base.

        Parameters
        ----------
        gate
            ``none``: as they are. ``indicator``: 0 where neither logit is above 0, as DeepBind's
            program has it. ``product``: times the larger logit, or 0 where that is below it, as
            its paper has it.
        """
        own = self.unchanged[:, None, :]
        larger = np.maximum(np.maximum(self.logits, own), 0)
        weights = {"none": np.ones(()), "indicator": np.sign(larger), "product": larger}
        deltas = (self.logits - own) * weights[gate]
        known = np.flatnonzero(self.codes < UNKNOWN)
        deltas[known, self.codes[known]] = 0
        return np.asarray(deltas)

    def effects(self, gate: Gate = "none") -> Values:
        """Give what each base does for the output (length, tasks).

        It is minus the mean delta of its three substitutions: above 0 where the output falls
        without the base. At an N it is 0.
        """
        effects = -self.deltas(gate).sum(axis=1) / 3
        effects[self.codes >= UNKNOWN] = 0
        return np.asarray(effects + 0.0)

    def take(self, first: int, stop: int) -> "MutationMap":
        """Cut columns `first` to `stop` - 1 out."""
        columns = slice(first, stop)
        return replace(
            self,
            codes=self.codes[columns],
            places=self.places[columns],
            logits=self.logits[columns],
            unchanged=self.unchanged[columns],
            marked=_cut_mark(self.marked, first, stop),
        )

    def for_task(self, task: str) -> "MutationMap":
        """Keep one task."""
        column = self.tasks.index(task)
        kept = slice(column, column + 1)
        return replace(
            self,
            logits=self.logits[:, :, kept],
            unchanged=self.unchanged[:, kept],
            tasks=(task,),
        )


def _cut_mark(marked: tuple[int, int] | None, first: int, stop: int) -> tuple[int, int] | None:
    if marked is None:
        return None
    low, high = max(marked[0], first), min(marked[1], stop)
    is_seen = low < high or (low == high and marked[0] == marked[1])
    return (low - first, high - first) if is_seen else None
