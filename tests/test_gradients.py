"""Compiled scores, pooling and gradients against torch's autograd of one-hot windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import draw_codes
from torch.nn import functional

from seqcnn.dna import one_hot, reverse_complement
from seqcnn.engine.gradients import (
    KMER,
    RADIX,
    UNIT,
    add_highest,
    add_means,
    count_chunks,
    fill_columns,
    fill_tables,
    fold_tables,
    list_letters,
    measure_windows,
    number_kmers,
    pool_highest,
    pool_means,
    raise_two,
    score_places,
    take_columns,
    turn_rows,
)


class Setup:
    """Random detectors on random sequences, with room for all intermediate results."""

    def __init__(
        self, *, width, number=5, padding=0, unknown=0.25, n=7, length=23, seed=0, unit=1.0
    ):
        rng = np.random.default_rng(seed)
        self.codes = draw_codes(n, length, seed=seed)
        self.codes[0] = 4  # nothing but N: all places are equal
        self.codes[1] = 2
        self.weights = rng.normal(size=(width, 4, number)).astype(np.float32)
        self.offsets = rng.normal(size=number).astype(np.float32)
        self.padding, self.unknown = padding, unknown
        self.letters = list_letters(unknown)
        chunks = count_chunks(width)
        self.places = length + 2 * padding - width + 1
        self.kmers = np.zeros((n, self.places + KMER * (chunks - 1)), np.uint8)
        number_kmers(self.codes, padding, self.kmers)
        self.columns = np.zeros((KMER * chunks, RADIX, number), np.float32)
        scaled = [(values * np.float32(unit))[None] for values in (self.weights, self.offsets)]
        fill_columns(*scaled, self.letters, self.columns)
        self.tables = np.zeros((chunks, RADIX**KMER, number), np.float32)
        fill_tables(self.columns, self.tables)
        self.best = np.zeros((2, n, number), np.float32)
        self.winners = np.zeros((n, number), np.int32)
        self.slopes = np.zeros((n, self.places, number), np.float32)

    def plain_scores(self, weights, offsets):
        """Scores (n, number, places) by torch, in float64."""
        batch = torch.from_numpy(one_hot(self.codes, unknown=self.unknown)).double()
        batch = functional.pad(batch, (self.padding, self.padding), value=self.unknown)
        return functional.conv1d(batch, weights.permute(2, 1, 0), offsets)

    def parameters(self):
        return [torch.from_numpy(v).double().requires_grad_() for v in (self.weights, self.offsets)]

    def gradients(self):
        """Unfold the gradient of the tables."""
        fold_tables(self.table_slopes, self.columns)
        weights, offsets = np.zeros_like(self.weights), np.zeros_like(self.offsets)
        take_columns(self.columns, self.letters, weights[None], offsets[None])
        return weights, offsets


def closeness(found, wanted) -> float:
    """The largest difference, as a share of the largest value."""
    wanted = wanted.detach().numpy()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


shapes = pytest.mark.parametrize(
    ("width", "padding", "unknown"),
    [(4, 0, 0.25), (10, 0, 0.0), (1, 0, 0.25), (5, 4, 0.25), (5, 4, 0.1), (13, 12, 0.25)],
)


@shapes
def test_winners_and_their_gradient_are_those_of_torch(width, padding, unknown) -> None:
    case = Setup(width=width, padding=padding, unknown=unknown)
    weights, offsets = case.parameters()
    scores = case.plain_scores(weights, offsets)
    pool_highest(case.kmers, case.tables, case.best[0], case.winners)
    assert closeness(case.best[0], scores.amax(dim=2)) < 1e-6
    factors = np.random.default_rng(1).normal(size=case.winners.shape).astype(np.float32)
    # Torch's derivative at our winners: a tie goes to one place, whichever it is.
    chosen = scores.gather(2, torch.from_numpy(case.winners).long()[:, :, None])[:, :, 0]
    torch.testing.assert_close(chosen, scores.amax(dim=2), rtol=1e-6, atol=1e-6)
    (chosen * torch.from_numpy(factors)).sum().backward()
    case.table_slopes = np.zeros_like(case.tables)
    add_highest(case.kmers, case.winners, factors, case.table_slopes)
    found = case.gradients()
    assert closeness(found[0], weights.grad) < 1e-5
    assert closeness(found[1], offsets.grad) < 1e-5


@shapes
@pytest.mark.parametrize("ceiling", [0.0, 1.5])
def test_means_and_their_gradient_are_those_of_torch(width, padding, unknown, ceiling) -> None:
    unit = UNIT if ceiling else 1.0
    case = Setup(width=width, padding=padding, unknown=unknown, seed=3, unit=unit)
    weights, offsets = case.parameters()
    scores = case.plain_scores(weights, offsets)
    activations = scores.clamp(max=ceiling).exp() if ceiling else functional.relu(scores)
    pool_means(case.kmers, case.tables, ceiling * unit, case.best, case.winners, case.slopes)
    assert closeness(case.best[0], scores.amax(dim=2) * unit) < 1e-6
    assert closeness(case.best[1], activations.sum(dim=2)) < 2e-6
    factors = np.random.default_rng(1).normal(size=case.winners.shape).astype(np.float32)
    (activations.sum(dim=2) * torch.from_numpy(factors)).sum().backward()
    case.table_slopes = np.zeros_like(case.tables)
    add_means(case.kmers, case.slopes, factors, case.table_slopes)
    found = case.gradients()
    assert closeness(found[0], weights.grad) < 1e-5
    assert closeness(found[1], offsets.grad) < 1e-5


def test_of_equal_scores_the_first_place_wins() -> None:
    case = Setup(width=4, number=3)
    for pool in (
        lambda: pool_highest(case.kmers, case.tables, case.best[0], case.winners),
        lambda: pool_means(case.kmers, case.tables, 0, case.best, case.winners, case.slopes),
    ):
        case.winners[:] = -1
        pool()
        assert (case.winners[:2] == 0).all()
        scores = np.empty((case.places, 3), np.float32)
        for row, kmers in enumerate(case.kmers):
            score_places(kmers, case.tables, scores)
            np.testing.assert_array_equal(case.winners[row], scores.argmax(axis=0))
            np.testing.assert_array_equal(case.best[0, row], scores.max(axis=0))


def test_lanes_do_not_depend_on_their_neighbours() -> None:
    """Detectors of several networks, side by side or alone: the same bits."""
    alone = [Setup(width=10, number=number, seed=4) for number in (19, 19, 19)]
    alone[1].weights[:] *= 2
    fill_columns(alone[1].weights[None], alone[1].offsets[None], alone[1].letters, alone[1].columns)
    fill_tables(alone[1].columns, alone[1].tables)
    chunks = count_chunks(10)
    columns = np.zeros((KMER * chunks, RADIX, 57), np.float32)
    weights, offsets = (np.stack([getattr(c, v) for c in alone]) for v in ("weights", "offsets"))
    fill_columns(weights, offsets, alone[0].letters, columns)
    tables = np.zeros((chunks, RADIX**KMER, 57), np.float32)
    fill_tables(columns, tables)
    n, places = len(alone[0].codes), alone[0].places
    pooled, winners = np.zeros((2, n, 57), np.float32), np.zeros((n, 57), np.int32)
    slopes = np.zeros((n, places, 57), np.float32)
    pool_means(alone[0].kmers, tables, 2.0, pooled, winners, slopes)
    first = 0
    for case in alone:
        stop = first + case.weights.shape[2]
        pool_means(case.kmers, case.tables, 2.0, case.best, case.winners, case.slopes)
        assert case.best.tobytes() == pooled[:, :, first:stop].tobytes()
        assert case.slopes.tobytes() == slopes[:, :, first:stop].tobytes()
        assert case.winners.tobytes() == winners[:, first:stop].tobytes()
        first = stop


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 20), st.sampled_from([0.25, 0.0, 1.0]))
def test_moments_are_those_of_all_windows(width, n, extra, unknown) -> None:
    codes = draw_codes(n, width + extra, seed=width + extra)
    codes[0, : (width + extra) // 2] = 4
    centre, covariance = np.empty(4 * width), np.empty((4 * width, 4 * width))
    measure_windows(codes, list_letters(unknown), centre, covariance)
    batch = one_hot(codes, unknown=unknown).astype(np.float64)  # (n, 4, length)
    windows = np.lib.stride_tricks.sliding_window_view(batch, width, axis=2)
    rows = windows.transpose(0, 2, 3, 1).reshape(-1, 4 * width)
    np.testing.assert_allclose(centre, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(
        covariance, np.cov(rows.T, bias=True).reshape(covariance.shape), atol=1e-12
    )


def test_powers_of_two_are_exact_to_a_few_ulp() -> None:
    for x in np.linspace(-120, 30, 4001).astype(np.float32):
        assert raise_two(x) == pytest.approx(np.exp2(np.float64(x)), rel=3e-7)
    for whole in range(-20, 20):
        assert raise_two(np.float32(whole)) == pytest.approx(2.0**whole, rel=3e-7)
    assert 0 <= raise_two(np.float32(-np.inf)) < 1e-37


def test_rows_are_turned() -> None:
    codes = draw_codes(5, 11)
    turned = np.empty_like(codes)
    turn_rows(codes, turned)
    np.testing.assert_array_equal(turned, reverse_complement(codes))
