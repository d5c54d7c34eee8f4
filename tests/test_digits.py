"""Many numbers spelled at once, against Python's own spelling."""

import numpy as np
import pytest

from seqcnn.cli.digits import format_many
from seqcnn.spelling import format_numbers


def draw_numbers(rng: np.random.Generator) -> np.ndarray:
    """Draw numbers of all sizes, and those at which a spelling changes."""
    count = 4000
    edges = [0.0, -0.0, 1e-4, 9.9999949e-5, 9.9999951e-5, 0.1, 0.99999949, 0.9999995, 1, 10, 1e5]
    edges += [999999.4, 999999.5, 1e6, 999.9999994, 999.9999996, 1e-320, 1e300]
    edges += [np.nan, np.inf, 9.5e-7, 4.9e-7]
    parts = [
        rng.normal(0, 2, count),
        1 / (1 + np.exp(-rng.normal(0, 5, count))),
        np.exp(rng.normal(0, 9, count)),
        rng.integers(-(10**7), 10**7, count) / 1e6,
        (rng.integers(0, 10**6, count) + 0.5) / 1e6,  # halves
        rng.integers(0, 10**6, count) / 4,
        np.round(rng.normal(0, 3, count), 2),
    ]
    drawn = np.concatenate([*parts, edges])
    return np.concatenate([drawn, -drawn])


@pytest.mark.parametrize("form", ["%.6g", "%.6f", "%.3g"])
def test_each_number_is_spelled_as_alone(form: str) -> None:
    values = draw_numbers(np.random.default_rng(5))
    assert format_many(values, form) == format_numbers(values, form)
    few = values[:50].reshape(5, 10)
    assert format_many(few, form) == format_numbers(few, form)


def test_nothing_but_missing_ones() -> None:
    assert format_many(np.full((3, 5000), np.nan), "%.6g") == ["."] * 15_000
