"""Training: a `Split` becomes the weights of one network, or of an ensemble.

One loop serves every family. A step is a whole batch gathered from integer codes; negatives
are fresh dinucleotide shuffles in each epoch; the learning rate follows one cycle; the weights
with the lowest validation loss are kept. On a CPU each network trains on one thread, and the
members of an ensemble side by side, so that the result does not depend on the number of
threads.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.networks import build_network, seed_dropout
from seqcnn.datasets import LabelledSequences
from seqcnn.engine.devices import count_threads, keep_freed_memory
from seqcnn.engine.strands import expand_one_hot, reverse_complement_one_hot, strand_logits
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.negatives import shuffle_dinucleotides
from seqcnn.splits import Split

__all__ = ["History", "TrainingConfig", "choose_steps", "standardise_targets", "train_members"]

OUTLYING = 0.3
"""Error of a regression, in standard deviations of the target, beyond which the loss grows no
longer with its square: assays have outliers, and those must not rule."""

Weights = dict[str, NDArray[np.float32]]
History = list[dict[str, float]]
"""One mapping an evaluation: member, step, learning_rate, train_loss, validation_loss."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes
    ----------
    steps
        Optimiser steps; 0 leaves the choice to `choose_steps`.
    batch_size
        Sequences of a step, negatives included.
    learning_rate
        Highest rate of the cycle.
    weight_decay
        AdamW's decay of matrices; biases and normalisation have none.
    warmup
        Share of the steps in which the rate rises.
    clip
        Largest norm of the gradient.
    evaluations
        How many times the validation loss is measured.
    patience
        Evaluations without improvement after which training stops.
    members
        Networks of the ensemble.
    seed
        Seed of weights, batches, shuffles and dropout; member i has a stream of its own.
    """

    steps: int = 0
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup: float = 0.15
    clip: float = 5.0
    evaluations: int = 20
    patience: int = 10
    members: int = 1
    seed: int = 0


def standardise_targets(spec: ModelSpec, train: LabelledSequences) -> ModelSpec:
    """Note mean and standard deviation of regression targets in the spec.

    A task whose known targets are all the same keeps its scale.
    """
    if spec.task_kind != "regression":
        return spec
    centres, scales = [], []
    for column in train.targets.astype(np.float64).T:
        known = column[~np.isnan(column)]
        centres.append(float(known.mean()) if len(known) else 0.0)
        scales.append((float(known.std()) if len(known) else 0.0) or 1.0)
    return replace(spec, centre=tuple(centres), scale=tuple(scales))


def train_members(
    split: Split,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    device: torch.device,
    threads: int = 0,
    progress: Callable[[int], object] | None = None,
) -> tuple[tuple[Weights, ...], History]:
    """Train the networks of a model.

    Parameters
    ----------
    split
        Data; of each side only training and validation are looked at.
    spec
        What the model takes and gives.
    config
        How to train.
    device
        Where to train.
    threads
        Members trained side by side on a CPU; 0 means one for each core.
    progress
        Called with the number of steps done since the last call.

    Returns
    -------
    tuple
        Weights of each member, and the history of all.

    Raises
    ------
    ConfigError
        When a loss is not finite, or the windows are shorter than a detector.
    """
    config = replace(config, steps=config.steps or choose_steps(split, config.batch_size))
    keep_freed_memory()
    given_up = threading.Event()

    def advance(steps: int) -> None:
        if given_up.is_set():
            raise InterruptedError
        if progress:
            progress(steps)

    def train(member: int) -> tuple[Weights, History]:
        return _Trainer(split, spec, config, device=device, member=member).run(advance)

    workers = 1 if device.type == "cuda" else min(config.members, count_threads(threads))
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        runs = [pool.submit(train, member) for member in range(config.members)]
        try:
            wait(runs, return_when=FIRST_EXCEPTION)
        finally:
            given_up.set()  # after an error or Ctrl-C, the others are not to train to the end
    errors = [run.exception() for run in runs]
    for error in errors:
        if error and not isinstance(error, InterruptedError):
            raise error
    results = [run.result() for run in runs]
    return tuple(weights for weights, _ in results), [row for _, rows in results for row in rows]


def choose_steps(split: Split, batch_size: int) -> int:
    """Choose five passes over the training rows, between 480 and 2000 steps.

    Small data get at most 60 passes: more is learning by heart.
    """
    rows = len(split.train) + split.shuffles * int(split.train.positive.sum())
    return min(int(np.clip(_steps(5, rows, batch_size), 480, 2000)), _steps(60, rows, batch_size))


def _steps(passes: int, rows: int, batch_size: int) -> int:
    return -(-passes * rows // batch_size)


class _Trainer:
    """The training of one member."""

    def __init__(
        self,
        split: Split,
        spec: ModelSpec,
        config: TrainingConfig,
        *,
        device: torch.device,
        member: int,
    ) -> None:
        self.spec, self.config, self.device, self.member = spec, config, device, member
        self.split = split
        self.rng = np.random.default_rng([config.seed, 4, member])
        draws = torch.Generator(device).manual_seed(int(self.rng.integers(2**62)))
        seed = int(self.rng.integers(2**62))
        self.network = build_network(spec.config, tasks=len(spec.tasks), seed=seed).to(device)
        _check_windows(spec.length, self.network.shortest)
        seed_dropout(self.network, draws)
        self.draws = draws
        self.optimiser = _make_optimiser(self.network, config, device)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            max_lr=config.learning_rate,
            total_steps=max(config.steps, 2),
            pct_start=config.warmup + 1e-9,  # a warm-up of exactly one step divides by zero
        )

    def run(self, progress: Callable[[int], object]) -> tuple[Weights, History]:
        """Train to the end or until the validation loss no longer improves."""
        best: Weights = _copy_weights(self.network)
        lowest, since, history = float("inf"), 0, []
        every = max(1, self.config.steps // self.config.evaluations)
        batches = self._batches()
        losses: list[Tensor] = []
        for step in range(1, self.config.steps + 1):
            rate = float(self.schedule.get_last_lr()[0])
            losses.append(self._step(*next(batches)))
            progress(1)
            if step % every and step < self.config.steps:
                continue
            row = self._evaluate(step, losses, rate)
            history.append(row)
            losses.clear()
            since = 0 if row["validation_loss"] < lowest else since + 1
            if since == 0:
                lowest, best = row["validation_loss"], _copy_weights(self.network)
            elif since >= self.config.patience:
                progress(self.config.steps - step)
                break
        return best, history

    def _step(self, codes: NDArray[np.uint8], targets: NDArray[np.float32]) -> Tensor:
        self.network.train()
        one_hot = self._one_hot(codes)
        if self.spec.strands == "average":
            # Each sequence is seen on a strand drawn anew; both are averaged when scoring.
            turned = torch.rand(len(codes), generator=self.draws, device=self.device) < 0.5
            other = reverse_complement_one_hot(one_hot)
            one_hot = torch.where(turned[:, None, None], other, one_hot)
        logits = self._training_logits(one_hot)
        total, known = _sum_loss(logits, self._scaled(targets), self.spec.task_kind)
        loss = total / known.clamp(min=1)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        self.schedule.step()
        return loss.detach()

    def _training_logits(self, one_hot: Tensor) -> Tensor:
        if self.spec.strands != "max":
            logits: Tensor = self.network(one_hot)
            return logits
        # One dropout mask for the pair of strands: both passes draw from the same state.
        state = self.draws.get_state()
        forward: Tensor = self.network(one_hot)
        self.draws.set_state(state)
        reverse: Tensor = self.network(reverse_complement_one_hot(one_hot))
        return torch.maximum(forward, reverse)

    def _evaluate(self, step: int, losses: list[Tensor], rate: float) -> dict[str, float]:
        train_loss = float(torch.stack(losses).mean())
        validation_loss = self._validation_loss()
        if not np.isfinite([train_loss, validation_loss]).all():
            raise ConfigError(
                f"training, step {step}",
                "the loss is no longer a finite number",
                remedy="lower --learning-rate, or look for extreme targets",
            )
        return {
            "member": self.member,
            "step": step,
            "learning_rate": rate,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
        }

    @torch.inference_mode()
    def _validation_loss(self) -> float:
        self.network.eval()
        data = self.split.validation
        total, labels = 0.0, 0
        for start in range(0, len(data), 512):
            rows = slice(start, start + 512)
            one_hot = self._one_hot(data.sequences.codes[rows])
            logits = strand_logits(self.network, one_hot, self.spec.strands)
            targets = self._scaled(data.targets[rows])
            part, known = _sum_loss(logits.double(), targets.double(), self.spec.task_kind)
            total, labels = total + float(part), labels + int(known)
        return total / max(labels, 1)

    def _one_hot(self, codes: NDArray[np.uint8]) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(codes)).to(self.device)
        return expand_one_hot(batch, unknown=self.spec.unknown)

    def _scaled(self, targets: NDArray[np.float32]) -> Tensor:
        if self.spec.task_kind == "regression":
            with np.errstate(over="ignore"):  # the loss tells of it
                targets = ((targets - self.spec.centre) / self.spec.scale).astype(np.float32)
        return torch.from_numpy(targets).to(self.device)

    def _batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Yield whole batches for ever; what an epoch leaves over begins the next one's."""
        size = self.config.batch_size
        epochs = self._epochs()
        codes, targets = next(epochs)
        while True:
            while len(codes) < size:
                more_codes, more_targets = next(epochs)
                codes = np.concatenate([codes, more_codes])
                targets = np.concatenate([targets, more_targets])
            yield codes[:size], targets[:size]
            codes, targets = codes[size:], targets[size:]

    def _epochs(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Yield all rows in a new order, with new shuffles of the positives."""
        train = self.split.train
        codes = train.sequences.codes
        parents = np.repeat(np.flatnonzero(train.positive), self.split.shuffles)
        none = np.zeros((len(parents), train.targets.shape[1]), dtype=np.float32)
        targets = np.concatenate([train.targets, none])
        while True:
            shuffled = shuffle_dinucleotides(codes[parents], rng=self.rng)
            order = self.rng.permutation(len(targets))
            yield np.concatenate([codes, shuffled])[order], targets[order]


def _check_windows(length: int, shortest: int) -> None:
    if length < shortest:
        raise ConfigError(
            "--length",
            f"{length} bp",
            expected=f"at least the detectors' {shortest} bp",
            remedy="choose a larger --length, or --set width=...",
        )


def _make_optimiser(
    network: SequenceNetwork, config: TrainingConfig, device: torch.device
) -> torch.optim.Optimizer:
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=device.type in {"cpu", "cuda"})


def _sum_loss(logits: Tensor, targets: Tensor, task_kind: str) -> tuple[Tensor, Tensor]:
    """Sum the loss over the labels that are there, and count them; missing ones are NaN."""
    known = ~targets.isnan()
    filled = torch.where(known, targets, torch.zeros_like(targets))
    if task_kind == "regression":
        losses = functional.smooth_l1_loss(logits, filled, reduction="none", beta=OUTLYING)
    else:
        losses = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    return torch.where(known, losses, torch.zeros_like(losses)).sum(), known.sum()


def _copy_weights(network: SequenceNetwork) -> Weights:
    # Without the counters of batches that torch keeps: nothing depends on them.
    return {
        name: value.cpu().numpy().copy()
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
