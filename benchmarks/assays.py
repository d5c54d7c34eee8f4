"""``python -m benchmarks.assays [NAME ...] --data DIR``: measured values, RNA, and shuffled labels.

Each data set is learned by the public command with its defaults. Protein-binding microarrays:
train on one array design, test on the other; a ridge regression on counts of 6-mers stands
beside. CLIP: RNA, one strand, the given training and test sets. Shuffled labels, of which nothing
can be learned: of peaks, of classes, of values. What is done already is not done again; results
lie in results/assays.json, and as a table in results/assays.md.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.learned import name_first
from benchmarks.machine import describe_machine

__all__ = ["main"]

_HERE = Path(__file__).parent

ARRAYS = ("Cebpb", "Egr2", "Tbx3")
_DESIGNS = {"HK": "ME", "ME": "HK"}
RIDGE = {
    "Cebpb HK": 0.607,
    "Cebpb ME": 0.718,
    "Egr2 HK": 0.485,
    "Egr2 ME": 0.523,
    "Tbx3 HK": 0.602,
    "Tbx3 ME": 0.437,
}
"""Spearman of 6-mer ridge regression, trained on this design, on the other."""

_PROTEINS = {"QKI": "24_PARCLIP_QKI_hg19", "TDP43": "27_ICLIP_TDP43_hg19"}
_PROTEINS |= {"U2AF65": "30_ICLIP_U2AF65_Hela_iCLIP_ctrl_all_clusters"}
GOALS = {"QKI": 0.955, "TDP43": 0.910, "U2AF65": 0.900}
"""AUROC to reach."""

_MOST_SHUFFLED = 6000

Row = tuple[object, ...]
Source = Callable[[Path], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.assays", description="Assays of other kinds than ChIP-seq."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--data", type=Path, required=True, help="folder with dream5_pbm/, ...")
    parser.add_argument("--results", type=Path, default=_HERE / "results")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="also what is done already")
    options = parser.parse_args()
    work = _HERE / ".work" / "assays"
    work.mkdir(parents=True, exist_ok=True)
    path = options.results / "assays.json"
    for name, source in sources(options.data).items():
        found = _read(path)
        wanted = not options.names or name in options.names or name.split()[0] in options.names
        if wanted and (options.again or name not in found):
            print(name, file=sys.stderr)
            run = work / f"run-{name.replace(' ', '-')}"
            row = measure(source(work), run, options.threads)
            if name.split()[0] in ARRAYS:
                known = options.data / "motifs"
                row["motifs"] = name_first(run / "model.safetensors", "dream5_pbm", known, work)
            found = _read(path) | {name: row, "machine": describe_machine(options.threads)}
            path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = tabulate(_read(path))
    (options.results / "assays.md").write_text(table, encoding="utf-8")
    print(table)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# --- data ------------------------------------------------------------------------------------


def sources(data: Path) -> dict[str, Source]:
    """Name the data sets, each with what writes its files and gives the options that name them."""
    named: dict[str, Source] = {}
    for factor in ARRAYS:
        for design in _DESIGNS:
            named[f"{factor} {design}"] = partial(array_options, data, factor, design)
    for protein in _PROTEINS:
        named[protein] = partial(clip_options, data, protein)
    for kind in ("labels", "classes", "values"):
        named[f"shuffled {kind}"] = partial(shuffled_options, data, kind)
    return named


def array_options(data: Path, factor: str, design: str, work: Path) -> list[str]:
    files = []
    for each in (design, _DESIGNS[design]):
        rows = _read_array(data, factor, each)
        files.append(_write(work / f"{factor}.{each}.tsv", ("sequence", "signal"), rows))
    return ["--table", files[0], "--test", files[1], "--targets", "signal"]


def _read_array(data: Path, factor: str, design: str) -> Iterator[Row]:
    with gzip.open(data / "dream5_pbm" / f"{factor}_{design}.txt.gz", "rt") as lines:
        for sequence, signal, _ in csv.reader(lines, delimiter="\t"):
            yield sequence, signal


def clip_options(data: Path, protein: str, work: Path) -> list[str]:
    files = []
    for part in ("training", "test"):
        rows = _read_clip(data / "clip_rna" / f"{_PROTEINS[protein]}.{part}.fa.gz")
        files.append(_write(work / f"{protein}.{part}.tsv", ("sequence", "bound"), rows))
    return ["--table", files[0], "--test", files[1], "--targets", "bound", "--alphabet", "rna"]


def _read_clip(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt") as handle:
        for record in handle.read().split(">")[1:]:
            title, *lines = record.splitlines()
            yield "".join(lines), title.rpartition("class:")[2].strip()


def shuffled_options(data: Path, kind: str, work: Path) -> list[str]:
    """Write sequences whose targets have changed places, in two halves."""
    rng = np.random.default_rng(0)
    if kind == "values":
        rows = list(_read_array(data, "Cebpb", "HK"))
    else:
        rows = list(_read_clip(data / "clip_rna" / f"{_PROTEINS['QKI']}.training.fa.gz"))
    rows = [rows[i] for i in rng.choice(len(rows), _MOST_SHUFFLED, replace=False)]
    targets = [row[1] for row in rows]
    if kind == "classes":
        targets = [("a", "b", "c")[i] for i in rng.integers(0, 3, len(rows))]
    mixed = zip((row[0] for row in rows), rng.permutation(targets).tolist(), strict=True)
    halves = np.array_split(np.array(list(mixed), dtype=object), 2)
    files = [
        _write(work / f"shuffled.{kind}.{part}.tsv", ("sequence", "target"), half.tolist())
        for part, half in zip(("train", "test"), halves, strict=True)
    ]
    options = ["--table", files[0], "--test", files[1], "--targets", "target"]
    return [*options, "--background", "none"] if kind != "values" else options


def _write(path: Path, header: Row, rows: Iterable[Row]) -> str:
    lines = ("\t".join(map(str, row)) + "\n" for row in (header, *rows))
    path.write_text("".join(lines), encoding="ascii")
    return str(path)


# --- measuring -------------------------------------------------------------------------------


def measure(source: list[str], run: Path, threads: int) -> dict[str, Any]:
    """Train by the public command: the test metrics, with intervals and times."""
    command = ["seqcnn", "train", *source, "--seed", "0", "--device", "cpu", "--force", "-q"]
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", *command, "--threads", str(threads), "-o", str(run)], check=True
    )
    after = os.times()
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    kept = ("auroc", "auprc", "pearson", "spearman", "n")
    return {
        "test": {
            task: {key: values[key] for key in kept if key in values}
            for task, values in metrics["test"].items()
        },
        "classes": metrics.get("classes", {}),
        "cpu_seconds": round(cpu, 1),
        "seconds": metrics["seconds"],
    }


def tabulate(found: dict[str, Any]) -> str:
    """Write the results as Markdown tables."""
    blocks = [_table_of_arrays(found), _table_of_proteins(found), _table_of_shuffled(found)]
    machine = found.get("machine", {})
    return "\n".join([*(block for block in blocks if block), f"Measured on {machine}.\n"])


def _estimate(values: dict[str, Any]) -> str:
    return f"{values['value']:.3f} ({values['low']:.3f}-{values['high']:.3f})"


def _table_of_arrays(found: dict[str, Any]) -> str:
    own = {name: found[name] for name in RIDGE if name in found}
    if not own:
        return ""
    lines = ["| trained on | Spearman on the other design | 6-mer ridge | seconds |"]
    lines += ["|---|---|---|---|"]
    values = []
    for name, row in own.items():
        estimate = row["test"]["signal"]["spearman"]
        values.append(estimate["value"])
        lines.append(
            f"| {name} | {_estimate(estimate)} | {RIDGE[name]:.3f} | {row['seconds']:.0f} |"
        )
    ridge = np.mean([RIDGE[name] for name in own])
    lines.append(f"| mean | {np.mean(values):.4f} | {ridge:.4f} | |")
    return "\n".join([*lines, ""])


def _table_of_proteins(found: dict[str, Any]) -> str:
    own = {name: found[name] for name in GOALS if name in found}
    if not own:
        return ""
    lines = ["| protein | AUROC | goal | AUPRC | seconds |", "|---|---|---|---|---|"]
    for name, row in own.items():
        (task,) = row["test"].values()
        both = f"{_estimate(task['auroc'])} | {GOALS[name]:.3f} | {_estimate(task['auprc'])}"
        lines.append(f"| {name} | {both} | {row['seconds']:.0f} |")
    return "\n".join([*lines, ""])


def _table_of_shuffled(found: dict[str, Any]) -> str:
    own = {name: row for name, row in found.items() if name.startswith("shuffled")}
    if not own:
        return ""
    lines = ["| targets that mean nothing | metric | value |", "|---|---|---|"]
    for name, row in own.items():
        for task, values in row["test"].items():
            key = "auroc" if "auroc" in values else "spearman"
            lines.append(f"| {name}, {task} | {key} | {_estimate(values[key])} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
