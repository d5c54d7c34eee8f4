"""The effect of an allele: what a model says of its haplotype, less what it says of the reference.

References
----------
Alipanahi et al. 2015, doi:10.1038/nbt.3300 (the gated product)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine import Engine
from seqcnn.modelfile import TrainedModel
from seqcnn.variants import AllelePairs

__all__ = ["VariantEffects", "active_quantile", "score_pairs"]

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class VariantEffects:
    """Scores (n, tasks) of n alleles; for regression a logit is a value in the target's units.

    Attributes
    ----------
    ref_logit, alt_logit
        Of the reference and of the alternative window, averaged over strands, shifts, members.
    delta
        Alternative minus reference.
    probability_difference
        The same of the probabilities; NaN for regression.
    deepbind
        delta * max(0, ref, alt): the published gate.
    quantile
        Share of the training positives that score below the larger allele.
    sd
        Standard deviation of delta over the members; NaN for a single one.
    """

    ref_logit: Scores
    alt_logit: Scores
    delta: Scores
    probability_difference: Scores
    deepbind: Scores
    quantile: Scores
    sd: Scores


def score_pairs(
    engine: Engine, shifted: list[AllelePairs], *, progress: Callable[[int], object] | None = None
) -> VariantEffects:
    """Score pairs of windows.

    Parameters
    ----------
    engine
        The model.
    shifted
        The same alleles in windows of different offsets, over which logits are averaged.
    progress
        Called with the number of windows done since the last call.
    """
    ref, alt = np.mean([_score_sides(engine, pairs, progress) for pairs in shifted], axis=0)
    delta = alt - ref
    ref_logit, alt_logit = ref.mean(axis=0), alt.mean(axis=0)
    larger = np.maximum(ref_logit, alt_logit)
    several = len(ref) > 1
    is_regression = engine.spec.task_kind == "regression"
    return VariantEffects(
        ref_logit=ref_logit,
        alt_logit=alt_logit,
        delta=delta.mean(axis=0),
        probability_difference=np.full_like(ref_logit, np.nan)
        if is_regression
        else _sigmoid(alt_logit) - _sigmoid(ref_logit),
        deepbind=delta.mean(axis=0) * np.maximum(larger, 0),
        quantile=active_quantile(engine.model, larger),
        sd=delta.std(axis=0, ddof=1) if several else np.full_like(ref_logit, np.nan),
    )


def _score_sides(
    engine: Engine, pairs: AllelePairs, progress: Callable[[int], object] | None
) -> Scores:
    """Score both windows of each pair: (2, members, n, tasks)."""
    sides = np.empty((2, len(engine.model.members), len(pairs), len(engine.spec.tasks)))
    for part in pairs.parts:
        found = engine.predict_alleles(part.contig, part.ref, part.alt, progress=progress)
        for side, predictions in zip(sides, found, strict=True):
            side[:, part.places] = predictions.members
    return sides


def active_quantile(model: TrainedModel, logits: Scores) -> Scores:
    """Rank logits (n, tasks) among the training positives: 0 below all of them, 1 above all."""
    reference = model.reference.astype(np.float64)  # (tasks, quantiles)
    if not reference.size:
        return np.full_like(logits, np.nan)
    steps = np.linspace(0, 1, reference.shape[1])
    columns = [np.interp(logits[:, t], reference[t], steps) for t in range(logits.shape[1])]
    return np.stack(columns, axis=1)


def _sigmoid(logits: Scores) -> Scores:
    # exp of a large negative number is 0, and of a large positive one is never asked for.
    small = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1 / (1 + small), small / (1 + small)))
