"""Every family through one registry test; each against a slow version of its definition."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from seqcnn.architectures import ARCHITECTURES, configure, describe_architecture
from seqcnn.architectures.blocks import Dropout, correlate, fold_batch_norm, make_linear
from seqcnn.architectures.networks import build_network, seed_dropout
from seqcnn.dna import one_hot
from seqcnn.errors import ConfigError

SMALL = {"detectors": "3", "width": "4"}
VARIANTS = [
    ("motif", SMALL),
    ("motif", {"detectors": "70", "width": "5", "ceiling": "0.5"}),
    ("deepbind", SMALL),
    ("deepbind", {**SMALL, "pooling": "max_mean"}),
    ("deepbind", {**SMALL, "pooling": "max_mean", "hidden": "5", "dropout": "0.5"}),
    ("deepbind", {"detectors": "65", "width": "6"}),
]
each_variant = pytest.mark.parametrize(("name", "values"), VARIANTS)


def make_network(name, values, *, tasks=2, seed=0):
    """A network in which nothing is 0 or 1 by default any more."""
    network = build_network(configure(name, values), tasks=tasks, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if "var" in key:
                value.uniform_(0.5, 2, generator=generator)
            elif value.is_floating_point():
                value.normal_(generator=generator)
    return network.eval()


def draw_batch(n=6, length=19, seed=0):
    codes = np.random.default_rng(seed).integers(0, 5, (n, length), dtype=np.uint8)
    return torch.from_numpy(one_hot(codes))


# The registry


@each_variant
def test_steps_compose_to_the_whole(name, values) -> None:
    network, batch = make_network(name, values), draw_batch()
    detectors = int(values["detectors"])
    with torch.no_grad():
        logits = network(batch)
        scores = network.detect(batch)
        assert logits.shape == (6, 2)
        positions = 19 + 2 * network.detector_padding - network.detector_width + 1
        assert scores.shape == (6, detectors, positions)
        pooled = network.pool(scores)
        torch.testing.assert_close(pooled, network.features(batch))
        torch.testing.assert_close(logits, network.head(pooled))
        # What pooling is, said plainly.
        activations = network.activate(scores)
        highest = activations.amax(dim=2)
        for detector in range(detectors):
            columns = network.features_of(detector)
            torch.testing.assert_close(pooled[:, columns[0]], highest[:, detector])
            if len(columns) == 2:
                torch.testing.assert_close(
                    pooled[:, columns[1]], activations.mean(dim=2)[:, detector]
                )


@each_variant
def test_features_of_a_detector_are_those_it_changes(name, values) -> None:
    network, batch = make_network(name, values), draw_batch()
    with torch.no_grad():
        before = network.features(batch)
        everything = []
        for detector in range(int(values["detectors"])):
            kept = network.detectors[detector].clone()
            network.detectors[detector] += 1.5
            changed = (network.features(batch) != before).any(dim=0).nonzero().flatten().tolist()
            network.detectors[detector] = kept
            columns = network.features_of(detector)
            assert set(changed) <= set(columns)
            assert changed or values.get("ceiling")
            everything += columns
        assert sorted(everything) == list(range(before.shape[1]))


@each_variant
def test_a_config_survives_being_spelled(name, values) -> None:
    config = configure(name, values)
    spelled = {key: str(value) for key, value in dataclasses.asdict(config).items()}
    assert configure(name, spelled) == config
    assert configure(name, dataclasses.asdict(config)) == config


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_field_is_described_with_its_default(name) -> None:
    text = describe_architecture(name)
    for field in dataclasses.fields(ARCHITECTURES[name]):
        assert f"{field.name}={field.default}" in text
        assert field.metadata["help"] in text


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "gkm"])
def test_every_number_has_a_range_that_is_kept(name) -> None:
    for field in dataclasses.fields(ARCHITECTURES[name]):
        if "choices" in field.metadata:
            with pytest.raises(ConfigError, match=" or "):
                configure(name, {field.name: "nonsense"})
            continue
        low, high = field.metadata["low"], field.metadata["high"]
        for good in (low, high):
            assert getattr(configure(name, {field.name: good}), field.name) == good
        bad = (low - 1, high * 2, "nan", "inf", "many", "", None, True, float("inf"), float("nan"))
        for value in bad:
            with pytest.raises(ConfigError, match=re.escape(f"from {low:g} to {high:g}")):
                configure(name, {field.name: value})


def test_a_share_of_a_whole_number_is_refused() -> None:
    for value in ("2.5", 2.5):
        with pytest.raises(ConfigError, match="a whole number"):
            configure("motif", {"detectors": value})
    assert configure("motif", {"detectors": 3.0}).detectors == 3


@pytest.mark.parametrize(
    ("field", "nearest"), [("detector", "detectors"), ("withd", "width"), ("Pooling", "pooling")]
)
def test_unknown_fields_are_refused_with_the_nearest(field, nearest) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {nearest}\\?"):
        configure("deepbind", {field: "1"})


def test_unknown_families_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"deepbind, motif, .*lenet, alexnet"):
        configure("nonet", {})


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state() -> None:
    for name, values in VARIANTS:
        config = configure(name, values)
        before = torch.get_rng_state()
        first, same, other = (build_network(config, tasks=2, seed=s) for s in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        for key, value in first.state_dict().items():
            assert torch.equal(value, same.state_dict()[key])
        assert not torch.equal(first.detectors, other.detectors)


def test_the_shortest_sequence_is_taken() -> None:
    for name, shortest in (("motif", 4), ("deepbind", 1)):
        network = make_network(name, SMALL)
        assert network.shortest == shortest
        assert network(draw_batch(length=shortest)).shape == (6, 2)


def test_linear_layers_start_as_those_of_torch() -> None:
    layer = make_linear(50, 400, torch.Generator().manual_seed(0))
    usual = nn.Linear(50, 400)
    for drawn, other in ((layer.weight, usual.weight), (layer.bias, usual.bias)):
        assert drawn.shape == other.shape
        assert drawn.abs().max() <= 1 / np.sqrt(50)
        assert drawn.std().item() == pytest.approx(other.std().item(), rel=0.15)


def test_rows_at_once_bound_the_memory() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for name, values in VARIANTS:
        network = make_network(name, values)
        for length in (19, 1000, 10**7):
            assert 2 <= network.rows_at_once(length, cpu) <= 2**17
            assert network.rows_at_once(length, cpu) <= network.rows_at_once(length, cuda)
        assert network.rows_at_once(10**7, cpu) == 2


# Against the definitions, in NumPy


def slide_slowly(x, detectors):
    """Cross-correlate x (n, 4, length) with (k, 4, width), window by window."""
    width = detectors.shape[2]
    columns = [
        [(window * detector).sum(axis=(1, 2)) for detector in detectors]
        for window in (x[:, :, p : p + width] for p in range(x.shape[2] - width + 1))
    ]
    return np.array(columns).transpose(2, 1, 0)  # (n, k, positions)


def deepbind_slowly(x, weights, *, width, with_mean, hidden):
    x = np.pad(x, ((0, 0), (0, 0), (width - 1, width - 1)), constant_values=0.25)
    rectified = np.maximum(
        slide_slowly(x, weights["detectors"]) + weights["thresholds"][:, None], 0
    )
    features = []
    for k in range(rectified.shape[1]):
        features.append(rectified[:, k].max(axis=1))
        if with_mean:
            features.append(rectified[:, k].sum(axis=1) / rectified.shape[2])
    values = np.array(features).T
    if hidden:
        values = np.maximum(values @ weights["head.1.weight"].T + weights["head.1.bias"], 0)
    last = "head.3" if hidden else "head.1"
    return values @ weights[f"{last}.weight"].T + weights[f"{last}.bias"]


def motif_slowly(x, weights, *, ceiling, hidden):
    def normalise(values, name, axis):
        shape = [1] * values.ndim
        shape[axis] = -1
        mean, var, gain, shift = (
            weights[f"{name}.{key}"].reshape(shape)
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / np.sqrt(var + 1e-5) * gain + shift

    scores = normalise(slide_slowly(x, weights["detectors"]), "norm", 1)
    activations = np.exp(np.minimum(scores, ceiling))
    features = np.concatenate([activations.max(axis=2), activations.mean(axis=2)], axis=1)
    values = normalise(features, "head.0", 1)
    if hidden:
        values = np.maximum(values @ weights["head.2.weight"].T + weights["head.2.bias"], 0)
    last = "head.4" if hidden else "head.2"
    return values @ weights[f"{last}.weight"].T + weights[f"{last}.bias"]


def in_double(network):
    return {key: value.double().numpy() for key, value in network.state_dict().items()}


@pytest.mark.parametrize("length", [1, 3, 19])
@pytest.mark.parametrize("pooling", ["max", "max_mean"])
@pytest.mark.parametrize("hidden", ["0", "32"])
def test_deepbind_is_its_definition(length, pooling, hidden) -> None:
    values = {"detectors": "5", "width": "7", "pooling": pooling, "hidden": hidden}
    network, batch = make_network("deepbind", values), draw_batch(length=length)
    slow = deepbind_slowly(
        batch.double().numpy(),
        in_double(network),
        width=7,
        with_mean=pooling == "max_mean",
        hidden=hidden != "0",
    )
    np.testing.assert_allclose(network(batch).detach().numpy(), slow, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("detectors", ["3", "66"])
@pytest.mark.parametrize("ceiling", [0.5, 5.0])
@pytest.mark.parametrize("hidden", [0, 16])
def test_motif_is_its_definition(detectors, ceiling, hidden) -> None:
    values = {"detectors": detectors, "width": "4", "ceiling": str(ceiling), "hidden": str(hidden)}
    network, batch = make_network("motif", values), draw_batch()
    weights = in_double(network)
    slow = motif_slowly(batch.double().numpy(), weights, ceiling=ceiling, hidden=hidden)
    np.testing.assert_allclose(network(batch).detach().numpy(), slow, rtol=2e-5, atol=1e-4)


@given(st.integers(1, 80), st.integers(1, 9), st.integers(0, 12), st.integers(1, 4))
def test_correlation_is_convolution(number, width, more, rows) -> None:
    generator = torch.Generator().manual_seed(number)
    detectors = torch.randn(number, 4, width, generator=generator, dtype=torch.float64)
    offsets = torch.randn(number, generator=generator, dtype=torch.float64)
    batch = draw_batch(rows, width + more).double()
    torch.testing.assert_close(
        correlate(batch, detectors, offsets), functional.conv1d(batch, detectors, offsets)
    )


# The fast way of training against torch's own layers


class PlainMotifNet(nn.Module):
    """The same network, of torch's layers only."""

    def __init__(self, network):
        super().__init__()
        self.network, self.norm = network, nn.BatchNorm1d(len(network.detectors)).double()
        self.norm.load_state_dict(network.norm.state_dict())

    def forward(self, batch):
        scores = self.norm(functional.conv1d(batch, self.network.detectors))
        activations = scores.clamp(max=self.network.config.ceiling).exp()
        pooled = torch.cat([activations.amax(dim=2), activations.mean(dim=2)], dim=1)
        return self.network.head(pooled)


@pytest.mark.parametrize("ceiling", [0.7, 5.0])
@pytest.mark.parametrize("detectors", [4, 70])
def test_a_training_step_has_the_gradients_of_the_plain_network(ceiling, detectors) -> None:
    values = {"detectors": detectors, "width": 5, "ceiling": ceiling, "dropout": 0}
    network = make_network("motif", values).double().train()
    plain = PlainMotifNet(network).train()
    batch = draw_batch(n=90, length=14).double()
    weight = torch.randn(90, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (plain(batch) * weight).sum().backward()
    expected = {
        name: parameter.grad.clone()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    expected |= {f"norm.{name}": p.grad for name, p in plain.norm.named_parameters()}
    network.zero_grad()
    # Both passes note running moments of the head; only those of the detectors are compared.
    (network(batch) * weight).sum().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], msg=name)
    torch.testing.assert_close(network.norm.running_mean, plain.norm.running_mean)
    torch.testing.assert_close(network.norm.running_var, plain.norm.running_var)


def test_a_folded_batch_norm_is_a_batch_norm() -> None:
    network = make_network("motif", SMALL).double()
    batch = draw_batch().double()
    weights, offsets = fold_batch_norm(network.detectors, network.norm, batch)
    plain = network.norm(functional.conv1d(batch, network.detectors))
    torch.testing.assert_close(functional.conv1d(batch, weights, offsets), plain)


def test_deepbind_has_the_gradients_of_the_plain_network() -> None:
    values = {"detectors": 5, "width": 4, "pooling": "max_mean"}
    network = make_network("deepbind", values).double()
    batch = draw_batch().double()
    network(batch).pow(2).sum().backward()
    fast = network.detectors.grad.clone(), network.thresholds.grad.clone()
    network.zero_grad()
    padded = functional.pad(batch, (3, 3), value=0.25)
    scores = functional.conv1d(padded, network.detectors, network.thresholds).relu()
    pooled = torch.stack([scores.amax(dim=2), scores.mean(dim=2)], dim=2).flatten(1)
    network.head(pooled).pow(2).sum().backward()
    torch.testing.assert_close(fast, (network.detectors.grad, network.thresholds.grad))


# Dropout


def test_dropout_draws_from_its_own_generator() -> None:
    layer = Dropout(0.25).train()
    seed_dropout(layer, torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    dropped = layer(torch.ones(400, 50))
    assert torch.equal(torch.get_rng_state(), before)
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert (dropped == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
    seed_dropout(layer, torch.Generator().manual_seed(0))
    assert torch.equal(layer(torch.ones(400, 50)), dropped)
    assert torch.equal(layer.eval()(torch.ones(3)), torch.ones(3))
