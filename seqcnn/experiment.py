"""One whole training: data in, a model with its metrics, motifs and references out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes
from seqcnn.engine import Engine, Predictions
from seqcnn.filters import Judges, learn_motifs
from seqcnn.metrics import (
    Baseline,
    evaluate_tasks,
    fit_composition_baseline,
    fit_length_baseline,
    predict_baseline,
)
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.nulls import choose_count, draw_null
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
    positives = _take_positives(split.train, spec, seed=config.seed)
    baselines = _fit_baselines(sample, spec)
    metrics, predictions = evaluate_model(engine, split.test, baselines, seed=config.seed)
    sides = {"validation": split.validation, "train": sample}
    for name, side in sides.items():
        metrics[name] = _evaluate(spec, side, engine.predict(side.sequences.codes).logits)
    judges = Judges(split.test.sequences.codes, split.test.targets)
    learned = learn_motifs(engine, positives.sequences.codes, judges=judges)
    model = replace(
        model,
        reference=_reference(engine, positives),
        motifs=learned.motifs,
        unused=learned.unused,
        metrics=metrics,
        baselines={name: baseline.to_json() for name, baseline in baselines.items()},
        null=draw_null(
            engine,
            _contexts(positives, sample, spec),
            count=choose_count(spec),
            seed=config.seed,
        ),
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
    sample = _draw_rows(split.train, np.ones(len(split.train), dtype=np.bool_), seed)
    if split.shuffles:
        return add_shuffles(sample, ratio=split.shuffles, seed=seed)
    return sample


def _draw_rows(data: LabelledSequences, allowed: NDArray[np.bool_], seed: int) -> LabelledSequences:
    """Take at most `_MOST_ROWS` of the allowed rows (n,), in their order."""
    rows = np.random.default_rng([seed, 5]).permutation(np.flatnonzero(allowed))[:_MOST_ROWS]
    return data.take(np.sort(rows))


def _take_positives(data: LabelledSequences, spec: ModelSpec, *, seed: int) -> LabelledSequences:
    """Take rows that hold sites, however few they are; their targets say for which tasks."""
    positive = _sought(data.targets, spec)
    targets = np.where(positive, np.float32(1), np.float32(0))
    return _draw_rows(replace(data, targets=targets), np.asarray(positive.any(axis=1)), seed)


def _contexts(positives: LabelledSequences, sample: LabelledSequences, spec: ModelSpec) -> Codes:
    """Choose sequences whose shuffles null variants stand in: sites, or all of a regression."""
    of_sites = len(positives) > 0 and spec.task_kind != "regression"
    return (positives if of_sites else sample).sequences.codes


def _sought(targets: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.bool_]:
    """Mark the targets (n, tasks) of sites: positives, or the highest tenth of a regression."""
    if spec.task_kind != "regression":
        return np.asarray(targets > 0.5)
    lowest = [
        np.quantile(column[~np.isnan(column)], 0.9) if (~np.isnan(column)).any() else np.inf
        for column in targets.T
    ]
    return np.asarray(targets >= np.array(lowest, dtype=np.float32))


def _fit_baselines(sample: LabelledSequences, spec: ModelSpec) -> dict[str, Baseline]:
    codes, targets = sample.sequences.codes, sample.targets
    return {
        "composition": fit_composition_baseline(codes, targets, spec.task_kind),
        "length": fit_length_baseline(codes, targets, spec.task_kind),
    }


def _reference(engine: Engine, positives: LabelledSequences) -> NDArray[np.float32]:
    """Give the scores (tasks, quantiles) of each task's positives at even quantiles.

    A task without positives is measured by those of the others.
    """
    if not len(positives):
        return np.zeros((0, 0), dtype=np.float32)
    logits = engine.predict(positives.sequences.codes).logits
    rows = []
    for task, column in enumerate(logits.T):
        own = column[positives.targets[:, task] > 0.5]
        rows.append(np.quantile(own if len(own) else column, np.linspace(0, 1, _QUANTILES)))
    return np.array(rows, dtype=np.float32)
