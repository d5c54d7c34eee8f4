"""Pooled networks backward: from the gradient of the logits to that of every parameter."""

import math

import numpy as np

from seqcnn.engine.bank import EPSILON
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gradients import add_highest, add_means, fold_tables, take_columns
from seqcnn.training.arrays import Form, State, Work, split_row
from seqcnn.training.heads import (
    drop,
    slope_of_inputs,
    slope_of_norm,
    slope_of_rectified,
    slope_of_weights,
)

__all__ = ["slope_of_detectors", "slope_of_head"]


@compile_kernel
def slope_of_head(place: tuple[int, int], key: int, form: Form, state: State, work: Work) -> None:
    """Carry the gradient of a network's logits on one side back to the pooled scores."""
    net, side = place
    parts, own = split_row(state.rows[net], form), split_row(state.gradients[net], form)
    inputs, logit_slopes = work.inputs[side, net], work.logit_slopes[side]
    hidden, hidden_slopes, slopes = work.hidden[side, net], work.hidden_slopes, work.input_slopes
    if form.hidden:
        slope_of_weights(hidden, logit_slopes, own.output, own.output_bias)
        slope_of_inputs(logit_slopes, parts.output, hidden_slopes)
        slope_of_rectified(hidden, hidden_slopes)
        slope_of_weights(inputs, hidden_slopes, own.hidden, own.hidden_bias)
        slope_of_inputs(hidden_slopes, parts.hidden, slopes)
    else:
        slope_of_weights(inputs, logit_slopes, own.output, own.output_bias)
        slope_of_inputs(logit_slopes, parts.output, slopes)
    if state.shares[net] > 0:
        drop(slopes, key, state.shares[net])
    if form.normalised:
        moments, features = work.feature_moments[side, net], work.features[side, net]
        slope_of_norm(features, moments, parts.head_norm[0], own.head_norm, slopes)
    number, first = form.number, net * form.number
    share = np.float32(1 / work.slopes.shape[2])
    for row in range(len(slopes)):
        for k in range(number):
            work.highest_slopes[side, row, first + k] *= slopes[row, k]
        if form.has_mean:
            for k in range(number):
                work.mean_slopes[side, row, first + k] = slopes[row, number + k] * share


@compile_kernel
def _slope_of_fold(net: int, side: int, form: Form, state: State, work: Work) -> None:
    """Add the gradient of the folded detectors to that of the detectors and their norm."""
    parts, own = split_row(state.rows[net], form), split_row(state.gradients[net], form)
    moments, number = work.moments[side, net], form.number
    size = 4 * form.width
    weights, slopes = (
        parts.detectors.reshape((size, number)),
        work.detectors.reshape((size, number)),
    )
    own_weights, spread = own.detectors.reshape((size, number)), work.spread[side, net]
    of_scale = np.zeros(number)
    for i in range(size):
        for k in range(number):
            of_scale[k] += slopes[i, k] * weights[i, k]
    scale, of_mean, of_variance = np.empty(number), np.empty(number), np.empty(number)
    for k in range(number):
        root = 1 / math.sqrt(moments[1, k] + EPSILON)
        scale[k] = parts.gain[k] * root
        tilt = of_scale[k] - moments[0, k] * work.offsets[k]
        own.gain[k] += tilt * root
        own.shift[k] += work.offsets[k]
        of_mean[k] = -scale[k] * work.offsets[k]
        of_variance[k] = -tilt * parts.gain[k] * root**3  # twice the half: d(w'Cw) is 2 Cw
    for i in range(size):
        centre = work.centre[side, i]
        for k in range(number):
            own_weights[i, k] += (
                slopes[i, k] * scale[k] + of_mean[k] * centre + of_variance[k] * spread[i, k]
            )


@compile_kernel
def slope_of_detectors(side: int, form: Form, state: State, work: Work) -> None:
    """Carry the gradient of the pooled scores back to the detectors of all networks."""
    gradient, kmers = work.table_slopes, work.kmers[side]
    gradient[:] = 0
    add_highest(kmers, work.winners[side], work.highest_slopes[side], gradient)
    if form.has_mean:
        add_means(kmers, work.slopes[side], work.mean_slopes[side], gradient)
    fold_tables(gradient, work.column_slopes)
    for net in range(len(state.rows)):
        first = net * form.number
        take_columns(work.column_slopes, form.letters, first, work.detectors, work.offsets)
        if form.normalised:
            _slope_of_fold(net, side, form, state, work)
            continue
        own = split_row(state.gradients[net], form)
        for j in range(form.width):
            for base in range(4):
                for k in range(form.number):
                    own.detectors[j, base, k] += work.detectors[j, base, k]
        for k in range(form.number):
            own.shift[k] += work.offsets[k]
