"""What is compared, and how each is run: every method leaves figures of the same test set."""

import csv
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.commands import run_command
from benchmarks.accuracy.learned import EXPECTED, name_first
from benchmarks.accuracy.peers import score_pwm, write_pairs
from benchmarks.accuracy.sets import DataSet, read_labelled
from benchmarks.environments import environment_python

__all__ = ["METHODS", "Method", "measure_method"]

_HERE = Path(__file__).parent
_PEER = (_HERE.parent / "requirements-gkmsvm.txt").read_text(encoding="utf-8").strip()
_FEW = 1000
_CAP = 10_000
_MEASURES = ("auroc", "auprc", "log_loss", "calibration_error")

Figures = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes
    ----------
    name, title
        Short, and in a table.
    suits
        Whether it can be run on a data set.
    run
        Runs it, and gives its figures.
    """

    name: str
    title: str
    suits: Callable[[DataSet], bool]
    run: Callable[[DataSet, Path, Path, int], Figures]


def measure_method(
    method: Method, data: DataSet, work: Path, public: Path, threads: int
) -> Figures:
    """Run a method on a data set; note its figures, and the time that it took."""
    began, used = time.perf_counter(), _cpu()
    figures = method.run(data, work, public, threads)
    seconds = {"wall": time.perf_counter() - began, "cpu": _cpu() - used}
    return figures | {"seconds": {key: round(value, 1) for key, value in seconds.items()}}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(each.ru_utime + each.ru_stime for each in used)


# --- seqcnn --------------------------------------------------------------------------------------


def _train(
    *words: str, few: bool = False, motifs: bool = False
) -> Callable[[DataSet, Path, Path, int], Figures]:
    """Make a method of ``seqcnn train``.

    With `few`, of the first thousand positives alone; with `motifs`, the first motifs are named.
    """

    def run(data: DataSet, work: Path, public: Path, threads: int) -> Figures:
        out = work / "run"
        given = _capped(data, work, _FEW if few else _CAP)
        command = [sys.executable, "-m", "seqcnn", "train", *given, *words]
        command += ["--threads", str(threads), "--force", "-o", str(out)]
        run_command(command)
        metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        figures = _take(metrics["test"])
        figures["composition"] = _take(metrics["baselines"]["composition"])["auroc"]
        if motifs and data.name in EXPECTED:
            model, known = out / "model.safetensors", public / "motifs"
            figures["motifs"] = name_first(model, data.group, known, work)
        table = (out / "history.tsv").read_text(encoding="utf-8").splitlines()
        return figures | {"evaluations": len(table) - 1}

    return run


def _take(sides: dict[str, Any]) -> Figures:
    """Take the measures of the one task, with their intervals."""
    (task,) = sides.values()
    return {name: task[name] for name in _MEASURES if name in task} | {"n": task["n"]}


def _capped(data: DataSet, work: Path, most: int) -> list[str]:
    """Give the words of the data, with the first positives of a file that has no negatives."""
    if data.train is None or data.group != "encode_chipseq":
        return list(data.words)
    with gzip.open(data.train, "rt") as lines:
        rows = [line for _, line in zip(range(most + 1), lines, strict=False)]
    path = work / "train.seq"
    path.write_text("".join(rows), encoding="utf-8")
    return [str(path) if word == str(data.train) else word for word in data.words]


def _calibrated(data: DataSet, work: Path, _: Path, threads: int) -> Figures:
    out = work / "run"
    command = [sys.executable, "-m", "seqcnn", "calibrate", *_capped(data, work, _CAP)]
    command += ["--arch", "deepbind", "--threads", str(threads), "--force", "-o", str(out)]
    run_command(command)
    return _take(json.loads((out / "metrics.json").read_text(encoding="utf-8"))["test"])


def _original(data: DataSet, work: Path, public: Path, threads: int) -> Figures:
    """Score the test set with the published model; it may have been trained on it."""
    archive = public / "deepbind_v0.11_db_all927.tar.xz"
    inside = f"deepbind/db/params/{data.original}.txt"
    subprocess.run(["tar", "-xJf", str(archive), "-C", str(work), inside], check=True)
    model = work / "original.safetensors"
    seqcnn = [sys.executable, "-m", "seqcnn"]
    run_command([*seqcnn, "import-deepbind", str(work / inside), "--force", "-o", str(model)])
    letters, labels = read_labelled(_path(data.test))
    fasta = work / "test.fa"
    fasta.write_text("".join(f">s{i}\n{row}\n" for i, row in enumerate(letters)))
    table = work / "scores.tsv"
    words = ["predict", "-m", str(model), str(fasta), "-o", str(table), "--force"]
    run_command([*seqcnn, *words, "--threads", str(threads)])
    with table.open() as lines:
        scores = [float(row["logit"]) for row in csv.DictReader(lines, delimiter="\t")]
    return _measure_ranks(labels, np.array(scores))


# --- peers ---------------------------------------------------------------------------------------


def _pwm(data: DataSet, work: Path, public: Path, _: int) -> Figures:
    pairs = write_pairs(data, work, _FEW)
    name, scores = score_pwm(pairs, public / "motifs" / "JASPAR2024_CORE_vertebrates_nr.meme")
    return _measure_ranks(read_labelled(_path(data.test))[1], scores) | {"motif": name}


def _gkmsvm(data: DataSet, work: Path, _: Path, threads: int) -> Figures:
    """Run the peer in an environment of its own; its scores are kept."""
    write_pairs(data, work, _FEW)
    scores = work / "gkmsvm.txt"
    if not scores.exists():
        python = environment_python("gkmsvm")
        script = _HERE / "gkmsvm_side.py"
        run_command([python, str(script), str(work), str(scores)], threads=threads)
    return _measure_ranks(read_labelled(_path(data.test))[1], np.loadtxt(scores))


def _measure_ranks(labels: np.ndarray, scores: np.ndarray) -> Figures:
    """Measure scores that are no probabilities: by their ranks alone."""
    from seqcnn.metrics import evaluate_tasks

    columns = labels[:, None].astype(np.float32), scores[:, None]
    found = evaluate_tasks(*columns, task_names=("site",), kind="binary", seed=0)
    return {key: found["site"][key] for key in ("auroc", "auprc", "n")}


def _path(path: Path | None) -> Path:
    assert path is not None
    return path


def _any(_: DataSet) -> bool:
    return True


def _listed(data: DataSet) -> bool:
    return data.train is not None


def _encode(data: DataSet) -> bool:
    return data.group == "encode_chipseq"


def _dna_listed(data: DataSet) -> bool:
    return _listed(data) and not data.is_rna


METHODS = (
    Method("pwm", "best JASPAR PWM", _dna_listed, _pwm),
    Method("original", "DeepBind 2015, as published", lambda d: bool(d.original), _original),
    Method("deepbind", "`--arch deepbind`, untuned", _any, _train("--arch", "deepbind")),
    Method("calibrated", "`calibrate --arch deepbind`", _encode, _calibrated),
    Method("gkmsvm", f"{_PEER}, 1000 + 1000", _dna_listed, _gkmsvm),
    Method(
        "gkm-few",
        "`--arch gkm`, 1000 + 1000",
        _encode,
        _train("--arch", "gkm", "--set", "shuffles=1", "--ranks", "none", few=True),
    ),
    Method("gkm", "`--arch gkm`", _any, _train("--arch", "gkm")),
    Method("fast", "`--fast`", _any, _train("--fast")),
    Method("fast-1", "`--fast --seed 1`", _encode, _train("--fast", "--seed", "1")),
    Method("fast-2", "`--fast --seed 2`", _encode, _train("--fast", "--seed", "2")),
    Method("five", "`--members motif:5`", _encode, _train("--members", "motif:5")),
    Method("few", "the default, first 1000 positives", _encode, _train(few=True)),
    Method("default", "the default", _any, _train(motifs=True)),
    Method("default-1", "the default, `--seed 1`", _encode, _train("--seed", "1")),
    Method("default-2", "the default, `--seed 2`", _encode, _train("--seed", "2")),
)
