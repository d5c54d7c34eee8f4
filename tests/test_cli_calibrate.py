"""``seqcnn calibrate``: the folder it makes, shards, resumption, and refusals."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from builders import World, write_fasta
from commands import process, read_tsv, refused, seqcnn, tree
from tiny_models import draw_codes, plant

from seqcnn.dna import decode
from seqcnn.modelfile import read_model

RUN_FILES = {"trials.tsv", "trials.svg", "trials.png", "model.safetensors", "config.yaml"}
SAME = ("model.safetensors", "config.yaml", "history.tsv", "predictions.test.tsv.gz", "trials.svg")
PRIORS = {
    "learning-rate": {"loguniform": [1e-3, 1e-1]},
    "batch_size": "16",
    "dropout": [0, 0.5],
    "hidden": {"each": [0, 3]},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with positives that hold a motif, and priors."""
    folder = tmp_path_factory.mktemp("data")
    codes = plant(draw_codes(70, 40, unknown=False), "TGACGTCA")
    write_fasta(folder / "sites.fa", [(f"s{i}", decode(row)) for i, row in enumerate(codes)])
    (folder / "priors.yaml").write_text(yaml.safe_dump(PRIORS))
    return folder


def words(data: Path, *more: object) -> list[object]:
    small = ["--arch", "deepbind", "--set", "detectors=2", "--set", "width=8", "--steps", 12]
    size = ["--trials", 4, "--folds", 2, "--retrain", 2, "--threads", 1]
    source = ["--positives", data / "sites.fa", "--priors", data / "priors.yaml"]
    return ["calibrate", *source, *small, *size, *more]


@pytest.fixture(scope="module")
def whole(data: Path) -> Path:
    """A calibration from beginning to end."""
    seqcnn(*words(data), "-o", data / "whole")
    return data / "whole"


@pytest.fixture(autouse=True)
def _no_pages(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, most of the work of such small runs, is drawn for the fixture alone."""
    assert whole.is_dir()
    monkeypatch.setattr("seqcnn.report.render_report", lambda _: "")


def same(one: Path, other: Path) -> None:
    """Check that two runs have the same bytes, but for what is measured in seconds."""
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    rows, others = read_tsv(one / "trials.tsv"), read_tsv(other / "trials.tsv")
    for row in [*rows, *others]:
        assert float(row.pop("seconds")) >= 0
    assert rows == others


# What it makes


def test_the_folder_holds_a_run_and_its_trials(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} >= RUN_FILES
    rows = read_tsv(whole / "trials.tsv")
    names = ["trial", "learning_rate", "batch_size", "hidden", "dropout"]
    assert sorted(rows[0]) == sorted(
        [*names, "budget", "steps", "fold_1", "fold_2", "score", "seconds"]
    )
    assert [row["trial"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["hidden"] for row in rows] == ["0", "3", "0", "3"]
    for row in rows:
        folds = [float(row["fold_1"]), float(row["fold_2"])]
        assert float(row["score"]) == pytest.approx(np.mean(folds), abs=2e-6)
    best = min(rows, key=lambda row: float(row["score"]))
    told = json.loads((whole / "metrics.json").read_text())["trials"]
    assert told["best_trial"] == int(best["trial"])
    assert (told["number"], told["folds"], told["networks"]) == (4, 2, 8)
    model = read_model(whole / "model.safetensors")
    assert len(model.members) == 2
    assert model.spec.config.hidden == int(best["hidden"])
    assert model.spec.config.dropout == float(best["dropout"])
    assert "calibrate" in model.provenance["command"]


def test_its_config_repeats_the_last_training(whole: Path, tmp_path: Path) -> None:
    seqcnn("train", "--config", whole / "config.yaml", "--threads", 1, "-o", tmp_path / "again")
    models = [read_model(each / "model.safetensors") for each in (whole, tmp_path / "again")]
    for one, other in zip(models[0].members, models[1].members, strict=True):
        assert {k: v.tobytes() for k, v in one.items()} == {
            k: v.tobytes() for k, v in other.items()
        }
    for name in ("history.tsv", "predictions.test.tsv.gz"):
        assert (whole / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_report_shows_the_trials(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    assert "Calibration" in page
    assert "Parallel coordinates" in page
    assert "4 trials" in page
    assert (whole / "trials.png").read_bytes()[:4] == b"\x89PNG"


def test_what_is_given_is_not_drawn(data: Path, tmp_path: Path) -> None:
    own = draw(tmp_path, {**PRIORS, "width": [6, 9], "pooling": ["max", "max_mean"]})
    given = ["--learning-rate", 0.01, "--set", "dropout=0.25", "--set", "hidden=0", "--priors", own]
    seqcnn(*words(data, *given, "--trial-shard", "1/4"), "-o", tmp_path / "run")
    (row,) = read_tsv(tmp_path / "run" / "trials.1-of-4" / "trials.tsv")
    assert list(row)[:4] == ["trial", "batch_size", "pooling", "budget"]
    given += ["--set", "pooling=max"]
    told = refused(tmp_path, *words(data, *given), "-o", tmp_path / "none")
    assert "nothing is left to be drawn" in told


def draw(folder: Path, priors: dict[str, object]) -> Path:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(priors))
    return path


def test_the_best_network_alone(data: Path, whole: Path, tmp_path: Path) -> None:
    seqcnn(*words(data, "--keep", "best"), "-o", tmp_path / "run")
    rows = read_tsv(whole / "history.tsv")
    members = sorted({row["member"] for row in rows})
    losses = [
        min(float(row["validation_loss"]) for row in rows if row["member"] == member)
        for member in members
    ]
    (kept,) = read_model(tmp_path / "run" / "model.safetensors").members
    chosen = read_model(whole / "model.safetensors").members[int(np.argmin(losses))]
    assert {k: v.tobytes() for k, v in kept.items()} == {k: v.tobytes() for k, v in chosen.items()}


def test_halving_adds_rows_for_those_trained_longer(data: Path, tmp_path: Path) -> None:
    seqcnn(*words(data, "--search", "halving", "--retrain", 1), "-o", tmp_path / "run")
    budgets = [row["budget"] for row in read_tsv(tmp_path / "run" / "trials.tsv")]
    assert budgets == ["2"] * 4 + ["4"] * 2 + ["12"]


def test_priors_help_shows_what_a_file_may_hold() -> None:
    shown = seqcnn("calibrate", "--priors-help").stdout
    parts = [part.partition("\n") for part in shown.split("# --arch ")[1:]]
    presets = {name: yaml.safe_load(text) for name, _, text in parts}
    assert {"deepbind", "motif", "resnet"} <= set(presets)
    assert all(isinstance(preset, dict) and preset for preset in presets.values())


# Shards


def test_shards_and_finish_are_the_whole(data: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for index in (3, 1, 2):
        seqcnn(*words(data, "--trial-shard", f"{index}/3"), "-o", out)
    assert {path.name for path in out.iterdir()} == {f"trials.{i}-of-3" for i in (1, 2, 3)}
    copy = shutil.copytree(out, tmp_path / "copy")
    seqcnn(*words(data, "--finish"), "-o", out)
    same(out, whole)
    one = shutil.move(copy / "trials.2-of-3", tmp_path / "second")
    seqcnn(*words(data, "--finish", copy, "--finish", one), "-o", tmp_path / "elsewhere")
    same(tmp_path / "elsewhere", whole)
    assert copy.is_dir()


def test_finish_says_which_shards_are_missing(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    message = refused(tmp_path, *words(data, "--finish"), "-o", out)
    assert "out holds no shard of trials" in message
    seqcnn(*words(data, "--trial-shard", "2/4"), "-o", out)
    message = refused(tmp_path, *words(data, "--finish"), "-o", out)
    assert "shards 1, 3, 4 of 4 missing" in message
    assert "--trial-shard 1/4" in message
    (out / "trials.3-of-4.partial").mkdir()  # one that was killed
    message = refused(tmp_path, *words(data, "--finish"), "-o", out)
    assert "shards 1, 3, 4 of 4 missing" in message
    (out / "trials.3-of-4.partial").rmdir()
    message = refused(tmp_path, *words(data, "--trial-shard", "2/4"), "-o", out)
    assert "exists already" in message
    seqcnn(*words(data, "--trial-shard", "2/4", "--force"), "-o", out)
    seqcnn(*words(data, "--trial-shard", "1/2"), "-o", out)
    message = refused(tmp_path, *words(data, "--finish"), "-o", out)
    assert "expected each of the N shards once" in message


def test_shards_of_another_calibration_are_refused(data: Path, tmp_path: Path) -> None:
    for index in (1, 2):
        seqcnn(*words(data, "--trial-shard", f"{index}/2"), "-o", tmp_path / "out")
    before = tree(tmp_path)
    for other in (["--seed", 1], ["--steps", 13], ["--trials", 5], ["--folds", 3]):
        told = refused(tmp_path, *words(data, "--finish", *other), "-o", tmp_path / "out")
        assert "is a shard of another calibration" in told
    priors = draw(tmp_path, {**PRIORS, "dropout": [0, 0.4]})
    for folder in (tmp_path / "out", tmp_path / "new"):
        told = refused(
            tmp_path,
            *words(data, "--finish", tmp_path / "out", "--priors", priors), "-o", folder,
        )  # fmt: skip
        assert "is a shard of another calibration" in told
    priors.unlink()
    assert tree(tmp_path) == before
    table = tmp_path / "out" / "trials.1-of-2" / "trials.tsv"
    text = table.read_text()
    for changed, expected in (
        (text[:-40], "trials.tsv:3: no row of a trial"),
        ("\n".join(text.splitlines()[:2]) + "\n", "does not hold just the trials of its shard"),
        (text.replace("score", "loss"), "is of another calibration (the columns differ"),
        (text.replace("\n1\t", "\n3\t"), "trial 3 has other settings"),
    ):
        table.write_text(changed)
        told = refused(tmp_path, *words(data, "--finish"), "-o", tmp_path / "out")
        assert expected in told
    (table.parent / "shard.json").write_text("{")
    told = refused(tmp_path, *words(data, "--finish"), "-o", tmp_path / "out")
    assert "shard.json: is no whole shard" in told


def test_peaks_with_coordinates_are_folded(world: World, data: Path, tmp_path: Path) -> None:
    source = ["--peaks", world.peaks, "--fasta", world.genome, "--length", 61]
    own = ["--priors", data / "priors.yaml", "--trials", 2, "--steps", 3, "--trial-shard", "2/2"]
    small = ["--arch", "deepbind", "--set", "detectors=2", "--threads", 1]
    seqcnn("calibrate", *source, *own, *small, "-o", tmp_path / "run")
    (row,) = read_tsv(tmp_path / "run" / "trials.2-of-2" / "trials.tsv")
    assert row["trial"] == "2"
    assert all(0 < float(row[f"fold_{number}"]) < 2 for number in (1, 2, 3))


# Resumption


def test_a_killed_run_goes_on(data: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = process(*words(data), "-o", out)
    noted = tmp_path / "out.partial" / "checkpoints"
    deadline = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < deadline and not trials_in(noted):
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    done = len(trials_in(noted))
    assert done
    told = seqcnn(*words(data, "--resume"), "-o", out).stderr
    assert f"{done} trials are done already" in told
    assert told.count(": score ") == 4 - done
    same(out, whole)
    assert not (tmp_path / "out.partial").exists()


def trials_in(noted: Path) -> list[Path]:
    return sorted(noted.glob("trial-*"))


def test_an_interrupted_run_goes_on(data: Path, whole: Path, tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out"
    interrupt(monkeypatch, after=2)
    told = seqcnn(*words(data), "-o", out, code=130).stderr
    assert "--resume goes on" in told
    monkeypatch.undo()
    assert len(trials_in(tmp_path / "out.partial" / "checkpoints")) == 2
    told = refused(tmp_path, *words(data, "--seed", 3, "--resume"), "-o", out)
    assert "is of another run" in told
    told = seqcnn(*words(data, "--resume"), "-o", out).stderr
    assert told.count(": score ") == 2
    same(out, whole)


def interrupt(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """End the process, as Ctrl-C does, once so many trials are noted."""
    from seqcnn.cli import trial_shards

    real, noted = trial_shards.note_trial, []

    def note(checkpoints: object, trial: object) -> None:
        real(checkpoints, trial)
        noted.append(trial)
        if len(noted) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(trial_shards, "note_trial", note)


# Refusals


@pytest.mark.parametrize(
    ("priors", "expected"),
    [
        ({"learning-rat": [1e-3, 1e-2]}, "did you mean learning_rate?"),
        ({"drop": [0, 0.5]}, "did you mean dropout?"),
        ({"learning-rate": {"loguniform": [0, 1]}}, "expected numbers above 0"),
        ({"learning-rate": {"uniform": [1, 100]}}, "own.yaml: learning_rate: 100"),
        ({"dropout": {"uniform": [0, 2]}}, "own.yaml: dropout: 2"),
        ({"dropout": {"uniform": [0.5, 0.1]}}, "below the highest"),
        ({"hidden": [1.5, 2]}, "own.yaml: hidden: 1.5"),
        ({"dropout": 0.5}, "nothing is left to be drawn"),
        ({"dropout": {"normal": [0, 1]}}, "no such kind of prior: normal"),
        ([1, 2], "holds no options"),
        ({}, "nothing is left to be drawn"),
    ],
)
def test_priors_without_sense_are_refused(data: Path, tmp_path: Path, priors, expected) -> None:
    own = draw(tmp_path, priors)
    told = refused(tmp_path, *words(data, "--priors", own), "-o", tmp_path / "out")
    assert expected in told


def test_data_that_cannot_be_folded(data: Path, tmp_path: Path) -> None:
    lines = (data / "sites.fa").read_text().splitlines()
    few = tmp_path / "few.fa"
    few.write_text("\n".join(lines[:16]) + "\n")
    rest = ["--positives", few, "--validation", "0.1", "--test", "0.1", "--folds", 7]
    told = refused(tmp_path, *words(data, *rest), "-o", tmp_path / "out")
    assert "--folds 7: 6 positive training sequences" in told
    negatives = tmp_path / "negatives.fa"
    negatives.write_text("\n".join(lines[20:40]) + "\n")
    equal = tmp_path / "equal.fa"
    equal.write_text("".join(f">{i}\n{lines[1]}\n" for i in range(30)) + "\n".join(lines[40:52]))
    rest = ["--positives", equal, "--negatives", negatives, "--folds", 5]
    told = refused(tmp_path, *words(data, *rest), "-o", tmp_path / "out")
    assert "fold" in told
    assert "expected" in told


def test_options_that_do_not_fit(data: Path, tmp_path: Path) -> None:
    out = ["-o", tmp_path / "out"]
    told = refused(tmp_path, *words(data, "--trial-shard", "1/9"), *out)
    assert "expected at least one trial for each shard" in told
    told = refused(tmp_path, *words(data, "--trial-shard", "1/2", "--finish"), *out)
    assert "--trial-shard" in told
    told = refused(tmp_path, *words(data, "--trial-shard", "1/2", "--search", "halving"), *out)
    assert "--search halving" in told
    for wrong in (["--trials", 0], ["--folds", 1], ["--retrain", 0], ["--trial-shard", "3/2"]):
        assert "Usage:" in seqcnn(*words(data, *wrong), *out, code=2).stderr


def test_a_finished_run_is_not_overwritten(data: Path, whole: Path) -> None:
    told = seqcnn(*words(data), "-o", whole, code=1).stderr
    assert "exists already" in told
    told = seqcnn(*words(data, "--trial-shard", "1/2"), "-o", whole, code=1).stderr
    assert "which this command does not write" in told
    assert {path.name for path in whole.iterdir()} >= RUN_FILES
