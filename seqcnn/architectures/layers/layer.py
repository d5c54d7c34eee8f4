"""One step of a network as numbers, and the makers of each kind."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = [
    "ACTIVATIONS",
    "GLOBAL_POOLS",
    "Layer",
    "batch_norm",
    "branches",
    "convolution",
    "crop",
    "dense",
    "flatten",
    "list_leaves",
    "many_widths",
    "maxout",
    "octave",
    "pool",
    "recurrent",
    "residual",
    "unit",
    "upsample",
]

ACTIVATIONS = ("ReLU", "leaky ReLU", "ELU", "GELU", "tanh", "sigmoid", "exponential")
"""Those that take each number alone."""

GLOBAL_POOLS = ("global max", "global mean", "global max and mean")

_WHOLE = {*GLOBAL_POOLS, "flatten", "dense"}


@dataclass(frozen=True)
class Layer:
    """One step of a network, from `inputs` to `channels` channels.

    Attributes
    ----------
    name
        What it is called in a table.
    kind
        ``convolution``, ``octave`` (a convolution of two resolutions), ``batch norm``, one of
        `ACTIVATIONS` or ``maxout``, ``max pool``, ``mean pool``, ``max and mean pool``,
        ``upsample``, ``crop``, ``recurrent``, one of `GLOBAL_POOLS`, ``flatten``, ``dense`` or
        ``dropout``; or what other layers are put together in: ``residual`` and ``branches``,
        and the ``sum`` and ``concatenate`` that they end with.
    inputs, channels
        Channels that enter and leave.
    kernel, stride, dilation
        Positions that an output looks at, the step between outputs, the step within the kernel.
        The stride of an ``upsample`` is the number of outputs for each input.
    padding
        Positions put before and after the input. In the first layer they are unknown bases, in
        a later one zeros; a pool passes over them. Negative ones are cut off.
    bias
        Whether a convolution or dense layer adds a number of its own to each channel.
    amount
        The largest exponent of an exponential, the share that dropout drops.
    body
        The layers of a residual block: what they make of the input is added to it.
    branches
        Chains of layers which each take the input; their outputs are put side by side as
        channels. An empty chain hands the input on. Longer ones are cut to the shortest.
    widths
        Of a first convolution whose detectors have several widths, these; each width has the
        same number of detectors, in the middle of the kernel.
    low
        Channels at half resolution that enter and leave an ``octave`` convolution.
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
    branches: tuple[tuple["Layer", ...], ...] = ()
    widths: tuple[int, ...] = ()
    low: tuple[int, int] = (0, 0)

    @property
    def span(self) -> int:
        """Positions from the first to the last that an output looks at."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def is_whole(self) -> bool:
        """Whether every output looks at the whole input, and has no position."""
        return self.kind in _WHOLE

    @property
    def chains(self) -> tuple[tuple["Layer", ...], ...]:
        """The chains that it is put together of, if any: of a residual block also the detour."""
        return ((), self.body) if self.body else self.branches

    @property
    def joint(self) -> "Layer":
        """What the chains end with."""
        if self.body:
            return Layer(self.name, "sum", self.channels, self.channels)
        return Layer(self.name, "concatenate", self.channels, self.channels)


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


def many_widths(name: str, widths: tuple[int, ...], each: int, *, bias: bool = True) -> Layer:
    """Make a first convolution with detectors of several odd widths, `each` of every width.

    The output is as long as the input.
    """
    widest = max(widths)
    padding = (widest // 2, widest // 2)
    total = each * len(widths)
    return Layer(
        *(name, "convolution", 4, total, widest), padding=padding, bias=bias, widths=widths
    )


def octave(
    name: str, channels: tuple[int, int], low: tuple[int, int], kernel: int, *, bias: bool = True
) -> Layer:
    """Make a convolution from and to two resolutions, which keeps the length.

    Parameters
    ----------
    name
        What it is called.
    channels
        Numbers of channels that enter and leave, of both resolutions together.
    low
        How many of them, the last ones, have half the resolution.
    kernel
        Positions, or pairs of positions, that an output looks at.
    bias
        Whether a number is added to each channel.

    References
    ----------
    Chen et al. 2019, doi:10.1109/ICCV.2019.00353
    """
    padding = (kernel - 1) // 2, kernel // 2
    return Layer(name, "octave", *channels, kernel, padding=padding, bias=bias, low=low)


def unit(kind: str, channels: int, *, name: str = "", amount: float = 0.0) -> Layer:
    """Make an activation, a dropout or a global pooling, which needs no more than its kind."""
    outputs = 2 * channels if kind == "global max and mean" else channels
    return Layer(name or kind, kind, channels, outputs, amount=amount)


def maxout(channels: int) -> Layer:
    """Make the larger one of each two neighbouring channels, of which `channels` leave.

    References
    ----------
    Goodfellow et al. 2013, arXiv:1302.4389
    """
    return Layer("maxout", "maxout", 2 * channels, channels)


def batch_norm(channels: int, *, name: str = "batch norm") -> Layer:
    """Make a batch normalisation of channels."""
    return Layer(name, "batch norm", channels, channels)


def pool(
    kind: str, channels: int, size: int, *, stride: int = 0, padding: tuple[int, int] = (0, 0)
) -> Layer:
    """Make a ``max pool``, ``mean pool`` or ``max and mean pool``.

    Parameters
    ----------
    kind
        What is taken of each window.
    channels
        That enter; of ``max and mean pool`` twice as many leave, the maxima first.
    size
        Positions of a window.
    stride
        Step between windows; 0: they lie side by side.
    padding
        Positions before and after the input that are passed over.
    """
    outputs = 2 * channels if kind == "max and mean pool" else channels
    return Layer(kind, kind, channels, outputs, kernel=size, stride=stride or size, padding=padding)


def upsample(channels: int, factor: int) -> Layer:
    """Repeat each position."""
    return Layer("upsample", "upsample", channels, channels, stride=factor)


def crop(channels: int, positions: int) -> Layer:
    """Cut positions off at both ends."""
    return Layer("crop", "crop", channels, channels, padding=(-positions, -positions))


def recurrent(name: str, inputs: int, units: int) -> Layer:
    """Make an LSTM in both directions, of `units` each: every position sees all."""
    return Layer(name, "recurrent", inputs, 2 * units, bias=True)


def flatten(channels: int, positions: int) -> Layer:
    """Make one vector of all positions, position by position; of one at least."""
    return Layer("flatten", "flatten", channels, channels * max(1, positions))


def dense(name: str, inputs: int, channels: int, *, bias: bool = True) -> Layer:
    """Make a layer of which each output looks at every input."""
    return Layer(name, "dense", inputs, channels, bias=bias)


def residual(name: str, *body: Layer) -> Layer:
    """Make a block that adds what its body makes of the input to the input.

    Where the body goes down and up again in resolution, what is too much at the end is cut off.

    Raises
    ------
    ValueError
        For a body that changes the shape.
    """
    leaves = list(list_leaves(body))
    goes_down = any(item.kind == "upsample" for item in leaves)
    keeps = all(item.stride == 1 and sum(item.padding) == item.span - 1 for item in leaves)
    if not (keeps or goes_down) or body[0].inputs != body[-1].channels:
        raise ValueError(f"{name}: the body of a residual block must keep the shape")
    return Layer(name, "residual", body[0].inputs, body[-1].channels, body=tuple(body))


def branches(name: str, inputs: int, *chains: tuple[Layer, ...]) -> Layer:
    """Put what several chains make of the input side by side; an empty one hands it on."""
    channels = sum(chain[-1].channels if chain else inputs for chain in chains)
    return Layer(name, "branches", inputs, channels, branches=chains)


def list_leaves(layers: Iterable[Layer]) -> Iterator[Layer]:
    """List the layers one after the other, with those of a block in its place."""
    for layer in layers:
        for chain in layer.chains:
            yield from list_leaves(chain)
        if not layer.chains:
            yield layer
