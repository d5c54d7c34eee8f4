"""One whole training: data in, a model with its metrics, motifs and references out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.engine import Engine, Predictions
from seqcnn.filters import detector_importance, extract_motifs
from seqcnn.metrics import (
    Baseline,
    evaluate_tasks,
    fit_composition_baseline,
    fit_length_baseline,
    predict_baseline,
)
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.splits import Split, add_shuffles
from seqcnn.training import History, TrainingConfig, standardise_targets, train_members

__all__ = ["Experiment", "evaluate_model", "run_experiment"]

_MOST_ROWS = 4000
"""Training sequences that are looked at again for motifs, references and training metrics."""

_QUANTILES = 1001


@dataclass(frozen=True)
class Experiment:
    """What a training leaves behind."""

    model: TrainedModel
    history: History
    predictions: Predictions
    """Of the test rows."""


def run_experiment(  # noqa: PLR0913
    split: Split,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    provenance: Mapping[str, Any],
    device: torch.device,
    threads: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Experiment:
    """Train a model on a split and measure it.

    Parameters
    ----------
    split
        Training, validation and test data.
    spec
        What the model takes and gives.
    config
        How to train it.
    provenance
        What the model file says of where it comes from.
    device, threads, progress
        As for `train_members`.
    """
    spec = standardise_targets(spec, split.train)
    members, history = train_members(
        split, spec, config, device=device, threads=threads, progress=progress
    )
    model = TrainedModel(spec, members, provenance=dict(provenance))
    engine = Engine(model, device=device, threads=threads)
    sample = _sample(split, seed=config.seed)
    positives = sample.take(np.flatnonzero(_sought(spec, sample)))
    baselines = _fit_baselines(sample, spec)
    metrics, predictions = evaluate_model(engine, split.test, baselines, seed=config.seed)
    sides = {"validation": split.validation, "train": sample}
    for name, side in sides.items():
        metrics[name] = _evaluate(spec, side, engine.predict(side.sequences.codes).logits)
    importance = [
        detector_importance(
            engine, split.validation.sequences.codes, split.validation.targets, member=member
        )
        for member in range(len(members))
    ]
    model = replace(
        model,
        reference=_reference(engine, positives),
        motifs=tuple(extract_motifs(engine, positives.sequences.codes, importance=importance)),
        metrics=metrics,
        baselines={name: baseline.to_json() for name, baseline in baselines.items()},
    )
    return Experiment(model, history, predictions)


def evaluate_model(
    engine: Engine, data: LabelledSequences, baselines: Mapping[str, Baseline], *, seed: int
) -> tuple[dict[str, Any], Predictions]:
    """Measure a model, and the baselines beside it, on labelled data.

    Returns
    -------
    tuple
        ``{"test": ..., "baselines": {NAME: ...}}`` as in metrics.json, and the predictions.
    """
    predictions = engine.predict(data.sequences.codes)
    metrics = {
        "test": _evaluate(engine.spec, data, predictions.logits, seed=seed),
        "baselines": {
            name: _evaluate(
                engine.spec, data, predict_baseline(baseline, data.sequences.codes), seed=seed
            )
            for name, baseline in baselines.items()
        },
    }
    return metrics, predictions


def _evaluate(
    spec: ModelSpec, data: LabelledSequences, predictions: NDArray[np.float64], *, seed: int = 0
) -> dict[str, Any]:
    return evaluate_tasks(
        data.targets, predictions, task_names=spec.tasks, kind=spec.task_kind, seed=seed
    )


def _sample(split: Split, *, seed: int) -> LabelledSequences:
    """Take at most `_MOST_ROWS` training rows, and the shuffles of the positives among them."""
    rows = np.random.default_rng([seed, 5]).permutation(len(split.train))[:_MOST_ROWS]
    sample = split.train.take(np.sort(rows))
    if split.shuffles:
        return add_shuffles(sample, ratio=split.shuffles, seed=seed)
    return sample


def _sought(spec: ModelSpec, sample: LabelledSequences) -> NDArray[np.bool_]:
    """Mark the rows that hold sites: positives, or the highest tenth of a regression."""
    if spec.task_kind != "regression":
        return sample.positive
    high = np.nanquantile(sample.targets, 0.9, axis=0)
    return np.asarray((sample.targets >= high).any(axis=1))


def _fit_baselines(sample: LabelledSequences, spec: ModelSpec) -> dict[str, Baseline]:
    codes, targets = sample.sequences.codes, sample.targets
    return {
        "composition": fit_composition_baseline(codes, targets, spec.task_kind),
        "length": fit_length_baseline(codes, targets, spec.task_kind),
    }


def _reference(engine: Engine, positives: LabelledSequences) -> NDArray[np.float32]:
    """Give the scores (tasks, quantiles) of the positives at even quantiles."""
    logits = engine.predict(positives.sequences.codes).logits
    quantiles = np.quantile(logits, np.linspace(0, 1, _QUANTILES), axis=0)
    return np.ascontiguousarray(quantiles.T, dtype=np.float32)
