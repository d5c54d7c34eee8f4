"""The numbers of each network family, readable without torch.

To add a family: a config dataclass in one of these modules and in `ARCHITECTURES`. A
`StackedConfig` that lists its layers is a network already; any other needs a module in a file of
its own, named in `seqcnn.architectures.networks`.
"""

from seqcnn.architectures.configs.base import NetworkConfig, SeveralConfig, StackedConfig
from seqcnn.architectures.configs.chains import AlexNetConfig
from seqcnn.architectures.configs.linked import ResNetConfig
from seqcnn.architectures.configs.pooled import DeepBindConfig, MotifConfig
from seqcnn.architectures.configs.registry import (
    ARCHITECTURES,
    configure,
    describe_architecture,
)

__all__ = [
    "ARCHITECTURES",
    "AlexNetConfig",
    "DeepBindConfig",
    "MotifConfig",
    "NetworkConfig",
    "ResNetConfig",
    "SeveralConfig",
    "StackedConfig",
    "configure",
    "describe_architecture",
]
