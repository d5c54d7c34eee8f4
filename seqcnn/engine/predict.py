"""Logits of sequences under a trained model.

The last printed digit must not depend on how the work was cut. So every pass has the same
shape (the last block of a run is filled up with N), each runs on one thread, blocks are what
threads share out, and the dense head sums in float64, where the order of a sum stays below
what is printed.
"""

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.networks import build_network
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine.strands import combine_strands, expand_one_hot, reverse_complement_one_hot
from seqcnn.errors import ModelFileError
from seqcnn.modelfile import TrainedModel

__all__ = ["Engine", "Predictions"]

_POSITIONS_CPU = 2**16
_POSITIONS_CUDA = 2**21


@dataclass(frozen=True)
class Predictions:
    """What a model says of n sequences.

    Attributes
    ----------
    members
        Logits (members, n, tasks) in the units of the targets.
    """

    members: NDArray[np.float64]

    @property
    def logits(self) -> NDArray[np.float64]:
        """Mean over the members (n, tasks): before the sigmoid, or in the targets' units."""
        return np.asarray(self.members.mean(axis=0))

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation (n, tasks) over the members; NaN for a single one."""
        if len(self.members) < 2:
            return np.full(self.members.shape[1:], np.nan)
        return np.asarray(self.members.std(axis=0, ddof=1))


class Engine:
    """A trained model laid out on a device, ready to score sequences.

    Parameters
    ----------
    model
        What to run.
    device
        Where to run it.
    threads
        CPU threads that share out the blocks; 0 means one for each core.
    """

    def __init__(
        self, model: TrainedModel, *, device: torch.device | None = None, threads: int = 0
    ) -> None:
        self.model = model
        self.spec = model.spec
        self.device = device or torch.device("cpu")
        on_gpu = self.device.type == "cuda"
        self.threads = 1 if on_gpu else threads or os.cpu_count() or 1
        positions = _POSITIONS_CUDA if on_gpu else _POSITIONS_CPU
        self.block = max(1, positions // self.spec.length)
        self.networks = [self._load(member) for member in model.members]
        self._heads = [copy.deepcopy(network.head).double() for network in self.networks]
        self._centre = np.array(self.spec.centre or [0.0] * len(self.spec.tasks))
        self._scale = np.array(self.spec.scale or [1.0] * len(self.spec.tasks))

    def _load(self, member: dict[str, NDArray[np.float32]]) -> SequenceNetwork:
        network = build_network(self.spec.config, tasks=len(self.spec.tasks))
        try:
            network.load_state_dict({k: torch.tensor(v) for k, v in member.items()})
        except RuntimeError as problem:
            raise ModelFileError(
                "the model", f"its weights do not fit its configuration ({problem})"
            ) from problem
        return network.eval().to(self.device)

    def predict(
        self, codes: Codes, *, progress: Callable[[int], object] | None = None
    ) -> Predictions:
        """Score sequences.

        Parameters
        ----------
        codes
            Array (n, length) of the model's length.
        progress
            Called with the number of sequences done since the last call.

        Returns
        -------
        Predictions
            In the order of the sequences.
        """
        shape = (len(self.networks), len(codes), len(self.spec.tasks))
        members = np.empty(shape, dtype=np.float64)
        starts = range(0, len(codes), self.block)
        parts = self._map(lambda start: self._logits(codes[start : start + self.block]), starts)
        for start, part in zip(starts, parts, strict=True):
            members[:, start : start + self.block] = part
            if progress:
                progress(part.shape[1])
        return Predictions(members * self._scale + self._centre)

    def _map(
        self, work: Callable[[int], NDArray[np.float64]], items: Iterable[int]
    ) -> Iterator[NDArray[np.float64]]:
        pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))
        with pool:
            yield from pool.map(work, items)

    def _logits(self, codes: Codes) -> NDArray[np.float64]:
        """Run one block, filled up to the block's size: (members, rows, tasks)."""
        filled = np.full((self.block, self.spec.length), UNKNOWN, dtype=np.uint8)
        filled[: len(codes)] = codes
        with torch.inference_mode():
            batch = torch.from_numpy(filled).to(self.device)
            one_hot = expand_one_hot(batch, unknown=self.spec.unknown)  # (block, 4, length)
            stacked = torch.stack(
                [self._member_logits(i, one_hot) for i in range(len(self.networks))]
            )
        return np.asarray(stacked[:, : len(codes)].cpu().numpy())

    def _member_logits(self, member: int, one_hot: Tensor) -> Tensor:
        network, head = self.networks[member], self._heads[member]

        def run(strand: Tensor) -> Tensor:
            logits: Tensor = head(network.pool(network.detect(strand)).double())
            return logits  # (block, tasks)

        forward = run(one_hot)
        if self.spec.strands == "single":
            return forward
        reverse = run(reverse_complement_one_hot(one_hot))
        return combine_strands(forward, reverse, self.spec.strands)
