"""Training: what it learns, what it repeats, and what it must not look at."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from tiny_models import CPU, draw_codes, label, make_model, plant_split

from seqcnn import training
from seqcnn.datasets import LabelledSequences
from seqcnn.dna import one_hot, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.strands import strand_logits
from seqcnn.errors import ConfigError
from seqcnn.modelfile import TrainedModel
from seqcnn.splits import Split
from seqcnn.training import TrainingConfig, choose_steps, standardise_targets, train_members

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


def make_trainer(split, config=QUICK, *, member=0, architecture="motif", **rest):
    spec = make_model(architecture, **{"tasks": split.train.tasks} | rest).spec
    return training._Trainer(split, spec, config, device=CPU, member=member)


def to_bytes(weights) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in weights.items()}


# The same again


@pytest.mark.parametrize(
    ("architecture", "rest"),
    [
        ("motif", {}),
        ("motif", {"strands": "single"}),
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
    """Square near 0, straight beyond 0.3 standard deviations (Huber's loss over its bend)."""
    error = np.abs(error)
    return np.where(error < 0.3, error**2 / 0.6, error - 0.15)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_missing_labels_change_no_gradient(kind) -> None:
    """Where a label is missing, any label would do, were it left out by hand."""
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([[0.0, 1.0]] * 6)
    targets[2, 0] = targets[4, 1] = targets[5, 0] = targets[5, 1] = float("nan")
    total, known = training._sum_loss(logits, targets, kind)
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
    # A batch without any label moves nothing.
    config = replace(QUICK, weight_decay=0.0)
    trainer = make_trainer(tiny_split(tasks=("a", "b")), config, task_kind=kind, **STANDARD[kind])
    before = to_bytes(training._copy_weights(trainer.network))
    none = np.full((6, 2), np.nan, np.float32)
    assert float(trainer._step(draw_codes(6, 20), none)) == 0
    after = to_bytes(training._copy_weights(trainer.network))
    assert all(after[name] == before[name] for name in before if "running" not in name)


@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_the_validation_loss_is_that_of_the_plain_network(strands, kind) -> None:
    split = tiny_split(1300, tasks=("a", "b"), missing=0.4)
    # Labels that are missing unevenly: the mean of the parts' means would be another.
    split.validation.targets[:500, 0] = np.nan
    trainer = make_trainer(split, strands=strands, task_kind=kind, **STANDARD[kind])
    trainer.network.double()
    for _, value in trainer.network.named_buffers():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    codes, targets = split.validation.sequences.codes, split.validation.targets
    trainer.network.eval()
    with torch.no_grad():
        batch = torch.from_numpy(one_hot(codes)).double()
        logits = strand_logits(trainer.network, batch, strands).numpy()
    trainer.network.float()
    if kind == "regression":
        losses = robust_loss(logits - (targets - [0.5, 2.0]) / [2.0, 3.0])
    else:
        losses = np.logaddexp(0, logits) - targets * logits
    assert trainer._validation_loss() == pytest.approx(np.nanmean(losses), rel=1e-5)


def test_only_training_and_validation_are_looked_at() -> None:
    split = tiny_split(shuffles=1)
    nothing = LabelledSequences(split.test.sequences, split.test.targets * np.nan, ("site",))
    weights, history = train(split)
    again, same = train(replace(split, test=nothing))
    assert to_bytes(weights[0]) == to_bytes(again[0])
    assert history == same


# Strands in training


def test_both_strands_share_one_dropout_mask() -> None:
    split = tiny_split()
    values = {"dropout": 0.5, "detectors": 40}
    trainer = make_trainer(split, architecture="deepbind", values=values)
    trainer.network.train()
    codes = draw_codes(30, 20)
    reverse = reverse_complement(codes)
    batches = [torch.from_numpy(one_hot(side)) for side in (codes, reverse)]
    state = trainer.draws.get_state()
    forward = trainer._training_logits(batches[0])
    drawn = trainer.draws.get_state()
    trainer.draws.set_state(state)
    turned = trainer._training_logits(batches[1])
    torch.testing.assert_close(forward, turned)  # either strand first: the same larger output
    assert not torch.equal(state, drawn)
    assert not torch.equal(forward, trainer._training_logits(batches[0]))


# Batches


def spell_rows(codes) -> list[bytes]:
    return [row.tobytes() for row in codes]


@settings(max_examples=20)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2))
def test_every_row_comes_once_an_epoch(n, size, shuffles) -> None:
    codes = draw_codes(n, 20, seed=n, unknown=False)
    targets = (np.arange(n) % 3 == 0).astype(np.float32)
    data = label(codes, targets)
    trainer = make_trainer(
        Split(data, data, data, shuffles=shuffles), replace(QUICK, batch_size=size)
    )
    epoch = n + shuffles * int(targets.sum())
    batches = trainer._batches()
    rows, labels = [], []
    while len(rows) < 3 * epoch:
        some, values = next(batches)
        assert some.shape == (size, 20)
        assert values.shape == (size, 1)
        assert some.dtype == np.uint8
        rows += spell_rows(some)
        labels += values[:, 0].tolist()
    known = dict(zip(spell_rows(codes), targets.tolist(), strict=True))
    for start in (0, epoch, 2 * epoch):
        part = list(zip(rows, labels, strict=True))[start : start + epoch]
        originals = [pair for pair in part if known.get(pair[0]) == pair[1]]
        assert sorted(originals) == sorted(known.items())
        assert sum(value for _, value in part) == targets.sum()


def test_each_epoch_has_its_own_order_and_shuffles() -> None:
    data = label(draw_codes(20, 40, unknown=False), np.ones(20))
    trainer = make_trainer(Split(data, data, data, shuffles=1), length=40)
    epochs = trainer._epochs()
    (first, one), (second, two) = next(epochs), next(epochs)
    shuffled = [set(spell_rows(codes[t[:, 0] == 0])) for codes, t in ((first, one), (second, two))]
    assert len(shuffled[0]) == len(shuffled[1]) == 20
    assert not shuffled[0] & shuffled[1]
    orders = [spell_rows(codes[t[:, 0] == 1]) for codes, t in ((first, one), (second, two))]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_fewer_rows_than_a_batch_are_enough() -> None:
    weights, history = train(tiny_split(8), replace(QUICK, batch_size=64))
    assert np.isfinite(weights[0]["detectors"]).all()
    assert history[-1]["step"] == 12


# Steps, rates, stopping


def test_steps_are_five_passes_within_bounds() -> None:
    def steps(rows, shuffles, batch):
        split = tiny_split(2 * rows, shuffles=shuffles)
        split.train.targets[:] = 1
        return choose_steps(split, batch)

    assert steps(10, 0, 5) == 60 * 2
    assert steps(10, 1, 5) == 60 * 4
    assert steps(200, 0, 2) == 500
    assert steps(100, 1, 2) == 500
    assert steps(2000, 0, 2) == 2000


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
    monkeypatch.setattr(training._Trainer, "_validation_loss", lambda _: next(losses))
    seen = []
    copy = training._copy_weights

    def note(network):
        seen.append(copy(network))
        return seen[-1]

    monkeypatch.setattr(training, "_copy_weights", note)
    done = []
    config = replace(QUICK, steps=20, evaluations=10, patience=4)
    weights, history = train(tiny_split(), config, progress=done.append)
    assert [row["validation_loss"] for row in history] == [5.0, 3.0, 4.0, 3.0, 3.5, 9.0]
    assert len(seen) == 3  # the first weights, and two improvements
    assert to_bytes(weights[0]) == to_bytes(seen[2])
    assert to_bytes(seen[1]) != to_bytes(seen[2])
    assert sum(done) == 20, "progress comes to its end though training stopped"


def test_a_loss_that_is_not_finite_is_told() -> None:
    split = tiny_split()
    split.train.targets[:] = np.float32(3e38)
    with pytest.raises(ConfigError, match="no longer a finite number; lower --learning-rate"):
        train(split, task_kind="regression", centre=(0.0,), scale=(1e-30,))


def test_windows_shorter_than_a_detector_are_refused() -> None:
    split = tiny_split(length=3)
    with pytest.raises(ConfigError, match="3 bp; expected at least the detectors' 4 bp"):
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
    trainer = make_trainer(tiny_split())
    weights = training._copy_weights(trainer.network)
    assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}
    before = weights["detectors"].copy()
    trainer._step(draw_codes(8, 20), np.ones((8, 1), np.float32))
    np.testing.assert_array_equal(weights["detectors"], before)


def test_matrices_decay_and_vectors_do_not() -> None:
    trainer = make_trainer(tiny_split(), replace(QUICK, weight_decay=0.3))
    decays = {
        parameter.ndim > 1: group["weight_decay"]
        for group in trainer.optimiser.param_groups
        for parameter in group["params"]
    }
    assert decays == {True: 0.3, False: 0.0}
    number = sum(len(group["params"]) for group in trainer.optimiser.param_groups)
    assert number == len(list(trainer.network.parameters()))
