"""A step's convolution of short changed stretches in few products, on a CPU.

A stretch of changed inputs is cut into tiles; each is evaluated at the points of a
`ShortConvolution`, multiplied there, and its outputs are interpolated into the scores. Tiles
begin where the stretch does and have the same number of inputs whatever is computed beside
them, and so the same roundings. Points come first in the arrays: each is a product of matrices.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.parts import FEWEST_COLUMNS, FEWEST_ROWS, split_evenly
from seqcnn.engine.settling import Changed, Kept, Strip
from seqcnn.engine.settling_loops import (
    Floats,
    Geometry,
    Indices,
    Loops,
    add_held,
    copy_floats,
    find_scores,
    settle_scores,
)
from seqcnn.engine.short_convolutions import Matrix, choose_inputs, make_short_convolution

__all__ = ["Shortcut", "find_shortcut"]

_NUMBERS = 2**20  # of a product's inputs or outputs at a time

_TERMS = 4  # that one loop adds up


@dataclass(frozen=True, eq=False)
class Shortcut:
    """A convolution by tiles.

    Attributes
    ----------
    weights
        The kernel's values at the points (products, channels before, channels after).
    inputs
        From the inputs of a tile to their values (products, inputs), filled up with zeros to
        whole `_TERMS`.
    interpolate
        From products to outputs (outputs, products), filled up likewise.
    tile
        Inputs of a tile.
    """

    weights: Tensor
    inputs: Floats
    interpolate: Floats
    tile: int

    def advance(self, changed: Changed, kept: Kept, geometry: Geometry, out: Strip) -> None:
        """Take changes through a step; `out` is written."""
        strip = changed.strip
        tiles = _list_tiles(strip.delta.shape[1], geometry.dilation, self.tile)
        parts = split_evenly(
            len(strip.delta), _NUMBERS // (len(tiles) * self.weights[:, 0].numel())
        )
        values, products = self._make_scratch(parts[0].stop * len(tiles))
        for part in parts:
            delta, wanted = strip.delta[part].numpy(), out.delta[part].numpy()
            loops = changed.choose(part).lay_out(out.start[part], kept)
            _evaluate(delta, tiles, geometry.dilation, self.inputs, values.numpy())
            rows = max(len(delta) * len(tiles), FEWEST_ROWS)
            torch.bmm(values[:, :rows], self.weights, out=products[:, :rows])
            made = _Made(products.numpy(), tiles, self.tile, self.interpolate)
            _interpolate(made, loops, geometry, wanted)

    def _make_scratch(self, rows: int) -> tuple[Tensor, Tensor]:
        points, before, after = self.weights.shape
        rows = max(rows, FEWEST_ROWS)
        values, products = ((points, rows, channels) for channels in (before, after))
        return self.weights.new_zeros(values), self.weights.new_empty(products)


def find_shortcut(weights: Tensor, geometry: Geometry, reach: int) -> Shortcut | None:
    """Find the fastest tiles for a convolution, if there are any faster than its products.

    Parameters
    ----------
    weights
        (kernel, channels before, channels after).
    geometry
        Of the step.
    reach
        Inputs that one changed base can touch.
    """
    kernel, before, after = weights.shape
    few = min(before, after) < FEWEST_COLUMNS
    width = -(-reach // geometry.dilation)
    tile = choose_inputs(width, kernel, (before, after))
    if weights.is_cuda or few or geometry.stride > 1 or tile == 1:
        return None
    short = make_short_convolution(tile, kernel)
    # What an output adds up comes to it by the last tap first.
    taps = torch.from_numpy(short.taps[:, ::-1].copy())
    values = torch.einsum("pk,kio->pio", taps, weights.double()).float().contiguous()
    return Shortcut(values, _fill_up(short.inputs), _fill_up(short.interpolate), tile)


def _fill_up(matrix: Matrix) -> Floats:
    missing = -matrix.shape[1] % _TERMS
    return np.pad(matrix, ((0, 0), (0, missing))).astype(np.float32)


def _list_tiles(width: int, apart: int, tile: int) -> Indices:
    """Give the first inputs of the tiles of a stretch; the inputs of one are `apart`."""
    first = np.arange(width)
    return np.flatnonzero(first % (apart * tile) < apart)


@compile_kernel
def _evaluate(delta: Floats, tiles: Indices, apart: int, matrix: Floats, out: Floats) -> None:
    """Evaluate tiles of stretches (M, width, channels): (points, M * tiles, channels)."""
    width, channels = delta.shape[1], delta.shape[2]
    inputs = np.empty((matrix.shape[1], channels), dtype=np.float32)
    for m in range(len(delta)):
        for number in range(len(tiles)):
            for i in range(len(inputs)):
                place = tiles[number] + i * apart
                if place < width:
                    copy_floats(delta[m, place], inputs[i])
                else:
                    _clear(inputs[i])
            for p in range(len(out)):
                values = out[p, m * len(tiles) + number]
                _clear(values)
                _add_terms(matrix[p], inputs, values)


class _Made(NamedTuple):
    """Products (points, M * tiles, channels), and what to do with them."""

    products: Floats
    tiles: Indices
    tile: int
    matrix: Floats


@compile_kernel
def _interpolate(made: _Made, loops: Loops, geometry: Geometry, out: Floats) -> None:
    channels, positions = out.shape[2], loops.scores.shape[1]
    longest = (out.shape[1] - 1) * geometry.pool_stride + geometry.pool_size
    scratch = np.empty((longest, channels), dtype=np.float32)
    products = np.zeros((made.matrix.shape[1], channels), dtype=np.float32)
    before = (len(made.matrix) - made.tile) * geometry.dilation - geometry.padding
    for m in range(out.shape[0]):
        row, first = loops.row[m], loops.outputs[m]
        begin, end, window = find_scores(first, out.shape[1], positions, geometry)
        # No further than a changed input is seen: beyond, there is nothing but rounding.
        stop = min(loops.stops[m] + geometry.padding, end) - begin
        scores = scratch[: end - begin]
        copy_floats(loops.scores[row, begin:end], scores)
        for number in range(len(made.tiles)):
            for p in range(len(made.products)):
                copy_floats(made.products[p, m * len(made.tiles) + number], products[p])
            t = loops.inputs[m] + made.tiles[number] - before - begin
            for u in range(len(made.matrix)):
                if 0 <= t < stop:
                    _add_terms(made.matrix[u], products, scores[t])
                t += geometry.dilation
        settled = loops.settled[row, first : first + out.shape[1]]
        settle_scores(scores, window, settled, geometry, out[m])
        add_held(loops, m, first, out[m])


@compile_kernel
def _clear(out: Floats) -> None:
    for c in range(len(out)):
        out[c] = 0


@compile_kernel
def _add_terms(factors: Floats, rows: Floats, out: Floats) -> None:
    """Add the sum of rows (terms, channels), each with its factor, to one (channels,)."""
    for p in range(0, len(factors), _TERMS):
        a, b, c, d = factors[p], factors[p + 1], factors[p + 2], factors[p + 3]
        first, second, third, fourth = rows[p], rows[p + 1], rows[p + 2], rows[p + 3]
        for k in range(len(out)):
            left = a * first[k] + b * second[k]
            out[k] += left + (c * third[k] + d * fourth[k])
