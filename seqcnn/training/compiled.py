"""Pooled networks on a CPU: `Learner` over compiled kernels."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine.bank import BankShape, bank_shape, read_row, write_row
from seqcnn.engine.gradients import turn_rows
from seqcnn.training.config import OPTIMISERS, TrainingJob, Weights
from seqcnn.training.heads import class_loss_and_slopes, loss_and_slopes
from seqcnn.training.learner import Arrays, Seeded, Steps, copy_weights
from seqcnn.training.passes import Parameters, Pass, split_sections
from seqcnn.training.transfer import slow_names
from seqcnn.training.updates import Rules, Slots, update

__all__ = ["CompiledLearner", "draw_keys", "shape_of", "shares_of"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Keys = NDArray[np.uint32]


def shape_of(job: TrainingJob) -> BankShape | None:
    """Describe the network of a job, or give None if it cannot be trained as one of a bank."""
    spec = job.spec
    if spec.strands == "shared":
        return None
    if not job.config.trunk_rate:  # of a frozen trunk, the batch norms do not learn either
        return None
    return bank_shape(spec.config, tasks=len(spec.tasks), unknown=spec.unknown)


def draw_keys(seeded: Seeded) -> Keys:
    """Draw a number for each step of a network, which seeds its dropout mask."""
    rng = np.random.default_rng(seeded.dropout_seed)
    return rng.integers(2**32, size=seeded.job.config.steps, dtype=np.uint32)


def shares_of(shape: BankShape, seeded: Seeded) -> Floats:
    """Give the share of the rate that each parameter of a network learns with (parameters,)."""
    job = seeded.job
    slow = slow_names(seeded.network, job.start)
    shares = {
        name: np.full_like(values, job.config.trunk_rate if name in slow else 1)
        for name, values in copy_weights(seeded.network).items()
    }
    return read_row(shape, shares)[0]


def _section_shares(shape: BankShape, seeded: Seeded) -> Doubles:
    sizes = [math.prod(section) for section in shape.sections.values()]
    parts = np.split(shares_of(shape, seeded), np.cumsum(sizes)[:-1])
    return np.array([part.max(initial=0) for part in parts], dtype=np.float64)


class CompiledLearner:
    """Networks of one shape that see the same batches, on one thread.

    Their detectors are scored side by side; all else is done network by network, in the same
    order in any company, so that each is the same to its last bit as it would be alone.
    """

    at_once = 16

    def __init__(self, seeded: Sequence[Seeded], shape: BankShape) -> None:
        first = seeded[0].job
        self.shape, self.spec = shape, first.spec
        self.slots, self.rules = _make_slots(shape, len(seeded)), _make_rules(shape, seeded)
        self.own = _make_parameters(shape, seeded, self.slots, self.rules)
        rows, length = first.config.batch_size, first.spec.length
        self.passes = [
            Pass(shape, self.own, rows=rows, length=length)
            for _ in range(2 if first.spec.strands == "max" else 1)
        ]
        self.turned = np.empty((rows, length), dtype=np.uint8)
        self.logits = np.zeros((len(self.passes), len(seeded), rows, shape.tasks), np.float32)
        self.logit_slopes = np.zeros_like(self.logits)
        self.keys = np.stack([draw_keys(one) for one in seeded], axis=1)
        self.done = 0

    def learn(self, steps: Steps) -> Doubles:
        """See `Learner`."""
        rates, momenta = steps.rates.T.copy(), steps.momenta.T.copy()
        batches = zip(steps.codes[0], steps.targets[0], rates, momenta, strict=True)
        return np.stack([self._step(*batch) for batch in batches], axis=1)

    def _step(self, codes: Codes, targets: Floats, rates: Doubles, momenta: Doubles) -> Doubles:
        keys, losses = self.keys[self.done], np.empty(len(rates))
        self.done += 1
        for one, logits in zip(self.passes, self.logits, strict=True):
            if one is not self.passes[0]:
                turn_rows(codes, self.turned)
                codes = self.turned
            one.lay_tables(codes, training=True)
            one.forward(codes, logits, keys)
        if self.spec.task_kind == "multiclass":
            class_loss_and_slopes(self.logits, targets, self.logit_slopes, losses)
        else:
            regression = self.spec.task_kind == "regression"
            loss_and_slopes(self.logits, targets, regression, self.logit_slopes, losses)
        self.slots.gradients.fill(0)
        for one, slopes in zip(self.passes, self.logit_slopes, strict=True):
            one.backward(slopes, keys)
        update(self.slots, self.rules, self.done, rates, momenta, losses)
        return losses

    def score(self, codes: Codes, networks: Sequence[int]) -> Floats:
        """See `Learner`."""
        self.passes[0].lay_tables(codes[:0], training=False)
        forward = self._score_strand(codes)[list(networks)]
        if self.spec.strands == "single":
            return forward
        reverse = self._score_strand(reverse_complement(codes))[list(networks)]
        larger = self.spec.strands == "max"
        return np.maximum(forward, reverse) if larger else (forward + reverse) / np.float32(2)

    def _score_strand(self, codes: Codes) -> Floats:
        """Score one strand in whole batches, the last one filled up with N."""
        rows = len(self.turned)
        scores = np.empty((len(self.keys[0]), len(codes), self.shape.tasks), dtype=np.float32)
        for start in range(0, len(codes), rows):
            block = codes[start : start + rows]
            self.turned[: len(block)] = block
            self.turned[len(block) :] = UNKNOWN
            self.passes[0].forward(self.turned, self.logits[0])
            scores[:, start : start + rows] = self.logits[0, :, : len(block)]
        return scores

    def weights(self, network: int) -> Weights:
        """See `Learner`."""
        row = [section[network].ravel() for section in self.own.values.values()]
        running = [self.own.scores[network].ravel(), self.own.features[network].ravel()]
        return write_row(self.shape, np.concatenate(row), np.concatenate(running))

    def stop(self, network: int) -> None:
        """See `Learner`."""
        self.rules.stopped[network] = True

    def state(self) -> Arrays:
        """See `Learner`."""
        done = np.array(self.done)
        return {name: np.copy(array) for name, array in self._held().items()} | {"done": done}

    def restore(self, arrays: Arrays) -> None:
        """See `Learner`."""
        self.done = int(arrays["done"])
        for name, array in self._held().items():
            np.copyto(array, arrays[name])

    def _held(self) -> dict[str, NDArray[Any]]:
        """Name the arrays that a step changes, and a later one reads."""
        slots = {name: getattr(self.slots, name) for name in ("values", "first", "second")}
        moments = {"scores": self.own.scores, "features": self.own.features}
        return slots | moments | {"stopped": self.rules.stopped}


def _make_slots(shape: BankShape, networks: int) -> Slots:
    sizes = [math.prod(section) for section in shape.sections.values()]
    values, gradients, first, second = np.zeros((4, networks * sum(sizes)), dtype=np.float32)
    decays = np.array([len(section) > 1 for section in shape.sections.values()])
    return Slots(values, gradients, first, second, np.array(sizes), decays)


def _make_rules(shape: BankShape, seeded: Sequence[Seeded]) -> Rules:
    configs = [one.job.config for one in seeded]
    return Rules(
        weight_decays=np.array([config.weight_decay for config in configs], dtype=np.float64),
        l1=np.array([(each.l1_of_detectors, each.l1) for each in configs], dtype=np.float64),
        l1_starts=np.array([config.l1_start for config in configs]),
        clips=np.array([config.clip for config in configs], dtype=np.float64),
        kinds=np.array([OPTIMISERS.index(config.optimiser) for config in configs]),
        shares=np.stack([_section_shares(shape, one) for one in seeded]),
        stopped=np.zeros(len(configs), dtype=np.bool_),
    )


def _make_parameters(
    shape: BankShape, seeded: Sequence[Seeded], slots: Slots, rules: Rules
) -> Parameters:
    networks = len(seeded)
    values = split_sections(slots.values, shape.sections, networks)
    rows = [read_row(shape, copy_weights(one.network)) for one in seeded]
    start = 0
    for section in values.values():
        stop = start + section[0].size
        section[:] = np.stack([row[start:stop] for row, _ in rows]).reshape(section.shape)
        start = stop
    running = np.stack([running for _, running in rows])
    scores = 2 * math.prod(shape.running["mean"])
    return Parameters(
        values=values,
        gradients=split_sections(slots.gradients, shape.sections, networks),
        scores=running[:, :scores].reshape(networks, 2, -1).copy(),
        features=running[:, scores:].reshape(networks, 2, -1).copy(),
        stopped=rules.stopped,
        shares=np.array([float(getattr(one.job.spec.config, "dropout", 0.0)) for one in seeded]),
    )
