"""Losses in compiled loops and on torch, against their definitions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from seqcnn.training.heads import BEND, class_loss_and_slopes, loss_and_slopes
from seqcnn.training.losses import mean_loss, sum_losses


def draw_logits(sides: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(sides, 3, 7, 4)).astype(np.float32)


def draw_classes(*, seed: int = 0) -> np.ndarray:
    own = np.random.default_rng(seed).integers(0, 4, 7)
    targets = np.eye(4, dtype=np.float32)[own]
    targets[2] = np.nan
    return targets


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", ["multiclass", "labels", "regression"])
def test_loss_and_gradient_are_those_of_autograd(sides: int, kind: str) -> None:
    logits = draw_logits(sides)
    targets = draw_classes()
    if kind == "regression":
        targets = 3 * np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
        targets[2, 1] = np.nan
    slopes, losses = np.empty_like(logits), np.empty(3)
    if kind == "multiclass":
        class_loss_and_slopes(logits, targets, slopes, losses)
    else:
        loss_and_slopes(logits, targets, kind == "regression", slopes, losses)
    inputs = torch.from_numpy(logits).double().requires_grad_()
    total, known = sum_losses(inputs.amax(dim=0), torch.from_numpy(targets).double(), kind)
    (total / known).sum().backward()
    np.testing.assert_allclose(losses, (total / known).detach(), rtol=1e-5)
    np.testing.assert_allclose(slopes, inputs.grad, atol=1e-6)


def test_the_loss_of_classes_is_the_cross_entropy_of_rows_that_have_one() -> None:
    logits, targets = draw_logits(1)[0, 0], draw_classes()
    known = ~np.isnan(targets[:, 0])
    own = torch.from_numpy(targets[known].argmax(axis=1))
    expected = functional.cross_entropy(torch.from_numpy(logits[known]).double(), own)
    assert mean_loss(logits, targets, "multiclass") == pytest.approx(float(expected))


def test_the_loss_of_values_grows_with_the_square_and_then_along_a_line() -> None:
    targets = np.zeros((1, 1), np.float32)
    for error in (0.5, BEND, 7.0):
        expected = error**2 / 2 if error <= BEND else BEND * (error - BEND / 2)
        logits = np.full((1, 1), error, np.float32)
        assert mean_loss(logits, targets, "regression") == pytest.approx(expected)
