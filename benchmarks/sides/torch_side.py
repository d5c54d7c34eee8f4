"""What the sides in plain PyTorch share: the network, its threads, and one-hot batches."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.networks import load_network

__all__ = ["TorchSide", "to_one_hot"]


class TorchSide:
    """A network of a checkpoint, on the benchmark's threads."""

    def __init__(self, data: dict[str, Any]) -> None:
        torch.set_num_threads(data["threads"])
        self.data = data
        self.both = load_network(data["network"])
        self.setting: dict[str, Any] = {}

    def choose(self, setting: dict[str, Any]) -> None:
        self.setting = setting

    def predict(self, one_hot: Tensor, batch: int) -> Tensor:
        """Run (n, 4, length) through the network, `batch` sequences at a time."""
        with torch.inference_mode():
            parts = [self.both(one_hot[i : i + batch]) for i in range(0, len(one_hot), batch)]
            return torch.cat(parts)


_TABLE = torch.cat([torch.eye(4), torch.full((1, 4), 0.25)])


def to_one_hot(codes: np.ndarray) -> Tensor:
    """Expand codes (n, length) to (n, 4, length)."""
    return _TABLE[torch.from_numpy(codes).int()].transpose(1, 2).contiguous()
