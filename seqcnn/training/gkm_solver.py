"""The weights of gapped k-mers that are best for some sequences: convex, and quick for any number.

What is minimised, over weights w of all gapped k-mers and a bias b, is

    (|w|^2 + b^2) / 2 + C * sum of c_i * max(0, 1 - y_i f_i)^2,    f_i = <w, x_i> + b

with x_i the counts of both strands scaled to length 1 and c_i chosen so that both classes weigh
alike (regression: the squares of y_i - f_i). It is what liblinear minimises, with one trick: the
weights are a sum of sequences, and what such a sum scores every l-mer is one product with a
matrix of all pairs of l-mers that depends on their mismatches alone. Walsh and Hadamard's
transform makes that matrix diagonal, so that a product takes tens of milliseconds for ten or for
a hundred thousand sequences; Newton's method on conjugate gradients asks for a few dozen.

References
----------
Ghandi et al. 2014, doi:10.1371/journal.pcbi.1003711 (gapped k-mers). Chapelle 2007,
doi:10.1162/neco.2007.19.5.1155 (Newton's method in the primal)
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import Codes
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gkm_kernels import (
    NO_LMER,
    Integers,
    Lmers,
    number_lmers,
    shared_kmers,
    square_length,
)

__all__ = ["GappedSequences", "Problem", "minimise"]

Numbers = NDArray[np.float64]

_MOST_NEWTON_STEPS = 30
_MOST_PRODUCTS = 60  # of a Newton step
_TOLERANCE = 1e-2  # of the gradient, against that of zero weights
_FORCING = 0.1  # of the gradient, which a Newton step may leave
_LEAST_SHARE = 1e-5  # of a Newton step
_COLUMNS = 16  # of 8 bytes: they go through a core's cache together


class GappedSequences:
    """Sequences in the space of gapped k-mers, each of length 1.

    Parameters
    ----------
    codes
        The sequences (n, length).
    config
        The numbers of the family.
    both
        Whether both strands are counted.
    """

    def __init__(self, codes: Codes, config: GkmConfig, *, both: bool) -> None:
        self.width, self.informative, self.both = config.width, config.informative, both
        shape = (len(codes), codes.shape[1] - config.width + 1)
        self.forward, self.reverse = np.empty(shape, np.int32), np.empty(shape, np.int32)
        squares = np.empty(len(codes), dtype=np.int64)
        shared = shared_kmers(config.width, config.informative)
        lmers = (self.forward, self.reverse)
        _lay_out(np.ascontiguousarray(codes), config.width, both, shared, lmers, squares)
        self.lengths = np.sqrt(np.maximum(squares, 1).astype(np.float64))

    def score_lmers(self, amounts: Numbers) -> Numbers:
        """Score every l-mer (4 ** width,) under the sum of sequences, each so many times."""
        counts = np.zeros(4**self.width)
        _scatter(self.forward, self.reverse, self.both, amounts / self.lengths, counts)
        return _share_kmers(counts, self.width, self.informative)

    def score(self, lmers: Numbers) -> Numbers:
        """Score the sequences (n,) by the scores of their l-mers."""
        return np.asarray(_gather(self.forward, lmers) / self.lengths)


@compile_kernel
def _lay_out(
    codes: Codes,
    width: int,
    both: bool,
    shared: Integers,
    lmers: tuple[Lmers, Lmers],
    squares: Integers,
) -> None:
    for i in range(len(codes)):
        number_lmers(codes[i], width, lmers[0][i], lmers[1][i])
        squares[i] = square_length(lmers[0][i], lmers[1][i], both, shared)


@compile_kernel
def _scatter(forward: Lmers, reverse: Lmers, both: bool, amounts: Numbers, counts: Numbers) -> None:
    for i in range(len(forward)):
        if amounts[i] != 0:
            for j in range(forward.shape[1]):
                if forward[i, j] != NO_LMER:
                    counts[forward[i, j]] += amounts[i]
                    if both:
                        counts[reverse[i, j]] += amounts[i]


@compile_kernel
def _gather(forward: Lmers, lmers: Numbers) -> Numbers:
    out = np.zeros(len(forward))
    for i in range(len(forward)):
        for j in range(forward.shape[1]):
            if forward[i, j] != NO_LMER:
                out[i] += lmers[forward[i, j]]
    return out


# --- the matrix of all pairs of l-mers -----------------------------------------------------------


def _share_kmers(counts: Numbers, width: int, informative: int) -> Numbers:
    """Sum, for every l-mer, the gapped k-mers it shares with each of others (4 ** width,)."""
    left, right = width // 2, width - width // 2
    rows = counts.reshape(4**left, 4**right).copy()
    _transform(rows, left)
    columns = np.ascontiguousarray(rows.T)
    _transform(columns, right)
    columns *= _eigenvalues(width, informative).reshape(columns.shape)
    _transform(columns, right)
    rows = np.ascontiguousarray(columns.T)
    _transform(rows, left)
    return rows.reshape(-1)


_KNOWN: dict[tuple[int, int], Numbers] = {}


def _eigenvalues(width: int, informative: int) -> Numbers:
    """Give the eigenvalues of the matrix of shared gapped k-mers (4 ** width,).

    A choice of k positions out of l is a product of identities there and of matrices of ones
    elsewhere: it keeps a Walsh function whose letters that are not constant, w of them, it holds
    all, and there are C(l - w, k - w) of those.
    """
    if (width, informative) not in _KNOWN:
        weights = np.zeros(1, dtype=np.int64)
        for _ in range(width):
            weights = (weights + np.array([0, 1, 1, 1])[:, None]).ravel()
        values = [
            comb(width - w, informative - w) / 4.0**informative if w <= informative else 0.0
            for w in range(width + 1)
        ]
        _KNOWN[width, informative] = np.array(values)[weights]
    return _KNOWN[width, informative]


@compile_kernel
def _transform(values: Numbers, letters: int) -> None:
    """Apply Walsh and Hadamard's transform to the rows (4 ** letters, columns), in place."""
    rows, columns = values.shape
    room = np.empty((rows, _COLUMNS))
    for first in range(0, columns, _COLUMNS):
        number = min(_COLUMNS, columns - first)
        room[:, :number] = values[:, first : first + number]
        step = 1
        for _ in range(letters):
            for block in range(0, rows, 4 * step):
                for row in range(block, block + step):
                    for c in range(number):
                        one, two = room[row, c], room[row + step, c]
                        three, four = room[row + 2 * step, c], room[row + 3 * step, c]
                        room[row, c] = (one + two) + (three + four)
                        room[row + step, c] = (one - two) + (three - four)
                        room[row + 2 * step, c] = (one + two) - (three + four)
                        room[row + 3 * step, c] = (one - two) - (three - four)
            step *= 4
        values[:, first : first + number] = room[:, :number]


# --- the solver ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """What is minimised.

    Attributes
    ----------
    product
        Multiplies amounts (n,) with the matrix of scalar products of the sequences.
    targets
        1 or -1, or values (n,).
    costs
        Of an error, for each sequence (n,).
    hinge
        Whether only scores on the wrong side of the target are errors.
    """

    product: Callable[[Numbers], Numbers]
    targets: Numbers
    costs: Numbers
    hinge: bool

    def errs(self, scores: Numbers) -> NDArray[np.bool_]:
        """Mark the sequences (n,) whose scores are errors."""
        if not self.hinge:
            return np.ones(len(scores), dtype=np.bool_)
        return np.asarray(self.targets * scores < 1)

    def downhill(self, amounts: Numbers, scores: Numbers) -> Numbers:
        """Give the amounts (n,) of the sequences whose sum is the gradient, turned round."""
        errors = np.where(self.errs(scores), self.targets - scores, 0)
        return np.asarray(2 * self.costs * errors - amounts)

    def loss(self, scores: Numbers, square: float) -> float:
        """Give the loss, with the square of the length of the weights."""
        errors = np.where(self.errs(scores), self.targets - scores, 0)
        return float(square / 2 + (self.costs * errors**2).sum())


def minimise(problem: Problem, *, tolerance: float = _TOLERANCE) -> tuple[Numbers, Numbers]:
    """Find the amounts (n,) of the sequences whose sum is the best weights, and the scores (n,).

    Newton's method: near any weights the loss is a square, towards whose minimum conjugate
    gradients go; a step that does not lower the loss is halved.

    Parameters
    ----------
    problem
        What is minimised.
    tolerance
        Largest gradient that is left, against that of zero weights.
    """
    amounts, scores = np.zeros((2, len(problem.targets)))
    value, least = problem.loss(scores, 0.0), 0.0
    for _ in range(_MOST_NEWTON_STEPS):
        downhill = problem.downhill(amounts, scores)
        rise = problem.product(downhill)
        steepness = max(float(downhill @ rise), 0.0) ** 0.5
        least = least or tolerance * steepness
        if steepness <= least:
            break
        move, gain = _solve_square(problem, (downhill, rise), problem.errs(scores), least / 2)
        squares = [float(amounts @ scores), float(2 * move @ scores), float(move @ gain)]
        share = 1.0
        while share > _LEAST_SHARE:
            square = squares[0] + share * squares[1] + share**2 * squares[2]
            lower = problem.loss(scores + share * gain, square)
            if lower < value:
                break
            share /= 2
        else:
            break
        amounts, scores = amounts + share * move, scores + share * gain
        value = lower
    return amounts, scores


def _solve_square(
    problem: Problem, start: tuple[Numbers, Numbers], errs: NDArray[np.bool_], least: float
) -> tuple[Numbers, Numbers]:
    """Find the step to the minimum of a square: amounts (n,), and what they add to scores (n,).

    All products of weights are taken through the matrix of scalar products of the sequences.
    """
    residual, rise = start
    curved = np.where(errs, 2 * problem.costs, 0)
    move, gain = np.zeros((2, len(residual)))
    direction, ahead = residual, rise
    square = float(residual @ rise)
    enough = max(_FORCING * square**0.5, least) ** 2
    for _ in range(_MOST_PRODUCTS):
        image = direction + curved * ahead
        step = square / (ahead @ image)
        move, gain = move + step * direction, gain + step * ahead
        residual = residual - step * image
        rise = problem.product(residual)
        before, square = square, float(residual @ rise)
        if square <= enough:
            break
        direction = residual + square / before * direction
        ahead = rise + square / before * ahead
    return move, gain
