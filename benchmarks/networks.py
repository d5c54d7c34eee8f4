"""The networks as one writes them in plain PyTorch: what the peers are given.

A checkpoint is a file of tensors and plain values, so that environments without seqcnn can load
it. Of each family there is the form that the benchmarks use.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "BothStrands",
    "PlainAlexNet",
    "PlainDeepBind",
    "PlainMotif",
    "PlainResNet",
    "load_network",
    "save_network",
]


class PlainDeepBind(nn.Module):
    """Padded convolution, ReLU, global maximum, linear."""

    def __init__(self, detectors: int, width: int, tasks: int) -> None:
        super().__init__()
        self.padding = width - 1
        self.convolution = nn.Conv1d(4, detectors, width)
        self.head = nn.Linear(detectors, tasks)

    def forward(self, one_hot: Tensor) -> Tensor:
        padded = functional.pad(one_hot, (self.padding, self.padding), value=0.25)
        return self.head(functional.relu(self.highest(self.convolution(padded))))

    @staticmethod
    def highest(scores: Tensor) -> Tensor:
        """Find each detector's largest score (n, detectors)."""
        return scores.amax(dim=2)


class PlainMotif(nn.Module):
    """Convolution, batch norm, exponential, global maximum and mean, batch norm, dense layers."""

    def __init__(self, config: dict[str, Any], tasks: int) -> None:
        super().__init__()
        detectors, width, hidden = (config[key] for key in ("detectors", "width", "hidden"))
        self.ceiling = config["ceiling"]
        self.convolution = nn.Conv1d(4, detectors, width, bias=False)
        self.norm = nn.BatchNorm1d(detectors)
        self.head_norm = nn.BatchNorm1d(2 * detectors)
        layers: list[nn.Module] = [nn.Linear(2 * detectors, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(*layers, nn.Linear(hidden or 2 * detectors, tasks))

    def forward(self, one_hot: Tensor) -> Tensor:
        scores = self.norm(self.convolution(one_hot))
        activations = torch.exp(scores.clamp(max=self.ceiling))
        pooled = torch.cat([activations.amax(dim=2), activations.mean(dim=2)], dim=1)
        return self.head(self.head_norm(pooled))


class PlainAlexNet(nn.Module):
    """Three times convolution, batch norm, ReLU and maximum; then dense layers."""

    def __init__(self, config: dict[str, Any], length: int, tasks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 4
        for i in "123":
            channels, width, pool = (config[f"{key}{i}"] for key in ("channels", "width", "pool"))
            layers.append(nn.Conv1d(inputs, channels, width, bias=False))
            layers += [nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(pool)]
            length, inputs = (length - width + 1) // pool, channels
        self.trunk = nn.Sequential(*layers)
        layers, inputs = [], inputs * length
        for i in "12":
            units = config[f"hidden{i}"]
            layers += [nn.Linear(inputs, units, bias=False), nn.BatchNorm1d(units)]
            layers += [nn.ReLU(), nn.Dropout(config["dropout"])]
            inputs = units
        self.head = nn.Sequential(*layers, nn.Linear(inputs, tasks))

    def forward(self, one_hot: Tensor) -> Tensor:
        return self.head(self.trunk(one_hot).transpose(1, 2).flatten(1))


class _Residual(nn.Module):
    """A dilated convolution, batch norm and ReLU, added to what goes in."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, kernel, dilation=dilation, padding="same", bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.body(inputs)


class PlainResNet(nn.Module):
    """A stem, residual blocks of growing dilation, the mean over all positions, linear."""

    def __init__(self, config: dict[str, Any], tasks: int) -> None:
        super().__init__()
        channels, width = config["channels"], config["width"]
        self.padding = width // 2
        self.trunk = nn.Sequential(
            nn.Conv1d(4, channels, width, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            *(
                _Residual(channels, config["kernel"], 2**number)
                for number in range(1, config["blocks"] + 1)
            ),
        )
        self.head = nn.Sequential(nn.Dropout(config["dropout"]), nn.Linear(channels, tasks))

    def forward(self, one_hot: Tensor) -> Tensor:
        padded = functional.pad(one_hot, (self.padding, self.padding), value=0.25)
        return self.head(self.trunk(padded).mean(dim=2))


class BothStrands(nn.Module):
    """The larger, or the mean, of the logits of a sequence and of its reverse complement."""

    def __init__(self, network: nn.Module, strands: str) -> None:
        super().__init__()
        self.network = network
        self.strands = strands

    def forward(self, one_hot: Tensor) -> Tensor:
        forward = self.network(one_hot)
        if self.strands == "single":
            return forward
        return self.combine(forward, self.network(one_hot.flip(1, 2)))

    def combine(self, forward: Tensor, reverse: Tensor) -> Tensor:
        if self.strands == "max":
            return torch.maximum(forward, reverse)
        return (forward + reverse) / 2


_NAMES = {
    "deepbind": {
        "detectors": "convolution.weight",
        "thresholds": "convolution.bias",
        "head.1.": "head.",
    },
    "motif": {
        "detectors": "convolution.weight",
        "norm.": "norm.",
        "head.0.": "head_norm.",
        "head.2.": "head.0.",
        "head.4.": "head.2.",
    },
}
"""Beginnings of seqcnn's names of weights, and what they are here."""


def save_network(model: Any, path: Path) -> Path:
    """Write the first member of a trained model as a checkpoint."""
    from dataclasses import asdict

    spec = model.spec
    weights = {name: torch.tensor(value) for name, value in model.members[0].items()}
    for old, new in _NAMES.get(spec.architecture, {}).items():
        renamed = {name: new + name.removeprefix(old) for name in weights if name.startswith(old)}
        weights = {renamed.get(name, name): value for name, value in weights.items()}
    described = {"family": spec.architecture, "config": asdict(spec.config)}
    described |= {"tasks": len(spec.tasks), "strands": spec.strands, "length": spec.length}
    torch.save({**described, "state": weights}, path)
    return path


def load_network(path: str | Path) -> BothStrands:
    """Make the network of a checkpoint, ready to predict."""
    saved = torch.load(path)
    network = _build(saved)
    network.load_state_dict(saved["state"], strict=False)
    both = BothStrands(network, saved["strands"]).eval()
    missing = set(network.state_dict()) - set(saved["state"])
    if any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"weights that the checkpoint does not have: {sorted(missing)}")
    return both


def _build(saved: dict[str, Any]) -> nn.Module:
    family, config, tasks = saved["family"], saved["config"], saved["tasks"]
    if family == "deepbind" and config["pooling"] == "max" and not config["hidden"]:
        return PlainDeepBind(config["detectors"], config["width"], tasks)
    if family == "motif":
        return PlainMotif(config, tasks)
    usual = {"first": "relu", "padding": "valid", "norm": "batch"}
    if all(config.get(key, value) == value for key, value in usual.items()):
        if family == "alexnet":
            return PlainAlexNet(config, saved["length"], tasks)
        if family == "resnet":
            return PlainResNet(config, tasks)
    raise ValueError(f"no plain network for {family} with {config}")
