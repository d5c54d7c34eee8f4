"""Networks with several convolutions: their config lists the layers, here are the modules.

Inside, a batch is (n, channels, 1, positions) with the channels of a position side by side in
memory ("channels last"): torch convolves that faster, the more so the larger the dilation.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import Dropout, make_linear
from seqcnn.architectures.configs import StackedConfig
from seqcnn.architectures.layers import Layer, shortest_input, trace_layers

__all__ = [
    "BatchNorm",
    "Convolution",
    "Exponential",
    "Flatten",
    "GlobalPool",
    "Residual",
    "StackedNetwork",
    "make_module",
    "norm_moments",
]

# Numbers of the widest layer. More than a core's cache holds are a third slower; the head, whose
# weights are many, wants more sequences together.
_CELLS_CACHE = 2**18
_CELLS_CPU = 2**22
_CELLS_CUDA = 2**28
_ROWS = 64


class Convolution(nn.Module):
    """A one-dimensional convolution with weights (channels, inputs, kernel).

    The padding may differ on the two sides; it is zeros.
    """

    def __init__(self, layer: Layer, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = layer
        bound = 1 / math.sqrt(layer.inputs * layer.kernel)
        self.weight = nn.Parameter(torch.empty(layer.channels, layer.inputs, layer.kernel))
        nn.init.uniform_(self.weight, -bound, bound, generator=generator)
        self.bias: nn.Parameter | None = None
        if layer.bias:
            self.bias = nn.Parameter(torch.empty(layer.channels))
            nn.init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (n, inputs, 1, positions)."""
        left, right = self.layer.padding
        if left != right:
            inputs = functional.pad(inputs, (left, right))
        return functional.conv2d(
            inputs,
            self.weight[:, :, None],
            self.bias,
            stride=(1, self.layer.stride),
            dilation=(1, self.layer.dilation),
            padding=(0, left if left == right else 0),
        )


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation of channels, of batches with positions or without."""

    def _check_input_dim(self, _: Tensor) -> None:
        pass


class Exponential(nn.Module):
    """Raise e to the score, no higher than a ceiling."""

    def __init__(self, ceiling: float) -> None:
        super().__init__()
        self.ceiling = ceiling

    def forward(self, scores: Tensor) -> Tensor:
        """Apply to scores of any shape."""
        return scores.clamp(max=self.ceiling).exp()


class GlobalPool(nn.Module):
    """Sum all positions up, with maximum, mean or both."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, inputs: Tensor) -> Tensor:
        """Pool (n, channels, 1, positions) to (n, features); maxima before means."""
        parts = []
        if "max" in self.kind:
            parts.append(inputs.amax(dim=(2, 3)))
        if "mean" in self.kind:
            parts.append(inputs.mean(dim=(2, 3)))
        return torch.cat(parts, dim=1)


class Flatten(nn.Module):
    """Lay all positions side by side."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (n, channels, 1, positions) into (n, positions channels), position by position."""
        return inputs.permute(0, 2, 3, 1).flatten(1)


class Residual(nn.Module):
    """Add what a chain of layers makes of the input to the input."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, inputs: Tensor) -> Tensor:
        """Keep the shape (n, channels, 1, positions)."""
        return inputs + cast("Tensor", self.body(inputs))


class StackedNetwork(SequenceNetwork):
    """A network that is the list of layers in its config.

    `trunk` holds the modules of ``config.trunk``, `head` those of ``config.head``, one for each
    layer. Beyond the ends of a sequence stand unknown bases, as many as the padding of the first
    convolution; every later padding is zeros.

    Parameters
    ----------
    config
        Lists the layers.
    tasks
        Number of outputs.
    length
        Bases of a sequence; of no matter where the trunk ends in global pooling.
    generator
        Source of the initial weights.
    """

    def __init__(
        self, config: StackedConfig, tasks: int, length: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.layers = config.trunk(length)
        first = self.layers[0]
        self.detector_width = first.kernel
        self.detector_padding = first.padding[0]
        inner = (replace(first, padding=(0, 0)), *self.layers[1:])
        self.trunk = _chain(inner, generator)
        self.head_layers = config.head(self.layers[-1].channels, tasks)
        self.head = _chain(self.head_layers, generator)
        self._before_activation = 2 if self.layers[1].kind == "batch norm" else 1

    @property
    def detectors(self) -> nn.Parameter:  # type: ignore[override]
        """The weights (detectors, 4, width) of the first convolution."""
        return cast("Convolution", self.trunk[0]).weight

    @property
    def shortest(self) -> int:
        """Bases that a sequence must have at least."""
        return shortest_input(self.layers)

    def effective_detectors(self, one_hot: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Give the detectors with the batch norm's running moments folded into them."""
        first = cast("Convolution", self.trunk[0])
        offsets = (
            first.bias if first.bias is not None else first.weight.new_zeros(len(first.weight))
        )
        if self._before_activation == 1:
            return first.weight, offsets
        scale, shift = norm_moments(self.trunk[1])
        return first.weight * scale[:, None, None], offsets * scale + shift

    def activate(self, scores: Tensor) -> Tensor:
        """Apply the activation of the detectors."""
        return cast("Tensor", self.trunk[self._before_activation](scores))

    def pool(self, scores: Tensor) -> Tensor:
        """Run everything after the detectors: (n, detectors, positions) to (n, features)."""
        return self.pool_activations(self.activate(scores))

    def pool_activations(self, activations: Tensor) -> Tensor:
        """Run everything after the detectors' activation, on activations of the same shape."""
        rest = self.trunk[self._before_activation + 1 :]
        return cast("Tensor", rest(activations[:, :, None]))

    def features(self, one_hot: Tensor) -> Tensor:
        """Run the trunk on (n, 4, length), a part of the rows at a time: (n, features)."""
        if self.training:  # batch norm looks at the whole batch
            return self._run_trunk(one_hot)
        size = self.rows_in_cache(one_hot.shape[2], one_hot.device)
        starts = list(range(0, len(one_hot), size)) or [0]
        if len(starts) > 1 and len(one_hot) - starts[-1] == 1:
            starts.pop()  # torch convolves a single sequence in another way, with other rounding
        stops = [*starts[1:], len(one_hot)]
        parts = zip(starts, stops, strict=True)
        return torch.cat([self._run_trunk(one_hot[start:stop]) for start, stop in parts])

    def rows_at_once(self, length: int, device: torch.device) -> int:
        """Choose how many sequences of a length go through the network together."""
        cells = _CELLS_CUDA if device.type == "cuda" else _CELLS_CPU
        size = self.rows_in_cache(length, device)
        return size * max(1, min(cells // self._widest(length), _ROWS) // size)

    def rows_in_cache(self, length: int, device: torch.device) -> int:
        """Choose how many sequences of a length go through the trunk together, two at least."""
        cells = _CELLS_CUDA if device.type == "cuda" else _CELLS_CACHE
        return max(2, cells // self._widest(length))

    def _widest(self, length: int) -> int:
        """Count the numbers of the widest layer, for one sequence."""
        traced = trace_layers(self.layers, length)
        return max(64, *(each.positions * each.layer.channels for each in traced))

    def lay_out(self, one_hot: Tensor) -> Tensor:
        """Pad (n, 4, length) and put it in the order of memory that the trunk takes."""
        padding = (self.detector_padding, self.detector_padding)
        padded = functional.pad(one_hot, padding, value=self.unknown)
        last = padded.transpose(1, 2).contiguous().transpose(1, 2)
        return last[:, :, None]

    def _run_trunk(self, one_hot: Tensor) -> Tensor:
        return cast("Tensor", self.trunk(self.lay_out(one_hot)))


def norm_moments(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Turn a batch norm's running moments into a scale and a shift (channels,)."""
    moments = cast("BatchNorm", norm)
    if moments.running_mean is None or moments.running_var is None:
        raise TypeError("a batch norm without running moments")
    scale = moments.weight * torch.rsqrt(moments.running_var + moments.eps)
    return scale, moments.bias - scale * moments.running_mean


def make_module(layer: Layer, generator: torch.Generator) -> nn.Module:
    """Make the module of a layer, its weights drawn from a generator.

    Raises
    ------
    TypeError
        For a kind of layer that there is no module for.
    """
    if layer.kind not in _MODULES:
        raise TypeError(f"no module for {layer.kind!r}")
    return _MODULES[layer.kind](layer, generator)


def _chain(layers: Iterable[Layer], generator: torch.Generator) -> nn.Sequential:
    return nn.Sequential(*(make_module(layer, generator) for layer in layers))


def _dense(layer: Layer, generator: torch.Generator) -> nn.Module:
    linear = make_linear(layer.inputs, layer.channels, generator)
    if not layer.bias:
        linear.register_parameter("bias", None)
    return linear


def _max_pool(layer: Layer, _: torch.Generator) -> nn.Module:
    return nn.MaxPool2d((1, layer.kernel), (1, layer.stride), (0, layer.padding[0]))


def _mean_pool(layer: Layer, _: torch.Generator) -> nn.Module:
    padding = (0, layer.padding[0])
    return nn.AvgPool2d((1, layer.kernel), (1, layer.stride), padding, count_include_pad=False)


_MODULES: dict[str, Callable[[Layer, torch.Generator], nn.Module]] = {
    "convolution": Convolution,
    "batch norm": lambda layer, _: BatchNorm(layer.channels),
    "ReLU": lambda _layer, _: nn.ReLU(),
    "exponential": lambda layer, _: Exponential(layer.amount),
    "max pool": _max_pool,
    "mean pool": _mean_pool,
    "residual": lambda layer, generator: Residual(_chain(layer.body, generator)),
    "global max": lambda layer, _: GlobalPool(layer.kind),
    "global mean": lambda layer, _: GlobalPool(layer.kind),
    "global max and mean": lambda layer, _: GlobalPool(layer.kind),
    "flatten": lambda _layer, _: Flatten(),
    "dense": _dense,
    "dropout": lambda layer, _: Dropout(layer.amount),
}
