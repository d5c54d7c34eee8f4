"""Following changes of bases through the trunk of a stacked network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from seqcnn.engine.advancing import advance
from seqcnn.engine.parts import split_evenly
from seqcnn.engine.planning import Changes, Plan
from seqcnn.engine.settling import Changed, Kept, Strip, add_strip, settle
from seqcnn.engine.steps import Bracket, Step

__all__ = ["Follower", "tabulate_changes"]


def tabulate_changes(step: Step, unknown: float) -> Tensor:
    """Tabulate what a base adds to the scores by becoming another.

    Returns
    -------
    Tensor
        (kernel, 5 * before + after, channels).
    """
    if step.weights is None:
        raise TypeError("a network that does not begin with a convolution")
    rows = torch.full((5, 4), unknown, device=step.weights.device)
    rows[:4] = torch.eye(4, device=rows.device)
    pairs = (rows[None] - rows[:, None]).flatten(0, 1)  # (25, 4)
    return (pairs @ step.weights).contiguous()


@dataclass(frozen=True)
class _Way:
    """Some mutants on their way.

    Attributes
    ----------
    mutants
        Which ones.
    row
        Reference of each (M,).
    strip
        Changes after the last step.
    held
        Changes that entered the residual blocks around it, the innermost last.
    """

    mutants: slice
    row: Tensor
    strip: Strip
    held: tuple[Strip, ...] = ()

    def choose(self, part: slice) -> "_Way":
        first = self.mutants.start
        held = tuple(strip.choose(part) for strip in self.held)
        mutants = slice(first + part.start, first + part.stop)
        return _Way(mutants, self.row[part], self.strip.choose(part), held)


@dataclass(frozen=True)
class Follower:
    """Mutants and what they are followed through.

    Attributes
    ----------
    steps
        The trunk's, with brackets around residual blocks.
    table
        Of `tabulate_changes`.
    plan
        Of the mutants.
    kept
        Of the references, for each step.
    cells
        Numbers that the changes of a step may have at a time; a mutant may need more alone.
    """

    steps: Sequence[Step | Bracket]
    table: Tensor
    plan: Plan
    kept: Sequence[Kept]
    cells: int

    def follow(self, changes: Changes) -> Iterator[tuple[slice, Strip]]:
        """Follow mutants through the trunk.

        The wider their stretches become, the fewer go on together: so do these stay in a cache.

        Yields
        ------
        tuple
            Some of the mutants, in order, and the changes of the trunk's output.
        """
        for mutants in split_evenly(len(changes), self.cells // self.plan.cells[0]):
            yield from self._run(1, 1, self._begin(changes, mutants))

    def _begin(self, changes: Changes, mutants: slice) -> _Way:
        """Take the first step."""
        row, start, pairs = (
            torch.from_numpy(np.ascontiguousarray(part[mutants])).to(self.table.device)
            for part in (changes.row, changes.start, changes.pairs)
        )
        strip = self._make_strip(0, mutants)
        changed = Changed(row, Strip(start, strip.delta), start)
        geometry = cast("Step", self.steps[0]).geometry
        settle(self.table, pairs, changed, self.kept[0], geometry=geometry, out=strip)
        return _Way(mutants, row, strip)

    def _run(self, place: int, number: int, way: _Way) -> Iterator[tuple[slice, Strip]]:
        """Go on from a place in the list, and the step of that number."""
        for index in range(place, len(self.steps)):
            step = self.steps[index]
            if step is Bracket.OPEN:
                way = replace(way, held=(*way.held, way.strip))
            elif isinstance(step, Step):
                parts = split_evenly(len(way.row), self.cells // self.plan.cells[number])
                if len(parts) > 1:
                    for part in parts:
                        yield from self._run(index, number, way.choose(part))
                    return
                way = self._advance(index, number, way)
                number += 1
            elif isinstance(self.steps[index - 1], Bracket):  # else the step has done it
                add_strip(way.strip, way.held[-1])
                way = replace(way, held=way.held[:-1])
        yield way.mutants, way.strip

    def _advance(self, index: int, number: int, way: _Way) -> _Way:
        """Take a step, and leave the residual block that ends with it."""
        out = self._make_strip(number, way.mutants)
        stops = torch.from_numpy(self.plan.intervals[number - 1][1][way.mutants])
        closes = self.steps[index + 1 : index + 2] == [Bracket.CLOSE]
        held = way.held[-1] if closes else None
        changed = Changed(way.row, way.strip, stops, held)
        advance(cast("Step", self.steps[index]), changed, self.kept[number], out)
        return replace(way, strip=out, held=way.held[:-1] if closes else way.held)

    def _make_strip(self, number: int, mutants: slice) -> Strip:
        start, width = self.plan.stretch(number, mutants)
        shape = len(start), width, self.plan.channels[number]
        delta = torch.empty(shape, device=self.table.device)
        return Strip(torch.from_numpy(start).to(delta.device), delta)
