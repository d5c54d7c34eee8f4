"""The heads of pooled networks in training, forward and backward.

Arrays are (networks, rows, features). Each network is handled by itself, in the same order in
any company; sums over rows are taken in double precision.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.bank import EPSILON, MOMENTUM
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gradients import raise_two

__all__ = [
    "activate",
    "class_loss_and_slopes",
    "drop",
    "loss_and_slopes",
    "measure_features",
    "normalise",
    "note_moments",
    "slope_of_inputs",
    "slope_of_norm",
    "slope_of_pooled",
    "slope_of_weights",
    "weigh",
]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Keys = NDArray[np.uint32]

BEND = 2.0
"""Error of a regression, in standard deviations of the target, beyond which the loss, half the
squared error, grows no longer with its square: assays have outliers, and those must not rule.

References
----------
Huber 1964, doi:10.1214/aoms/1177703732
"""


@compile_kernel
def activate(
    pooled: Floats, positions: int, ceiling: float, features: Floats, slopes: Floats
) -> None:
    """Turn what was pooled (2, rows, lanes) into features (networks, rows, features).

    Parameters
    ----------
    positions
        What sums are divided by.
    ceiling
        Of `pool_means`.
    slopes
        Of the activation at the largest score (rows, lanes).
    """
    networks, rows, number = features.shape
    lanes = pooled.shape[2] // networks
    has_mean = number > lanes
    top, zero, share = np.float32(ceiling), np.float32(0), np.float32(1 / positions)
    for network in range(networks):
        first = network * lanes
        for row in range(rows):
            best, out, slope = pooled[0, row], features[network, row], slopes[row]
            if ceiling == 0:
                for k in range(lanes):
                    out[k] = max(best[first + k], zero)
                    slope[first + k] = np.float32(best[first + k] > zero)
            else:
                for k in range(lanes):
                    out[k] = raise_two(min(best[first + k], top))
                    slope[first + k] = out[k] if best[first + k] <= top else zero
            if has_mean:
                for k in range(lanes):
                    out[lanes + k] = pooled[1, row, first + k] * share


@compile_kernel
def slope_of_pooled(slopes: Floats, positions: int, highest: Floats, means: Floats) -> None:
    """Hand the gradient of the features on: to the largest scores, and to every score.

    Parameters
    ----------
    slopes
        Gradient of the features (networks, rows, features).
    highest
        Slopes at the largest scores (rows, lanes), which are multiplied.
    means
        Filled with what each score's slope is to be multiplied with (rows, lanes).
    """
    networks, rows, number = slopes.shape
    lanes, share = highest.shape[1] // networks, np.float32(1 / positions)
    for network in range(networks):
        first = network * lanes
        for row in range(rows):
            slope, of_highest, of_mean = slopes[network, row], highest[row], means[row]
            for k in range(lanes):
                of_highest[first + k] *= slope[k]
            if number > lanes:
                for k in range(lanes):
                    of_mean[first + k] = slope[lanes + k] * share


@compile_kernel
def measure_features(features: Floats, moments: Floats) -> None:
    """Measure mean and variance (networks, 2, features) over the rows."""
    networks, rows, number = features.shape
    for network in range(networks):
        means, squares = np.zeros(number, dtype=np.float64), np.zeros(number, dtype=np.float64)
        for row in range(rows):
            values = features[network, row]
            for f in range(number):
                means[f] += values[f]
        for f in range(number):
            means[f] /= rows
        for row in range(rows):
            values = features[network, row]
            for f in range(number):
                squares[f] += (values[f] - means[f]) ** 2
        for f in range(number):
            moments[network, 0, f] = means[f]
            moments[network, 1, f] = squares[f] / rows


@compile_kernel
def note_moments(moments: Floats, count: int, stopped: Flags, running: Floats) -> None:
    """Note mean and variance (networks, 2, ...) of `count` values in the running ones."""
    share, unbiased = np.float32(MOMENTUM), np.float32(count / max(count - 1, 1))
    for network in range(len(moments)):
        if not stopped[network]:
            for f in range(moments.shape[2]):
                mean, variance = moments[network, 0, f], moments[network, 1, f] * unbiased
                running[network, 0, f] += share * (mean - running[network, 0, f])
                running[network, 1, f] += share * (variance - running[network, 1, f])


@compile_kernel
def normalise(features: Floats, moments: Floats, gain: Floats, shift: Floats, out: Floats) -> None:
    """Bring features to mean 0 and variance 1, then apply gain and shift."""
    networks, rows, number = features.shape
    scale = np.empty(number, dtype=np.float32)
    for network in range(networks):
        mean, added = moments[network, 0], shift[network]
        for f in range(number):
            scale[f] = gain[network, f] / math.sqrt(moments[network, 1, f] + EPSILON)
        for row in range(rows):
            values, cells = features[network, row], out[network, row]
            for f in range(number):
                cells[f] = (values[f] - mean[f]) * scale[f] + added[f]


@compile_kernel
def drop(features: Floats, keys: Keys, shares: Doubles) -> None:
    """Drop a share of each network's features; see `seqcnn.engine.bank.keep_features`."""
    networks, rows, number = features.shape
    step, first, second = np.uint32(0x9E3779B1), np.uint32(0x7FEB352D), np.uint32(0x846CA68B)
    half, other = np.uint32(16), np.uint32(15)
    for network in range(networks):
        share, key = shares[network], keys[network]
        if share == 0:
            continue
        least, factor = np.uint32(share * 2.0**32), np.float32(1 / (1 - share))
        for row in range(rows):
            start, values = np.uint32(row * number), features[network, row]
            for f in range(number):
                # Each result is cut to 32 bits by name: the compiler would go on with 64.
                mixed = np.uint32(np.uint32(np.uint32(start + np.uint32(f)) * step) + key)
                mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> half)) * first)
                mixed = np.uint32(np.uint32(mixed ^ np.uint32(mixed >> other)) * second)
                mixed = np.uint32(mixed ^ np.uint32(mixed >> half))
                values[f] *= factor if mixed >= least else np.float32(0)


@compile_kernel
def weigh(features: Floats, weights: Floats, bias: Floats, out: Floats) -> None:
    """Apply dense layers (networks, outputs, inputs): eight sums, as many as are added at once."""
    networks, rows, inputs = features.shape
    whole = inputs // 8 * 8
    sums = np.empty(8, dtype=np.float32)
    for network in range(networks):
        for row in range(rows):
            left = features[network, row]
            for output in range(weights.shape[1]):
                right = weights[network, output]
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
                out[network, row, output] = total + bias[network, output]


@compile_kernel
def slope_of_weights(features: Floats, slopes: Floats, weights: Floats, bias: Floats) -> None:
    """Add dense layers' gradients to those of their weights and biases.

    Parameters
    ----------
    features
        What went in (networks, rows, inputs).
    slopes
        Gradient of what came out (networks, rows, outputs).
    weights, bias
        Their gradients, which are added to.
    """
    networks, rows, inputs = features.shape
    for network in range(networks):
        for row in range(rows):
            values = features[network, row]
            for output in range(weights.shape[1]):
                slope, cells = slopes[network, row, output], weights[network, output]
                for i in range(inputs):
                    cells[i] += slope * values[i]
                bias[network, output] += slope


@compile_kernel
def slope_of_inputs(slopes: Floats, weights: Floats, out: Floats) -> None:
    """Carry the gradient of what came out of dense layers back: (networks, rows, inputs)."""
    networks, rows, inputs = out.shape
    for network in range(networks):
        for row in range(rows):
            cells = out[network, row]
            for i in range(inputs):
                cells[i] = 0
            for output in range(weights.shape[1]):
                slope, factors = slopes[network, row, output], weights[network, output]
                for i in range(inputs):
                    cells[i] += slope * factors[i]


@compile_kernel
def slope_of_norm(
    features: Floats, moments: Floats, gain: Floats, own: tuple[Floats, Floats], slopes: Floats
) -> None:
    """Turn the gradient of normalised features into that of the features, in place.

    Parameters
    ----------
    own
        Gradients of gain and shift (networks, features), which are added to.
    """
    networks, rows, number = features.shape
    root, scale = np.empty(number, dtype=np.float32), np.empty(number, dtype=np.float32)
    level, tilt = np.empty(number, dtype=np.float32), np.empty(number, dtype=np.float32)
    for network in range(networks):
        mean = moments[network, 0]
        added, weighed = np.zeros(number, dtype=np.float64), np.zeros(number, dtype=np.float64)
        for f in range(number):
            root[f] = 1 / math.sqrt(moments[network, 1, f] + EPSILON)
            scale[f] = gain[network, f] * root[f]
        for row in range(rows):
            values, slope = features[network, row], slopes[network, row]
            for f in range(number):
                added[f] += slope[f]
                weighed[f] += slope[f] * ((values[f] - mean[f]) * root[f])
        for f in range(number):
            own[0][network, f] += weighed[f]
            own[1][network, f] += added[f]
            level[f], tilt[f] = added[f] / rows, weighed[f] / rows
        for row in range(rows):
            values, slope = features[network, row], slopes[network, row]
            for f in range(number):
                centred = (values[f] - mean[f]) * root[f]
                slope[f] = (slope[f] - level[f] - centred * tilt[f]) * scale[f]


@compile_kernel
def loss_and_slopes(
    logits: Floats, targets: Floats, regression: bool, slopes: Floats, losses: Doubles
) -> None:
    """Measure each network's mean loss over the labels that are there, and its gradient.

    Parameters
    ----------
    logits
        (sides, networks, rows, tasks): the larger strand's counts; equal ones share the gradient.
    targets
        (rows, tasks), NaN where a label is missing.
    slopes
        Gradient of the mean loss (sides, networks, rows, tasks).
    losses
        Filled in (networks,).
    """
    sides, networks, rows, tasks = logits.shape
    known = 0
    for row in range(rows):
        for task in range(tasks):
            known += 0 if math.isnan(targets[row, task]) else 1
    share = 1 / max(known, 1)
    for network in range(networks):
        total = 0.0
        for row in range(rows):
            for task in range(tasks):
                logit = np.float64(logits[0, network, row, task])
                if sides == 2:
                    logit = max(logit, np.float64(logits[1, network, row, task]))
                loss, slope = _loss_of(logit, np.float64(targets[row, task]), regression)
                total += loss
                slopes[0, network, row, task] = slope * share
                if sides == 2:
                    difference = logits[0, network, row, task] - logits[1, network, row, task]
                    part = 0.5 if difference == 0 else (1.0 if difference > 0 else 0.0)
                    slopes[0, network, row, task] = slope * share * part
                    slopes[1, network, row, task] = slope * share * (1 - part)
        losses[network] = total * share


@compile_kernel
def class_loss_and_slopes(logits: Floats, targets: Floats, slopes: Floats, losses: Doubles) -> None:
    """Measure the cross entropy of classes that exclude each other, and its gradient.

    As `loss_and_slopes`; a row whose classes are missing has neither.
    """
    sides, networks, rows, tasks = logits.shape
    known = 0
    for row in range(rows):
        known += 0 if math.isnan(targets[row, 0]) else 1
    share = 1 / max(known, 1)
    values = np.empty(tasks)
    for network in range(networks):
        total = 0.0
        for row in range(rows):
            highest = -math.inf
            for task in range(tasks):
                values[task] = logits[0, network, row, task]
                if sides == 2:
                    values[task] = max(values[task], np.float64(logits[1, network, row, task]))
                highest = max(highest, values[task])
            whole = 0.0
            for task in range(tasks):
                whole += math.exp(values[task] - highest)
            missing = math.isnan(targets[row, 0])
            for task in range(tasks):
                target = 0.0 if missing else np.float64(targets[row, task])
                total -= target * (values[task] - highest - math.log(whole))
                slope = 0.0 if missing else math.exp(values[task] - highest) / whole - target
                slopes[0, network, row, task] = slope * share
                if sides == 2:
                    difference = logits[0, network, row, task] - logits[1, network, row, task]
                    part = 0.5 if difference == 0 else (1.0 if difference > 0 else 0.0)
                    slopes[0, network, row, task] = slope * share * part
                    slopes[1, network, row, task] = slope * share * (1 - part)
        losses[network] = total * share


@compile_kernel
def _loss_of(logit: float, target: float, regression: bool) -> tuple[float, float]:
    """Give the loss of one label, and its slope: 0 where the label is missing."""
    if math.isnan(target):
        return 0.0, 0.0
    error = logit - target
    if not regression:
        small = math.exp(-abs(logit))
        loss = max(logit, 0.0) - logit * target + math.log1p(small)
        return loss, (1.0 if logit >= 0 else small) / (1 + small) - target
    if abs(error) < BEND:
        return error * error / 2, error
    return BEND * (abs(error) - BEND / 2), BEND if error > 0 else -BEND
