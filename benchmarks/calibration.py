"""Calibration: DeepBind's priors and protocol on DeepBind's own ENCODE data.

On the 500 strongest odd peaks of a factor (A) by the command line: how long 30 trials x 3 folds
and the last training take; on the other 500 (B): what the calibrated model reaches, beside
deepbind as `seqcnn train` has it, the calibrated networks one by one, and the best of them on the
validation data. Further, the trials' networks together and one after the other; and random search
beside successive halving at equal cost. Every part is done once: a later call goes on.

    python -m benchmarks.calibration --data FOLDER --work FOLDER
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]

RESULT = Path(__file__).parent / "results" / "calibration.json"
_PEAKS = 500
_STEPS = 300
"""Of the networks whose speed is compared."""


def write_strongest(work: Path, data: Path, factor: str) -> tuple[Path, Path]:
    """Write A; give A and B."""
    (source,) = (data / "encode_chipseq").glob(f"{factor}_*_AC.seq.gz")
    path = work / f"{factor}_A.seq"
    with gzip.open(source, "rt") as handle:
        path.write_text("".join(line for line, _ in zip(handle, range(_PEAKS + 1), strict=False)))
    return path, source.with_name(source.name.replace("_AC.", "_B."))


def run(folder: Path, *words: object, threads: int) -> dict[str, Any]:
    """Run a command of seqcnn into a folder, unless it is there; give its cost and metrics."""
    cost = folder.with_suffix(".cost.json")
    if not folder.exists():
        command = [sys.executable, "-m", "seqcnn", *map(str, words), "--resume", "-q"]
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--threads", str(threads), "-o", str(folder)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost.write_text(json.dumps({"wall": time.monotonic() - start, "cpu": cpu}))
    return json.loads(cost.read_text()) | json.loads((folder / "metrics.json").read_text())


def auroc(metrics: dict[str, Any]) -> dict[str, float]:
    (values,) = metrics["test"].values()
    return {key: round(values["auroc"][key], 4) for key in ("value", "low", "high")}


def judge_members(folder: Path, test: Path) -> dict[str, float]:
    """Measure the last networks one by one on B: their mean, and the best on validation data."""
    import pandas as pd

    from seqcnn.datasets import read_seq
    from seqcnn.engine import Engine
    from seqcnn.metrics import evaluate_tasks
    from seqcnn.modelfile import read_model

    model = read_model(folder / "model.safetensors")
    history = pd.read_csv(folder / "history.tsv", sep="\t")
    lowest = history.groupby("member")["validation_loss"].min()
    held = read_seq(test, length=None, task="site")
    values = []
    for member in model.members:
        logits = Engine(replace(model, members=(member,)), threads=1)
        told = evaluate_tasks(
            held.targets,
            logits.predict(held.sequences.codes).logits,
            task_names=model.spec.tasks,
            kind="binary",
            seed=0,
        )
        values.append(next(iter(told.values()))["auroc"]["value"])
    return {
        "mean_of_networks": round(float(np.mean(values)), 4),
        "best_on_validation": round(values[int(lowest.argmin())], 4),
    }


def compare(work: Path, data: Path, factor: str, seed: int, threads: int) -> dict[str, Any]:
    """Calibrate and train on A, and test on B."""
    strongest, test = write_strongest(work, data, factor)
    source = ["--seq", strongest, "--test", test, "--arch", "deepbind", "--seed", seed]
    default = run(work / f"{factor}-{seed}-default", "train", *source, threads=threads)
    six = run(work / f"{factor}-{seed}-default6", "train", *source, "--members", 6, threads=threads)
    folder = work / f"{factor}-{seed}-calibrated"
    calibrated = run(folder, "calibrate", *source, threads=threads)
    return {
        "factor": factor,
        "seed": seed,
        "threads": threads,
        "default": auroc(default),
        "default_six_networks": auroc(six),
        "calibrated": auroc(calibrated),
        **judge_members(folder, test),
        "wall_seconds": round(calibrated["wall"], 1),
        "cpu_seconds": round(calibrated["cpu"], 1),
        "trials": calibrated["trials"],
    }


# --- together, and one after the other ---------------------------------------------------------


def measure_speed(work: Path, data: Path, threads: int) -> dict[str, Any]:
    """Time the networks of 30 trials on one fold, together and one after the other."""
    import torch

    from seqcnn.calibration import Search, plan_rounds, run_search
    from seqcnn.training import train_many

    study = make_study(write_strongest(work, data, "GABPA")[0], _STEPS)
    device = torch.device("cpu")
    numbers = range(1, 31)
    search = Search(device, threads)

    def together() -> None:
        run_search(study, search, numbers, rounds=plan_rounds("random", 30), known={})

    def apart() -> None:
        for number in numbers:
            train_many(study.jobs(number, _STEPS), device=device, threads=threads)

    run_search(study, search, [1, 2], rounds=plan_rounds("random", 2), known={})  # compiles
    told = {"threads": threads, "networks": 30, "steps": _STEPS}
    for name, work_done in (("together", together), ("one_after_the_other", apart)):
        told[name] = _time(work_done)
    for unit in ("wall", "cpu"):
        ratio = told["one_after_the_other"][unit] / told["together"][unit]
        told[f"{unit}_ratio"] = round(ratio, 2)
    told["networks_per_hour"] = round(30 / told["together"]["wall"] * 3600)
    return told


def _time(work: Callable[[], None]) -> dict[str, float]:
    start, cpu = time.monotonic(), time.process_time()
    work()
    return {
        "wall": round(time.monotonic() - start, 2),
        "cpu": round(time.process_time() - cpu, 2),
    }


def make_study(positives: Path, steps: int) -> Any:
    """Draw up the study that the command does, on one fold."""
    from seqcnn.architectures import configure
    from seqcnn.calibration import Candidate, Study, make_folds, parse_priors, preset_priors
    from seqcnn.cli.priors import DRAWN_OPTIONS
    from seqcnn.modelfile import ModelSpec
    from seqcnn.sources import Source, prepare_split
    from seqcnn.training import TrainingConfig

    source = Source(seq=positives)
    split, _ = prepare_split(source, validation="0.1", test="0.1", task_kind=None, seed=0)
    preset = preset_priors("deepbind", configure("deepbind", {}), TrainingConfig(), length=101)
    priors = parse_priors(preset, "deepbind", options=DRAWN_OPTIONS, where="preset")

    def plan(settings: dict[str, Any]) -> Candidate:
        config = configure("deepbind", {name: settings[name] for name in priors.network})
        spec = ModelSpec("deepbind", config, "binary", split.train.tasks, 101, "max")
        chosen = {name: settings[name] for name in priors.training}
        return Candidate(spec, replace(TrainingConfig(), **chosen | {"steps": steps}))

    return Study(make_folds(split, folds=3, seed=0, labelled=True)[:1], priors, plan, seed=0)


# --- random search and successive halving --------------------------------------------------------


def compare_searches(work: Path, data: Path, factor: str, seed: int) -> dict[str, Any]:
    """Search at random, and by halving three times as many trials: nearly the same steps."""
    strongest, test = write_strongest(work, data, factor)
    source = ["--seq", strongest, "--test", test, "--arch", "deepbind", "--seed", seed]
    told: dict[str, Any] = {"factor": factor, "seed": seed}
    for name, words in (
        ("random", ("--trials", 10)),
        ("halving", ("--search", "halving", "--trials", 28)),
    ):
        folder = work / f"{factor}-{seed}-{name}"
        made = run(folder, "calibrate", *source, *words, threads=1)
        told[name] = {
            "score": made["trials"]["score"],
            "test": auroc(made),
            "networks": made["trials"]["networks"],
            "thread_seconds": made["trials"]["thread_seconds"],
        }
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--factors", nargs="+", default=["ARID3A", "GABPA"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--searches", action="store_true", help="also random against halving")
    given = parser.parse_args(arguments)
    given.work.mkdir(parents=True, exist_ok=True)
    told = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    told["speed"] = told.get("speed") or measure_speed(given.work, given.data, given.threads)
    for factor in given.factors:
        for seed in given.seeds:
            name = f"{factor}-{seed}"
            made = compare(given.work, given.data, factor, seed, given.threads)
            told.setdefault("calibrated", {})[name] = made
            if given.searches:
                found = compare_searches(given.work, given.data, factor, seed)
                told.setdefault("searches", {})[name] = found
            RESULT.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
