"""``seqcnn evaluate``: the figures of training, again, and on other data."""

import json
from pathlib import Path

import pytest
from builders import World, write_lines
from commands import QUICK, read_tsv, refused, seqcnn

FILES = {"metrics.json", "predictions.test.tsv.gz", "errors.test.tsv", "report.html"}


def metrics_of(folder: Path) -> dict[str, object]:
    metrics = json.loads((folder / "metrics.json").read_text())
    return {key: metrics[key] for key in ("test", "baselines")}


@pytest.mark.parametrize("labels", ["positives only", "both"])
def test_the_test_file_of_a_training_gives_the_same_metrics(
    labels: str, world: World, tmp_path: Path
) -> None:
    test = world.test_seq if labels == "positives only" else world.labelled_test_seq
    train = ["train", "--seq", world.seq, "--background", "dinucleotide", "--test", test]
    seqcnn(*train, *QUICK, "-o", tmp_path / "run")
    words = ["-m", tmp_path / "run/model.safetensors", "--seq", test]
    seqcnn("evaluate", *words, "-o", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert metrics_of(tmp_path / "out") == metrics_of(tmp_path / "run")
    file = "predictions.test.tsv.gz"
    assert (tmp_path / "out" / file).read_bytes() == (tmp_path / "run" / file).read_bytes()


def test_a_test_side_by_contig_gives_the_same_metrics(
    world: World, trained: Path, tmp_path: Path
) -> None:
    lines = world.peaks.read_text().splitlines()
    chr6 = write_lines(tmp_path / "chr6.bed", [line for line in lines if line[:4] == "chr6"])
    words = ["-m", trained / "model.safetensors", "--peaks", chr6, "--fasta", world.genome]
    seqcnn("evaluate", *words, "-o", tmp_path / "out")
    assert metrics_of(tmp_path / "out") == metrics_of(trained)


@pytest.mark.parametrize("background", ["dinucleotide", "gc", "file.bed", "file.fa"])
def test_backgrounds(background: str, world: World, model: Path, tmp_path: Path) -> None:
    asked = {"file.bed": world.background, "file.fa": world.negatives}.get(background, background)
    words = ["-m", model, "--peaks", world.peaks, "--fasta", world.genome, "--background", asked]
    seqcnn("evaluate", *words, "-o", tmp_path / "out")
    test = json.loads((tmp_path / "out/metrics.json").read_text())["test"]["site"]
    assert test["n_positive"] == 144
    assert test["n"] == (204 if background == "file.fa" else 288)
    rows = read_tsv(tmp_path / "out/predictions.test.tsv.gz")
    assert ("contig" in rows[0]) == (background != "file.fa")


def test_one_task_of_several(world: World, tmp_path: Path) -> None:
    peaks = ["--peaks", f"a={world.peaks}", "--peaks", f"b={world.other_peaks}"]
    genome = ["--fasta", world.genome]
    seqcnn("train", *peaks, *genome, "--length", 61, *QUICK, "-o", tmp_path / "run")
    model = tmp_path / "run/model.safetensors"
    words = ["evaluate", "-m", model, "--peaks", f"b={world.other_peaks}", *genome]
    seqcnn(*words, "-o", tmp_path / "out")
    test = json.loads((tmp_path / "out/metrics.json").read_text())["test"]
    assert (test["a"]["n"], test["b"]["n"], test["b"]["n_positive"]) == (0, 288, 144)
    assert test["a"]["auroc"]["value"] is None
    message = refused(
        tmp_path, "evaluate", "-m", model, "--peaks", f"c={world.peaks}", *genome,
        "-o", tmp_path / "x",
    )  # fmt: skip
    assert "the model has no task 'c'; expected a, b; name the tasks as in training" in message


def test_refusals(world: World, model: Path, tmp_path: Path) -> None:
    peaks = ["--peaks", world.peaks, "--fasta", world.genome]
    strength = ["--table", world.table, "--targets", "strength"]
    both = ["--peaks", world.peaks, "--peaks", world.other_peaks, "--fasta", world.genome]
    cases: list[tuple[list[object], list[str]]] = [
        ([], ["the source of data: none given"]),
        ([*peaks, "--length", 51], ["--length: 51", "the model's 61"]),
        (strength, ["the targets: the value", "0 and 1"]),
        (both, ["the model has no task", "site"]),
        ([*peaks, "--background", "none"], ["every label of 'peaks' is 1", "--background"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "evaluate", "-m", model, *words, "-o", tmp_path / "out")
        assert all(needle in message for needle in needles), message
