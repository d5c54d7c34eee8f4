"""Training: deepbind on labelled 101-bp sequences in memory, batches of 64.

The numbers compared are a network's weights after a few steps from the same weights on the same
batches. `Together` and `OneByOne` are many networks at once and the same loop network by
network; their unit is a network with all its steps.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks import BothStrands, PlainDeepBind
from benchmarks.sides.torch_side import to_one_hot

__all__ = ["OneByOne", "Plain", "PlainOneByOne", "PlainSame", "Seqcnn", "Together", "make_jobs"]

BATCH, CHECKED_STEPS = 64, 20
_RATE, _DECAY, _WARMUP, _CLIP = 3e-3, 1e-2, 0.15, 5.0
_NAMES = ("detectors", "thresholds", "head.1.weight", "head.1.bias")


def make_jobs(data: dict[str, Any], *, networks: int, steps: int) -> list[Any]:
    """Make training jobs that share their batches and differ in seed and learning rate."""
    from seqcnn.architectures import configure
    from seqcnn.datasets import LabelledSequences
    from seqcnn.genome import Sequences
    from seqcnn.modelfile import ModelSpec
    from seqcnn.splits import Split
    from seqcnn.training import TrainingConfig, TrainingJob

    codes, targets = np.load(data["codes"]), np.load(data["targets"])
    names = tuple(f"s{i}" for i in range(len(codes)))
    labelled = LabelledSequences(Sequences(codes, names), targets[:, None], ("site",))
    few = labelled.take(np.arange(BATCH))
    split = Split(labelled, few, few, shuffles=0)
    config = configure("deepbind", data["values"])
    length = codes.shape[1]
    spec = ModelSpec("deepbind", config, "binary", ("site",), length, data["strands"])
    base = TrainingConfig(
        steps=steps,
        batch_size=BATCH,
        learning_rate=_RATE,
        weight_decay=_DECAY,
        warmup=_WARMUP,
        clip=_CLIP,
        evaluations=1,
    )
    configs = [replace(base, seed=i, learning_rate=_RATE / (1 + i)) for i in range(networks)]
    return [TrainingJob(split, spec, each, batches=data["batches"]) for each in configs]


class Seqcnn:
    """One network by `train_many`."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.jobs = make_jobs(data, networks=max(1, data.get("networks", 1)), steps=CHECKED_STEPS)

    def run(self, size: int) -> int:
        """Train on `size` sequences, again and again the same."""
        steps = size // BATCH
        self._train(self._settle(self.jobs[:1], steps))
        return steps * BATCH

    def answer(self) -> np.ndarray:
        return _flatten(self._train(self.jobs[:1])[0].weights)

    def _settle(self, jobs: list[Any], steps: int) -> list[Any]:
        return [replace(job, config=replace(job.config, steps=steps)) for job in jobs]

    def _train(self, jobs: list[Any]) -> list[Any]:
        from seqcnn.training import train_many

        return train_many(jobs, device=torch.device("cpu"), threads=self.data["threads"])


class Together(Seqcnn):
    """Many networks by one call of `train_many`."""

    def run(self, size: int) -> int:
        """Train `size` networks."""
        self._train(self._settle(self.jobs[:size], self.data["steps"]))
        return size

    def answer(self) -> np.ndarray:
        return np.concatenate([_flatten(each.weights) for each in self._train(self.jobs)])


class OneByOne(Together):
    """One call after the other."""

    def _train(self, jobs: list[Any]) -> list[Any]:
        return [each for job in jobs for each in super(OneByOne, self)._train([job])]


class Plain:
    """A tight loop of PyTorch: float one-hot tensors in memory, Adam; nothing else."""

    same = False

    def __init__(self, data: dict[str, Any]) -> None:
        self.data, self.values = data, data["values"]
        self.one_hot = to_one_hot(np.load(data["codes"]))
        self.targets = torch.from_numpy(np.load(data["targets"]))[:, None]
        self.settings = [
            {"threads": threads, "pooling": pooling}
            for threads in range(data["threads"], 0, -1)
            for pooling in ("max", "amax")
        ]
        self.choose(self.settings[0])

    def choose(self, setting: dict[str, Any]) -> None:
        self.setting = setting
        torch.set_num_threads(setting["threads"])

    def run(self, size: int) -> int:
        """Train on `size` sequences, in batches of a new order for each epoch."""
        steps = size // BATCH
        torch.manual_seed(0)
        self._loop(self._network(), steps, self._shuffled(steps), same=self.same)
        return steps * BATCH

    def answer(self) -> np.ndarray:
        """Take the same steps as seqcnn, also with the same optimiser and schedule."""
        return self._answer(0)

    def _answer(self, number: int) -> np.ndarray:
        given = np.load(self.data["start"])
        network = self._network()
        weights = [torch.from_numpy(given[f"{number}.{name}"]) for name in _NAMES]
        names = ("convolution.weight", "convolution.bias", "head.weight", "head.bias")
        network.network.load_state_dict(dict(zip(names, weights, strict=True)))
        one_hot = [to_one_hot(codes) for codes in given["codes"]]
        batches = zip(one_hot, torch.from_numpy(given["targets"]), strict=True)
        rate = _RATE / (1 + number)
        self._loop(network, CHECKED_STEPS, batches, same=True, rate=rate)
        state = network.network.state_dict()
        return np.concatenate([state[name].numpy().ravel() for name in names])

    def _network(self) -> BothStrands:
        net = PlainDeepBind(self.values["detectors"], self.values["width"], 1)
        if self.setting["pooling"] == "max":
            net.highest = _first_maximum
        return BothStrands(net, self.data["strands"])

    def _shuffled(self, steps: int) -> Any:
        done = 0
        while done < steps:
            order = torch.randperm(len(self.one_hot))
            for i in range(0, len(order) - BATCH + 1, BATCH):
                rows = order[i : i + BATCH]
                yield self.one_hot[rows], self.targets[rows]
                done += 1
                if done == steps:
                    return

    def _loop(
        self, network: nn.Module, steps: int, batches: Any, *, same: bool, rate: float = _RATE
    ) -> None:
        parameters = list(network.parameters())
        optimiser, schedule = _make_optimiser(parameters, steps, rate, same=same)
        for one_hot, targets in batches:
            loss = functional.binary_cross_entropy_with_logits(network(one_hot), targets)
            optimiser.zero_grad()
            loss.backward()
            if same:
                nn.utils.clip_grad_norm_(parameters, _CLIP)
            optimiser.step()
            if schedule:
                schedule.step()


class PlainSame(Plain):
    """The same loop with all that seqcnn's does: fused AdamW, one cycle, clipped gradients."""

    same = True


class PlainOneByOne(Plain):
    """The tight loop, network after network."""

    def run(self, size: int) -> int:
        """Train `size` networks."""
        for _ in range(size):
            super().run(self.data["steps"] * BATCH)
        return size

    def answer(self) -> np.ndarray:
        numbers = range(self.data["networks"])
        return np.concatenate([self._answer(number) for number in numbers])


def _first_maximum(scores: Tensor) -> Tensor:
    return scores.max(dim=2).values


def _make_optimiser(
    parameters: list[Tensor], steps: int, rate: float, *, same: bool
) -> tuple[torch.optim.Optimizer, Any]:
    if not same:
        return torch.optim.Adam(parameters, lr=rate), None
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": _DECAY},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=rate, total_steps=max(steps, 2), pct_start=_WARMUP + 1e-9
    )
    return optimiser, schedule


def _flatten(weights: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([weights[name].ravel() for name in _NAMES])
