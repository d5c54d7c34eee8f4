"""Training that is interrupted and goes on: the same bytes as in one go."""

from dataclasses import replace

import pytest
import torch
from tiny_models import CPU, make_model, plant_split

from seqcnn.checkpoints import Checkpoints
from seqcnn.errors import ConfigError
from seqcnn.training import (
    Augmentation,
    DivergenceError,
    TrainingConfig,
    course,
    groups,
    train_members,
)
from seqcnn.training.batched import BatchedLearner
from seqcnn.training.compiled import shape_of

SPLIT = plant_split(sizes=(50, 20, 4))
CONFIG = TrainingConfig(
    steps=33, batch_size=16, evaluations=4, members=2, learning_rate=1e-2, patience=2
)
RESNET = {"channels": 4, "width": 5, "blocks": 2}
NETWORKS = [
    ("motif", {"dropout": 0.5, "hidden": 3}, {}),
    ("deepbind", {"dropout": 0.5, "hidden": 3}, {"optimiser": "nesterov", "patience": 99}),
    ("resnet", RESNET, {"patience": 99}),
    ("inception", {"each": 3, "bottleneck": 2, "auxiliary": 0.3}, {"optimiser": "adam"}),
    ("resnet", RESNET, {"optimiser": "momentum", "schedule": "plateau:0.5:1"}),
    ("motif", {}, {"trunk_rate": 0.0, "augment": Augmentation(shift=3, mutation=0.1)}),
]


def train(spec, config, folder, *, stop_at=0, error=None, progress=None):
    done = []

    def count(steps):
        done.append(steps)
        if error and len(done) == stop_at:
            raise error

    checkpoints = Checkpoints(folder, "run") if folder else None
    weights, history = train_members(
        SPLIT, spec, config, device=CPU, threads=1, progress=progress or count,
        checkpoints=checkpoints,
    )  # fmt: skip
    return [{name: each.tobytes() for name, each in one.items()} for one in weights], history


@pytest.mark.parametrize("error", [RuntimeError("killed"), InterruptedError()])
@pytest.mark.parametrize(("architecture", "values", "training"), NETWORKS)
def test_what_goes_on_ends_in_the_same_bytes(
    tmp_path, architecture, values, training, error
) -> None:
    spec = make_model(architecture, length=30, values=values).spec
    config = replace(CONFIG, **training)
    whole = train(spec, config, None)
    for number, stop_at in enumerate((2, 5, 9)):
        folder = tmp_path / str(number)
        with pytest.raises(type(error)):
            train(spec, config, folder, stop_at=stop_at, error=error)
        done = []
        assert train(spec, config, folder, progress=done.append) == whole
        assert sum(done) == CONFIG.steps * CONFIG.members
        assert train(spec, config, folder) == whole, "finished networks are not trained again"


def test_so_do_networks_that_are_trained_as_on_a_gpu(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        course,
        "make_learner",
        lambda seeded, device: BatchedLearner(seeded, shape_of(seeded[0].job), device),
    )
    likeness = groups.likeness
    cuda = torch.device("cuda")
    monkeypatch.setattr(groups, "likeness", lambda number, job, _: likeness(number, job, cuda))
    spec = make_model("motif", length=30, values={"dropout": 0.5}).spec
    whole = train(spec, CONFIG, None)
    with pytest.raises(InterruptedError):
        train(spec, CONFIG, tmp_path, stop_at=3, error=InterruptedError())
    assert train(spec, CONFIG, tmp_path) == whole


def test_a_checkpoint_that_is_due_is_written_between_evaluations(tmp_path) -> None:
    spec = make_model("resnet", length=30, values=RESNET).spec
    written = []

    class Noting(Checkpoints):
        def write(self, name, state) -> None:  # noqa: ARG002
            written.append(state.within("course").values["done"])

    clock = iter(range(1000))
    checkpoints = Noting(tmp_path, "run", clock=lambda: next(clock), seconds=0.5)
    config = replace(CONFIG, members=1, steps=8, evaluations=2)
    train_members(SPLIT, spec, config, device=CPU, threads=1, checkpoints=checkpoints)
    assert sorted(set(written)) == list(range(2, 9)), "and not at once"


def test_a_checkpoint_of_another_run_is_refused(tmp_path) -> None:
    spec = make_model("motif", length=30).spec
    train(spec, CONFIG, tmp_path)
    with pytest.raises(ConfigError, match="of another run"):
        train_members(
            SPLIT, spec, CONFIG, device=CPU, threads=1, checkpoints=Checkpoints(tmp_path, "other")
        )


@pytest.mark.parametrize("architecture", ["motif", "resnet"])
def test_a_training_that_breaks_gives_its_last_good_weights(architecture) -> None:
    """The step is named, and no other is taken."""
    values = RESNET if architecture == "resnet" else {}
    spec = make_model(architecture, length=30, values=values).spec
    config = replace(CONFIG, members=1, steps=40)
    learn = course.make_learner

    class Breaking:
        def __init__(self, learner) -> None:
            self.learner, self.at_once, self.done = learner, 1, 0

        def __getattr__(self, name):
            return getattr(self.learner, name)

        def learn(self, steps):
            self.done += 1
            losses = self.learner.learn(steps)
            return losses * float("inf") if self.done == 25 else losses

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "make_learner", lambda *given: Breaking(learn(*given)))
        with pytest.raises(DivergenceError, match=r"step 25 \(epoch 4, batch 6\)") as told:
            train(spec, config, None)
    broken = told.value.network
    assert [row["step"] for row in broken.history] == [10, 20]
    (whole,), history = train(spec, config, None)
    assert broken.history == history[:2]
    assert set(broken.weights) == set(whole)
