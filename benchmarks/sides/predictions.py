"""Plain prediction: codes in memory to logits, both strands."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sides.torch_side import TorchSide, to_one_hot

__all__ = ["Plain", "Seqcnn", "Tangermeme"]

_CHECKED = 64


class Seqcnn:
    """The engine's `predict`."""

    def __init__(self, data: dict[str, Any]) -> None:
        from seqcnn.engine import Engine
        from seqcnn.modelfile import read_model

        self.codes = np.load(data["codes"])
        self.engine = Engine(read_model(Path(data["model"])), threads=data["threads"])

    def run(self, size: int) -> int:
        """Score `size` sequences."""
        self.engine.predict(self.codes[np.arange(size) % len(self.codes)])
        return size

    def answer(self) -> np.ndarray:
        return self.engine.predict(self.codes[:_CHECKED]).members[0]


class Plain(TorchSide):
    """One-hot and forward pass, batch by batch."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.codes = np.load(data["codes"])
        self.settings = [{"batch": batch} for batch in data["batches"]]
        self.setting = self.settings[0]

    def run(self, size: int) -> int:
        """Score `size` sequences."""
        self._predict(self.codes[np.arange(size) % len(self.codes)])
        return size

    def answer(self) -> np.ndarray:
        return self._predict(self.codes[:_CHECKED])

    def _predict(self, codes: np.ndarray) -> np.ndarray:
        batch = self.setting["batch"]
        with torch.inference_mode():
            parts = [
                self.both(to_one_hot(codes[i : i + batch])) for i in range(0, len(codes), batch)
            ]
            return torch.cat(parts).numpy()


class Tangermeme(TorchSide):
    """`tangermeme.predict.predict` on one-hot sequences in memory, as it wants them."""

    def __init__(self, data: dict[str, Any]) -> None:
        from tangermeme.predict import predict

        super().__init__(data)
        self.function = predict
        self.one_hot = to_one_hot(np.load(data["codes"])).to(torch.int8)
        self.settings = [{"batch_size": batch} for batch in data["batches"]]
        self.setting = self.settings[0]

    def run(self, size: int) -> int:
        """Score `size` sequences."""
        self._predict(self.one_hot[np.arange(size) % len(self.one_hot)])
        return size

    def answer(self) -> np.ndarray:
        return self._predict(self.one_hot[:_CHECKED])

    def _predict(self, one_hot: torch.Tensor) -> np.ndarray:
        batch = self.setting["batch_size"]
        result = self.function(
            self.both, one_hot, batch_size=batch, device="cpu", dtype=torch.float32
        )
        return result.numpy()
