"""Whole sequences and all their mutants under networks with global pooling, on a CPU.

A substitution changes the scores of the `width` positions under it and no others. So a mutant's
maximum is that of the positions before them, of those after them, and of the few changed ones;
its sum of activations is the sequence's, less what those positions had, plus what they have.
"""

from typing import Any

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
    add_activations,
    add_scores,
    copy_row,
    finish,
    make_work,
    number_kmers,
    pool_positions,
)

__all__ = ["fill_track", "score_mutants", "score_windows"]

_POSITIONS = 32  # mutated together: 128 rows of pooled numbers stay in the cache


@compile_kernel
def score_windows(codes: NDArray[np.uint8], lanes: Lanes, out: Logits) -> None:
    """Score sequences.

    Parameters
    ----------
    codes
        Array (n, length).
    lanes
        The network.
    out
        Takes the logits (n, tasks).
    """
    rows, length = codes.shape
    count = length + 2 * lanes.padding - len(lanes.columns) + 1
    kmers = np.empty(count + lanes.kmer * len(lanes.tables), dtype=np.int32)
    best = np.full((rows, lanes.tables.shape[2]), LOWEST, dtype=np.int32)
    total = np.zeros(best.shape, dtype=np.int64)
    work = make_work(lanes, 1)
    for row in range(rows):
        number_kmers(codes[row], -lanes.padding, lanes.kmer, kmers)
        pool_positions(kmers, 0, count, lanes, work, best[row], total[row])
    finish(best, total, count, lanes, out)


@compile_kernel
def score_mutants(codes: NDArray[np.uint8], lanes: Lanes, out: NDArray[np.float64]) -> None:
    """Score sequences with each base at each position.

    Parameters
    ----------
    codes
        Array (n, length).
    lanes
        The network.
    out
        Takes the logits (n, length, 4, tasks); at its own base, the sequence's own.
    """
    rows, length = codes.shape
    number = lanes.tables.shape[2]
    count = length + 2 * lanes.padding - len(lanes.columns) + 1
    kmers = np.empty(count + lanes.kmer * len(lanes.tables), dtype=np.int32)
    scores = np.empty((count, number), dtype=np.int32)
    sums = np.zeros((count + 1 if lanes.has_mean else 0, number), dtype=np.int64)
    before = np.full((count + 1, number), LOWEST, dtype=np.int32)
    after = np.full((count + 1, number), LOWEST, dtype=np.int32)
    best = np.empty((_POSITIONS, 4 * number), dtype=np.int32)
    total = np.zeros(best.shape, dtype=np.int64)
    work, wide_work = make_work(lanes, 1), make_work(lanes, 4)
    for row in range(rows):
        number_kmers(codes[row], -lanes.padding, lanes.kmer, kmers)
        fill_track(kmers, lanes, work, scores, sums)
        _note_maxima(scores, before, after)
        for first in range(0, length, _POSITIONS):
            last = min(first + _POSITIONS, length)
            mutants = 4 * (last - first)
            _mutate(codes[row, first:last], first, lanes, scores, before, after, best)
            if lanes.has_mean:
                _resum(codes[row, first:last], first, lanes, wide_work, scores, sums, total)
            results = out[row, first:last].reshape(mutants, out.shape[3])
            pooled = best.reshape(4 * _POSITIONS, number)
            summed = total.reshape(4 * _POSITIONS, number)
            finish(pooled[:mutants], summed[:mutants], count, lanes, results)


@compile_kernel
def fill_track(kmers: Integers, lanes: Lanes, work: Work, scores: Integers, sums: Sums) -> None:
    """Score consecutive positions.

    Parameters
    ----------
    kmers
        Of the positions, and of those that the last detector reaches.
    lanes, work
        The network.
    scores
        Takes the scores (positions, lanes).
    sums
        Takes, where there is a mean, the sums (positions + 1, lanes) of the activations before
        each position.
    """
    tables, kmer, scale, has_mean = lanes.tables, lanes.kmer, lanes.scale, lanes.has_mean
    wholes, powers, exponents = work.wholes, work.powers, work.exponents
    bits, rounded, active = work.sums, work.rounded, work.active
    for k in range(len(active)):
        active[k] = 0
    for p in range(len(scores)):
        add_scores(tables, kmer, kmers, p, scores[p])
        if has_mean:
            copy_row(active, sums[p])
            add_activations(scores[p], scale, active, wholes, powers, exponents, bits, rounded)
    if has_mean:
        copy_row(active, sums[len(scores)])


@compile_kernel
def _note_maxima(scores: Integers, before: Integers, after: Integers) -> None:
    """Note the largest scores before each position, and from each position on."""
    count = len(scores)
    for p in range(count):
        for k in range(scores.shape[1]):
            before[p + 1, k] = max(before[p, k], scores[p, k])
    for p in range(count - 1, -1, -1):
        for k in range(scores.shape[1]):
            after[p, k] = max(after[p + 1, k], scores[p, k])


@compile_kernel
def _mutate(
    codes: NDArray[np.uint8],
    first: int,
    lanes: Lanes,
    scores: Integers,
    before: Integers,
    after: Integers,
    best: Integers,
) -> None:
    """Find the maxima (n, 4 lanes) of n neighbouring bases' mutants; codes begin at `first`."""
    width, count, number = len(lanes.columns), len(scores), scores.shape[1]
    columns, wide = lanes.columns, lanes.columns.reshape(width, 5 * number)
    without = np.empty(4 * number, dtype=np.int32)
    for i in range(len(codes)):
        place = first + i + lanes.padding
        low, high = max(0, place - width + 1), min(count, place + 1)
        own = codes[i]
        largest = best[i]
        for k in range(number):
            largest[k] = max(before[low, k], after[high, k])
        _repeat(largest, number)
        for p in range(low, high):
            j = place - p
            for k in range(number):
                without[k] = scores[p, k] - columns[j, own, k]
            _repeat(without, number)
            for k in range(4 * number):
                largest[k] = max(largest[k], np.int32(without[k] + wide[j, k]))


@compile_kernel
def _resum(
    codes: NDArray[np.uint8],
    first: int,
    lanes: Lanes,
    work: Work,
    scores: Integers,
    sums: Sums,
    total: Sums,
) -> None:
    """Sum the activations (n, 4 lanes) of n neighbouring bases' mutants."""
    width, count, number = len(lanes.columns), len(scores), scores.shape[1]
    columns, wide = lanes.columns, lanes.columns.reshape(width, 5 * number)
    scale, changed = lanes.scale, work.scores
    wholes, powers, exponents = work.wholes, work.powers, work.exponents
    bits, rounded = work.sums, work.rounded
    for i in range(len(codes)):
        place = first + i + lanes.padding
        low, high = max(0, place - width + 1), min(count, place + 1)
        own = codes[i]
        active = total[i]
        for k in range(number):
            active[k] = sums[count, k] - sums[high, k] + sums[low, k]
        _repeat(active, number)
        for p in range(low, high):
            j = place - p
            for k in range(number):
                changed[k] = scores[p, k] - columns[j, own, k]
            _repeat(changed, number)
            for k in range(4 * number):
                changed[k] += wide[j, k]
            add_activations(changed, scale, active, wholes, powers, exponents, bits, rounded)


@compile_kernel
def _repeat(values: NDArray[Any], number: int) -> None:
    """Copy the first of four equal parts into the others."""
    for copy in range(1, 4):
        copy_row(values[:number], values[copy * number : (copy + 1) * number])
