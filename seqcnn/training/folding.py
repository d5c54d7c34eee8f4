"""The batch norm of detector scores, folded into the detectors, forward and backward.

Mean and variance of the scores follow from those of the windows, w'm and w'Cw, so that the
scores themselves, a hundred times more, are neither read nor differentiated for it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.bank import EPSILON
from seqcnn.engine.compiled import compile_kernel

__all__ = ["fold_norm", "measure_scores", "slope_of_fold"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@compile_kernel
def measure_scores(
    weights: Floats, centre: Doubles, covariance: Doubles, spread: Doubles, moments: Floats
) -> None:
    """Measure mean and variance (networks, 2, number) of the scores of detectors.

    Parameters
    ----------
    weights
        Detectors (networks, 4 width, number).
    centre, covariance
        Of the windows (4 width,) and (4 width, 4 width).
    spread
        Filled with the covariance times the detectors (networks, 4 width, number).
    """
    networks, size, number = weights.shape
    for network in range(networks):
        means, variances = np.zeros(number), np.zeros(number)
        for i in range(size):
            cells, own = spread[network, i], weights[network, i]
            for k in range(number):
                cells[k] = 0
            for j in range(size):
                factor, values = covariance[i, j], weights[network, j]
                for k in range(number):
                    cells[k] += factor * values[k]
            for k in range(number):
                variances[k] += cells[k] * own[k]
                means[k] += centre[i] * own[k]
        for k in range(number):
            moments[network, 0, k] = means[k]
            moments[network, 1, k] = max(variances[k], 0.0)


@compile_kernel
def fold_norm(
    weights: Floats,
    norm: tuple[Floats, Floats],
    moments: Floats,
    unit: float,
    folded: Floats,
    offsets: Floats,
) -> None:
    """Scale detectors (networks, 4 width, number) as gain, shift and moments say.

    Their scores then count in `unit`: so many of them are 1.
    """
    gain, shift = norm
    times = np.float32(unit)
    networks, size, number = weights.shape
    scale = np.empty(number, dtype=np.float32)
    for network in range(networks):
        for k in range(number):
            scale[k] = gain[network, k] / math.sqrt(moments[network, 1, k] + EPSILON)
            offsets[network, k] = (shift[network, k] - scale[k] * moments[network, 0, k]) * times
            scale[k] *= times
        for i in range(size):
            values, cells = weights[network, i], folded[network, i]
            for k in range(number):
                cells[k] = values[k] * scale[k]


@compile_kernel
def slope_of_fold(
    weights: Floats,
    gain: Floats,
    measured: tuple[Doubles, Doubles, Floats],
    folded: tuple[Floats, Floats],
    own: tuple[Floats, Floats, Floats],
) -> None:
    """Add the gradient of folded detectors to that of the detectors and their norm.

    Parameters
    ----------
    weights, gain
        As for `fold_norm`.
    measured
        Centre, spread and moments; see `measure_scores`.
    folded
        Gradients of folded detectors and offsets, whose unit is 1.
    own
        Gradients of detectors, gain and shift, which are added to.
    """
    centre, spread, moments = measured
    networks, size, number = weights.shape
    scale, of_mean, of_variance = np.empty(number), np.empty(number), np.empty(number)
    for network in range(networks):
        of_offset, of_scale = folded[1][network], np.zeros(number)
        for i in range(size):
            values, slopes = weights[network, i], folded[0][network, i]
            for k in range(number):
                of_scale[k] += slopes[k] * values[k]
        for k in range(number):
            root = 1 / math.sqrt(moments[network, 1, k] + EPSILON)
            tilt = of_scale[k] - moments[network, 0, k] * of_offset[k]
            scale[k] = gain[network, k] * root
            own[1][network, k] += tilt * root
            own[2][network, k] += of_offset[k]
            of_mean[k] = -scale[k] * of_offset[k]
            # The variance is w'Cw: its gradient 2 Cw meets the half of the root's.
            of_variance[k] = -tilt * gain[network, k] * root**3
        for i in range(size):
            slopes, cells, along = folded[0][network, i], own[0][network, i], spread[network, i]
            for k in range(number):
                cells[k] += (
                    slopes[k] * scale[k] + of_mean[k] * centre[i] + of_variance[k] * along[k]
                )
