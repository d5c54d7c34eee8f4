"""False discovery rates against the definition, however the p-values come in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from seqcnn import false_discovery
from seqcnn.false_discovery import PValueCounts, discover, q_values

P_LISTS = st.lists(st.integers(1, 30), min_size=1, max_size=60).map(lambda x: np.array(x) / 30)


def q_by_definition(p) -> list[float]:
    """Of each p: the least rate at which a cut at some p' >= p calls alleles."""
    m = len(p)
    return [
        min(1.0, *(cut * m / sum(other <= cut for other in p) for cut in p if cut >= own))
        for own in p
    ]


@given(P_LISTS)
def test_q_is_its_definition(p) -> None:
    np.testing.assert_allclose(q_values(p), q_by_definition(p.tolist()), rtol=1e-12)
    np.testing.assert_allclose(q_values(p), false_discovery_control(p), rtol=1e-12)


def test_many_p_values_agree_with_scipy() -> None:
    p = np.random.default_rng(0).random(20_000) ** 3
    np.testing.assert_allclose(q_values(p), false_discovery_control(p), rtol=1e-9)


@given(P_LISTS)
def test_q_is_no_less_than_p_and_rises_with_it(p) -> None:
    q = q_values(p)
    assert (q >= p).all()
    assert (q <= 1).all()
    assert (np.diff(q[np.argsort(p)]) >= 0).all()


def test_a_missing_p_is_no_test() -> None:
    p = np.array([0.01, np.nan, 0.02, 0.5, np.nan])
    q = q_values(p)
    assert np.isnan(q[[1, 4]]).all()
    np.testing.assert_array_equal(q[[0, 2, 3]], q_values(p[[0, 2, 3]]))
    assert np.isnan(q_values(np.full(3, np.nan))).all()
    assert q_values(np.empty(0)).shape == (0,)


@pytest.mark.parametrize("pending", [1, 1 << 20])
@given(p=st.lists(st.tuples(*[st.integers(0, 20)] * 2), max_size=40), sizes=st.data())
def test_neither_blocks_nor_their_order_matter(pending, p, sizes) -> None:
    values = np.array(p, dtype=float).reshape(-1, 2) / 20
    values[values == 0] = np.nan
    counts = PValueCounts(2)
    cuts = sizes.draw(st.lists(st.integers(0, len(values)), max_size=4).map(sorted))
    blocks = np.split(values, cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(false_discovery, "_PENDING", pending)
        for block in sizes.draw(st.permutations(blocks)):
            counts.add(block)
    assert counts.tests == (~np.isnan(values)).sum(axis=0).tolist()
    for column, found in zip(values.T, counts.adjust(), strict=True):
        np.testing.assert_array_equal(found.look_up(column), q_values(column))


def test_tasks_are_families_of_their_own() -> None:
    p = np.random.default_rng(1).random((200, 3))
    counts = PValueCounts(3)
    counts.add(p)
    for task, found in enumerate(counts.adjust()):
        np.testing.assert_array_equal(found.look_up(p[:, task]), q_values(p[:, task]))


def test_equal_p_values_are_kept_once() -> None:
    counts = PValueCounts(1)
    for _ in range(50):
        counts.add(np.full((1000, 1), 0.25))
    (found,) = counts.adjust()
    assert found.p.tolist() == [0.25]
    assert counts.tests == [50_000]
    assert discover(np.array([0.25]), np.array([50_000])).q.tolist() == [0.25]


@pytest.mark.parametrize("bad", [[[1.5]], [[-0.1]], [[np.inf]], [[0.5, 0.5]], [0.5]])
def test_what_is_no_p_value_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="p-values"):
        PValueCounts(1).add(np.array(bad))


def test_a_p_that_was_not_counted_has_no_q() -> None:
    counts = PValueCounts(1)
    counts.add(np.array([[0.5]]))
    for other in (0.25, 0.75):
        with pytest.raises(ValueError, match="not counted"):
            counts.adjust()[0].look_up(np.array([other]))
    with pytest.raises(ValueError, match="not counted"):
        PValueCounts(1).adjust()[0].look_up(np.array([0.5]))


def test_the_false_discovery_rate_is_kept() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        null, real = rng.random(900), rng.random(100) * 1e-3
        called = q_values(np.concatenate([null, real])) <= 0.1
        shares.append(called[:900].sum() / max(1, called.sum()))
    assert 0.07 < np.mean(shares) < 0.11
