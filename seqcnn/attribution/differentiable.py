"""A task's logit as a function of one-hot sequences that torch can differentiate."""

import copy
import functools

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

__all__ = ["Differentiable"]


def _slide(network: SequenceNetwork, one_hot: Tensor, detectors: Tensor, offsets: Tensor) -> Tensor:
    padding = (network.detector_padding, network.detector_padding)
    padded = functional.pad(one_hot, padding, value=network.unknown)
    return functional.conv1d(padded, detectors, offsets)


class Differentiable:
    """The mean of a model's members.

    Parameters
    ----------
    engine
        The model.
    task
        Number of the task.

    Raises
    ------
    ModelFileError
        For models side by side, and for others that are no torch network.
    """

    def __init__(self, engine: Engine, task: int) -> None:
        self.spec, self.task, self.device = engine.spec, task, engine.device
        if not engine.has_detectors or (self.spec.window and self.spec.flanks != "unknown"):
            raise ModelFileError(
                "the model",
                "cannot be differentiated: it is several models, over gapped k-mers, or looks past"
                " its windows",
                expected="a single network",
                remedy="use seqcnn mutation-map, which needs no gradient",
            )
        self.networks: list[SequenceNetwork] = []
        for network in engine.torch.networks:
            fixed = copy.deepcopy(network).eval().requires_grad_(False)
            # The matrix product of all windows is fast in training, but not to be differentiated
            # by its windows.
            fixed.__dict__["_slide"] = functools.partial(_slide, fixed)
            self.networks.append(fixed)
        scale = self.spec.scale or (1.0,) * len(self.spec.tasks)
        centre = self.spec.centre or (0.0,) * len(self.spec.tasks)
        self.scale, self.centre = scale[task], centre[task]

    def expand(self, codes: Codes) -> Tensor:
        """Turn codes (n, length) into one-hot (n, 4, length)."""
        there = torch.from_numpy(codes).to(self.device)
        return expand_one_hot(there, unknown=self.spec.unknown)

    def __call__(self, one_hot: Tensor) -> Tensor:
        """Give the logits (n,) of one-hot sequences (n, 4, length)."""
        members = [self._logits(network, one_hot) for network in self.networks]
        return torch.stack(members).mean(dim=0) * self.scale + self.centre

    def _logits(self, network: SequenceNetwork, one_hot: Tensor) -> Tensor:
        if not self.spec.window or one_hot.shape[2] <= self.spec.window:
            logits: Tensor = strand_logits(network, one_hot, self.spec.strands)
            return logits[:, self.task]
        sides = [one_hot]
        if self.spec.strands != "single":
            sides.append(reverse_complement_one_hot(one_hot))
        found = [self._over_windows(network, side) for side in sides]
        if len(found) == 1:
            return found[0]
        return combine_strands(found[0], found[1], self.spec.strands)

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
