"""Stacked networks against torch's own layers, and from training to motifs."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from tiny_models import detector_shares, draw_codes
from torch import nn
from torch.nn import functional

from seqcnn.architectures import configure
from seqcnn.architectures.convolutions import Convolution
from seqcnn.architectures.layers import Layer, convolution
from seqcnn.architectures.modules import make_module
from seqcnn.architectures.networks import build_network, seed_dropout
from seqcnn.dna import one_hot
from seqcnn.engine import Engine
from seqcnn.filters import count_sites
from seqcnn.modelfile import ModelSpec, TrainedModel

ALEXNET = {
    **{"channels1": 6, "width1": 5, "pool1": 2, "channels2": 5, "width2": 3, "pool2": 2},
    **{"channels3": 4, "width3": 2, "pool3": 2, "hidden1": 7, "hidden2": 6},
}
RESNET = {"channels": 6, "width": 5, "blocks": 3}
FAMILIES = [
    ("alexnet", ALEXNET),
    ("alexnet", {**ALEXNET, "padding": "half", "first": "exponential"}),
    ("resnet", RESNET),
    ("resnet", {**RESNET, "norm": "none", "kernel": 4, "width": 4, "first": "exponential"}),
]
each_family = pytest.mark.parametrize(("name", "values"), FAMILIES)


def draw_state(network, seed=0):
    """Random weights, positive variances."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "var" in name:
                value.uniform_(0.5, 2, generator=generator)
            elif value.is_floating_point():
                value.normal_(generator=generator).mul_(0.5)
    return network.eval()


def make_network(name, values, *, length=40, tasks=2):
    return draw_state(build_network(configure(name, values), tasks=tasks, length=length))


def make_engine(name, values, *, length=40, strands="average", tasks=("a",), members=1):
    config = configure(name, values)
    spec = ModelSpec(name, config, "binary", tasks, length, strands)
    networks = [
        draw_state(build_network(config, tasks=len(tasks), length=length), seed)
        for seed in range(members)
    ]
    weights = tuple(
        {k: v.numpy().copy() for k, v in network.state_dict().items() if v.is_floating_point()}
        for network in networks
    )
    return Engine(TrainedModel(spec, weights), threads=2)


def draw_batch(n=5, length=40, seed=0):
    return torch.from_numpy(one_hot(draw_codes(n, length, seed=seed)))


# The networks


def run_slowly(layers, state, x, prefix):
    """Run layers on (n, channels, positions), each by torch's function for one dimension."""
    for number, layer in enumerate(layers):
        x = run_layer(layer, state, x, f"{prefix}.{number}")
    return x


def run_layer(layer: Layer, state, x, name):
    if layer.kind == "convolution":
        padded = functional.pad(x, layer.padding, value=0.25 if layer.inputs == 4 else 0)
        weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
        return functional.conv1d(padded, weight, bias, layer.stride, 0, layer.dilation)
    if layer.kind == "batch norm":
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{key}"] for key in keys))
    if layer.kind == "residual":
        return x + run_slowly(layer.body, state, x, f"{name}.body")
    if layer.kind == "dense":
        return functional.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))
    plain = {
        "ReLU": x.relu,
        "exponential": lambda: x.clamp(max=layer.amount).exp(),
        "max pool": lambda: functional.max_pool1d(x, layer.kernel, layer.stride),
        "global mean": lambda: x.mean(dim=2),
        "flatten": lambda: x.transpose(1, 2).flatten(1),
        "dropout": lambda: x,
    }
    return plain[layer.kind]()


@each_family
@pytest.mark.parametrize("length", [40, 61])
@torch.no_grad()
def test_a_network_is_its_list_of_layers(name, values, length) -> None:
    network = make_network(name, values, length=length).double()
    batch = draw_batch(length=length).double()
    features = run_slowly(network.layers, network.state_dict(), batch, "trunk")
    torch.testing.assert_close(network.features(batch), features)
    logits = run_slowly(network.head_layers, network.state_dict(), features, "head")
    torch.testing.assert_close(network(batch), logits)


@each_family
@torch.no_grad()
def test_steps_compose_to_the_whole(name, values) -> None:
    network, batch = make_network(name, values).double(), draw_batch().double()
    scores = network.detect(batch)
    torch.testing.assert_close(network.pool(scores), network.features(batch))
    activations = network.activate(scores)
    torch.testing.assert_close(network.pool_activations(activations), network.features(batch))
    torch.testing.assert_close(network.head(network.features(batch)), network(batch))
    assert network.features_of(0) == []


@each_family
def test_padding_is_unknown_bases(name, values) -> None:
    network = make_network(name, values, length=44)
    unknown = torch.full((3, 4, 2), 0.1)
    network.unknown = 0.1
    batch = torch.cat([unknown, draw_batch(3), unknown], dim=2)
    with torch.no_grad():
        p, scores = network.detector_padding, network.detect(batch)
        bare = functional.pad(batch, (p, p), value=0.1)
        weights, offsets = network.effective_detectors(batch)
        torch.testing.assert_close(scores, functional.conv1d(bare, weights, offsets))


@each_family
@torch.no_grad()
def test_a_sequence_has_the_same_logits_in_any_company(name, values) -> None:
    network, batch = make_network(name, values), draw_batch(n=9)
    together = network(batch)
    for rows in (2, 3, 9):
        network.rows_at_once = lambda *_, rows=rows: rows
        torch.testing.assert_close(network(batch), together, rtol=1e-6, atol=1e-6)


@each_family
def test_the_shortest_sequence_is_taken(name, values) -> None:
    shortest = configure(name, values).shortest
    network = make_network(name, values, length=shortest)
    assert network.shortest == shortest
    assert network(draw_batch(length=shortest)).shape == (5, 2)
    if shortest > 1:  # one less can be made, to be refused with its `shortest`
        assert make_network(name, values, length=shortest - 1).shortest == shortest


def test_a_network_that_needs_its_length_says_so() -> None:
    with pytest.raises(TypeError, match="needs the length"):
        build_network(configure("alexnet", {}), tasks=1)
    assert build_network(configure("resnet", RESNET), tasks=1).shortest == 1


@each_family
def test_weights_and_dropout_are_drawn_from_their_generators(name, values) -> None:
    config = configure(name, {**values, "dropout": 0.5})
    before = torch.get_rng_state()
    first, same, other = (build_network(config, tasks=2, length=40, seed=s) for s in (1, 1, 2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
    assert not torch.equal(first.detectors, other.detectors)
    batch = draw_batch()
    for network in (first, same):
        seed_dropout(network, torch.Generator().manual_seed(0))
    assert torch.equal(first.train()(batch), same.train()(batch))
    assert torch.equal(torch.get_rng_state(), before)


@each_family
def test_a_training_step_is_taken_by_every_weight(name, values) -> None:
    network = make_network(name, {**values, "dropout": 0}).train()
    network(draw_batch(n=30)).pow(2).sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()


def test_convolutions_start_as_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Convolution(convolution("c", (20, 300), 7), generator)
    usual = nn.Conv1d(20, 300, 7)
    for drawn, other in ((layer.weight, usual.weight), (layer.bias, usual.bias)):
        assert drawn.shape == other.shape
        assert drawn.std().item() == pytest.approx(other.std().item(), rel=0.15)


def test_a_layer_without_module_is_told() -> None:
    with pytest.raises(TypeError, match="no module for 'LSTM'"):
        make_module(Layer("x", "LSTM", 1, 1), torch.Generator())


def test_rows_at_once_bound_the_memory() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for name, values in FAMILIES:
        network = make_network(name, values)
        for length in (40, 1000, 10**7):
            assert 2 <= network.rows_at_once(length, cpu) <= 2**13
            assert network.rows_at_once(length, cpu) <= network.rows_at_once(length, cuda)
        assert network.rows_at_once(10**7, cpu) == 2


# In the engine and in the search for motifs


@each_family
@pytest.mark.parametrize("strands", ["average", "max", "single"])
def test_the_engine_runs_both_strands(name, values, strands) -> None:
    engine = make_engine(name, values, strands=strands, members=2, tasks=("a", "b"))
    codes = draw_codes(21, 40)
    batch = torch.from_numpy(one_hot(codes))
    for member, network in enumerate(engine.torch.networks):
        with torch.no_grad():
            forward, reverse = network(batch), network(batch.flip(1, 2))
        joined = {
            "average": (forward + reverse) / 2,
            "max": torch.maximum(forward, reverse),
            "single": forward,
        }[strands]
        found = engine.predict(codes).members[member]
        np.testing.assert_allclose(found, joined.numpy(), rtol=1e-5, atol=1e-5)


@each_family
def test_sites_of_the_first_layer_become_motifs(name, values) -> None:
    engine = make_engine(name, values)
    codes = draw_codes(60, 40)
    counted = count_sites(engine, codes, member=0)
    number = len(engine.torch.networks[0].detectors)
    assert counted.pfms.shape == (number, 4, values["width" if name == "resnet" else "width1"] + 20)
    assert counted.sites.sum() > 0


def covariance(targets, values):
    known = ~np.isnan(targets)
    return np.mean((targets[known] - targets[known].mean()) * values[known])


@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize(("name", "values"), FAMILIES[:3])
def test_importance_is_gradient_times_activation(name, values, strands) -> None:
    engine = make_engine(name, values, strands=strands, tasks=("a", "b"))
    codes = draw_codes(23, 40)
    rng = np.random.default_rng(0)
    logits = engine.predict(codes).members[0]
    targets = (logits + rng.normal(size=logits.shape) * logits.std(axis=0) / 4).astype(np.float32)
    targets[::5, 0] = np.nan
    network = engine.torch.networks[0].double()
    batch = torch.from_numpy(one_hot(codes)).double()
    both = [batch] if strands == "single" else [batch, batch.flip(1, 2)]
    activations = [network.activate(network.detect(x)).detach().requires_grad_() for x in both]
    parts = [network.head(network.pool_activations(a)) for a in activations]
    whole = parts[0]
    if len(parts) == 2:
        whole = torch.maximum(*parts) if strands == "max" else (parts[0] + parts[1]) / 2
    mean = torch.cat(activations).mean(dim=(0, 2))
    expected = np.zeros(len(mean))
    for task in range(2):
        gradients = torch.autograd.grad(whole[:, task].sum(), activations, retain_graph=True)
        lost = sum(
            (g * (a - mean[:, None])).sum(dim=2)
            for g, a in zip(gradients, activations, strict=True)
        ).detach()
        signal = covariance(targets[:, task].astype(float), whole[:, task].detach().numpy())
        assert signal > 0
        for detector in range(len(mean)):
            share = covariance(targets[:, task].astype(float), lost[:, detector].numpy()) / signal
            expected[detector] += share / 2
    engine.torch.networks[0].float()
    found = detector_shares(engine, codes, targets)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_importance_does_not_depend_on_blocks_or_threads() -> None:
    engine = make_engine(*FAMILIES[0])
    codes = draw_codes(50, 40)
    expected = detector_shares(engine, codes)[0]
    engine.torch.block = 8
    np.testing.assert_allclose(detector_shares(engine, codes)[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(
        detector_shares(engine, codes)[0], detector_shares(engine, codes)[0]
    )


def test_a_silent_network_has_no_importance() -> None:
    engine = make_engine(*FAMILIES[2])
    with torch.no_grad():
        for parameter in engine.torch.networks[0].parameters():
            parameter.zero_()
    engine.torch.heads[0] = deepcopy(engine.torch.networks[0].head).double()
    assert not detector_shares(engine, draw_codes(20, 40))[0].any()


@each_family
@pytest.mark.parametrize("strands", ["average", "max", "single"])
def test_mutants_of_the_engine_are_its_predictions(name, values, strands) -> None:
    engine = make_engine(name, values, strands=strands, members=2)
    codes = draw_codes(2, 40)
    found = engine.predict_mutants(codes)
    assert found.shape == (2, 2, 40, 4, 1)
    for row, sequence in enumerate(codes):
        mutants = np.tile(sequence, (40, 4, 1))
        mutants[np.arange(40), :, np.arange(40)] = np.arange(4)
        expected = engine.predict(mutants.reshape(160, 40)).members
        np.testing.assert_allclose(found[:, row].reshape(2, 160, 1), expected, rtol=1e-5, atol=1e-5)
