"""What the machine itself allows: a matrix product of the same work, a copy of the same bytes."""

import time
from typing import Any

import numpy as np

__all__ = ["MatrixProduct", "MemoryCopy"]

_ROWS = 4096
_SHARED = 512


class MatrixProduct:
    """Products in float32 of as many operations as the units of work stand for."""

    def __init__(self, data: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(data["threads"])
        self.flops = data["flops"]
        self.left = torch.rand(_ROWS, _SHARED)
        self.right = torch.rand(_SHARED, _SHARED)

    def run(self, size: int) -> dict[str, float]:
        """Do the operations of about `size` units."""
        one = 2 * _ROWS * _SHARED * _SHARED
        times = max(1, round(size * self.flops / one))
        out = self.left @ self.right
        start = time.perf_counter()
        for _ in range(times):
            out = self.left @ self.right
        seconds = time.perf_counter() - start
        assert out.shape == (_ROWS, _SHARED)
        return {"units": times * one / self.flops, "seconds": seconds}


class MemoryCopy:
    """Copies of as many bytes as the units of work have."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.bytes = data["bytes"]
        self.source = np.random.default_rng(0).integers(0, 255, 64 << 20, dtype=np.uint8)
        self.target = np.empty_like(self.source)

    def run(self, size: int) -> dict[str, float]:
        """Copy the bytes of about `size` units."""
        times = max(1, round(size * self.bytes / len(self.source)))
        start = time.perf_counter()
        for _ in range(times):
            np.copyto(self.target, self.source)
        seconds = time.perf_counter() - start
        return {"units": times * len(self.source) / self.bytes, "seconds": seconds}
