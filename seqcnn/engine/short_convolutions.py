"""Convolutions of a few inputs in fewer products than inputs times taps.

What n inputs and a kernel of k taps give are the n + k - 1 coefficients of a product of two
polynomials. Both are evaluated at points, multiplied there, and the coefficients interpolated.
A real point takes one product; a pair of conjugate points on the unit circle takes three real
ones for the values of two. Here an input is a row of channels and a tap a matrix, so that the
products are the work, and the points next to nothing.

The roundings of float32 grow with the points' distance from the unit circle: those taken here
treble them at most (7 inputs, 11 taps: 22 products in place of 77, roundings twice as large).

References
----------
Toom 1963, Cook 1966 (evaluation and interpolation)
Barabasz et al. 2020, doi:10.1145/3412380 (which points round little)
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Matrix",
    "ShortConvolution",
    "choose_inputs",
    "count_products",
    "make_short_convolution",
]

Matrix = NDArray[np.float64]

_REAL = (1.0, -1.0, 0.5, -2.0, -0.5, 2.0)  # after 0 and infinity
_MOST_INPUTS = 16
_TRANSFORM = 10  # products of a matrix product that take as long as one of a transform


class ShortConvolution(NamedTuple):
    """Matrices of a convolution: ``outputs = interpolate @ ((inputs @ x) * (taps @ kernel))``.

    Attributes
    ----------
    inputs
        From n inputs to their values at the points (products, n).
    taps
        From k taps to theirs (products, k).
    interpolate
        From products to outputs (n + k - 1, products).
    """

    inputs: Matrix
    taps: Matrix
    interpolate: Matrix


def count_products(inputs: int, taps: int) -> int:
    """Count the products of n inputs with k taps."""
    outputs = inputs + taps - 1
    return _count_real(outputs) + 3 * ((outputs - _count_real(outputs)) // 2)


def _count_real(outputs: int) -> int:
    """Choose the number of real points; the others, if any, go in pairs."""
    # Without any pair on the unit circle, seven points and more round too much.
    count = min(len(_REAL) + 2, outputs if outputs <= 6 else outputs - 2)
    return count - (outputs - count) % 2


@functools.cache
def make_short_convolution(inputs: int, taps: int) -> ShortConvolution:
    """Make the matrices for n inputs and k taps, two at least of each."""
    outputs = inputs + taps - 1
    count = _count_real(outputs)
    pairs = (outputs - count) // 2
    angles = np.pi * np.arange(1, pairs + 1) / (pairs + 1)
    real = np.array(_REAL[: count - 2])
    sides = [_evaluate(size, real, angles) for size in (inputs, taps, outputs)]
    first, second = _three_of_pairs(*sides[0], taps=False), _three_of_pairs(*sides[1], taps=True)
    values = np.concatenate([sides[2][0], sides[2][1].real, sides[2][1].imag])
    largest = np.abs(values).max(axis=1, keepdims=True)  # of one size, they are solved exactly
    interpolate = np.linalg.solve(values / largest, _join_pairs(count, pairs) / largest)
    return ShortConvolution(first, second, interpolate)


def _evaluate(size: int, real: Matrix, angles: Matrix) -> tuple[Matrix, NDArray[np.complex128]]:
    """Give a polynomial's values at the real points (points, size) and at one of each pair."""
    powers = np.arange(size)
    ends = np.eye(size)[[0, -1]]  # the values at 0 and infinity
    return np.concatenate([ends, real[:, None] ** powers]), np.exp(1j * angles[:, None] * powers)


def _three_of_pairs(real: Matrix, pairs: NDArray[np.complex128], *, taps: bool) -> Matrix:
    """Turn values at pairs of points into three factors each (products, size).

    (a + ib)(c + id) is k1 - k3 + i (k1 + k2) with k1 = (a + b) c, k2 = a (d - c) and
    k3 = b (c + d).
    """
    a, b = pairs.real, pairs.imag
    three = (a, b - a, a + b) if taps else (a + b, a, b)
    return np.concatenate([real, *three])


def _join_pairs(real: int, pairs: int) -> Matrix:
    """Give the matrix from the products to the values (real, real parts, imaginary parts)."""
    joined = np.zeros((real + 2 * pairs, real + 3 * pairs))
    one = np.eye(pairs)
    joined[:real, :real] = np.eye(real)
    joined[real:, real:] = np.block([[one, 0 * one, -one], [one, one, 0 * one]])
    return joined


def choose_inputs(width: int, taps: int, channels: tuple[int, int]) -> int:
    """Choose how many inputs go together through a convolution of a stretch.

    Parameters
    ----------
    width
        Inputs of the stretch.
    taps
        Of the kernel.
    channels
        Of an input and of an output.

    Returns
    -------
    int
        Inputs of a `ShortConvolution`, or 1 where none is faster than products with every tap.
    """
    if taps == 1:
        return 1
    return min(
        range(1, min(width, _MOST_INPUTS) + 1),
        key=lambda inputs: -(-width // inputs) * _measure(inputs, taps, channels),
    )


def _measure(inputs: int, taps: int, channels: tuple[int, int]) -> int:
    before, after = channels
    if inputs == 1:
        return taps * after * (before + _TRANSFORM)
    products, outputs = count_products(inputs, taps), inputs + taps - 1
    return products * (before * after + _TRANSFORM * (inputs * before + outputs * after))
