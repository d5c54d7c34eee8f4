"""Logits of sequences under a trained model.

A logit must not depend on how the work was cut: not in its last bit. So every pass of a model
has the same shape (the last block of a run is filled up with N), and on a CPU each runs on one
thread; blocks are what threads share out. A sequence then goes through the same sums, wherever
it stands and whatever stands beside it. The dense head sums in float64. Another machine may
round the detectors' scores (float32) in another way.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.networks import build_network
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine.devices import count_threads, keep_freed_memory
from seqcnn.engine.strands import combine_strands, expand_one_hot, reverse_complement_one_hot
from seqcnn.errors import ModelFileError
from seqcnn.modelfile import TrainedModel

__all__ = ["Engine", "Predictions"]

Result = TypeVar("Result")

_MODEL = "the model file"
_BLOCKS_AHEAD = 8


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

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration.
    """

    def __init__(
        self, model: TrainedModel, *, device: torch.device | None = None, threads: int = 0
    ) -> None:
        self.model = model
        self.spec = model.spec
        self.device = device or torch.device("cpu")
        keep_freed_memory()
        self.threads = 1 if self.device.type == "cuda" else count_threads(threads)
        self.networks = [self._load(member) for member in model.members]
        self.block = self.networks[0].rows_at_once(self.spec.length, self.device)
        self._heads = [copy.deepcopy(network.head).double() for network in self.networks]
        self._centre = np.array(self.spec.centre or [0.0] * len(self.spec.tasks))
        self._scale = np.array(self.spec.scale or [1.0] * len(self.spec.tasks))

    def _load(self, member: dict[str, NDArray[np.float32]]) -> SequenceNetwork:
        network = build_network(self.spec.config, tasks=len(self.spec.tasks))
        _check_shapes(network, member)
        if self.spec.length < network.shortest:
            found = f"windows of {self.spec.length} bp"
            raise ModelFileError(_MODEL, found, expected=f"at least {network.shortest} bp")
        network.load_state_dict({name: torch.tensor(v) for name, v in member.items()})
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

        Raises
        ------
        ValueError
            For sequences of another length than the model's.
        """
        self._check_length(codes)

        def run(start: int) -> Result:
            rows = codes[start : start + self.block]
            filled = np.full((self.block, self.spec.length), UNKNOWN, dtype=np.uint8)
            filled[: len(rows)] = rows
            with torch.inference_mode():
                batch = torch.from_numpy(filled).to(self.device)
                return work(expand_one_hot(batch, unknown=self.spec.unknown), len(rows))

        pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))
        with pool:
            # Not pool.map: it would make a task of every block before the first one is done.
            ahead: deque[Future[Result]] = deque()
            for start in range(0, len(codes), self.block):
                ahead.append(pool.submit(run, start))
                if len(ahead) > _BLOCKS_AHEAD * self.threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def features(self, codes: Codes, *, member: int) -> list[Tensor]:
        """Pool sequences to features (n, features) in float64, once for each strand used."""
        network = self.networks[member]

        def pooled(one_hot: Tensor, rows: int) -> list[Tensor]:
            return [network.features(s)[:rows].double() for s in self.strands(one_hot)]

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
            features = [network.features(strand).double() for strand in strands]
            members.append(self.weigh(features, member=member)[:rows])
        return np.asarray(torch.stack(members).cpu().numpy())

    def _check_length(self, codes: Codes) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.spec.length:
            raise ValueError(f"codes of shape {codes.shape}, not (n, {self.spec.length})")


def _check_shapes(network: SequenceNetwork, member: dict[str, NDArray[np.float32]]) -> None:
    """Refuse weights that are not those of the network; counters of batches do not matter."""
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items() if v.is_floating_point()}
    found = {k: v.shape for k, v in member.items() if v.dtype.kind == "f"}
    wrong = sorted(k for k in wanted | found if wanted.get(k) != found.get(k))
    if wrong:
        name = wrong[0]
        raise ModelFileError(
            _MODEL,
            f"its weights do not fit its configuration: {name} is {_spell_shape(found, name)}",
            expected=_spell_shape(wanted, name),
            remedy="train the model again",
        )


def _spell_shape(shapes: Mapping[str, tuple[int, ...]], name: str) -> str:
    return " x ".join(map(str, shapes[name])) + " values" if name in shapes else "absent"
