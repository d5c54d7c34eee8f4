"""Mutants, alleles and scans against plain float64 networks, on every backend."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import make_engine, predict_slowly
from tiny_models import draw_codes, make_model

from seqcnn.dna import reverse_complement
from seqcnn.engine import Engine, compiled_backend, haplotypes, torch_backend
from seqcnn.genome import Haplotypes, cut_haplotypes

SHAPES = [
    ("motif", {"detectors": 5, "width": 4}),
    ("motif", {"detectors": 17, "width": 11, "hidden": 0, "ceiling": 2.0}),
    ("deepbind", {"detectors": 4, "width": 5}),
    ("deepbind", {"detectors": 3, "width": 13, "pooling": "max_mean", "hidden": 5}),
    ("deepbind", {"detectors": 18, "width": 1, "pooling": "max_mean"}),
    ("resnet", {"channels": 6, "width": 5, "blocks": 2}),
]
each_shape = pytest.mark.parametrize(("family", "values"), SHAPES)
each_backend = pytest.mark.parametrize("backend", ["compiled", "torch"])
each_strands = pytest.mark.parametrize("strands", ["average", "max", "single"])

models = st.builds(
    lambda shape, strands, length, members: make_model(
        shape[0],
        values=shape[1],
        strands=strands,
        length=length,
        members=members,
        tasks=("a", "b"),
        task_kind="multilabel",
    ),
    st.sampled_from(SHAPES),
    st.sampled_from(["average", "max", "single"]),
    st.integers(13, 40),
    st.integers(1, 2),
)
seeds = st.integers(0, 2**32)
few = settings(max_examples=25, deadline=None)


def draw_runs(n, length, *, seed):
    """Sequences with N, runs of N, and repeats whose scores tie."""
    rng = np.random.default_rng(seed)
    codes = draw_codes(n, length, seed=seed)
    for row in codes[::2]:
        start = int(rng.integers(length))
        row[start : start + int(rng.integers(length))] = 4
    for row in codes[1::3]:
        row[:] = np.resize(row[: int(rng.integers(1, 4))], length)
    return codes


def mutate_all(codes):
    """Every base at every position, one after the other."""
    n, length = codes.shape
    mutants = np.empty((n, length, 4, length), dtype=np.uint8)
    for row in range(n):
        for position in range(length):
            for base in range(4):
                mutants[row, position, base] = codes[row]
                mutants[row, position, base, position] = base
    return mutants


def assert_near(found, expected):
    """Within 1e-5 of the logits, in units of the largest."""
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


# Mutants


@given(model=models, seed=seeds)
@few
@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_mutants_are_sequences_with_one_base_changed(backend, model, seed) -> None:
    codes = draw_runs(2, model.spec.length, seed=seed)
    found = make_engine(model, backend).predict_mutants(codes)
    mutants = mutate_all(codes)
    slow = predict_slowly(model, mutants.reshape(-1, mutants.shape[3]))
    assert_near(found, slow.reshape(found.shape))


@each_shape
@each_strands
def test_mutants_and_predictions_agree_to_the_last_bit(family, values, strands) -> None:
    model = make_model(family, values=values, strands=strands, length=30)
    if family == "resnet":
        pytest.skip("deep networks round")
    codes = draw_runs(4, 30, seed=5)
    engine = Engine(model, threads=2)
    found = engine.predict_mutants(codes)
    plain = engine.predict(mutate_all(codes).reshape(-1, 30)).members
    np.testing.assert_array_equal(found, plain.reshape(found.shape))


@each_shape
@each_backend
def test_mutants_do_not_depend_on_neighbours_or_threads(family, values, backend) -> None:
    model = make_model(family, values=values, length=30, members=2)
    codes = draw_runs(7, 30, seed=3)
    together = make_engine(model, backend, threads=3).predict_mutants(codes)
    alone = make_engine(model, backend).predict_mutants(codes[4:5])
    assert [f"{v:.6g}" for v in together[:, 4].ravel()] == [f"{v:.6g}" for v in alone.ravel()]


@each_backend
def test_the_own_base_has_the_sequences_logit(backend) -> None:
    model = make_model("deepbind", length=30)
    codes = draw_codes(3, 30, unknown=False)
    engine = make_engine(model, backend)
    found = engine.predict_mutants(codes)[0, ..., 0]
    own = np.take_along_axis(found, codes[:, :, None].astype(np.int64), axis=2)[..., 0]
    np.testing.assert_allclose(own, np.broadcast_to(own[:, :1], own.shape), rtol=0, atol=0)
    assert_near(own[:, 0], engine.predict(codes).logits[:, 0])


def test_mutants_of_no_sequences_are_none() -> None:
    engine = Engine(make_model(members=2), threads=1)
    assert engine.predict_mutants(np.empty((0, 20), dtype=np.uint8)).shape == (2, 0, 20, 4, 1)
    with pytest.raises(ValueError, match="not \\(n, 20\\)"):
        engine.predict_mutants(np.zeros((1, 19), dtype=np.uint8))


# Alleles


@st.composite
def allele_sets(draw, contig_length, length):
    """Haplotypes anywhere on a contig: plain, substitutions, insertions, deletions."""
    starts, alleles, removed, letters = [], [], [], []
    for _ in range(draw(st.integers(0, 12))):
        place = draw(st.integers(0, contig_length))
        gone = draw(st.integers(0, min(length, contig_length - place)))
        new = draw(st.lists(st.integers(0, 4), max_size=length))
        for size, spelled in ((gone, None), (len(new), new)):
            shift = draw(st.integers(0, 2)) if length > 4 else 0
            is_plain = spelled is None
            start = place - (length // 2 - size // 2) + shift
            start = start if is_plain else min(start, place)
            starts.append(start)
            alleles.append(start + length if is_plain else place)
            removed.append(0 if is_plain else gone)
            letters.append([] if is_plain else spelled)
    sides = []
    for side in (0, 1):
        mine = [np.array(values[side::2], dtype=np.int64) for values in (starts, alleles, removed)]
        sizes = [len(word) for word in letters[side::2]]
        ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        flat = [code for word in letters[side::2] for code in word]
        sides.append(Haplotypes(*mine, np.array(flat, dtype=np.uint8), ends))
    return tuple(sides)


@given(data=st.data(), model=models, seed=seeds)
@few
@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_alleles_are_the_windows_that_they_spell(backend, data, model, seed) -> None:
    contig = draw_runs(1, 150, seed=seed)[0]
    ref, alt = data.draw(allele_sets(len(contig), model.spec.length))
    found = make_engine(model, backend, threads=2).predict_alleles(contig, ref, alt)
    for side, predictions in zip((ref, alt), found, strict=True):
        windows = cut_haplotypes(contig, side, model.spec.length)
        assert_near(predictions.members, predict_slowly(model, windows))


def spread(contig_length, length, *, count, seed):
    """Single bases exchanged all over a contig."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, contig_length, count)
    starts, ones = place - length // 2, np.ones(count, dtype=np.int64)
    none = np.zeros(count, dtype=np.int64)
    nothing = np.zeros(count + 1, dtype=np.int64)
    ref = Haplotypes(starts, starts + length, none, np.empty(0, dtype=np.uint8), nothing)
    letters = rng.integers(0, 4, count).astype(np.uint8)
    return ref, Haplotypes(starts, place, ones, letters, np.arange(count + 1))


@each_shape
def test_alleles_depend_on_nothing_but_themselves(family, values, monkeypatch) -> None:
    """To the last bit where nothing rounds: order, neighbours, stretches, pieces, threads."""
    model = make_model(family, values=values, length=31)
    contig = draw_runs(1, 3000, seed=8)[0]
    ref, alt = spread(len(contig), 31, count=200, seed=1)
    whole = [side.members for side in Engine(model, threads=1).predict_alleles(contig, ref, alt)]
    monkeypatch.setattr(compiled_backend, "_FEWEST_WINDOWS", 7)
    some = np.random.default_rng(2).permutation(200)[:50]
    parts = [
        Haplotypes(h.starts[some], h.alleles[some], h.removed[some], letters, ends)
        for h, letters, ends in (
            (ref, ref.letters, np.zeros(51, dtype=np.int64)),
            (alt, alt.letters[some], np.arange(51)),
        )
    ]
    again = Engine(model, threads=3).predict_alleles(contig, *parts)
    for side, predictions in zip(whole, again, strict=True):
        if family == "resnet":
            np.testing.assert_allclose(predictions.members, side[:, some], rtol=0, atol=1e-6)
        else:
            np.testing.assert_array_equal(predictions.members, side[:, some])


def test_windows_shared_along_a_contig_are_those_cut_apart() -> None:
    """Long stretches, so that blocks of positions and both ends of them are used."""
    model = make_model("deepbind", values={"pooling": "max_mean"}, length=300)
    contig = draw_codes(1, 20_000, seed=4)[0]
    ref, alt = spread(len(contig), 300, count=150, seed=6)
    engine = Engine(model, threads=1)
    for side, found in zip((ref, alt), engine.predict_alleles(contig, ref, alt), strict=True):
        plain = engine.predict(cut_haplotypes(contig, side, 300)).members
        np.testing.assert_array_equal(found.members, plain)
    assert haplotypes._BLOCK < 300


def test_layers_that_cannot_be_followed_go_in_whole_batches(monkeypatch, caplog) -> None:
    def refuse(*_, **__):
        raise TypeError("a layer of a new kind")

    monkeypatch.setattr(torch_backend, "Strips", refuse)
    caplog.set_level("INFO")
    model = make_model("resnet", values=SHAPES[-1][1], length=30, members=2)
    engine = Engine(model, threads=2)
    codes = draw_runs(2, 30, seed=1)
    found = engine.predict_mutants(codes)
    assert_near(
        found, predict_slowly(model, mutate_all(codes).reshape(-1, 30)).reshape(found.shape)
    )
    assert "resnet: mutants in whole batches (a layer of a new kind)" in caplog.text
    contig = draw_runs(1, 200, seed=2)[0]
    ref, alt = spread(len(contig), 30, count=10, seed=3)
    for side, scored in zip((ref, alt), engine.predict_alleles(contig, ref, alt), strict=True):
        assert_near(scored.members, predict_slowly(model, cut_haplotypes(contig, side, 30)))


# Scans


def join(blocks):
    starts, logits = zip(*blocks, strict=True)
    ends = [start + part.shape[1] for start, part in zip(starts, logits, strict=True)]
    assert list(starts[1:]) == ends[:-1]
    return np.concatenate(logits, axis=1)


@given(model=models, seed=seeds, extra=st.integers(0, 60))
@few
@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_a_scan_scores_every_window(backend, model, seed, extra) -> None:
    length = model.spec.length
    contig = draw_runs(1, length + extra, seed=seed)[0]
    found = join(make_engine(model, backend).scan(contig))
    windows = np.lib.stride_tricks.sliding_window_view(contig, length)
    assert_near(found, predict_slowly(model, windows))


@each_shape
@each_strands
def test_scans_and_predictions_agree_to_the_last_bit(family, values, strands, monkeypatch) -> None:
    if family == "resnet":
        pytest.skip("deep networks round")
    model = make_model(family, values=values, strands=strands, length=30)
    contig = draw_runs(1, 500, seed=9)[0]
    engine = Engine(model, threads=2)
    plain = engine.predict(np.lib.stride_tricks.sliding_window_view(contig, 30)).members
    np.testing.assert_array_equal(join(engine.scan(contig)), plain)
    monkeypatch.setattr(compiled_backend, "_SCANNED_CELLS", 32)
    np.testing.assert_array_equal(join(engine.scan(contig)), plain)
    np.testing.assert_array_equal(join(engine.scan(contig, first=100, stop=170)), plain[:, 100:170])


def test_a_contig_shorter_than_a_window_has_no_scan() -> None:
    assert list(Engine(make_model(), threads=1).scan(draw_codes(1, 19)[0])) == []


def test_a_scan_of_the_other_strand_is_the_same_backwards() -> None:
    contig = draw_codes(1, 200)[0]
    engine = Engine(make_model("deepbind"), threads=1)
    forward = join(engine.scan(contig))
    backward = join(engine.scan(reverse_complement(contig[None])[0]))
    np.testing.assert_array_equal(backward, forward[:, ::-1])


def test_scaled_targets_are_in_their_units_everywhere() -> None:
    plain = make_model("deepbind", task_kind="regression")
    spec = replace(plain.spec, centre=(10.0,), scale=(2.0,))
    contig, codes = draw_codes(1, 60)[0], draw_codes(2, 20)
    first, second = (Engine(m, threads=1) for m in (plain, replace(plain, spec=spec)))
    np.testing.assert_allclose(join(second.scan(contig)), join(first.scan(contig)) * 2 + 10)
    np.testing.assert_allclose(second.predict_mutants(codes), first.predict_mutants(codes) * 2 + 10)


# Numbers at the edge


def test_huge_and_tiny_weights_are_as_exact_as_ordinary_ones() -> None:
    for factor in (1e-6, 1e3, 1e6):
        model = make_model("deepbind", length=30)
        weights = {
            name: values * (factor if name in {"detectors", "thresholds"} else 1)
            for name, values in model.members[0].items()
        }
        model = replace(model, members=(weights,))
        codes = draw_runs(5, 30, seed=1)
        slow = predict_slowly(model, codes)
        np.testing.assert_allclose(Engine(model, threads=1).predict(codes).members, slow, rtol=1e-5)


def test_exponentials_far_below_and_above_the_ceiling_stay_finite() -> None:
    for shift in (-300.0, 300.0):
        model = make_model("motif", length=30)
        weights = dict(model.members[0])
        weights["norm.bias"] = weights["norm.bias"] + np.float32(shift)
        model = replace(model, members=(weights,))
        codes = draw_runs(5, 30, seed=1)
        found = Engine(model, threads=1).predict(codes).members
        assert_near(found, predict_slowly(model, codes))
