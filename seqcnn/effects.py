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
from seqcnn.modelfile import TrainedModel, probabilities
from seqcnn.significance import UNTYPED, Null, classify_alleles, p_values
from seqcnn.variants import AllelePairs, ContigPairs

__all__ = ["VariantEffects", "active_quantile", "pair_types", "score_pairs"]

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
        The same of the probabilities (by softmax, where classes exclude each other); NaN for
        regression.
    deepbind
        delta * max(0, ref, alt): the published gate.
    quantile
        Share of the training positives that score below the larger allele.
    sd
        Standard deviation of delta over the members; NaN for a single one.
    p
        Of delta against null variants of the same type, two-sided; NaN where there are none.
    """

    ref_logit: Scores
    alt_logit: Scores
    delta: Scores
    probability_difference: Scores
    deepbind: Scores
    quantile: Scores
    sd: Scores
    p: Scores


def score_pairs(
    engine: Engine,
    shifted: list[AllelePairs],
    *,
    types: NDArray[np.uint8] | None = None,
    null: Null | None = None,
    progress: Callable[[int], object] | None = None,
) -> VariantEffects:
    """Score pairs of windows.

    Parameters
    ----------
    engine
        The model.
    shifted
        The same alleles in windows of different offsets, over which logits are averaged.
    types
        Number of the type of each allele (n,), of `seqcnn.significance.allele_types`. By default
        they are told from the windows, but for alleles in repeats longer than a window.
    null
        What effects are compared with; by default the model's own. One that was drawn with
        other strands or another number of shifts says nothing about these effects.
    progress
        Called with the number of windows done since the last call.
    """
    null = null or engine.model.null
    ref, alt = np.mean([_score_sides(engine, pairs, progress) for pairs in shifted], axis=0)
    delta = alt - ref
    ref_logit, alt_logit = ref.mean(axis=0), alt.mean(axis=0)
    larger = np.maximum(ref_logit, alt_logit)
    several = len(ref) > 1
    return VariantEffects(
        ref_logit=ref_logit,
        alt_logit=alt_logit,
        delta=delta.mean(axis=0),
        probability_difference=probabilities(alt_logit, engine.spec)
        - probabilities(ref_logit, engine.spec),
        deepbind=delta.mean(axis=0) * np.maximum(larger, 0),
        quantile=active_quantile(engine.model, larger),
        sd=delta.std(axis=0, ddof=1) if several else np.full_like(ref_logit, np.nan),
        p=p_values(null, pair_types(shifted[0]) if types is None else types, delta.mean(axis=0))
        if null and null.suits(strands=engine.spec.strands, shifts=len(shifted))
        else np.full_like(ref_logit, np.nan),
    )


def pair_types(pairs: AllelePairs) -> NDArray[np.uint8]:
    """Tell the type (n,) of the allele of each pair of windows; see `seqcnn.significance`."""
    types = np.full(len(pairs), UNTYPED, dtype=np.uint8)
    for part in pairs.parts:
        lengths = np.diff(part.alt.ends)
        alt_letters = np.append(part.alt.letters, np.uint8(0))[part.alt.ends[:-1]]
        types[part.places] = classify_alleles(
            part.alt.removed, lengths, _ref_letters(part), alt_letters
        )
    return types


def _ref_letters(part: ContigPairs) -> NDArray[np.uint8]:
    """Give the first base of each REF: the record's where it is spelled, else the contig's."""
    places = np.minimum(part.alt.alleles, len(part.contig) - 1)
    spelled = np.append(part.ref.letters, np.uint8(0))[part.ref.ends[:-1]]
    return np.where(np.diff(part.ref.ends) > 0, spelled, part.contig[places])


def _score_sides(
    engine: Engine, pairs: AllelePairs, progress: Callable[[int], object] | None
) -> Scores:
    """Score both windows of each pair: (2, members, n, tasks)."""
    sides = np.empty((2, engine.model.networks, len(pairs), len(engine.spec.tasks)))
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
