"""What a layer makes of a length, what it holds, what it costs, and how far a change reaches."""

import math
from collections.abc import Sequence

from seqcnn.architectures.layers.layer import Layer

__all__ = [
    "Interval",
    "count_parameters",
    "measure_work",
    "needed_inputs",
    "output_length",
    "seen_inputs",
    "touched_outputs",
]

Interval = tuple[int, int]
"""Positions start to stop - 1."""

_SUMS = {"convolution", "octave", "dense"}


def output_length(layer: Layer, length: int) -> int:
    """Count the positions that come out where `length` go in; 0 where these are too few.

    Of a convolution or pooling (n + 2P - F) / S + 1.
    """
    if layer.is_whole:
        return 1
    if layer.chains:
        return min(_chain_length(chain, length) for chain in layer.chains)
    if layer.kind == "upsample":
        return length * layer.stride
    return max(0, (length + sum(layer.padding) - layer.span) // layer.stride + 1)


def _chain_length(chain: Sequence[Layer], length: int) -> int:
    for layer in chain:
        length = output_length(layer, length)
    return length


def touched_outputs(layer: Layer, inputs: Interval, length: int) -> Interval:
    """Give the outputs of a layer that may change with an interval of its inputs.

    Parameters
    ----------
    layer
        The layer.
    inputs
        Positions that change.
    length
        Positions of the whole input.

    Returns
    -------
    tuple
        Start and stop; equal ones where nothing is touched.
    """
    if inputs[0] >= inputs[1]:
        return 0, 0
    positions = output_length(layer, length)
    if layer.is_whole or layer.kind == "recurrent":
        return 0, positions
    if layer.chains:
        found = _through(layer, inputs, length)
    elif layer.kind == "upsample":
        found = inputs[0] * layer.stride, inputs[1] * layer.stride
    elif layer.kind == "octave":
        found = _through_octave(layer, inputs)
    else:
        start = -((layer.span - 1 - layer.padding[0] - inputs[0]) // layer.stride)
        found = start, (inputs[1] - 1 + layer.padding[0]) // layer.stride + 1
    return _clip(found, positions)


def _through(layer: Layer, inputs: Interval, length: int) -> Interval:
    """Follow an interval through the chains of a block: all that any of them touches."""
    found = []
    for chain in layer.chains:
        place, positions = inputs, length
        for item in chain:
            place = touched_outputs(item, place, positions)
            positions = output_length(item, positions)
        if place[0] < place[1]:
            found.append(place)
    starts, stops = zip(*found, strict=True) if found else ((0,), (0,))
    return min(starts), max(stops)


def _through_octave(layer: Layer, inputs: Interval) -> Interval:
    left, right = layer.padding
    if not any(layer.low):
        return inputs[0] - right, inputs[1] + left
    return 2 * (inputs[0] // 2 - right), 2 * ((inputs[1] - 1) // 2 + 1 + left)


def _clip(interval: Interval, length: int) -> Interval:
    start, stop = max(0, interval[0]), min(length, interval[1])
    return (start, stop) if start < stop else (0, 0)


def needed_inputs(layer: Layer, outputs: Interval, length: int) -> Interval:
    """Give the inputs of a layer that an interval of its outputs looks at, padding left out."""
    if outputs[0] >= outputs[1]:
        return 0, 0
    if layer.is_whole or layer.kind == "recurrent":
        return 0, length
    return _clip(seen_inputs(layer, outputs), length)


def seen_inputs(layer: Layer, outputs: Interval) -> Interval:
    """Give the inputs that outputs look at, padding included, on an axis without ends."""
    start, stop = outputs
    if layer.chains:
        seen = [_seen_by_chain(chain, outputs) for chain in layer.chains]
        return min(each[0] for each in seen), max(each[1] for each in seen)
    if layer.kind == "upsample":
        return start // layer.stride, (stop - 1) // layer.stride + 1
    if layer.kind == "octave" and any(layer.low):
        left, right = layer.padding
        return 2 * (start // 2 - left), 2 * ((stop - 1) // 2 + 1 + right)
    first = start * layer.stride - layer.padding[0]
    return first, (stop - 1) * layer.stride - layer.padding[0] + layer.span


def _seen_by_chain(chain: Sequence[Layer], outputs: Interval) -> Interval:
    for layer in reversed(chain):
        outputs = seen_inputs(layer, outputs)
    return outputs


def count_parameters(layer: Layer) -> int:
    """Count what is learned: (F C_in + 1) C_out of a convolution with bias."""
    if layer.chains:
        return sum(count_parameters(item) for chain in layer.chains for item in chain)
    if layer.kind == "batch norm":
        return 2 * layer.channels
    if layer.kind == "recurrent":  # two directions, four gates, the bias twice as torch has it
        units = layer.channels // 2
        return 2 * 4 * units * (layer.inputs + units + 2)
    if layer.widths:
        each = layer.channels // len(layer.widths)
        return sum((width * layer.inputs + layer.bias) * each for width in layer.widths)
    if layer.kind in _SUMS:
        return (layer.kernel * layer.inputs + layer.bias) * layer.channels
    return 0


def measure_work(layer: Layer, length: int) -> int:
    """Count the products and sums of a convolution or dense layer: 2 F C_in n_out C_out."""
    if layer.chains:
        return sum(_chain_work(chain, length) for chain in layer.chains)
    positions = output_length(layer, length)
    if layer.kind == "recurrent":
        units = layer.channels // 2
        return 2 * 2 * 4 * units * (layer.inputs + units) * positions
    if layer.kind == "octave":
        low_in, low_out = layer.low
        high = (layer.inputs - low_in) * (layer.channels - low_out)
        rest = layer.inputs * layer.channels - high
        return 2 * layer.kernel * (high * positions + rest * math.ceil(positions / 2))
    if layer.kind not in _SUMS:
        return 0
    return 2 * layer.kernel * layer.inputs * positions * layer.channels


def _chain_work(chain: Sequence[Layer], length: int) -> int:
    work = 0
    for layer in chain:
        work += measure_work(layer, length)
        length = output_length(layer, length)
    return work
