"""The kinds of layers against plain definitions of them, and the settings that choose them."""

import numpy as np
import pytest
import torch
from commands import refused
from torch import nn
from torch.nn import functional

from seqcnn.architectures import configure, describe_architecture
from seqcnn.architectures.configs.base import ACTIVATIONS
from seqcnn.architectures.convolutions import initialise
from seqcnn.architectures.layers import (
    branches,
    convolution,
    crop,
    explain_shortfall,
    many_widths,
    maxout,
    octave,
    output_length,
    pool,
    recurrent,
    residual,
    shortest_input,
    trace_layers,
    unit,
    upsample,
)
from seqcnn.architectures.modules import make_chain, make_module
from seqcnn.architectures.networks import build_network
from seqcnn.errors import ConfigError

VGG = {
    **{"channels1": 6, "width1": 5, "channels2": 5, "channels3": 4, "channels4": 6},
    **{"hidden1": 7, "hidden2": 6},
}


def make(*layers):
    made = make_chain(layers, torch.Generator().manual_seed(0)).double().eval()
    return made[0] if len(layers) == 1 else made


def draw(channels, length, n=3):
    generator = torch.Generator().manual_seed(length)
    return torch.randn(n, channels, 1, length, generator=generator, dtype=torch.float64)


# Kinds of layers


@pytest.mark.parametrize("length", [1, 2, 9, 10])
@pytest.mark.parametrize("kernel", [1, 4, 5])
@pytest.mark.parametrize("low", [(0, 0), (0, 2), (3, 2), (3, 0)])
@torch.no_grad()
def test_an_octave_convolution_is_four_convolutions(length, kernel, low) -> None:
    layer = octave("o", (5, 4), low, kernel)
    module = make(layer)
    high = draw(5 - low[0], length)[:, :, 0]
    half = draw(low[0], -(-length // 2))[:, :, 0]
    inputs = torch.cat([high, half.repeat_interleave(2, dim=2)[..., :length]], dim=1)
    outputs = module(inputs[:, :, None])[:, :, 0]

    def slide(x, weight):
        return functional.conv1d(functional.pad(x, layer.padding), weight)

    weight, bias = module.weight, module.bias[:, None]
    above, within = 4 - low[1], 5 - low[0]
    expected = slide(high, weight[:above, :within])
    if low[0]:
        coarse = slide(half, weight[:above, within:]).repeat_interleave(2, dim=2)
        expected = expected + coarse[..., :length]
    torch.testing.assert_close(outputs[:, :above], expected + bias[:above])
    if low[1]:
        pairs = [high[..., i : i + 2].mean(dim=2) for i in range(0, length, 2)]
        slow = slide(torch.stack(pairs, dim=2), weight[above:, :within])
        if low[0]:
            slow = slow + slide(half, weight[above:, within:])
        repeated = slow.repeat_interleave(2, dim=2)[..., :length]
        torch.testing.assert_close(outputs[:, above:], repeated + bias[above:])


@torch.no_grad()
def test_detectors_of_several_widths_are_convolutions_of_each() -> None:
    layer = many_widths("d", (3, 7, 5), 2)
    module, inputs = make(layer), draw(4, 20)
    for place, width in enumerate((3, 7, 5)):
        part = module.parts[place]
        assert part.shape == (2, 4, width)
        expected = functional.conv1d(inputs[:, :, 0], part, padding=width // 2)
        expected = expected + module.bias[2 * place : 2 * place + 2, None]
        found = module(functional.pad(inputs, (0, 0)))[:, 2 * place : 2 * place + 2, 0]
        torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_branches_lie_side_by_side_cut_to_the_shortest() -> None:
    short = convolution("c", (2, 3), 4)
    module, inputs = make(branches("b", 2, (), (short,))), draw(2, 9)
    outputs = module(inputs)
    assert outputs.shape == (3, 5, 1, 6)
    torch.testing.assert_close(outputs[:, :2], inputs[..., :6])
    torch.testing.assert_close(outputs[:, 2:], module.chains[1](inputs))


@pytest.mark.parametrize("length", range(1, 14))
@torch.no_grad()
def test_going_down_and_up_keeps_the_length(length) -> None:
    down = pool("mean pool", 2, 3, padding=(0, 2))
    block = residual("r", down, upsample(2, 3))
    inputs = draw(2, length)
    outputs = make(block)(inputs)
    assert outputs.shape == inputs.shape
    assert output_length(block, length) == length
    for start in range(0, length, 3):
        window = inputs[..., start : start + 3]
        expected = window + window.mean(dim=3, keepdim=True)
        torch.testing.assert_close(outputs[..., start : start + 3], expected)


@torch.no_grad()
def test_small_kinds() -> None:
    inputs = draw(4, 11)
    both = make(pool("max and mean pool", 4, 3, stride=2))(inputs)
    for place in range(5):
        window = inputs[..., 2 * place : 2 * place + 3]
        torch.testing.assert_close(both[:, :4, :, place], window.amax(dim=3))
        torch.testing.assert_close(both[:, 4:, :, place], window.mean(dim=3))
    larger = make(maxout(2))(inputs)
    torch.testing.assert_close(larger[:, 1], inputs[:, 2:].amax(dim=1))
    torch.testing.assert_close(make(maxout(2))(inputs[:, :, 0, 0]), larger[:, :, 0, 0])
    torch.testing.assert_close(make(crop(4, 3))(inputs), inputs[..., 3:8])
    with pytest.raises(TypeError, match="no pooling with a padding of 0 and 2"):
        make_module(pool("max pool", 4, 2, padding=(0, 2)), torch.Generator())


@torch.no_grad()
def test_an_lstm_is_that_of_torch() -> None:
    module, inputs = make(recurrent("LSTM", 4, 3)), draw(4, 7)
    plain = nn.LSTM(4, 3, bidirectional=True).double()
    plain.load_state_dict(module.lstm.state_dict())
    expected = plain(inputs[:, :, 0].permute(2, 0, 1))[0].permute(1, 2, 0)
    torch.testing.assert_close(module(inputs)[:, :, 0], expected)


@pytest.mark.parametrize(
    ("rule", "variance"),
    [("torch", 1 / 300), ("he", 2 / 100), ("lecun", 1 / 100), ("xavier", 2 / (100 + 2000))],
)
def test_rules_of_initial_weights(rule, variance) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = convolution("c", (20, 400), 5), unit("ReLU", 400)
    network = make_chain(layers, generator)
    initialise(network, rule, generator)
    assert network[0].weight.var().item() == pytest.approx(variance, rel=0.05)
    assert network[0].bias.any() == (rule == "torch")


# Settings


@pytest.mark.parametrize("name", [*ACTIVATIONS, "maxout"])
def test_every_activation_can_be_chosen(name) -> None:
    first = "relu" if name == "maxout" else name
    values = {**VGG, "activation": name, "first": first}
    network = build_network(configure("vgg", values), tasks=2, length=40).train()
    batch = torch.rand(9, 4, 40, generator=torch.Generator().manual_seed(0))
    network(batch).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    kinds = {type(module) for module in network.modules()}
    if name not in {"maxout", "exponential"}:
        names = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU}
        names |= {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
        assert names[name] in kinds
    traced = trace_layers(network.config.layers(length=40, tasks=2), 40)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert sum(each.parameters for each in traced) == parameters


@pytest.mark.parametrize("pooling", ["max", "mean", "max_mean"])
@pytest.mark.parametrize("padding", ["valid", "same", "half", "full"])
@pytest.mark.parametrize("ending", ["flatten", "max_mean"])
def test_poolings_and_paddings_go_together(pooling, padding, ending) -> None:
    values = {**VGG, "pooling": pooling, "padding": padding, "ending": ending, "width1": 4}
    values |= {"norm": "none", "overlap": 1, "stride": 2, "trunk_dropout": 0.1, "repeats": 2}
    config = configure("vgg", values)
    shortest = config.shortest
    for length in (shortest, 90, 91):
        network = build_network(config, tasks=2, length=length)
        assert network(torch.rand(3, 4, length)).shape == (3, 2)
    if shortest > 1:
        assert "= 0" in explain_shortfall(config.trunk(shortest - 1), shortest - 1) or "= -" in (
            explain_shortfall(config.trunk(shortest - 1), shortest - 1)
        )
    assert explain_shortfall(config.trunk(shortest), shortest) == ""


def test_presets_are_what_was_published() -> None:
    deepsea = configure("alexnet", {"preset": "deepsea"})
    traced = trace_layers(deepsea.layers(length=1000, tasks=919), 1000)
    sizes = [
        (each.layer.channels, each.layer.kernel)
        for each in traced
        if each.layer.kind == "convolution"
    ]
    assert sizes == [(320, 8), (480, 8), (960, 8)]
    assert [each.positions for each in traced if each.layer.kind == "flatten"] == [1]
    assert next(e.layer.inputs for e in traced if e.layer.kind == "dense") == 53 * 960
    assert configure("alexnet", {"preset": "deepsea", "channels1": 7}).channels1 == 7
    assert "preset=deepsea: channels1=320" in describe_architecture("alexnet")
    danq = trace_layers(configure("recurrent", {}).layers(length=1000, tasks=919), 1000)
    assert next(e.layer.inputs for e in danq if e.layer.kind == "dense") == 75 * 640


def test_a_cropped_residual_network_never_sees_past_the_ends() -> None:
    values = {"channels": 4, "width": 5, "blocks": 2, "crop": "yes"}
    config = configure("resnet", values)
    network = build_network(config, tasks=1, length=60).eval()
    beyond = trace_layers(network.layers, 60)[-2]
    assert beyond.layer.kind == "crop"
    assert beyond.positions == 60 - 2 * (2 + 2 + 4)
    batch = torch.rand(3, 4, 60)
    with torch.no_grad():
        before = network.features(batch)
        network.unknown = 7.0
        torch.testing.assert_close(network.features(batch), before)
    assert config.shortest == 17


def test_a_length_that_does_not_fit_is_told_with_the_arithmetic(tmp_path) -> None:
    rows = "".join(f"A\ts{i}\t{'ACGTTGCA' * 5}\t1\n" for i in range(20))
    (tmp_path / "in.seq").write_text("FoldID\tEventID\tseq\tBound\n" + rows)
    words = ["train", "--seq", tmp_path / "in.seq", "--arch", "alexnet", "--set", "preset=basset"]
    told = refused(tmp_path, *words, "--length", 40, "-o", tmp_path / "run")
    assert "detectors (convolution): 40 - 19 + 1 = 22" in told
    assert "max pool: (22 - 3) / 3 + 1 = 7" in told
    assert "convolution 2 (convolution): 7 - 11 + 1 = -3" in told
    assert "at least the network's 168 bp" in told


def test_branches_are_spelled_too() -> None:
    layers = (branches("b", 4, (), (convolution("c", (4, 2), 9), crop(2, 1))),)
    assert shortest_input(layers) == 11
    assert (
        explain_shortfall(layers, 10) == "c (convolution): 10 - 9 + 1 = 2; crop: 2 - 2 - 1 + 1 = 0"
    )


def test_widths_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="from 2 to 100"):
        configure("unet", {"pool_size": 1})
    assert np.isclose(configure("octave", {"alpha": "0.25"}).alpha, 0.25)
