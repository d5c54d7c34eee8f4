"""Training: what it learns, what it repeats, and what it must not look at."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tiny_models import CPU, draw_codes, label, make_model, plant_split

from seqcnn.architectures.networks import build_network
from seqcnn.datasets import LabelledSequences
from seqcnn.dna import one_hot, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.strands import strand_logits
from seqcnn.errors import ConfigError
from seqcnn.modelfile import TrainedModel
from seqcnn.splits import Split
from seqcnn.training import (
    TrainingConfig,
    TrainingJob,
    choose_steps,
    course,
    standardise_targets,
    train_many,
    train_members,
)
from seqcnn.training.compiled import CompiledLearner, shape_of
from seqcnn.training.config import OPTIMISERS
from seqcnn.training.learner import NetworkLearner, Seeded
from seqcnn.training.losses import mean_loss, sum_losses
from seqcnn.training.schedules import plan_steps

STANDARD = {"multilabel": {}, "regression": {"centre": (0.5, 2.0), "scale": (2.0, 3.0)}}
QUICK = TrainingConfig(steps=12, batch_size=16, evaluations=4)


def tiny_split(n=40, *, tasks=("site",), shuffles=0, length=20, missing=0.0) -> Split:
    rng = np.random.default_rng(n)
    targets = rng.integers(0, 2, (n, len(tasks))).astype(np.float32)
    targets[rng.random(targets.shape) < missing] = np.nan
    data = label(draw_codes(n, length), targets, tasks)
    rows = np.arange(n)
    sides = [data.take(rows[part]) for part in (slice(0, n // 2), slice(n // 2, n), slice(0, 4))]
    return Split(*sides, shuffles=shuffles)


def train(split, config=QUICK, *, architecture="motif", threads=1, progress=None, **rest):
    spec = make_model(architecture, **{"tasks": split.train.tasks} | rest).spec
    return train_members(split, spec, config, device=CPU, threads=threads, progress=progress)


def to_bytes(weights) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in weights.items()}


# The same again


@pytest.mark.parametrize(
    ("architecture", "rest"),
    [
        ("motif", {}),
        ("motif", {"strands": "single", "values": {"hidden": 0}}),
        ("deepbind", {"values": {"dropout": 0.5, "hidden": 3}}),
    ],
)
def test_a_seed_gives_the_same_bytes_with_any_number_of_threads(architecture, rest) -> None:
    split, config = tiny_split(shuffles=1), replace(QUICK, members=3)
    runs = [
        train(split, config, architecture=architecture, threads=threads, **rest)
        for threads in (1, 1, 3)
    ]
    first, again, threaded = ([to_bytes(w) for w in weights] for weights, _ in runs)
    assert first == again == threaded
    assert runs[0][1] == runs[1][1] == runs[2][1]
    other = train(split, replace(config, seed=1), architecture=architecture, **rest)[0]
    assert to_bytes(other[0]) != first[0]


def test_members_differ_and_each_is_what_it_is_beside_others() -> None:
    split = tiny_split(shuffles=1)
    two, _ = train(split, replace(QUICK, members=2))
    three, history = train(split, replace(QUICK, members=3), threads=2)
    assert [to_bytes(w) for w in two] == [to_bytes(w) for w in three[:2]]
    assert len({w["detectors"].tobytes() for w in three}) == 3
    assert [row["member"] for row in history] == [0] * 4 + [1] * 4 + [2] * 4


def test_training_leaves_the_global_state_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    threads = torch.get_num_threads()
    split = tiny_split(shuffles=1)
    codes = split.train.sequences.codes.copy()
    train(split)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.get_num_threads() == threads
    assert (split.train.sequences.codes == codes).all()


# Learning


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("motif", {"detectors": 16, "width": 8}),
        ("deepbind", {"detectors": 16, "width": 10, "pooling": "max_mean"}),
    ],
)
def test_a_planted_motif_is_learned(architecture, values) -> None:
    split = plant_split()
    config = TrainingConfig(steps=150, batch_size=64, learning_rate=1e-2)
    model = make_model(architecture, length=30, values=values)
    members, history = train_members(split, model.spec, config, device=CPU, threads=1)
    engine = Engine(TrainedModel(model.spec, members), threads=1)
    logits = engine.predict(split.test.sequences.codes).logits
    assert roc_auc_score(split.test.targets, logits) > 0.95
    losses = [row["validation_loss"] for row in history]
    assert min(losses) < 0.35 < losses[0]


def test_several_tasks_are_learned_side_by_side() -> None:
    rng = np.random.default_rng(0)
    codes = draw_codes(500, 24, unknown=False)
    targets = rng.integers(0, 2, (500, 2)).astype(np.float32)
    for task, site in enumerate(("TGACGT", "GGGCGG")):
        word = ["ACGT".index(base) for base in site]
        for row in np.flatnonzero(targets[:, task]):
            start = task * 12 + rng.integers(0, 6)
            codes[row, start : start + 6] = word
    truth = targets[400:].copy()
    targets[rng.random(targets.shape) < 0.3] = np.nan
    data = label(codes, targets, ("a", "b"))
    split = Split(*(data.take(np.arange(*ends)) for ends in ((0, 340), (340, 400), (400, 500))))
    model = make_model(
        length=24,
        values={"detectors": 16, "width": 6},
        task_kind="multilabel",
        tasks=("a", "b"),
    )
    config = TrainingConfig(steps=150, batch_size=64, learning_rate=1e-2)
    members, _ = train_members(split, model.spec, config, device=CPU, threads=1)
    logits = Engine(TrainedModel(model.spec, members), threads=1).predict(codes[400:]).logits
    for task in (0, 1):
        assert roc_auc_score(truth[:, task], logits[:, task]) > 0.9


def test_a_regression_is_learned_in_its_own_units() -> None:
    codes = draw_codes(400, 16, unknown=False)
    values = 1000 + 50 * ((codes == 1) | (codes == 2)).sum(axis=1)
    data = label(codes, values)
    split = Split(*(data.take(np.arange(*ends)) for ends in ((0, 300), (300, 350), (350, 400))))
    spec = make_model(length=16, task_kind="regression").spec
    spec = standardise_targets(spec, split.train)
    config = TrainingConfig(steps=150, batch_size=32, learning_rate=1e-2)
    members, _ = train_members(split, spec, config, device=CPU, threads=1)
    logits = Engine(TrainedModel(spec, members), threads=1).predict(codes[350:]).logits
    assert np.abs(logits[:, 0] - values[350:]).mean() < 0.5 * values.std()


# Targets


def test_regression_targets_are_standardised_without_the_missing_ones() -> None:
    spec = make_model(task_kind="regression", tasks=("a", "b", "c", "d")).spec
    targets = [[1, 5, 2, np.nan], [3, np.nan, 2, np.nan], [8, 7, 2, np.nan]]
    data = label(draw_codes(3, 20), targets, spec.tasks)
    made = standardise_targets(spec, data)
    assert made.centre == pytest.approx((4, 6, 2, 0))
    assert made.scale == pytest.approx((np.std([1, 3, 8]), 1, 1, 1))
    assert standardise_targets(replace(spec, task_kind="binary"), data).scale == ()


def robust_loss(error):
    """Half the square near 0, straight beyond two standard deviations (Huber's loss)."""
    error = np.abs(error)
    return np.where(error < 2, error**2 / 2, 2 * error - 2)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_missing_labels_change_no_gradient(kind) -> None:
    """Where a label is missing, any label would do, were it left out by hand."""
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([[0.0, 1.0]] * 6)
    targets[2, 0] = targets[4, 1] = targets[5, 0] = targets[5, 1] = float("nan")
    total, known = sum_losses(logits, targets, kind)
    total.backward()
    assert known == 8
    assert (logits.grad[targets.isnan()] == 0).all()
    assert (logits.grad[~targets.isnan()] != 0).all()
    slow = 0.0
    for logit, target in zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True):
        if not np.isnan(target):
            log_loss = np.logaddexp(0, logit) - target * logit
            slow += robust_loss(logit - target) if kind == "regression" else log_loss
    assert float(total.detach()) == pytest.approx(slow, rel=1e-5)
    plain = logits.detach().numpy()
    assert mean_loss(plain, targets.numpy(), kind) == pytest.approx(slow / 8, rel=1e-6)


@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_the_validation_loss_is_that_of_the_plain_network(strands, kind) -> None:
    split = tiny_split(1300, tasks=("a", "b"), missing=0.4)
    # Labels that are missing unevenly: the mean of the parts' means would be another.
    split.validation.targets[:500, 0] = np.nan
    standard = STANDARD[kind]
    rest = {"strands": strands, "task_kind": kind, **standard}
    spec = make_model(tasks=("a", "b"), **rest).spec
    # The rate is 0: the history tells the loss of the first weights.
    config = replace(QUICK, steps=1, learning_rate=0.0)
    (weights,), history = train(split, config, **rest)
    network = build_network(spec.config, tasks=2)
    network.load_state_dict(
        {name: torch.from_numpy(v) for name, v in weights.items()}, strict=False
    )
    network.double().eval()
    codes, targets = split.validation.sequences.codes, split.validation.targets
    with torch.no_grad():
        batch = torch.from_numpy(one_hot(codes)).double()
        logits = strand_logits(network, batch, strands).numpy()
    if kind == "regression":
        losses = robust_loss(logits - (targets - [0.5, 2.0]) / [2.0, 3.0])
    else:
        losses = np.logaddexp(0, logits) - targets * logits
    assert history[0]["validation_loss"] == pytest.approx(np.nanmean(losses), rel=1e-5)


def test_only_training_and_validation_are_looked_at() -> None:
    split = tiny_split(shuffles=1)
    nothing = LabelledSequences(split.test.sequences, split.test.targets * np.nan, ("site",))
    weights, history = train(split)
    again, same = train(replace(split, test=nothing))
    assert to_bytes(weights[0]) == to_bytes(again[0])
    assert history == same


# Strands in training


def test_both_strands_share_one_dropout_mask() -> None:
    """A network that takes the larger strand learns the same whichever strand it is given."""
    values = {"dropout": 0.5, "detectors": 40}
    split = tiny_split()
    turned = LabelledSequences(
        replace(split.train.sequences, codes=reverse_complement(split.train.sequences.codes)),
        split.train.targets,
        split.train.tasks,
    )
    plain = train(split, architecture="deepbind", values=values)[0][0]
    other = train(replace(split, train=turned), architecture="deepbind", values=values)[0][0]
    for name in plain:
        np.testing.assert_allclose(plain[name], other[name], rtol=1e-3, atol=1e-4)


def test_fewer_rows_than_a_batch_are_enough() -> None:
    weights, history = train(tiny_split(8), replace(QUICK, batch_size=64))
    assert np.isfinite(weights[0]["detectors"]).all()
    assert history[-1]["step"] == 12


# Steps, rates, stopping


def test_steps_are_some_passes_within_bounds() -> None:
    def steps(rows, shuffles, batch, passes=5):
        split = tiny_split(2 * rows, shuffles=shuffles)
        split.train.targets[:] = 1
        return choose_steps(split, batch, passes=passes)

    assert steps(10, 0, 5) == 60 * 2
    assert steps(10, 1, 5) == 60 * 4
    assert steps(200, 0, 2) == 500
    assert steps(100, 1, 2) == 500
    assert steps(2000, 0, 2) == 3000
    assert steps(100, 0, 4, passes=30) == 750
    assert steps(20, 0, 2, passes=70) == 60 * 10


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.15, 0.5])
def test_any_number_of_steps_can_be_taken(warmup) -> None:
    for steps in (1, 2, 3, 10, 20):
        done = []
        config = TrainingConfig(steps=steps, batch_size=4, warmup=warmup, patience=99)
        _, history = train(tiny_split(10), config, progress=done.append)
        assert sum(done) == steps
        assert [row["step"] for row in history] == list(range(1, steps + 1))
        rates = [row["learning_rate"] for row in history]
        assert max(rates) <= config.learning_rate * (1 + 1e-9)
        if steps >= 10:
            peak = int(np.argmax(rates))
            assert rates[: peak + 1] == sorted(rates[: peak + 1])
            assert rates[peak:] == sorted(rates[peak:], reverse=True)
            assert rates[-1] < 1e-3 * config.learning_rate


def test_the_weights_with_the_lowest_loss_are_kept(monkeypatch) -> None:
    losses = iter([5.0, 3.0, 4.0, 3.0, 3.5, 9.0, 1.0])
    monkeypatch.setattr(
        course.Course, "_validation_losses", lambda _, numbers: {numbers[0]: next(losses)}
    )
    seen = []
    copy = CompiledLearner.weights

    def note(learner, number):
        seen.append(copy(learner, number))
        return seen[-1]

    monkeypatch.setattr(CompiledLearner, "weights", note)
    done = []
    config = replace(QUICK, steps=20, evaluations=10, patience=4)
    weights, history = train(tiny_split(), config, progress=done.append)
    assert [row["validation_loss"] for row in history] == [5.0, 3.0, 4.0, 3.0, 3.5, 9.0]
    assert len(seen) == 3  # the first weights, and two improvements
    assert to_bytes(weights[0]) == to_bytes(seen[2])
    assert to_bytes(seen[1]) != to_bytes(seen[2])
    assert sum(done) == 20, "progress comes to its end though training stopped"


@pytest.mark.parametrize(("schedule", "kept"), [("one-cycle", 4), ("cosine", 4), ("constant", 2)])
def test_a_schedule_that_ends_low_is_gone_to_its_end(monkeypatch, schedule, kept) -> None:
    """Only there the last weights are better than those of the lowest validation loss."""
    losses = [3.0, 1.0, 4.0, 3.0]
    given = iter(losses)
    monkeypatch.setattr(
        course.Course, "_validation_losses", lambda _, numbers: {numbers[0]: next(given)}
    )
    config = replace(QUICK, schedule=schedule)
    job = TrainingJob(tiny_split(), make_model("motif", length=20).spec, config)
    (network,) = train_many([job], device=torch.device("cpu"))
    assert network.validation_loss == losses[kept - 1]
    assert [row["validation_loss"] for row in network.history] == losses


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.15, 0.5])
def test_the_cycle_is_torchs(warmup) -> None:
    for steps in (2, 3, 10, 20, 77):
        config = TrainingConfig(steps=steps, warmup=warmup)
        optimiser = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=3e-3, total_steps=steps, pct_start=warmup + 1e-9
        )
        rates, momenta = plan_steps(config, rows=1)
        for rate, momentum in zip(rates, momenta, strict=True):
            (group,) = optimiser.param_groups
            assert rate == pytest.approx(group["lr"], rel=1e-6, abs=1e-12)
            assert momentum == pytest.approx(group["betas"][0], rel=1e-6)
            optimiser.step()
            if cycle.last_epoch < steps - 1:
                cycle.step()


def test_a_loss_that_is_not_finite_is_told() -> None:
    split = tiny_split()
    split.train.targets[:] = np.float32(3e38)
    with pytest.raises(ConfigError, match="no longer a finite number; lower --learning-rate"):
        train(split, task_kind="regression", centre=(0.0,), scale=(1e-30,))


def test_windows_shorter_than_a_detector_are_refused() -> None:
    split = tiny_split(length=3)
    with pytest.raises(ConfigError, match="3 bp; expected at least the network's 4 bp"):
        train(split, length=3)
    assert train(split, architecture="deepbind", length=3)[0][0]["detectors"].shape == (4, 4, 5)


@pytest.mark.parametrize("members", [1, 3])
def test_an_error_ends_the_training_of_all_members(members) -> None:
    done = []

    def interrupt(steps) -> None:
        done.append(steps)
        if len(done) == 5:
            raise KeyboardInterrupt("enough")

    config = replace(QUICK, members=members, steps=5000)
    with pytest.raises(KeyboardInterrupt, match="enough"):
        train(tiny_split(), config, threads=2, progress=interrupt)
    assert len(done) < 4000


def test_weights_are_what_the_network_has_and_nothing_else() -> None:
    split = tiny_split()
    for architecture in ("motif", "deepbind"):
        spec = make_model(architecture).spec
        weights = train(split, architecture=architecture)[0][0]
        network = build_network(spec.config, tasks=1)
        wanted = {k: v.shape for k, v in network.state_dict().items() if v.is_floating_point()}
        assert {name: values.shape for name, values in weights.items()} == wanted
        assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}


# The compiled steps against torch's own


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("strands", ["average", "max"])
@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("motif", {"dropout": 0.0}),
        ("motif", {"dropout": 0.0, "hidden": 0}),
        ("deepbind", {}),
        ("deepbind", {"pooling": "max_mean", "hidden": 3}),
    ],
)
def test_steps_are_those_of_the_plain_loop(
    monkeypatch, architecture, values, strands, optimiser
) -> None:
    split = plant_split(sizes=(60, 20, 4))
    config = TrainingConfig(
        steps=30, batch_size=32, evaluations=3, optimiser=optimiser, clip=0.5,
        learning_rate=5e-4 if optimiser == "rmsprop" else 5e-3,
        l1=1e-4 if strands == "max" else 0.0, trunk_rate=0.5 if strands == "max" else 1.0,
        detector_l1=1e-3 if strands == "max" else None, l1_start=12,
    )  # fmt: skip
    spec = make_model(architecture, length=30, values=values, strands=strands).spec
    (fast,), history = train_members(split, spec, config, device=CPU, threads=1)
    monkeypatch.setattr(
        course, "make_learner", lambda seeded, device: NetworkLearner(seeded[0], device)
    )
    (plain,), slow = train_members(split, spec, config, device=CPU, threads=1)
    if architecture == "motif":
        # A shift under an exponential is a factor, which the next norm takes away: its gradient
        # is nothing but rounding.
        del plain["norm.bias"]
    for name, value in plain.items():
        np.testing.assert_allclose(fast[name], value, rtol=2e-3, atol=1e-3 * np.abs(value).max())
    for row, other in zip(history, slow, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_a_batch_without_any_label_moves_nothing() -> None:
    split = tiny_split()
    split.train.targets[:] = np.nan
    config = replace(QUICK, weight_decay=0.0)
    (weights,), history = train(split, config)
    job = TrainingJob(split, make_model().spec, config)
    rng = np.random.default_rng([config.seed, 4, 0])
    first = CompiledLearner([Seeded.draw(job, rng)], shape_of(job)).weights(0)
    assert {row["train_loss"] for row in history} == {0.0}
    for name in weights:
        if "running" not in name:
            np.testing.assert_array_equal(weights[name], first[name])
