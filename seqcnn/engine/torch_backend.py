"""Networks on torch: deep ones on a CPU, and all of them on a GPU.

A logit must not depend on how the work was cut: not in its last bit. So every whole pass of a
model has the same shape (the last block of a run is filled up with N), and on a CPU each runs on
one thread; blocks are what threads share out. A sequence then goes through the same sums,
wherever it stands and whatever stands beside it. The dense head sums in float64. Another machine
may round the scores of deep networks (float32) in another way.
"""

import copy
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.networks import build_network
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine.backend import Advance, Logits
from seqcnn.engine.devices import keep_freed_memory, stage, use_precision
from seqcnn.engine.mutants import score_whole_mutants
from seqcnn.engine.pooled_torch import TorchPooled, supports
from seqcnn.engine.sharing import map_in_order
from seqcnn.engine.strands import combine_strands, expand_one_hot, reverse_complement_one_hot
from seqcnn.engine.strips import Strips
from seqcnn.engine.weights import check_weights, too_short
from seqcnn.genome import Haplotypes, cut_haplotypes, gather_windows
from seqcnn.modelfile import ModelSpec

__all__ = ["TorchBackend"]

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

_PAIRS = 32
_SCANNED = 4096


class TorchBackend:
    """Members of a model as torch networks.

    Parameters
    ----------
    spec
        What the model takes and gives.
    members
        The weights of each member.
    device
        Where to run.
    threads
        CPU threads that share out the blocks.

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration.
    """

    def __init__(
        self,
        spec: ModelSpec,
        members: Sequence[Mapping[str, NDArray[np.float32]]],
        device: torch.device,
        threads: int,
    ) -> None:
        self.spec, self.device = spec, device
        self._precision = "float32"
        self.threads = 1 if device.type == "cuda" else threads
        keep_freed_memory()
        if device.type == "cuda":
            use_precision(self._precision)
        self.networks = [_load_network(spec, member).to(device) for member in members]
        self.block = self.networks[0].rows_at_once(spec.length, device)
        self.heads = [copy.deepcopy(network.head).double() for network in self.networks]

    @property
    def _name(self) -> str:
        return self.spec.architecture

    @property
    def is_deep(self) -> bool:
        """Whether the networks have layers above their detectors that keep positions."""
        return isinstance(self.networks[0], StackedNetwork)

    def round_to(self, precision: str) -> None:
        """Round what deep networks multiply: to ``tf32``, or whole windows to ``bf16``.

        With ``bf16``, mutants that are followed through the layers are multiplied in TF32.
        """
        self._precision = precision
        if self.device.type == "cuda":
            use_precision(precision)

    def _rounded(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self._precision == "bf16"
        )

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (members, n, tasks)."""
        out = self._empty(len(codes))
        done = 0
        for part in self.map_blocks(codes, self._logits):
            out[:, done : done + part.shape[1]] = part
            done += part.shape[1]
            advance(part.shape[1])
        return out

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (members, n, length, 4, tasks)."""
        if self._pooled:
            pooled = [_to_numpy(m.mutants(torch.from_numpy(codes))) for m in self._pooled]
            advance(len(codes))
            return np.stack(pooled)
        if self._strips:
            return self._follow_mutants(codes, advance)
        return score_whole_mutants(self.predict, codes, advance, self._empty(*codes.shape, 4))

    def _follow_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Follow each substitution through the layers; a strand of a sequence is a task."""
        both = [codes] if self.spec.strands == "single" else [codes, reverse_complement(codes)]
        sides = [self._empty(*codes.shape, 4) for _ in both]

        def run(task: int) -> None:
            row, strand = divmod(task, len(both))
            for logits, member in zip(sides[strand], self._strips, strict=True):
                logits[row] = member.mutants(both[strand][row : row + 1])[0]

        for task, _ in enumerate(self._share(run, range(len(codes) * len(both)))):
            advance(int((task + 1) % len(both) == 0))
        if len(both) == 1:
            return sides[0]
        # Base b at position i is, on the other strand, base 3 - b at position length - 1 - i.
        return _combine(sides[0], sides[1][:, :, ::-1, ::-1], self.spec.strands)

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (members, n, tasks) for each side."""
        before, after = (cut_haplotypes(contig, side, self.spec.length) for side in (ref, alt))
        if self._pooled:
            pairs = [_compare_pooled(member, before, after) for member in self._pooled]
            advance(2 * len(before))
            return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
        if not self._strips:
            return self.predict(before, advance), self.predict(after, advance)
        refs, alts = self._empty(len(before)), self._empty(len(before))

        def run(start: int) -> int:
            piece = slice(start, start + _PAIRS)
            for i, member in enumerate(self._strips):
                pair = _compare_strips(member, before[piece], after[piece], self.spec.strands)
                refs[i, piece], alts[i, piece] = pair
            return len(before[piece])

        for done in self._share(run, range(0, len(before), _PAIRS)):
            advance(2 * done)
        return refs, alts

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order."""
        for start in range(first, stop, _SCANNED):
            end = min(start + _SCANNED, stop)
            if self._pooled:
                piece = torch.from_numpy(contig[start : end + self.spec.length - 1].copy())
                yield start, np.stack([_scan(member, piece, self.spec) for member in self._pooled])
            else:
                windows = gather_windows(contig, np.arange(start, end), self.spec.length)
                yield start, self.predict(windows, lambda _: None)

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
        starts = range(0, len(codes), self.block)

        def fill(start: int) -> Tensor:
            rows = codes[start : start + self.block]
            filled = np.full((self.block, self.spec.length), UNKNOWN, dtype=np.uint8)
            filled[: len(rows)] = rows
            return torch.from_numpy(filled)

        def run(block: Tensor, start: int) -> Result:
            with torch.inference_mode():
                one_hot = expand_one_hot(block, unknown=self.spec.unknown)
                return work(one_hot, min(self.block, len(codes) - start))

        if self.device.type == "cpu":
            return self._share(lambda start: run(fill(start), start), starts)
        # The next blocks are on their way while one is worked on.
        return map(run, stage(map(fill, starts), self.device), starts)

    def features(self, codes: Codes, *, member: int) -> list[Tensor]:
        """Pool sequences to features (n, features) in float64, once for each strand used."""
        network = self.networks[member]

        def pooled(one_hot: Tensor, rows: int) -> list[Tensor]:
            with self._rounded():
                return [network.features(s)[:rows].double() for s in self.strands(one_hot)]

        return [torch.cat(parts) for parts in zip(*self.map_blocks(codes, pooled), strict=True)]

    def weigh(self, features: Sequence[Tensor], *, member: int) -> Tensor:
        """Turn the features of each strand into logits (n, tasks) of one member."""
        with torch.inference_mode():
            if self.spec.strands == "shared":
                features = [self.networks[member].join_strands(*features)]
            logits: list[Tensor] = [self.heads[member](strand) for strand in features]
            if len(logits) == 1:
                return logits[0]
            return combine_strands(logits[0], logits[1], self.spec.strands)

    def strands(self, one_hot: Tensor) -> list[Tensor]:
        """Give the one or two strands (n, 4, length) that the model looks at."""
        if self.spec.strands == "single":
            return [one_hot]
        return [one_hot, reverse_complement_one_hot(one_hot)]

    def _logits(self, one_hot: Tensor, rows: int) -> Logits:
        """Run one block: (members, rows, tasks)."""
        members = []
        for member, network in enumerate(self.networks):
            strands = self.strands(one_hot)
            with self._rounded():
                features = [network.features(strand).double() for strand in strands]
            members.append(self.weigh(features, member=member)[:rows])
        return np.asarray(torch.stack(members).cpu().numpy())

    def _empty(self, *shape: int) -> Logits:
        return np.empty((len(self.networks), *shape, len(self.spec.tasks)))

    def _share(self, work: Callable[[int], Result], pieces: range) -> Iterator[Result]:
        def prepare() -> None:
            torch.set_num_threads(1)

        return map_in_order(work, pieces, threads=self.threads, prepare=prepare)

    @functools.cached_property
    def _pooled(self) -> list[TorchPooled]:
        """The members with global pooling, incrementally; none where they are deep."""
        if not supports(self.networks[0]) or self.spec.strands == "shared":
            return []
        both = zip(self.networks, self.heads, strict=True)
        return [TorchPooled(network, head, self.spec.strands) for network, head in both]

    @functools.cached_property
    def _strips(self) -> list[Strips]:
        """The members as what follows changes through their layers; none where nothing can."""
        if self.spec.strands == "shared":
            _log.info("%s: mutants in whole batches (weights shared by the strands)", self._name)
            return []
        try:
            return [
                Strips(network, head, unknown=self.spec.unknown)
                for network, head in zip(self.networks, self.heads, strict=True)
                if isinstance(network, StackedNetwork)
            ]
        except TypeError as problem:  # a kind of layer that changes cannot be followed through
            _log.info("%s: mutants in whole batches (%s)", self._name, problem)
            return []


def _load_network(spec: ModelSpec, member: Mapping[str, NDArray[np.float32]]) -> SequenceNetwork:
    network = build_network(spec.config, tasks=len(spec.tasks), length=spec.length)
    state = network.state_dict()
    check_weights({k: tuple(v.shape) for k, v in state.items() if v.is_floating_point()}, member)
    if spec.length < network.shortest:
        raise too_short(spec.length, network.shortest)
    network.load_state_dict({name: torch.tensor(v) for name, v in member.items()}, strict=False)
    network.unknown = spec.unknown
    return network.eval()


def _compare_pooled(member: TorchPooled, ref: Codes, alt: Codes) -> tuple[Logits, Logits]:
    before, after = member.alleles(torch.from_numpy(ref), torch.from_numpy(alt))
    return _to_numpy(before), _to_numpy(after)


def _compare_strips(member: Strips, ref: Codes, alt: Codes, strands: str) -> tuple[Logits, Logits]:
    forward = member.alternatives(ref, alt)
    if strands == "single":
        return forward
    reverse = member.alternatives(reverse_complement(ref), reverse_complement(alt))
    before, after = zip(forward, reverse, strict=True)
    return _combine(*before, strands), _combine(*after, strands)


def _combine(forward: Logits, reverse: Logits, strands: str) -> Logits:
    return np.asarray(np.maximum(forward, reverse) if strands == "max" else (forward + reverse) / 2)


def _scan(member: TorchPooled, piece: Tensor, spec: ModelSpec) -> Logits:
    return np.concatenate([_to_numpy(logits) for _, logits in member.scan(piece, spec.length)])


def _to_numpy(values: Tensor) -> Logits:
    return np.asarray(values.cpu().numpy())
