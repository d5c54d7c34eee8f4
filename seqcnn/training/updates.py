"""One optimiser step of many networks: clipping, decay, AdamW or SGD in one loop."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel

__all__ = ["Rules", "Slots", "update"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_SECOND_BETA = 0.999
_TINY = 1e-8


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
    clips: Doubles
    nesterov: NDArray[np.bool_]
    """SGD with Nesterov's momentum; else AdamW."""
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
            pace = (rates[network], momenta[network], clip, decay)
            if rules.nesterov[network]:
                _take_sgd(slots, first, size, pace)
            else:
                _take_adamw(slots, first, size, pace, step)
            start += networks * size


Pace = tuple[float, float, float, float]
"""Rate, momentum, factor of the gradient, decay."""


@compile_kernel
def _take_sgd(slots: Slots, start: int, size: int, pace: Pace) -> None:
    rate, beta = np.float32(pace[0]), np.float32(pace[1])
    clip, decay = np.float32(pace[2]), np.float32(pace[3])
    values, gradient = slots.values[start : start + size], slots.gradients[start : start + size]
    first = slots.first[start : start + size]
    for i in range(size):
        slope = clip * gradient[i] + decay * values[i]
        first[i] = beta * first[i] + slope
        values[i] -= rate * (slope + beta * first[i])


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
