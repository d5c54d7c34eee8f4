"""Tomtom: how improbable it is that a motif is as like another as it is, by chance.

A pair is aligned without gaps at every offset, on one strand or both. An alignment's score is
the sum, over the overlapping positions, of minus the Euclidean distance of the two columns of
probabilities; from each is taken the median score of that query column against all columns of
the collection, so that a query column which hangs over counts as a median one ("complete
scores"). By chance a column of the target is any column of the collection, on either strand,
with the same probability: the null distribution of a span's score is the convolution of its
columns' distributions, in steps of a hundredth of the range of scores. The p-value of a pair is
the probability that the best of all its alignments scores at least as high, for alignments that
are independent, and for the better of two strands.

References
----------
Gupta S et al. (2007) Genome Biol 8:R24. https://doi.org/10.1186/gb-2007-8-2-r24
Tanaka E et al. (2011) Bioinformatics 27:1603. https://doi.org/10.1093/bioinformatics/btr257
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.motifs.comparison import Strands
from seqcnn.motifs.matrix import Matrix, Motif, ppm

__all__ = ["FEWEST_TARGETS", "Collection", "Likeness"]

FEWEST_TARGETS = 50
"""Motifs below which a collection's columns are a poor sample of what motifs look like."""

_STEPS = 100

Integers = NDArray[np.int64]
_Spans = dict[tuple[int, int], tuple[int, Matrix]]
"""By first and last column: the score of the first entry, and log P(score < entry's)."""


@dataclass(frozen=True)
class Likeness:
    """Tell how like a motif is to each of n motifs, where they are aligned best.

    Attributes
    ----------
    p
        Probability (n,) of such a best alignment, or a better one, by chance.
    offset
        Position (n,) of the query under which the first position of the target lies.
    overlap
        Positions (n,) where both lie over each other.
    reverse
        Whether (n,) the target is reverse complemented.
    """

    p: Matrix
    offset: Integers
    overlap: Integers
    reverse: NDArray[np.bool_]


class Collection:
    """Motifs that others are held against.

    Parameters
    ----------
    targets
        The motifs, at least one.
    strands
        ``+`` to leave the targets as they are, as for RNA; ``+-`` to turn them round too.
    """

    def __init__(self, targets: Sequence[Motif], *, strands: Strands = "+-") -> None:
        self.targets, self.strands = tuple(targets), strands
        forward = [ppm(motif) for motif in targets]
        columns = np.concatenate(forward, axis=1).T  # (columns, 4)
        self._widths = np.array([matrix.shape[1] for matrix in forward])
        self._starts = np.cumsum([0, *self._widths[:-1]])
        sides = [columns, columns[:, ::-1]][: len(strands)]  # a column of the other strand
        self._sides = [np.ascontiguousarray(side) for side in sides]

    def compare(self, query: Motif) -> Likeness:
        """Hold a motif against all of the collection."""
        scores = self._column_scores(ppm(query).T)
        spans = _null_spans(scores, set(self._widths.tolist()))
        best: list[Matrix] = []
        offsets: list[Integers] = []
        for strand in range(len(self.strands)):
            score, offset = self._best_alignments(scores[strand], turned=strand == 1)
            best.append(score)
            offsets.append(offset)
        reverse = best[-1] > best[0]
        score = np.maximum(best[0], best[-1])
        offset = np.where(reverse, offsets[-1], offsets[0])
        p = np.empty(len(score))
        for width in np.unique(self._widths):
            rows = self._widths == width
            p[rows] = _tail(spans, scores.shape[1], int(width), score[rows])
        if len(self.strands) == 2:
            p = p * (2 - p)  # 1 - (1 - p)^2: the better of two
        stop = np.minimum(scores.shape[1], offset + self._widths)
        return Likeness(p, offset, stop - np.maximum(0, offset), reverse)

    def _column_scores(self, query: Matrix) -> Integers:
        """Score each query column against each column: (strands, width, columns), in steps."""
        squares = (query**2).sum(axis=1)[:, None]
        scores = np.empty((len(self._sides), len(query), len(self._sides[0])))
        for strand, side in enumerate(self._sides):
            distance = squares + (side**2).sum(axis=1) - 2 * (query @ side.T)
            scores[strand] = -np.sqrt(np.maximum(distance, 0))
        scores -= np.median(scores, axis=(0, 2))[:, None]
        step = max(float(scores.max() - scores.min()), 1e-9) / _STEPS
        return np.asarray(np.rint(scores / step), dtype=np.int64)

    def _best_alignments(self, scores: Integers, *, turned: bool) -> tuple[Matrix, Integers]:
        """Find the best offset of each target: scores (width, columns) of its own strand."""
        width = len(scores)
        room = self._starts + width * np.arange(1, len(self._starts) + 1)
        total = int(self._widths.sum()) + width * (len(self._widths) + 1)
        # Each target stands after as many empty columns as the query has.
        place = np.repeat(room - self._starts, self._widths) + np.arange(scores.shape[1])
        spread = np.zeros((width, total), dtype=np.int64)
        spread[:, place] = scores
        if turned:
            spread = spread[:, ::-1]
        sums = np.zeros(total - width + 1, dtype=np.int64)
        for column in range(width):
            sums += spread[column, column : column + len(sums)]
        # sums[k]: query column 0 lies at place k; the target's first column at `first`.
        first = (total - room - self._widths) if turned else room
        order = np.argsort(first)
        start, size = first[order] - width + 1, width + self._widths[order] - 1
        score, offset = np.empty(len(first)), np.empty(len(first), dtype=np.int64)
        for target, begin, count in zip(order, start, size, strict=True):
            # From the largest place to the least: the offset of the target rises.
            row = sums[begin : begin + count][::-1]
            at = int(row.argmax())
            score[target], offset[target] = row[at], at - self._widths[target] + 1
        return score, offset


def _null_spans(scores: Integers, widths: set[int]) -> _Spans:
    """Give the null distributions of all spans of query columns that targets can lie over."""
    columns = scores.shape[1]
    singles = []
    for column in range(columns):
        values = scores[:, column].ravel()
        low = int(values.min())
        singles.append((low, np.bincount(values - low) / len(values)))
    spans: _Spans = {}
    level = dict(enumerate(singles))
    for length in range(1, columns + 1):
        for first, (low, shares) in level.items():
            last = first + length - 1
            if length in widths or first == 0 or last == columns - 1:
                spans[first, last] = low, _log_below(shares)
        level = {
            first: (low + more, np.convolve(shares, chances))
            for first, (low, shares) in level.items()
            for more, chances in singles[first + length : first + length + 1]
        }
    return spans


def _log_below(shares: Matrix) -> Matrix:
    """Turn P(score = s) into log P(score < s), exactly for rare scores."""
    at_least = np.minimum(np.cumsum(shares[::-1])[::-1], 1.0)
    with np.errstate(divide="ignore"):  # nothing is below the least score
        return np.log1p(-at_least)


def _tail(spans: _Spans, columns: int, width: int, scores: Matrix) -> Matrix:
    """Give P(best alignment of a target of the width >= score) for scores (n,)."""
    hanging = min(columns, width) - 1
    places = [(0, length - 1) for length in range(1, hanging + 1)]
    places += [(columns - length, columns - 1) for length in range(1, hanging + 1)]
    if width < columns:
        places += [(first, first + width - 1) for first in range(columns - width + 1)]
    logs = np.zeros(len(scores))
    for place in places:
        logs += _look_up(*spans[place], scores)
    if width >= columns:
        logs += (width - columns + 1) * _look_up(*spans[0, columns - 1], scores)
    return np.asarray(-np.expm1(logs))


def _look_up(low: int, logs: Matrix, scores: Matrix) -> Matrix:
    """Give log P(span < score): 0 above the span's highest score."""
    place = scores.astype(np.int64) - low
    inside = logs[np.clip(place, 0, len(logs) - 1)]
    return np.where(place >= len(logs), 0.0, np.where(place < 0, -np.inf, inside))
