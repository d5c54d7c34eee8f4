"""Chains of layers: shapes, costs and receptive fields in their place, and the shortest input.

References
----------
Araujo, Norris & Sim 2019, doi:10.23915/distill.00021 (receptive fields)
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from seqcnn.architectures.layers.arithmetic import (
    count_parameters,
    measure_work,
    output_length,
    seen_inputs,
)
from seqcnn.architectures.layers.layer import Layer, list_leaves

__all__ = [
    "TracedLayer",
    "explain_shortfall",
    "receptive_field",
    "seen_beyond",
    "shortest_input",
    "total_stride",
    "trace_layers",
]

_MOST_PHASES = 4096


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


def receptive_field(layers: Iterable[Layer], length: int) -> int:
    """Count the bases that one output of a chain looks at, padding included.

    Where outputs look at different numbers of bases, as after going up in resolution, these are
    the most. Of a chain with a global or recurrent layer they are all `length`.
    """
    chain = list(layers)
    leaves = list(list_leaves(chain))
    if any(layer.is_whole or layer.kind == "recurrent" for layer in leaves):
        return length
    return max(_seen_from(chain, phase) for phase in range(_count_phases(leaves)))


def seen_beyond(layers: Sequence[Layer]) -> tuple[int, int]:
    """Count the bases that the first output of a chain sees left of its own, and right of it.

    In a chain that keeps the length, so many outputs at the ends see padding.
    """
    seen = (0, 1)
    for layer in reversed(layers):
        seen = seen_inputs(layer, seen)
    return -seen[0], seen[1] - 1


def _seen_from(chain: Sequence[Layer], place: int) -> int:
    seen = (place, place + 1)
    for layer in reversed(chain):
        seen = seen_inputs(layer, seen)
    return seen[1] - seen[0]


def _count_phases(leaves: Iterable[Layer]) -> int:
    """Give a number of outputs after which what they look at repeats itself."""
    factors = (layer.stride for layer in leaves if layer.kind == "upsample")
    octaves = (2 for layer in leaves if layer.kind == "octave" and any(layer.low))
    return min(math.prod(factors) * max([1, *octaves]), _MOST_PHASES)


def total_stride(layers: Iterable[Layer]) -> int:
    """Give the bases between two outputs of a chain without global layers."""
    step = 1
    for layer in layers:
        if layer.chains:
            step *= max(map(total_stride, layer.chains))
        elif layer.kind == "upsample":
            step //= layer.stride
        else:
            step *= layer.stride
    return step


def shortest_input(layers: Sequence[Layer], outputs: int = 1) -> int:
    """Give the length of input from which every layer of a chain has an output."""
    needed = outputs
    for layer in reversed(layers):
        if layer.is_whole:
            needed = 1
        elif layer.chains:
            needed = max(shortest_input(chain, needed) for chain in layer.chains)
        elif layer.kind == "upsample":
            needed = -(-needed // layer.stride)
        else:
            needed = max(1, (needed - 1) * layer.stride + layer.span - sum(layer.padding))
    return needed


def trace_layers(layers: Iterable[Layer], length: int) -> list[TracedLayer]:
    """Follow an input of `length` positions through a chain, layer by layer.

    The layers of a block are listed in its place, and then what joins their outputs.
    """
    return list(_trace(layers, (), length, length))


def _trace(
    layers: Iterable[Layer], passed: tuple[Layer, ...], positions: int, length: int
) -> Iterator[TracedLayer]:
    for layer in layers:
        for chain in layer.chains:
            yield from _trace(chain, passed, positions, length)
        passed = (*passed, layer)
        listed = layer.joint if layer.chains else layer
        numbers = count_parameters(listed), measure_work(listed, positions)
        positions = output_length(layer, positions)
        yield TracedLayer(listed, positions, *numbers, receptive_field(passed, length))


def explain_shortfall(layers: Sequence[Layer], length: int) -> str:
    """Say where an input is used up, with the arithmetic: '40 - 19 + 1 = 22, 22 / 3 = 7, ...'.

    Empty where it is long enough.
    """
    if length >= shortest_input(layers):
        return ""
    steps: list[str] = []
    _spell_steps(layers, length, steps)
    return "; ".join(steps)


def _spell_steps(layers: Sequence[Layer], positions: int, steps: list[str]) -> bool:
    """Add a text for each layer that changes the length; tell whether something is left."""
    for layer in layers:
        if layer.is_whole:
            return True
        if layer.chains:
            if not all(_spell_steps(chain, positions, steps) for chain in layer.chains):
                return False
        elif layer.span > 1 or layer.stride > 1 or any(layer.padding):
            steps.append(f"{_spell(layer)}: {_spell_sum(layer, positions)}")
            if not output_length(layer, positions):
                return False
        positions = output_length(layer, positions)
    return True


def _spell(layer: Layer) -> str:
    return layer.name if layer.name == layer.kind else f"{layer.name} ({layer.kind})"


def _spell_sum(layer: Layer, positions: int) -> str:
    if layer.kind == "upsample":
        return f"{positions} x {layer.stride} = {positions * layer.stride}"
    left = (positions + sum(layer.padding) - layer.span) // layer.stride + 1
    added = sum(layer.padding)
    padded = f"{positions} {'+' if added > 0 else '-'} {abs(added)}" if added else f"{positions}"
    if layer.stride == 1:
        return f"{padded} - {layer.span} + 1 = {left}"
    return f"({padded} - {layer.span}) / {layer.stride} + 1 = {left}"
