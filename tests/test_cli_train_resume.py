"""``seqcnn train --resume``: whatever ended a run, the next one ends as if nothing had been."""

import json
import re
import signal
import time
from pathlib import Path

import pytest
from builders import World
from commands import process, refused, seqcnn

from seqcnn.modelfile import read_model

SAME = ("model.safetensors", "history.tsv", "predictions.test.tsv.gz", "config.yaml")
NETWORKS = {
    "motif": ["--arch", "motif", "--set", "detectors=6", "--set", "width=8", "--members", 2],
    "resnet": ["--arch", "resnet", "--set", "channels=4", "--set", "blocks=1"],
}


def words(world: World, name: str, *more: object) -> list[object]:
    data = ["--peaks", world.peaks, "--fasta", world.genome, "--length", 61]
    return ["train", *data, *NETWORKS[name], "--steps", 1500, "--threads", 1, *more]


def interrupt(given: list[object], run: Path, number: signal.Signals) -> tuple[int, str]:
    """Train, and end it with the next checkpoint; give the status and what was said."""
    folder = run.with_name(f"{run.name}.partial") / "checkpoints"

    def found() -> list[int]:
        return [path.stat().st_mtime_ns for path in folder.glob("*.safetensors")]

    before, until = found(), time.monotonic() + 60
    with process(*given, "-o", run) as running:
        while found() == before and time.monotonic() < until:
            time.sleep(0.005)
        running.send_signal(number)
        try:
            status = running.wait(60)
        finally:
            running.kill()
        return status, running.stderr.read().decode()


def metrics(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "metrics.json").read_text())
    return {key: value for key, value in found.items() if key != "seconds"}


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("motif", {signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}),
        ("resnet", {signal.SIGUSR1: 75}),
    ],
)
def test_what_goes_on_ends_in_the_same_bytes(name, ends, world, tmp_path) -> None:
    given = words(world, name)
    whole, run = tmp_path / "whole", tmp_path / "run"
    seqcnn(*given, "-q", "-o", whole)
    for number, status in ends.items():
        ended, said = interrupt([*given, "--resume"], run, number)
        assert ended == status, said
        assert "Traceback" not in said
        assert ("with --resume goes on" in said) == (number != signal.SIGKILL)
        assert not run.exists()
    assert "going on" in seqcnn(*given, "--resume", "-o", run).stderr
    for file in SAME:
        assert (run / file).read_bytes() == (whole / file).read_bytes(), file
    assert metrics(run) == metrics(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
    assert (run / "train.log").read_text().count("command: seqcnn") == 1 + len(ends)


def test_what_cannot_be_gone_on_with_is_refused(world, tmp_path) -> None:
    given, run = words(world, "motif"), tmp_path / "run"
    interrupt(given, run, signal.SIGKILL)
    partial = tmp_path / "run.partial"
    other = [*given, "--resume", "-o", run]
    message = refused(tmp_path, *other, "--seed", 5)
    assert "run.partial: is of another run" in message
    assert "without --resume" in message
    checkpoint = next((partial / "checkpoints").glob("*.safetensors"))
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[:-8])
    result = seqcnn(*other, code=1)
    assert "the checkpoint is damaged; run without --resume" in result.stderr


def test_resume_without_anything_to_go_on_with_begins(world, tmp_path) -> None:
    said = seqcnn(*words(world, "motif", "--steps", 3), "--resume", "-o", tmp_path / "run").stderr
    assert "nothing to go on with: beginning anew" in said
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_partial_folder_that_holds_something_else_is_left_alone(world, tmp_path) -> None:
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial/thesis.txt").write_text("mine")
    message = refused(tmp_path, *words(world, "motif"), "-o", tmp_path / "run")
    assert "run.partial: holds 'thesis.txt', which this command does not write" in message


def test_a_training_that_breaks_keeps_its_last_good_weights(world, tmp_path) -> None:
    given = words(world, "motif", "--set", "hidden=0", "--optimiser", "sgd", "--clip", 1e30)
    given += ["--schedule", "constant", "--learning-rate", 10, "--weight-decay", 0.3]
    given += ["--patience", 20]
    result = seqcnn(*given, "--steps", 200, "-o", tmp_path / "run", code=1)
    assert re.search(r"training, step \d+ \(epoch \d+, batch \d+\): the loss", result.stderr)
    last = tmp_path / "run.partial/last-good.safetensors"
    assert str(last) in result.stderr
    assert len(read_model(last).members) == 1
    again = words(world, "motif", "--init", last, "--steps", 3)
    message = seqcnn(*again, "-o", tmp_path / "run", code=1).stderr
    assert "holds last-good.safetensors, another file of this command" in message
    seqcnn(*again, "-q", "-o", tmp_path / "other")
