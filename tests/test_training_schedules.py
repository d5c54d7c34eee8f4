"""Schedules: the lecture's formulas, and torch's own schedulers."""

import math

import numpy as np
import pytest
import torch
from tiny_models import CPU, make_model, plant_split

from seqcnn.errors import ConfigError
from seqcnn.training import SCHEDULES, TrainingConfig, course, train_members
from seqcnn.training.schedules import plan_steps, read_schedule

STEPS, BATCH, ROWS = 40, 16, 64  # four steps an epoch


def plan(schedule, **config):
    made = TrainingConfig(
        steps=STEPS, batch_size=BATCH, learning_rate=2.0, schedule=schedule, **config
    )
    return plan_steps(made, rows=ROWS)


FORMULAS = {
    "constant": lambda _: 1.0,
    "inverse": lambda epoch: 1 / (1 + 1.0 * epoch),
    "inverse:0.5": lambda epoch: 1 / (1 + 0.5 * epoch),
    "exponential": lambda epoch: 0.95**epoch,
    "exponential:0.8": lambda epoch: 0.8**epoch,
    "root": lambda epoch: 1 / math.sqrt(epoch + 1),
    "root:3": lambda epoch: 3 / math.sqrt(epoch + 1),
    "staircase": lambda epoch: 0.5 ** (epoch // 2),
    "staircase:0.1:3": lambda epoch: 0.1 ** (epoch // 3),
    "plateau": lambda _: 1.0,
}


@pytest.mark.parametrize("schedule", FORMULAS)
def test_rates_are_those_of_the_formula(schedule) -> None:
    rates, momenta = plan(schedule, optimiser="nesterov", momentum=0.97)
    wanted = [2 * FORMULAS[schedule](step * BATCH // ROWS) for step in range(STEPS)]
    np.testing.assert_allclose(rates, wanted, rtol=1e-12)
    assert set(momenta) == {0.97}


def test_the_cosine_is_torchs() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=STEPS)
    for rate in plan("cosine")[0]:
        assert rate == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9, abs=1e-12)
        optimiser.step()
        scheduler.step()


def test_momenta_go_with_the_optimiser() -> None:
    assert set(plan("constant")[1]) == {0.9}
    for optimiser in ("sgd", "rmsprop"):
        assert set(plan("constant", optimiser=optimiser)[1]) == {0.0}
        assert set(plan("one-cycle", optimiser=optimiser)[1]) == {0.0}
        with pytest.raises(ConfigError, match=f"momentum: {optimiser} has none"):
            TrainingConfig(optimiser=optimiser, momentum=0.9)
    assert set(plan("constant", optimiser="momentum", momentum=0.0)[1]) == {0.0}


def test_what_is_no_schedule_or_optimiser_is_refused() -> None:
    for name, numbers in SCHEDULES.items():
        assert read_schedule(name).numbers == numbers
    cases = {
        "linear": "'linear'; expected one of one-cycle, constant",
        "constant:3": "as in constant$",
        "exponential:x": "as in exponential:0.95",
        "exponential:0": "positive numbers",
        "staircase:0.5:2:1": "as in staircase:0.5:2",
        "plateau:0.5:0.2": "at least 1 evaluation",
    }
    for text, message in cases.items():
        with pytest.raises(ConfigError, match=message):
            TrainingConfig(schedule=text)
    with pytest.raises(ConfigError, match="'lion'; expected one of adamw, adam, nesterov"):
        TrainingConfig(optimiser="lion")


def test_a_plateau_lowers_the_rate(monkeypatch) -> None:
    losses = iter([5.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 2.0, 4.0, 4.0])
    monkeypatch.setattr(
        course.Course, "_validation_losses", lambda _, numbers: {numbers[0]: next(losses)}
    )
    config = TrainingConfig(
        steps=10, batch_size=4, evaluations=10, patience=99, schedule="plateau:0.1:2",
        learning_rate=1e-3,
    )  # fmt: skip
    spec = make_model(length=30).spec
    split = plant_split(sizes=(20, 10, 4))
    _, history = train_members(split, spec, config, device=CPU, threads=1)
    rates = [row["learning_rate"] for row in history]
    np.testing.assert_allclose(rates, [1e-3] * 4 + [1e-4] * 2 + [1e-5] * 4)
