"""Incremental evaluation of stacked networks against plain passes in float64."""

import contextlib
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
from seqcnn.engine import (
    advancing,
    products,
    settling,
    settling_loops,
    short_convolutions,
    shortcuts,
    strips,
)
from seqcnn.engine.parts import split_evenly
from seqcnn.engine.short_convolutions import choose_inputs, count_products, make_short_convolution
from seqcnn.engine.steps import Step
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
    hidden = draw(st.sampled_from([0, 3]))
    return DrawnConfig(trunk_layers=tuple(layers), ending=ending, hidden=hidden)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in the engine, whose threads share the sequences out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def set_shortcuts(*, taken):
    """Let all steps go through shortcuts, or none; the shortcuts are for many channels."""
    patches = contextlib.ExitStack()
    few = 1 if taken else 10**6
    patches.enter_context(mock.patch.object(shortcuts, "FEWEST_COLUMNS", few))
    patches.enter_context(mock.patch.object(short_convolutions, "_TRANSFORM", 0))
    return patches


@pytest.mark.parametrize("taken", [True, False])
@given(configs(), st.integers(0, 40), st.integers(0, 2**16))
@settings(max_examples=20)
def test_mutants_are_those_of_plain_passes(taken, config, more, seed) -> None:
    length = config.shortest + more
    network, rng = make_network(config, length, seed=seed), np.random.default_rng(seed)
    codes = draw_codes(rng, 2, length)
    with set_shortcuts(taken=taken):
        found = make_strips(network).mutants(codes)
    assert found.shape == (2, length, 4, 2)
    assert close_to(found, plain_mutants(network, codes))


@pytest.mark.parametrize("taken", [True, False])
@given(configs(), st.integers(0, 60), st.integers(0, 2**16))
@settings(max_examples=20)
def test_alternatives_are_those_of_plain_passes(taken, config, more, seed) -> None:
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
    with set_shortcuts(taken=taken):
        found = make_strips(network).alternatives(ref, alt)  # and the last pair is the same twice
    for logits, codes in zip(found, (ref, alt), strict=True):
        assert close_to(logits, plain_logits(network, codes))
    assert (found[0][5] == found[1][5]).all()


FAMILIES = [
    ("alexnet", {"channels1": 9, "channels2": 7, "channels3": 5, "hidden1": 8, "hidden2": 6}),
    ("alexnet", {"padding": "half", "first": "exponential", "channels1": 60, "hidden1": 8}),
    ("alexnet", {"channels2": 70, "pool1": 2, "pool3": 7, "hidden2": 3}),
    ("resnet", {"channels": 8, "blocks": 4, "norm": "none"}),
    ("resnet", {"channels": 20, "width": 4, "kernel": 4, "blocks": 7}),
    ("resnet", {"channels": 64, "kernel": 9, "blocks": 3, "first": "exponential"}),
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
@pytest.mark.parametrize("cells", [1, 5000])
def test_nothing_depends_on_how_the_work_is_cut(name, values, cells, monkeypatch) -> None:
    network, rng = make_family(name, values), np.random.default_rng(2)
    codes = draw_codes(rng, 2, 200)
    alt = codes.copy()
    alt[np.arange(2), rng.integers(0, 200, 2)] ^= 1
    member = make_strips(network)
    mutants, pairs = member.mutants(codes), member.alternatives(codes, alt)
    monkeypatch.setattr(advancing, "_PRODUCTS", cells)
    monkeypatch.setattr(shortcuts, "_NUMBERS", cells)
    monkeypatch.setattr(strips, "CELLS", cells)
    monkeypatch.setattr(strips, "ROWS", 1)
    monkeypatch.setattr(strips, "_MUTANTS", 370)
    assert_same(member.mutants(codes), mutants)
    for row in range(2):
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
    member = make_strips(make_family(*FAMILIES[3]))
    nothing = np.empty((0, 200), dtype=np.uint8)
    assert member.mutants(nothing).shape == (0, 200, 4, 2)
    assert [part.shape for part in member.alternatives(nothing, nothing)] == [(0, 2), (0, 2)]


@st.composite
def geometries(draw):
    size = draw(st.integers(1, 4))
    return settling_loops.Geometry(
        stride=draw(st.integers(1, 3)),
        dilation=draw(st.integers(1, 3)),
        padding=draw(st.integers(0, 3)),
        activation=draw(
            st.sampled_from(
                [settling_loops.LINEAR, settling_loops.RELU, settling_loops.EXPONENTIAL]
            )
        ),
        ceiling=1.0,
        pool=draw(st.sampled_from([settling_loops.MAX, settling_loops.MEAN])),
        pool_size=size,
        pool_stride=draw(st.integers(1, size)),
        pool_padding=draw(st.integers(0, size // 2)),
    )


MUTANTS, POSITIONS = 5, 12


def draw_step(data, geometry, generator, *, width, channels=3):
    """Mutants, references and room for outputs, some past the last position."""
    scores = torch.randn(2, POSITIONS, channels, generator=generator)
    kept = settling.keep_scores(scores, geometry)
    count = POSITIONS + 2 * geometry.pool_padding - geometry.pool_size
    wanted = data.draw(st.integers(1, count // geometry.pool_stride + 1))
    row, inputs, outputs = (
        torch.randint(0, high, (MUTANTS,), generator=generator) for high in (2, 8, count + 1)
    )
    delta = torch.randn(MUTANTS, width, channels, generator=generator)
    held = settling.Strip(inputs + 1, torch.randn(MUTANTS, 2, channels, generator=generator))
    held = data.draw(st.sampled_from([held, None]))
    changed = settling.Changed(row, settling.Strip(inputs, delta), inputs + width, held)
    return (
        changed,
        kept,
        settling.Strip(outputs, torch.full((MUTANTS, wanted, channels), torch.nan)),
    )


def settle_by_gathers(products, which, changed, kept, geometry, out):
    settling._settle_by_gathers(products, which, changed, kept.scores, geometry=geometry, out=out)
    if changed.held:
        settling._add_by_gathers(out, changed.held)


@given(st.data(), geometries(), st.booleans(), st.integers(0, 2**16))
@settings(max_examples=30)
def test_loops_and_gathers_do_the_same(data, geometry, in_order, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    width, kernel = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    changed, kept, found = draw_step(data, geometry, generator, width=width)
    count = MUTANTS * width if in_order else 9
    products = torch.randn(kernel, count, 3, generator=generator)
    which = torch.randint(0, count, (MUTANTS, width), generator=generator)
    which = None if in_order else which
    expected = settling.Strip(found.start, found.delta.clone())
    settling.settle(products, which, changed, kept, geometry=geometry, out=found)
    settle_by_gathers(products, which, changed, kept, geometry, expected)
    torch.testing.assert_close(found.delta, expected.delta)


@given(st.data(), geometries(), st.integers(0, 2**16))
@settings(max_examples=30)
def test_shortcuts_do_what_products_with_every_tap_do(data, geometry, seed) -> None:
    geometry = geometry._replace(stride=1)
    generator = torch.Generator().manual_seed(seed)
    width, kernel = data.draw(st.integers(1, 9)), data.draw(st.integers(2, 6))
    changed, kept, found = draw_step(data, geometry, generator, width=width, channels=16)
    weights = torch.randn(kernel, 16, 16, generator=generator) / 8
    with mock.patch.object(short_convolutions, "_TRANSFORM", 0):
        shortcut = shortcuts.find_shortcut(weights, geometry, 2 * geometry.dilation + 1)
    assert shortcut is not None
    shortcut.advance(changed, kept, geometry, found)
    expected = settling.Strip(found.start, torch.empty_like(found.delta))
    products = changed.strip.delta.flatten(0, 1) @ weights
    settle_by_gathers(products, None, changed, kept, geometry, expected)
    torch.testing.assert_close(found.delta, expected.delta, atol=1e-4, rtol=1e-5)


@given(st.data(), geometries(), st.integers(0, 2**16))
@settings(max_examples=30)
def test_products_in_registers_are_those_with_every_tap(data, geometry, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    width, kernel = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 6))
    channels = data.draw(st.integers(1, 40))
    changed, kept, found = draw_step(data, geometry, generator, width=width, channels=channels)
    weights = torch.randn(kernel, channels, channels, generator=generator) / 8
    step = Step(weights, None, geometry, (), (), ()).extend(1)
    assert step.shortcut is None
    advancing.advance(step, changed, kept, found)
    expected = settling.Strip(found.start, torch.empty_like(found.delta))
    products = changed.strip.delta.flatten(0, 1) @ weights
    settle_by_gathers(products, None, changed, kept, geometry, expected)
    torch.testing.assert_close(found.delta, expected.delta, atol=1e-4, rtol=1e-5)


@given(st.integers(1, 20), st.integers(1, 70), st.integers(1, 3), st.integers(1, 3), st.randoms())
@settings(max_examples=30)
def test_sums_of_products_are_those_of_float64(count, inputs, vectors, apart, random) -> None:
    rng = np.random.default_rng(random.randrange(2**16))
    rows = rng.standard_normal(((count - 1) * apart + 1, inputs)).astype(np.float32)
    weights = rng.standard_normal((inputs, vectors * products.LANES)).astype(np.float32)
    before = rng.standard_normal((count, vectors * products.LANES)).astype(np.float32)
    sums = before.copy()
    products.add_products(rows, apart, weights, sums)
    expected = before + rows[::apart].astype(np.float64) @ weights
    np.testing.assert_allclose(sums, expected, atol=1e-4)
    for row in range(count):  # the same to the last bit without the others
        alone = before[row : row + 1].copy()
        products.add_products(rows[row * apart : row * apart + 1], apart, weights, alone)
        assert (alone[0] == sums[row]).all()


@pytest.mark.parametrize("inputs", [2, 3, 4, 7, 12, 16])
@pytest.mark.parametrize("taps", [2, 3, 7, 11, 19])
def test_short_convolutions_are_products_of_polynomials(inputs, taps) -> None:
    short, rng = make_short_convolution(inputs, taps), np.random.default_rng(0)
    assert len(short.inputs) == count_products(inputs, taps) < inputs * taps
    x, kernel = rng.normal(size=(50, inputs)), rng.normal(size=(50, taps))
    expected = np.array([np.convolve(a, b) for a, b in zip(x, kernel, strict=True)])
    products = (short.inputs @ x.T) * (short.taps @ kernel.T)
    np.testing.assert_allclose((short.interpolate @ products).T, expected, atol=1e-9)
    # In float32, no more than a few times the rounding of one product with every tap.
    single = [part.astype(np.float32) for part in (short.inputs @ x.T, short.taps @ kernel.T)]
    rounded = short.interpolate.astype(np.float32) @ (single[0] * single[1])
    assert np.abs(rounded.T - expected).max() < 2e-5 * np.abs(expected).max()


def test_short_convolutions_are_taken_where_they_save_work() -> None:
    assert choose_inputs(7, 11, (300, 200)) == 7  # Basset's second convolution
    assert choose_inputs(5, 7, (200, 200)) == 5
    assert choose_inputs(7, 11, (4, 4)) == 1
    assert choose_inputs(1, 11, (300, 200)) == 1
    assert choose_inputs(7, 1, (300, 200)) == 1


@given(st.integers(0, 100), st.integers(-3, 30))
def test_parts_are_even(count, most) -> None:
    parts = split_evenly(count, most)
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    sizes = [part.stop - part.start for part in parts]
    assert all(size <= max(most, 1) for size in sizes)
    assert not sizes or len(sizes) == -(-count // max(most, 1)) or max(sizes) == sizes[0]


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
