"""Networks with global pooling on torch: windows, mutants, alleles and scans on any device.

Scores and sums of activations are exact (see `seqcnn.engine.torch_detectors`): neither a block nor
a neighbour changes them, and what a substitution or the next window changes is exchanged in
them without error. Only the dense head, in float64, rounds.

Memory
    Work is cut into blocks of at most a number of cells, a cell being one lane at one position in
    float64; about nine arrays of that size live at a time. The positions of one sequence (of a
    scan: of two windows) are the least that a block holds.
"""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.deepbind import DeepBind
from seqcnn.architectures.motif import MotifNet
from seqcnn.dna import UNKNOWN
from seqcnn.engine.devices import stage
from seqcnn.engine.strands import combine_strands
from seqcnn.engine.torch_detectors import Pooled, TorchDetectors

__all__ = ["TorchPooled", "supports"]

_CELLS_CPU = 2**18
_CELLS_CUDA = 2**24  # 128 MiB for each array
_FEWEST_LANES = 16  # with fewer, indices take more memory than scores
_LEAST = float("-inf")


def supports(network: SequenceNetwork) -> bool:
    """Tell whether a network pools over all positions, so that `TorchPooled` can run it."""
    return isinstance(network, DeepBind | MotifNet)


class TorchPooled:
    """One network with global pooling, laid out on its device.

    Parameters
    ----------
    network
        The network in eval mode.
    head
        Its head in float64, on the same device.
    strands
        ``average``, ``max`` or ``single``.
    cells
        Most cells of a block; 0 leaves the choice to the kind of device. No result depends on
        it.

    Raises
    ------
    TypeError
        For a network that `supports` denies.
    """

    def __init__(
        self, network: SequenceNetwork, head: nn.Module, strands: str, *, cells: int = 0
    ) -> None:
        if not supports(network):
            raise TypeError(f"{type(network).__name__} has no global pooling")
        self.network, self.head, self.strands = network, head, strands
        self.device = network.detectors.device
        self.cells = cells or (_CELLS_CUDA if self.device.type == "cuda" else _CELLS_CPU)
        self.detectors = TorchDetectors(network, both=strands != "single")
        self.width, self.padding = network.detector_width, network.detector_padding
        number = len(network.detectors)
        columns = zip(*map(network.features_of, range(number)), strict=True)
        self._columns = [_as_slice(list(each)) for each in columns]  # of maxima, and of means
        with torch.inference_mode():
            features = self._empty(1, number * len(self._columns)).zero_()
            self.tasks: int = head(features).shape[1]

    @torch.inference_mode()
    def windows(self, codes: Tensor) -> Tensor:
        """Score codes (n, length): logits (n, tasks)."""
        if not len(codes):
            return self._empty(0, self.tasks)
        rows = self._rows(self.detectors.positions(codes.shape[1]))
        parts = stage(torch.split(codes, rows), self.device)
        return torch.cat([self._weigh(self._pool(part.int())) for part in parts])

    @torch.inference_mode()
    def mutants(self, codes: Tensor) -> Tensor:
        """Score every substitution of codes (n, length).

        Returns
        -------
        Tensor
            Logits (n, length, 4, tasks) with base b at position i: at the sequence's own base
            its own logit, and at an N the logits of all four bases.
        """
        if not len(codes):
            return self._empty(0, codes.shape[1], 4, self.tasks)
        rows = self._rows(4 * (codes.shape[1] + self.width - 1))
        parts = stage(torch.split(codes, rows), self.device)
        return torch.cat([self._mutate(part.int()) for part in parts])

    @torch.inference_mode()
    def alleles(self, ref: Tensor, alt: Tensor) -> tuple[Tensor, Tensor]:
        """Score pairs of windows (n, length).

        Of a pair that differs within a short interval, only the positions that touch it are
        scored anew; other alternatives are scored as whole windows.

        Returns
        -------
        tuple
            Logits (n, tasks) of the reference and of the alternative windows.
        """
        result = self._empty(2, len(ref), self.tasks)
        first, span = _differing_intervals(ref, alt)
        short = 2 * (span + self.width - 1) <= self.detectors.positions(ref.shape[1])
        for side, codes in enumerate((ref, alt)):
            result[side, (~short).to(self.device)] = self.windows(codes[~short])
        # Pairs of like spans together: a block recomputes as much for each as for its longest.
        chosen = short.nonzero()[:, 0]
        chosen = chosen[span[chosen].argsort(stable=True)]
        for rows in torch.split(chosen, self._rows(ref.shape[1] + self.width - 1)):
            if len(rows):
                count = max(1, int(span[rows].max()))
                pairs = list(stage((ref[rows], alt[rows], first[rows]), self.device))
                result[:, rows.to(self.device)] = self._exchange(*pairs, count=count)
        return result[0], result[1]

    @torch.inference_mode()
    def scan(self, codes: Tensor, length: int) -> Iterator[tuple[int, Tensor]]:
        """Score every window of a contig's codes (bases,).

        Parameters
        ----------
        codes
            The contig.
        length
            Bases of a window.

        Yields
        ------
        tuple
            The start of the first window of a block, and logits (k, tasks) of that window and of
            the k - 1 next ones.
        """
        positions = self.detectors.positions(length)
        starts = max(positions, self._rows(1) - positions)
        number = len(codes) - length + 1
        blocks = (
            codes[start : min(start + starts, number) + length - 1]
            for start in range(0, number, starts)
        )
        for block, part in enumerate(stage(blocks, self.device)):
            yield block * starts, self._slide(part.int(), length)

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float64, device=self.device)

    # Sizes

    def _rows(self, positions: int) -> int:
        return max(1, self.cells // (positions * max(self.detectors.lanes, _FEWEST_LANES)))

    # Pooling and the head

    def _pool(self, codes: Tensor) -> Pooled:
        """Pool int32 codes (rows, length)."""
        positions = self.detectors.positions(codes.shape[1])
        codes = functional.pad(codes, (self.padding, self.padding), value=UNKNOWN)
        pooled = self.detectors.nothing(len(codes), positions)
        step = self._rows(len(codes))
        for start in range(0, positions, step):
            stop = min(start + step, positions)
            scores = self.detectors.score(codes[:, start : stop + self.width - 1])
            self.detectors.include(pooled, scores, dim=1)
        return pooled

    def _weigh(self, pooled: Pooled) -> Tensor:
        """Turn maxima and sums (..., lanes) into logits (..., tasks)."""
        strands = 1 if self.strands == "single" else 2
        shape = (*pooled.maxima.shape[:-1], strands)
        number = self.detectors.lanes // strands
        features = self._empty(*shape, number * len(self._columns))
        parts = self.detectors.features(pooled)
        for columns, values in zip(self._columns, parts, strict=True):
            features[..., columns] = values.reshape(*shape, number)
        logits = self.head(features.flatten(0, -2)).view(*shape, self.tasks)
        if strands == 1:
            return cast("Tensor", logits[..., 0, :])
        return combine_strands(logits[..., 0, :], logits[..., 1, :], self.strands)

    # Mutants

    def _mutate(self, codes: Tensor) -> Tensor:
        """Score the substitutions of int32 codes (rows, length): (rows, length, 4, tasks)."""
        rows, length = codes.shape
        scores = self.detectors.score_extended(codes)
        whole, rest = self._pool_elsewhere(scores, self.detectors.positions(length))
        own = self._weigh(whole)
        logits = self._empty(rows, length, 4, self.tasks)
        step = self._rows(4 * rows)
        for start in range(0, length, step):
            stop = min(start + step, length)
            touched = scores[:, start : stop + self.width - 1]
            pooled = self._exchange_each(touched, codes[:, start:stop], rest.part(start, stop))
            logits[:, start:stop] = self._weigh(pooled)
        is_own = codes[..., None] == torch.arange(4, device=self.device)
        return torch.where(is_own[..., None], own[:, None, None], logits)

    def _pool_elsewhere(self, scores: Tensor, positions: int) -> tuple[Pooled, Pooled]:
        """Pool all positions, and for each base those that do not touch it.

        Of the scores (rows, bases + width - 1, lanes), positions i to i + width - 1 touch base i.

        Returns
        -------
        tuple
            Pooled (rows, lanes) and (rows, bases, lanes).
        """
        width, none = self.width, torch.full_like(scores[:, :1], _LEAST)
        before = scores[:, :-width].cummax(dim=1).values
        after = scores[:, width:].flip(1).cummax(dim=1).values.flip(1)
        before, after = torch.cat([none, before], dim=1), torch.cat([after, none], dim=1)
        whole, rest = scores.amax(dim=1), torch.maximum(before, after)
        if not self.detectors.has_mean:
            return Pooled(whole, None, positions), Pooled(rest, None, positions)
        counts = self.detectors.count(scores, positions)
        total = counts.sum(dim=1)
        elsewhere = total[:, None] - _sliding_sums(counts, width)
        return Pooled(whole, total, positions), Pooled(rest, elsewhere, positions)

    def _exchange_each(self, scores: Tensor, codes: Tensor, rest: Pooled) -> Pooled:
        """Put each base in the place of each: pooled (rows, bases, 4, lanes).

        Parameters
        ----------
        scores
            Of the positions that touch the bases (rows, bases + width - 1, lanes).
        codes
            The bases (rows, bases).
        rest
            What the positions that do not touch a base give (rows, bases, lanes).
        """
        bases = codes.shape[1]
        pooled = rest.repeat(4)
        for shift in range(self.width):
            column = self.detectors.columns[self.width - 1 - shift]  # (5, lanes)
            without = scores[:, shift : shift + bases] - functional.embedding(codes, column)
            changed = without[:, :, None] + column[:UNKNOWN]  # (rows, bases, 4, lanes)
            self.detectors.include(pooled, changed)
        return pooled

    # Alleles

    def _exchange(self, ref: Tensor, alt: Tensor, first: Tensor, *, count: int) -> Tensor:
        """Score pairs that differ in at most `count` bases from `first` on: (2, rows, tasks)."""
        length, margin = ref.shape[1], self.width - 1
        positions = self.detectors.positions(length)
        scores = self.detectors.score_extended(ref.int())  # (rows, length + width - 1, lanes)
        # What does not differ may be scored anew as well: it comes out the same.
        first = first.clamp(max=length - count)[:, None]
        touched = first + torch.arange(count + margin, device=self.device)
        bases = first + torch.arange(count + 2 * margin, device=self.device)
        around = functional.pad(alt.int(), (margin, margin), value=UNKNOWN).gather(1, bases)
        new = self.detectors.score(around)  # (rows, count + width - 1, lanes)
        absent = margin - self.padding
        outside = (touched < absent) | (touched >= absent + positions)
        new.masked_fill_(outside[..., None], _LEAST)
        of_ref = self.detectors.nothing(len(ref), positions)
        self.detectors.include(of_ref, scores, dim=1)
        places = touched[..., None].expand(-1, -1, self.detectors.lanes)
        sums = of_ref.sums
        if sums is not None:
            sums = sums - self.detectors.count(scores.gather(1, places), positions).sum(dim=1)
        elsewhere = scores.scatter_(1, places, _LEAST).amax(dim=1)
        of_alt = Pooled(elsewhere, sums, positions)
        self.detectors.include(of_alt, new, dim=1)
        return torch.stack([self._weigh(of_ref), self._weigh(of_alt)])

    # Scans

    def _slide(self, codes: Tensor, length: int) -> Tensor:
        """Score every window of int32 codes (bases,): (bases - length + 1, tasks)."""
        if length < self.width:  # of which detectors stick out on both sides
            return self.windows(codes.unfold(0, length, 1))
        number, positions = len(codes) - length + 1, self.detectors.positions(length)
        wide = functional.pad(codes, (self.padding, self.padding), value=UNKNOWN)
        scores = self.detectors.score(wide[None])[0]  # from position -padding on
        within = length - self.width + 1
        inner = scores[self.padding : self.padding + number + within - 1]
        sums = None
        if self.detectors.has_mean:
            sums = _sliding_sums(self.detectors.count(inner, positions), within)
        pooled = Pooled(_sliding_maxima(inner, within), sums, positions)  # (number, lanes)
        if self.padding:
            at_start = scores[: number + self.padding - 1].clone()
            self._add_ends(pooled, at_start, wide, left=True)
            self._add_ends(pooled, scores[length:], wide[length:], left=False)
        return self._weigh(pooled)

    def _add_ends(self, pooled: Pooled, scores: Tensor, codes: Tensor, *, left: bool) -> None:
        """Add the positions at which a detector sticks out of one end of its window.

        There it sees unknown bases, even where the contig has others. Column after column is
        taken out of the scores, from the end that sticks out.

        Parameters
        ----------
        pooled
            What the other positions of each window give (windows, lanes); it is added to.
        scores
            Full scores (windows + width - 2, lanes), from the outermost position of the first
            window; they are used up.
        codes
            The bases from that position on.
        left
            Which end.
        """
        windows = len(pooled.maxima)
        unknown = scores.new_zeros(self.detectors.lanes)
        for outside in range(1, self.width):
            place = outside - 1 if left else self.width - outside
            column = self.detectors.columns[place]  # (5, lanes)
            scores -= functional.embedding(codes[place : place + len(scores)], column)
            unknown += column[UNKNOWN]
            first = self.width - 1 - outside if left else outside - 1
            self.detectors.include(pooled, scores[first : first + windows] + unknown)


def _as_slice(columns: list[int]) -> slice:
    """Give columns at even distances as a slice."""
    step = columns[1] - columns[0] if len(columns) > 1 else 1
    return slice(columns[0], columns[-1] + 1, step)


def _differing_intervals(ref: Tensor, alt: Tensor) -> tuple[Tensor, Tensor]:
    """Find the first base (n,) that differs, and how many there are to the last; 0 for none."""
    differs = (ref != alt).int()
    first = differs.argmax(dim=1)  # of equal values, the first
    end = ref.shape[1] - differs.flip(1).argmax(dim=1)
    return first, torch.where(differs.any(dim=1), end - first, 0)


def _sliding_maxima(scores: Tensor, width: int) -> Tensor:
    """Find the maxima of every `width` neighbours (n, lanes): (n - width + 1, lanes)."""
    number, reach = len(scores) - width + 1, 1
    while 2 * reach <= width:
        scores = torch.maximum(scores[:-reach], scores[reach:])
        reach *= 2
    return torch.maximum(scores[:number], scores[width - reach : width - reach + number])


def _sliding_sums(counts: Tensor, width: int) -> Tensor:
    """Sum every `width` neighbours (..., n, lanes): (..., n - width + 1, lanes).

    By doubling, like the maxima: a GPU would run along the positions of running sums with one
    thread for each lane.
    """
    number, reach, done = counts.shape[-2] - width + 1, 1, 0
    total = torch.zeros_like(counts[..., :number, :])
    while True:
        if width & reach:
            total += counts[..., done : done + number, :]
            done += reach
        if 2 * reach > width:
            return total
        counts = counts[..., :-reach, :] + counts[..., reach:, :]
        reach *= 2
