"""A trained stack of layers as steps through which a change can be followed.

A step is a convolution (or none), batch norm, activation and local pooling, as many of them as
follow one another; a residual block is a list of steps and an addition. Weights are laid out
for changes: (kernel, inputs, outputs), with the batch norm folded in.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from torch import Tensor, nn

from seqcnn.architectures.convolutions import Convolution
from seqcnn.architectures.layers import Layer
from seqcnn.architectures.modules import Residual, norm_moments
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.engine.products import LANES
from seqcnn.engine.settling import Kept, keep_scores
from seqcnn.engine.settling_loops import EXPONENTIAL, MAX, MEAN, RELU, Floats, Geometry
from seqcnn.engine.shortcuts import Shortcut, find_shortcut

__all__ = [
    "Block",
    "Bracket",
    "Step",
    "compile_steps",
    "list_steps",
    "run_references",
]

_ACTIVATIONS = {"ReLU": RELU, "exponential": EXPONENTIAL}
_POOLS = {"max pool": MAX, "mean pool": MEAN}


@dataclass(frozen=True, eq=False)
class Step:
    """Convolution, batch norm, activation, pooling; each may be absent.

    Attributes
    ----------
    weights
        Convolution with the batch norm's scale (kernel, inputs, outputs), or None.
    scale
        The batch norm's scale (channels,) where no convolution comes before it, or None.
    geometry
        The numbers.
    linear, rest
        Modules up to the scores, and after them.
    layers
        The layers that shift positions: convolution and pooling.
    reach
        Positions before it that one changed base can touch.
    shortcut
        The convolution in fewer products, if that is faster.
    columns
        Else, on a CPU, the weights with columns of zeros up to a multiple of `LANES`.
    """

    weights: Tensor | None
    scale: Tensor | None
    geometry: Geometry
    linear: tuple[nn.Module, ...]
    rest: tuple[nn.Module, ...]
    layers: tuple[Layer, ...]
    reach: int = 1
    shortcut: Shortcut | None = None
    columns: Floats | None = None

    def touch(self, width: int) -> int:
        """Give the most outputs that `width` inputs touch, wherever they are."""
        for layer in self.layers:
            width = (width + layer.span - 2) // layer.stride + 1
        return width

    def extend(self, reach: int) -> "Step":
        """Find the fastest way from as many inputs as one changed base can touch."""
        if self.weights is None:
            return replace(self, reach=reach)
        shortcut = find_shortcut(self.weights, self.geometry, reach)
        columns = None if shortcut or self.weights.is_cuda else _fill_up(self.weights)
        return replace(self, reach=reach, shortcut=shortcut, columns=columns)


@dataclass(frozen=True, eq=False)
class Block:
    """A residual block: what the body makes of the input is added to the input."""

    body: tuple["Step | Block", ...]


def _fill_up(weights: Tensor) -> Floats:
    missing = -weights.shape[2] % LANES
    filled: Floats = nn.functional.pad(weights, (0, missing)).contiguous().numpy()
    return filled


class Bracket(enum.Enum):
    """Where a residual block begins and ends, in a list of steps."""

    OPEN = enum.auto()
    CLOSE = enum.auto()


@dataclass
class _Draft:
    """A step that is being put together."""

    weights: Tensor | None = None
    scale: Tensor | None = None
    geometry: Geometry = field(default_factory=Geometry)
    linear: list[nn.Module] = field(default_factory=list)
    rest: list[nn.Module] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    stage: int = 0

    def finish(self) -> Step:
        weights = None if self.weights is None else self.weights.contiguous()
        modules = tuple(self.linear), tuple(self.rest)
        return Step(weights, self.scale, self.geometry, *modules, tuple(self.layers))


def compile_steps(network: StackedNetwork) -> tuple[Step | Block, ...]:
    """Put the layers of a network's trunk together to steps, without its last, global layer.

    Raises
    ------
    TypeError
        For a kind of layer through which changes are not followed.
    """
    if not network.layers[-1].is_whole:
        raise TypeError("a trunk that keeps its positions")
    steps = _compile(network.layers[:-1], list(network.trunk)[:-1])
    if not isinstance(steps[0], Step) or steps[0].weights is None:
        raise TypeError("a network that does not begin with a convolution")
    return _extend(steps, 1)[0]


def _extend(steps: Sequence[Step | Block], reach: int) -> tuple[tuple[Step | Block, ...], int]:
    """Find the fastest way through steps, and what can be touched after the last one."""
    extended: list[Step | Block] = []
    for step in steps:
        if isinstance(step, Block):
            body, reach = _extend(step.body, reach)
            extended.append(Block(body))
        else:
            extended.append(step.extend(reach))
            reach = step.touch(reach)
    return tuple(extended), reach


def _compile(layers: Sequence[Layer], modules: Sequence[nn.Module]) -> tuple[Step | Block, ...]:
    steps: list[Step | Block] = []
    draft: _Draft | None = None
    for layer, module in zip(layers, modules, strict=True):
        if layer.kind == "dropout":
            continue
        if draft and (layer.body or _stage(layer) <= draft.stage):
            steps.append(draft.finish())
            draft = None
        if layer.body:
            steps.append(Block(_compile(layer.body, list(cast("Residual", module).body))))
            continue
        draft = draft or _Draft()
        _add(draft, layer, module)
    return (*steps, draft.finish()) if draft else tuple(steps)


def _stage(layer: Layer) -> int:
    """Give the place of a layer within a step."""
    if layer.kind in _POOLS and layer.padding[0] != layer.padding[1]:
        raise TypeError("a pooling with a window for what is left over")
    for stage, kinds in enumerate(({"convolution"}, {"batch norm"}, _ACTIVATIONS, _POOLS), 1):
        if layer.kind in kinds:
            return stage
    raise TypeError(f"no step for {layer.kind!r}")


def _add(draft: _Draft, layer: Layer, module: nn.Module) -> None:
    draft.stage = _stage(layer)
    (draft.linear if draft.stage < 3 else draft.rest).append(module)
    if layer.kind == "convolution":
        draft.weights = cast("Convolution", module).weight.detach().permute(2, 1, 0)
        draft.geometry = draft.geometry._replace(
            stride=layer.stride, dilation=layer.dilation, padding=layer.padding[0]
        )
        draft.layers.append(layer)
    elif layer.kind == "batch norm":
        draft.scale = norm_moments(module)[0].detach()
        if draft.weights is not None:
            draft.weights, draft.scale = draft.weights * draft.scale, None
    elif layer.kind in _ACTIVATIONS:
        draft.geometry = draft.geometry._replace(
            activation=_ACTIVATIONS[layer.kind], ceiling=layer.amount
        )
    else:
        draft.geometry = draft.geometry._replace(
            pool=_POOLS[layer.kind],
            pool_size=layer.kernel,
            pool_stride=layer.stride,
            pool_padding=layer.padding[0],
        )
        draft.layers.append(layer)


def list_steps(steps: Sequence[Step | Block]) -> Iterator[Step | Bracket]:
    """List the steps in the order in which they are taken, those of a block in brackets."""
    for step in steps:
        if isinstance(step, Block):
            yield Bracket.OPEN
            yield from list_steps(step.body)
            yield Bracket.CLOSE
        else:
            yield step


def run_references(steps: Sequence[Step | Block], inputs: Tensor, kept: list[Kept]) -> Tensor:
    """Run whole sequences through steps and keep what their mutants are compared with.

    Parameters
    ----------
    steps
        Of a network.
    inputs
        (n, channels, 1, positions).
    kept
        To which what is kept of each step is added, in the order of `list_steps`.

    Returns
    -------
    Tensor
        (n, channels, 1, positions).
    """
    for step in steps:
        if isinstance(step, Block):
            inputs = inputs + run_references(step.body, inputs, kept)
            continue
        for module in step.linear:
            inputs = module(inputs)
        scores = inputs[:, :, 0].transpose(1, 2).contiguous()
        kept.append(keep_scores(scores, step.geometry))
        for module in step.rest:
            inputs = module(inputs)
    return inputs
