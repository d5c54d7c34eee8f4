"""The detectors of a network on torch, with scores and sums that are exact.

Exactness
    A detector's columns are rounded to multiples of 2^-bits, as fine as float64 can hold the
    sums of them: a score is then the same number in whatever order, block or matrix its bases are
    summed, and a base can be exchanged by subtracting one column and adding another. Activations
    are counted in multiples of 2^-precision in 64-bit integers, so that sums over positions and
    differences of such sums are exact too.

Layout
    Lanes are the detectors of the forward strand, then (where the model looks at both strands)
    their reverse complements, slid along the same forward sequence. They are the innermost
    axis. Scores are sums of rows of a table over all k-mers: one pass over memory, which no
    reduced precision of matrix products touches.
"""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.dna import UNKNOWN

__all__ = ["Pooled", "TorchDetectors"]

_TABLE_CELLS = 2**20
_LETTERS = 5
_LONGEST_KMER = 4
_SCORE_BITS = 50  # of float64's 53; a score with one column in place of another needs one more
_MOST_PRECISION = 36


class Pooled(NamedTuple):
    """What positions give together.

    Attributes
    ----------
    maxima
        Largest scores (..., lanes).
    sums
        Sums of activations (..., lanes) as `TorchDetectors.count` counts them; None where the
        network has no means.
    positions
        How many positions a window has.
    """

    maxima: Tensor
    sums: Tensor | None
    positions: int

    def part(self, start: int, stop: int) -> "Pooled":
        """Take some columns of (rows, columns, lanes)."""
        sums = None if self.sums is None else self.sums[:, start:stop]
        return Pooled(self.maxima[:, start:stop], sums, self.positions)

    def repeat(self, times: int) -> "Pooled":
        """Copy (rows, columns, lanes) to (rows, columns, times, lanes)."""
        sums = None if self.sums is None else self.sums[:, :, None].repeat(1, 1, times, 1)
        return Pooled(self.maxima[:, :, None].repeat(1, 1, times, 1), sums, self.positions)


class TorchDetectors:
    """The detectors of a network in eval mode, laid out on its device.

    Attributes
    ----------
    width
        Bases of a detector.
    padding
        Unknown bases on each side of a window.
    lanes
        Detectors, of both strands where ``both`` is said.
    columns
        What a base adds to each score (width, 5, lanes), by position in the detector.
    has_mean
        Whether the mean over positions counts beside the maximum.
    """

    def __init__(self, network: SequenceNetwork, *, both: bool) -> None:
        self.width, self.padding = network.detector_width, network.detector_padding
        self.has_mean = len(network.features_of(0)) > 1
        self._activate = network.activate
        device = network.detectors.device
        columns = _lay_out_columns(network, both=both)
        self.lanes = columns.shape[2]
        self.columns = columns.to(device)
        self._kmer = _choose_kmer(self.width, self.lanes)
        self._table = _tabulate(columns, self._kmer).to(device)  # (chunks 5^kmer, lanes)
        highest = self._activate(columns.amax(dim=1).sum(dim=0).amax())
        self._top_bits = max(0, math.frexp(float(highest))[1])

    def positions(self, length: int) -> int:
        """Count the positions of a detector on a window.

        Raises
        ------
        ValueError
            For a window shorter than a detector.
        """
        positions = length + 2 * self.padding - self.width + 1
        if length < 1 or positions < 1:
            raise ValueError(f"windows of {length} bp for detectors of {self.width} bp")
        return positions

    def precision(self, positions: int) -> int:
        """Say of which power of 1/2 activations over so many positions are multiples."""
        return min(_MOST_PRECISION, 62 - self._top_bits - math.frexp(positions)[1])

    def score(self, codes: Tensor) -> Tensor:
        """Score int32 codes (rows, bases): (rows, bases - width + 1, lanes)."""
        rows, bases = codes.shape
        chunks = -(-self.width // self._kmer)
        # What the last chunk has beyond the detector counts nothing, whatever base stands there.
        words = functional.pad(codes, (0, chunks * self._kmer - self.width))
        words = _spell_words(words, self._kmer)  # (rows, bases + ...)
        reach = (chunks - 1) * self._kmer + 1
        first = torch.arange(chunks, device=codes.device, dtype=torch.int32) * _LETTERS**self._kmer
        entries = words.unfold(1, reach, 1)[..., :: self._kmer] + first
        scores = functional.embedding_bag(entries.flatten(0, 1), self._table, mode="sum")
        return scores.view(rows, bases - self.width + 1, self.lanes)

    def score_extended(self, codes: Tensor) -> Tensor:
        """Score all positions that touch int32 codes (rows, length): (rows, length + width - 1, .).

        Base i is touched by positions i to i + width - 1 of these. Positions that the network
        has not are minus infinity, which neither a maximum nor a sum of activations counts.
        """
        margin = self.width - 1
        scores = self.score(functional.pad(codes, (margin, margin), value=UNKNOWN))
        absent = margin - self.padding
        scores[:, :absent] = float("-inf")
        scores[:, scores.shape[1] - absent :] = float("-inf")
        return scores

    def count(self, scores: Tensor, positions: int) -> Tensor:
        """Activate scores, and count them in whole multiples of 2^-precision: int64."""
        return self._activate(scores).mul_(2.0 ** self.precision(positions)).long()

    def nothing(self, rows: int, positions: int) -> Pooled:
        """Give what no position at all gives (rows, lanes)."""
        maxima = self.columns.new_full((rows, self.lanes), float("-inf"))
        sums = torch.zeros_like(maxima, dtype=torch.int64) if self.has_mean else None
        return Pooled(maxima, sums, positions)

    def include(self, pooled: Pooled, scores: Tensor, *, dim: int | None = None) -> None:
        """Add scores (..., lanes) to what others gave; those along `dim`, if given, together."""
        highest = scores if dim is None else scores.amax(dim=dim)
        torch.maximum(pooled.maxima, highest, out=pooled.maxima)
        if pooled.sums is not None:
            counts = self.count(scores, pooled.positions)
            pooled.sums.add_(counts if dim is None else counts.sum(dim=dim))

    def features(self, pooled: Pooled) -> list[Tensor]:
        """Turn maxima, and sums where the network has means, into features (..., lanes)."""
        highest = self._activate(pooled.maxima)
        if pooled.sums is None:
            return [highest]
        unit = 0.5 ** self.precision(pooled.positions)
        return [highest, pooled.sums.double() * (unit / pooled.positions)]


@torch.no_grad()
def _lay_out_columns(network: SequenceNetwork, *, both: bool) -> Tensor:
    """Give what a base adds to each score (width, 5, lanes), on a grid of powers of two."""
    # On the CPU for every device: the same numbers everywhere.
    network = copy.deepcopy(network).cpu().double()
    weights, offsets = network.effective_detectors(torch.empty(0, 4, 0, dtype=torch.float64))
    forward = weights.permute(2, 1, 0)  # (width, 4, detectors)
    strands = [forward, forward.flip(0, 1)] if both else [forward]
    columns = torch.cat(strands, dim=2)
    columns = torch.cat([columns, network.unknown * columns.sum(dim=1, keepdim=True)], dim=1)
    columns[0] += offsets.repeat(len(strands))
    span = float(columns.abs().amax(dim=1).sum(dim=0).amax())
    unit = math.ldexp(1.0, math.frexp(span)[1] - _SCORE_BITS)
    return (columns / unit).round() * unit


def _choose_kmer(width: int, lanes: int) -> int:
    """Choose the longest k-mers whose table is small."""
    for kmer in range(min(_LONGEST_KMER, width), 1, -1):
        if -(-width // kmer) * _LETTERS**kmer * lanes <= _TABLE_CELLS:
            return kmer
    return 1


def _tabulate(columns: Tensor, kmer: int) -> Tensor:
    """Sum columns (width, 5, lanes) up over the k-mers of each chunk: (chunks 5^kmer, lanes)."""
    width, _, lanes = columns.shape
    padded = functional.pad(columns, (0, 0, 0, 0, 0, -width % kmer))
    table = padded[::kmer]
    for place in range(1, kmer):
        letter = padded[place::kmer, None]  # (chunks, 1, 5, lanes)
        table = (table[:, :, None] + letter).flatten(1, 2)
    return table.reshape(-1, lanes).contiguous()


def _spell_words(codes: Tensor, kmer: int) -> Tensor:
    """Give the number of the k-mer that begins at each base: (rows, bases - kmer + 1)."""
    number = codes.shape[1] - kmer + 1
    words = codes[:, :number]
    for place in range(1, kmer):
        words = words * _LETTERS + codes[:, place : place + number]
    return words
