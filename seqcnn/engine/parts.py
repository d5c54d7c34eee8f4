"""Cutting work into parts of about one size, and how small a part may be."""

import torch
from torch import Tensor

__all__ = ["FEWEST_COLUMNS", "FEWEST_ROWS", "fill_up", "split_evenly"]

FEWEST_ROWS = 4
"""Of a product of matrices: with fewer, a row is rounded in another way."""

FEWEST_COLUMNS = 16
"""Of a product of matrices: with fewer, the rounding of a row depends on how many there are."""


def fill_up(rows: Tensor) -> Tensor:
    """Put zeros under rows (n, columns), so that there are enough of them for a product."""
    return torch.cat([rows, rows.new_zeros((FEWEST_ROWS, rows.shape[1]))])


def split_evenly(count: int, most: int) -> list[slice]:
    """Cut `count` things into the fewest parts of about one size, `most` at most, or one alone.

    No part is larger than the first.
    """
    parts = -(-count // max(1, most))
    size = -(-count // max(1, parts))
    return [slice(start, min(start + size, count)) for start in range(0, count, size or 1)]
