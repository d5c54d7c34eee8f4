"""A task's logit as a function of one-hot sequences that torch can differentiate."""

import copy
import functools
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.engine.strands import (
    combine_strands,
    expand_one_hot,
    reverse_complement_one_hot,
    strand_logits,
)
from seqcnn.errors import ModelFileError
from seqcnn.modelfile import ModelSpec

__all__ = ["Differentiable", "Member"]


def _slide(network: SequenceNetwork, one_hot: Tensor, detectors: Tensor, offsets: Tensor) -> Tensor:
    padding = (network.detector_padding, network.detector_padding)
    padded = functional.pad(one_hot, padding, value=network.unknown)
    return functional.conv1d(padded, detectors, offsets)


class Member(NamedTuple):
    """A network, what it takes and gives, and how its logit becomes one of the model."""

    network: SequenceNetwork
    spec: ModelSpec
    scale: float
    centre: float


class Differentiable:
    """The mean of the networks of a model.

    Members of a mixture that count gapped k-mers have no gradient: they are left out.

    Parameters
    ----------
    engine
        The model.
    task
        Number of the task.

    Attributes
    ----------
    members
        The networks.
    left_out
        How many members of the model have no gradient.

    Raises
    ------
    ModelFileError
        For models side by side, and for those without a network.
    """

    def __init__(self, engine: Engine, task: int) -> None:
        self.spec, self.task, self.device = engine.spec, task, engine.device
        networks = [each for each in engine.singles if each.has_detectors]
        if not networks or (self.spec.window and self.spec.flanks != "unknown"):
            raise ModelFileError(
                "the model",
                "cannot be differentiated: it is several models, over gapped k-mers, or looks past"
                " its windows",
                expected="a model of networks",
                remedy="use seqcnn mutation-map, which needs no gradient",
            )
        self.members = [member for each in networks for member in _list_members(each, task)]
        self.left_out = engine.model.networks - len(self.members)
        self.scale, self.centre = (1.0, 0.0)
        if engine.model.is_mixture:
            self.scale, self.centre = _choose_scale(self.spec, task)

    def expand(self, codes: Codes) -> Tensor:
        """Turn codes (n, length) into one-hot (n, 4, length)."""
        there = torch.from_numpy(codes).to(self.device)
        return expand_one_hot(there, unknown=self.spec.unknown)

    def __call__(self, one_hot: Tensor) -> Tensor:
        """Give the logits (n,) of one-hot sequences (n, 4, length)."""
        members = [
            self._logits(member.network, member.spec.strands, one_hot) * member.scale
            + member.centre
            for member in self.members
        ]
        return torch.stack(members).mean(dim=0) * self.scale + self.centre

    def _logits(self, network: SequenceNetwork, strands: str, one_hot: Tensor) -> Tensor:
        if not self.spec.window or one_hot.shape[2] <= self.spec.window:
            logits: Tensor = strand_logits(network, one_hot, strands)
            return logits[:, self.task]
        sides = [one_hot]
        if strands != "single":
            sides.append(reverse_complement_one_hot(one_hot))
        found = [self._over_windows(network, side) for side in sides]
        if len(found) == 1:
            return found[0]
        return combine_strands(found[0], found[1], strands)

    def _over_windows(self, network: SequenceNetwork, one_hot: Tensor) -> Tensor:
        """Score every window by itself, on one strand: (n,)."""
        windows = one_hot.unfold(2, self.spec.window, 1).transpose(1, 2)
        every: Tensor = network(windows.flatten(0, 1))
        logits = every[:, self.task].view(len(one_hot), -1)
        if self.spec.over_windows == "average":
            return logits.sum(dim=1) / one_hot.shape[2]
        return logits.max(dim=1).values

    def gradient(self, one_hot: Tensor) -> Tensor:
        """Differentiate the logits by each number of the sequences: (n, 4, length)."""
        inputs = one_hot.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self(inputs).sum(), inputs)
        return gradient

    def score(self, codes: Codes) -> NDArray[np.float64]:
        """Give the logits (n,) of sequences."""
        with torch.no_grad():
            parts = [self(self.expand(codes[i : i + 256])) for i in range(0, len(codes), 256)]
        return np.asarray(torch.cat(parts).double().cpu().numpy())


def _list_members(engine: Engine, task: int) -> list[Member]:
    members = []
    for network in engine.torch.networks:
        fixed = copy.deepcopy(network).eval().requires_grad_(False)
        # The matrix product of all windows is fast in training, but not to be differentiated
        # by its windows.
        fixed.__dict__["_slide"] = functools.partial(_slide, fixed)
        members.append(Member(fixed, engine.spec, *_choose_scale(engine.spec, task)))
    return members


def _choose_scale(spec: ModelSpec, task: int) -> tuple[float, float]:
    scale = spec.scale or (1.0,) * len(spec.tasks)
    centre = spec.centre or (0.0,) * len(spec.tasks)
    return scale[task], centre[task]
