"""``seqcnn pretrain``, and ``seqcnn train --init``: what is begun with, and what is refused."""

from pathlib import Path

import pytest
from builders import World
from commands import refused, seqcnn

from seqcnn.modelfile import UNSUPERVISED, read_model

MOTIF = ["--arch", "motif", "--set", "detectors=6", "--set", "width=8"]
FAST = ["--steps", 20, "--windows", 200, "--batch-size", 16, "--length", 41, "--threads", 1]


@pytest.fixture(scope="module")
def genome_model(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pretrained") / "genome.safetensors"
    seqcnn("pretrain", "--fasta", world.genome, *MOTIF, *FAST, "-o", path)
    return path


def at(world: World, *words: object) -> list[object]:
    data = ["train", "--peaks", world.peaks, "--fasta", world.genome, "--length", 61]
    return [*data, "--steps", 5, "--threads", 1, *words]


def test_a_genome_gives_the_first_layer(world: World, genome_model: Path, tmp_path: Path) -> None:
    model = read_model(genome_model)
    learned = model.provenance[UNSUPERVISED]
    assert {"detectors", "norm.weight"} <= set(learned)
    assert set(model.provenance["inputs"]) == {"genome.fa"}
    assert {"step", "accuracy", "validation_loss"} <= set(model.provenance["history"][0])
    again = tmp_path / "again.safetensors"
    said = seqcnn("pretrain", "--fasta", world.genome, *MOTIF, *FAST, "-o", again).stderr
    assert "of the masked bases that were held out" in said
    assert again.read_bytes() == genome_model.read_bytes()
    assert "masked bases" in seqcnn("info", again).stdout


def test_a_training_begins_with_it(world: World, genome_model: Path, tmp_path: Path) -> None:
    """Family and settings are the model's; what is frozen stays."""
    run = tmp_path / "run"
    seqcnn(*at(world, "--init", genome_model, "--freeze", "trunk"), "-q", "-o", run)
    model, first = read_model(run / "model.safetensors"), read_model(genome_model)
    assert model.spec.config == first.spec.config
    assert (model.members[0]["detectors"] == first.members[0]["detectors"]).all()
    assert "genome.safetensors" in model.provenance["inputs"]
    # The configuration reruns the same.
    seqcnn("train", "--config", run / "config.yaml", "-q", "--threads", 1, "-o", tmp_path / "b")
    assert (tmp_path / "b/model.safetensors").read_bytes() == (
        run / "model.safetensors"
    ).read_bytes()


def test_what_does_not_fit_is_refused(world: World, genome_model: Path, tmp_path: Path) -> None:
    init = ["--init", genome_model]
    cases: list[tuple[list[object], list[str]]] = [
        (at(world, "--freeze", "trunk"), ["--freeze: no --init"]),
        (at(world, *init, "--arch", "resnet"), ["--init: the model is a motif", "resnet"]),
        (at(world, *init, "--set", "width=9"), ["the model has width=8", "leave --set width out"]),
        (at(world, *init, "--alphabet", "rna"), ["the model is for DNA", "give --alphabet dna"]),
        (at(world, "--init", world.peaks), ["peaks.bed: is not a seqcnn model"]),
        (at(world, "--init", tmp_path / "none"), ["none: no such file"]),
        (at(world, *init, "--schedule", "linear"), ["schedule: 'linear'"]),
        (at(world, *init, "--augment", "noise=3"), ["--augment noise=3: no such change"]),
        (at(world, "--optimiser", "sgd", "--momentum", 0.9), ["momentum: sgd has none"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, *words, "-o", tmp_path / "run")
        assert all(needle in message for needle in needles), message


def test_it_gives_no_scores(world: World, genome_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    commands = [
        ["predict", "-m", genome_model, world.positives],
        ["evaluate", "-m", genome_model, "--positives", world.positives, "-o", output],
        ["score-variants", "-m", genome_model, "--fasta", world.genome, world.variants],
    ]
    for words in commands:
        message = refused(tmp_path, *words)
        assert "genome.safetensors: the model has learned without labels" in message


def test_genomes_that_cannot_be_learned_from(world: World, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.fa"
    unknown.write_text(">a\n" + "N" * 500 + "\n")
    cases: list[tuple[list[object], list[str]]] = [
        (["--fasta", tmp_path / "none.fa"], ["none.fa: no such file"]),
        (["--fasta", unknown], ["unknown.fa: no known base"]),
        (["--fasta", world.genome, "--arch", "basset"], ["no architecture 'basset'"]),
        (["--fasta", world.genome, "--set", "width=60", "--length", 41], ["--length: 41 bp"]),
        (["--fasta", world.genome, "--arch", "gkm"], ["--arch: gkm is no network"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "pretrain", *words, "-o", tmp_path / "m.safetensors")
        assert all(needle in message for needle in needles), message


def test_augmentation_and_every_optimiser_train(world: World, tmp_path: Path) -> None:
    words = at(world, *MOTIF, "--augment", "shift=3,mutation=0.1,inversion=5,clean=0.4")
    seqcnn(
        *words, "--optimiser", "rmsprop", "--schedule", "plateau:0.5:2", "-q", "-o", tmp_path / "a"
    )
    assert (tmp_path / "a/model.safetensors").exists()
