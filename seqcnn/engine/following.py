"""Following changes of bases through the trunk of a stacked network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.layers import output_length
from seqcnn.engine.settling import Strip, activate_scores, add_strip, settle
from seqcnn.engine.steps import Block, Step, step_layers

__all__ = ["CELLS", "Changes", "Plan", "follow_changes", "tabulate_changes"]

CELLS = 2**20
"""Numbers that the changes of a step may have at a time; a mutant may need more alone."""

_PRODUCTS = 2**19  # the same for products, which a core's cache should hold

_LONG = 200  # positions of a changed base's stretch, from which on mutants go one by one

_FEWEST = 4  # rows of a product: fewer are multiplied in another way, with other rounding

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Changes:
    """M changed stretches of sequences, one in each mutant.

    Attributes
    ----------
    row
        The sequence of each (M,).
    start, stop
        Bases that change (M,).
    pairs
        What becomes of each base from the start on (M, widest): 5 * before + after.
    """

    row: Indices
    start: Indices
    stop: Indices
    pairs: Indices

    def __len__(self) -> int:
        return len(self.row)

    def choose(self, mutants: Indices | slice) -> "Changes":
        """Keep some of them, no wider than the widest among those."""
        start, stop = self.start[mutants], self.stop[mutants]
        widest = int((stop - start).max(initial=1))
        return Changes(self.row[mutants], start, stop, self.pairs[mutants, :widest])


@dataclass(frozen=True)
class Plan:
    """Where changes are after each step: `start` and `width` of the stretch of each mutant.

    Attributes
    ----------
    intervals
        For each step start and stop (M,), and the positions there are.
    channels
        Of each step's output.
    reach
        For each step, the positions before it that one changed base can touch.
    """

    intervals: tuple[tuple[Indices, Indices, int], ...]
    channels: tuple[int, ...]
    reach: tuple[int, ...]

    @classmethod
    def make(cls, steps: Sequence[Step | Block], changes: Changes, length: int) -> "Plan":
        """Follow the changed intervals of sequences of a length through all steps."""
        place = changes.start, changes.stop, length
        intervals, channels, reach = [], [0], [1]
        for step in step_layers(steps):
            place = _touched(step, *place)
            intervals.append(place)
            reach.append(min(_widened(step, reach[-1]), place[2]))
            channels.append(channels[-1] if step.weights is None else step.weights.shape[2])
        return cls(tuple(intervals), tuple(channels[1:]), tuple(reach[:-1]))

    def stretch(self, step: int, mutants: slice) -> tuple[Indices, int]:
        """Give the first positions (m,) and the common width of some mutants after a step.

        After the last one, it is the width of all mutants, for they are weighed together.
        """
        start, stop, positions = self.intervals[step]
        together = slice(None) if step == len(self.intervals) - 1 else mutants
        width = int((stop[together] - start[together]).max())
        return np.minimum(start[mutants], positions - width), width

    @property
    def largest(self) -> int:
        """Numbers of the widest strip of a mutant."""
        widths = (int((stop - start).max()) for start, stop, _ in self.intervals)
        return max(w * c for w, c in zip(widths, self.channels, strict=True))


def _touched(
    step: Step, start: Indices, stop: Indices, positions: int
) -> tuple[Indices, Indices, int]:
    """Give the outputs that intervals of inputs touch; one at least, touched or not."""
    for layer in step.layers:
        start = -((layer.span - 1 - layer.padding[0] - start) // layer.stride)
        stop = (stop - 1 + layer.padding[0]) // layer.stride + 1
        positions = output_length(layer, positions)
        start = start.clip(0, positions - 1)
        stop = np.maximum(stop.clip(0, positions), start + 1)
    return start, stop, positions


def _widened(step: Step, width: int) -> int:
    """Give the most outputs that `width` inputs touch, wherever they are."""
    for layer in step.layers:
        width = (width + layer.span - 2) // layer.stride + 1
    return width


def tabulate_changes(step: Step, unknown: float) -> Tensor:
    """Tabulate what a base adds to the scores by becoming another.

    Returns
    -------
    Tensor
        (5 * before + after, kernel, channels).
    """
    if step.weights is None:
        raise TypeError("a network that does not begin with a convolution")
    rows = torch.full((5, 4), unknown, device=step.weights.device)
    rows[:4] = torch.eye(4, device=rows.device)
    pairs = (rows[None] - rows[:, None]).flatten(0, 1)  # (25, 4)
    return (pairs @ step.weights.flatten(1)).view(25, *step.weights.shape[1:])


@dataclass(frozen=True)
class _Chunk:
    """Some mutants on their way."""

    mutants: slice
    row: Tensor
    plan: Plan
    scores: Sequence[Tensor]
    numbers: Iterator[int]


def follow_changes(
    steps: Sequence[Step | Block],
    table: Tensor,
    changes: Changes,
    plan: Plan,
    scores: Sequence[Tensor],
    *,
    mutants: slice,
) -> Strip:
    """Follow some mutants through a trunk.

    Parameters
    ----------
    steps
        The trunk.
    table
        Of `tabulate_changes`.
    changes
        Of all mutants.
    plan
        Of these changes.
    scores
        Of the references, for each step (sequences, positions, channels).
    mutants
        Which ones.

    Returns
    -------
    Strip
        Changes of the trunk's output.
    """
    device = table.device
    row, start, pairs = (
        torch.from_numpy(np.ascontiguousarray(part[mutants])).to(device)
        for part in (changes.row, changes.start, changes.pairs)
    )
    chunk = _Chunk(mutants, row, plan, scores, iter(range(len(plan.intervals))))
    first = steps[0]
    number = next(chunk.numbers)
    strip = _make_strip(chunk, number)
    settle(
        *(table, pairs, (row, start, strip.start), scores[number]),
        geometry=_step(first).geometry,
        out=strip.delta,
    )
    return _run(steps[1:], strip, chunk)


def _step(step: Step | Block) -> Step:
    if isinstance(step, Block):
        raise TypeError("a network that does not begin with a convolution")
    return step


def _run(steps: Sequence[Step | Block], strip: Strip, chunk: _Chunk) -> Strip:
    for step in steps:
        if isinstance(step, Block):
            more = strip
            strip = _run(step.body, strip, chunk)
            add_strip(strip, more)
        else:
            strip = _advance(step, strip, chunk)
    return strip


def _make_strip(chunk: _Chunk, number: int) -> Strip:
    start, width = chunk.plan.stretch(number, chunk.mutants)
    shape = (len(start), width, chunk.plan.channels[number])
    device = chunk.row.device
    return Strip(torch.from_numpy(start).to(device), torch.empty(shape, device=device))


def _advance(step: Step, strip: Strip, chunk: _Chunk) -> Strip:
    """Take one step with all mutants."""
    number = next(chunk.numbers)
    out = _make_strip(chunk, number)
    # What is chosen must not depend on the other mutants: it rounds differently.
    is_plain = step.geometry.stride == 1 and step.geometry.pool_size == 1
    if is_plain and chunk.plan.reach[number] >= _LONG and not out.delta.is_cuda:
        _advance_one_by_one(step, strip, out, chunk.row, chunk.scores[number])
    else:
        _advance_together(step, strip, out, chunk.row, chunk.scores[number])
    return out


def _advance_one_by_one(
    step: Step, strip: Strip, out: Strip, row: Tensor, reference: Tensor
) -> None:
    """Add the products to the scores as they are made: long stretches leave the cache before."""
    if step.weights is None:
        _advance_together(step, strip, out, row, reference)
        return
    taps = [
        (weights, number * step.geometry.dilation - step.geometry.padding)
        for number, weights in enumerate(step.weights.unbind(dim=1))
    ]
    places = zip(row.tolist(), strip.start.tolist(), out.start.tolist(), strict=True)
    width, wanted = strip.delta.shape[1], out.delta.shape[1]
    for mutant, (of, first, begin) in enumerate(places):
        delta, scores = strip.delta[mutant], out.delta[mutant]
        scores.copy_(reference[of, begin : begin + wanted])
        for weights, shift in taps:
            offset = begin + shift - first  # of the inputs against the scores
            low, high = max(0, -offset), min(wanted, width - offset)
            if low < high:
                _add_product(scores[low:high], delta[low + offset : high + offset], weights)
    activate_scores(out, row, reference, geometry=step.geometry)


def _add_product(scores: Tensor, delta: Tensor, weights: Tensor) -> None:
    count = delta.shape[0]
    if count >= _FEWEST:
        torch.addmm(scores, delta, weights, out=scores)
        return
    more = _FEWEST - count
    filled = torch.cat([scores, scores.new_zeros((more, scores.shape[1]))])
    inputs = torch.cat([delta, delta.new_zeros((more, delta.shape[1]))])
    scores.copy_(torch.addmm(filled, inputs, weights)[:count])


def _advance_together(step: Step, strip: Strip, out: Strip, row: Tensor, reference: Tensor) -> None:
    """Multiply as many mutants at a time as their products have room."""
    count, width, channels = strip.delta.shape
    kernel_outputs = channels if step.weights is None else step.weights[0].numel()
    size = count if out.delta.is_cuda else max(1, min(count, _PRODUCTS // (width * kernel_outputs)))
    scratch = out.delta.new_empty(max(size * width, _FEWEST) * kernel_outputs)
    which = torch.arange(size * width, device=row.device).view(size, width)
    for first in range(0, count, size):
        part = slice(first, first + size)
        delta = strip.delta[part]
        places = row[part], strip.start[part], out.start[part]
        settle(
            *(_multiply(step, delta.flatten(0, 1), scratch), which[: delta.shape[0]], places),
            reference,
            geometry=step.geometry,
            out=out.delta[part],
        )


def _multiply(step: Step, delta: Tensor, scratch: Tensor) -> Tensor:
    """Give what changed inputs (inputs, channels) add to scores (inputs, kernel, outputs)."""
    if step.weights is None:
        return (delta if step.scale is None else delta * step.scale)[:, None]
    count = delta.shape[0]
    if count < _FEWEST:
        delta = torch.cat([delta, delta.new_zeros((_FEWEST - count, delta.shape[1]))])
    weights = step.weights.flatten(1)
    rows = delta.shape[0]
    products = scratch[: rows * weights.shape[1]].view(rows, -1)
    torch.mm(delta, weights, out=products)
    return products.view(rows, *step.weights.shape[1:])[:count]
