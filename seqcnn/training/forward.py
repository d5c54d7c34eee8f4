"""Pooled networks forward, in training and in scoring: tables, pooling, head."""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.bank import EPSILON, MOMENTUM
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gradients import (
    exponential,
    fill_columns,
    fill_tables,
    measure_windows,
    number_kmers,
    pool_highest,
    pool_means,
)
from seqcnn.training.arrays import Form, Parts, State, Work, split_row, split_running
from seqcnn.training.heads import drop, measure_features, normalise, rectify, weigh

__all__ = ["lay_detectors", "pool_lanes", "run_head"]

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@compile_kernel
def _measure_scores(net: int, side: int, form: Form, state: State, work: Work) -> None:
    """Measure mean and variance of a network's scores by those of the windows."""
    weights = split_row(state.rows[net], form).detectors.reshape((4 * form.width, form.number))
    centre, covariance = work.centre[side], work.covariance[side]
    spread, moments = work.spread[side, net], work.moments[side, net]
    means, variances = np.zeros(form.number), np.zeros(form.number)
    for i in range(len(centre)):
        cells = spread[i]
        for k in range(form.number):
            cells[k] = 0
        for j in range(len(centre)):
            factor, values = covariance[i, j], weights[j]
            for k in range(form.number):
                cells[k] += factor * values[k]
        for k in range(form.number):
            variances[k] += cells[k] * weights[i, k]
            means[k] += centre[i] * weights[i, k]
    for k in range(form.number):
        moments[0, k] = means[k]
        moments[1, k] = max(variances[k], 0.0)


@compile_kernel
def _note_scores(net: int, side: int, count: int, form: Form, state: State, work: Work) -> None:
    running, _ = split_running(state.running[net], form)
    moments = work.moments[side, net]
    unbiased = np.float32(count / max(count - 1, 1))
    for k in range(form.number):
        running[0, k] += np.float32(MOMENTUM) * (moments[0, k] - running[0, k])
        running[1, k] += np.float32(MOMENTUM) * (moments[1, k] * unbiased - running[1, k])


@compile_kernel
def _fold_norm(parts: Parts, moments: Floats, work: Work) -> None:
    """Fold the batch norm of the scores into the detectors."""
    width, _, number = parts.detectors.shape
    scale = np.empty(number, dtype=np.float32)
    for k in range(number):
        scale[k] = parts.gain[k] / math.sqrt(moments[1, k] + EPSILON)
        work.offsets[k] = parts.shift[k] - scale[k] * moments[0, k]
    for j in range(width):
        for base in range(4):
            for k in range(number):
                work.detectors[j, base, k] = parts.detectors[j, base, k] * scale[k]


@compile_kernel
def lay_detectors(
    codes: Codes, side: int, training: bool, form: Form, state: State, work: Work
) -> None:
    """Fill the tables of one side with the detectors of all networks."""
    if form.normalised and training:
        measure_windows(codes, form.letters, work.centre[side], work.covariance[side])
    count = len(codes) * (codes.shape[1] - form.width + 1)
    for net in range(len(state.rows)):
        parts = split_row(state.rows[net], form)
        first = net * form.number
        if not form.normalised:
            fill_columns(parts.detectors, parts.shift, form.letters, first, work.columns)
            continue
        if training:
            _measure_scores(net, side, form, state, work)
            if not state.stopped[net]:
                _note_scores(net, side, count, form, state, work)
            _fold_norm(parts, work.moments[side, net], work)
        else:
            _fold_norm(parts, split_running(state.running[net], form)[0], work)
        fill_columns(work.detectors, work.offsets, form.letters, first, work.columns)
    fill_tables(work.columns, work.tables[side])


@compile_kernel
def pool_lanes(codes: Codes, side: int, form: Form, work: Work) -> None:
    """Pool all lanes and write the features of each network."""
    kmers, tables, winners = work.kmers[side], work.tables[side], work.winners[side]
    pooled = work.pooled[side]
    number_kmers(codes, form.padding, kmers)
    if form.has_mean:
        pool_means(kmers, tables, form.ceiling, pooled, winners, work.slopes[side])
    else:
        pool_highest(kmers, tables, pooled[0], winners)
    share = np.float32(1 / work.slopes.shape[2])
    for net in range(work.features.shape[1]):
        out, first = work.features[side, net], net * form.number
        _activate_highest(
            pooled[0], (first, form.number), form.ceiling, out, work.highest_slopes[side]
        )
        if form.has_mean:
            for row in range(len(out)):
                for k in range(form.number):
                    out[row, form.number + k] = pooled[1, row, first + k] * share


@compile_kernel
def _activate_highest(
    best: Floats, lanes: tuple[int, int], ceiling: float, out: Floats, slopes: Floats
) -> None:
    """Activate the largest scores of some lanes (first, number), and note the slopes."""
    first, number = lanes
    top, zero = np.float32(ceiling), np.float32(0)
    for row in range(len(out)):
        for k in range(number):
            score = best[row, first + k]
            value = exponential(min(score, top)) if ceiling > 0 else max(score, zero)
            flat = score > top if ceiling > 0 else score <= zero
            out[row, k] = value
            slopes[row, first + k] = zero if flat else (value if ceiling > 0 else np.float32(1))


@compile_kernel
def run_head(
    place: tuple[int, int], key: int, training: bool, form: Form, state: State, work: Work
) -> None:
    """Run the head of a network on one side: features to logits."""
    net, side = place
    parts = split_row(state.rows[net], form)
    features, inputs = work.features[side, net], work.inputs[side, net]
    hidden, logits = work.hidden[side, net], work.logits[net, side]
    if form.normalised:
        moments, running = work.feature_moments[side, net], split_running(state.running[net], form)
        if training:
            measure_features(features, moments, running[1])
        else:
            moments = running[1]
        normalise(features, moments, parts.head_norm, inputs)
    else:
        for row in range(len(features)):
            for f in range(form.features):
                inputs[row, f] = features[row, f]
    if training and state.shares[net] > 0:
        drop(inputs, key, state.shares[net])
    if form.hidden:
        weigh(inputs, parts.hidden, parts.hidden_bias, hidden)
        rectify(hidden)
        weigh(hidden, parts.output, parts.output_bias, logits)
    else:
        weigh(inputs, parts.output, parts.output_bias, logits)
