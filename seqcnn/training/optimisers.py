"""Torch's own optimisers, for networks that are trained through autograd."""

import torch
from torch import Tensor, nn

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.training.config import TrainingConfig, Weights
from seqcnn.training.transfer import slow_names

__all__ = ["make_optimiser", "pull_to_zero", "set_mode", "set_pace"]

_SMOOTHING = 0.99
"""Of RMSProp's mean of squares; torch's own."""


def make_optimiser(
    network: SequenceNetwork,
    config: TrainingConfig,
    device: torch.device,
    *,
    start: Weights | None = None,
) -> torch.optim.Optimizer:
    """Make the optimiser of a network; what is frozen is not among its parameters.

    Each group has the ``share`` of the rate that it learns with, and its ``l1``.
    """
    slow = slow_names(network, start)
    groups: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        share = config.trunk_rate if name in slow else 1.0
        parameter.requires_grad_(share > 0)
        decay, l1 = 0.0, 0.0
        if parameter.ndim > 1:
            decay = config.weight_decay
            l1 = config.l1_of_detectors if parameter is network.detectors else config.l1
        if share > 0:
            groups.setdefault((share, decay, l1), []).append(parameter)
    return _choose(
        [
            {"params": parameters, "share": share, "weight_decay": decay, "l1": l1}
            for (share, decay, l1), parameters in groups.items()
        ],
        config,
        fused=device.type in {"cpu", "cuda"},
    )


def _choose(
    groups: list[dict[str, object]], config: TrainingConfig, *, fused: bool
) -> torch.optim.Optimizer:
    rate, momentum = config.learning_rate, config.first_momentum
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=fused)
    if config.optimiser == "adam":
        return torch.optim.Adam(groups, lr=rate, fused=fused)
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=_SMOOTHING)
    nesterov = config.optimiser == "nesterov" and momentum > 0
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=nesterov, fused=fused)


def set_pace(optimiser: torch.optim.Optimizer, rate: float, momentum: float) -> None:
    """Set rate and momentum of the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif "nesterov" in group:
            group["momentum"] = momentum


@torch.no_grad()
def pull_to_zero(optimiser: torch.optim.Optimizer) -> None:
    """Add the gradient of the sum of absolute weights, times the L1 of each group."""
    for group in optimiser.param_groups:
        if not group["l1"]:
            continue
        for parameter in group["params"]:
            slope: Tensor | None = parameter.grad
            if slope is not None:
                slope.add_(parameter.sign(), alpha=group["l1"])


def set_mode(network: SequenceNetwork) -> None:
    """Put a network into training; batch norms whose parameters are frozen stay as they are."""
    network.train()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.training = False
