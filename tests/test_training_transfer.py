"""Transfer: what is taken over, what stays as it is, and what does not fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import CPU, draw_codes, make_model, plant_split

from seqcnn.architectures.networks import build_network
from seqcnn.errors import ConfigError
from seqcnn.modelfile import UNSUPERVISED, TrainedModel
from seqcnn.training import (
    DivergenceError,
    TrainingConfig,
    pretrain,
    take_weights,
    train_members,
)
from seqcnn.training.pretraining import Denoiser, MaskedBases
from seqcnn.training.transfer import last_layer, slow_names

SPLIT = plant_split(sizes=(50, 20, 4))
QUICK = TrainingConfig(steps=10, batch_size=16, evaluations=2)
TINY = {
    "motif": {},
    "deepbind": {"hidden": 3},
    "resnet": {"channels": 4, "width": 5, "blocks": 1},
    "alexnet": {"channels1": 6, "width1": 3, "pool1": 2, "channels2": 4, "width2": 3}
    | {"pool2": 2, "channels3": 4, "width3": 2, "pool3": 2, "hidden1": 5, "hidden2": 4},
}
LAST = {"motif": "head.4.", "deepbind": "head.3."}


def spec_of(architecture, *, length=30, **spec):
    return make_model(architecture, length=length, values=TINY[architecture], **spec).spec


def model_of(architecture, **spec) -> TrainedModel:
    return make_model(architecture, length=30, values=TINY[architecture], **spec)


@pytest.mark.parametrize("architecture", TINY)
def test_a_new_output_begins_with_the_mean_of_the_old_ones(architecture) -> None:
    model = model_of(architecture, members=2, tasks=("a", "b"), task_kind="multilabel")
    spec = spec_of(architecture)
    network = build_network(spec.config, tasks=1, length=30)
    last = last_layer(network)
    assert last == LAST.get(architecture, last)
    starts = take_weights(model, spec)
    assert len(starts) == 2
    for start, member in zip(starts, model.members, strict=True):
        assert set(start) == set(member)
        for name, values in start.items():
            mean = member[name].mean(axis=0, keepdims=True)
            wanted = mean if name.startswith(last) else member[name]
            np.testing.assert_array_equal(values, wanted, err_msg=name)
    measured = take_weights(model, replace(spec, task_kind="regression"))[0]
    assert set(measured) == {name for name in model.members[0] if not name.startswith(last)}
    (same,) = take_weights(model_of(architecture), spec)
    for name, values in model_of(architecture).members[0].items():
        np.testing.assert_array_equal(values, same[name])
    outputs = [name for name, each in network.named_parameters() if name.startswith(last)]
    assert [network.get_parameter(name).shape[0] for name in outputs] == [1] * len(outputs)


@pytest.mark.parametrize("architecture", TINY)
def test_a_frozen_trunk_stays_as_it_is(architecture) -> None:
    spec = spec_of(architecture, tasks=("new",))
    starts = take_weights(model_of(architecture), spec)
    frozen = replace(QUICK, trunk_rate=0.0)
    (weights,), _ = train_members(SPLIT, spec, frozen, starts=starts, device=CPU, threads=1)
    network = build_network(spec.config, tasks=1, length=30)
    last = last_layer(network)
    for name, values in weights.items():
        stays = (values == starts[0][name]).all()
        assert stays != name.startswith(last), name


@pytest.mark.parametrize("architecture", ["motif", "resnet"])
def test_layers_that_are_brought_learn_slowly(architecture) -> None:
    spec = spec_of(architecture, tasks=("new",))
    starts = take_weights(model_of(architecture), spec)
    config = replace(QUICK, steps=1, evaluations=1, optimiser="sgd", schedule="constant", clip=1e9)
    config = replace(config, weight_decay=0.0, learning_rate=1e-3)
    moved = []
    for share in (1.0, 0.25):
        (weights,), _ = train_members(
            SPLIT, spec, replace(config, trunk_rate=share), starts=starts, device=CPU, threads=1
        )
        name = "detectors" if architecture == "motif" else "trunk.0.weight"
        moved.append(weights[name] - starts[0][name])
    assert (moved[0] != 0).any()
    np.testing.assert_allclose(moved[1], 0.25 * moved[0], rtol=1e-2, atol=2e-7)


def test_members_begin_with_one_after_the_other() -> None:
    spec = spec_of("motif")
    starts = take_weights(model_of("motif", members=2), spec)
    still = replace(QUICK, members=3, learning_rate=0.0)
    members, _ = train_members(SPLIT, spec, still, starts=starts, device=CPU, threads=1)
    for member, start in zip(members, (*starts, starts[0]), strict=True):
        np.testing.assert_array_equal(member["detectors"], start["detectors"])


def test_what_does_not_fit_is_refused() -> None:
    model = model_of("motif")
    several = replace(model, members=(), parts=(model, model))
    wide = make_model("motif", length=30, values={"width": 6})
    cases = [
        (model, spec_of("motif", alphabet="rna"), "the model is for DNA; expected RNA"),
        (model, spec_of("deepbind"), "the model is a motif; expected deepbind"),
        (wide, spec_of("motif"), "the model has width=6; expected width=4; leave --set width"),
        (several, spec_of("motif"), "holds 2 models side by side"),
        (
            model_of("alexnet"),
            spec_of("alexnet", length=60),
            "dense layers are for windows of 30 bp; expected 60 bp; give --length 30",
        ),
    ]
    for given, spec, message in cases:
        with pytest.raises(ConfigError, match="--init") as told:
            take_weights(given, spec)
        assert message in str(told.value)
    other = make_model("motif", length=30, values={"dropout": 0.7})
    assert take_weights(other, spec_of("motif", length=50))


# Without labels


def repeats(n: int, length: int = 30):
    """Sequences of a repeated word, in which each base follows from its neighbours."""
    word = np.array([0, 0, 1, 3, 2, 1, 0], dtype=np.uint8)
    starts = np.random.default_rng(n).integers(0, len(word), n)
    return np.stack([np.resize(np.roll(word, start), length) for start in starts])


@pytest.mark.parametrize("architecture", ["motif", "deepbind", "resnet"])
def test_masked_bases_are_restored(architecture) -> None:
    values = TINY[architecture] | ({"channels": 16} if architecture == "resnet" else {})
    values |= {"detectors": 24, "width": 9} if architecture != "resnet" else {"width": 9}
    spec = make_model(architecture, length=30, values=values, strands="single", alphabet="rna").spec
    config = TrainingConfig(steps=150, batch_size=32, learning_rate=1e-2)
    done = pretrain(repeats(400), repeats(60), spec, config, device=CPU)
    assert done.history[-1]["accuracy"] > 0.9
    assert done.history[-1]["commonest"] < 0.5
    network = build_network(spec.config, tasks=1, length=30, seed=config.seed)
    drawn = {name: each.numpy() for name, each in network.state_dict().items()}
    assert not any(name.startswith("head.") for name in done.learned)
    changed = {name for name in done.weights if (done.weights[name] != drawn[name]).any()}
    assert changed == set(done.learned) & set(done.weights)
    again = pretrain(repeats(400), repeats(60), spec, config, device=CPU)
    assert all((again.weights[name] == done.weights[name]).all() for name in done.weights)


def test_only_what_was_learned_is_brought() -> None:
    spec = spec_of("resnet")
    done = pretrain(repeats(100), repeats(30), spec, QUICK, device=CPU)
    origin = {UNSUPERVISED: list(done.learned)}
    (start,) = take_weights(TrainedModel(spec, (done.weights,), provenance=origin), spec)
    assert {name.split(".")[1] for name in start} <= {"0", "1"}
    assert set(start) == set(done.learned)
    network = build_network(spec.config, tasks=1, length=30)
    assert slow_names(network, start) < slow_names(network, None)


def test_masks_hide_known_bases_only() -> None:
    codes = draw_codes(200, 30)
    bases = MaskedBases(codes, mask=0.3, seed=1, turning=True)
    masked, targets = bases.take(500)
    hidden = targets >= 0
    assert (masked[hidden] == 4).all()
    assert targets.max() == 3
    known = hidden | (masked < 4)
    assert abs(hidden.sum() / known.sum() - 0.3) < 0.02


def test_a_denoiser_gives_a_logit_for_every_base() -> None:
    for architecture in ("motif", "deepbind", "resnet", "alexnet"):
        spec = spec_of(architecture)
        network = build_network(spec.config, tasks=1, length=30)
        logits = Denoiser(network, 30, 0)(torch.rand(5, 4, 30))
        assert logits.shape == (5, 4, 30)


def test_a_pretraining_that_breaks_is_told() -> None:
    config = replace(QUICK, learning_rate=1e30, clip=1e30, schedule="constant", optimiser="adamw")
    with pytest.raises(DivergenceError, match="pre-training, before step"):
        pretrain(repeats(100), repeats(30), spec_of("resnet"), config, device=CPU)
