"""The second output that a network may have while it is trained."""

import numpy as np
import pytest
import torch
from tiny_models import CPU, draw_codes, make_model, plant_split
from torch.nn import functional

from seqcnn.architectures import configure
from seqcnn.dna import one_hot, reverse_complement
from seqcnn.modelfile import read_model, write_model
from seqcnn.training import TrainingConfig, TrainingJob, train_many
from seqcnn.training.learner import NetworkLearner, Seeded, Steps

SMALL = {"each": 3, "bottleneck": 2, "kernel4": 9, "kernel5": 6, "dropout": 0.0}
WEIGHT = 0.3
CONFIG = TrainingConfig(steps=6, batch_size=16, evaluations=2, clip=1e9)


def job_of(**values: object) -> TrainingJob:
    strands = values.pop("strands", "single")
    spec = make_model("inception", values=SMALL | values, length=30, strands=strands).spec
    return TrainingJob(plant_split(length=30), spec, CONFIG)


@pytest.mark.parametrize(("modules", "place"), [(0, "pool"), (1, "pool"), (2, 1), (5, 2)])
def test_it_stands_above_half_of_the_modules(modules, place) -> None:
    for norm in ("batch", "none"):
        config = configure("inception", {"auxiliary": WEIGHT, "modules": modules, "norm": norm})
        found, weight = config.auxiliary_output
        layer = config.trunk(50)[found]
        assert weight == WEIGHT
        assert layer.name == ("max pool" if place == "pool" else f"module {place}")
    assert configure("inception", {}).auxiliary_output is None


@pytest.mark.parametrize("strands", ["single", "max"])
def test_its_loss_is_added_with_its_weight(strands) -> None:
    """The gradients are those of the plain sum, written out."""
    job = job_of(auxiliary=WEIGHT, strands=strands)
    learner = NetworkLearner(Seeded.draw(job, np.random.default_rng(0)), CPU)
    network = learner.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    codes, targets = draw_codes(8, 30, seed=1), np.arange(8, dtype=np.float32)[:, None] % 2
    rates = np.zeros((1, 1))
    (loss,) = learner.learn(Steps(codes[None, None], targets[None, None], rates, rates))[0]
    found = {name: p.grad.clone() for name, p in network.named_parameters()}
    network.load_state_dict(before)
    network.zero_grad()
    main, second = [], []
    for side in [codes, reverse_complement(codes)][: 1 + (strands == "max")]:
        values = network.lay_out(torch.from_numpy(one_hot(side)))
        for place, module in enumerate(network.trunk):
            values = module(values)
            if place == network.config.auxiliary_output[0]:
                second.append(network.auxiliary.output(values.mean(dim=(2, 3))))
        main.append(network.head(values))
    wanted = torch.from_numpy(targets)
    logits = main[0] if strands == "single" else torch.maximum(*main)
    own = functional.binary_cross_entropy_with_logits(logits, wanted)
    others = [functional.binary_cross_entropy_with_logits(each, wanted) for each in second]
    (own + WEIGHT * sum(others) / len(others)).backward()
    assert loss == pytest.approx(float(own.detach()), rel=1e-5)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-6)
    assert any(grad.abs().sum() > 0 for name, grad in found.items() if "auxiliary" in name)


def test_it_is_left_out_of_the_model(tmp_path) -> None:
    (network,) = train_many([job_of(auxiliary=WEIGHT)], device=CPU)
    (plain,) = train_many([job_of()], device=CPU)
    assert sorted(network.weights) == sorted(plain.weights)
    assert any((network.weights[name] != plain.weights[name]).any() for name in plain.weights)
    model = make_model("inception", values=SMALL | {"auxiliary": WEIGHT}, length=30)
    write_model(model, tmp_path / "m.safetensors")
    assert read_model(tmp_path / "m.safetensors").spec.config.auxiliary == WEIGHT


def test_scoring_takes_no_note_of_it() -> None:
    learner = NetworkLearner(Seeded.draw(job_of(auxiliary=WEIGHT), np.random.default_rng(0)), CPU)
    assert learner.auxiliary is not None
    learner.score(draw_codes(4, 30), [0])
    assert learner.auxiliary.take() == []
