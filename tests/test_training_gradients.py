"""The gradients of whole compiled steps against those of the plain network in float64."""

import copy

import numpy as np
import pytest
import torch
from tiny_models import draw_codes, make_model, plant_split

from seqcnn.architectures.blocks import Dropout
from seqcnn.engine.bank import keep_features, read_row
from seqcnn.engine.strands import expand_one_hot, reverse_complement_one_hot, strand_logits
from seqcnn.training import TrainingConfig, TrainingJob
from seqcnn.training.compiled import CompiledLearner, shape_of
from seqcnn.training.learner import Seeded, Steps, copy_weights
from seqcnn.training.losses import sum_losses

SPLIT = plant_split(sizes=(10, 4, 4))
VARIANTS = [
    ("motif", {"dropout": 0.3, "hidden": 0}, 0.25),
    ("motif", {"detectors": 70, "width": 7, "ceiling": 1.5, "dropout": 0.0}, 0.0),
    ("deepbind", {}, 0.25),
    ("deepbind", {"hidden": 6, "dropout": 0.5}, 0.25),
    ("deepbind", {"pooling": "max_mean", "hidden": 3, "dropout": 0.3, "width": 14}, 0.1),
]


class FixedDropout(torch.nn.Module):
    """Dropout with a mask that is given."""

    def __init__(self, kept) -> None:
        super().__init__()
        self.kept = kept

    def forward(self, features):
        return features * self.kept if self.training else features


def make_learner(architecture, values, unknown, strands, kind, networks=2):
    standard = {"centre": (0.0, 0.0), "scale": (1.0, 1.0)} if kind == "regression" else {}
    model = make_model(
        architecture, length=30, values=values, strands=strands, tasks=("a", "b"),
        task_kind=kind, unknown=unknown, **standard,
    )  # fmt: skip
    config = TrainingConfig(steps=3, batch_size=16)
    job = TrainingJob(SPLIT, model.spec, config)
    seeded = [Seeded.draw(job, np.random.default_rng(i)) for i in range(networks)]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one in seeded:
            for parameter in one.network.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return CompiledLearner(seeded, shape_of(job)), [one.network for one in seeded]


def draw_batch(kind):
    codes = draw_codes(16, 30)
    codes[0, 5:25] = 4
    codes[1] = 2  # all places of a detector are equal
    targets = np.random.default_rng(3).integers(0, 2, (16, 2)).astype(np.float32)
    targets[0, 1] = np.nan
    return codes, targets * 1.3 if kind == "regression" else targets


def fix_dropout(network, learner, number):
    shape, share = learner.shape, float(learner.own.shares[number])
    key = torch.tensor([int(learner.keys[0, number])])
    kept = keep_features(key, torch.tensor([share]), 16, shape.features)[0]
    if shape.has_mean and not shape.normalised:  # deepbind's columns are max_0, mean_0, ...
        kept = kept.view(16, 2, -1).transpose(1, 2).flatten(1)
    for name, module in network.head.named_children():
        if isinstance(module, Dropout):
            setattr(network.head, name, FixedDropout(kept))


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("strands", ["single", "max"])
@pytest.mark.parametrize(("architecture", "values", "unknown"), VARIANTS)
def test_a_step_is_that_of_the_plain_network(architecture, values, unknown, strands, kind) -> None:
    learner, networks = make_learner(architecture, values, unknown, strands, kind)
    codes, targets = draw_batch(kind)
    still = np.zeros((len(networks), 1))
    losses = learner.learn(Steps(codes[None, None], targets[None, None], still, still))
    batch = expand_one_hot(torch.from_numpy(codes), unknown=unknown).double()
    for number, plain in enumerate(networks):
        network = copy.deepcopy(plain).double().train()
        fix_dropout(network, learner, number)
        logits = network(batch)
        if strands == "max":
            logits = torch.maximum(logits, network(reverse_complement_one_hot(batch)))
        total, known = sum_losses(logits, torch.from_numpy(targets).double(), kind)
        (total / known).backward()
        assert losses[number, 0] == pytest.approx((total / known).item(), rel=1e-5)
        slopes = {name: p.grad.numpy() for name, p in network.named_parameters()}
        row, running = read_row(learner.shape, copy_weights(network) | slopes)
        found = np.concatenate([part[number].ravel() for part in learner.own.gradients.values()])
        assert np.linalg.norm(found - row) < 1e-5 * np.linalg.norm(row)
        noted = [part[number].ravel() for part in (learner.own.scores, learner.own.features)]
        np.testing.assert_allclose(np.concatenate(noted), running, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strands", ["single", "average", "max"])
@pytest.mark.parametrize(("architecture", "values", "unknown"), VARIANTS)
def test_scores_are_those_of_the_plain_network(architecture, values, unknown, strands) -> None:
    learner, networks = make_learner(architecture, values, unknown, strands, "multilabel")
    codes = draw_codes(37, 30, seed=5)  # more than two batches
    batch = expand_one_hot(torch.from_numpy(codes), unknown=unknown).double()
    found = learner.score(codes, [1, 0])
    for place, number in enumerate([1, 0]):
        with torch.no_grad():
            wanted = strand_logits(networks[number].double().eval(), batch, strands).numpy()
        np.testing.assert_allclose(found[place], wanted, rtol=1e-5, atol=2e-6)
    assert learner.score(codes[:0], [0]).shape == (1, 0, 2)
