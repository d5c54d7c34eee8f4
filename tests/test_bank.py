"""Many networks as one: their rows, their batched passes, and what dropout hides."""

import numpy as np
import pytest
import torch
from tiny_models import draw_codes

from seqcnn.architectures import configure
from seqcnn.architectures.networks import build_network
from seqcnn.engine.bank import bank_logits, bank_shape, keep_features, read_row, write_row
from seqcnn.engine.strands import expand_one_hot
from seqcnn.training.heads import drop

VARIANTS = [
    ("motif", {"detectors": 5, "width": 4, "dropout": 0.0}),
    ("motif", {"detectors": 9, "width": 7, "hidden": 0, "ceiling": 0.5, "dropout": 0.0}),
    ("deepbind", {"detectors": 4, "width": 5}),
    ("deepbind", {"detectors": 4, "width": 5, "pooling": "max_mean"}),
    ("deepbind", {"detectors": 4, "width": 5, "pooling": "max_mean", "hidden": 3}),
    ("deepbind", {"detectors": 4, "width": 3, "hidden": 3}),
]
each_variant = pytest.mark.parametrize(("name", "values"), VARIANTS)


def make_networks(name, values, number=3):
    """Networks in which nothing is 0 or 1 by default any more."""
    networks = []
    for seed in range(number):
        network = build_network(configure(name, values), tasks=2, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for key, value in network.state_dict().items():
                if "var" in key:
                    value.uniform_(0.5, 2, generator=generator)
                elif value.is_floating_point():
                    value.normal_(std=0.4, generator=generator)
        network.unknown = 0.1
        networks.append(network)
    return networks


def weights_of(network):
    return {k: v.numpy() for k, v in network.state_dict().items() if v.is_floating_point()}


def stack_rows(shape, networks):
    pairs = [read_row(shape, weights_of(network)) for network in networks]
    return [torch.from_numpy(np.stack(rows)).double() for rows in zip(*pairs, strict=True)]


def make_batches(streams, *, unknown=0.25, n=6, length=21):
    codes = [torch.from_numpy(draw_codes(n, length, seed=seed)) for seed in range(streams)]
    plain = [expand_one_hot(each, unknown=unknown).double() for each in codes]
    return plain, torch.stack([batch.transpose(1, 2) for batch in plain])


@each_variant
def test_rows_hold_all_weights_and_give_them_back(name, values) -> None:
    shape = bank_shape(configure(name, values), tasks=2)
    weights = weights_of(make_networks(name, values, 1)[0])
    row, running = read_row(shape, weights)
    assert len(row) + len(running) == sum(value.size for value in weights.values())
    again = write_row(shape, row, running)
    assert {key: value.tobytes() for key, value in again.items()} == {
        key: np.ascontiguousarray(value).tobytes() for key, value in weights.items()
    }
    assert all(again[key].shape == weights[key].shape for key in weights)
    again["detectors"][:] = 0
    assert row.any(), "a copy, not a view"


@each_variant
def test_matrices_decay_and_vectors_do_not(name, values) -> None:
    shape = bank_shape(configure(name, values), tasks=2)
    network = make_networks(name, values, 1)[0]
    marks = write_row(shape, shape.decays(), read_row(shape, weights_of(network))[1])
    for key, parameter in network.named_parameters():
        assert (marks[key] == float(parameter.ndim > 1)).all()


@each_variant
@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_a_bank_is_its_networks(name, values, streams, training) -> None:
    """Logits, gradients and running statistics, on one batch for all or one for each."""
    shape = bank_shape(configure(name, values), tasks=2, unknown=0.1)
    networks = make_networks(name, values)
    rows, running = stack_rows(shape, networks)
    rows.requires_grad_()
    plain, batches = make_batches(streams, unknown=0.1)
    logits = bank_logits(shape, rows, running, batches, training=training)
    weights = torch.linspace(-1, 2, logits.numel()).view_as(logits).double()
    (gradient,) = torch.autograd.grad((logits * weights).sum(), [rows])
    for k, network in enumerate(networks):
        network.double().train(training)
        own = network(plain[k % streams])
        torch.testing.assert_close(logits[k], own)
        (own * weights[k]).sum().backward()
        slopes = {key: p.grad.numpy() for key, p in network.named_parameters()}
        buffers = {key: b.numpy() for key, b in network.named_buffers()}
        row, noted = read_row(shape, slopes | buffers)
        np.testing.assert_allclose(gradient[k], row, rtol=1e-5, atol=1e-5 * np.abs(row).max())
        np.testing.assert_allclose(running[k], noted, rtol=1e-5, atol=1e-6)


def test_only_global_pooling_makes_a_bank() -> None:
    assert bank_shape(object(), tasks=1) is None


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.99])
def test_a_key_hides_the_same_features_in_both_forms(share) -> None:
    keys = np.array([7, 2**32 - 1, 123456789], dtype=np.int64)
    shares = torch.full((3,), share, dtype=torch.float64)
    masks = keep_features(torch.from_numpy(keys), shares, 50, 33).float().numpy()
    features = np.ones((3, 50, 33), np.float32)
    drop(features, keys.astype(np.uint32), shares.numpy())
    np.testing.assert_array_equal(features, masks)
    spread = np.sqrt(share * (1 - share) / features.size)
    assert abs((features > 0).mean() - (1 - share)) < 5 * spread + 1e-9
    assert share == 0 or not np.array_equal(masks[0], masks[1])


def test_hidden_features_do_not_hang_together() -> None:
    masks = keep_features(torch.arange(40) * 7919, torch.full((40,), 0.5), 64, 32) > 0
    signs = masks.double() * 2 - 1
    for axis in (0, 1, 2):
        other = signs.roll(1, dims=axis)
        assert abs(float((signs * other).mean())) < 5 / np.sqrt(signs.numel())
