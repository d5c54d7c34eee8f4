"""One whole training: data in, a model with its metrics, motifs and references out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.checkpoints import Checkpoints
from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes
from seqcnn.engine import Engine, Predictions
from seqcnn.engine.profiles import predict_profiles
from seqcnn.filters import Judges, learn_motifs
from seqcnn.metrics import (
    Baseline,
    evaluate_profiles,
    evaluate_tasks,
    fit_composition_baseline,
    fit_length_baseline,
    predict_baseline,
)
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.nulls import choose_count, draw_null
from seqcnn.protocol import Diagnosis, Examination, calibrate_spec, diagnose, examine
from seqcnn.splits import Split, add_shuffles
from seqcnn.training import (
    Family,
    History,
    TrainingConfig,
    Weights,
    standardise_targets,
    train_members,
    train_mixture,
)

__all__ = ["Experiment", "evaluate_model", "predict_data", "run_experiment"]

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
    examination: Examination
    """Of the calls on the test rows."""
    diagnosis: Mapping[str, Diagnosis]
    """Of each task: what its gaps between the sides say."""

    @property
    def metrics(self) -> dict[str, Any]:
        """What ``metrics.json`` holds, without time and device."""
        told = {task: one.to_json() for task, one in self.diagnosis.items()}
        return {**self.model.metrics, **self.examination.to_json(), "diagnosis": told}


def run_experiment(  # noqa: PLR0913
    split: Split,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    families: Sequence[Family] = (),
    starts: Sequence[Weights] = (),
    provenance: Mapping[str, Any],
    device: torch.device,
    threads: int = 0,
    progress: Callable[[int], object] | None = None,
    checkpoints: Checkpoints | None = None,
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
    families
        What a mixture is made of; then `config` gives its seed alone.
    starts, device, threads, progress, checkpoints
        As for `train_members`.
    """
    how: Any = {"device": device, "threads": threads, "progress": progress}
    how["checkpoints"] = checkpoints
    if families:  # each on a scale of its own; together they speak in the units of the targets
        model, history = train_mixture(split, spec, families, **how)
    else:
        spec = standardise_targets(spec, split.train)
        members, history = train_members(split, spec, config, starts=starts, **how)
        model = TrainedModel(spec, members)
    model = replace(model, provenance=dict(provenance))
    engine = _calibrate(Engine(model, device=device, threads=threads), split.validation)
    model, spec = engine.model, engine.spec
    sample = _sample(split, seed=config.seed)
    positives = _take_positives(split.train, spec, seed=config.seed)
    baselines = _fit_baselines(sample, spec)
    metrics, predictions = evaluate_model(engine, split.test, baselines, seed=config.seed)
    sides = {"validation": split.validation, "train": sample, "train_dev": split.train_dev}
    for name, side in sides.items():
        if side is None:
            continue
        metrics[name] = _evaluate(spec, side, predict_data(engine, side).logits)
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
    examination = examine(
        spec, split.test, predictions.logits, motifs=model.motifs, seed=config.seed
    )
    return Experiment(model, history, predictions, examination, diagnose(metrics))


def _calibrate(engine: Engine, validation: LabelledSequences) -> Engine:
    """Give the engine of the model with the temperatures and thresholds of its tasks."""
    logits = predict_data(engine, validation).logits
    targets = validation.targets if validation.profiles is None else validation.profiles
    spec = calibrate_spec(engine.spec, targets, logits)
    if spec == engine.spec:
        return engine
    model = replace(engine.model, spec=spec)
    return Engine(model, device=engine.device, threads=engine.threads)


def evaluate_model(
    engine: Engine, data: LabelledSequences, baselines: Mapping[str, Baseline], *, seed: int
) -> tuple[dict[str, Any], Predictions]:
    """Measure a model, and the baselines beside it, on labelled data.

    Returns
    -------
    tuple
        ``{"test": ..., "baselines": {NAME: ...}}`` as in metrics.json, and the predictions.
    """
    predictions = predict_data(engine, data)
    metrics = {
        "test": _evaluate(engine.spec, data, predictions.logits, seed=seed),
        "baselines": {
            name: _evaluate(
                replace(engine.spec, thresholds=()),
                data,
                _predict_baseline(baseline, data),
                seed=seed,
            )
            for name, baseline in baselines.items()
        },
    }
    return metrics, predictions


def _evaluate(
    spec: ModelSpec, data: LabelledSequences, predictions: NDArray[np.float64], *, seed: int = 0
) -> dict[str, Any]:
    if data.profiles is not None:
        return evaluate_profiles(
            data.profiles,
            predictions,
            task_names=spec.tasks,
            is_signal=spec.is_signal,
            seed=seed,
            thresholds=spec.thresholds,
        )
    return evaluate_tasks(
        data.targets,
        predictions,
        task_names=spec.tasks,
        kind=spec.task_kind,
        seed=seed,
        thresholds=spec.thresholds,
    )


def predict_data(engine: Engine, data: LabelledSequences) -> Predictions:
    """Score sequences, or each base of them where the bases have targets."""
    if data.profiles is not None:
        return predict_profiles(engine, data.sequences.codes)
    return engine.predict(data.sequences.codes)


def _predict_baseline(baseline: Baseline, data: LabelledSequences) -> NDArray[np.float64]:
    """Score sequences by a baseline; of a profile, all bases of a sequence alike."""
    logits = predict_baseline(baseline, data.sequences.codes)
    if data.profiles is None:
        return logits
    return np.broadcast_to(logits[:, :, None], data.profiles.shape)


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
