"""Kinds of tasks through the commands: classes, clamped values, labels that are missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders import MOTIF, OTHER_MOTIF, World, plant, random_letters, write_lines, write_vcf
from commands import QUICK, parse_tsv, read_tsv, refused, seqcnn

from seqcnn.modelfile import read_model

PLANTED = {"ap1": MOTIF, "ets": OTHER_MOTIF, "none": ""}


def write_classes(path: Path, n: int = 150, *, seed: int = 0) -> Path:
    """A table: kind, the same as 0 and 1 in a column for each class, and a signal."""
    rng = np.random.default_rng(seed)
    lines = ["name\tsequence\tkind\tap1\tets\tnone\tnumber\tsignal"]
    for i in range(n):
        kind = list(PLANTED)[i % 3]
        letters = random_letters(rng, 40)
        if PLANTED[kind]:
            letters = plant(letters, PLANTED[kind], 20)
        flags = [str(int(kind == each)) for each in PLANTED]
        signal = f"{rng.lognormal():.4f}"
        lines.append("\t".join([f"s{i}", letters, kind, *flags, str(i % 3 + 9), signal]))
    return write_lines(path, lines)


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    table = write_classes(folder / "t.tsv")
    seqcnn("train", "--table", table, "--targets", "kind", *QUICK, "-o", folder / "run")
    return folder


def test_a_column_of_words_becomes_classes(classes: Path) -> None:
    metrics = metrics_of(classes / "run")
    assert list(metrics["test"]) == ["ap1", "ets", "none"]
    assert set(metrics["classes"]) >= {"accuracy", "macro_auroc", "macro_auprc", "macro_f1"}
    assert set(metrics["confusion"]["ets"]) == {"ap1", "ets", "none"}
    assert "temperature" in metrics["calibration"]["all classes"]
    spec = read_model(classes / "run/model.safetensors").spec
    assert (spec.task_kind, len(set(spec.scale)), spec.thresholds) == ("multiclass", 1, ())
    rows = read_tsv(classes / "run/predictions.test.tsv.gz")
    by_name: dict[str, float] = {}
    for row in rows:
        by_name[row["name"]] = by_name.get(row["name"], 0) + float(row["probability"])
    np.testing.assert_allclose(list(by_name.values()), 1, atol=1e-5)
    page = (classes / "run/report.html").read_text()
    assert "All classes together" in page
    assert "called ets" in page


def test_columns_files_and_numbers_make_the_same_classes(classes: Path, tmp_path: Path) -> None:
    model = "model.safetensors"
    words = ["train", "--table", classes / "t.tsv", *QUICK, "--task", "multiclass", "--targets"]
    seqcnn(*words, "ap1,ets,none", "-o", tmp_path / "columns")
    seqcnn(*words, "number", "-o", tmp_path / "numbers")
    first = read_model(classes / "run" / model)
    for name, tasks in (("columns", first.spec.tasks), ("numbers", ("9", "10", "11"))):
        other = read_model(tmp_path / name / model)
        assert other.spec.tasks == tasks
        for key, values in first.members[0].items():
            np.testing.assert_array_equal(other.members[0][key], values)


def test_classes_of_a_model_are_found_again(classes: Path, tmp_path: Path) -> None:
    header, *lines = (classes / "t.tsv").read_text().splitlines()
    some = [header, *(line for line in lines if "\tets\t" not in line)]
    table = write_lines(tmp_path / "some.tsv", some)
    words = ["evaluate", "-m", classes / "run/model.safetensors", "--table", table]
    seqcnn(*words, "--targets", "kind", "-o", tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["test"]["ets"]["n_positive"] == 0
    assert metrics["test"]["ets"]["auroc"]["value"] is None
    assert metrics["classes"]["n"] == 100
    other = write_lines(tmp_path / "other.tsv", [some[0], some[1].replace("\tap1\t", "\tsp1\t")])
    told = refused(tmp_path, *words[:4], other, "--targets", "kind", "-o", tmp_path / "no")
    assert "kind is 'sp1'; expected one of ap1, ets, none" in told


def test_effects_on_probabilities_are_those_of_the_softmax(classes: Path, tmp_path: Path) -> None:
    letters = random_letters(np.random.default_rng(1), 200)
    fasta = write_lines(tmp_path / "g.fa", [">c", letters])
    alt = "A" if letters[99] != "A" else "C"
    vcf = write_vcf(tmp_path / "v.vcf", [f"c\t100\t.\t{letters[99]}\t{alt}\t.\t.\t."], ["c"])
    words = ["-m", classes / "run/model.safetensors", "--fasta", fasta, vcf]
    seqcnn("score-variants", *words, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv")
    rows = read_tsv(tmp_path / "o.tsv")
    both = np.array([[float(row[f"{side}_logit"]) for row in rows] for side in ("ref", "alt")])
    shares = np.exp(both) / np.exp(both).sum(axis=1, keepdims=True)
    found = [float(row["probability_difference"]) for row in rows]
    np.testing.assert_allclose(found, shares[1] - shares[0], atol=1e-5)
    assert sum(found) == pytest.approx(0, abs=1e-5)


def test_peaks_of_several_files_are_classes_where_they_are_apart(
    world: World, tmp_path: Path
) -> None:
    peaks = ["--peaks", f"a={world.peaks}", "--peaks", f"b={world.other_peaks}"]
    words = [*peaks, "--fasta", world.genome, "--task", "multiclass", "--length", 40, *QUICK]
    seqcnn("train", *words, "-o", tmp_path / "run")
    assert list(metrics_of(tmp_path / "run")["confusion"]) == ["a", "b"]
    one = ["train", *peaks[:2], *words[4:], "-o", tmp_path / "one"]
    assert "expected a column of class names" in refused(tmp_path, *one)


@pytest.mark.parametrize(
    ("change", "words", "expected"),
    [
        (None, ["--targets", "kind", "--task", "binary"], "holds words, such as 'ap1'"),
        (None, ["--targets", "ap1,ets", "--task", "multiclass"], "0 labels of 1 among ap1, ets"),
        (None, ["--targets", "kind", "--background", "dinucleotide"], "the task is multiclass"),
        (("s3\t", "\tap1\t", "\trare\t"), ["--targets", "kind"], "no sequence of the class 'rare'"),
        (("s3\t", "\t1\t0\t0\t", "\t1\t1\t0\t"),
         ["--targets", "ap1,ets,none", "--task", "multiclass"], "2 labels of 1"),
        (("s3\t", "\t1\t0\t0\t", "\t1\tNA\t0\t"),
         ["--targets", "ap1,ets,none", "--task", "multiclass"], "a missing label"),
        (None, ["--targets", "ap1,ets,more"], "no column 'more'"),
        (None, ["--targets", "kind", "--clamp", "99"], "the task is multiclass"),
        (("s3\t", "\tap1\t", "\t1.5\t"), ["--targets", "kind"], "kind is "),
        (("s4\t", "\t10\t", "\tinf\t"), ["--targets", "number"], "number is 'inf'"),
    ],
)  # fmt: skip
def test_targets_that_do_not_fit_are_refused(
    change: tuple[str, str, str] | None, words: list[str], expected: str, tmp_path: Path
) -> None:
    table = write_classes(tmp_path / "t.tsv")
    if change:
        start, old, new = change
        lines = table.read_text().splitlines()
        write_lines(table, [x.replace(old, new) if x.startswith(start) else x for x in lines])
    told = refused(tmp_path, "train", "--table", table, *words, *QUICK, "-o", tmp_path / "run")
    assert expected in told


def test_a_row_without_a_class_is_masked(tmp_path: Path) -> None:
    table = write_classes(tmp_path / "t.tsv")
    lines = table.read_text().splitlines()
    some = [x.replace("\tap1\t", "\tNA\t") if x.startswith("s3\t") else x for x in lines]
    write_lines(table, some)
    seqcnn("train", "--table", table, "--targets", "kind", *QUICK, "-o", tmp_path / "run")
    assert metrics_of(tmp_path / "run")["classes"]["accuracy"]["value"] is not None


def test_the_highest_values_are_clamped_for_learning_alone(tmp_path: Path) -> None:
    table = write_classes(tmp_path / "t.tsv")
    words = ["train", "--table", table, "--targets", "signal", "--transform", "none", *QUICK]
    seqcnn(*words, "-o", tmp_path / "plain")
    result = seqcnn(*words, "--clamp", "90", "-o", tmp_path / "clamped")
    assert "above percentile 90, clamped" in result.stderr
    centres = [read_model(tmp_path / x / "model.safetensors").spec for x in ("plain", "clamped")]
    assert centres[1].centre[0] < centres[0].centre[0]
    sides = [read_tsv(tmp_path / x / "predictions.test.tsv.gz") for x in ("plain", "clamped")]
    assert [row["target"] for row in sides[0]] == [row["target"] for row in sides[1]]


def test_a_regression_is_networks_of_several_widths(tmp_path: Path) -> None:
    table = write_classes(tmp_path / "t.tsv", 60)
    words = ["train", "--table", table, "--targets", "signal", "--steps", "2"]
    seqcnn(*words, "-o", tmp_path / "run")
    model = read_model(tmp_path / "run/model.safetensors")
    assert [part.spec.config.width for part in model.parts] == [6, 8, 10]
    scores = parse_tsv(
        seqcnn("predict", "-m", tmp_path / "run/model.safetensors", table, "-q").stdout
    )
    assert len(scores) == 60
    assert all(float(row["sd"]) > 0 for row in scores)
    # In the units of the targets, which are learned as log2 here: hardly trained, near their mean.
    spec = model.parts[0].spec
    assert model.spec.scale == ()
    mean = np.mean([float(row["logit"]) for row in scores])
    assert abs(mean - spec.centre[0]) < 3 * spec.scale[0]


def test_other_contigs_for_validation_bring_a_train_dev_side(world: World, tmp_path: Path) -> None:
    peaks = [line for line in world.peaks.read_text().splitlines() if line]
    moved = [
        "\t".join([c[0], str(int(c[1]) + d), str(int(c[2]) + d)])
        for c in (line.split("\t") for line in peaks)
        for d in range(-40, 44, 4)
    ]
    source = ["--peaks", f"a={write_lines(tmp_path / 'p.bed', moved)}", "--fasta", world.genome]
    split = ["--validation", "chr5", "--test", "chr6", "--length", "30"]
    result = seqcnn("train", *source, *split, *QUICK, "-o", tmp_path / "run")
    # Windows of the same sites overlap, so that few of those held out are of use.
    assert "taken from train-dev" in result.stderr
    diagnosis = metrics_of(tmp_path / "run")["diagnosis"]["a"]
    assert {"bias", "variance", "choice"} <= set(diagnosis["gaps"])
    assert diagnosis["words"] in result.stderr
