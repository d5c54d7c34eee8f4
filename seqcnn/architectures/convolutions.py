"""Convolutions of one and of two resolutions, and the rules of initial weights."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.layers import Layer

__all__ = ["Convolution", "ManyWidths", "Octave", "initialise", "repeat_positions"]


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
        return _convolve(inputs, self.weight, self.bias, self.layer)


def _convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None, layer: Layer) -> Tensor:
    left, right = layer.padding
    if left != right:
        inputs = functional.pad(inputs, (left, right))
    return functional.conv2d(
        inputs,
        weight[:, :, None],
        bias,
        stride=(1, layer.stride),
        dilation=(1, layer.dilation),
        padding=(0, left if left == right else 0),
    )


class ManyWidths(nn.Module):
    """A convolution whose detectors have several widths, each in the middle of the kernel."""

    bias: nn.Parameter | None

    def __init__(self, layer: Layer, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = layer
        each = layer.channels // len(layer.widths)
        bounds = [1 / math.sqrt(layer.inputs * width) for width in layer.widths]
        self.parts = nn.ParameterList(
            torch.empty(each, layer.inputs, width) for width in layer.widths
        )
        for part, bound in zip(self.parts, bounds, strict=True):
            nn.init.uniform_(part, -bound, bound, generator=generator)
        self.register_parameter("bias", None)
        if layer.bias:
            self.bias = nn.Parameter(torch.empty(layer.channels))
            nn.init.uniform_(self.bias, -min(bounds), min(bounds), generator=generator)

    @property
    def weight(self) -> Tensor:
        """All detectors, with zeros around the narrow ones (channels, inputs, kernel)."""
        padded = []
        for part in self.parts:
            missing = self.layer.kernel - part.shape[2]
            padded.append(functional.pad(part, (missing // 2, missing - missing // 2)))
        return torch.cat(padded)

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (n, inputs, 1, positions)."""
        return _convolve(inputs, self.weight, self.bias, self.layer)


class Octave(Convolution):
    """A convolution from and to two resolutions.

    The last channels of input and output have half the resolution: pairs of positions, counted
    from the first one, have the same number. They are convolved at half the length.

    References
    ----------
    Chen et al. 2019, doi:10.1109/ICCV.2019.00353
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (n, inputs, 1, positions), and keep the length."""
        length = inputs.shape[3]
        high_in = self.layer.inputs - self.layer.low[0]
        high_out = self.layer.channels - self.layer.low[1]
        high, low = inputs[:, :high_in], inputs[:, high_in:, :, ::2]
        up, down = self.weight[:high_out], self.weight[high_out:]
        parts = [self._slide(high, up[:, :high_in])]
        if self.layer.low[0]:
            parts[0] = (
                parts[0] + repeat_positions(self._slide(low, up[:, high_in:]), 2)[..., :length]
            )
        if self.layer.low[1]:
            halved = functional.avg_pool2d(high, (1, 2), ceil_mode=True, count_include_pad=False)
            both = self._slide(torch.cat([halved, low], dim=1), down)
            parts.append(repeat_positions(both, 2)[..., :length])
        outputs = torch.cat(parts, dim=1)
        return outputs if self.bias is None else outputs + self.bias[:, None, None]

    def _slide(self, inputs: Tensor, weight: Tensor) -> Tensor:
        return _convolve(inputs, weight, None, self.layer)


def repeat_positions(inputs: Tensor, times: int) -> Tensor:
    """Repeat each position of (n, channels, 1, positions)."""
    return inputs.repeat_interleave(times, dim=3)


def initialise(network: nn.Module, rule: str, generator: torch.Generator) -> None:
    """Draw the weights of convolutions and dense layers again, by a rule; biases become 0.

    Parameters
    ----------
    network
        Whose weights are drawn.
    rule
        ``torch`` leaves them as they are: uniform, with a variance of 1 / (3 inputs). ``he``:
        normal, 2 / inputs. ``xavier``: uniform, 2 / (inputs + outputs). ``lecun``: normal,
        1 / inputs.
    generator
        Source of the weights.

    References
    ----------
    He et al. 2015, doi:10.1109/ICCV.2015.123
    Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """
    if rule == "torch":
        return
    for module in network.modules():
        if isinstance(module, ManyWidths):
            weights = list(module.parts)
        elif isinstance(module, Convolution | nn.Linear):
            weights = [module.weight]
        else:
            continue
        for weight in weights:
            _draw(weight, rule, generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _draw(weight: Tensor, rule: str, generator: torch.Generator) -> None:
    if rule == "he":
        nn.init.kaiming_normal_(weight, generator=generator)
    elif rule == "lecun":
        nn.init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
    else:
        nn.init.xavier_uniform_(weight, generator=generator)
