"""Losses over the labels that are there; missing ones are NaN."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from seqcnn.training.heads import BEND

__all__ = ["mean_loss", "sum_losses"]


def sum_losses(logits: Tensor, targets: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Sum the loss over rows and tasks, the last two axes, and count the labels.

    `kind` is that of `ModelSpec.loss`. Of classes that exclude each other, a row has one label.
    """
    if kind == "multiclass":
        return _sum_class_losses(logits, targets)
    known = ~targets.isnan()
    filled = torch.where(known, targets, torch.zeros_like(targets)).expand_as(logits)
    if kind == "regression":
        losses = functional.huber_loss(logits, filled, reduction="none", delta=BEND)
    else:
        losses = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    losses = torch.where(known, losses, torch.zeros_like(losses))
    return losses.sum(dim=(-2, -1)), known.sum(dim=(-2, -1))


def _sum_class_losses(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the cross entropy of the softmax over rows."""
    known = ~targets.isnan().any(dim=-1)
    filled = torch.where(known[..., None], targets, torch.zeros_like(targets))
    losses = -(filled * functional.log_softmax(logits, dim=-1)).sum(dim=-1)
    return losses.sum(dim=-1), known.sum(dim=-1)


def mean_loss(
    logits: NDArray[np.float32],
    targets: NDArray[np.float32],
    kind: str,
    *,
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Measure the mean loss of logits (n, tasks) in double precision; rows may have weights."""
    given = torch.from_numpy(targets).double()
    if weights is None:
        total, known = sum_losses(torch.from_numpy(logits).double(), given, kind)
        return float(total) / max(int(known), 1)
    each = sum_losses(torch.from_numpy(logits).double()[:, None], given[:, None], kind)
    total, known = (torch.from_numpy(weights) @ values.double() for values in each)
    return float(total) / (float(known) or 1.0)
