"""The head of a pooled network in training, forward and backward, for one network at a time.

Arrays are (rows, features) of one network; sums over rows are taken in double precision, all
sums in one fixed order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.bank import EPSILON, MOMENTUM
from seqcnn.engine.compiled import compile_kernel

__all__ = [
    "drop",
    "loss_and_slopes",
    "measure_features",
    "normalise",
    "rectify",
    "slope_of_inputs",
    "slope_of_norm",
    "slope_of_rectified",
    "slope_of_weights",
    "weigh",
]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

BEND = 0.3
"""Error of a regression, in standard deviations of the target, beyond which the loss grows no
longer with its square: assays have outliers, and those must not rule."""


@compile_kernel
def measure_features(features: Floats, moments: Floats, running: Floats) -> None:
    """Measure mean and variance (2, features) of a batch, and note them in the running ones."""
    rows, number = features.shape
    means, squares = np.zeros(number, dtype=np.float64), np.zeros(number, dtype=np.float64)
    for row in range(rows):
        values = features[row]
        for f in range(number):
            means[f] += values[f]
    for f in range(number):
        means[f] /= rows
    for row in range(rows):
        values = features[row]
        for f in range(number):
            squares[f] += (values[f] - means[f]) ** 2
    unbiased = 1.0 / max(rows - 1, 1)
    for f in range(number):
        moments[0, f], moments[1, f] = means[f], squares[f] / rows
        running[0, f] += np.float32(MOMENTUM) * (moments[0, f] - running[0, f])
        running[1, f] += np.float32(MOMENTUM) * (np.float32(squares[f] * unbiased) - running[1, f])


@compile_kernel
def normalise(features: Floats, moments: Floats, norm: Floats, out: Floats) -> None:
    """Bring features to mean 0 and variance 1, then apply gain and shift (2, features)."""
    number = features.shape[1]
    scale = np.empty(number, dtype=np.float32)
    for f in range(number):
        scale[f] = norm[0, f] / math.sqrt(moments[1, f] + EPSILON)
    for row in range(len(features)):
        for f in range(number):
            out[row, f] = (features[row, f] - moments[0, f]) * scale[f] + norm[1, f]


@compile_kernel
def drop(features: Floats, key: int, share: float) -> None:
    """Drop a share of the features; see `seqcnn.engine.bank.keep_features`."""
    number = features.shape[1]
    least, factor = np.uint32(share * 2.0**32), np.float32(1 / (1 - share))
    step, first, second = np.uint32(0x9E3779B1), np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
    half, other = np.uint32(16), np.uint32(15)
    for row in range(len(features)):
        start = np.uint32(row * number)
        for f in range(number):
            # Each result is cut to 32 bits by name: the compiler would go on with 64.
            mixed = np.uint32(np.uint32(np.uint32(start + np.uint32(f)) * step) + np.uint32(key))
            mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> half)) * first)
            mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> other)) * second)
            mixed = np.uint32(mixed ^ np.uint32(mixed >> half))
            features[row, f] *= factor if mixed >= least else np.float32(0)


@compile_kernel
def weigh(features: Floats, weights: Floats, bias: Floats, out: Floats) -> None:
    """Apply a dense layer (outputs, inputs): eight partial sums, as many as a processor adds."""
    inputs = features.shape[1]
    whole = inputs // 8 * 8
    sums = np.empty(8, dtype=np.float32)
    for row in range(len(features)):
        for output in range(len(weights)):
            left, right = features[row], weights[output]
            for lane in range(8):
                sums[lane] = 0
            for i in range(0, whole, 8):
                for lane in range(8):
                    sums[lane] += left[i + lane] * right[i + lane]
            for i in range(whole, inputs):
                sums[i - whole] += left[i] * right[i]
            total = ((sums[0] + sums[4]) + (sums[1] + sums[5])) + (
                (sums[2] + sums[6]) + (sums[3] + sums[7])
            )
            out[row, output] = total + bias[output]


@compile_kernel
def rectify(features: Floats) -> None:
    """Set what is below 0 to 0."""
    for row in range(len(features)):
        for f in range(features.shape[1]):
            features[row, f] = max(features[row, f], np.float32(0))


@compile_kernel
def slope_of_weights(features: Floats, slopes: Floats, weights: Floats, bias: Floats) -> None:
    """Add a dense layer's gradient to that of its weights and bias.

    Parameters
    ----------
    features
        What went in (rows, inputs).
    slopes
        Gradient of what came out (rows, outputs).
    weights, bias
        Their gradients, which are added to.
    """
    for row in range(len(features)):
        values = features[row]
        for output in range(len(weights)):
            slope = slopes[row, output]
            cells = weights[output]
            for i in range(len(cells)):
                cells[i] += slope * values[i]
            bias[output] += slope


@compile_kernel
def slope_of_inputs(slopes: Floats, weights: Floats, out: Floats) -> None:
    """Carry the gradient (rows, outputs) back through a dense layer: (rows, inputs)."""
    for row in range(len(slopes)):
        cells = out[row]
        for i in range(len(cells)):
            cells[i] = 0
        for output in range(len(weights)):
            slope, factors = slopes[row, output], weights[output]
            for i in range(len(cells)):
                cells[i] += slope * factors[i]


@compile_kernel
def slope_of_rectified(features: Floats, slopes: Floats) -> None:
    """Set the gradient to 0 where what came out of `rectify` is 0."""
    for row in range(len(features)):
        for f in range(features.shape[1]):
            if features[row, f] <= 0:
                slopes[row, f] = 0


@compile_kernel
def slope_of_norm(
    features: Floats, moments: Floats, gain: Floats, own: Floats, slopes: Floats
) -> None:
    """Turn the gradient of normalised features into that of the features, in place.

    Parameters
    ----------
    own
        Gradients of gain and shift (2, features), which are added to.
    """
    rows, number = features.shape
    root = np.empty(number, dtype=np.float32)
    sums = np.zeros((2, number), dtype=np.float64)
    for f in range(number):
        root[f] = 1 / math.sqrt(moments[1, f] + EPSILON)
    for row in range(rows):
        for f in range(number):
            sums[0, f] += slopes[row, f]
            sums[1, f] += slopes[row, f] * ((features[row, f] - moments[0, f]) * root[f])
    for f in range(number):
        own[0, f] += sums[1, f]
        own[1, f] += sums[0, f]
    level, tilt = np.empty(number, dtype=np.float32), np.empty(number, dtype=np.float32)
    for f in range(number):
        level[f], tilt[f] = sums[0, f] / rows, sums[1, f] / rows
    for row in range(rows):
        for f in range(number):
            centred = (features[row, f] - moments[0, f]) * root[f]
            slopes[row, f] = (slopes[row, f] - level[f] - centred * tilt[f]) * (gain[f] * root[f])


@compile_kernel
def loss_and_slopes(
    logits: Floats, targets: Floats, regression: bool, slopes: Floats
) -> tuple[float, int]:
    """Sum the loss over the labels that are there, count them, and give the sum's gradient.

    Parameters
    ----------
    logits
        (strands, rows, tasks): the larger strand's counts; equal ones share the gradient.
    targets
        (rows, tasks), NaN where a label is missing.
    slopes
        Gradient of the sum (strands, rows, tasks).
    """
    strands, rows, tasks = logits.shape
    total, known = 0.0, 0
    for row in range(rows):
        for task in range(tasks):
            target = float(targets[row, task])
            logit = float(logits[0, row, task])
            if strands == 2:
                logit = max(logit, float(logits[1, row, task]))
            slope = 0.0
            if not math.isnan(target):
                known += 1
                error = logit - target
                if not regression:
                    small = math.exp(-abs(logit))
                    total += max(logit, 0.0) - logit * target + math.log1p(small)
                    slope = (1.0 if logit >= 0 else small) / (1 + small) - target
                elif abs(error) < BEND:
                    total += error * error / (2 * BEND)
                    slope = error / BEND
                else:
                    total += abs(error) - BEND / 2
                    slope = 1.0 if error > 0 else -1.0
            if strands == 1:
                slopes[0, row, task] = slope
            else:
                difference = logits[0, row, task] - logits[1, row, task]
                share = 0.5 if difference == 0 else (1.0 if difference > 0 else 0.0)
                slopes[0, row, task] = slope * share
                slopes[1, row, task] = slope * (1 - share)
    return total, known
