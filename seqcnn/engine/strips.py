"""Exact, incremental evaluation of stacked networks: only what a mutation touches.

The scores of the reference are kept, layer by layer. A mutation is a change of a few inputs; it
becomes a change of a few more outputs, and so on to the features and the logits. The products of
a change of w inputs with a kernel of k are w * k, fewer than those of the (w + k - 1) * k that
recomputing the outputs would take; with many channels, w + k - 1 and a few more do
(`seqcnn.engine.short_convolutions`). On a CPU they are summed up in registers
(`seqcnn.engine.products`), or are one matrix product for many mutants.

Memory: the scores of at most `ROWS` references (2 MB each for the default alexnet at 1000 bp,
2.6 MB for the default resnet); three arrays of `CELLS` numbers, or of three mutants' if these
are more; and two of 2**20 for products: 30 to 40 MB for each thread on a CPU. On CUDA 32 times
as many mutants go together: 2 GB.

References
----------
Nair et al. 2022, doi:10.1093/bioinformatics/btac135 (fastISM)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine.following import Follower, tabulate_changes
from seqcnn.engine.heads import DeltaHead, pool_changes
from seqcnn.engine.parts import split_evenly
from seqcnn.engine.planning import Changes, Plan
from seqcnn.engine.settling import Kept, Strip
from seqcnn.engine.steps import Step, compile_steps, list_steps, run_references
from seqcnn.engine.strands import expand_one_hot

__all__ = ["CELLS", "ROWS", "Strips"]

CELLS = 2**21
"""Numbers that the changes of a step may have at a time; a mutant may need more alone."""

ROWS = 16
"""Sequences whose scores are kept at a time."""

Logits = NDArray[np.float64]

_MUTANTS = 1536  # whose features are weighed together
_MORE_ON_CUDA = 32  # times as many, and as many numbers at a time: launches cost more than memory
_WIDEST = 16  # bases of a substitution that is followed rather than computed whole


@dataclass(frozen=True)
class _References:
    """What is kept of n sequences.

    Attributes
    ----------
    steps
        Of each step, before and after its activation.
    trunk
        Its last output with positions (n, positions, channels).
    head
        What enters each of its layers (n, features), and the logits.
    """

    steps: list[Kept]
    trunk: Tensor
    head: list[Tensor]


class Strips:
    """A stacked network laid out for the evaluation of mutants, on one strand.

    Results do not depend on how sequences or mutants are put together.

    Parameters
    ----------
    network
        In evaluation mode, on its device.
    head
        Its head in float64.
    unknown
        What N has in each one-hot row.
    """

    def __init__(self, network: StackedNetwork, head: nn.Module, *, unknown: float = 0.25) -> None:
        self.network, self.unknown = network, unknown
        self.device = network.detectors.device
        self.tasks = network.head_layers[-1].channels
        self._last = network.layers[-1].kind
        self._more = _MORE_ON_CUDA if self.device.type == "cuda" else 1
        with torch.inference_mode():
            self.head = DeltaHead(network.head_layers, head)
            self.steps = compile_steps(network)
            self._listed = list(list_steps(self.steps))
            self._plain = [step for step in self._listed if isinstance(step, Step)]
            self._table = tabulate_changes(self._plain[0], unknown)

    @torch.inference_mode()
    def mutants(self, codes: Codes) -> Logits:
        """Score every substitution of every base.

        Parameters
        ----------
        codes
            Sequences (n, length).

        Returns
        -------
        NDArray
            Logits (n, length, 4, tasks) with each base at each position; with the sequence's own
            base, those of the sequence.
        """
        logits = np.empty((*codes.shape, 4, self.tasks))
        size = self._block(codes.shape[1])
        for start in range(0, len(codes), size):
            rows = slice(start, start + size)
            logits[rows] = self._mutants_of(codes[rows])
        return logits

    def _mutants_of(self, codes: Codes) -> Logits:
        references = self._refer(codes)
        own = references.head[-1].cpu().numpy()
        logits = np.broadcast_to(own[:, None, None], (*codes.shape, 4, self.tasks)).copy()
        row, position, base = np.nonzero(codes[:, :, None] != np.arange(4))
        pairs = 5 * codes[row, position].astype(np.int64) + base
        changes = Changes(row, position, position + 1, pairs[:, None])
        logits[row, position, base] = self._follow(changes, references, codes.shape[1])
        return logits

    @torch.inference_mode()
    def alternatives(self, ref: Codes, alt: Codes) -> tuple[Logits, Logits]:
        """Score pairs of sequences (n, length).

        Where both differ in a short stretch only, the second is computed where that touches
        it; else as a whole. What several pairs have in common is computed once.

        Returns
        -------
        tuple
            Logits (n, tasks) of both.
        """
        changes = _compare(ref, alt)
        width = changes.stop - changes.start
        narrow, wide = np.flatnonzero(width <= _WIDEST), np.flatnonzero(width > _WIDEST)
        before, after = self._empty(len(ref)), self._empty(len(ref))
        different, index = _distinct(ref[narrow])
        for start in range(0, len(different), ROWS):
            here = index // ROWS == start // ROWS
            mine = changes.choose(narrow[here])
            pairs = Changes(index[here] - start, mine.start, mine.stop, mine.pairs)
            found = self._pairs(different[start : start + ROWS], pairs)
            before[narrow[here]], after[narrow[here]] = found
        different, index = _distinct(ref[wide])
        before[wide], after[wide] = self.whole(different)[index], self.whole(alt[wide])
        return before, after

    def _pairs(self, ref: Codes, changes: Changes) -> tuple[Logits, Logits]:
        references = self._refer(ref)
        before = references.head[-1].cpu().numpy()[changes.row]
        after = before.copy()
        changed = np.flatnonzero(changes.stop > changes.start)
        after[changed] = self._follow(changes.choose(changed), references, ref.shape[1])
        return before, after

    @torch.inference_mode()
    def whole(self, codes: Codes) -> Logits:
        """Score whole sequences (n, length): logits (n, tasks)."""
        logits = self._empty(len(codes))
        for start in range(0, len(codes), ROWS):
            rows = slice(start, start + ROWS)
            features = torch.cat([part[2] for part in self._run_blocks(codes[rows])])
            logits[rows] = self.head.run_references(features.double())[-1].cpu()
        return logits

    def _empty(self, count: int) -> Logits:
        return np.empty((count, self.tasks))

    def _block(self, length: int) -> int:
        """Give the number of sequences that go through the trunk together."""
        return min(ROWS, self.network.rows_in_cache(length, self.device))

    def _refer(self, codes: Codes) -> _References:
        """Run whole sequences and keep what their mutants are compared with."""
        steps, trunk, features = zip(*self._run_blocks(codes), strict=True)
        return _References(
            [each[0] if len(each) == 1 else Kept.join(each) for each in zip(*steps, strict=True)],
            _join(trunk),
            self.head.run_references(_join(features).double()),
        )

    def _run_blocks(self, codes: Codes) -> Iterator[tuple[list[Kept], Tensor, Tensor]]:
        """Yield, for blocks of sequences, what is kept of the steps, trunk's output, features."""
        size = self._block(codes.shape[1])
        for start in range(0, len(codes), size):
            rows = codes[start : start + size]
            # On a CPU a block may be smaller without other rounding, but for a single sequence.
            filled = size if self.device.type == "cuda" else max(2, len(rows))
            yield self._run_block(rows, filled)

    def _run_block(self, codes: Codes, size: int) -> tuple[list[Kept], Tensor, Tensor]:
        """Run sequences, filled up with N to a block of a size."""
        count = len(codes)
        filled = np.full((size, codes.shape[1]), UNKNOWN, dtype=np.uint8)
        filled[:count] = codes
        one_hot = expand_one_hot(torch.from_numpy(filled).to(self.device), unknown=self.unknown)
        steps: list[Kept] = []
        trunk = run_references(self.steps, self.network.lay_out(one_hot), steps)
        features = self.network.trunk[-1](trunk)
        kept = [each.choose(count) for each in steps]
        return kept, trunk[:count, :, 0].transpose(1, 2), features[:count]

    def _follow(self, changes: Changes, references: _References, length: int) -> Logits:
        """Give the logits (M, tasks) of changes, a batch at a time."""
        logits = self._empty(len(changes))
        for mutants in split_evenly(len(changes), _MUTANTS * self._more):
            logits[mutants] = self._follow_batch(changes.choose(mutants), references, length)
        return logits

    def _follow_batch(self, changes: Changes, references: _References, length: int) -> Logits:
        plan = Plan.make(self._plain, changes, length)
        rows = torch.from_numpy(changes.row).to(self.device)
        follower = Follower(self._listed, self._table, plan, references.steps, CELLS * self._more)
        deltas = [
            pool_changes(self._last, strip, rows[mutants], references.trunk)
            for mutants, strip in follower.follow(changes)
        ]
        own = plan.intervals[-1][:2]
        return self.head.follow(_join_changes(deltas), own, rows, references.head).cpu().numpy()


def _distinct(codes: Codes) -> tuple[Codes, NDArray[np.int64]]:
    """Give the different sequences among n, and which of them each is (n,)."""
    if not len(codes):
        return codes, np.empty(0, dtype=np.int64)
    different, index = np.unique(codes, axis=0, return_inverse=True)
    return different, index.ravel().astype(np.int64)


def _compare(ref: Codes, alt: Codes) -> Changes:
    """Find the stretch in which each pair of sequences (n, length) differs."""
    differs = ref != alt
    start = differs.argmax(axis=1)
    stop = np.where(differs.any(axis=1), ref.shape[1] - differs[:, ::-1].argmax(axis=1), start)
    place = start[:, None] + np.arange(_WIDEST)
    inside = place < stop[:, None]
    row, place = np.arange(len(ref)), np.where(inside, place, 0)
    pairs = 5 * ref[row[:, None], place].astype(np.int64) + alt[row[:, None], place]
    pairs[~inside] = 0  # a base that stays what it is
    return Changes(row, start, stop, pairs)


def _join(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts))


def _join_changes(parts: list[Strip | Tensor]) -> Strip | Tensor:
    """Put the changes of some mutants after those of others."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if tensors:
        return torch.cat(tensors)
    strips = [part for part in parts if isinstance(part, Strip)]
    starts = torch.cat([strip.start for strip in strips])
    return Strip(starts, torch.cat([strip.delta for strip in strips]))
