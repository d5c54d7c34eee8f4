"""Mutation maps: the logits of all 3 L substitutions of each sequence.

Every side gives (n, positions, 4) logits with base b in the place of the sequence's own, for
both strands joined as the model joins them. Peers may be measured on fewer sequences, or on
positions in the middle of one; rates are of mutants.
"""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.sides.torch_side import TorchSide, to_one_hot

__all__ = ["Plain", "Seqcnn", "Tangermeme"]


class Seqcnn:
    """The engine's `predict_mutants`."""

    def __init__(self, data: dict[str, Any]) -> None:
        from seqcnn.engine import Engine
        from seqcnn.modelfile import read_model

        self.codes = np.load(data["codes"])
        self.checked = data["checked"]
        self.engine = Engine(read_model(Path(data["model"])), threads=data["threads"])

    def run(self, size: int) -> int:
        """Map `size` sequences."""
        self.engine.predict_mutants(_repeat(self.codes, size))
        return size * 3 * self.codes.shape[1]

    def answer(self) -> np.ndarray:
        logits = self.engine.predict_mutants(self.codes[:1])[0, 0, :, :, 0]  # (L, 4)
        return np.concatenate([logits[start:end] for start, end in self.checked])


class Plain(TorchSide):
    """Every mutant through the network, in batches."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.codes = np.load(data["codes"])
        self.settings = [{"batch": batch} for batch in data["batches"]]
        self.setting = self.settings[0]

    def run(self, size: int) -> int:
        """Score `size` mutants."""
        sequences, start, end = _part(size, self.codes.shape[1])
        for codes in _repeat(self.codes, sequences):
            self._map(codes, start, end)
        return sequences * 3 * (end - start)

    def answer(self) -> np.ndarray:
        parts = []
        for start, end in self.data["checked"]:
            codes = self.codes[0]
            logits = np.empty((end - start, 4))
            mutated = self._map(codes, start, end)
            logits[_others(codes[start:end])] = mutated
            own = codes[start:end]
            logits[np.arange(end - start), own] = self.predict(to_one_hot(codes[None]), 1)[0, 0]
            parts.append(logits)
        return np.concatenate(parts)

    def _map(self, codes: np.ndarray, start: int, end: int) -> np.ndarray:
        """Score the mutants of positions [start, end), by position and base."""
        reference = to_one_hot(codes[None])
        positions, bases = np.nonzero(_others(codes[start:end]))
        positions = positions + start
        size, logits = self.setting["batch"], []
        for i in range(0, len(positions), size):
            where, what = positions[i : i + size], bases[i : i + size]
            batch = reference.repeat(len(where), 1, 1)
            rows = torch.arange(len(where))
            batch[rows, :, where] = 0
            batch[rows, what, where] = 1
            with torch.inference_mode():
                logits.append(self.both(batch)[:, 0])
        return torch.cat(logits).numpy()


class Tangermeme:
    """`saturation_mutagenesis`, with its own fast mode or without, both strands joined or apart.

    Its fast mode captures the network in each call, and refuses to where a call is short. Here
    it never refuses, and the time of capturing is not counted, as if the call were endless.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        import tangermeme.saturation_mutagenesis as module

        # A TorchSide has the network; tangermeme's own fast path must see no inference mode.
        self.plain = TorchSide(data)
        self.module, self.data = module, data
        self.codes = np.load(data["codes"])
        self.settings = [
            {"batch_size": batch, "fast": fast, "strands": strands}
            for batch in data["batches"]
            for fast, strands in ((False, "joined"), (True, "joined"), (True, "apart"))
        ]
        self.setting = self.settings[0]
        self.captured = {"units": 0, "seconds": 0.0}
        module._FAST_MIN_SECONDS = 0.0
        module._verify_fast = lambda *_, **__: None
        self._capture, module._fast_path = module._fast_path, self._timed_capture

    def choose(self, setting: dict[str, Any]) -> None:
        self.setting = setting

    def run(self, size: int) -> dict[str, float]:
        """Score `size` mutants."""
        sequences, start, end = _part(size, self.codes.shape[1])
        self.captured = {"units": 0, "seconds": 0.0}
        began = time.perf_counter()
        self._map(_repeat(self.codes, sequences), start, end)
        seconds = time.perf_counter() - began - self.captured["seconds"]
        units = sequences * 3 * (end - start) - self.captured["units"]
        return {"units": units, "seconds": seconds}

    def answer(self) -> np.ndarray:
        # Its fast mode does the first batch without: with small ones, the fast mode is seen too.
        setting, self.setting = self.setting, {**self.setting, "batch_size": 8}
        maps = [self._map(self.codes[:1], start, end) for start, end in self.data["checked"]]
        self.setting = setting
        return np.concatenate([np.asarray(each[0]).T for each in maps])

    def _map(self, codes: np.ndarray, start: int, end: int) -> Tensor:
        """Give logits (n, 4, positions)."""
        one_hot = to_one_hot(codes)
        both = self.plain.both
        if self.setting["strands"] == "joined" or both.strands == "single":
            return self._mutate(both, one_hot, start, end)
        length = codes.shape[1]
        forward = self._mutate(both.network, one_hot, start, end)
        other = self._mutate(both.network, one_hot.flip(1, 2), length - end, length - start)
        return both.combine(forward, other.flip(1, 2))

    def _mutate(self, network: torch.nn.Module, one_hot: Tensor, start: int, end: int) -> Tensor:
        with warnings.catch_warnings():
            # Where the fast mode cannot be had it says so, and takes the slow one.
            warnings.simplefilter("error", self.module.TangermemeWarning)
            result = self.module.saturation_mutagenesis(
                network,
                one_hot,
                start=start,
                end=end,
                batch_size=self.setting["batch_size"],
                fast=self.setting["fast"],
                raw_outputs=True,
                device="cpu",
            )
        return result.y_hat[..., 0]

    def _timed_capture(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        fast, first, number = self._capture(*arguments)
        self.captured["seconds"] += time.perf_counter() - began
        # Two captures where the strands are apart; each has done its first batch of mutants.
        share = 2 if self._apart else 1
        self.captured["units"] += number / share
        return fast, first, number

    @property
    def _apart(self) -> bool:
        return self.setting["strands"] == "apart" and self.plain.both.strands != "single"


def _repeat(codes: np.ndarray, number: int) -> np.ndarray:
    """Take that many sequences, from the first again where there are fewer."""
    return codes[np.arange(number) % len(codes)]


def _part(size: int, length: int) -> tuple[int, int, int]:
    """Choose sequences and positions [start, end) for about `size` mutants of a peer."""
    if size >= 3 * length:
        return size // (3 * length), 0, length
    positions = max(1, size // 3)
    start = (length - positions) // 2
    return 1, start, start + positions


def _others(codes: np.ndarray) -> np.ndarray:
    """Mark (positions, 4) the bases that are not the sequence's own."""
    return codes[:, None] != np.arange(4)
