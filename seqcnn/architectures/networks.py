"""Making a network from its config."""

import torch
from torch import nn

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.blocks import Dropout
from seqcnn.architectures.configs import (
    DeepBindConfig,
    MotifConfig,
    NetworkConfig,
    StackedConfig,
)
from seqcnn.architectures.deepbind import DeepBind
from seqcnn.architectures.motif import MotifNet
from seqcnn.architectures.stacked import StackedNetwork

__all__ = ["build_network", "seed_dropout"]


def build_network(
    config: NetworkConfig, *, tasks: int, length: int | None = None, seed: int = 0
) -> SequenceNetwork:
    """Make a network with freshly drawn weights.

    Parameters
    ----------
    config
        The config of a family.
    tasks
        Number of outputs.
    length
        Bases of a sequence, on which the size of some networks depends; where they are fewer
        than its `shortest`, the network can be made but not run.
    seed
        Seed of the initial weights.

    Raises
    ------
    TypeError
        For a config without a network, or without the length that its network needs.
    """
    # Not torch's global state, which networks made side by side would share.
    generator = torch.Generator().manual_seed(seed)
    if isinstance(config, DeepBindConfig):
        return DeepBind(config, tasks, generator)
    if isinstance(config, MotifConfig):
        return MotifNet(config, tasks, generator)
    if isinstance(config, StackedConfig):
        if length is None and config.trunk(1)[-1].kind == "flatten":
            raise TypeError(f"the network of {type(config).__name__} needs the length")
        return StackedNetwork(config, tasks, length or 1, generator)
    raise TypeError(f"no network for {type(config).__name__}")


def seed_dropout(network: nn.Module, generator: torch.Generator) -> None:
    """Let every dropout layer of a network draw from one generator."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.generator = generator
