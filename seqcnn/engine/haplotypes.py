"""Windows around alleles under networks with global pooling, on a CPU.

The window of an allele is a piece of the contig, the allele's letters, and a second piece of
the contig. Positions whose detector lies within a piece have the contig's own scores, which are
computed once for all windows that overlap: only what sees the allele, or reaches past the
window's ends, is scored apart. Largest scores over blocks of positions, and running sums of
activations, make the pooling of a piece independent of its length.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.detectors import Lanes
from seqcnn.engine.kernels import (
    LOWEST,
    Integers,
    Logits,
    Sums,
    Work,
    copy_row,
    finish,
    keep_larger,
    make_work,
    number_kmers,
    pool_positions,
)
from seqcnn.engine.pooled import fill_track
from seqcnn.genome import Haplotypes

__all__ = ["score_haplotypes"]

_BLOCK = 32
_CELLS = 1 << 20  # scores of a stretch of contig that are held at a time,
_WINDOWS = 8  # or those of so many windows, where that is more,
_MOST_CELLS = 1 << 23  # as long as they are no more than this
_ROWS = 128


@compile_kernel
def score_haplotypes(
    contig: NDArray[np.uint8], windows: Haplotypes, length: int, lanes: Lanes, out: Logits
) -> None:
    """Score windows.

    Parameters
    ----------
    contig
        Codes of the whole contig; off it is N.
    windows
        The windows, sorted by their start.
    length
        Bases of a window.
    lanes
        The network.
    out
        Takes the logits (n, tasks).
    """
    number = lanes.tables.shape[2]
    inner = length - len(lanes.columns) + 1  # positions whose detector lies within the window
    count = inner + 2 * lanes.padding
    best = np.empty((_ROWS, number), dtype=np.int32)
    total = np.zeros((_ROWS, number), dtype=np.int64)
    stretch, rest = _make_stretch(length, lanes), _make_rest(length, lanes)
    work = make_work(lanes, 1)
    done = 0
    while done < len(windows.starts):
        stop = _choose_stretch(windows, done, inner, stretch)
        _fill_stretch(contig, lanes, work, stretch)
        while done < stop:
            rows = min(_ROWS, stop - done)
            for row in range(rows):
                for k in range(best.shape[1]):
                    best[row, k], total[row, k] = LOWEST, 0
                _pool_pieces(windows, done + row, inner, lanes, stretch, best[row], total[row])
                _pool_rest(
                    contig, windows, done + row, length, lanes, work, rest, best[row], total[row]
                )
            finish(best[:rows], total[:rows], count, lanes, out[done : done + rows])
            done += rows


class _Stretch(NamedTuple):
    """Scores of a stretch of contig.

    Attributes
    ----------
    bounds
        First base and the base after the last one.
    kmers, scores
        Of each position.
    sums
        Of the activations before each position (positions + 1, lanes); unused without a mean.
    blocks
        Largest scores of each block of positions.
    """

    bounds: NDArray[np.int64]
    kmers: Integers
    scores: Integers
    sums: Sums
    blocks: Integers


@compile_kernel
def _make_stretch(length: int, lanes: Lanes) -> _Stretch:
    number = lanes.tables.shape[2]
    most = max(_CELLS // number, min(_WINDOWS * length, _MOST_CELLS // number), 2 * length)
    return _Stretch(
        np.zeros(2, dtype=np.int64),
        np.empty(most + lanes.kmer * len(lanes.tables), dtype=np.int32),
        np.empty((most, number), dtype=np.int32),
        np.zeros((most + 1 if lanes.has_mean else 1, number), dtype=np.int64),
        np.empty((most // _BLOCK + 1, number), dtype=np.int32),
    )


@compile_kernel
def _choose_stretch(windows: Haplotypes, first: int, inner: int, stretch: _Stretch) -> int:
    """Find how far neighbouring windows overlap: the window after the last one."""
    begin = windows.starts[first]
    end = begin
    i = first
    while i < len(windows.starts) and (i == first or windows.starts[i] <= end):
        gained = windows.removed[i] - (windows.ends[i + 1] - windows.ends[i])
        further = max(end, windows.starts[i] + inner + max(0, gained))
        if further - begin > len(stretch.scores):
            break
        end = further
        i += 1
    stretch.bounds[0], stretch.bounds[1] = begin, end
    return i


@compile_kernel
def _fill_stretch(contig: NDArray[np.uint8], lanes: Lanes, work: Work, stretch: _Stretch) -> None:
    size = stretch.bounds[1] - stretch.bounds[0]
    kmers, scores, blocks = stretch.kmers, stretch.scores[:size], stretch.blocks
    kmers = kmers[: size + lanes.kmer * len(lanes.tables)]
    number_kmers(contig, stretch.bounds[0], lanes.kmer, kmers)
    fill_track(kmers, lanes, work, scores, stretch.sums)
    for block in range(size // _BLOCK):
        copy_row(scores[block * _BLOCK], blocks[block])
        for p in range(block * _BLOCK + 1, (block + 1) * _BLOCK):
            keep_larger(blocks[block], scores[p])


@compile_kernel
def _pool_pieces(
    windows: Haplotypes,
    i: int,
    inner: int,
    lanes: Lanes,
    stretch: _Stretch,
    best: Integers,
    total: Sums,
) -> None:
    """Pool the positions of a window whose detectors see the contig alone."""
    place = windows.alleles[i] - windows.starts[i]  # of the letters in the window
    inserted = windows.ends[i + 1] - windows.ends[i]
    offset = windows.starts[i] - stretch.bounds[0]
    last = min(place - len(lanes.columns) + 1, inner)
    _pool_stretch(offset, offset + last, lanes.has_mean, stretch, best, total)
    first = max(0, place + inserted)
    offset += windows.removed[i] - inserted
    _pool_stretch(offset + first, offset + inner, lanes.has_mean, stretch, best, total)


@compile_kernel
def _pool_stretch(
    first: int, last: int, has_mean: bool, stretch: _Stretch, best: Integers, total: Sums
) -> None:
    if first >= last:
        return
    scores, blocks, sums = stretch.scores, stretch.blocks, stretch.sums
    block, last_block = -(-first // _BLOCK), last // _BLOCK
    for p in range(first, min(last, block * _BLOCK)):
        keep_larger(best, scores[p])
    for b in range(block, last_block):
        keep_larger(best, blocks[b])
    for p in range(max(first, block * _BLOCK, last_block * _BLOCK), last):
        keep_larger(best, scores[p])
    if has_mean:
        for k in range(len(total)):
            total[k] += sums[last, k] - sums[first, k]


class _Rest(NamedTuple):
    """Arrays for the positions of a window that are scored apart.

    What the window's ends give is kept: neighbouring windows often share an end. Row 0 is the
    left one, row 1 the right one.
    """

    codes: NDArray[np.uint8]
    kmers: Integers
    places: NDArray[np.int64]  # of the end on the contig
    known: NDArray[np.bool_]  # whether `best` and `total` are those of `places`
    best: Integers
    total: Sums


@compile_kernel
def _make_rest(length: int, lanes: Lanes) -> _Rest:
    number = lanes.tables.shape[2]
    size = length + 4 * len(lanes.columns)
    return _Rest(
        np.empty(size, dtype=np.uint8),
        np.empty(size + lanes.kmer * len(lanes.tables), dtype=np.int32),
        np.zeros(2, dtype=np.int64),
        np.zeros(2, dtype=np.bool_),
        np.empty((2, number), dtype=np.int32),
        np.empty((2, number), dtype=np.int64),
    )


@compile_kernel
def _pool_rest(
    contig: NDArray[np.uint8],
    windows: Haplotypes,
    i: int,
    length: int,
    lanes: Lanes,
    work: Work,
    rest: _Rest,
    best: Integers,
    total: Sums,
) -> None:
    """Pool the positions of a window that see its letters, or reach past one of its ends."""
    width, inner = len(lanes.columns), length - len(lanes.columns) + 1
    place = windows.alleles[i] - windows.starts[i]
    inserted = windows.ends[i + 1] - windows.ends[i]
    first, last = max(0, place - width + 1), min(inner, place + inserted)
    if first < last:
        _cut(contig, windows, i, length, first, last + width - 1, rest.codes)
        _pool_codes(rest, last - first, lanes, work, best, total)
    if lanes.padding == 0:
        return
    begin = windows.starts[i]
    end = begin + length + windows.removed[i] - inserted
    for side in range(2):
        is_contig = place >= width - 1 if side == 0 else place + inserted <= inner
        there = begin if side == 0 else end
        if not (is_contig and rest.known[side] and rest.places[side] == there):
            low = -lanes.padding if side == 0 else inner
            _cut(contig, windows, i, length, low, low + lanes.padding + width - 1, rest.codes)
            for k in range(len(best)):
                rest.best[side, k], rest.total[side, k] = LOWEST, 0
            _pool_codes(rest, lanes.padding, lanes, work, rest.best[side], rest.total[side])
            rest.places[side], rest.known[side] = there, is_contig
        keep_larger(best, rest.best[side])
        for k in range(len(total)):
            total[k] += rest.total[side, k]


@compile_kernel
def _cut(
    contig: NDArray[np.uint8],
    windows: Haplotypes,
    i: int,
    length: int,
    first: int,
    last: int,
    out: NDArray[np.uint8],
) -> None:
    """Cut bases from `first` up to `last` out of a window; N lies off the window and contig."""
    start, place = windows.starts[i], windows.alleles[i] - windows.starts[i]
    letters, begin = windows.letters, windows.ends[i]
    inserted = windows.ends[i + 1] - begin
    moved = windows.removed[i] - inserted
    for p in range(first, last):
        base = np.uint8(4)
        if 0 <= p < length:
            if place <= p < place + inserted:
                base = letters[begin + p - place]
            else:
                q = start + p + (moved if p >= place else 0)
                if 0 <= q < len(contig):
                    base = contig[q]
        out[p - first] = base


@compile_kernel
def _pool_codes(
    rest: _Rest, count: int, lanes: Lanes, work: Work, best: Integers, total: Sums
) -> None:
    """Pool the first positions of the bases that were cut out."""
    codes = rest.codes[: count + len(lanes.columns) - 1]
    kmers = rest.kmers[: count + lanes.kmer * len(lanes.tables)]
    number_kmers(codes, 0, lanes.kmer, kmers)
    pool_positions(kmers, 0, count, lanes, work, best, total)
