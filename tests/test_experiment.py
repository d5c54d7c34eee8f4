"""A whole training on tiny data, from a split to a model with its figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import CPU, draw_codes, label, make_model, plant_split

from seqcnn import experiment
from seqcnn.datasets import LabelledSequences
from seqcnn.engine import Engine
from seqcnn.experiment import evaluate_model, run_experiment
from seqcnn.metrics import Baseline
from seqcnn.modelfile import read_model, write_model
from seqcnn.nulls import COUNT, draw_null
from seqcnn.significance import ALLELE_TYPES
from seqcnn.splits import Split
from seqcnn.training import TrainingConfig

CONFIG = TrainingConfig(steps=30, batch_size=32, learning_rate=1e-2, members=2, patience=99)
ESTIMATE = {"value", "low", "high"}


def run(split, config=CONFIG, *, architecture="motif", threads=1, **rest):
    spec = make_model(architecture, **{"length": 30, "tasks": split.train.tasks} | rest).spec
    return run_experiment(
        split, spec, config, provenance={"seed": config.seed}, device=CPU, threads=threads
    )


@pytest.fixture(scope="module")
def finished():
    split = plant_split()
    return split, run(split, values={"detectors": 8, "width": 8})


def test_metrics_are_those_of_the_contract(finished) -> None:
    _, done = finished
    metrics = done.model.metrics
    assert set(metrics) == {"test", "validation", "train", "baselines"}
    assert set(metrics["baselines"]) == {"composition", "length"}
    sides = {
        "test": (metrics["test"], 160),
        "validation": (metrics["validation"], 120),
        "train": (metrics["train"], 400),
        "composition": (metrics["baselines"]["composition"], 160),
        "length": (metrics["baselines"]["length"], 160),
    }
    for side, rows in sides.values():
        assert set(side) == {"site"}
        task = side["site"]
        assert set(task["auroc"]) == set(task["auprc"]) == ESTIMATE
        assert (task["n"], task["n_positive"]) == (rows, rows // 2)
    assert metrics["test"]["site"]["auroc"]["value"] > 0.8
    assert metrics["baselines"]["length"]["site"]["auroc"]["value"] == 0.5
    json.dumps(metrics, allow_nan=False)


def test_predictions_are_those_of_the_model_on_the_test_rows(finished) -> None:
    split, done = finished
    engine = Engine(done.model, threads=1)
    again = engine.predict(split.test.sequences.codes)
    np.testing.assert_array_equal(again.members, done.predictions.members)
    baselines = {k: Baseline.from_json(v) for k, v in done.model.baselines.items()}
    metrics, _ = evaluate_model(engine, split.test, baselines, seed=CONFIG.seed)
    assert metrics == {key: done.model.metrics[key] for key in ("test", "baselines")}


def test_references_are_quantiles_of_the_positives(finished) -> None:
    split, done = finished
    logits = Engine(done.model, threads=1).predict(split.train.sequences.codes).logits[:, 0]
    reference = done.model.reference
    assert reference.shape == (1, 1001)
    assert reference.dtype == np.float32
    np.testing.assert_allclose(reference[0, [0, 500, -1]], np.quantile(logits, [0, 0.5, 1]))
    assert (np.diff(reference) >= 0).all()


def test_the_model_has_a_null_of_its_training_sequences(finished) -> None:
    split, done = finished
    engine = Engine(done.model, threads=1)
    again = draw_null(engine, split.train.sequences.codes, count=2 * COUNT, seed=CONFIG.seed)
    np.testing.assert_array_equal(done.model.null.sizes, again.sizes)
    assert done.model.null.sizes.shape == (len(ALLELE_TYPES), 1, 2 * COUNT)
    assert done.model.null.source == "training"
    assert done.model.null.suits(strands="average", shifts=1)


def test_null_variants_stand_in_shuffles_of_positives() -> None:
    targets = np.array([0, 1, 1, 0], np.float32)
    data = label(draw_codes(4, 30), targets)
    spec = make_model(length=30).spec
    positives = experiment._take_positives(data, spec, seed=0)
    sites = experiment._contexts(positives, data, spec)
    np.testing.assert_array_equal(sites, data.sequences.codes[1:3])
    regression = make_model(length=30, task_kind="regression").spec
    assert len(experiment._contexts(positives, data, regression)) == 4
    assert len(experiment._contexts(positives.take(np.arange(0)), data, spec)) == 4


def test_the_model_has_motifs_and_history(finished) -> None:
    _, done = finished
    drops = [motif.importance for motif in done.model.motifs if not motif.duplicate_of]
    assert drops
    assert drops == sorted(drops, reverse=True)
    assert {motif.name.split("_")[0] for motif in done.model.motifs} == {"member1", "member2"}
    assert [row["step"] for row in done.history if row["member"] == 1][-1] == 30
    assert done.model.provenance == {"seed": 0}


def test_the_same_seed_gives_the_same_file(finished, tmp_path) -> None:
    split, done = finished
    again = run(split, values={"detectors": 8, "width": 8}, threads=2)
    for name, one in (("one", done), ("two", again)):
        write_model(one.model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert again.history == done.history
    model = read_model(tmp_path / "one")
    np.testing.assert_array_equal(
        Engine(model, threads=1).predict(split.test.sequences.codes).members,
        done.predictions.members,
    )


def test_another_seed_gives_another_model(finished) -> None:
    split, done = finished
    other = run(split, replace(CONFIG, seed=1, steps=4), values={"detectors": 8, "width": 8})
    assert (other.predictions.logits != done.predictions.logits).any()


@pytest.mark.parametrize("architecture", ["motif", "deepbind"])
def test_a_regression_runs_from_end_to_end(architecture) -> None:
    codes = draw_codes(200, 30, unknown=False)
    data = label(codes, 1000 + 10.0 * (codes == 2).sum(axis=1))
    split = Split(*(data.take(np.arange(*ends)) for ends in ((0, 120), (120, 160), (160, 200))))
    done = run(split, replace(CONFIG, members=1), architecture=architecture, task_kind="regression")
    spec = done.model.spec
    assert spec.centre[0] == pytest.approx(split.train.targets.mean(), rel=1e-5)
    assert spec.scale[0] == pytest.approx(split.train.targets.std(), rel=1e-4)
    assert set(done.model.metrics["test"]["site"]) == {"pearson", "spearman", "mse", "n"}
    assert 900 < done.predictions.logits.mean() < 1200
    assert 900 < done.model.reference.min() < done.model.reference.max() < 1200


def test_several_tasks_with_missing_labels_run_from_end_to_end() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (160, 2)).astype(np.float32)
    targets[rng.random(targets.shape) < 0.3] = np.nan
    data = label(draw_codes(160, 30), targets, ("a", "b"))
    split = Split(*(data.take(np.arange(*ends)) for ends in ((0, 100), (100, 130), (130, 160))))
    done = run(replace(split, shuffles=1), replace(CONFIG, steps=5), task_kind="multilabel")
    assert set(done.model.metrics["test"]) == {"a", "b"}
    assert done.model.metrics["test"]["a"]["n"] == int((~np.isnan(split.test.targets[:, 0])).sum())
    assert done.model.reference.shape == (2, 1001)
    assert done.model.null.sizes.shape[1] == 2
    assert (done.model.null.sizes[:, 0] != done.model.null.sizes[:, 1]).any()


def test_references_are_of_each_tasks_own_positives() -> None:
    model = make_model(tasks=("a", "b", "c"), length=30, task_kind="multilabel")
    targets = np.zeros((40, 3), np.float32)
    targets[:15, 0] = 1
    targets[10:30, 1] = 1
    targets[35:, 1] = np.nan
    data = label(draw_codes(40, 30), targets, ("a", "b", "c"))
    positives = experiment._take_positives(data, model.spec, seed=0)
    assert len(positives) == 30
    engine = Engine(model, threads=1)
    logits = engine.predict(data.sequences.codes).logits
    reference = experiment._reference(engine, positives)
    ends = reference[:, [0, -1]]
    for task, rows in enumerate((slice(0, 15), slice(10, 30), slice(0, 30))):
        own = logits[rows, task]
        np.testing.assert_allclose(ends[task], [own.min(), own.max()], rtol=1e-6)


def test_few_positives_among_many_rows_are_all_taken(monkeypatch) -> None:
    monkeypatch.setattr(experiment, "_MOST_ROWS", 10)
    targets = (np.arange(300) % 60 == 0).astype(np.float32)
    data = label(draw_codes(300, 30), targets)
    spec = make_model(length=30).spec
    assert len(experiment._take_positives(data, spec, seed=0)) == 5
    sample = experiment._sample(Split(data, data, data), seed=0)
    assert len(sample) == 10
    order = [int(name[1:]) for name in sample.sequences.names]
    assert order == sorted(order)
    assert len(set(order)) == 10


def test_no_positives_give_no_motifs_and_no_reference() -> None:
    data = label(draw_codes(40, 30), np.zeros(40))
    split = Split(data, data, data)
    done = run(split, replace(CONFIG, members=1, steps=3))
    assert done.model.motifs == ()
    assert done.model.reference.size == 0
    assert done.model.null is not None
    assert done.model.metrics["test"]["site"]["auroc"]["value"] is None


def test_the_highest_tenth_of_a_regression_is_sought() -> None:
    spec = make_model(task_kind="regression", tasks=("a", "b", "c")).spec
    targets = np.full((50, 3), np.nan, np.float32)
    targets[:, 0] = np.arange(50)
    targets[:20, 1] = -np.arange(20)
    sought = experiment._sought(targets, spec)
    assert np.flatnonzero(sought[:, 0]).tolist() == [45, 46, 47, 48, 49]
    assert np.flatnonzero(sought[:, 1]).tolist() == [0, 1]
    assert not sought[:, 2].any()


def test_the_shuffles_of_the_sample_are_labelled_negative() -> None:
    split = plant_split(sizes=(20, 10, 10))
    sample: LabelledSequences = experiment._sample(split, seed=0)
    assert len(sample) == 40
    assert sample.targets[:20].all()
    assert not sample.targets[20:].any()
