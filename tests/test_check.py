"""The look at a device before it is trusted, with fakes in place of a GPU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import UNKNOWN
from seqcnn.engine.check import check_device, draw_windows
from seqcnn.errors import ConfigError


def score(codes, weight=1.0):
    """Stand-in for a model: logits (members, n, tasks)."""
    base = np.stack([(codes == b).mean(axis=1) for b in range(5)], axis=1)
    return weight * np.stack([base, base - 0.5])


def refuse(on_device, on_cpu=score):
    with pytest.raises(ConfigError) as refusal:
        check_device("cuda:0", on_device, on_cpu, length=60)
    message = str(refusal.value)
    assert message.startswith("--device cuda:0: logits ")
    assert "expected differences of at most" in message
    assert message.endswith("use --device cpu, or update the GPU's driver and torch")
    return message


def test_a_device_that_agrees_passes_in_silence() -> None:
    check_device("cuda:0", score, score, length=60)
    check_device("cuda:0", lambda codes: score(codes) + 9e-5, score, length=60)
    # As close as float32 gets to large logits.
    check_device("cuda:0", lambda c: score(c, 1e6) * (1 + 1e-6), lambda c: score(c, 1e6), length=60)


@pytest.mark.parametrize("row", range(8))
def test_a_difference_in_any_window_is_found(row) -> None:
    def spoiled(codes):
        logits = score(codes)
        logits[1, row, 2] += 0.002
        return logits

    assert "differ by up to 0.002 from the CPU's" in refuse(spoiled)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_found(value) -> None:
    def spoiled(codes):
        logits = score(codes)
        logits[0, 3, 1] = value
        return logits

    assert "not finite" in refuse(spoiled)


def test_rounding_to_ten_bits_is_found() -> None:
    def rounded(codes):
        mantissa, exponent = np.frexp(score(codes))
        return np.ldexp(np.rint(mantissa * 2**10) / 2**10, exponent)

    refuse(rounded)


def test_logits_of_another_shape_are_found() -> None:
    assert "shape (2, 7, 5), on the CPU (2, 8, 5)" in refuse(lambda codes: score(codes)[:, 1:])


def test_a_cpu_that_is_not_finite_is_no_excuse() -> None:
    refuse(score, lambda codes: score(codes) * np.nan)


@given(st.integers(1, 3000))
def test_windows_are_the_same_each_time_and_hold_unknown_bases(length) -> None:
    codes = draw_windows(length)
    assert codes.shape == (8, length)
    assert codes.dtype == np.uint8
    assert codes.max() == UNKNOWN
    assert (codes[0] < UNKNOWN).all()
    assert (codes[-1] == UNKNOWN).all()
    np.testing.assert_array_equal(codes, draw_windows(length))
