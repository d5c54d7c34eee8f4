"""What a detector is worth: what the model loses when it is set to its mean.

Where the network pools each detector by itself, its features are set to their mean over all
sequences and strands. In a network with further convolutions a detector has no features of its
own. There its activations are set to their mean, and the loss is taken to first order: gradient
of the logit times (activation - mean), for each sequence.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.engine.strands import combine_strands
from seqcnn.metrics import auroc, pearson

__all__ = ["Knockout", "Numbers", "Part", "Worth", "choose_rows", "measure_score"]

_MOST_ROWS = 2000  # sequences on which importance is measured
_FEWEST_ROWS = 250
_SMALLEST_SIGNAL = 1e-20  # below it, a covariance of logits is rounding

Numbers = NDArray[np.float64]
Group = Mapping[int, Sequence[int]]
"""By member, numbers of its detectors."""


def choose_rows(engines: Iterable[Engine], number: int) -> NDArray[np.int64]:
    """Choose on which of so many sequences it is measured what motifs are worth.

    Of more than 2000, so many at even distances; fewer for deep networks of many tasks, where
    each task costs a pass.
    """
    most = _MOST_ROWS
    for engine in engines:
        if engine.has_detectors and _is_deep(engine):
            most = min(most, max(_FEWEST_ROWS, _MOST_ROWS // max(1, len(engine.spec.tasks) // 4)))
    return np.linspace(0, number - 1, min(number, most)).astype(np.int64)


def _is_deep(engine: Engine) -> bool:
    return isinstance(engine.torch.networks[0], StackedNetwork)


class Knockout:
    """Takes detectors out of a model, on sequences that stay the same.

    Parameters
    ----------
    engine
        The model.
    codes
        Sequences (n, length).

    Attributes
    ----------
    logits
        Logits (members, n, tasks) of the whole model.
    """

    def __init__(self, engine: Engine, codes: Codes) -> None:
        self._torch, self._deep = engine.torch, _is_deep(engine)
        self._members = range(len(engine.torch.networks))
        self._engine, self._codes = engine, codes
        self._features = [engine.torch.features(self._codes, member=m) for m in self._members]
        self.logits = np.stack([self._weigh(member) for member in self._members])
        self._parts: dict[int, Numbers] = {}

    def _weigh(self, member: int) -> Numbers:
        logits = self._torch.weigh(self._features[member], member=member)
        return np.asarray(logits.cpu().numpy())

    def without(self, group: Group) -> Numbers:
        """Give the logits (members, rows, tasks) without some detectors."""
        logits = self.logits.copy()
        for member, detectors in group.items():
            logits[member] = self._member_without(member, detectors)
        return logits

    def _member_without(self, member: int, detectors: Sequence[int]) -> Numbers:
        if self._deep:
            if member not in self._parts:
                parts = _first_order_parts(self._engine, self._codes, member=member)
                self._parts[member] = parts
            lost = self._parts[member][:, list(detectors)].sum(axis=1)
            return np.asarray(self.logits[member] - lost)
        network, features = self._torch.networks[member], self._features[member]
        columns = [column for d in detectors for column in network.features_of(d)]
        mean = torch.cat([strand[:, columns] for strand in features]).mean(dim=0)
        kept = [strand[:, columns].clone() for strand in features]
        for strand in features:
            strand[:, columns] = mean
        logits = self._weigh(member)
        for strand, values in zip(features, kept, strict=True):
            strand[:, columns] = values
        return logits


def measure_score(targets: NDArray[np.floating] | None, logits: Numbers, whole: Numbers) -> float:
    """Measure how good logits are, by AUROC of classes, else by Pearson's correlation.

    Parameters
    ----------
    targets
        Targets (n, tasks), NaN where missing; where there are none, or of another shape, the
        logits of the whole model stand for them.
    logits
        Logits (n, tasks) to be measured.
    whole
        Those of the whole model.

    Returns
    -------
    float
        Mean over the tasks that the targets define; NaN where they define none.
    """
    if targets is None or targets.shape != logits.shape:
        targets = whole
    scores = []
    for wanted, given in zip(targets.T.astype(np.float64), logits.T, strict=True):
        known = wanted[~np.isnan(wanted)]
        of_classes = len(known) > 0 and bool(np.isin(known, (0, 1)).all())
        scores.append((auroc if of_classes else pearson)(wanted, given))
    defined = [score for score in scores if not np.isnan(score)]
    return float(np.mean(defined)) if defined else float("nan")


class Part(Protocol):
    """Some members of a model, of which motifs can be taken."""

    @property
    def logits(self) -> Numbers:
        """What the members say of the judged sequences (members, rows, tasks)."""

    def lost_without(self, names: Sequence[str]) -> Numbers:
        """Give what some of its motifs add to the sum of its members' logits (rows, tasks)."""


class Worth:
    """Measures what motifs are worth to a whole model, the mean of all members of its parts.

    The signal is the covariance of target and logit over the sequences, averaged over the
    tasks. Where target and logit do not rise together, nothing of that kind can be lost: there
    the model's own logits stand for the targets.

    Parameters
    ----------
    parts
        The parts of the model.
    targets
        Targets (rows, tasks) of the judged sequences, NaN where missing; without them the
        model's own logits.
    """

    def __init__(self, parts: Sequence[Part], targets: NDArray[np.floating] | None) -> None:
        self._targets = targets
        self._members = sum(len(part.logits) for part in parts)
        self._whole = np.sum([part.logits.sum(axis=0) for part in parts], axis=0) / self._members
        self._score = measure_score(targets, self._whole, self._whole)
        fits = targets is not None and targets.shape == self._whole.shape
        wanted = targets.astype(np.float64) if targets is not None and fits else self._whole
        self._wanted = np.where(_covariance(wanted, self._whole) > 0, wanted, self._whole)
        self._signal = _covariance(self._wanted, self._whole)  # (tasks,)

    def share(self, lost: Numbers) -> float:
        """Give the share of the signal in what would be lost (rows, tasks).

        Those of all detectors add up to 1 where all heads are linear. The share is 0 in a model
        that says the same of every sequence.
        """
        told = self._signal > _SMALLEST_SIGNAL
        if not told.any():
            return 0.0
        shares = _covariance(self._wanted, lost / self._members)[told] / self._signal[told]
        return float(shares.mean())

    def drop(self, lost: Numbers) -> float:
        """Give the drop in the score of the model without it (rows, tasks); 0 without a score."""
        left = self._whole - lost / self._members
        drop = self._score - measure_score(self._targets, left, self._whole)
        return 0.0 if math.isnan(drop) else drop


def _first_order_parts(engine: Engine, codes: Codes, *, member: int) -> Numbers:
    """Give gradient times (activation - mean), summed over positions: (rows, detectors, tasks)."""

    def run(start: int) -> tuple[Numbers, Numbers, Numbers]:
        rows = slice(start, start + engine.torch.block)
        blocks = engine.torch.map_blocks(
            codes[rows], lambda one_hot, n: _backward(engine, one_hot, n, member=member)
        )
        return next(iter(blocks))

    starts = range(0, len(codes), engine.torch.block)
    with ThreadPoolExecutor(engine.threads) as pool:
        blocks = list(pool.map(run, starts))
    products, gradients, activations = (np.concatenate(part) for part in zip(*blocks, strict=True))
    mean = activations.mean(axis=0)  # (detectors,)
    return np.asarray(products - gradients * mean[:, None])


def _backward(
    engine: Engine, one_hot: Tensor, rows: int, *, member: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Run a block forwards, and backwards from each task.

    Returns
    -------
    tuple
        Sums over strands and positions of gradient times activation and of the gradient
        (rows, detectors, tasks), and the mean activation (rows, detectors).
    """
    network = engine.torch.networks[member]
    assert isinstance(network, StackedNetwork)
    strands = [strand[: max(2, rows)] for strand in engine.torch.strands(one_hot)]
    with torch.inference_mode(mode=False), torch.enable_grad():
        every = network.layers[0].stride  # detect looks from each base on
        scores = [network.detect(strand.clone())[:, :, ::every] for strand in strands]
        inputs = [network.activate(values) for values in scores]
        inputs = [values.detach().requires_grad_() for values in inputs]
        logits = [network.head(network.pool_activations(values)) for values in inputs]
        both = len(logits) == 2
        joint = combine_strands(logits[0], logits[1], engine.spec.strands) if both else logits[0]
        sums = [
            torch.autograd.grad(joint[:rows, task].sum(), inputs, retain_graph=True)
            for task in range(joint.shape[1])
        ]
    activations = torch.stack([values.detach() for values in inputs])  # (strands, n, detectors, p)
    slopes = [torch.stack(gradients) for gradients in sums]
    parts = (
        torch.stack([(activations * slope).sum(dim=3).double().sum(dim=0) for slope in slopes], 2),
        torch.stack([slope.sum(dim=3).double().sum(dim=0) for slope in slopes], 2),
        activations.mean(dim=3).double().mean(dim=0),
    )
    first, second, third = (np.asarray(part[:rows].cpu().numpy()) for part in parts)
    return first, second, third


def _covariance(targets: Numbers, logits: Numbers) -> Numbers:
    """Covariance of each task's column over the rows whose target is known."""
    known = ~np.isnan(targets)
    number = np.maximum(known.sum(axis=0), 1)
    centred = targets - np.where(known, targets, 0).sum(axis=0) / number
    return np.asarray((np.where(known, centred, 0) * logits).sum(axis=0) / number)
