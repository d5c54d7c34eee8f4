"""False discovery rates: how many of the alleles called significant are so by chance.

References
----------
Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FalseDiscovery", "PValueCounts", "discover", "q_values"]

_PENDING = 1 << 20
"""Values that are held before they are counted into the others."""

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class FalseDiscovery:
    """The q of each p of one task.

    Attributes
    ----------
    p
        Different p-values (k,), rising.
    q
        The smallest false discovery rate (k,) at which all alleles with this p are called.
    """

    p: Numbers
    q: Numbers

    def look_up(self, p: Numbers) -> Numbers:
        """Give the q of p-values (...) that were counted; NaN for NaN.

        Raises
        ------
        ValueError
            For a p that was not counted.
        """
        found = np.full(p.shape, np.nan)
        known = ~np.isnan(p)
        wanted = p[known]
        place = np.searchsorted(self.p, wanted)
        if (place == len(self.p)).any() or (self.p[place] != wanted).any():
            raise ValueError("p-values that were not counted")
        found[known] = self.q[place]
        return found


class PValueCounts:
    """Counts how often each p-value occurs, block by block, for each task.

    Every allele of every record is one test in each task; a missing p is none. Memory grows
    with the number of different values, of which empirical p-values have few. Neither the size
    of the blocks nor their order matters.

    Parameters
    ----------
    tasks
        Number of tasks; each is a family of tests of its own.
    """

    def __init__(self, tasks: int) -> None:
        self._tallies = [_Tally() for _ in range(tasks)]

    def add(self, p: Numbers) -> None:
        """Count a block of p-values (n, tasks); NaN is missing.

        Raises
        ------
        ValueError
            For numbers that are no probabilities, or another number of tasks.
        """
        known = p[~np.isnan(p)]
        if p.ndim != 2 or p.shape[1] != len(self._tallies):
            raise ValueError(f"p-values of shape {p.shape} for {len(self._tallies)} tasks")
        if ((known < 0) | (known > 1)).any():
            raise ValueError("p-values that are no probabilities")
        for tally, column in zip(self._tallies, p.T, strict=True):
            tally.add(column[~np.isnan(column)])

    @property
    def tests(self) -> list[int]:
        """Number of tests in each task."""
        return [int(tally.merged()[1].sum()) for tally in self._tallies]

    def adjust(self) -> list[FalseDiscovery]:
        """Give the q of each p, task by task."""
        return [discover(*tally.merged()) for tally in self._tallies]


class _Tally:
    """Different values, rising, and how often each occurs."""

    def __init__(self) -> None:
        self._parts: list[tuple[Numbers, Counts]] = []
        self._pending = 0

    def add(self, values: Numbers) -> None:
        different, counts = np.unique(values, return_counts=True)
        self._parts.append((different, counts.astype(np.int64)))
        self._pending += len(different)
        if self._pending > _PENDING:
            self.merged()

    def merged(self) -> tuple[Numbers, Counts]:
        if not self._parts:
            return np.empty(0), np.empty(0, dtype=np.int64)
        values, counts = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        different, place = np.unique(values, return_inverse=True)
        totals = np.zeros(len(different), dtype=np.int64)
        np.add.at(totals, place, counts)
        self._parts, self._pending = [(different, totals)], 0
        return different, totals


def discover(p: Numbers, counts: Counts) -> FalseDiscovery:
    """Give the q of each of different p-values.

    q of an allele is the smallest false discovery rate at which it is called: of m tests, the
    least of m p' / (number of p-values up to p') over all p' from its own p on.

    Parameters
    ----------
    p
        Different p-values (k,), rising.
    counts
        How many tests have each of them (k,).
    """
    if not len(p):
        return FalseDiscovery(p, p.copy())
    rank = np.cumsum(counts)  # alleles with this p or a smaller one
    rate = p * (rank[-1] / rank)  # in this order never below p
    return FalseDiscovery(p, np.minimum(np.minimum.accumulate(rate[::-1])[::-1], 1.0))


_adjust = discover


def q_values(p: Numbers) -> Numbers:
    """Give the q (n,) of p-values (n,) of one task, as `discover` does; NaN is no test."""
    counts = PValueCounts(1)
    counts.add(p[:, None])
    return counts.adjust()[0].look_up(p)
