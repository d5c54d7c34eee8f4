"""How strong positives are, and what that counts for in training.

The strongest peaks hold the clearest sites; among the weakest are many without one. Training on
all alike can ruin a model, and training on the strongest alone wastes the others: so all are
seen, the stronger ones oftener.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALF_RANK", "join_ranks", "rank_by_order", "rank_by_signal", "weigh_ranks"]

Ranks = NDArray[np.float64]

HALF_RANK = 1000
"""Rank of the positive that counts half as much as the strongest."""


def rank_by_order(targets: NDArray[np.float32]) -> Ranks:
    """Rank the positives of targets (n, tasks) by their order; other rows have no rank (NaN)."""
    positive = (targets > 0.5).any(axis=1)
    return np.where(positive, np.cumsum(positive) - 1.0, np.nan)


def rank_by_signal(signals: Sequence[float | None]) -> Ranks | None:
    """Rank peaks by their signal, from 0; None where one is missing, or all are the same."""
    known = np.array([np.nan if signal is None else signal for signal in signals])
    if np.isnan(known).any() or len(np.unique(known)) < 2:
        return None
    return np.searchsorted(np.sort(-known), -known).astype(np.float64)


def weigh_ranks(ranks: Ranks | None) -> NDArray[np.float64] | None:
    """Say how much rows (n,) count: 1 for the strongest, a half for the 1000th after it.

    Rows of no rank count as much as those with one do on average. None where there are no ranks:
    then all count alike.
    """
    if ranks is None or np.isnan(ranks).all():
        return None
    weights = 1 / (1 + ranks / HALF_RANK)
    return np.where(np.isnan(weights), np.nanmean(weights), weights)


def join_ranks(parts: Sequence[Ranks | None], sizes: Sequence[int]) -> Ranks | None:
    """Join the ranks of several data; None where there are none at all."""
    if all(ranks is None for ranks in parts):
        return None
    return np.concatenate(
        [np.full(n, np.nan) if r is None else r for r, n in zip(parts, sizes, strict=True)]
    )
