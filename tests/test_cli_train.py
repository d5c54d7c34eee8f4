"""``seqcnn train``: every source, background and split, the run directory, and refusals."""

import gzip
import json
import math
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from builders import MOTIF, World, spells, write_fasta, write_lines
from commands import QUICK, read_tsv, refused, seqcnn

from seqcnn.modelfile import read_model

RUN_FILES = {
    "model.safetensors",
    "config.yaml",
    "metrics.json",
    "history.tsv",
    "predictions.test.tsv.gz",
    "report.html",
    "errors.test.tsv",
    "train.log",
}


def train(*words: object, out: Path, code: int = 0) -> str:
    return seqcnn("train", *words, *QUICK, "-o", out, code=code).stderr


def at(world: World, *words: object) -> list[object]:
    """Peaks of the small genome, on short windows."""
    return ["--peaks", world.peaks, "--fasta", world.genome, "--length", 61, *words]


# The run directory


def test_run_directory_is_as_the_contract_has_it(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == RUN_FILES
    metrics = json.loads((trained / "metrics.json").read_text())
    contract = {"test", "validation", "train", "baselines", "seconds", "device"}
    assert set(metrics) == contract | {"calibration", "confusion", "diagnosis"}
    assert set(metrics["baselines"]) == {"composition", "length"}
    assert metrics["device"] == "cpu"
    assert metrics["seconds"] > 0
    sides = [metrics[side] for side in ("test", "validation", "train")]
    for side in [*sides, *metrics["baselines"].values()]:
        assert set(side) == {"site"}
        assert set(side["site"]["auroc"]) == {"value", "low", "high"}
        assert set(side["site"]["auprc"]) == {"value", "low", "high"}
        assert side["site"]["n"] == 2 * side["site"]["n_positive"]


def test_the_planted_motif_is_learned(trained: Path, model: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["test"]["site"]["auroc"]["value"] > 0.95
    assert metrics["baselines"]["composition"]["site"]["auroc"]["value"] < 0.7
    first = read_model(model).motifs[0].consensus
    assert spells(first, MOTIF[2:8])


def test_predictions_of_the_test_rows(trained: Path) -> None:
    rows = read_tsv(trained / "predictions.test.tsv.gz")
    assert list(rows[0]) == [
        *("name", "contig", "start", "end", "strand", "task", "logit", "probability", "sd"),
        "target",
    ]
    assert len(rows) == 48
    assert {row["contig"] for row in rows} == {"chr6"}
    assert {row["target"] for row in rows} == {"0", "1"}
    for row in rows:
        assert int(row["end"]) - int(row["start"]) == 61
        assert float(row["sd"]) >= 0
        sigmoid = 1 / (1 + math.exp(-float(row["logit"])))
        assert float(row["probability"]) == pytest.approx(sigmoid, abs=1e-5)


def test_history_log_and_report(trained: Path) -> None:
    history = read_tsv(trained / "history.tsv")
    assert {"member", "step", "train_loss", "validation_loss"} <= set(history[0])
    assert {row["member"] for row in history} == {"0", "1"}
    log = (trained / "train.log").read_text()
    for needle in ("seqcnn 0.", "command: seqcnn ", "device: cpu", "test site: AUROC"):
        assert needle in log
    page = (trained / "report.html").read_text()
    assert "site" in page
    assert len(page) < 700_000


def test_the_model_file_knows_where_it_comes_from(model: Path, world: World) -> None:
    origin = read_model(model).provenance
    assert set(origin["inputs"]) == {"genome.fa", "peaks.bed"}
    assert origin["seed"] == 0
    assert origin["command"].startswith("seqcnn train --peaks site=peaks.bed --fasta genome.fa ")
    assert str(world.folder) not in json.dumps(origin)


# Determinism


def test_two_runs_give_the_same_bytes(world: World, tmp_path: Path) -> None:
    """Whatever the folder, the threads, the order of the options and who names them."""
    words = ["--peaks", f"site={world.peaks}", "--fasta", world.genome, "--members", 2]
    words += ["--weight-decay", 0, "--length", 61]
    train(*words, "--threads", 1, out=tmp_path / "a")
    (tmp_path / "deep/er").mkdir(parents=True)
    train(*words[4:], *words[:4], "--threads", 3, out=tmp_path / "deep/er/b")
    (tmp_path / "linked").symlink_to(world.folder)
    previous = Path.cwd()
    os.chdir(tmp_path / "linked")
    try:
        words[1], words[3] = "site=peaks.bed", "genome.fa"
        train(*words, out=tmp_path / "c")
        os.chdir(tmp_path / "deep")
        seqcnn("train", "--config", tmp_path / "c/config.yaml", "-o", "d")
    finally:
        os.chdir(previous)
    runs = [tmp_path / name for name in ("a", "deep/er/b", "c", "deep/d")]
    for file in ("model.safetensors", "predictions.test.tsv.gz", "history.tsv"):
        assert len({(run / file).read_bytes() for run in runs}) == 1, file
    other = tmp_path / "other"
    train(*words[4:], *at(world)[:4], "--seed", 1, out=other)
    assert (other / "model.safetensors").read_bytes() != (
        runs[0] / "model.safetensors"
    ).read_bytes()


def test_the_configuration_holds_whole_paths_and_every_choice(world: World, tmp_path: Path) -> None:
    train(*at(world, "--weight-decay", 0, "--test", "chr6"), out=tmp_path / "run")
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert config["peaks"] == [str(world.peaks)]
    assert config["weight-decay"] == 0
    assert config["set"] == ["detectors=2", "width=10"]
    assert config["test"] == "chr6"
    assert not {"output", "force", "threads", "device", "quiet"} & set(config)


# Sources


def described(run: Path) -> str:
    return seqcnn("info", run / "model.safetensors").stdout


def test_peaks_of_several_tasks(world: World, tmp_path: Path) -> None:
    peaks = ["--peaks", f"one={world.peaks}", "--peaks", world.other_peaks]
    train(*peaks, "--fasta", world.genome, "--length", 61, out=tmp_path / "run")
    assert "multilabel: one, other" in described(tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert set(metrics["test"]) == {"one", "other"}
    rows = read_tsv(tmp_path / "run/predictions.test.tsv.gz")
    assert [row["task"] for row in rows[:4]] == ["one", "other", "one", "other"]


def test_fasta_files_of_rna(world: World, tmp_path: Path) -> None:
    rna = write_fasta(
        tmp_path / "rna.fa",
        [(f"r{i}", record.replace("T", "U")) for i, record in enumerate(
            world.positives.read_text().split()[1::2])],
    )  # fmt: skip
    words = ["--positives", rna, "--negatives", world.negatives, "--alphabet", "rna"]
    said = train(*words, out=tmp_path / "run")
    assert "fresh shuffles" not in said
    assert "41 bp, RNA, strands: single" in described(tmp_path / "run")
    logos = tmp_path / "logos"
    seqcnn("export-logos", "-m", tmp_path / "run/model.safetensors", "-o", logos, "--logos", 1)
    assert "ALPHABET= ACGU" in (logos / "motifs.meme").read_text()


def test_a_seq_file_and_a_test_file(world: World, tmp_path: Path) -> None:
    words = ["--seq", world.seq, "--test", world.labelled_test_seq, "--strands", "max"]
    train(*words, out=tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert (metrics["test"]["both"]["n"], metrics["test"]["both"]["n_positive"]) == (60, 30)
    assert "strands: max" in described(tmp_path / "run")


@pytest.mark.parametrize("suffix", ["tsv", "csv", "parquet"])
def test_tables_of_sequences(suffix: str, world: World, tmp_path: Path) -> None:
    frame = pd.read_csv(world.table, sep="\t")
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="," if suffix == "csv" else "\t", index=False)
    said = train("--table", path, "--targets", "bound", out=tmp_path / "run")
    assert "binary: bound" in described(tmp_path / "run")
    rows = read_tsv(tmp_path / "run/predictions.test.tsv.gz")
    assert {row["target"] for row in rows} == {"0", "1"}
    assert "fresh shuffles" not in said


def test_a_table_with_missing_labels(world: World, tmp_path: Path) -> None:
    train("--table", world.table, "--targets", "bound,other", out=tmp_path / "run")
    test = json.loads((tmp_path / "run/metrics.json").read_text())["test"]
    assert test["other"]["n"] < test["bound"]["n"]
    rows = read_tsv(tmp_path / "run/predictions.test.tsv.gz")
    assert {row["target"] for row in rows if row["task"] == "other"} == {"0", "1", "."}


def test_a_regression_on_loci(world: World, tmp_path: Path) -> None:
    words = ["--table", world.loci, "--targets", "strength", "--fasta", world.genome]
    train(*words, "--length", 61, "--test", "0.3", out=tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert {"pearson", "spearman", "n"} <= set(metrics["test"]["strength"])
    rows = read_tsv(tmp_path / "run/predictions.test.tsv.gz")
    assert {row["probability"] for row in rows} == {"."}
    assert {row["strand"] for row in rows} == {"+", "-"}


def test_inputs_of_one_name_are_all_recorded(world: World, tmp_path: Path) -> None:
    for folder, peaks in (("a", world.peaks), ("b", world.other_peaks)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "peaks.bed").write_bytes(peaks.read_bytes())
    words = ["--peaks", f"a={tmp_path}/a/peaks.bed", "--peaks", f"b={tmp_path}/b/peaks.bed"]
    train(*words, "--fasta", world.genome, "--length", 61, out=tmp_path / "run")
    inputs = read_model(tmp_path / "run/model.safetensors").provenance["inputs"]
    assert set(inputs) == {"genome.fa", "peaks.bed", "peaks.bed (2)"}


def test_architectures_are_described() -> None:
    text = seqcnn("train", "--arch-help").stdout
    for needle in ("motif: ", "deepbind: ", "detectors=", "width=24"):
        assert needle in text


# Refusals


def test_sources_that_do_not_fit_together(world: World, tmp_path: Path) -> None:
    fasta, peaks = ["--fasta", world.genome], ["--peaks", world.peaks]
    cases: list[tuple[list[object], list[str]]] = [
        (fasta, ["the source of data: none given", "--peaks, --positives, --seq, --table"]),
        ([*peaks, *fasta, "--seq", world.seq], ["--peaks and --seq given"]),
        (peaks, ["--peaks: no --fasta"]),
        ([*peaks, *fasta, "--negatives", world.negatives], ["--negatives: no --positives"]),
        ([*peaks, *fasta, "--exclude", world.background], ["--exclude", "--background gc"]),
        (["--table", world.table], ["--table: no --targets"]),
        (["--seq", world.seq, "--targets", "bound"], ["--targets: no --table"]),
        ([*peaks, *peaks, *fasta], ["two tasks are named 'peaks'", "NAME=FILE"]),
        ([*peaks, *fasta, "--background", "nothing"], ["--background nothing", "no such file"]),
        (["--seq", world.seq, "--background", "gc"], ["--background gc", "no --fasta"]),
        (["--seq", world.seq, *fasta, "--background", "gc"], ["no coordinates"]),
        ([*peaks, *fasta, "--background", "none"], ["every label of 'peaks' is 1"]),
        ([*peaks, *fasta, "--task", "regression"], ["every label of 'peaks' is 1"]),
        (["--table", world.table, "--targets", "strength", "--task", "binary"], ["0 and 1"]),
        (["--table", world.table, "--targets", "bound,other", "--task", "binary"], ["2 tasks"]),
        (["--table", world.table, "--targets", "bond"], ["no column 'bond'", "'bound'?"]),
        (["--table", world.loci, "--targets", "strength"], ["the table holds loci", "--fasta"]),
        (
            ["--table", world.table, "--targets", "strength", "--background", "dinucleotide"],
            ["--background dinucleotide", "regression"],
        ),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "train", *words, *QUICK, "-o", tmp_path / "run")
        assert all(needle in message for needle in needles), message


def test_splits_that_leave_nothing(world: World, tmp_path: Path) -> None:
    cases: list[tuple[list[object], list[str]]] = [
        (["--test", "chr9"], ["--test chr9", "no row lies on 'chr9'", "chr1, chr2"]),
        (["--test", "absent.bed"], ["'absent.bed'", "no such file"]),
        (["--test", "chr1:1-50"], ["--test", "no row of"]),
        (["--test", "chr1,chr2,chr3,chr4,chr5,chr6"], ["--test", "every row"]),
        (["--test", "chr1", "--validation", "chr1"], ["--validation", "no row"]),
        (["--test", "1.5"], ["the fraction 1.5"]),
        (["--test", "chr1:9-5"], ["chr1:9-5", "a region from 9 to 5"]),
        (["--test", world.peaks], ["the training data", "no row is left"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "train", *at(world), *words, *QUICK, "-o", tmp_path / "run")
        assert all(needle in message for needle in needles), message
    message = refused(tmp_path, "train", "--seq", world.seq, "--test", "chr1", "-o", tmp_path / "r")
    assert "no coordinates" in message


def test_settings_that_do_not_fit(world: World, tmp_path: Path) -> None:
    cases: list[tuple[list[object], list[str]]] = [
        (["--arch", "basset"], ["no architecture 'basset'", "deepbind, motif"]),
        (["--set", "detektors=4"], ["no field 'detektors'", "did you mean detectors?"]),
        (["--set", "detectors=many"], ["'many'", "a whole number"]),
        (["--set", "detectors"], ["--set detectors", "FIELD=VALUE"]),
        (["--length", 5], ["--length", "5 bp"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "train", *at(world), *words, "-o", tmp_path / "run")
        assert all(needle in message for needle in needles), message


def test_files_that_are_not_what_they_should_be(world: World, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    genome, peaks, line = world.genome, world.peaks, world.peaks.read_text().splitlines()[0]
    (bad / "empty").write_bytes(b"")
    (bad / "cut.gz").write_bytes(gzip.compress(genome.read_bytes())[:500])
    (bad / "cut.bed.gz").write_bytes(gzip.compress(peaks.read_bytes())[:300])
    (bad / "binary").write_bytes(bytes(range(256)))
    protein = write_fasta(bad / "protein.fa", [("chr1", "MKLVEIPQF")])
    double = write_fasta(bad / "double.fa", [("chr1", "ACGT"), ("chr1", "TTTT")])
    broken = write_lines(bad / "broken.bed", [line, "chr1\tten\t20"])
    short = write_lines(bad / "short.bed", [line, "chr1\t10"])
    past = write_lines(bad / "past.bed", [line, "chr1\t10\t99999999"])
    absent = write_lines(bad / "absent.bed", ["chrZ\t10\t20", "chrQ\t10\t20"])
    narrow = write_lines(bad / "edge.bed", ["chr1\t0\t4"])
    comments = write_lines(bad / "comments.bed", ["# nothing", ""])
    header = write_lines(bad / "header.tsv", ["sequence\tbound"])
    number = write_lines(bad / "number.tsv", ["sequence\tbound", "ACGT\t1", "ACGT\tyes"])
    letter = write_lines(bad / "letter.tsv", ["sequence\tbound", "ACGT\t1", "AC!T\t0"])
    ragged = write_lines(bad / "ragged.tsv", ["sequence\tbound", "ACGT\t1", "ACGT"])
    constant = write_lines(bad / "constant.tsv", ["sequence\tx", *["ACGTACGTAC\t3"] * 40])
    seq = write_lines(bad / "x.seq", ["FoldID\tEventID\tsequence\tBound", "A\ts\tACGT\t1"])
    bound = write_lines(bad / "y.seq", ["FoldID\tEventID\tseq\tBound", "A\ts\tACGT\t2"])
    zeros = write_lines(bad / "z.seq", ["FoldID\tEventID\tseq\tBound", *["A\ts\tACGT\t0"] * 9])
    cases: list[tuple[list[object], list[str]]] = [
        (["--peaks", bad / "empty", "--fasta", genome], ["empty", "the file is empty"]),
        (["--peaks", peaks, "--fasta", bad / "empty"], ["empty", "the file is empty"]),
        (["--peaks", bad / "none", "--fasta", genome], ["none: no such file"]),
        (["--peaks", peaks, "--fasta", bad / "none"], ["none: no such file"]),
        (["--peaks", bad, "--fasta", genome], ["is a folder"]),
        (["--peaks", peaks, "--fasta", bad], ["is a folder"]),
        (["--peaks", bad / "cut.bed.gz", "--fasta", genome], ["cut.bed.gz", "cut or damaged"]),
        (["--peaks", peaks, "--fasta", bad / "cut.gz"], ["cut.gz", "cut or damaged"]),
        (["--peaks", bad / "binary", "--fasta", genome], ["binary", "text"]),
        (["--peaks", peaks, "--fasta", bad / "binary"], ["binary", "FASTA"]),
        (["--peaks", genome, "--fasta", genome], ["genome.fa:1", "1 column(s)"]),
        (["--peaks", world.variants, "--fasta", genome], ["variants.vcf:"]),
        (["--peaks", peaks, "--fasta", peaks], ["peaks.bed", "FASTA"]),
        (["--peaks", peaks, "--fasta", double], ["double.fa", "'chr1' stands twice"]),
        (["--peaks", broken, "--fasta", genome], ["broken.bed:2", "'ten'"]),
        (["--peaks", short, "--fasta", genome], ["short.bed:2", "2 column(s)"]),
        (["--peaks", past, "--fasta", genome], ["past.bed:2", "ends past its contig"]),
        (["--peaks", absent, "--fasta", genome], ["chrZ, chrQ", "chr1, chr2", "genome build"]),
        (["--peaks", narrow, "--fasta", genome], ["edge.bed", "no window of 101 bp"]),
        (["--peaks", comments, "--fasta", genome], ["comments.bed", "no interval"]),
        (["--positives", protein], ["protein.fa", "protein"]),
        (["--positives", peaks], ["peaks.bed", "FASTA"]),
        (["--positives", double], ["double.fa", "'chr1' stands twice"]),
        (["--table", header, "--targets", "bound"], ["header.tsv", "no row"]),
        (["--table", number, "--targets", "bound"], ["number.tsv:3", "'yes'", "a number"]),
        (["--table", letter, "--targets", "bound"], ["letter.tsv:3", "'!'"]),
        (["--table", ragged, "--targets", "bound"], ["ragged.tsv:3", "1 columns"]),
        (["--table", constant, "--targets", "x"], ["every label of 'x' is 3"]),
        (["--seq", seq], ["x.seq:1", "no column 'seq'"]),
        (["--seq", bound], ["y.seq:2", "Bound '2'", "0 or 1"]),
        (["--seq", zeros], ["'z'", "none of 9 sequences is positive"]),
    ]
    for words, needles in cases:
        message = refused(tmp_path, "train", *words, *QUICK, "-o", tmp_path / "run")
        assert all(needle in message for needle in needles), message


def test_a_named_pipe_is_refused_and_not_read_half(world: World, tmp_path: Path) -> None:
    """A pipe can be read only once; the first bytes would be lost without a word."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    words = ["--peaks", pipe, "--fasta", world.genome, *QUICK, "-o", tmp_path / "run"]
    result = seqcnn("train", *words, code=1)
    assert f"{pipe}: is a pipe or a device" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_file_with_a_name_that_is_no_text(world: World, tmp_path: Path) -> None:
    peaks = tmp_path / os.fsdecode(b"\xff\xe9.bed")
    peaks.write_bytes(world.peaks.read_bytes())
    words = ("--peaks", peaks, "--fasta", world.genome, "--length", 61, "--set", "detectors=2")
    result = seqcnn("train", *words, "--steps", 2, "-o", tmp_path / "run")
    assert "Logging error" not in result.stderr
    seqcnn("train", "--config", tmp_path / "run/config.yaml", "-o", tmp_path / "again")
    assert (tmp_path / "run/model.safetensors").read_bytes() == (
        tmp_path / "again/model.safetensors"
    ).read_bytes()
