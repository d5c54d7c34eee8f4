"""The engine: everything that runs sequences through a trained model.

A model with global pooling runs in compiled loops on a CPU; a deep one, and any on a GPU, on
torch. One that scores the windows inside a sequence runs in compiled loops wherever it is. Which
of them it is makes no difference to the logits beyond rounding (1e-6), and nothing else does: not
the order of the sequences, nor their neighbours, nor blocks, nor threads.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.backend import Backend, Logits
from seqcnn.engine.check import check_device
from seqcnn.engine.compiled_backend import CompiledBackend
from seqcnn.engine.devices import count_threads
from seqcnn.engine.gkm import GkmBackend
from seqcnn.errors import ConfigError
from seqcnn.genome import Haplotypes
from seqcnn.modelfile import TrainedModel

if TYPE_CHECKING:
    import torch

    from seqcnn.engine.torch_backend import TorchBackend

__all__ = ["Engine", "Predictions"]


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
        Where to run it: ``cpu``, ``cuda:N`` or torch's device.
    threads
        CPU threads that share out the work; 0 means one for each core.

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration.
    ConfigError
        When a GPU does not compute what the CPU does.
    """

    def __init__(
        self, model: TrainedModel, *, device: "torch.device | str" = "cpu", threads: int = 0
    ) -> None:
        self.model, self.spec = model, model.spec
        side_by_side = bool(model.parts) and not model.is_mixture
        on_cpu = side_by_side or model.spec.window or GkmBackend.suits(model.spec)
        self.device = "cpu" if on_cpu else str(device)
        self.threads = count_threads(threads)
        self._backend: Backend = self._choose_backend()
        self._centre = np.array(self.spec.centre or [0.0] * len(self.spec.tasks))
        self._scale = np.array(self.spec.scale or [1.0] * len(self.spec.tasks))

    def _choose_backend(self) -> Backend:
        if self.model.parts:
            return self._join_parts()
        if GkmBackend.suits(self.spec):
            return GkmBackend(self.spec, self.model.members, self.threads)
        if self.spec.window:
            from seqcnn.engine.windowed import WindowedBackend

            return WindowedBackend(self.spec, self.model.members, self.threads)
        if self.device != "cpu":
            reference = Engine(self.model, threads=self.threads)._backend
            sides = [_scorer(backend) for backend in (self.torch, reference)]
            check_device(self.device, *sides, length=self.spec.length)
            return self.torch
        if CompiledBackend.suits(self.spec):
            return CompiledBackend(self.spec, self.model.members, self.threads)
        return self.torch

    def _join_parts(self) -> Backend:
        if self.model.is_mixture:
            from seqcnn.engine.mixture import Mixture

            return Mixture(self.singles)
        from seqcnn.engine.collection import Collection

        return Collection(
            self.model.parts, self.threads, lambda part: self._engine_of(part)._backend
        )

    def round_to(self, precision: str) -> None:
        """Let a GPU round what a deep network multiplies: faster, and less exact.

        The device has been compared with the CPU before, in float32.

        Parameters
        ----------
        precision
            One of `PRECISIONS`: ``float32``, the default, rounds nothing.

        Raises
        ------
        ConfigError
            Where nothing would be rounded.
        """
        if precision == "float32":
            return
        if self.device == "cpu" or not self._is_deep:
            raise ConfigError(
                f"--precision {precision}",
                "only deep networks on a GPU are rounded",
                expected="float32 here",
                remedy="leave the option out",
            )
        self.torch.round_to(precision)

    @functools.cached_property
    def singles(self) -> "tuple[Engine, ...]":
        """Engines of the parts of a mixture, or this one: each of members of one family."""
        if self.model.is_mixture:
            return tuple(self._engine_of(part) for part in self.model.parts)
        return (self,)

    @property
    def has_detectors(self) -> bool:
        """Whether the members are networks, whose detectors `torch` gives."""
        return not self.model.parts and not isinstance(self._backend, GkmBackend)

    @property
    def _is_deep(self) -> bool:
        return self.has_detectors and self._backend is self.torch and self.torch.is_deep

    def _engine_of(self, part: TrainedModel) -> "Engine":
        return Engine(part, device=self.device, threads=self.threads)

    @functools.cached_property
    def torch(self) -> "TorchBackend":
        """The members as torch networks, for work on their layers."""
        import torch

        from seqcnn.engine.torch_backend import TorchBackend

        device = torch.device(self.device)
        return TorchBackend(self.spec, self.model.members, device, self.threads)

    def predict(
        self, codes: Codes, *, progress: Callable[[int], object] | None = None
    ) -> Predictions:
        """Score sequences.

        Parameters
        ----------
        codes
            Array (n, length) of the model's length; of any, where the model scores the windows
            inside a sequence.
        progress
            Called with the number of sequences done since the last call.

        Returns
        -------
        Predictions
            In the order of the sequences.

        Raises
        ------
        ValueError
            For sequences of another length than the model's.
        """
        self._check_length(codes)
        return self._rescale(self._backend.predict(codes, progress or _ignore))

    def predict_each(
        self, sequences: Sequence[Codes], *, progress: Callable[[int], object] | None = None
    ) -> Predictions:
        """Score sequences of several lengths, each as it is; see `predict`."""
        lengths = np.array([len(codes) for codes in sequences], dtype=np.int64)
        members = np.empty((self.model.networks, len(sequences), len(self.spec.tasks)))
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            codes = np.stack([sequences[int(row)] for row in rows])
            members[:, rows] = self.predict(codes, progress=progress).members
        return Predictions(members)

    def predict_mutants(
        self, codes: Codes, *, progress: Callable[[int], object] | None = None
    ) -> Logits:
        """Score all substitutions of sequences.

        Parameters
        ----------
        codes
            Array (n, length) of the model's length.
        progress
            Called with the number of sequences done since the last call.

        Returns
        -------
        NDArray
            Logits (members, n, length, 4, tasks) with each base at each position; with the
            sequence's own base, those of the sequence. At an N all four are substitutions.

        Raises
        ------
        ValueError
            For sequences of another length than the model's.
        """
        self._check_length(codes)
        return self._scaled(self._backend.predict_mutants(codes, progress or _ignore))

    def predict_alleles(
        self,
        contig: Codes,
        ref: Haplotypes,
        alt: Haplotypes,
        *,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[Predictions, Predictions]:
        """Score pairs of windows, with and without a variant.

        Parameters
        ----------
        contig
            Codes of the whole contig.
        ref, alt
            Windows of the model's length, one of each for a pair.
        progress
            Called with the number of windows done since the last call.

        Raises
        ------
        ValueError
            When a window begins right of its letters.
        """
        if any((side.alleles < side.starts).any() for side in (ref, alt)):
            raise ValueError("a window begins right of its letters")
        sides = self._backend.predict_alleles(contig, ref, alt, progress or _ignore)
        return self._rescale(sides[0]), self._rescale(sides[1])

    def scan(
        self, contig: Codes, *, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, Logits]]:
        """Score every window of the model's length along a contig, block by block.

        Parameters
        ----------
        contig
            Codes of the whole contig.
        first, stop
            Where windows begin: from `first` up to `stop`, by default up to the last that ends
            on the contig.

        Yields
        ------
        tuple
            Where the first window of the block begins, and logits (members, windows, tasks).
        """
        last = len(contig) - self.spec.length + 1
        stop = last if stop is None else min(stop, last)
        for start, logits in self._backend.scan(contig, max(first, 0), stop):
            yield start, self._scaled(logits)

    def _scaled(self, logits: Logits) -> Logits:
        return np.asarray(logits * self._scale + self._centre)

    def _rescale(self, logits: Logits) -> Predictions:
        return Predictions(self._scaled(logits))

    def _check_length(self, codes: Codes) -> None:
        wanted = (codes.shape[-1] or 1) if self.spec.window else self.spec.length
        if codes.ndim != 2 or codes.shape[1] != wanted:
            raise ValueError(f"codes of shape {codes.shape}, not (n, {self.spec.length})")


def _scorer(backend: Backend) -> Callable[[Codes], Logits]:
    return lambda codes: backend.predict(codes, _ignore)


def _ignore(_: int) -> None:
    pass
