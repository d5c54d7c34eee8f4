"""Regression targets: when they are learned as log2, and what that does to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import skew

from seqcnn.datasets import LabelledSequences
from seqcnn.errors import ConfigError
from seqcnn.genome import Sequences
from seqcnn.splits import Split
from seqcnn.targets import choose_transform, transform_split, transform_targets


def labelled(targets: object) -> LabelledSequences:
    values = np.atleast_2d(np.asarray(targets, dtype=np.float32).T).T
    sequences = Sequences(np.zeros((len(values), 4), np.uint8), tuple(map(str, range(len(values)))))
    return LabelledSequences(sequences, values, tuple("abc"[: values.shape[1]]))


def intensities(seed: int) -> np.ndarray:
    return np.exp2(np.random.default_rng(seed).normal(11, 1, 500)).astype(np.float32)


def test_intensities_are_learned_as_log2() -> None:
    assert skew(intensities(1)) > 1 > abs(skew(np.log2(intensities(1))))
    assert choose_transform(labelled(intensities(1))) == "log2"


def test_a_missing_label_does_not_matter() -> None:
    values = intensities(2)
    values[::7] = np.nan
    assert choose_transform(labelled(values)) == "log2"


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_symmetrical_targets_stay(shift: float) -> None:
    values = np.random.default_rng(3).normal(shift, 1, 500)
    assert choose_transform(labelled(values)) == "none"


def test_a_target_of_zero_has_no_logarithm() -> None:
    assert choose_transform(labelled([0, *intensities(4)])) == "none"
    with pytest.raises(ConfigError, match=r"the value 0; expected values above 0.*--transform"):
        transform_targets(labelled([1, 0, 4]), "log2")


def test_one_task_that_is_not_skewed_keeps_all_as_they_are() -> None:
    both = np.column_stack([intensities(5), np.random.default_rng(5).normal(50, 1, 500)])
    assert choose_transform(labelled(both)) == "none"


@given(st.lists(st.floats(0.125, 1e6, width=32), min_size=1, max_size=20))
def test_log2_is_log2_and_none_is_nothing(values: list[float]) -> None:
    data = labelled(values)
    assert transform_targets(data, "none") is data
    expected = np.log2(np.array(values, dtype=np.float32))
    assert np.allclose(transform_targets(data, "log2").targets[:, 0], expected, rtol=1e-6)


def test_all_sides_of_a_split_are_brought_to_one_scale() -> None:
    split = transform_split(Split(*(labelled([2.0, 8.0, np.nan]) for _ in range(3))), "log2")
    for side in (split.train, split.validation, split.test):
        assert np.array_equal(side.targets[:, 0], [1, 3, np.nan], equal_nan=True)
