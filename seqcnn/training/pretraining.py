"""Training without labels: the first layer learns to tell what stood where bases were masked.

Some bases of each sequence are replaced by N. What the detectors, their norm and their activation
say of the rest goes back to bases through one transposed convolution, which is thrown away after.

References
----------
Vincent et al. 2008, doi:10.1145/1390156.1390294 (denoising autoencoders)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import make_linear
from seqcnn.architectures.networks import build_network
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine.strands import expand_one_hot
from seqcnn.errors import ConfigError
from seqcnn.modelfile import ModelSpec
from seqcnn.training.config import DivergenceError, History, TrainedNetwork, TrainingConfig, Weights
from seqcnn.training.learner import copy_weights
from seqcnn.training.optimisers import set_pace
from seqcnn.training.schedules import plan_steps

__all__ = ["Denoiser", "MaskedBases", "Pretrained", "pretrain"]

_ROWS_SCORED = 512

Targets = NDArray[np.int64]


@dataclass(frozen=True)
class Pretrained:
    """What a training without labels leaves.

    Attributes
    ----------
    weights
        All of a network, by name; those that are not among `learned` are as they were drawn.
    learned
        Names of the weights of the first layer.
    history
        A row an evaluation: step, learning_rate, train_loss, validation_loss (cross entropy of
        a masked base), accuracy (share of the masked bases that are told rightly) and commonest
        (share of the most frequent base among them).
    """

    weights: Weights
    learned: tuple[str, ...]
    history: History


class Denoiser(nn.Module):
    """The first layer of a network, and a transposed convolution back to bases.

    Raises
    ------
    ConfigError
        For a network whose first layer does not look at every base in the same way.
    """

    def __init__(self, network: SequenceNetwork, length: int, seed: int) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            shape = self.encode(torch.zeros(2, 4, length)).shape
        width, padding = network.detector_width, network.detector_padding
        if len(shape) != 3 or shape[2] != length + 2 * padding - width + 1:
            raise ConfigError(
                "--arch",
                "the first layer has no activation at every base",
                expected="a family whose first layer is one plain convolution",
                remedy="choose another family, or a stride of 1",
            )
        self.padding = padding
        # Drawn as a dense layer that sees all detectors at all places.
        generator = torch.Generator().manual_seed(seed)
        dense = make_linear(shape[1] * width, 4, generator)
        self.weight = nn.Parameter(dense.weight.detach().T.reshape(shape[1], width, 4).mT.clone())
        self.bias = nn.Parameter(torch.zeros(4))

    @property
    def learned(self) -> tuple[str, ...]:
        """Names, within the network, of the weights of the first layer."""
        names = [name for name, each in self.network.state_dict().items() if each.ndim]
        if not isinstance(self.network, StackedNetwork):
            return tuple(name for name in names if not name.startswith("head."))
        count = self.network.layers_to_activation
        first = tuple(f"trunk.{i}." for i in range(count))
        return tuple(name for name in names if name.startswith(first))

    def encode(self, one_hot: Tensor) -> Tensor:
        """Give the activations (n, detectors, positions) of the first layer."""
        if isinstance(self.network, StackedNetwork):
            chain = self.network.trunk[: self.network.layers_to_activation]
            return cast("Tensor", chain(self.network.lay_out(one_hot)))[:, :, 0]
        return self.network.activate(self.network.detect(one_hot))

    def forward(self, one_hot: Tensor) -> Tensor:
        """Give the logits of the bases (n, 4, length)."""
        return functional.conv_transpose1d(
            self.encode(one_hot), self.weight, self.bias, padding=self.padding
        )


def pretrain(  # noqa: PLR0913
    windows: Codes,
    held_out: Codes,
    spec: ModelSpec,
    config: TrainingConfig,
    *,
    mask: float = 0.15,
    device: torch.device,
    progress: Callable[[int], object] = lambda _: None,
) -> Pretrained:
    """Train the first layer of a network to restore masked bases.

    Parameters
    ----------
    windows
        Sequences (n, length) to learn from.
    held_out
        Sequences that choose the best weights.
    spec
        Of the model; its tasks do not matter.
    config
        How to train.
    mask
        Chance of each known base to be masked.
    device
        Where to train.
    progress
        Called with the number of steps done since the last call.

    Raises
    ------
    ConfigError
        For a network whose first layer cannot be trained so.
    DivergenceError
        When the loss is not finite.
    """
    network = build_network(
        spec.config, tasks=len(spec.tasks), length=spec.length, seed=config.seed
    )
    network.unknown = spec.unknown
    denoiser = Denoiser(network, spec.length, config.seed).to(device)
    turning = spec.alphabet == "dna"
    feed = MaskedBases(windows, mask=mask, seed=config.seed, turning=turning)
    checked = MaskedBases(held_out, mask=mask, seed=config.seed + 1, turning=False)
    # Held out for good: the same bases are masked at every evaluation.
    course = _Course(denoiser, config, feed, checked.take(len(held_out), held_out))
    return course.run(progress)


class MaskedBases:
    """Batches of sequences with masked bases.

    Parameters
    ----------
    windows
        Sequences (n, length).
    mask
        Chance of each known base to be masked.
    seed
        Of order, strands and masks.
    turning
        Whether each sequence is seen on a strand drawn anew.
    """

    def __init__(self, windows: Codes, *, mask: float, seed: int, turning: bool) -> None:
        self.windows, self.mask, self.turning = windows, mask, turning
        self.rng = np.random.default_rng([seed, 8])

    def take(self, rows: int, chosen: Codes | None = None) -> tuple[Codes, Targets]:
        """Give sequences with N where bases are masked, and those bases; -1 elsewhere."""
        if chosen is None:
            chosen = self.windows[self.rng.integers(0, len(self.windows), rows)]
        if self.turning:
            turned = self.rng.random(rows) < 0.5
            chosen = np.where(turned[:, None], reverse_complement(chosen), chosen)
        masked = (self.rng.random(chosen.shape) < self.mask) & (chosen < UNKNOWN)
        codes = np.where(masked, np.uint8(UNKNOWN), chosen)
        return codes, np.where(masked, chosen.astype(np.int64), -1)


class _Course:
    """The training of one denoiser."""

    def __init__(
        self,
        denoiser: Denoiser,
        config: TrainingConfig,
        feed: MaskedBases,
        held_out: tuple[Codes, Targets],
    ) -> None:
        self.denoiser, self.config = denoiser, config
        self.feed, self.held_out = feed, held_out
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [each],
                    "share": 1.0,
                    "weight_decay": config.weight_decay * (each.ndim > 1),
                }
                for each in denoiser.parameters()
            ]
        )
        self.rates, self.momenta = plan_steps(config, rows=len(feed.windows))

    def run(self, progress: Callable[[int], object]) -> Pretrained:
        every = max(1, self.config.steps // self.config.evaluations)
        history: History = []
        best: Weights = copy_weights(self.denoiser.network)
        losses: list[float] = []
        for step in range(1, self.config.steps + 1):
            losses.append(self._learn(step))
            progress(1)
            if step % every and step < self.config.steps:
                continue
            row = {"step": step, "learning_rate": float(self.rates[step - 1])}
            row |= {"train_loss": float(np.mean(losses)), **self._check()}
            self._refuse_infinite(row, history, best)
            if row["validation_loss"] < min(
                (r["validation_loss"] for r in history), default=np.inf
            ):
                best = copy_weights(self.denoiser.network)
            history.append(row)
            losses = []
        return Pretrained(best, self.denoiser.learned, history)

    def _learn(self, step: int) -> float:
        self.denoiser.train()
        set_pace(self.optimiser, self.rates[step - 1], self.momenta[step - 1])
        codes, targets = self.feed.take(self.config.batch_size)
        loss = functional.cross_entropy(*self._logits(codes, targets), ignore_index=-1)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.denoiser.parameters(), self.config.clip)
        self.optimiser.step()
        return float(loss.detach())

    def _logits(self, codes: Codes, targets: Targets) -> tuple[Tensor, Tensor]:
        device = self.denoiser.bias.device
        unknown = self.denoiser.network.unknown
        one_hot = expand_one_hot(torch.from_numpy(codes).to(device), unknown=unknown)
        return self.denoiser(one_hot), torch.from_numpy(targets).to(device)

    @torch.no_grad()
    def _check(self) -> dict[str, float]:
        """Measure the loss and the accuracy on what is held out."""
        self.denoiser.eval()
        codes, targets = self.held_out
        total, right, count = 0.0, 0, 0
        for start in range(0, len(codes), _ROWS_SCORED):
            rows = slice(start, start + _ROWS_SCORED)
            logits, given = self._logits(codes[rows], targets[rows])
            known = given >= 0
            losses = functional.cross_entropy(logits, given, ignore_index=-1, reduction="sum")
            total += float(losses)
            right += int((logits.argmax(dim=1) == given)[known].sum())
            count += int(known.sum())
        common = int(np.bincount(targets[targets >= 0], minlength=1).max())
        shares = {"accuracy": right / max(count, 1), "commonest": common / max(count, 1)}
        return {"validation_loss": total / max(count, 1)} | shares

    def _refuse_infinite(self, row: dict[str, float], history: History, best: Weights) -> None:
        if not np.isfinite([row["train_loss"], row["validation_loss"]]).all():
            raise DivergenceError(
                f"pre-training, before step {row['step']:.0f}",
                "the loss is no longer a finite number",
                remedy="lower --learning-rate",
                network=TrainedNetwork(best, history),
            )
