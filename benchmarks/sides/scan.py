"""The scan: the logit of every window of a contig, both strands."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sides.torch_side import TorchSide, to_one_hot

__all__ = ["Plain", "Seqcnn"]

_CHECKED = 3000


class Seqcnn:
    """The engine's `scan`."""

    def __init__(self, data: dict[str, Any]) -> None:
        from seqcnn.engine import Engine
        from seqcnn.modelfile import read_model

        self.codes = np.load(data["codes"])
        self.length = data["length"]
        self.engine = Engine(read_model(Path(data["model"])), threads=data["threads"])

    def run(self, size: int) -> int:
        """Scan a contig of `size` bases."""
        repeats = -(-size // len(self.codes))
        codes = np.tile(self.codes, repeats)[:size] if repeats > 1 else self.codes[:size]
        return sum(logits.shape[1] for _, logits in self.engine.scan(codes))

    def answer(self) -> np.ndarray:
        codes = self.codes[: _CHECKED + self.length - 1]
        return np.concatenate([logits[0, :, 0] for _, logits in self.engine.scan(codes)])


class Plain(TorchSide):
    """Window by window, in batches: one-hot of the contig in memory, windows cut out of it."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        codes = np.load(data["codes"])[:1_000_000]
        contig = to_one_hot(codes[None])[0]  # (4, contig)
        self.windows = contig.unfold(1, data["length"], 1).transpose(0, 1)  # a view
        self.settings = [{"batch": batch} for batch in data["batches"]]
        self.setting = self.settings[0]

    def run(self, size: int) -> int:
        """Score the first `size` windows."""
        self._score(size)
        return size

    def answer(self) -> np.ndarray:
        return self._score(_CHECKED).numpy()

    def _score(self, number: int) -> torch.Tensor:
        return self.predict(self.windows[:number], self.setting["batch"])[:, 0]
