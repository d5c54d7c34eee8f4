"""Training of the gapped k-mer family: a member is a support vector machine, not a network.

Its scores are turned into logits by the validation data: the slope and the shift that make
probabilities of them. A regression is ridge regression.

References
----------
Lee 2016, doi:10.1093/bioinformatics/btw142 (LS-GKM). Lin et al. 2007,
doi:10.1007/s10994-007-5018-6 (Platt's probabilities)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import Codes
from seqcnn.engine.gkm import fold_scores
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.batches import scale_targets, shuffle_codes
from seqcnn.training.config import TrainedNetwork, TrainingJob
from seqcnn.training.gkm_solver import GappedSequences, Problem, minimise
from seqcnn.training.losses import mean_loss

__all__ = ["fit_logits", "train_gkm"]

Numbers = NDArray[np.float64]

_KINDS = ("binary", "multilabel", "regression")
_SMALLEST_SLOPE = 1e-3
_NEWTON_STEPS = 100


@dataclass(frozen=True)
class _Sides:
    """Sequences (codes), targets (n, tasks) and weights (n,) to learn from, and those held out."""

    codes: Codes
    targets: Numbers
    weights: Numbers
    held_out: GappedSequences
    held_out_targets: Numbers
    held_out_weights: Numbers | None


def train_gkm(job: TrainingJob, advance: Callable[[int], object]) -> TrainedNetwork:
    """Train a member of the gapped k-mer family.

    Parameters
    ----------
    job
        Its data, spec, and the seed of its shuffles, where negatives are shuffles.
    advance
        Called with the steps that a network would have taken.

    Raises
    ------
    ConfigError
        For a kind of task that is none of binary, multilabel and regression.
    """
    split, spec, member = job.split, job.spec, job.member
    config = spec.config
    if not isinstance(config, GkmConfig):
        raise TypeError(f"{spec.architecture} is not over gapped k-mers")
    if spec.task_kind not in _KINDS:
        expected = "binary, multilabel or regression"
        remedy = "choose another --arch"
        raise ConfigError("gkm", f"a {spec.task_kind} task", expected=expected, remedy=remedy)
    rng = np.random.default_rng([job.config.seed, 9, member])
    sides = _gather_sides(split, spec, config, rng)
    tables, bias = np.empty((len(spec.tasks), 4**config.width)), np.empty(len(spec.tasks))
    losses = np.empty((len(spec.tasks), 2))
    for task in range(len(spec.tasks)):
        tables[task], bias[task], losses[task] = _train_task(sides, spec, config, task)
    advance(job.config.steps)
    scores = tables if spec.strands == "single" else fold_scores(tables, config.width)
    weights = {"scores": scores.astype(np.float32), "bias": bias.astype(np.float32)}
    row = {"member": float(member), "step": 1.0, "learning_rate": 0.0}
    row["train_loss"], row["validation_loss"] = losses.mean(axis=0).tolist()
    return TrainedNetwork(weights, [row], validation_loss=row["validation_loss"])


def _gather_sides(
    split: Split, spec: ModelSpec, config: GkmConfig, rng: np.random.Generator
) -> _Sides:
    """Put training rows and shuffles of its positives together, and lay the held-out ones out."""
    train = split.train
    codes = [train.sequences.codes]
    targets = [scale_targets(train.targets, spec).astype(np.float64)]
    given = np.ones(len(train)) if train.weights is None else train.weights
    weights = [given]
    if split.shuffles:
        parents = train.sequences.codes[train.positive]
        for _ in range(max(split.shuffles, config.shuffles)):
            codes.append(shuffle_codes(parents, rng=rng))
            targets.append(np.zeros((len(parents), len(spec.tasks))))
            weights.append(given[train.positive])
    held_out = split.validation
    both = spec.strands != "single"
    return _Sides(
        np.concatenate(codes),
        np.concatenate(targets),
        np.concatenate(weights),
        GappedSequences(held_out.sequences.codes, config, both=both),
        scale_targets(held_out.targets, spec).astype(np.float64),
        held_out.weights,
    )


def _train_task(
    sides: _Sides, spec: ModelSpec, config: GkmConfig, task: int
) -> tuple[Numbers, float, tuple[float, float]]:
    """Find the scores of all l-mers, the bias, and the losses of training and validation."""
    column, held_out = sides.targets[:, task], sides.held_out_targets[:, task]
    known = ~np.isnan(column)
    sequences = GappedSequences(sides.codes[known], config, both=spec.strands != "single")
    hinge = spec.task_kind != "regression"
    problem = _pose(sequences, column[known], config.cost * sides.weights[known], hinge=hinge)
    amounts, learned = minimise(problem)
    table, bias = sequences.score_lmers(amounts), float(amounts.sum())
    found = sides.held_out.score(table) + bias
    slope, shift = fit_logits(found, held_out, sides.held_out_weights) if hinge else (1.0, 0.0)
    losses = [
        _mean_loss(slope * scores + shift, targets, weights, spec)
        for scores, targets, weights in (
            (learned, column[known], sides.weights[known]),
            (found, held_out, sides.held_out_weights),
        )
    ]
    return slope * table, slope * bias + shift, (losses[0], losses[1])


def _mean_loss(
    scores: Numbers, targets: Numbers, weights: Numbers | None, spec: ModelSpec
) -> float:
    columns = [values.astype(np.float32)[:, None] for values in (scores, targets)]
    return mean_loss(columns[0], columns[1], spec.loss, weights=weights)


def _pose(sequences: GappedSequences, targets: Numbers, costs: Numbers, *, hinge: bool) -> Problem:
    """Say what is minimised; both classes weigh alike."""

    def product(amounts: Numbers) -> Numbers:
        return np.asarray(sequences.score(sequences.score_lmers(amounts)) + amounts.sum())

    if not hinge:
        return Problem(product, targets, costs, hinge)
    positive = targets > 0.5
    for side in (positive, ~positive):
        if side.any():
            costs[side] *= len(targets) / (2 * side.sum())
    return Problem(product, np.where(positive, 1.0, -1.0), costs, hinge)


def fit_logits(
    scores: Numbers, targets: Numbers, weights: Numbers | None = None
) -> tuple[float, float]:
    """Find slope and shift that turn scores into logits: the least log loss.

    Parameters
    ----------
    scores
        Of sequences that were not learned from (n,).
    targets
        Their labels (n,), NaN where missing. They are taken as a little uncertain, so that
        scores that part both classes get no endless slope.
    weights
        How much each counts (n,); all alike where there are none.

    Returns
    -------
    tuple
        Slope, above 0, and shift; 1 and 0 where one of the classes is missing.
    """
    known = ~np.isnan(targets)
    scores, positive = scores[known], targets[known] > 0.5
    counts = np.ones(len(scores)) if weights is None else weights[known] / weights[known].mean()
    number = int(positive.sum()), int((~positive).sum())
    if not min(number):
        return 1.0, 0.0
    wanted = np.where(positive, (number[0] + 1) / (number[0] + 2), 1 / (number[1] + 2))
    centre, spread = scores.mean(), scores.std() or 1.0
    columns = np.stack([(scores - centre) / spread, np.ones_like(scores)])
    weights = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-weights @ columns))
        gradient = columns @ (counts * (chances - wanted))
        curvature = (columns * (counts * chances * (1 - chances))) @ columns.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights -= step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    slope = max(float(weights[0] / spread), _SMALLEST_SLOPE)
    return slope, float(weights[1] - slope * centre)
