"""False discovery rates: how many of the alleles called significant are so by chance.

References
----------
Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["discover", "q_values"]

Numbers = NDArray[np.float64]


def discover(p: Numbers, counts: NDArray[np.int64]) -> Numbers:
    """Give the q (k,) of each of different p-values.

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
        return p.copy()
    rank = np.cumsum(counts)  # alleles with this p or a smaller one
    rate = p * (rank[-1] / rank)  # in this order never below p
    return np.minimum(np.minimum.accumulate(rate[::-1])[::-1], 1.0)


def q_values(p: Numbers) -> Numbers:
    """Give the q (n,) of p-values (n,) of one task, as `discover` does; NaN is no test."""
    known = ~np.isnan(p)
    different, place, counts = np.unique(p[known], return_inverse=True, return_counts=True)
    q = np.full(p.shape, np.nan)
    q[known] = discover(different, counts)[place]
    return q
