"""Every family through one registry: from its layers to the engine, against plain evaluation."""

import numpy as np
import pytest
import torch
from tiny_models import draw_codes, make_model
from torch.utils.flop_counter import FlopCounterMode

from seqcnn.architectures import ARCHITECTURES, NetworkConfig, StackedConfig, configure
from seqcnn.architectures.layers import needed_inputs, output_length, receptive_field, trace_layers
from seqcnn.architectures.networks import build_network
from seqcnn.dna import one_hot, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.strands import strand_logits
from seqcnn.genome import Haplotypes, cut_haplotypes
from seqcnn.modelfile import read_model, write_model

LENGTH = 39

_CHAIN = {"channels1": 6, "width1": 5, "channels2": 5, "width2": 3}
_HIDDEN = {"hidden1": 7, "hidden2": 6}
SMALL = {
    "deepbind": {"detectors": 4, "width": 5},
    "motif": {"detectors": 5, "width": 4},
    "lenet": {**_CHAIN, **_HIDDEN, "pool1": 2, "pool2": 2, "overlap": 1},
    "alexnet": {
        **{**_CHAIN, **_HIDDEN, "pool1": 2, "pool2": 2},
        **{"channels3": 4, "width3": 3, "pool3": 2, "pooling": "mean"},
    },
    "vgg": {**_CHAIN, **_HIDDEN, "channels3": 4, "width3": 3, "channels4": 6, "width4": 2},
    "inception": {"each": 3, "bottleneck": 2, "kernel4": 9, "kernel5": 6, "modules": 1},
    "resnet": {"channels": 6, "width": 5, "blocks": 2, "bottleneck": 3, "convolutions": 2},
    "densenet": {"channels": 6, "width": 5, "depth": 2, "growth": 3, "bottleneck": 4},
    "unet": {"channels": 4, "width": 5, "levels": 2, "kernel": 3},
    "fcn": {"channels": 4, "width": 5, "levels": 2, "kernel": 3},
    "octave": {"channels": 6, "width": 5, "depth": 3, "kernel": 3},
    "recurrent": {"channels": 5, "width": 5, "pool_size": 4, "units": 3, "hidden": 6},
}
STACKED = [name for name in SMALL if issubclass(ARCHITECTURES[name], StackedConfig)]
each_family = pytest.mark.parametrize("name", SMALL)
each_stacked = pytest.mark.parametrize("name", STACKED)
each_strands = pytest.mark.parametrize("strands", ["average", "max", "shared", "single"])


def draw_batch(n: int, length: int = LENGTH, *, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(one_hot(draw_codes(n, length, seed=seed)))


def model_of(name: str, **more: object):
    return make_model(name, values=SMALL[name], length=LENGTH, **more)


def network_of(name: str, values: dict | None = None, *, length: int = LENGTH, seed: int = 0):
    config = configure(name, SMALL[name] | (values or {}))
    network = build_network(config, tasks=2, length=length, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if "var" in key:
                value.uniform_(0.5, 2, generator=generator)
            elif value.is_floating_point():
                value.normal_(generator=generator).mul_(0.5)
    return network.eval()


def assert_near(found, expected) -> None:
    """Within the rounding of float32, in units of the largest."""
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * scale)


def test_every_network_is_in_the_registry() -> None:
    """A family that is left out here is no network, and has tests of its own."""
    for name in set(ARCHITECTURES) - set(SMALL):
        assert ARCHITECTURES[name].trunk is NetworkConfig.trunk or name == "gkm"


# Learning


@each_family
@each_strands
def test_a_training_step_is_taken_by_every_weight(name, strands) -> None:
    network = network_of(name, {"dropout": 0}).train()
    strand_logits(network, draw_batch(20), strands).pow(2).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", SMALL)
def test_default_networks_can_be_made_for_101_bases(name) -> None:
    config = configure(name, {})
    assert config.shortest <= 101
    network = build_network(config, tasks=2, length=101).train()
    assert network(draw_batch(2, 101)).shape == (2, 2)


# Files


@each_family
@pytest.mark.parametrize("strands", ["average", "shared"])
def test_a_model_that_was_saved_says_the_same(name, strands, tmp_path) -> None:
    model = model_of(name, strands=strands)
    write_model(model, tmp_path / "m.safetensors")
    again = read_model(tmp_path / "m.safetensors")
    assert again.spec == model.spec
    codes = draw_codes(5, LENGTH)
    first, second = (Engine(each, threads=1).predict(codes).members for each in (model, again))
    np.testing.assert_array_equal(first, second)


# Strands


@each_family
@pytest.mark.parametrize("strands", ["average", "max", "shared"])
def test_a_sequence_and_its_reverse_complement_are_the_same(name, strands) -> None:
    engine = Engine(model_of(name, strands=strands, members=2), threads=1)
    codes = draw_codes(9, LENGTH)
    forward, reverse = engine.predict(codes), engine.predict(reverse_complement(codes))
    np.testing.assert_allclose(forward.members, reverse.members, rtol=1e-6, atol=1e-6)


@each_family
@each_strands
def test_the_engine_says_what_the_network_says(name, strands) -> None:
    engine = Engine(model_of(name, strands=strands), threads=1)
    codes = draw_codes(21, LENGTH)
    with torch.no_grad():
        network = engine.torch.networks[0].double()
        expected = strand_logits(network, torch.from_numpy(one_hot(codes)).double(), strands)
    network.float()
    assert_near(engine.predict(codes).members[0], expected.numpy())


def test_shared_features_are_not_averaged_logits() -> None:
    """Else the strands would share nothing but their output."""
    codes = draw_codes(9, LENGTH)
    for name in SMALL:
        shared, average = (
            Engine(model_of(name, strands=strands), threads=1).predict(codes).logits
            for strands in ("shared", "average")
        )
        linear = name == "resnet"  # means, weighed by one layer
        assert np.allclose(shared, average, atol=1e-4) is linear, name


# Mutants, alleles and scans


@each_family
@pytest.mark.parametrize("strands", ["max", "shared"])
def test_mutants_are_sequences_with_one_base_changed(name, strands) -> None:
    engine = Engine(model_of(name, strands=strands, tasks=("a", "b")), threads=1)
    codes = draw_codes(2, LENGTH, seed=3)
    found = engine.predict_mutants(codes)
    mutants = np.repeat(codes[:, None, None], LENGTH, axis=1).repeat(4, axis=2)
    for position in range(LENGTH):
        mutants[:, position, :, position] = np.arange(4)
    plain = engine.predict(mutants.reshape(-1, LENGTH)).members.reshape(found.shape)
    assert_near(found, plain)


@each_family
@pytest.mark.parametrize("strands", ["average", "shared"])
def test_alleles_and_scans_are_windows(name, strands) -> None:
    engine = Engine(model_of(name, strands=strands), threads=1)
    contig = draw_codes(1, 90, seed=5)[0]
    starts = np.array([0, 20, 51])
    none, ends = np.zeros(3, dtype=np.int64), np.arange(4)
    ref = Haplotypes(starts, starts + 17, none, np.empty(0, np.uint8), np.zeros(4, np.int64))
    alt = Haplotypes(starts, starts + 17, none + 1, np.array([0, 3, 1], np.uint8), ends)
    for side, found in zip((ref, alt), engine.predict_alleles(contig, ref, alt), strict=True):
        plain = engine.predict(cut_haplotypes(contig, side, LENGTH))
        assert_near(found.logits, plain.logits)
    scanned = np.concatenate([logits for _, logits in engine.scan(contig)], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(contig, LENGTH)
    plain = engine.predict(np.ascontiguousarray(windows)).members
    assert_near(scanned, plain)


# What info prints


@each_family
@pytest.mark.parametrize("length", [39, 48])
def test_parameters_and_shapes_are_those_of_the_modules(name, length) -> None:
    config = configure(name, SMALL[name])
    network = build_network(config, tasks=2, length=length)
    traced = trace_layers(config.layers(length=length, tasks=2), length)
    assert sum(each.parameters for each in traced) == sum(
        parameter.numel() for parameter in network.parameters()
    )
    assert traced[-1].positions == 1
    assert traced[-1].layer.channels == 2
    if name in STACKED:
        trunk = trace_layers(network.layers, length)[-1]
        features = network.features(draw_batch(3, length))
        assert features.shape[1] == trunk.layer.channels
        assert features.ndim == 2 or features.shape[3] == trunk.positions
    else:
        assert network.detect(draw_batch(3, length)).shape[2] == traced[0].positions


@pytest.mark.parametrize("name", [name for name in SMALL if name != "recurrent"])
@pytest.mark.parametrize("length", [39, 48])
@torch.no_grad()
def test_work_is_what_a_counter_counts(name, length) -> None:
    network = network_of(name, length=length)
    traced = trace_layers(network.config.layers(length=length, tasks=2), length)
    counter = FlopCounterMode(display=False)
    with counter:
        network(draw_batch(4, length))
    assert counter.get_total_flops() == 4 * sum(each.work for each in traced)


def test_work_of_an_lstm_is_that_of_its_products() -> None:
    traced = trace_layers(configure("recurrent", SMALL["recurrent"]).trunk(LENGTH), LENGTH)
    (lstm,) = (each for each in traced if each.layer.kind == "recurrent")
    gates = torch.nn.LSTM(5, 3, bidirectional=True)
    weights = sum(w.numel() for key, w in gates.named_parameters() if "weight" in key)
    assert lstm.work == 2 * weights * lstm.positions
    assert lstm.parameters == sum(parameter.numel() for parameter in gates.parameters())


SMOOTH = {"activation": "elu", "first": "elu"}
"""With these, and means, whatever an output looks at changes it."""


@each_stacked
def test_receptive_fields_by_perturbation(name) -> None:
    length = 120
    values = SMOOTH | ({"pooling": "mean"} if "pooling" in vars(configure(name, {})) else {})
    network = network_of(name, values, length=length).double()
    layers = network.layers
    batch = network.lay_out(draw_batch(1, length).double())
    pad = network.detector_padding
    for stop in range(1, len(layers) + 1):
        inputs = batch.clone().requires_grad_()
        outputs = network.trunk[:stop](inputs)
        if outputs.ndim < 4 or layers[stop - 1].kind == "recurrent":
            assert receptive_field(layers[:stop], length) == length
            continue
        seen = []
        middle = outputs.shape[3] // 2
        for place in range(middle, min(middle + 8, outputs.shape[3])):
            (slope,) = torch.autograd.grad(outputs[0, :, 0, place].sum(), inputs, retain_graph=True)
            where = slope[0].abs().sum(dim=(0, 1)).nonzero().flatten() - pad
            seen.append(len(where))
            where = where[(where >= 0) & (where < length)]
            if len(where):
                expected = interval(layers[:stop], (place, place + 1), length)
                assert (where.min(), where.max() + 1) == expected
        assert max(seen) == receptive_field(layers[:stop], length)


def interval(layers, outputs, length):
    """Follow outputs back to the bases they look at."""
    lengths = [length]
    for layer in layers:
        lengths.append(output_length(layer, lengths[-1]))
    for layer, before in zip(reversed(layers), reversed(lengths[:-1]), strict=True):
        outputs = needed_inputs(layer, outputs, before)
    return outputs


# Outputs for each base


@pytest.mark.parametrize("name", [n for n in SMALL if ARCHITECTURES[n].gives_profile])
@torch.no_grad()
def test_a_profile_has_a_logit_for_each_base_and_its_largest_is_the_sequences(name) -> None:
    network = network_of(name)
    for length in (1, 2, 39, 40, 101):
        batch = draw_batch(5, length)
        profile = network.profile(batch)
        assert profile.shape == (5, 2, length)
        torch.testing.assert_close(profile.amax(dim=2), network(batch))


@torch.no_grad()
def test_a_network_without_positions_gives_no_profile() -> None:
    with pytest.raises(TypeError, match="gives no profile"):
        network_of("vgg").profile(draw_batch(2))
