"""Pooled networks on a CPU: `Learner` over the compiled steps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine.bank import BankShape, bank_shape, read_row, write_row
from seqcnn.engine.gradients import KMER, RADIX, count_chunks, list_letters
from seqcnn.modelfile import ModelSpec
from seqcnn.training.arrays import Batches, Form, State, Work
from seqcnn.training.config import TrainingConfig, Weights
from seqcnn.training.learner import Seeded, Steps, copy_weights
from seqcnn.training.steps import take_steps

__all__ = ["CompiledLearner", "draw_keys", "shape_of"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def shape_of(spec: ModelSpec) -> BankShape | None:
    """Describe the networks of a spec, or give None if they cannot be trained as a bank."""
    return bank_shape(spec.config, tasks=len(spec.tasks), unknown=spec.unknown)


def draw_keys(seeded: Seeded) -> NDArray[np.uint32]:
    """Draw a number for each step of a network, which seeds its dropout mask."""
    rng = np.random.default_rng(seeded.dropout_seed)
    return rng.integers(2**32, size=seeded.job.config.steps, dtype=np.uint32)


class CompiledLearner:
    """Networks of one shape that see the same batches, on one thread."""

    at_once = 16

    def __init__(self, seeded: Sequence[Seeded], shape: BankShape) -> None:
        first = seeded[0].job
        self.shape, self.spec = shape, first.spec
        self.form = _form(shape, regression=first.spec.task_kind == "regression")
        self.state = _state(seeded, shape)
        sides = 2 if first.spec.strands == "max" else 1
        rows = (first.config.batch_size, first.spec.length)
        self.work = _work(shape, len(seeded), sides, rows)
        self.keys = np.stack([draw_keys(one) for one in seeded])
        self.done = 0

    def learn(self, steps: Steps) -> Doubles:
        """See `Learner`."""
        count = steps.codes.shape[1]
        losses = np.full((len(self.state.rows), count), np.nan)
        keys = np.ascontiguousarray(self.keys[:, self.done : self.done + count])
        batches = Batches(
            steps.codes[0],
            steps.targets[0],
            np.ascontiguousarray(steps.rates),
            np.ascontiguousarray(steps.momenta),
            keys,
            losses,
            np.empty((0, 0, 0, 0), dtype=np.float32),
            self.done,
        )
        take_steps(batches, self.form, self.state, self.work, True)
        self.done += count
        # A detector of NaN finds no maximum, and would go unnoticed in the loss.
        losses[~np.isfinite(self.state.rows).all(axis=1), -1] = np.nan
        return losses

    def score(self, codes: Codes, networks: Sequence[int]) -> Floats:
        """See `Learner`."""
        forward = self._score_strand(codes)[list(networks)]
        if self.spec.strands == "single":
            return forward
        reverse = self._score_strand(reverse_complement(codes))[list(networks)]
        larger = self.spec.strands == "max"
        return np.maximum(forward, reverse) if larger else (forward + reverse) / np.float32(2)

    def _score_strand(self, codes: Codes) -> Floats:
        """Score one strand in whole batches, the last one filled up with N."""
        rows, length = self.work.turned.shape
        batches = -(-len(codes) // rows)
        filled = np.full((batches, rows, length), UNKNOWN, dtype=np.uint8)
        filled.reshape(-1, length)[: len(codes)] = codes
        nets, tasks = len(self.state.rows), self.shape.tasks
        none = np.empty((nets, 0))
        scores = np.empty((batches, nets, rows, tasks), dtype=np.float32)
        targets, keys = np.empty((0, 0, tasks), dtype=np.float32), self.keys[:, :0].copy()
        given = Batches(filled, targets, none, none, keys, none, scores, self.done)
        take_steps(given, self.form, self.state, self.work, False)
        return scores.transpose(1, 0, 2, 3).reshape(nets, -1, tasks)[:, : len(codes)]

    def weights(self, network: int) -> Weights:
        """See `Learner`."""
        return write_row(self.shape, self.state.rows[network], self.state.running[network])

    def stop(self, network: int) -> None:
        """See `Learner`."""
        self.state.stopped[network] = True


def _form(shape: BankShape, *, regression: bool) -> Form:
    return Form(
        width=shape.width,
        number=shape.number,
        features=shape.features,
        hidden=shape.hidden,
        tasks=shape.tasks,
        padding=shape.padding,
        ceiling=float(shape.ceiling),
        has_mean=shape.has_mean,
        normalised=shape.normalised,
        regression=regression,
        letters=list_letters(shape.unknown),
    )


def _state(seeded: Sequence[Seeded], shape: BankShape) -> State:
    rows = [read_row(shape, copy_weights(one.network)) for one in seeded]
    parameters = np.stack([row for row, _ in rows])
    configs: list[TrainingConfig] = [one.job.config for one in seeded]
    shares = [float(getattr(one.job.spec.config, "dropout", 0.0)) for one in seeded]
    return State(
        rows=parameters,
        gradients=np.zeros_like(parameters),
        first=np.zeros_like(parameters),
        second=np.zeros_like(parameters),
        running=np.stack([running for _, running in rows]),
        decays=shape.decays(),
        shares=np.array(shares),
        weight_decays=np.array([config.weight_decay for config in configs], dtype=np.float64),
        clips=np.array([config.clip for config in configs], dtype=np.float64),
        nesterov=np.array([config.optimiser == "sgd" for config in configs]),
        stopped=np.zeros(len(seeded), dtype=np.bool_),
    )


def _work(shape: BankShape, nets: int, sides: int, batch: tuple[int, int]) -> Work:
    rows, length = batch
    lanes, chunks = nets * shape.number, count_chunks(shape.width)
    positions = length + 2 * shape.padding - shape.width + 1
    size, features = 4 * shape.width, shape.features
    normed = nets if shape.normalised else 0

    def room(*axes: int) -> Floats:
        return np.zeros(axes, dtype=np.float32)

    return Work(
        turned=np.empty((rows, length), dtype=np.uint8),
        kmers=np.empty((sides, rows, positions + KMER * (chunks - 1)), dtype=np.uint8),
        columns=room(KMER * chunks, RADIX, lanes),
        tables=room(sides, chunks, RADIX**KMER, lanes),
        table_slopes=room(chunks, RADIX**KMER, lanes),
        column_slopes=room(KMER * chunks, RADIX, lanes),
        pooled=room(sides, 2, rows, lanes),
        winners=np.zeros((sides, rows, lanes), dtype=np.int32),
        highest_slopes=room(sides, rows, lanes),
        mean_slopes=room(sides, rows, lanes),
        slopes=np.empty((sides, rows, positions, lanes if shape.has_mean else 0), np.float32),
        centre=np.zeros((sides, size)),
        covariance=np.zeros((sides, size, size)),
        spread=np.zeros((sides, normed, size, shape.number)),
        moments=room(sides, normed, 2, shape.number),
        detectors=room(shape.width, 4, shape.number),
        offsets=room(shape.number),
        features=room(sides, nets, rows, features),
        inputs=room(sides, nets, rows, features),
        feature_moments=room(sides, normed, 2, features),
        hidden=room(sides, nets, rows, shape.hidden),
        logits=room(nets, sides, rows, shape.tasks),
        logit_slopes=room(sides, rows, shape.tasks),
        hidden_slopes=room(rows, shape.hidden),
        input_slopes=room(rows, features),
    )
