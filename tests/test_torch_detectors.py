"""Detector scores from tables of k-mers, and sums of activations, against the plain network."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_pooled_torch import FAMILIES, draw, each_family, make_network

from seqcnn.architectures.networks import build_network
from seqcnn.dna import UNKNOWN, one_hot, reverse_complement
from seqcnn.engine import torch_detectors
from seqcnn.engine.torch_detectors import TorchDetectors


def score_slowly(network, codes):
    """All detector scores (n, positions, detectors) in float64."""
    double = copy.deepcopy(network).double()
    with torch.no_grad():
        scores = double.detect(torch.from_numpy(one_hot(codes)).double())
    return scores.transpose(1, 2)


def padded(codes, network):
    width = (network.detector_padding, network.detector_padding)
    return torch.nn.functional.pad(torch.from_numpy(codes).int(), width, value=UNKNOWN)


@each_family
@torch.no_grad()
def test_scores_are_those_of_both_strands(family, values, tasks) -> None:
    network = make_network(family, values, tasks)
    codes = draw(2, 6, 50)
    detectors = TorchDetectors(network, both=True)
    forward, reverse = detectors.score(padded(codes, network)).chunk(2, dim=2)
    torch.testing.assert_close(forward, score_slowly(network, codes), rtol=0, atol=1e-10)
    other = score_slowly(network, reverse_complement(codes)).flip(1)
    torch.testing.assert_close(reverse, other, rtol=0, atol=1e-10)
    alone = TorchDetectors(network, both=False)
    assert torch.equal(alone.score(padded(codes, network)), forward)


@pytest.mark.parametrize("cells", [0, 2000, 10**9])
@torch.no_grad()
def test_the_length_of_the_kmers_changes_no_bit(cells, monkeypatch) -> None:
    network = make_network(*FAMILIES[6])
    codes = padded(draw(2, 6, 50), network)
    expected = TorchDetectors(network, both=True).score(codes)
    monkeypatch.setattr(torch_detectors, "_TABLE_CELLS", cells)
    assert torch.equal(TorchDetectors(network, both=True).score(codes), expected)


@each_family
@given(seed=st.integers(0, 2**32 - 1))
@torch.no_grad()
def test_a_base_is_exchanged_without_error(family, values, tasks, seed) -> None:
    detectors = TorchDetectors(make_network(family, values, tasks), both=True)
    width = detectors.width
    codes = torch.from_numpy(draw(seed, 1, width)).int()
    score = detectors.score(codes)[0, 0]
    place, base = seed % width, seed % 5
    exchanged = score - detectors.columns[place, codes[0, place]] + detectors.columns[place, base]
    codes[0, place] = base
    assert torch.equal(detectors.score(codes)[0, 0], exchanged)


@each_family
@torch.no_grad()
def test_sums_of_activations_are_exact_in_any_order(family, values, tasks) -> None:
    network = make_network(family, values, tasks)
    detectors = TorchDetectors(network, both=False)
    scores = detectors.score(padded(draw(3, 1, 900), network))[0]
    counts = detectors.count(scores, len(scores))
    assert counts.dtype == torch.int64
    order = torch.randperm(len(scores), generator=torch.Generator().manual_seed(1))
    assert torch.equal(counts[order].cumsum(0)[-1], counts.sum(0))
    mean = counts.sum(0).double() / 2.0 ** detectors.precision(len(scores)) / len(scores)
    expected = network.activate(scores).mean(0)
    torch.testing.assert_close(mean, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [10, 1000, 1_000_000])
@pytest.mark.parametrize("ceiling", [0.1, 5.0, 20.0])
@torch.no_grad()
def test_no_sum_over_a_window_overflows(length, ceiling) -> None:
    network = make_network("motif", {"detectors": 2, "width": 3, "ceiling": ceiling}, 1)
    network.norm.bias.data.fill_(100)
    detectors = TorchDetectors(network, both=True)
    positions = detectors.positions(length)
    highest = torch.full((1,), 200.0, dtype=torch.float64)
    assert 0 < int(detectors.count(highest, positions)) * positions < 2**63
    assert detectors.precision(positions) >= 10


@torch.no_grad()
def test_positions_that_are_not_there_count_nothing() -> None:
    network = make_network(*FAMILIES[2])
    detectors = TorchDetectors(network, both=True)
    codes = torch.from_numpy(draw(4, 3, 30)).int()
    scores = detectors.score_extended(codes)
    margin = detectors.width - 1
    assert scores.shape == (3, 30 + margin, detectors.lanes)
    assert torch.equal(scores[:, margin:-margin], detectors.score(codes))
    for absent in (scores[:, :margin], scores[:, -margin:]):
        assert (absent == -torch.inf).all()
        assert (detectors.count(absent, 21) == 0).all()


@torch.no_grad()
def test_a_network_of_zeros_has_scores() -> None:
    network = build_network(make_network(*FAMILIES[3]).config, tasks=1).eval()
    network.detectors.data.zero_()
    detectors = TorchDetectors(network, both=True)
    assert (detectors.score(torch.zeros(2, 9, dtype=torch.int32)) == 0).all()
