"""Many networks at once: each as if alone, whatever becomes of the others."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import CPU, make_model, plant_split

from seqcnn.errors import ConfigError
from seqcnn.training import TrainingConfig, TrainingJob, course, groups, train_many
from seqcnn.training.batched import BatchedLearner
from seqcnn.training.compiled import shape_of

QUICK = TrainingConfig(steps=24, batch_size=16, evaluations=4, learning_rate=5e-3)
SPLITS = [plant_split(sizes=(50, 20, 4)), plant_split("CCGGAAGT", sizes=(40, 30, 4))]
SETTINGS = [
    ({}, {}),
    ({"learning_rate": 2e-2, "patience": 1}, {"dropout": 0.5}),
    ({"optimiser": "nesterov", "schedule": "constant", "momentum": 0.9, "weight_decay": 1e-3}, {}),
    ({"clip": 0.1, "weight_decay": 0.5, "warmup": 0.4}, {"dropout": 0.25}),
    ({"learning_rate": 1e-4}, {"dropout": 0.0}),
]


def make_jobs(architecture, *, batches=None, splits=SPLITS[:1], **values):
    jobs = []
    for i, (training, network) in enumerate(SETTINGS):
        spec = make_model(architecture, length=30, values=values | network).spec
        config = replace(QUICK, seed=i, **training)
        jobs.append(TrainingJob(splits[i % len(splits)], spec, config, member=i, batches=batches))
    return jobs


def fingerprint(network):
    return {name: values.tobytes() for name, values in network.weights.items()}, network.history


def run(jobs, *, threads=1, **rest):
    return train_many(jobs, device=CPU, threads=threads, **rest)


@pytest.mark.parametrize("batches", [None, 5])
@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("motif", {}),
        ("motif", {"hidden": 0}),
        ("deepbind", {"pooling": "max_mean", "hidden": 3}),
        ("deepbind", {}),
    ],
)
def test_each_is_what_it_is_alone(architecture, values, batches) -> None:
    jobs = make_jobs(architecture, batches=batches, **values)
    together = [fingerprint(network) for network in run(jobs)]
    assert together == [fingerprint(network) for network in run(jobs[::-1], threads=3)[::-1]]
    alone = [fingerprint(run([job])[0]) for job in jobs]
    assert together == alone
    assert len({prints["detectors"] for prints, _ in together}) == len(jobs)
    for job, (_, history) in zip(jobs, together, strict=True):
        assert {row["member"] for row in history} == {job.member}
        highest = max(row["learning_rate"] for row in history)
        assert highest <= job.config.learning_rate * (1 + 1e-9)


def test_a_common_stream_of_batches_is_the_same_for_all() -> None:
    """Networks that differ in nothing but their number learn from the same batches."""
    spec = make_model("deepbind", length=30, values={"dropout": 0.0}).spec
    config = replace(QUICK, learning_rate=0.0, evaluations=24)
    jobs = [TrainingJob(SPLITS[0], spec, config, member=0, batches=b) for b in (3, 3, 4, None)]
    losses = [[row["train_loss"] for row in network.history] for network in run(jobs)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert losses[0] != losses[3]


def test_each_may_have_its_own_data() -> None:
    jobs = make_jobs("motif", splits=SPLITS)
    other = [replace(job, split=SPLITS[0]) for job in jobs]
    own, same = ([fingerprint(n) for n in run(each, threads=2)] for each in (jobs, other))
    assert [a == b for a, b in zip(own, same, strict=True)] == [True, False, True, False, True]


@pytest.mark.parametrize("batches", [None, 5])
@pytest.mark.parametrize("architecture", ["motif", "deepbind"])
def test_one_that_breaks_is_reported_and_disturbs_none(architecture, batches) -> None:
    jobs = make_jobs(architecture, batches=batches)
    broken = replace(
        jobs[2],
        config=replace(jobs[2].config, optimiser="nesterov", learning_rate=1e38, clip=1e38),
    )
    sound = [fingerprint(network) for network in run(jobs)]
    done = []
    networks = run([*jobs[:2], broken, *jobs[3:]], progress=done.append)
    assert sum(done) == QUICK.steps * len(jobs)
    assert isinstance(networks[2].error, ConfigError)
    assert "no longer a finite number" in str(networks[2].error)
    assert all(np.isfinite(values).all() for values in networks[2].weights.values())
    for i in (0, 1, 3, 4):
        assert networks[i].error is None
        assert fingerprint(networks[i]) == sound[i]
    assert networks[0].validation_loss == sound[0][1][-1]["validation_loss"]
    with pytest.raises(
        ConfigError, match=r"step \d+ \(epoch \d+, batch \d+\): the loss is no longer a"
    ):
        run([broken], strict=True)


def test_one_that_stops_early_leaves_the_others_in_training() -> None:
    spec = make_model("deepbind", length=30, values={"dropout": 0.0}).spec
    still = replace(QUICK, steps=40, evaluations=20, learning_rate=0.0, patience=2)
    jobs = [
        TrainingJob(SPLITS[0], spec, config, batches=1)
        for config in (still, replace(still, learning_rate=1e-2, patience=20))
    ]
    done = []
    networks = run(jobs, progress=done.append)
    assert [len(network.history) for network in networks] == [3, 20]
    assert sum(done) == 80


# The form of a GPU, on a CPU


@pytest.mark.parametrize(
    ("splits", "batches"), [(SPLITS[:1], None), (SPLITS[:1], 5), (SPLITS, None)]
)
@pytest.mark.parametrize(
    ("architecture", "values"),
    [("motif", {}), ("deepbind", {"pooling": "max_mean", "hidden": 3}), ("deepbind", {})],
)
def test_batched_products_train_as_the_compiled_loops(
    monkeypatch, architecture, values, batches, splits
) -> None:
    jobs = make_jobs(architecture, batches=batches, splits=splits, **values)
    compiled = run(jobs)
    made = []

    def make(seeded, device):
        made.append(len(seeded))
        return BatchedLearner(seeded, shape_of(seeded[0].job), device)

    monkeypatch.setattr(course, "make_learner", make)
    likeness = groups.likeness
    cuda = torch.device("cuda")
    monkeypatch.setattr(groups, "likeness", lambda number, job, _: likeness(number, job, cuda))
    batched = run(jobs)
    assert sum(made) == len(jobs)
    assert len(made) < len(jobs) or batches is not None
    for network, other in zip(compiled, batched, strict=True):
        assert network.error is None
        assert other.error is None
        for row, same in zip(network.history, other.history, strict=True):
            assert row == pytest.approx(same, rel=2e-3, abs=1e-5)


def test_a_network_that_breaks_does_so_in_the_batched_form_too(monkeypatch) -> None:
    jobs = make_jobs("motif", batches=5)
    config = replace(jobs[1].config, optimiser="nesterov", learning_rate=1e38, clip=1e38)
    broken = [jobs[0], replace(jobs[1], config=config), *jobs[2:]]
    monkeypatch.setattr(
        course,
        "make_learner",
        lambda seeded, device: BatchedLearner(seeded, shape_of(seeded[0].job), device),
    )
    sound, networks = run(jobs), run(broken)
    assert networks[1].error is not None
    for i in (0, 2, 3, 4):
        assert networks[i].error is None
        for row, same in zip(networks[i].history, sound[i].history, strict=True):
            assert row == pytest.approx(same, rel=1e-4)


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        (
            "alexnet",
            {"channels1": 6, "width1": 3, "pool1": 2, "channels2": 4, "width2": 3}
            | {"pool2": 2, "channels3": 4, "width3": 2, "pool3": 2, "hidden1": 5, "hidden2": 4},
        ),
        ("resnet", {"channels": 4, "width": 5, "blocks": 2}),
    ],
)
def test_stacked_networks_go_through_the_same_loop(architecture, values) -> None:
    config = replace(QUICK, steps=3, evaluations=1)
    jobs = [
        TrainingJob(split, make_model(architecture, length=30, values=values).spec, config)
        for split in SPLITS
    ]
    together = [fingerprint(network) for network in run([*jobs, *make_jobs("motif")], threads=2)]
    assert together[:2] == [fingerprint(run([job])[0]) for job in jobs]
    assert np.isfinite([row["validation_loss"] for _, rows in together for row in rows]).all()


def test_small_memory_parts_the_networks_of_a_gpu(monkeypatch) -> None:
    jobs = make_jobs("deepbind")
    cuda = torch.device("cuda")
    assert groups.group_jobs(jobs, cuda, 1) == [[0, 1, 2, 3, 4]]
    monkeypatch.setattr(groups, "_CELLS", 1)
    assert groups.group_jobs(jobs, cuda, 1) == [[0], [1], [2], [3], [4]]


def test_a_cpu_shares_networks_of_one_stream_out_over_its_threads() -> None:
    jobs = make_jobs("deepbind", batches=1)
    assert groups.group_jobs(jobs, CPU, 2) == [[0, 1, 2], [3, 4]]
    assert groups.group_jobs(jobs, CPU, 1) == [[0, 1, 2, 3, 4]]
    assert len(groups.group_jobs([replace(job, batches=None) for job in jobs], CPU, 1)) == 5
    mixed = [*jobs[:2], *make_jobs("motif", batches=1)[:2], *make_jobs("deepbind", batches=2)[:2]]
    assert groups.group_jobs(mixed, CPU, 1) == [[0, 1], [2, 3], [4, 5]]
