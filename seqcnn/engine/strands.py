"""One-hot batches and the two strands of DNA."""

import torch
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.errors import ConfigError

__all__ = [
    "combine_strands",
    "expand_one_hot",
    "profile_logits",
    "reverse_complement_one_hot",
    "strand_logits",
]


def expand_one_hot(codes: Tensor, *, unknown: float) -> Tensor:
    """Expand integer codes (n, length) to float32 one-hot (n, 4, length) on their device."""
    table = torch.full((5, 4), unknown, device=codes.device)
    table[:4] = torch.eye(4, device=codes.device)
    return table[codes.int()].transpose(1, 2).contiguous()


def reverse_complement_one_hot(one_hot: Tensor) -> Tensor:
    """Turn (n, 4, length) into the other strand: A<->T and C<->G are mirrored rows."""
    return one_hot.flip(1, 2)


def combine_strands(forward: Tensor, reverse: Tensor, strands: str) -> Tensor:
    """Join the logits of both strands: their mean (``average``) or the larger (``max``)."""
    return torch.maximum(forward, reverse) if strands == "max" else (forward + reverse) / 2


def strand_logits(network: SequenceNetwork, one_hot: Tensor, strands: str) -> Tensor:
    """Run (n, 4, length) through a network on the strands that a model uses: (n, tasks)."""
    if strands == "shared":
        both = torch.cat([one_hot, reverse_complement_one_hot(one_hot)])
        joined = network.join_strands(*network.features(both).chunk(2))
        shared: Tensor = network.head(joined)
        return shared
    forward: Tensor = network(one_hot)
    if strands == "single":
        return forward
    reverse: Tensor = network(reverse_complement_one_hot(one_hot))
    return combine_strands(forward, reverse, strands)


def profile_logits(network: SequenceNetwork, one_hot: Tensor, strands: str) -> Tensor:
    """Give the logits of each base of (n, 4, length): (n, tasks, length).

    The other strand's are turned round before both are joined.

    Raises
    ------
    ConfigError
        For networks that share weights over the strands, or give no profile.
    """
    by_base = isinstance(network, StackedNetwork) and network.config.gives_profile
    if strands == "shared" or not isinstance(network, StackedNetwork) or not by_base:
        where = "--strands shared" if strands == "shared" else "--task profile"
        raise ConfigError(
            where,
            "no output for each base",
            expected="a network such as unet or fcn, with --strands average, max or single",
        )
    forward = network.profile(one_hot)
    if strands == "single":
        return forward
    reverse = network.profile(reverse_complement_one_hot(one_hot)).flip(2)
    return combine_strands(forward, reverse, strands)
