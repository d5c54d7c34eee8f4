"""Types of alleles and their p-values, against slow versions of both."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import encode
from seqcnn.significance import ALLELE_TYPES, UNTYPED, Null, allele_types, p_values
from seqcnn.variants.draft import Spellings

TYPES = len(ALLELE_TYPES)


def spell(alleles) -> Spellings:
    ends = np.cumsum([0, *map(len, alleles)])
    return Spellings(encode("".join(alleles)), ends.astype(np.int64))


def name_types(refs, alts) -> list[str]:
    found = allele_types(spell(refs), spell(alts))
    assert found.dtype == np.uint8
    return ["" if number == UNTYPED else ALLELE_TYPES[number] for number in found]


def type_by_definition(ref, alt) -> str:
    if len(ref) == len(alt) == 1:
        return "" if "N" in ref + alt or ref == alt else f"{ref}>{alt}"
    longer = max(len(ref), len(alt))
    kind = "other" if ref and alt else "deletion" if ref else "insertion"
    size = "1" if longer == 1 else "2-4" if longer < 5 else "5+"
    return f"{kind}_{size}" if longer else ""


ALLELES = st.text("ACGTN", max_size=7)


@given(st.lists(st.tuples(ALLELES, ALLELES), max_size=30))
def test_a_type_is_its_definition(pairs) -> None:
    refs, alts = [ref for ref, _ in pairs], [alt for _, alt in pairs]
    assert name_types(refs, alts) == [type_by_definition(*pair) for pair in pairs]


def test_every_type_occurs_once() -> None:
    assert len(set(ALLELE_TYPES)) == TYPES == 20
    letters = [(ref, alt) for ref in "ACGT" for alt in "ACGT" if ref != alt]
    lengths = ["A", "AC", "ACGTACGT"]
    pairs = [*letters, *(("", alt) for alt in lengths), *((ref, "") for ref in lengths)]
    pairs += [("AC", "GT"), ("A", "CCCCC")]
    assert name_types(*zip(*pairs, strict=True)) == list(ALLELE_TYPES)


# p-values


def draw_null(*, tasks=1, count=50, seed=0, **rest) -> Null:
    drawn = np.random.default_rng(seed).gamma(1, size=(TYPES, tasks, count))
    return Null(np.sort(drawn, axis=2).astype(np.float32), **rest)


def p_by_definition(null, number, task, delta) -> float:
    larger = [size for size in null.sizes[number, task] if size >= np.float32(abs(delta))]
    return (len(larger) + 1) / (null.sizes.shape[2] + 1)


def test_a_p_is_its_definition() -> None:
    null = draw_null(tasks=2)
    rng = np.random.default_rng(1)
    types = rng.integers(0, TYPES, 300).astype(np.uint8)
    delta = rng.normal(size=(300, 2)) * 2
    found = p_values(null, types, delta)
    expected = [
        [p_by_definition(null, number, task, row[task]) for task in (0, 1)]
        for number, row in zip(types, delta, strict=True)
    ]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(p_values(null, types, -delta), found)


def test_ties_count_against_significance() -> None:
    null = Null(np.tile(np.float32([0.1, 0.1, 0.3, 0.3]), (TYPES, 1, 1)))
    delta = np.array([[0.1], [0.3], [-0.3], [0.30001], [0.2], [0.0]])
    found = p_values(null, np.zeros(6, np.uint8), delta)
    assert found.ravel().tolist() == [1, 3 / 5, 3 / 5, 1 / 5, 3 / 5, 1]


def test_a_null_of_nothing_makes_nothing_significant_of_nothing() -> None:
    null = Null(np.zeros((TYPES, 1, 9), np.float32))
    types = np.array([0, 19], dtype=np.uint8)
    assert p_values(null, types, np.zeros((2, 1))).tolist() == [[1], [1]]
    assert p_values(null, types, np.ones((2, 1))).tolist() == [[0.1], [0.1]]


def test_rounding_is_no_effect() -> None:
    sizes = np.zeros((TYPES, 1, 99), np.float32)
    sizes[..., -1] = 2
    found = p_values(Null(sizes), np.zeros(3, np.uint8), np.array([[1e-7], [-1.9e-6], [1e-3]]))
    assert found.ravel().tolist() == [1, 1, 0.02]


def test_what_cannot_be_compared_has_no_p() -> None:
    null = replace(draw_null(), types=(*ALLELE_TYPES[:-1], "made_up"))
    types = np.array([0, UNTYPED, TYPES - 1, 0], dtype=np.uint8)
    found = p_values(null, types, np.array([[1.0], [1.0], [1.0], [np.nan]]))
    assert np.isnan(found).ravel().tolist() == [False, True, True, True]
    assert p_values(null, types[:0], np.empty((0, 1))).shape == (0, 1)


def test_types_are_found_by_name() -> None:
    null = draw_null()
    turned = Null(null.sizes[::-1].copy(), ALLELE_TYPES[::-1])
    types = np.arange(TYPES, dtype=np.uint8)
    delta = np.linspace(0.1, 3, TYPES)[:, None]
    np.testing.assert_array_equal(p_values(null, types, delta), p_values(turned, types, delta))


def test_a_null_suits_its_own_strands_and_shifts() -> None:
    null = draw_null(strands="max", shifts=3)
    assert null.suits(strands="max", shifts=3)
    assert not null.suits(strands="average", shifts=3)
    assert not null.suits(strands="max", shifts=1)


GOOD = draw_null(count=5)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": GOOD.sizes[0]},
        {"sizes": GOOD.sizes[:3]},
        {"sizes": GOOD.sizes[..., :0]},
        {"sizes": GOOD.sizes[..., ::-1]},
        {"sizes": -GOOD.sizes[..., ::-1]},
        {"sizes": GOOD.sizes.astype(np.float64)},
        {"sizes": np.full_like(GOOD.sizes, np.nan)},
        {"sizes": np.full_like(GOOD.sizes, np.inf)},
        {"types": ALLELE_TYPES[:-1]},
        {"types": (*ALLELE_TYPES[:-1], 3)},
        {"types": (*ALLELE_TYPES[:-1], ALLELE_TYPES[0])},
        {"shifts": 0},
        {"shifts": True},
        {"shifts": "1"},
        {"strands": 1},
        {"source": None},
    ],
)
def test_what_is_no_null_is_refused(changes) -> None:
    with pytest.raises(ValueError, match="null"):
        replace(GOOD, **changes)
