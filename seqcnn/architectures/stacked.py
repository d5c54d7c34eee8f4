"""Networks with several convolutions: their config lists the layers."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqcnn.architectures.auxiliary import AuxiliaryHead
from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import make_linear
from seqcnn.architectures.configs import StackedConfig
from seqcnn.architectures.convolutions import Convolution, initialise
from seqcnn.architectures.layers import shortest_input, trace_layers
from seqcnn.architectures.modules import make_chain, norm_moments

__all__ = ["StackedNetwork"]

# Numbers of the widest layer. More than a core's cache holds are a third slower; the head, whose
# weights are many, wants more sequences together.
_CELLS_CACHE = 2**18
_CELLS_CPU = 2**22
_CELLS_CUDA = 2**28
_ROWS = 64


class StackedNetwork(SequenceNetwork):
    """A network that is the list of layers in its config.

    Inside, a batch is (n, channels, 1, positions); see `seqcnn.architectures.modules`. The
    features are (n, features), or, where the trunk does not end with a pooling of all positions
    or with all of them side by side, (n, channels, 1, positions).

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
        self.trunk = make_chain(inner, generator)
        self.head_layers = config.head(self.layers[-1].channels, tasks)
        self.head = make_chain(self.head_layers, generator)
        initialise(self, config.init, generator)
        self._before_activation = 2 if self.layers[1].kind == "batch norm" else 1

    def attach_auxiliary(self, generator: torch.Generator) -> AuxiliaryHead | None:
        """Add the second output that the config asks for in training, if it does."""
        if not self.config.auxiliary_output:
            return None
        place, weight = self.config.auxiliary_output
        channels, tasks = self.layers[place].channels, self.head_layers[-1].channels
        output = make_linear(channels, tasks, generator)
        self.auxiliary = AuxiliaryHead(self.trunk[place], output, weight)
        return self.auxiliary

    @property
    def detectors(self) -> Tensor:  # type: ignore[override]
        """The weights (detectors, 4, width) of the first convolution."""
        return cast("Convolution", self.trunk[0]).weight

    @property
    def layers_to_activation(self) -> int:
        """How many layers of the trunk there are up to the activation of the detectors."""
        return self._before_activation + 1

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

    def profile(self, one_hot: Tensor) -> Tensor:
        """Give a logit for each task and base of (n, 4, length): (n, tasks, length).

        Raises
        ------
        TypeError
            Where the network has no output for each position.
        """
        if not self.config.gives_profile:
            raise TypeError(f"{type(self.config).__name__} gives no profile")
        at_positions = cast("nn.Sequential", self.head)[:-1]
        return cast("Tensor", at_positions(self.features(one_hot)))[:, :, 0]

    def join_strands(self, forward: Tensor, reverse: Tensor) -> Tensor:
        """Keep the mean of means, and of all else the larger; at each position, where there are."""
        kind = self.layers[-1].kind
        if kind == "global max and mean":
            highest, mean = zip(*(side.chunk(2, 1) for side in (forward, reverse)), strict=True)
            return torch.cat([torch.maximum(*highest), (mean[0] + mean[1]) / 2], dim=1)
        if kind == "global mean":
            return (forward + reverse) / 2
        if not self.layers[-1].is_whole:
            reverse = reverse.flip(3)
        return torch.maximum(forward, reverse)

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
