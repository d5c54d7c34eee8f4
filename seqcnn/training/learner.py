"""What the training loop asks of networks, and networks trained one by one through autograd."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqcnn.architectures.auxiliary import AUXILIARY
from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.networks import build_network, seed_dropout
from seqcnn.dna import Codes
from seqcnn.engine.strands import (
    expand_one_hot,
    profile_logits,
    reverse_complement_one_hot,
    strand_logits,
)
from seqcnn.training.config import TrainingJob, Weights
from seqcnn.training.losses import sum_losses
from seqcnn.training.optimisers import make_optimiser, pull_to_zero, set_mode, set_pace
from seqcnn.training.processes import find_processes, share_batches

__all__ = ["Arrays", "Learner", "NetworkLearner", "Seeded", "Steps", "copy_weights"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

_ROWS_SCORED = 512


@dataclass(frozen=True)
class Seeded:
    """A job with its freshly drawn network and the seed of its dropout."""

    job: TrainingJob
    network: SequenceNetwork
    dropout_seed: int

    @classmethod
    def draw(cls, job: TrainingJob, rng: np.random.Generator) -> "Seeded":
        """Draw the seeds of a job from its stream."""
        dropout_seed, seed = (int(rng.integers(2**62)) for _ in range(2))
        spec = job.spec
        network = build_network(spec.config, tasks=len(spec.tasks), length=spec.length, seed=seed)
        network.unknown = spec.unknown
        if job.start:
            start = {name: torch.from_numpy(values) for name, values in job.start.items()}
            network.load_state_dict(start, strict=False)
        return cls(job, network, dropout_seed)


@dataclass(frozen=True)
class Steps:
    """What the next steps are taken with.

    Attributes
    ----------
    codes
        Batches (streams, steps, rows, length); one stream serves all networks.
    targets
        (streams, steps, rows, tasks), standardised.
    rates, momenta
        Of each network and step (networks, steps).
    """

    codes: Codes
    targets: Floats
    rates: Doubles
    momenta: Doubles


class Learner(Protocol):
    """One or more networks in training."""

    at_once: int
    """Steps that are best taken in one call."""

    def learn(self, steps: Steps) -> Doubles:
        """Take steps; give the mean loss of each batch (networks, steps), NaN after a break."""

    def score(self, codes: Codes, networks: Sequence[int]) -> Floats:
        """Give the logits (networks, n, tasks) of sequences, strands combined."""

    def weights(self, network: int) -> Weights:
        """Copy the weights of a network."""

    def stop(self, network: int) -> None:
        """Leave a network as it is from now on."""

    def state(self) -> Arrays:
        """Copy all that later steps hang on."""

    def restore(self, arrays: Arrays) -> None:
        """Go on from where another learner of the same networks gave its state."""


class _Forward(nn.Module):
    """What is differentiated: from one-hot sequences to the logits that the loss is taken of."""

    def __init__(self, network: SequenceNetwork, logits: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self._logits = network, logits

    def forward(self, one_hot: Tensor) -> Tensor:
        return self._logits(one_hot)


class NetworkLearner:
    """Any one network, through torch's own autograd and optimiser.

    Where several processes train together, each has a part of every batch.
    """

    at_once = 1

    def __init__(self, seeded: Seeded, device: torch.device) -> None:
        self.spec, self.config, self.device = seeded.job.spec, seeded.job.config, device
        self.dropout_seed = seeded.dropout_seed
        self.draws = torch.Generator(device).manual_seed(self.dropout_seed)
        self.network = seeded.network
        own = torch.Generator().manual_seed(self.dropout_seed)
        self.auxiliary = self.network.attach_auxiliary(own)
        self.network.to(device)
        seed_dropout(self.network, self.draws)
        start = seeded.job.start
        self.optimiser = make_optimiser(self.network, self.config, device, start=start)
        self.done = 0
        self.processes = find_processes()
        self.forward: nn.Module = _Forward(self.network, self._training_logits)
        if self.processes.number > 1:
            self.forward = share_batches(self.forward, device)

    def learn(self, steps: Steps) -> Doubles:
        """See `Learner`."""
        losses = [
            self._step(codes, targets, float(rate), float(momentum))
            for codes, targets, rate, momentum in zip(
                steps.codes[0], steps.targets[0], steps.rates[0], steps.momenta[0], strict=True
            )
        ]
        return torch.stack(losses).double().cpu().numpy()[None]

    def _step(self, codes: Codes, targets: Floats, rate: float, momentum: float) -> Tensor:
        set_mode(self.network)
        set_pace(self.optimiser, rate, momentum)
        number, own = self.processes.number, slice(self.processes.rank, None, self.processes.number)
        if number > 1:  # masks that no other process draws, and that hang on the step alone
            place = self.done * number + self.processes.rank
            self.draws.manual_seed((self.dropout_seed + place) % 2**62)
        with self._rounding():
            logits = self.forward(self._one_hot(codes[own]))
        given = torch.from_numpy(np.ascontiguousarray(targets[own])).to(self.device)
        total, known = sum_losses(logits.float(), given, self.spec.loss)
        labels = self.processes.total(known).clamp(min=1)
        loss = self.processes.total(total.detach()) / labels
        total = total + self._auxiliary_loss(given)
        self.optimiser.zero_grad()
        # The gradients of the processes are averaged, those of their sum are wanted.
        (total * number / labels).backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.done += 1
        if self.done > self.config.l1_start:
            pull_to_zero(self.optimiser)
        self.optimiser.step()
        return torch.where(norm.isfinite(), loss, torch.nan)

    def _auxiliary_loss(self, targets: Tensor) -> Tensor | float:
        """Weigh the loss of the second output, on the strands that were looked at."""
        if self.auxiliary is None:
            return 0.0
        sides = self.auxiliary.take()
        losses = [sum_losses(side.float(), targets, self.spec.loss)[0] for side in sides]
        return self.auxiliary.weight * torch.stack(losses).mean()

    def _rounding(self) -> torch.autocast:
        """Let a GPU multiply as `TrainingConfig.precision` says."""
        rounds = self.config.precision == "bf16" and self.device.type == "cuda"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=rounds)

    def _training_logits(self, one_hot: Tensor) -> Tensor:
        if self.spec.task_kind == "profile":
            return profile_logits(self.network, one_hot, self._training_strands()).flatten(1)
        if self.spec.strands == "shared":
            return strand_logits(self.network, one_hot, "shared")
        if self.spec.strands != "max":
            logits: Tensor = self.network(one_hot)
            return logits
        # One dropout mask for the pair of strands: both passes draw from the same state.
        state = self.draws.get_state()
        forward: Tensor = self.network(one_hot)
        self.draws.set_state(state)
        reverse: Tensor = self.network(reverse_complement_one_hot(one_hot))
        return torch.maximum(forward, reverse)

    def _training_strands(self) -> str:
        """Say which strands are looked at: of both to be averaged, each sequence is seen on one."""
        return "single" if self.spec.strands == "average" else self.spec.strands

    @torch.inference_mode()
    def score(self, codes: Codes, networks: Sequence[int]) -> Floats:
        """See `Learner`."""
        del networks  # there is only one
        self.network.eval()
        outputs = len(self.spec.tasks)
        if self.spec.task_kind == "profile":
            outputs *= self.spec.length
        parts = [
            self._score(self._one_hot(codes[start : start + _ROWS_SCORED])).reshape(-1, outputs)
            for start in range(0, len(codes), _ROWS_SCORED)
        ]
        logits = torch.cat([torch.empty(0, outputs, device=self.device), *parts])
        return np.asarray(logits.cpu().numpy()[None])

    def _score(self, one_hot: Tensor) -> Tensor:
        if self.spec.task_kind == "profile":
            return profile_logits(self.network, one_hot, self.spec.strands)
        return strand_logits(self.network, one_hot, self.spec.strands)

    def _one_hot(self, codes: Codes) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(codes)).to(self.device)
        return expand_one_hot(batch, unknown=self.spec.unknown)

    def weights(self, network: int) -> Weights:
        """See `Learner`."""
        del network
        return copy_weights(self.network)

    def stop(self, network: int) -> None:
        """See `Learner`: the loop ends with its only network."""

    def state(self) -> Arrays:
        """See `Learner`."""
        tensors = {f"network.{name}": each for name, each in self.network.state_dict().items()}
        for number, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": each for name, each in values.items()}
        tensors["draws"] = self.draws.get_state()
        arrays = {name: tensor.cpu().numpy().copy() for name, tensor in tensors.items()}
        return arrays | {"done": np.array(self.done)}

    def restore(self, arrays: Arrays) -> None:
        """See `Learner`."""
        self.done = int(arrays["done"])
        tensors = {
            name: torch.from_numpy(each.copy()) for name, each in arrays.items() if name != "done"
        }
        self.draws.set_state(tensors.pop("draws"))
        network, optimiser = {}, self.optimiser.state_dict()
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part == "network":
                network[rest] = tensor
            else:
                number, _, key = rest.partition(".")
                optimiser["state"].setdefault(int(number), {})[key] = tensor
        self.network.load_state_dict(network)
        self.optimiser.load_state_dict(optimiser)


def copy_weights(network: SequenceNetwork) -> Weights:
    """Copy weights by name, without torch's counters of batches and what only training needs."""
    return {
        name: value.cpu().numpy().copy()
        for name, value in network.state_dict().items()
        if value.is_floating_point() and not name.startswith(f"{AUXILIARY}.")
    }
