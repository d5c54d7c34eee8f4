"""Several processes that train one network: each has a part of every batch.

Batches, weights and steps are those of one process: each process draws the whole batch and takes
its rows, gradients are averaged by torch's DistributedDataParallel, and batch norms measure the
whole batch. Only dropout differs, whose masks are drawn by each process. Networks with global
pooling are too small to share: the first process trains them alone.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

__all__ = ["HelperFinished", "Processes", "find_processes", "share_batches"]


class HelperFinished(BaseException):
    """The networks are trained, and this process, which only helped, has nothing more to do."""


@dataclass(frozen=True)
class Processes:
    """The processes of a training.

    Attributes
    ----------
    rank
        The number of this one; only 0 writes.
    number
        How many there are.
    """

    rank: int = 0
    number: int = 1

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes; no gradient."""
        if self.number == 1:
            return value
        whole = value.detach().clone()
        distributed.all_reduce(whole)
        return whole


def find_processes() -> Processes:
    """Tell which process this is, and of how many."""
    if distributed.is_available() and distributed.is_initialized():
        return Processes(distributed.get_rank(), distributed.get_world_size())
    return Processes()


def share_batches(forward: nn.Module, device: torch.device) -> nn.Module:
    """Let a module train on a part of each batch in each process, as one would on the whole."""
    for module in forward.modules():
        if isinstance(module, _BatchNorm):
            module.forward = partial(_normalise, module)  # type: ignore[method-assign]
    places = [device.index or 0] if device.type == "cuda" else None
    return DistributedDataParallel(forward, device_ids=places)


class _Total(torch.autograd.Function):
    """The sum over all processes, and of its gradient likewise."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004
        whole = value.clone()
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:  # noqa: ARG004
        whole = slopes[0].clone()
        distributed.all_reduce(whole)
        return whole


def _normalise(norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """Normalise the channels, axis 1, of a batch that is shared out to the processes."""
    if not norm.training or norm.running_mean is None or norm.running_var is None:
        return type(norm).forward(norm, inputs)
    axes = [axis for axis in range(inputs.ndim) if axis != 1]
    shape = [1, -1, *[1] * (inputs.ndim - 2)]
    count = inputs.new_tensor(inputs.numel() / inputs.shape[1])
    distributed.all_reduce(count)
    total = partial(cast("Any", _Total.apply))
    mean = total(inputs.sum(dim=axes)) / count
    centred = inputs - mean.view(shape)
    variance = total(centred.square().sum(dim=axes)) / count
    with torch.no_grad():
        momentum = 0.1 if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, momentum)
        norm.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return cast("Tensor", centred * scale.view(shape) + norm.bias.view(shape))
