"""What a network is made of, layer by layer, and how far a change of its input reaches.

A network is a chain of `Layer`: numbers only, readable without torch. From them follow the
shapes, the parameters, the work and the receptive field that ``seqcnn info`` prints, the modules
that are trained, and the stretch of each layer that a mutation touches.

References
----------
Araujo, Norris & Sim 2019, doi:10.23915/distill.00021 (receptive fields)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "Interval",
    "Layer",
    "TracedLayer",
    "batch_norm",
    "convolution",
    "count_parameters",
    "dense",
    "flatten",
    "list_leaves",
    "measure_work",
    "needed_inputs",
    "output_length",
    "pool",
    "receptive_field",
    "residual",
    "shortest_input",
    "total_stride",
    "touched_outputs",
    "trace_layers",
    "unit",
]

Interval = tuple[int, int]
"""Positions start to stop - 1."""

_WHOLE = {"global max", "global mean", "global max and mean", "flatten", "dense"}
_SUMS = {"convolution", "dense"}


@dataclass(frozen=True)
class Layer:
    """One step of a network, from `inputs` to `channels` channels.

    Attributes
    ----------
    name
        What it is called in a table.
    kind
        ``convolution``, ``batch norm``, ``ReLU``, ``exponential``, ``max pool``, ``mean pool``,
        ``residual``, ``global max``, ``global mean``, ``global max and mean``, ``flatten``,
        ``dense`` or ``dropout``.
    inputs, channels
        Channels that enter and leave.
    kernel, stride, dilation
        Positions that an output looks at, the step between outputs, the step within the kernel.
    padding
        Positions put before and after the input. In the first layer they are unknown bases, in
        a later one zeros; a pool passes over them.
    bias
        Whether a convolution or dense layer adds a number of its own to each channel.
    amount
        The largest exponent of an exponential, the share that dropout drops.
    body
        The layers of a residual block: what they make of the input is added to it.
    """

    name: str
    kind: str
    inputs: int
    channels: int
    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)
    bias: bool = False
    amount: float = 0.0
    body: tuple["Layer", ...] = ()

    @property
    def span(self) -> int:
        """Positions from the first to the last that an output looks at."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def is_whole(self) -> bool:
        """Whether every output looks at the whole input."""
        return self.kind in _WHOLE


@dataclass(frozen=True)
class TracedLayer:
    """A layer in its place in a network.

    Attributes
    ----------
    layer
        The layer.
    positions
        Length of its output.
    parameters
        Numbers that are learned.
    work
        Floating-point operations of its products and sums, for one sequence on one strand.
    receptive_field
        Bases that one of its outputs looks at, padding included; the length of the sequence
        where it looks at all of it.
    """

    layer: Layer
    positions: int
    parameters: int
    work: int
    receptive_field: int


# Making layers


def convolution(
    name: str,
    channels: tuple[int, int],
    kernel: int,
    *,
    dilation: int = 1,
    padding: str = "valid",
    bias: bool = True,
) -> Layer:
    """Make a convolution.

    Parameters
    ----------
    name
        What it is called.
    channels
        Numbers of channels that enter and leave.
    kernel
        Positions that an output looks at.
    dilation
        Step between them.
    padding
        ``valid``: none. ``same``: the output is as long as the input. ``half``: the same number
        on both sides, so that with an even kernel the output is one shorter. ``full``: every
        output that looks at one input at least.
    bias
        Whether a number is added to each channel.
    """
    reach = (kernel - 1) * dilation
    sides = {
        "valid": (0, 0),
        "same": (reach // 2, reach - reach // 2),
        "half": (reach // 2, reach // 2),
        "full": (reach, reach),
    }
    return Layer(
        *(name, "convolution", *channels, kernel),
        dilation=dilation,
        padding=sides[padding],
        bias=bias,
    )


def unit(kind: str, channels: int, *, name: str = "", amount: float = 0.0) -> Layer:
    """Make an activation, a dropout or a global pooling, which needs no more than its kind."""
    outputs = 2 * channels if kind == "global max and mean" else channels
    return Layer(name or kind, kind, channels, outputs, amount=amount)


def batch_norm(channels: int, *, name: str = "batch norm") -> Layer:
    """Make a batch normalisation of channels."""
    return Layer(name, "batch norm", channels, channels)


def pool(kind: str, channels: int, size: int) -> Layer:
    """Make a ``max pool`` or ``mean pool`` of windows that do not overlap."""
    return Layer(kind, kind, channels, channels, kernel=size, stride=size)


def flatten(channels: int, positions: int) -> Layer:
    """Make one vector of all positions, position by position; of one at least."""
    return Layer("flatten", "flatten", channels, channels * max(1, positions))


def dense(name: str, inputs: int, channels: int, *, bias: bool = True) -> Layer:
    """Make a layer of which each output looks at every input."""
    return Layer(name, "dense", inputs, channels, bias=bias)


def residual(name: str, *body: Layer) -> Layer:
    """Make a block that adds what its body makes of the input to the input.

    Raises
    ------
    ValueError
        For a body that changes the shape.
    """
    keeps = all(item.stride == 1 and sum(item.padding) == item.span - 1 for item in body)
    if not keeps or body[0].inputs != body[-1].channels:
        raise ValueError(f"{name}: the body of a residual block must keep the shape")
    return Layer(name, "residual", body[0].inputs, body[-1].channels, body=tuple(body))


def list_leaves(layers: Iterable[Layer]) -> Iterator[Layer]:
    """List the layers one after the other, with those of a residual block in its place."""
    for layer in layers:
        if layer.body:
            yield from list_leaves(layer.body)
        else:
            yield layer


# One layer


def output_length(layer: Layer, length: int) -> int:
    """Count the positions that come out where `length` go in; 0 where these are too few."""
    if layer.is_whole:
        return 1
    if layer.body:
        return trace_layers(layer.body, length)[-1].positions
    return max(0, (length + sum(layer.padding) - layer.span) // layer.stride + 1)


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
    positions = output_length(layer, length)
    if layer.is_whole:
        return (0, positions) if inputs[0] < inputs[1] else (0, 0)
    if layer.body:
        return _through(layer, inputs, length)
    if inputs[0] >= inputs[1]:
        return 0, 0
    start = -((layer.span - 1 - layer.padding[0] - inputs[0]) // layer.stride)
    stop = (inputs[1] - 1 + layer.padding[0]) // layer.stride + 1
    start, stop = max(0, start), min(positions, stop)
    return (start, stop) if start < stop else (0, 0)


def _through(layer: Layer, inputs: Interval, length: int) -> Interval:
    """Follow an interval through a residual block: body and detour."""
    start, stop = inputs
    for item in layer.body:
        inputs = touched_outputs(item, inputs, length)
    if inputs[0] >= inputs[1]:
        return start, stop
    return min(start, inputs[0]), max(stop, inputs[1])


def needed_inputs(layer: Layer, outputs: Interval, length: int) -> Interval:
    """Give the inputs of a layer that an interval of its outputs looks at, padding left out."""
    if outputs[0] >= outputs[1]:
        return 0, 0
    if layer.is_whole:
        return 0, length
    if layer.body:
        start, stop = outputs
        for item in reversed(layer.body):
            outputs = needed_inputs(item, outputs, length)
        return min(start, outputs[0]), max(stop, outputs[1])
    start = outputs[0] * layer.stride - layer.padding[0]
    stop = (outputs[1] - 1) * layer.stride - layer.padding[0] + layer.span
    start, stop = max(0, start), min(length, stop)
    return (start, stop) if start < stop else (0, 0)


def count_parameters(layer: Layer) -> int:
    """Count what is learned: (F C_in + 1) C_out of a convolution with bias."""
    if layer.body:
        return sum(map(count_parameters, layer.body))
    if layer.kind == "batch norm":
        return 2 * layer.channels
    if layer.kind in _SUMS:
        return (layer.kernel * layer.inputs + layer.bias) * layer.channels
    return 0


def measure_work(layer: Layer, length: int) -> int:
    """Count the products and sums of a convolution or dense layer: 2 F C_in n_out C_out."""
    if layer.body:
        return sum(item.work for item in trace_layers(layer.body, length))
    if layer.kind not in _SUMS:
        return 0
    return 2 * layer.kernel * layer.inputs * output_length(layer, length) * layer.channels


# Chains of layers


def receptive_field(layers: Iterable[Layer], length: int) -> int:
    """Count the bases that one output of a chain looks at, padding included.

    Of a chain with a global layer these are all `length`.
    """
    field, step = 1, 1
    for layer in list_leaves(layers):
        if layer.is_whole:
            return length
        field += (layer.span - 1) * step
        step *= layer.stride
    return field


def total_stride(layers: Iterable[Layer]) -> int:
    """Give the bases between two outputs of a chain without global layers."""
    step = 1
    for layer in list_leaves(layers):
        step *= layer.stride
    return step


def shortest_input(layers: Sequence[Layer]) -> int:
    """Give the length of input from which every layer of a chain has an output."""
    needed = 1
    for layer in reversed(list(list_leaves(layers))):
        if layer.is_whole:
            needed = 1
            continue
        needed = (needed - 1) * layer.stride + layer.span - sum(layer.padding)
        needed = max(1, needed)
    return needed


def trace_layers(layers: Iterable[Layer], length: int) -> list[TracedLayer]:
    """Follow an input of `length` positions through a chain, layer by layer.

    The layers of a residual block are listed in its place.
    """
    traced: list[TracedLayer] = []
    passed: list[Layer] = []
    positions = length
    for layer in list_leaves(layers):
        passed.append(layer)
        work = measure_work(layer, positions)
        positions = output_length(layer, positions)
        parameters = count_parameters(layer)
        field = receptive_field(passed, length)
        traced.append(TracedLayer(layer, positions, parameters, work, field))
    return traced
