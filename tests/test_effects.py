"""Effects of alleles against their definition."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import draw_codes, make_model

from seqcnn.effects import active_quantile, pair_types, score_pairs
from seqcnn.engine import Engine
from seqcnn.genome import Genome, Haplotypes
from seqcnn.nulls import draw_null
from seqcnn.significance import ALLELE_TYPES, UNTYPED, allele_types, p_values
from seqcnn.variants import AllelePairs, AllelePlacer, ContigPairs, VcfBlock, allele_pairs

FIELDS = (
    "p",
    "ref_logit",
    "alt_logit",
    "delta",
    "probability_difference",
    "deepbind",
    "quantile",
    "sd",
)


def draw_pairs(n=7, *, shifts=1, length=20) -> list[AllelePairs]:
    pairs = []
    for shift in range(shifts):
        ref = draw_codes(n, length, seed=shift)
        alt = ref.copy()
        alt[:, length // 2] = (alt[:, length // 2] + 1) % 4
        pairs.append(pair_windows(ref, alt))
    return pairs


def pair_windows(ref, alt) -> AllelePairs:
    """Pairs of any windows: all of their bases are letters."""
    n, length = ref.shape
    starts = np.arange(n) * length
    ends = np.arange(n + 1) * length
    removed = np.full(n, length)
    sides = [Haplotypes(starts, starts, removed, codes.ravel(), ends) for codes in (ref, alt)]
    contig = np.zeros(n * length, dtype=np.uint8)
    return AllelePairs(length, np.arange(n), (ContigPairs(contig, np.arange(n), *sides),))


def with_reference(model, quantiles=101):
    logits = Engine(model, threads=1).predict(draw_codes(500, 20, seed=99)).logits
    values = np.quantile(logits, np.linspace(0, 1, quantiles), axis=0).T
    return replace(model, reference=values.astype(np.float32))


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("shifts", [1, 4])
def test_every_score_is_its_definition(members, shifts) -> None:
    model = with_reference(
        make_model(members=members, tasks=("a", "b"), task_kind="multilabel", values={"ceiling": 1})
    )
    engine = Engine(model, threads=1)
    pairs = draw_pairs(shifts=shifts)
    effects = score_pairs(engine, pairs)
    ref, alt = (
        np.mean([engine.predict(getattr(pair, side)).members for pair in pairs], axis=0)
        for side in ("ref", "alt")
    )  # (members, n, tasks)
    for n in range(7):
        for task in (0, 1):
            r, a = ref[:, n, task], alt[:, n, task]
            higher = max(r.mean(), a.mean())
            probability = [1 / (1 + np.exp(-side.mean())) for side in (r, a)]
            column = model.reference[task].astype(float)
            expected = {
                "ref_logit": r.mean(),
                "alt_logit": a.mean(),
                "delta": a.mean() - r.mean(),
                "probability_difference": probability[1] - probability[0],
                "deepbind": (a.mean() - r.mean()) * max(0, higher),
                "quantile": np.interp(higher, column, np.linspace(0, 1, 101)),
                "sd": np.std(a - r, ddof=1) if members > 1 else np.nan,
            }
            for name, value in expected.items():
                found = getattr(effects, name)[n, task]
                assert found == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_a_regression_has_no_probability() -> None:
    model = make_model(task_kind="regression", centre=(100.0,), scale=(20.0,))
    effects = score_pairs(Engine(model, threads=1), draw_pairs())
    assert np.isnan(effects.probability_difference).all()
    plain = score_pairs(Engine(make_model(), threads=1), draw_pairs())
    np.testing.assert_allclose(effects.delta, plain.delta * 20, rtol=1e-9)
    np.testing.assert_allclose(effects.ref_logit, plain.ref_logit * 20 + 100, rtol=1e-9)


def test_the_same_allele_has_no_effect() -> None:
    (pairs,) = draw_pairs()
    same = pair_windows(pairs.ref, pairs.ref)
    effects = score_pairs(Engine(with_reference(make_model(members=2)), threads=1), [same])
    for name in ("delta", "probability_difference", "deepbind", "sd"):
        assert (getattr(effects, name) == 0).all()


def test_swapping_the_alleles_turns_the_effect_round() -> None:
    (pairs,) = draw_pairs()
    engine = Engine(with_reference(make_model(members=2)), threads=1)
    forth = score_pairs(engine, [pairs])
    back = score_pairs(engine, [pair_windows(pairs.alt, pairs.ref)])
    for name in ("delta", "probability_difference", "deepbind"):
        np.testing.assert_array_equal(getattr(forth, name), -getattr(back, name))
    for name in ("quantile", "sd"):
        np.testing.assert_array_equal(getattr(forth, name), getattr(back, name))


def test_alleles_do_not_depend_on_those_beside_them() -> None:
    (pairs,) = draw_pairs(20)
    engine = Engine(with_reference(make_model(members=2)), threads=2)
    together = score_pairs(engine, [pairs])
    for row in (0, 13):
        part = pair_windows(pairs.ref[row : row + 1], pairs.alt[row : row + 1])
        alone = score_pairs(engine, [part])
        for name in FIELDS:
            np.testing.assert_array_equal(
                getattr(alone, name), getattr(together, name)[row : row + 1]
            )


def test_no_alleles_have_no_effects() -> None:
    effects = score_pairs(Engine(make_model(members=2), threads=1), draw_pairs(0, shifts=3))
    for name in FIELDS:
        assert getattr(effects, name).shape == (0, 1)


def test_extreme_logits_have_probabilities() -> None:
    model = make_model("deepbind")
    weights = {name: values * 1e4 for name, values in model.members[0].items()}
    effects = score_pairs(Engine(replace(model, members=(weights,)), threads=1), draw_pairs(20))
    assert np.abs(effects.ref_logit).max() > 1e4
    assert (np.abs(effects.probability_difference) <= 1).all()


def test_progress_counts_both_windows_of_every_shift() -> None:
    done = []
    score_pairs(Engine(make_model(), threads=1), draw_pairs(5, shifts=3), progress=done.append)
    assert sum(done) == 30


# p-values


def score_records(records, engine, *, shifts=(0,), **rest):
    """Place records (POS, REF, ALT) on a contig of every base in turn, and score them."""
    contig = np.tile(np.arange(4, dtype=np.uint8), 25)
    contig[60:70] = 4
    genome = Genome(Path("g"), {"c": 100}, lambda _: contig)
    positions, refs, alts = zip(*records, strict=True)
    number = len(records)
    none = ("",) * number
    block = VcfBlock(
        "", list(none), np.arange(number), ("c",) * number, np.array(positions), none, refs, alts
    )
    table = AllelePlacer(genome, length=20, ref_mismatch="warn").place(block)
    pairs = [allele_pairs(table, genome, offset=offset) for offset in shifts]
    types = allele_types(table.refs, table.alternatives)[table.scored]
    return table, types, pairs, score_pairs(engine, pairs, **rest)


RECORDS = [
    (1, "A", "C"),
    (30, "C", "T"),
    (30, "CG", "C"),
    (30, "C", "CAAAA"),
    (30, "CGTACGT", "C"),
    (30, "CG", "TT"),
    (29, "A", "CCCCCC"),
    (30, "G", "T"),  # not the genome's base
    (65, "N", "A"),
    (65, "C", "A"),
    (100, "T", "TG"),
]


def with_null(model, **rest):
    null = draw_null(Engine(model, threads=1), draw_codes(20, 20), count=200, **rest)
    return replace(model, null=null)


def test_p_is_of_the_alleles_own_type() -> None:
    model = with_null(make_model(members=2, tasks=("a", "b"), task_kind="multilabel"))
    engine = Engine(model, threads=1)
    table, types, pairs, effects = score_records(RECORDS, engine)
    assert len(table.scored) == len(RECORDS)
    assert [*(ALLELE_TYPES[number] for number in types if number != UNTYPED)] == [
        *("A>C", "C>T", "deletion_1", "insertion_2-4", "deletion_5+", "other_2-4", "other_5+"),
        *("G>T", "C>A", "insertion_1"),
    ]
    np.testing.assert_array_equal(pair_types(pairs[0]), types)
    np.testing.assert_array_equal(effects.p, p_values(model.null, types, effects.delta))
    assert np.isnan(effects.p).all(axis=1).tolist() == [record[1] == "N" for record in RECORDS]
    again = score_pairs(engine, pairs, types=types)
    np.testing.assert_array_equal(again.p, effects.p)


def test_another_null_can_be_given() -> None:
    model = with_null(make_model())
    other = with_null(make_model(), seed=5).null
    _, types, _, effects = score_records(RECORDS, Engine(model, threads=1), null=other)
    np.testing.assert_array_equal(effects.p, p_values(other, types, effects.delta))


def test_a_null_of_other_strands_or_shifts_is_not_used() -> None:
    model = with_null(make_model())
    assert not np.isnan(score_records(RECORDS[:2], Engine(model, threads=1))[3].p).any()
    shifted = score_records(RECORDS[:2], Engine(model, threads=1), shifts=(0, 1))[3]
    single = replace(model, spec=replace(model.spec, strands="single"))
    stranded = score_records(RECORDS[:2], Engine(single, threads=1))[3]
    without = score_records(RECORDS[:2], Engine(replace(model, null=None), threads=1))[3]
    for effects in (shifted, stranded, without):
        assert np.isnan(effects.p).all()
    shifts = with_null(make_model(), shifts=2).null
    engine = Engine(model, threads=1)
    again = score_records(RECORDS[:2], engine, shifts=(0, 1), null=shifts)[3]
    assert not np.isnan(again.p).any()


# Quantiles


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=30))
def test_a_quantile_is_the_share_of_positives_below(values) -> None:
    reference = np.linspace(-5, 5, 1001, dtype=np.float32)
    model = replace(make_model(), reference=reference[None])
    logits = np.array(values)[:, None]
    found = active_quantile(model, logits)
    np.testing.assert_allclose(found, np.clip((logits + 5) / 10, 0, 1), atol=1e-6)


def test_the_ends_of_the_reference_are_nought_and_one() -> None:
    model = with_reference(make_model(tasks=("a", "b")))
    low, high = model.reference[:, :1].T, model.reference[:, -1:].T
    assert active_quantile(model, low - 1.0).tolist() == [[0, 0]]
    assert active_quantile(model, high + 1.0).tolist() == [[1, 1]]
    middle = active_quantile(model, np.median(model.reference, axis=1)[None])
    np.testing.assert_allclose(middle, 0.5, atol=1e-6)


def test_without_a_reference_there_is_no_quantile() -> None:
    assert np.isnan(active_quantile(make_model(), np.zeros((3, 1)))).all()
