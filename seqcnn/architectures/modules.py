"""The layers of networks as torch modules.

Inside, a batch is (n, channels, 1, positions) with the channels of a position side by side in
memory ("channels last"): torch convolves that faster, the more so the larger the dilation.
"""

import math
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from seqcnn.architectures.blocks import Dropout, make_linear
from seqcnn.architectures.convolutions import Convolution, ManyWidths, Octave, repeat_positions
from seqcnn.architectures.layers import GLOBAL_POOLS, Layer

__all__ = [
    "BatchNorm",
    "Branches",
    "Crop",
    "Exponential",
    "Flatten",
    "GlobalPool",
    "MaxAndMeanPool",
    "Maxout",
    "Recurrent",
    "Residual",
    "Upsample",
    "make_chain",
    "make_module",
    "norm_moments",
]


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
        return inputs + cast("Tensor", self.body(inputs))[..., : inputs.shape[3]]


class Branches(nn.Module):
    """Put what several chains make of the input side by side, cut to the shortest."""

    def __init__(self, chains: Iterable[nn.Sequential]) -> None:
        super().__init__()
        self.chains = nn.ModuleList(chains)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (n, inputs, 1, positions) into (n, channels, 1, positions)."""
        parts: list[Tensor] = [chain(inputs) for chain in self.chains]
        length = min(part.shape[3] for part in parts)
        return torch.cat([part[..., :length] for part in parts], dim=1)


class MaxAndMeanPool(nn.Module):
    """Take maximum and mean of each window."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.highest, self.mean = _max_pool(layer), _mean_pool(layer)

    def forward(self, inputs: Tensor) -> Tensor:
        """Pool (n, channels, 1, positions) to twice as many channels; maxima before means."""
        return torch.cat([self.highest(inputs), self.mean(inputs)], dim=1)


class Maxout(nn.Module):
    """Keep the larger one of each two neighbouring channels."""

    def forward(self, scores: Tensor) -> Tensor:
        """Halve the channels of (n, channels, ...)."""
        return scores.view(len(scores), -1, 2, *scores.shape[2:]).amax(dim=2)


class Upsample(nn.Module):
    """Repeat each position."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        """Lengthen (n, channels, 1, positions)."""
        return repeat_positions(inputs, self.factor)


class Crop(nn.Module):
    """Cut positions off at both ends."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positions = positions

    def forward(self, inputs: Tensor) -> Tensor:
        """Shorten (n, channels, 1, positions)."""
        return inputs[..., self.positions : inputs.shape[3] - self.positions]


class Recurrent(nn.Module):
    """A long short-term memory in both directions along the positions.

    References
    ----------
    Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735
    """

    def __init__(self, layer: Layer, generator: torch.Generator) -> None:
        super().__init__()
        units = layer.channels // 2
        made = nn.LSTM(layer.inputs, units, batch_first=True, bidirectional=True, device="meta")
        self.lstm = made.to_empty(device="cpu")
        bound = 1 / math.sqrt(units)
        for parameter in self.lstm.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Turn (n, inputs, 1, positions) into (n, 2 units, 1, positions)."""
        outputs: Tensor = self.lstm(inputs[:, :, 0].transpose(1, 2))[0]  # (n, positions, 2 units)
        return outputs.transpose(1, 2)[:, :, None]


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


def make_chain(layers: Iterable[Layer], generator: torch.Generator) -> nn.Sequential:
    """Make the modules of layers that follow one another."""
    return nn.Sequential(*(make_module(layer, generator) for layer in layers))


def _dense(layer: Layer, generator: torch.Generator) -> nn.Module:
    linear = make_linear(layer.inputs, layer.channels, generator)
    if not layer.bias:
        linear.register_parameter("bias", None)
    return linear


def _max_pool(layer: Layer) -> nn.Module:
    padding, ceil = _pool_padding(layer)
    return nn.MaxPool2d((1, layer.kernel), (1, layer.stride), (0, padding), ceil_mode=ceil)


def _mean_pool(layer: Layer) -> nn.Module:
    padding, ceil = _pool_padding(layer)
    size, stride = (1, layer.kernel), (1, layer.stride)
    return nn.AvgPool2d(size, stride, (0, padding), ceil_mode=ceil, count_include_pad=False)


def _pool_padding(layer: Layer) -> tuple[int, bool]:
    """Give the padding of both sides, and whether what is left at the end has a window too."""
    left, right = layer.padding
    if left == right:
        return left, False
    if (left, right) == (0, layer.stride - 1):
        return 0, True
    raise TypeError(f"no pooling with a padding of {left} and {right}")


def _make_convolution(layer: Layer, generator: torch.Generator) -> nn.Module:
    return (ManyWidths if layer.widths else Convolution)(layer, generator)


_MODULES: dict[str, Callable[[Layer, torch.Generator], nn.Module]] = {
    "convolution": _make_convolution,
    "octave": Octave,
    "batch norm": lambda layer, _: BatchNorm(layer.channels),
    "ReLU": lambda _layer, _: nn.ReLU(),
    "leaky ReLU": lambda _layer, _: nn.LeakyReLU(),
    "ELU": lambda _layer, _: nn.ELU(),
    "GELU": lambda _layer, _: nn.GELU(),
    "tanh": lambda _layer, _: nn.Tanh(),
    "sigmoid": lambda _layer, _: nn.Sigmoid(),
    "exponential": lambda layer, _: Exponential(layer.amount),
    "maxout": lambda _layer, _: Maxout(),
    "max pool": lambda layer, _: _max_pool(layer),
    "mean pool": lambda layer, _: _mean_pool(layer),
    "max and mean pool": lambda layer, _: MaxAndMeanPool(layer),
    "upsample": lambda layer, _: Upsample(layer.stride),
    "crop": lambda layer, _: Crop(-layer.padding[0]),
    "recurrent": Recurrent,
    "residual": lambda layer, generator: Residual(make_chain(layer.body, generator)),
    "branches": lambda layer, generator: Branches(
        make_chain(chain, generator) for chain in layer.branches
    ),
    **{kind: lambda layer, _: GlobalPool(layer.kind) for kind in GLOBAL_POOLS},
    "flatten": lambda _layer, _: Flatten(),
    "dense": _dense,
    "dropout": lambda layer, _: Dropout(layer.amount),
}
