"""Whole optimiser steps of pooled networks as one compiled loop, without Python in between.

Networks that are shown the same batches stand side by side: their detectors are scored
together, while heads, gradients and updates are taken network by network, each in the same
order as if it were alone; so a network is the same to its last bit in any company.
"""

import math

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.gradients import turn_rows
from seqcnn.training.arrays import Batches, Form, State, Work
from seqcnn.training.backward import slope_of_detectors, slope_of_head
from seqcnn.training.forward import lay_detectors, pool_lanes, run_head
from seqcnn.training.heads import loss_and_slopes

__all__ = ["take_steps"]

Floats = NDArray[np.float32]

_SECOND_BETA = 0.999
_TINY = 1e-8


@compile_kernel
def _update(net: int, step: int, rate: float, momentum: float, state: State) -> None:
    """Take one step of AdamW, or of SGD with Nesterov's momentum; `step` counts from 1."""
    row, gradient = state.rows[net], state.gradients[net]
    first, second = state.first[net], state.second[net]
    squares = 0.0
    for i in range(len(row)):
        squares += np.float64(gradient[i]) ** 2
    if not math.isfinite(squares):
        state.stopped[net] = True
        return
    clip = np.float32(min(1.0, state.clips[net] / (math.sqrt(squares) + 1e-6)))
    decay = np.float32(state.weight_decays[net])
    speed, beta = np.float32(rate), np.float32(momentum)
    if state.nesterov[net]:
        for i in range(len(row)):
            slope = clip * gradient[i] + decay * state.decays[i] * row[i]
            first[i] = beta * first[i] + slope
            row[i] -= speed * (slope + beta * first[i])
        return
    other = np.float32(_SECOND_BETA)
    pace = np.float32(rate / (1 - momentum**step))
    root = np.float32(1 / math.sqrt(1 - _SECOND_BETA**step))
    one, tiny = np.float32(1), np.float32(_TINY)
    for i in range(len(row)):
        slope = clip * gradient[i]
        first[i] += (one - beta) * (slope - first[i])
        second[i] = other * second[i] + (one - other) * slope * slope
        kept = row[i] * (one - speed * decay * state.decays[i])
        row[i] = kept - pace * first[i] / (np.float32(math.sqrt(second[i])) * root + tiny)


@compile_kernel
def _slope_of_net(
    net: int, targets: Floats, key: int, form: Form, state: State, work: Work
) -> float:
    """Run a network's head forward and backward: its mean loss."""
    sides, slopes = len(work.kmers), work.logit_slopes
    for side in range(sides):
        run_head((net, side), key, True, form, state, work)
    total, known = loss_and_slopes(work.logits[net], targets, form.regression, slopes)
    share = np.float32(1 / max(known, 1))
    for side in range(sides):
        for row in range(len(targets)):
            for task in range(form.tasks):
                slopes[side, row, task] *= share
        slope_of_head((net, side), key, form, state, work)
    return total / max(known, 1)


@compile_kernel
def _take_step(step: int, batches: Batches, form: Form, state: State, work: Work) -> None:
    state.gradients[:] = 0
    for net in range(len(state.rows)):
        if not state.stopped[net]:
            key, targets = int(batches.keys[net, step]), batches.targets[step]
            loss = _slope_of_net(net, targets, key, form, state, work)
            state.stopped[net] = not math.isfinite(loss)
            batches.losses[net, step] = loss
    for side in range(len(work.kmers)):
        slope_of_detectors(side, form, state, work)
    for net in range(len(state.rows)):
        if not state.stopped[net]:
            rate, momentum = batches.rates[net, step], batches.momenta[net, step]
            _update(net, batches.done + step + 1, rate, momentum, state)
        if state.stopped[net]:
            batches.losses[net, step] = np.nan


@compile_kernel
def _score(step: int, batches: Batches, form: Form, state: State, work: Work) -> None:
    for net in range(len(state.rows)):
        run_head((net, 0), 0, False, form, state, work)
        for row in range(work.logits.shape[2]):
            for task in range(form.tasks):
                batches.scores[step, net, row, task] = work.logits[net, 0, row, task]


@compile_kernel
def take_steps(batches: Batches, form: Form, state: State, work: Work, training: bool) -> None:
    """Take optimiser steps with all networks that have not stopped.

    If not training, only score the batches, on the strand that is given.
    """
    for step in range(len(batches.codes)):
        codes = batches.codes[step]
        for side in range(len(work.kmers) if training else 1):
            if side == 1:
                turn_rows(codes, work.turned)
                codes = work.turned
            if training or step == 0:
                lay_detectors(codes, side, training, form, state, work)
            pool_lanes(codes, side, form, work)
        if training:
            _take_step(step, batches, form, state, work)
        else:
            _score(step, batches, form, state, work)
