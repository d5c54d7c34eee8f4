"""One optimiser step of many networks: clipping, decay and update in one loop."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel

__all__ = ["Rules", "Slots", "update"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SECOND_BETA = 0.999
_SMOOTHING = 0.99
_TINY = 1e-8
_ADAMW, _ADAM, _NESTEROV, _MOMENTUM, _, _RMSPROP = range(6)
"""As in `OPTIMISERS`; without momentum, momentum is plain descent."""


class Slots(NamedTuple):
    """All parameters in one array, section by section, and in a section network by network."""

    values: Floats
    gradients: Floats
    first: Floats
    second: Floats
    sizes: NDArray[np.int64]
    """Parameters of one network in each section."""
    decays: NDArray[np.bool_]
    """Which sections decay."""


class Rules(NamedTuple):
    """How each network is updated: arrays (networks,)."""

    weight_decays: Doubles
    l1: Doubles
    """Of the detectors, and of all else (networks, 2)."""
    l1_starts: NDArray[np.int64]
    """Steps before it begins to pull."""
    clips: Doubles
    kinds: NDArray[np.int64]
    """Places in `OPTIMISERS`."""
    shares: Doubles
    """The share of the rate that each section learns with (networks, sections)."""
    stopped: NDArray[np.bool_]
    """Left as they are; set where a loss or a gradient is not finite."""


@compile_kernel
def update(
    slots: Slots, rules: Rules, step: int, rates: Doubles, momenta: Doubles, losses: Doubles
) -> None:
    """Update all networks that have not stopped; `step` counts from 1."""
    networks = len(rates)
    for network in range(networks):
        squares = 0.0
        start = 0
        for section in range(len(slots.sizes)):
            size = slots.sizes[section]
            gradient = slots.gradients[start + network * size : start + (network + 1) * size]
            for i in range(size):
                squares += np.float64(gradient[i]) ** 2
            start += networks * size
        if not (math.isfinite(losses[network]) and math.isfinite(squares)):
            rules.stopped[network] = True
        if rules.stopped[network]:
            losses[network] = np.nan
            continue
        clip = min(1.0, rules.clips[network] / (math.sqrt(squares) + 1e-6))
        start = 0
        for section in range(len(slots.sizes)):
            size = slots.sizes[section]
            first = start + network * size
            decay = rules.weight_decays[network] if slots.decays[section] else 0.0
            pulled = slots.decays[section] and step > rules.l1_starts[network]
            l1 = rules.l1[network, min(section, 1)] if pulled else 0.0
            kind, factor = rules.kinds[network], clip
            if kind != _ADAMW or l1 > 0:
                _pull(slots, first, size, (factor, 0.0 if kind == _ADAMW else decay, l1))
                factor = 1.0
            rate = rates[network] * rules.shares[network, section]
            pace = (rate, momenta[network], factor, decay if kind == _ADAMW else 0.0)
            if kind in (_ADAMW, _ADAM):
                _take_adamw(slots, first, size, pace, step)
            elif kind == _RMSPROP:
                _take_rmsprop(slots, first, size, rate)
            else:
                _take_sgd(slots, first, size, pace, kind == _NESTEROV)
            start += networks * size


Pace = tuple[float, float, float, float]
"""Rate, momentum, factor of the gradient, decay."""


@compile_kernel
def _pull(slots: Slots, start: int, size: int, pull: tuple[float, float, float]) -> None:
    """Clip a gradient, and add to it what decay (L2) and L1 pull with."""
    clip, decay, l1 = np.float32(pull[0]), np.float32(pull[1]), np.float32(pull[2])
    values, gradient = slots.values[start : start + size], slots.gradients[start : start + size]
    for i in range(size):
        gradient[i] = clip * gradient[i] + decay * values[i]
    if l1 > 0:
        for i in range(size):
            gradient[i] += l1 * np.sign(values[i])


@compile_kernel
def _take_sgd(slots: Slots, start: int, size: int, pace: Pace, nesterov: bool) -> None:
    rate, beta = np.float32(pace[0]), np.float32(pace[1])
    ahead, now = (beta, np.float32(1)) if nesterov else (np.float32(1), np.float32(0))
    values, gradient = slots.values[start : start + size], slots.gradients[start : start + size]
    first = slots.first[start : start + size]
    for i in range(size):
        slope = gradient[i]
        first[i] = beta * first[i] + slope
        values[i] -= rate * (now * slope + ahead * first[i])


@compile_kernel
def _take_rmsprop(slots: Slots, start: int, size: int, rate: float) -> None:
    pace, tiny = np.float32(rate), np.float32(_TINY)
    old, new = np.float32(_SMOOTHING), np.float32(1 - _SMOOTHING)
    values, gradient = slots.values[start : start + size], slots.gradients[start : start + size]
    second = slots.second[start : start + size]
    for i in range(size):
        second[i] = old * second[i] + new * gradient[i] * gradient[i]
        values[i] -= pace * gradient[i] / (np.sqrt(second[i]) + tiny)


@compile_kernel
def _take_adamw(slots: Slots, start: int, size: int, pace: Pace, step: int) -> None:
    rate, beta, clip, decay = pace
    values, gradient = slots.values[start : start + size], slots.gradients[start : start + size]
    first, second = slots.first[start : start + size], slots.second[start : start + size]
    one, tiny, factor = np.float32(1), np.float32(_TINY), np.float32(clip)
    new, old = np.float32(1 - beta), np.float32(_SECOND_BETA)
    length = np.float32(rate / (1 - beta**step))
    root = np.float32(1 / math.sqrt(1 - _SECOND_BETA**step))
    kept = np.float32(1 - rate * decay)
    for i in range(size):
        slope = factor * gradient[i]
        first[i] += new * (slope - first[i])
        second[i] = old * second[i] + (one - old) * slope * slope
        values[i] = kept * values[i] - length * first[i] / (np.sqrt(second[i]) * root + tiny)
