"""Batches: every row once an epoch, exact shuffles, strands drawn anew."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import draw_codes, label, make_model

from seqcnn.dna import encode, reverse_complement
from seqcnn.splits import Split
from seqcnn.training.batches import Feed, scale_targets, shuffle_codes


def make_feed(codes, targets, *, shuffles=0, size=8, strands="single", seed=0, **spec):
    data = label(codes, targets)
    made = make_model(length=codes.shape[1], strands=strands, **spec).spec
    split = Split(data, data, data, shuffles=shuffles)
    return Feed(split, made, batch_size=size, rng=np.random.default_rng(seed))


def spell_rows(codes) -> list[bytes]:
    return [row.tobytes() for row in codes.reshape(-1, codes.shape[-1])]


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2), st.integers(1, 5))
def test_every_row_comes_once_an_epoch(n, size, shuffles, steps) -> None:
    codes = draw_codes(n, 20, seed=n, unknown=False)
    targets = (np.arange(n) % 3 == 0).astype(np.float32)
    feed = make_feed(codes, targets, shuffles=shuffles, size=size)
    epoch = n + shuffles * int(targets.sum())
    rows, labels = [], []
    while len(rows) < 3 * epoch:
        some, values = feed.take(steps)
        assert some.shape == (steps, size, 20)
        assert values.shape == (steps, size, 1)
        assert some.dtype == np.uint8
        rows += spell_rows(some)
        labels += values.ravel().tolist()
    known = dict(zip(spell_rows(codes), targets.tolist(), strict=True))
    for start in (0, epoch, 2 * epoch):
        part = list(zip(rows, labels, strict=True))[start : start + epoch]
        originals = [pair for pair in part if known.get(pair[0]) == pair[1]]
        assert sorted(originals) == sorted(known.items())
        assert sum(value for _, value in part) == targets.sum()


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_a_stream_does_not_depend_on_how_it_is_cut(cuts) -> None:
    codes, targets = draw_codes(11, 15), np.arange(11) % 2
    whole, cut = (make_feed(codes, targets, shuffles=1, strands="average") for _ in range(2))
    parts = [cut.take(steps) for steps in cuts]
    for wanted, found in zip(whole.take(sum(cuts)), zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(found), wanted)


def test_each_epoch_has_its_own_order_and_shuffles() -> None:
    codes = draw_codes(20, 40, unknown=False)
    feed = make_feed(codes, np.ones(20), shuffles=1, size=40)
    (first, one), (second, two) = feed.take(1), feed.take(1)
    shuffled = [set(spell_rows(c[t[..., 0] == 0])) for c, t in ((first, one), (second, two))]
    assert len(shuffled[0]) == len(shuffled[1]) == 20
    assert not shuffled[0] & shuffled[1]
    orders = [spell_rows(c[t[..., 0] == 1]) for c, t in ((first, one), (second, two))]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


@pytest.mark.parametrize(("strands", "least", "most"), [("average", 400, 600), ("max", 0, 0)])
def test_a_model_of_both_strands_sees_either(strands, least, most) -> None:
    codes = draw_codes(1, 21, unknown=True)
    codes[0, 5] = 4
    taken, _ = make_feed(codes, [1], size=1000, strands=strands).take(1)
    turned = (taken[0] == reverse_complement(codes)).all(axis=1)
    assert ((taken[0] == codes).all(axis=1) | turned).all()
    assert least <= turned.sum() <= most


def test_the_data_are_left_alone() -> None:
    codes = draw_codes(6, 12)
    before = codes.copy()
    make_feed(codes, np.ones(6), shuffles=2, strands="average").take(9)
    np.testing.assert_array_equal(codes, before)


def test_regression_targets_come_standardised() -> None:
    standard = {"task_kind": "regression", "centre": (2.0,), "scale": (4.0,)}
    feed = make_feed(draw_codes(4, 12), [10, 2, 2, 10], **standard)
    _, targets = feed.take(1)
    assert sorted(targets.ravel().tolist()) == [0, 0, 0, 0, 2, 2, 2, 2]
    given_targets = np.array([[np.nan], [6]], np.float32)
    binary = make_model().spec
    np.testing.assert_array_equal(scale_targets(given_targets, binary), given_targets)


# Shuffles


sequences = st.text("ACGTN", max_size=40)


@given(sequences, st.integers(0, 2**32))
def test_a_shuffle_keeps_dinucleotides_and_ends(sequence, seed) -> None:
    codes = encode(sequence)[None]
    (shuffled,) = shuffle_codes(codes, rng=np.random.default_rng(seed))
    assert Counter(pairwise(shuffled.tolist())) == Counter(pairwise(codes[0].tolist()))
    assert shuffled[:1].tolist() == codes[0, :1].tolist()
    assert shuffled[-1:].tolist() == codes[0, -1:].tolist()


@pytest.mark.parametrize("sequence", ["ACAGATACCA", "AACCAGGTCAGA", "ACGTACNA", "GGCAGCATG"])
def test_each_walk_is_equally_likely(sequence) -> None:
    codes = encode(sequence)
    edges = Counter(pairwise(codes.tolist()))

    def walk(here, left):
        if not left:
            yield (here,)
        for step in left:
            if step[0] == here:
                rest = left.copy()
                rest[step] -= 1
                yield from ((here, *tail) for tail in walk(step[1], +rest))

    walks = sorted(walk(int(codes[0]), edges))
    draws = 400 * len(walks)
    rows = shuffle_codes(np.tile(codes, (draws, 1)), rng=np.random.default_rng(1))
    found = Counter(tuple(row) for row in rows.tolist())
    assert sorted(found) == walks
    squares = sum((found[each] - 400) ** 2 / 400 for each in walks)
    degrees = len(walks) - 1
    assert squares < degrees + 5 * np.sqrt(2 * degrees)
