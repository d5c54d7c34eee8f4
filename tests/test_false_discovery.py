"""False discovery rates against the definition, however the p-values come in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from seqcnn.significance import discover, q_values

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


def test_equal_p_values_count_each() -> None:
    p, counts = np.array([0.1, 0.25, 0.5]), np.array([3, 40, 7])
    each = q_values(np.repeat(p, counts))
    np.testing.assert_array_equal(np.repeat(discover(p, counts), counts), each)
    assert discover(np.array([0.25]), np.array([50_000])).tolist() == [0.25]


def test_the_false_discovery_rate_is_kept() -> None:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        null, real = rng.random(900), rng.random(100) * 1e-3
        called = q_values(np.concatenate([null, real])) <= 0.1
        shares.append(called[:900].sum() / max(1, called.sum()))
    assert 0.07 < np.mean(shares) < 0.11
