"""Logits of sequences under a trained model.

The last printed digit must not depend on how the work was cut. So every pass has the same
shape (the last block of a run is filled up with N), each runs on one thread, blocks are what
threads share out, and the dense head sums in float64, where the order of a sum stays below
what is printed.
"""

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

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

Result = TypeVar("Result")

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
        done = 0
        for part in self.map_blocks(codes, self._logits):
            members[:, done : done + part.shape[1]] = part
            done += part.shape[1]
            if progress:
                progress(part.shape[1])
        return Predictions(members * self._scale + self._centre)

    def map_blocks(self, codes: Codes, work: Callable[[Tensor, int], Result]) -> Iterator[Result]:
        """Apply `work` to blocks of sequences, in order; threads share the blocks out.

        Parameters
        ----------
        codes
            Array (n, length).
        work
            Called with the one-hot block (block, 4, length), filled up with N, and the number
            of rows in it that are sequences.
        """

        def run(start: int) -> Result:
            rows = codes[start : start + self.block]
            filled = np.full((self.block, self.spec.length), UNKNOWN, dtype=np.uint8)
            filled[: len(rows)] = rows
            with torch.inference_mode():
                batch = torch.from_numpy(filled).to(self.device)
                return work(expand_one_hot(batch, unknown=self.spec.unknown), len(rows))

        pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))
        with pool:
            yield from pool.map(run, range(0, len(codes), self.block))

    def features(self, codes: Codes, *, member: int) -> list[Tensor]:
        """Pool sequences to features (n, features) in float64, once for each strand used."""
        network = self.networks[member]

        def pooled(one_hot: Tensor, rows: int) -> list[Tensor]:
            return [network.pool(network.detect(s))[:rows].double() for s in self.strands(one_hot)]

        return [torch.cat(parts) for parts in zip(*self.map_blocks(codes, pooled), strict=True)]

    def weigh(self, features: Sequence[Tensor], *, member: int) -> Tensor:
        """Turn the features of each strand into logits (n, tasks) of one member."""
        with torch.inference_mode():
            logits: list[Tensor] = [self._heads[member](strand) for strand in features]
            if len(logits) == 1:
                return logits[0]
            return combine_strands(logits[0], logits[1], self.spec.strands)

    def strands(self, one_hot: Tensor) -> list[Tensor]:
        """Give the one or two strands (n, 4, length) that the model looks at."""
        if self.spec.strands == "single":
            return [one_hot]
        return [one_hot, reverse_complement_one_hot(one_hot)]

    def _logits(self, one_hot: Tensor, rows: int) -> NDArray[np.float64]:
        """Run one block: (members, rows, tasks)."""
        members = []
        for member, network in enumerate(self.networks):
            strands = self.strands(one_hot)
            features = [network.pool(network.detect(strand)).double() for strand in strands]
            members.append(self.weigh(features, member=member)[:rows])
        return np.asarray(torch.stack(members).cpu().numpy())
