"""Temperatures, thresholds and reliability, against slow searches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.metrics import (
    choose_threshold,
    curve_bands,
    fit_class_temperature,
    fit_temperature,
    reliability_curve,
    roc_curve,
    softmax,
)


def draw(n: int, temperature: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are right when they are divided by the temperature."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, n)
    targets = (rng.random(n) < 1 / (1 + np.exp(-true))).astype(np.float32)
    return targets, true * temperature


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature: float) -> None:
    targets, logits = draw(20_000, temperature)
    assert fit_temperature(targets, logits) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_has_the_lowest_loss_beside_its_prior() -> None:
    targets, logits = draw(80, 2.0)
    signed = np.where(targets > 0.5, -logits, logits)

    def loss(temperature: float) -> float:
        prior = 0.5 * (np.log(temperature) / 0.7) ** 2
        return float(np.logaddexp(0, signed / temperature).sum() + prior)

    grid = np.exp(np.linspace(-2, 2, 4001))
    best = grid[np.argmin([loss(t) for t in grid])]
    assert fit_temperature(targets, logits) == pytest.approx(best, rel=2e-3)


def test_the_temperature_of_classes_has_the_lowest_loss() -> None:
    rng = np.random.default_rng(1)
    own = rng.integers(0, 4, 3000)
    logits = 3 * (rng.normal(size=(3000, 4)) + np.eye(4)[own])
    targets = np.eye(4)[own]
    grid = np.exp(np.linspace(-2, 3, 2001))
    losses = [-np.log(softmax(logits / t)[np.arange(3000), own]).sum() for t in grid]
    assert fit_class_temperature(targets, logits) == pytest.approx(
        grid[np.argmin(losses)], rel=0.01
    )


def test_few_labels_told_apart_do_not_ask_for_logits_without_end() -> None:
    targets, logits = np.array([0.0, 0, 1, 1]), np.array([-2.0, -1, 1, 2])
    assert 0.2 < fit_temperature(targets, logits) < 1
    assert fit_temperature([1, 1], [0.0, 3]) == 1
    assert fit_temperature([1, np.nan], [0.0, 3]) == 1


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=40).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[bool, int]]) -> None:
    targets = np.array([label for label, _ in rows])
    logits = np.array([float(score) for _, score in rows])

    def f1(threshold: float) -> float:
        called = logits > threshold
        return float(2 * (called & targets).sum() / (called.sum() + targets.sum()))

    best = max(f1(t) for t in np.arange(-6.5, 6))
    assert f1(choose_threshold(targets, logits)) == pytest.approx(best)


def test_without_one_of_the_classes_the_threshold_is_zero() -> None:
    assert choose_threshold([1, 1, np.nan], [3, 4, 5]) == 0


def test_reliability_counts_what_came_true() -> None:
    told, came, counts = reliability_curve([0, 1, 1, np.nan], [0.0, 0.01, 1.0, 0.5])
    np.testing.assert_allclose(told, [0.005, 1.0])
    np.testing.assert_allclose(came, [0.5, 1.0])
    np.testing.assert_array_equal(counts, [2, 1])


def test_bands_hold_the_curve_and_are_of_one_class_empty() -> None:
    targets, logits = draw(400, 1.0)
    (x, low, high), (_, lowest, highest) = curve_bands(targets, logits, seed=0)
    inside = np.interp(x, *roc_curve(targets, logits))
    assert ((low <= inside + 0.03) & (inside - 0.03 <= high)).all()
    assert (lowest <= highest).all()
    assert (high - low)[10:40].max() < 0.2
    assert all(len(part) == 0 for band in curve_bands([1, 1], [0, 1], seed=0) for part in band)
