"""Augmentation: each change against a slow, obvious version, and a stream that can be repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CPU, draw_codes, label, make_model

from seqcnn.dna import reverse_complement
from seqcnn.errors import ConfigError
from seqcnn.splits import Split
from seqcnn.training import Augmentation, TrainingConfig, read_augmentation, train_members
from seqcnn.training.augmentation import change_row, draw
from seqcnn.training.batches import Feed

N = 4


def change(codes, seed, **extents):
    """Change a copy of a sequence, and give the numbers that were drawn for it."""
    made, state = codes.copy(), np.array([seed], dtype=np.uint64)
    change_row(made, Augmentation(**extents).extents, state, np.empty_like(codes))
    return made, np.array([seed], dtype=np.uint64)


def numbered(length):
    """A sequence in which every place can be told: for the changes that only move bases."""
    return np.arange(10, 10 + length, dtype=np.uint8)


lengths, seeds = st.integers(1, 40), st.integers(0, 2**32)


@given(lengths, st.integers(1, 50), seeds)
def test_a_shift_moves_all_bases_alike(length, furthest, seed) -> None:
    codes = numbered(length)
    made, state = change(codes, seed, shift=furthest)
    furthest = min(furthest, length)
    by = draw(state, 2 * furthest + 1) - furthest
    padded = np.concatenate([np.full(length, N), codes, np.full(length, N)])
    np.testing.assert_array_equal(made, padded[length - by : 2 * length - by])


@given(lengths, st.integers(1, 50), seeds)
def test_an_inversion_turns_one_stretch(length, longest, seed) -> None:
    codes = draw_codes(1, length, seed=seed % 100)[0]
    made, state = change(codes, seed, inversion=longest)
    stretch = draw(state, min(longest, length) + 1)
    start = draw(state, length - stretch + 1)
    wanted = codes.copy()
    wanted[start : start + stretch] = reverse_complement(codes[None, start : start + stretch])[0]
    np.testing.assert_array_equal(made, wanted)


@given(lengths, st.integers(1, 50), seeds)
def test_an_insertion_puts_random_bases_in(length, longest, seed) -> None:
    codes = numbered(length)
    made, state = change(codes, seed, insertion=longest)
    stretch = draw(state, min(longest, length) + 1)
    place = draw(state, length + 1)
    longer = np.concatenate([codes[:place], np.zeros(stretch), codes[place:]])
    wanted = longer[stretch // 2 : stretch // 2 + length]
    own = made >= 10
    np.testing.assert_array_equal(own, wanted >= 10)
    np.testing.assert_array_equal(made[own], wanted[own])
    assert (made[~own] < 4).all()


@given(lengths, st.integers(1, 50), seeds)
def test_a_deletion_takes_one_stretch_out(length, longest, seed) -> None:
    codes = numbered(length)
    made, state = change(codes, seed, deletion=longest)
    stretch = draw(state, min(longest, length) + 1)
    place = draw(state, length - stretch + 1)
    left = np.delete(codes, range(place, place + stretch))
    before = np.full(stretch // 2, N)
    after = np.full(stretch - stretch // 2, N)
    np.testing.assert_array_equal(made, np.concatenate([before, left, after]))


def test_mutations_come_as_often_as_asked_and_each_base_alike() -> None:
    codes = np.zeros(20_000, dtype=np.uint8)
    codes[::4] = N
    made, _ = change(codes, 1, mutation=0.2)
    assert (made[::4] == N).all()
    counts = np.bincount(made[codes < N], minlength=4)
    assert abs(counts[1:].sum() - 3000) < 5 * np.sqrt(15_000 * 0.2 * 0.8)
    assert (abs(counts[1:] - counts[1:].mean()) < 5 * np.sqrt(1000)).all()
    assert (change(codes, 1, mutation=1.0)[0][codes < N] != 0).all()


EVERYTHING = Augmentation(shift=5, mutation=0.1, insertion=6, deletion=6, inversion=8, clean=0.25)


def make_feed(augment=None, changed=0, seed=0):
    data = label(draw_codes(11, 30, unknown=False), np.ones(11))
    spec = make_model(length=30, strands="average").spec
    rng = np.random.default_rng(seed)
    split = Split(data, data, data, shuffles=1)
    return Feed(split, spec, batch_size=4, rng=rng, augment=augment, changed=changed)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.integers(0, 12))
def test_the_first_batches_are_changed_however_they_are_taken(cuts, changed) -> None:
    steps = sum(cuts)
    plain, targets = make_feed().take(steps)
    codes, same_targets = make_feed(EVERYTHING, changed).take(steps)
    np.testing.assert_array_equal(targets, same_targets)
    np.testing.assert_array_equal(codes[changed:], plain[changed:])
    assert (codes[:changed] != plain[:changed]).any() == (changed > 0)
    feed = make_feed(EVERYTHING, changed)
    parts = [feed.take(cut)[0] for cut in cuts]
    np.testing.assert_array_equal(np.concatenate(parts), codes)


def test_each_epoch_changes_a_sequence_anew() -> None:
    feed = make_feed(Augmentation(mutation=0.3), 22)
    rows = feed.take(22)[0].reshape(-1, 30)  # four epochs
    assert len({row.tobytes() for row in rows}) == len(rows)


def test_a_feed_goes_on_where_another_stood() -> None:
    feed = make_feed(EVERYTHING, 9)
    feed.take(5)
    state = feed.state()
    wanted = feed.take(20)[0]
    other = make_feed(EVERYTHING, 9, seed=3)
    other.take(2)
    other.restore(state)
    np.testing.assert_array_equal(other.take(20)[0], wanted)


def test_the_last_steps_are_clean() -> None:
    assert EVERYTHING.count_changed(100) == 75
    assert Augmentation(clean=0.5).count_changed(100) == 0
    assert Augmentation(shift=1, clean=0.0).count_changed(7) == 7
    assert Augmentation(shift=1, clean=1.0).count_changed(7) == 0


def test_the_option_is_read() -> None:
    text = "shift=5, mutation=0.1,insertion=6,deletion=6,inversion=8,clean=0.25,"
    assert read_augmentation(text) == EVERYTHING
    assert read_augmentation("") == Augmentation()
    assert not Augmentation().changes
    assert Augmentation(mutation=0.1).changes
    assert not Augmentation(mutation=0.1).moves
    cases = {
        "shuffle=3": "shuffle=3: no such change; expected shift, mutation",
        "shift": "shift: ''; expected a whole number of bases",
        "shift=2.5": "'2.5'; expected a whole number",
        "shift=-1": "'-1'; expected a whole number",
        "mutation=2": "'2'; expected a share from 0 to 1",
        "mutation=nan": "'nan'; expected a share from 0 to 1",
    }
    for given_text, message in cases.items():
        with pytest.raises(ConfigError) as told:
            read_augmentation(given_text)
        assert message in str(told.value)


def test_what_moves_bases_is_no_change_for_a_profile() -> None:
    spec = make_model("fcn", length=30, task_kind="profile").spec
    data = label(draw_codes(8, 30), np.ones(8))
    config = TrainingConfig(steps=2, augment=Augmentation(shift=2))
    with pytest.raises(ConfigError, match="--augment: moves bases away from their targets"):
        train_members(Split(data, data, data), spec, config, device=CPU, threads=1)
