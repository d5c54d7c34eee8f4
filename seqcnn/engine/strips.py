"""Exact, incremental evaluation of stacked networks: only what a mutation touches.

The scores of the reference are kept, layer by layer. A mutation is a change of a few inputs; it
becomes a change of a few more outputs, and so on to the features and the logits. The products of
a change of w inputs with a kernel of k are w * k, fewer than those of the (w + k - 1) * k that
recomputing the outputs would take; they are one matrix product for many mutants.

Memory: the scores of at most `ROWS` references (1.5 MB each for the default alexnet at 1000 bp,
2.6 MB for the default resnet), and four arrays of `CELLS` numbers, or of four mutants' if these
are more: 60 MB for each thread on a CPU. On CUDA 64 times as many mutants go together: 3 GB.

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
from seqcnn.engine.following import CELLS, Changes, Plan, follow_changes, tabulate_changes
from seqcnn.engine.heads import DeltaHead, pool_changes
from seqcnn.engine.settling import Strip
from seqcnn.engine.steps import compile_steps, run_references, step_layers
from seqcnn.engine.strands import expand_one_hot

__all__ = ["ROWS", "Strips"]

ROWS = 16
"""Sequences whose scores are kept at a time."""

Logits = NDArray[np.float64]

_MUTANTS = 1536  # whose features are weighed together
_MORE_ON_CUDA = 64  # times as many, and as many numbers at a time: launches cost more than memory
_WIDEST = 16  # bases of a substitution that is followed rather than computed whole


@dataclass(frozen=True)
class _References:
    """What is kept of n sequences.

    Attributes
    ----------
    scores
        Before the activation of each step (n, positions, channels).
    trunk
        Its last output with positions (n, positions, channels).
    head
        What enters each of its layers (n, features), and the logits.
    """

    scores: list[Tensor]
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
            self._table = tabulate_changes(next(step_layers(self.steps)), unknown)

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
        it; else as a whole.

        Returns
        -------
        tuple
            Logits (n, tasks) of both.
        """
        changes = _compare(ref, alt)
        width = changes.stop - changes.start
        order = np.argsort(width, kind="stable")
        narrow, wide = np.split(order, [int((width <= _WIDEST).sum())])
        before, after = self._empty(len(ref)), self._empty(len(ref))
        for start in range(0, len(narrow), ROWS):
            chosen = narrow[start : start + ROWS]
            before[chosen], after[chosen] = self._pairs(ref[chosen], changes.choose(chosen))
        before[wide], after[wide] = self.whole(ref[wide]), self.whole(alt[wide])
        return before, after

    def _pairs(self, ref: Codes, changes: Changes) -> tuple[Logits, Logits]:
        references = self._refer(ref)
        before = references.head[-1].cpu().numpy()
        after = before.copy()
        changed = np.flatnonzero(changes.stop > changes.start)
        changes = changes.choose(changed)
        changes = Changes(changed, changes.start, changes.stop, changes.pairs)
        after[changed] = self._follow(changes, references, ref.shape[1])
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
        scores, trunk, features = zip(*self._run_blocks(codes), strict=True)
        return _References(
            [_join(each) for each in zip(*scores, strict=True)],
            _join(trunk),
            self.head.run_references(_join(features).double()),
        )

    def _run_blocks(self, codes: Codes) -> Iterator[tuple[list[Tensor], Tensor, Tensor]]:
        """Yield the scores, the trunk's output and the features of blocks of sequences."""
        size = self._block(codes.shape[1])
        for start in range(0, len(codes), size):
            rows = codes[start : start + size]
            # On a CPU a block may be smaller without other rounding, but for a single sequence.
            filled = size if self.device.type == "cuda" else max(2, len(rows))
            yield self._run_block(rows, filled)

    def _run_block(self, codes: Codes, size: int) -> tuple[list[Tensor], Tensor, Tensor]:
        """Run sequences, filled up with N to a block of a size."""
        count = len(codes)
        filled = np.full((size, codes.shape[1]), UNKNOWN, dtype=np.uint8)
        filled[:count] = codes
        one_hot = expand_one_hot(torch.from_numpy(filled).to(self.device), unknown=self.unknown)
        scores: list[Tensor] = []
        trunk = run_references(self.steps, self.network.lay_out(one_hot), scores)
        features = self.network.trunk[-1](trunk)
        kept = [each[:count] for each in scores]
        return kept, trunk[:count, :, 0].transpose(1, 2), features[:count]

    def _follow(self, changes: Changes, references: _References, length: int) -> Logits:
        """Give the logits (M, tasks) of changes, a batch at a time."""
        logits = self._empty(len(changes))
        together = _MUTANTS * self._more
        for start in range(0, len(changes), together):
            mutants = slice(start, start + together)
            logits[mutants] = self._follow_batch(changes.choose(mutants), references, length)
        return logits

    def _follow_batch(self, changes: Changes, references: _References, length: int) -> Logits:
        plan = Plan.make(self.steps, changes, length)
        rows = torch.from_numpy(changes.row).to(self.device)
        size = max(4, CELLS * self._more // plan.largest)
        deltas = []
        for start in range(0, len(changes), size):
            mutants = slice(start, start + size)
            strip = follow_changes(
                *(self.steps, self._table, changes, plan, references.scores), mutants=mutants
            )
            deltas.append(pool_changes(self._last, strip, rows[mutants], references.trunk))
        return self.head.follow(_join_changes(deltas), rows, references.head).cpu().numpy()


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
