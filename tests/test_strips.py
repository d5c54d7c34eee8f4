"""Incremental evaluation of stacked networks against plain passes in float64."""

import copy
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcnn.architectures import configure
from seqcnn.architectures.configs import StackedConfig
from seqcnn.architectures.layers import (
    Layer,
    batch_norm,
    convolution,
    dense,
    flatten,
    pool,
    residual,
    trace_layers,
    unit,
)
from seqcnn.architectures.networks import build_network
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import UNKNOWN, one_hot
from seqcnn.engine import following, settling, strips
from seqcnn.engine.strips import Strips

CLOSE = 1e-5


@dataclass(frozen=True)
class DrawnConfig(StackedConfig):
    """Any list of layers."""

    trunk_layers: tuple[Layer, ...] = ()
    ending: str = "flatten"
    hidden: int = 0

    def trunk(self, length):
        channels = self.trunk_layers[-1].channels
        if self.ending != "flatten":
            return (*self.trunk_layers, unit(self.ending, channels))
        positions = trace_layers(self.trunk_layers, length)[-1].positions
        return (*self.trunk_layers, flatten(channels, positions))

    def head(self, features, tasks):
        if not self.hidden:
            return (batch_norm(features), dense("output", features, tasks))
        return (
            dense("hidden", features, self.hidden),
            batch_norm(self.hidden),
            unit("ReLU", self.hidden),
            unit("dropout", self.hidden, amount=0.5),
            dense("output", self.hidden, tasks),
        )


def draw_activation(draw, channels):
    kind = draw(st.sampled_from(["ReLU", "exponential", "none"]))
    return [] if kind == "none" else [unit(kind, channels, amount=1.5)]


def draw_pool(draw, channels):
    kind = draw(st.sampled_from(["max pool", "mean pool", "none"]))
    if kind == "none":
        return []
    size = draw(st.integers(1, 4))
    stride, padding = draw(st.integers(1, size)), draw(st.integers(0, size // 2))
    made = pool(kind, channels, size)
    return [Layer(**vars(made) | {"stride": stride, "padding": (padding, padding)})]


def draw_convolution(draw, inputs, channels, number):
    made = convolution(
        *(f"convolution {number}", (inputs, channels), draw(st.integers(1, 5))),
        dilation=draw(st.integers(1, 3)),
        padding=draw(st.sampled_from(["valid", "half", "full"] + ["same"] * (number > 0))),
        bias=draw(st.booleans()),
    )
    return Layer(**vars(made) | {"stride": draw(st.integers(1, 3))})


def draw_block(draw, channels):
    body = []
    for number in range(draw(st.integers(1, 2))):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 6))
        name = f"body {number}"
        body.append(
            convolution(name, (channels, channels), kernel, dilation=dilation, padding="same")
        )
        body += [batch_norm(channels)] * draw(st.integers(0, 1))
        body += draw_activation(draw, channels)
    return residual("block", *body)


@st.composite
def configs(draw):
    layers, inputs = [], 4
    for number in range(draw(st.integers(1, 3))):
        channels = draw(st.integers(1, 4))
        layers.append(draw_convolution(draw, inputs, channels, number))
        layers += [batch_norm(channels)] * draw(st.integers(0, 1))
        layers += draw_activation(draw, channels) + draw_pool(draw, channels)
        layers += [draw_block(draw, channels)] * draw(st.integers(0, 1))
        layers += [batch_norm(channels)] * draw(st.integers(0, 1))
        inputs = channels
    endings = ["flatten", "global max", "global mean", "global max and mean"]
    ending = draw(st.sampled_from(endings))
    return DrawnConfig(tuple(layers), ending, draw(st.sampled_from([0, 3])))


def make_network(config, length, *, seed=0, tasks=2):
    """A network in which nothing is 0 or 1 by default any more."""
    generator = torch.Generator().manual_seed(seed)
    network = StackedNetwork(config, tasks, length, generator)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "var" in name:
                value.uniform_(0.5, 2, generator=generator)
            elif "running" in name or "bias" in name:
                value.normal_(generator=generator)
            elif value.ndim == 1:
                value.normal_(generator=generator).mul_(0.5)
    return network.eval()


def make_strips(network):
    return Strips(network, copy.deepcopy(network.head).double(), unknown=network.unknown)


def plain_logits(network, codes):
    """Whole passes in float64."""
    batch = torch.from_numpy(one_hot(codes)).double()
    with torch.inference_mode():
        return copy.deepcopy(network).double()(batch).numpy()


def plain_mutants(network, codes):
    """Every substitution as a sequence of its own."""
    n, length = codes.shape
    mutants = np.repeat(codes, 4 * length, axis=0).reshape(n, length, 4, length)
    place = np.arange(length)
    mutants[:, place, :, place] = np.arange(4)
    return plain_logits(network, mutants.reshape(-1, length)).reshape(n, length, 4, -1)


def draw_codes(rng, n, length):
    """Sequences with runs of N and of one base, in which maxima are tied."""
    codes = rng.integers(0, 4, (n, length), dtype=np.uint8)
    for row in codes:
        start = rng.integers(0, length)
        row[start : start + rng.integers(0, 6)] = UNKNOWN
        start = rng.integers(0, length)
        row[start : start + rng.integers(0, length)] = row[start]
    return codes


def close_to(found, expected):
    scale = max(1.0, np.abs(expected).max())
    return np.abs(found - expected).max() <= CLOSE * scale


def assert_same(found, expected):
    """The head's sums in float64 may differ in their last bit, nothing else in any."""
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("long", [1, 10**6])
@given(configs(), st.integers(0, 40), st.integers(0, 2**16))
@settings(max_examples=25)
def test_mutants_are_those_of_plain_passes(long, config, more, seed) -> None:
    length = config.shortest + more
    network, rng = make_network(config, length, seed=seed), np.random.default_rng(seed)
    codes = draw_codes(rng, 2, length)
    with mock.patch.object(following, "_LONG", long):
        found = make_strips(network).mutants(codes)
    assert found.shape == (2, length, 4, 2)
    assert close_to(found, plain_mutants(network, codes))


@pytest.mark.parametrize("long", [1, 10**6])
@given(configs(), st.integers(0, 60), st.integers(0, 2**16))
@settings(max_examples=25)
def test_alternatives_are_those_of_plain_passes(long, config, more, seed) -> None:
    length = config.shortest + more
    network, rng = make_network(config, length, seed=seed), np.random.default_rng(seed)
    ref = draw_codes(rng, 6, length)
    alt = ref.copy()
    alt[0, -1] = rng.integers(0, 5)
    alt[1, 0] = rng.integers(0, 5)
    start, width = rng.integers(0, length), rng.integers(1, 24)
    alt[2, start : start + width] = rng.integers(0, 5, len(alt[2, start : start + width]))
    alt[3] = np.roll(ref[3], 1)  # an insertion
    alt[4] = draw_codes(rng, 1, length)
    with mock.patch.object(following, "_LONG", long):
        found = make_strips(network).alternatives(ref, alt)  # and the last pair is the same twice
    for logits, codes in zip(found, (ref, alt), strict=True):
        assert close_to(logits, plain_logits(network, codes))
    assert (found[0][5] == found[1][5]).all()


FAMILIES = [
    ("alexnet", {"channels1": 9, "channels2": 7, "channels3": 5, "hidden1": 8, "hidden2": 6}),
    ("alexnet", {"padding": "half", "first": "exponential", "channels1": 6, "hidden1": 8}),
    ("resnet", {"channels": 8, "blocks": 4, "norm": "none"}),
    ("resnet", {"channels": 6, "width": 4, "kernel": 4, "blocks": 7}),
]
each_family = pytest.mark.parametrize(("name", "values"), FAMILIES)


def make_family(name, values, length=200):
    config = configure(name, values)
    network = build_network(config, tasks=2, length=length, seed=3).eval()
    return make_network(network.config, length)


@each_family
def test_families_have_the_logits_of_plain_passes(name, values) -> None:
    network = make_family(name, values)
    rng = np.random.default_rng(1)
    codes = draw_codes(rng, 2, 200)
    found = make_strips(network).mutants(codes)
    for row in range(2):
        place = rng.integers(0, 200, 40)
        base = rng.integers(0, 4, 40)
        mutants = np.repeat(codes[row : row + 1], 40, axis=0)
        mutants[np.arange(40), place] = base
        assert close_to(found[row, place, base], plain_logits(network, mutants))


@each_family
@pytest.mark.parametrize(("cells", "long"), [(1, 20), (5000, 20), (5000, 300)])
def test_nothing_depends_on_how_the_work_is_cut(name, values, cells, long, monkeypatch) -> None:
    monkeypatch.setattr(following, "_LONG", long)
    network, rng = make_family(name, values), np.random.default_rng(2)
    codes = draw_codes(rng, 5, 200)
    alt = codes.copy()
    alt[np.arange(5), rng.integers(0, 200, 5)] ^= 1
    member = make_strips(network)
    mutants, pairs = member.mutants(codes), member.alternatives(codes, alt)
    monkeypatch.setattr(following, "_PRODUCTS", cells)
    monkeypatch.setattr(strips, "CELLS", cells)
    monkeypatch.setattr(strips, "ROWS", 3)
    monkeypatch.setattr(strips, "_MUTANTS", 37)
    assert_same(member.mutants(codes), mutants)
    for row in range(5):
        alone = slice(row, row + 1)
        assert_same(member.mutants(codes[alone]), mutants[alone])
        for found, expected in zip(
            member.alternatives(codes[alone], alt[alone]), pairs, strict=True
        ):
            assert_same(found, expected[alone])


@each_family
def test_the_sequence_itself_has_the_logits_of_a_whole_pass(name, values) -> None:
    network = make_family(name, values)
    codes = np.random.default_rng(3).integers(0, 4, (3, 200), dtype=np.uint8)
    member = make_strips(network)
    whole = member.whole(codes)
    mutants = member.mutants(codes)
    own = mutants[np.arange(3)[:, None], np.arange(200), codes]
    assert_same(own, np.broadcast_to(whole[:, None], own.shape))
    assert close_to(whole, plain_logits(network, codes))


def test_no_sequences_have_no_logits() -> None:
    member = make_strips(make_family(*FAMILIES[2]))
    nothing = np.empty((0, 200), dtype=np.uint8)
    assert member.mutants(nothing).shape == (0, 200, 4, 2)
    assert [part.shape for part in member.alternatives(nothing, nothing)] == [(0, 2), (0, 2)]


@given(st.data(), st.integers(0, 2**16))
@settings(max_examples=50)
def test_loops_and_gathers_do_the_same(data, seed) -> None:
    draw, generator = data.draw, torch.Generator().manual_seed(seed)
    size = draw(st.integers(1, 4))
    geometry = settling.Geometry(
        stride=draw(st.integers(1, 3)),
        dilation=draw(st.integers(1, 3)),
        padding=draw(st.integers(0, 3)),
        activation=draw(st.sampled_from([settling.LINEAR, settling.RELU, settling.EXPONENTIAL])),
        ceiling=1.0,
        pool=draw(st.sampled_from([settling.MAX, settling.MEAN])),
        pool_size=size,
        pool_stride=draw(st.integers(1, size)),
        pool_padding=draw(st.integers(0, size // 2)),
    )
    mutants, width, kernel, positions = 5, draw(st.integers(1, 4)), draw(st.integers(1, 4)), 12
    products = torch.randn(9, kernel, 3, generator=generator)
    which = torch.randint(0, 9, (mutants, width), generator=generator)
    pooled = (positions + 2 * geometry.pool_padding - size) // geometry.pool_stride + 1
    wanted = draw(st.integers(1, pooled))
    places = tuple(
        torch.randint(0, high, (mutants,), generator=generator)
        for high in (2, 8, pooled - wanted + 1)
    )
    reference = torch.randn(2, positions, 3, generator=generator)
    found, expected = torch.full((2, mutants, wanted, 3), torch.nan)
    settling.settle(products, which, places, reference, geometry=geometry, out=found)
    settling._settle_by_gathers(products, which, places, reference, geometry=geometry, out=expected)
    torch.testing.assert_close(found, expected)


def test_added_stretches_overlap_as_they_lie() -> None:
    generator = torch.Generator().manual_seed(0)
    for width in (2, 7):
        strip = settling.Strip(torch.tensor([0, 3, 5]), torch.randn(3, 5, 2, generator=generator))
        more = settling.Strip(
            torch.tensor([0, 4, 2]), torch.randn(3, width, 2, generator=generator)
        )
        expected = strip.delta.clone()
        for m in range(3):
            for u in range(5):
                place = int(strip.start[m]) + u - int(more.start[m])
                if 0 <= place < width:
                    expected[m, u] += more.delta[m, place]
        by_gathers = settling.Strip(strip.start, strip.delta.clone())
        settling._add_by_gathers(by_gathers, more)
        settling.add_strip(strip, more)
        torch.testing.assert_close(strip.delta, expected)
        torch.testing.assert_close(by_gathers.delta, expected)
