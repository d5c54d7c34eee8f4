"""What an engine needs of a backend, whatever it computes with."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.genome import Haplotypes

__all__ = ["Advance", "Backend", "Logits"]

Logits = NDArray[np.float64]
Advance = Callable[[int], object]
"""Called with the number of windows (or sequences) done since the last call."""


class Backend(Protocol):
    """Members of a model laid out for evaluation; logits are as the networks give them.

    No result depends on the order, the neighbours, the blocks or the threads.
    """

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (members, n, tasks)."""

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (members, n, length, 4, tasks)."""

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (members, n, tasks) for each side."""

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order.

        Yields
        ------
        tuple
            Where the block's first window begins, and the logits (members, windows, tasks).
        """
