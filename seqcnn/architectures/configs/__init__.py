"""The numbers of each network family, readable without torch.

To add a family: a config dataclass in one of these modules and in `ARCHITECTURES`. A
`StackedConfig` that lists its layers is a network already; any other needs a module in a file of
its own, named in `seqcnn.architectures.networks`.
"""

from seqcnn.architectures.configs.base import NetworkConfig, SeveralConfig, StackedConfig
from seqcnn.architectures.configs.chains import (
    AlexNetConfig,
    LeNetConfig,
    RecurrentConfig,
    VGGConfig,
)
from seqcnn.architectures.configs.linked import DenseNetConfig, ResNetConfig
from seqcnn.architectures.configs.parallel import InceptionConfig, OctaveConfig
from seqcnn.architectures.configs.pooled import DeepBindConfig, MotifConfig
from seqcnn.architectures.configs.positions import FCNConfig, UNetConfig
from seqcnn.architectures.configs.registry import (
    ARCHITECTURES,
    configure,
    describe_architecture,
)

__all__ = [
    "ARCHITECTURES",
    "AlexNetConfig",
    "DeepBindConfig",
    "DenseNetConfig",
    "FCNConfig",
    "InceptionConfig",
    "LeNetConfig",
    "MotifConfig",
    "NetworkConfig",
    "OctaveConfig",
    "RecurrentConfig",
    "ResNetConfig",
    "SeveralConfig",
    "StackedConfig",
    "UNetConfig",
    "VGGConfig",
    "configure",
    "describe_architecture",
]
