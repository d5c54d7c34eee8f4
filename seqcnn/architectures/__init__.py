"""The network families: a config dataclass and a module for each, found by name.

`ARCHITECTURES` maps the name of ``--arch`` to the config; nothing here imports torch until
`build_network` makes a network.
"""

from seqcnn.architectures.configs import (
    ARCHITECTURES,
    AlexNetConfig,
    DeepBindConfig,
    MotifConfig,
    NetworkConfig,
    ResNetConfig,
    SeveralConfig,
    StackedConfig,
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
