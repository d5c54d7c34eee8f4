"""Pooled networks on a GPU: `Learner` over one batched pass for all of them.

The number of operations of a step does not grow with the number of networks. Everything works
on any device; on a CPU the compiled steps are faster.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.dna import Codes
from seqcnn.engine.bank import BankShape, bank_logits, keep_features, read_row, write_row
from seqcnn.engine.strands import combine_strands, expand_one_hot
from seqcnn.training.compiled import draw_keys, shares_of
from seqcnn.training.config import TrainingConfig, Weights
from seqcnn.training.learner import Arrays, Seeded, Steps, copy_weights
from seqcnn.training.losses import sum_losses
from seqcnn.training.recording import Step, record

__all__ = ["BatchedLearner"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SECOND_BETA = 0.999
_SMOOTHING = 0.99
_TINY = 1e-8
_ROWS_SCORED = 256


class BatchedLearner:
    """Networks of one shape, each with its own stream of batches or all with the same."""

    at_once = 8

    def __init__(self, seeded: Sequence[Seeded], shape: BankShape, device: torch.device) -> None:
        self.shape, self.spec, self.device = shape, seeded[0].job.spec, device
        rows = [read_row(shape, copy_weights(one.network)) for one in seeded]
        configs = [one.job.config for one in seeded]
        self.rows = self._tensor(np.stack([row for row, _ in rows])).requires_grad_()
        self.running = self._tensor(np.stack([running for _, running in rows]))
        self.first, self.second = torch.zeros_like(self.rows), torch.zeros_like(self.rows)
        self.decays = self._tensor(shape.decays()) * self._column([c.weight_decay for c in configs])
        self.clips = self._column([config.clip for config in configs])
        self.l1 = self._l1_of(configs)
        self.l1_starts = self._column([config.l1_start for config in configs])
        self.kinds = {
            kind: self._column([config.optimiser == kind for config in configs]) > 0
            for kind in dict.fromkeys(config.optimiser for config in configs)
        }
        rates = np.stack([shares_of(shape, one) for one in seeded])
        self.trunk_rates = 1.0 if (rates == 1).all() else self._tensor(rates)
        shares = [float(getattr(one.job.spec.config, "dropout", 0.0)) for one in seeded]
        self.shares = self._tensor(np.array(shares))
        self.dropping = any(shares)
        self.keys = self._tensor(np.stack([draw_keys(one) for one in seeded]).astype(np.int64))
        self.active = torch.ones(len(seeded), 1, dtype=torch.bool, device=device)
        self.done = torch.zeros(1, dtype=torch.int64, device=device)
        self._step: Step | None = None

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def _column(self, values: Sequence[float]) -> Tensor:
        return self._tensor(np.array(values, dtype=np.float32)[:, None])

    def _l1_of(self, configs: Sequence[TrainingConfig]) -> Tensor | None:
        """Give the L1 of each parameter (networks, parameters)."""
        if not any(config.l1 or config.l1_of_detectors for config in configs):
            return None
        detectors = math.prod(self.shape.sections["detectors"])
        own = np.repeat(
            np.array([(each.l1_of_detectors, each.l1) for each in configs], dtype=np.float32),
            [detectors, self.rows.shape[1] - detectors],
            axis=1,
        )
        return self._tensor(own * self.shape.decays())

    def learn(self, steps: Steps) -> Doubles:
        """See `Learner`."""
        codes, targets = self._tensor(steps.codes), self._tensor(steps.targets)
        rates = self._tensor(steps.rates.astype(np.float32))
        momenta = self._tensor(steps.momenta.astype(np.float32))
        losses = []
        for step in range(codes.shape[1]):
            now = (codes[:, step], targets[:, step], rates[:, step, None], momenta[:, step, None])
            if self._step is None:
                state = (self.rows, self.running, self.first, self.second, self.active, self.done)
                self._step = record(self._take_step, now, state)
            loss, sound = self._step(*now)
            losses.append(torch.where(sound, loss, torch.nan))
        return torch.stack(losses, dim=1).cpu().numpy()

    def _take_step(
        self, codes: Tensor, targets: Tensor, rate: Tensor, momentum: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take a step; give the losses (networks,) and the networks that are sound."""
        loss = self._losses(codes, targets)
        (gradient,) = torch.autograd.grad(loss.sum(), [self.rows])
        self.done += 1
        sound = self._update(gradient, loss, rate, momentum)
        return loss.detach().double(), sound[:, 0]

    def _losses(self, codes: Tensor, targets: Tensor) -> Tensor:
        """Measure the mean loss (networks,) of batches (streams, rows, length)."""
        kept = None
        if self.dropping:
            keys = self.keys.index_select(1, self.done)[:, 0]
            kept = keep_features(keys, self.shares, codes.shape[1], self.shape.features)
            kept = kept.to(self.rows.dtype)
        logits = self._logits(codes, kept)
        if self.spec.strands == "max":
            logits = torch.maximum(logits, self._logits(_turn(codes), kept))
        total, known = sum_losses(logits, targets, self.spec.loss)
        return total / known.clamp(min=1)

    def _logits(self, codes: Tensor, kept: Tensor | None) -> Tensor:
        one_hot = self._one_hot(codes)
        return bank_logits(self.shape, self.rows, self.running, one_hot, kept=kept, training=True)

    def _one_hot(self, codes: Tensor) -> Tensor:
        one_hot = expand_one_hot(codes.flatten(0, 1), unknown=self.spec.unknown)
        return one_hot.transpose(1, 2).view(*codes.shape, 4)

    @torch.no_grad()
    def _update(self, gradient: Tensor, loss: Tensor, rate: Tensor, momentum: Tensor) -> Tensor:
        """Update all networks; give those (networks, 1) that are sound."""
        norm = gradient.norm(dim=1, keepdim=True)
        self.active &= loss[:, None].isfinite() & norm.isfinite()
        slope = gradient * (self.clips / (norm + 1e-6)).clamp(max=1)
        if self.l1 is not None:
            slope = slope + self.l1 * (self.done > self.l1_starts) * self.rows.sign()
        held = (self.rows, self.first, self.second)
        made: list[Tensor] = list(held)
        for kind, chosen in self.kinds.items():
            found = self._step_of(kind, slope, rate, momentum)
            made = [torch.where(chosen, new, old) for new, old in zip(found, made, strict=True)]
        # `where`, not a product: nothing of a network that broke may come through.
        for old, new in zip(held, made, strict=True):
            old.copy_(torch.where(self.active, new, old))
        return self.active.clone()

    def _step_of(
        self, kind: str, slope: Tensor, rate: Tensor, momentum: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Give what one optimiser makes of parameters, first and second moments."""
        pace = rate * self.trunk_rates
        if kind != "adamw":
            slope = slope + self.decays * self.rows
        if kind == "rmsprop":
            square = _SMOOTHING * self.second + (1 - _SMOOTHING) * slope.square()
            return self.rows - pace * slope / (square.sqrt() + _TINY), self.first, square
        if kind not in ("adam", "adamw"):
            swing = momentum * self.first + slope
            ahead = slope + momentum * swing if kind == "nesterov" else swing
            return self.rows - pace * ahead, swing, self.second
        mean = torch.lerp(self.first, slope, 1 - momentum)
        square = _SECOND_BETA * self.second + (1 - _SECOND_BETA) * slope.square()
        done = self.done.double()
        length = (pace.double() / (1 - momentum.double() ** done)).float()
        root = square.sqrt() / (1 - _SECOND_BETA**done).sqrt().float() + _TINY
        kept = 1 - pace * self.decays if kind == "adamw" else 1.0
        return self.rows * kept - length * mean / root, mean, square

    @torch.inference_mode()
    def score(self, codes: Codes, networks: Sequence[int]) -> Floats:
        """See `Learner`."""
        chosen = torch.tensor(list(networks), device=self.device)
        rows, running = self.rows[chosen], self.running[chosen]
        parts = [np.empty((len(chosen), 0, self.shape.tasks), dtype=np.float32)]
        for start in range(0, len(codes), _ROWS_SCORED):
            block = self._tensor(np.ascontiguousarray(codes[start : start + _ROWS_SCORED]))[None]
            logits = bank_logits(self.shape, rows, running, self._one_hot(block))
            if self.spec.strands != "single":
                other = bank_logits(self.shape, rows, running, self._one_hot(_turn(block)))
                logits = combine_strands(logits, other, self.spec.strands)
            parts.append(logits.cpu().numpy())
        return np.concatenate(parts, axis=1)

    def weights(self, network: int) -> Weights:
        """See `Learner`."""
        row, running = self.rows[network].detach().cpu(), self.running[network].cpu()
        return write_row(self.shape, row.numpy(), running.numpy())

    def stop(self, network: int) -> None:
        """See `Learner`."""
        self.active[network] = False

    def state(self) -> Arrays:
        """See `Learner`."""
        return {name: each.detach().cpu().numpy().copy() for name, each in self._held().items()}

    @torch.no_grad()
    def restore(self, arrays: Arrays) -> None:
        """See `Learner`."""
        for name, tensor in self._held().items():
            tensor.copy_(torch.from_numpy(arrays[name].copy()))

    def _held(self) -> dict[str, Tensor]:
        """Name the tensors that a step changes, and a later one reads."""
        names = ("rows", "running", "first", "second", "active", "done")
        return {name: getattr(self, name) for name in names}


def _turn(codes: Tensor) -> Tensor:
    """Turn codes (..., length) into the other strand."""
    turned = codes.flip(-1)
    return torch.where(turned < 4, 3 - turned, turned)
