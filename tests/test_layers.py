"""The arithmetic of layers against torch: perturb, and see what changes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqcnn.architectures import ARCHITECTURES, configure
from seqcnn.architectures.layers import (
    batch_norm,
    convolution,
    count_parameters,
    dense,
    flatten,
    list_leaves,
    measure_work,
    needed_inputs,
    output_length,
    pool,
    receptive_field,
    residual,
    shortest_input,
    total_stride,
    touched_outputs,
    trace_layers,
    unit,
)
from seqcnn.architectures.modules import make_module
from seqcnn.architectures.networks import build_network

GENERATOR = torch.Generator().manual_seed(0)


@st.composite
def layers(draw, inputs=2, channels=3):
    """A layer with any numbers; torch pads a pool by at most half of its size."""
    kind = draw(st.sampled_from(["convolution", "max pool", "mean pool"]))
    stride, kernel = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    if kind == "convolution":
        sides = draw(st.sampled_from(["valid", "same", "half", "full"]))
        dilation = draw(st.integers(1, 4))
        made = convolution(
            "c",
            (inputs, channels),
            kernel,
            dilation=dilation,
            padding=sides,
            bias=draw(st.booleans()),
        )
        return replace(made, stride=stride)
    padding = draw(st.integers(0, kernel // 2))
    return replace(pool(kind, inputs, kernel), stride=stride, padding=(padding, padding))


def make_double(layer):
    """The module of a layer, with all-positive weights, so that no change is lost in a sum."""
    module = make_module(layer, GENERATOR).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.abs_()
    return module


def changed_outputs(module, x, position):
    """Outputs that change when one input is raised far above all others."""
    y = x.clone()
    y[..., position] += 1000
    return (module(y) != module(x)).any(dim=1)[0, 0].nonzero()[:, 0].tolist()


def random_input(layer, length):
    return torch.rand(1, layer.inputs, 1, length, generator=GENERATOR, dtype=torch.float64)


@given(layers(), st.integers(0, 25))
def test_output_lengths_are_those_of_torch(layer, more) -> None:
    length = shortest_input([layer]) + more
    with torch.no_grad():
        out = make_double(layer)(random_input(layer, length))
    assert out.shape == (1, layer.channels, 1, output_length(layer, length))
    if shortest_input([layer]) > 1:
        assert output_length(layer, shortest_input([layer]) - 1) == 0


@given(layers(), st.integers(0, 25))
@torch.no_grad()
def test_an_input_touches_the_outputs_that_change_with_it(layer, more) -> None:
    length = shortest_input([layer]) + more
    module, x = make_double(layer), random_input(layer, length)
    touching = {}
    for position in range(length):
        changed = changed_outputs(module, x, position)
        start, stop = touched_outputs(layer, (position, position + 1), length)
        assert set(changed) <= set(range(start, stop))
        if layer.dilation == 1:  # else some are skipped
            assert changed == list(range(start, stop))
        for output in changed:
            touching.setdefault(output, []).append(position)
    for output, positions in touching.items():
        start, stop = needed_inputs(layer, (output, output + 1), length)
        assert start <= min(positions)
        assert max(positions) < stop
        if layer.dilation == 1:
            assert positions == list(range(start, stop))


@given(layers(), st.integers(0, 25), st.data())
def test_an_interval_touches_what_its_positions_touch(layer, more, data) -> None:
    length = shortest_input([layer]) + more
    start = data.draw(st.integers(0, length))
    stop = data.draw(st.integers(start, length))
    one_by_one = [touched_outputs(layer, (i, i + 1), length) for i in range(start, stop)]
    reached = [interval for interval in one_by_one if interval[0] < interval[1]]
    expected = (min(r[0] for r in reached), max(r[1] for r in reached)) if reached else (0, 0)
    assert touched_outputs(layer, (start, stop), length) == expected
    outputs = output_length(layer, length)
    first = data.draw(st.integers(0, outputs))
    last = data.draw(st.integers(first, outputs))
    one_by_one = [needed_inputs(layer, (o, o + 1), length) for o in range(first, last)]
    reached = [interval for interval in one_by_one if interval[0] < interval[1]]
    expected = (min(r[0] for r in reached), max(r[1] for r in reached)) if reached else (0, 0)
    found = needed_inputs(layer, (first, last), length)
    # Between outputs whose inputs are all padding there may be none.
    assert found == expected or (not reached and found[0] == found[1])


@given(st.lists(layers(inputs=2, channels=2), min_size=1, max_size=4), st.integers(0, 20))
@settings(max_examples=40)
@torch.no_grad()
def test_receptive_field_and_stride_of_a_chain(chain, more) -> None:
    bare = [replace(layer, padding=(0, 0)) for layer in chain]
    length = shortest_input(bare) + more
    network = nn.Sequential(*map(make_double, bare))
    x = random_input(bare[0], length)
    assert receptive_field(bare, length) == shortest_input(bare)
    step = total_stride(bare)
    for position in range(length):
        for output in changed_outputs(network, x, position):
            assert output * step <= position < output * step + receptive_field(bare, length)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 20))
@torch.no_grad()
def test_a_residual_block_touches_what_changes(kernel, dilation, length) -> None:
    body = convolution("c", (2, 2), kernel, dilation=dilation, padding="same")
    block = residual("block", body, unit("ReLU", 2))
    module, x = make_double(block), random_input(block, length)
    assert output_length(block, length) == length
    for position in range(length):
        changed = changed_outputs(module, x, position)
        start, stop = touched_outputs(block, (position, position + 1), length)
        assert {position, *changed} <= set(range(start, stop))
        if dilation == 1:
            assert changed == list(range(start, stop))
        first, last = needed_inputs(block, (position, position + 1), length)
        assert first <= position < last


def test_a_block_that_changes_the_shape_is_refused() -> None:
    wrong = [
        convolution("c", (2, 2), 3),
        convolution("c", (2, 3), 3, padding="same"),
        pool("max pool", 2, 2),
    ]
    for layer in wrong:
        with pytest.raises(ValueError, match="keep the shape"):
            residual("block", layer)


def test_whole_layers_touch_and_need_everything() -> None:
    for layer in (unit("global max", 3), flatten(3, 7), dense("d", 21, 2)):
        assert output_length(layer, 7) == 1
        assert touched_outputs(layer, (2, 3), 7) == (0, 1)
        assert touched_outputs(layer, (2, 2), 7) == (0, 0)
        assert needed_inputs(layer, (0, 1), 7) == (0, 7)
        assert needed_inputs(layer, (0, 0), 7) == (0, 0)
        assert receptive_field([convolution("c", (3, 3), 5), layer], 7) == 7


@given(layers(), st.integers(0, 25))
def test_parameters_and_work_are_counted(layer, more) -> None:
    module = make_module(layer, GENERATOR)
    assert count_parameters(layer) == sum(p.numel() for p in module.parameters())
    length = shortest_input([layer]) + more
    if layer.kind == "convolution":
        products = layer.kernel * layer.inputs * layer.channels * output_length(layer, length)
        assert measure_work(layer, length) == 2 * products
    else:
        assert measure_work(layer, length) == 0


def test_parameters_of_dense_layers_norms_and_blocks() -> None:
    assert count_parameters(dense("d", 10, 3)) == 33
    assert count_parameters(dense("d", 10, 3, bias=False)) == 30
    assert count_parameters(batch_norm(5)) == 10
    body = convolution("c", (2, 2), 3, padding="same"), batch_norm(2), unit("ReLU", 2)
    assert count_parameters(residual("b", *body)) == 14 + 4
    assert measure_work(residual("b", *body), 9) == 2 * 3 * 2 * 2 * 9
    assert [layer.kind for layer in list_leaves([residual("b", *body)])] == [
        "convolution",
        "batch norm",
        "ReLU",
    ]


FAMILIES = [
    ("deepbind", {}),
    ("deepbind", {"pooling": "max_mean", "hidden": 32}),
    ("motif", {}),
    ("motif", {"hidden": 0}),
    ("alexnet", {}),
    ("alexnet", {"padding": "half", "width1": 8}),
    ("resnet", {}),
    ("resnet", {"norm": "none", "kernel": 4, "width": 20}),
]


@pytest.mark.parametrize(("name", "values"), FAMILIES)
def test_the_layers_of_a_family_are_those_of_its_network(name, values) -> None:
    config = configure(name, values)
    length = 300
    network = build_network(config, tasks=3, length=length)
    traced = trace_layers(config.layers(length=length, tasks=3), length)
    assert sum(each.parameters for each in traced) == sum(
        parameter.numel() for parameter in network.parameters()
    )
    assert config.shortest == network.shortest
    scores = network.detect(torch.zeros(2, 4, length))
    assert scores.shape == (2, traced[0].layer.channels, traced[0].positions)
    assert network.features(torch.zeros(2, 4, length)).shape[1] == next(
        each.layer.channels for each in traced if each.layer.is_whole
    )
    assert traced[-1].layer.channels == 3
    assert traced[-1].receptive_field == length


def check_channels(chain, inputs):
    """Follow the channels through a chain, and give what leaves it."""
    for layer in chain:
        assert layer.inputs == inputs
        left = [check_channels(each, inputs) for each in layer.chains]
        if layer.kind == "residual":
            assert left == [layer.channels] * 2
        elif layer.chains:
            assert sum(left) == layer.channels
        inputs = layer.channels
    return inputs


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "gkm"])
def test_each_layer_takes_what_the_last_one_gives(name) -> None:
    assert check_channels(configure(name, {}).layers(length=500, tasks=2), 4) == 2


def test_figures_of_known_networks() -> None:
    basset = trace_layers(
        configure("alexnet", {"preset": "basset"}).layers(length=600, tasks=164), 600
    )
    assert [each.positions for each in basset if each.layer.kind == "max pool"] == [194, 46, 10]
    assert next(e.layer.channels for e in basset if e.layer.kind == "flatten") == 2000
    blocks = configure("resnet", {}).trunk(1000)
    assert receptive_field(blocks[:-1], 1000) == 21 + 2 * (2**10 - 2)
    assert total_stride(blocks[:-1]) == 1
