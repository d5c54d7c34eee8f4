"""``python -m benchmarks.families [FAMILY ...] --data DIR``: every family on the same data.

Each family is trained by the public command with its defaults, on the 2,000 strongest peaks of a
factor, and tested on peaks that are not among them (DeepBind's split: B). With shuffled labels
it must learn nothing, in a hundred steps. What is done already is not done again; results lie in
results/families.json, and as a table in results/families.md.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from seqcnn.architectures import ARCHITECTURES
from seqcnn.dna import decode, encode
from seqcnn.negatives import shuffle_dinucleotides

__all__ = ["FACTORS", "main"]

_HERE = Path(__file__).parent
FACTORS = ("ARID3A", "GABPA")
"""A hard factor and an easy one."""

_POSITIVES = 2000
_SHUFFLED = "GABPA, shuffled labels"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.families", description="Train every family on the same data."
    )
    parser.add_argument("names", nargs="*", metavar="FAMILY", help="default: all")
    parser.add_argument("--data", type=Path, required=True, help="folder with encode_chipseq/")
    parser.add_argument("--results", type=Path, default=_HERE / "results")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="also what is done already")
    options = parser.parse_args()
    work = _HERE / ".work" / "families"
    work.mkdir(parents=True, exist_ok=True)
    path = options.results / "families.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for data, source in prepare(options.data / "encode_chipseq", work).items():
        for family in options.names or families():
            if options.again or data not in found.get(family, {}):
                print(f"{family}, {data}", file=sys.stderr)
                row = measure(family, source, work / f"run-{family}", threads=options.threads)
                found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
                found.setdefault(family, {})[data] = row
                found["machine"] = describe_machine(options.threads)
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = tabulate(found)
    (options.results / "families.md").write_text(table, encoding="utf-8")
    print(table)


def families() -> list[str]:
    return list(ARCHITECTURES)


def prepare(folder: Path, work: Path) -> dict[str, list[str]]:
    """Write the training files, and give the options that name the data."""
    sources = {}
    for factor in FACTORS:
        (peaks,), (test,) = (list(folder.glob(f"{factor}_*_{part}.seq.gz")) for part in ("AC", "B"))
        train = work / f"{factor}.seq"
        with gzip.open(peaks, "rt", encoding="ascii") as lines:
            train.write_text("".join(next(lines) for _ in range(_POSITIVES + 1)), encoding="ascii")
        sources[factor] = ["--seq", str(train), "--test", str(test)]
    sources[_SHUFFLED] = shuffle_labels(next(iter(folder.glob("GABPA_*_AC.seq.gz"))), work)
    return sources


def shuffle_labels(peaks: Path, work: Path) -> list[str]:
    """Write peaks and their dinucleotide shuffles with labels that mean nothing."""
    with gzip.open(peaks, "rt", encoding="ascii") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    codes = np.stack([encode(row["seq"]) for row in rows])
    rng = np.random.default_rng(0)
    shuffled = shuffle_dinucleotides(codes, rng=rng)
    sides = []
    for name, part in (("train", slice(0, 1000)), ("test", slice(1000, 4000))):
        sequences = np.concatenate([codes[part], shuffled[part]])
        labels = rng.permutation(np.repeat([0, 1], len(sequences) // 2))
        path = work / f"shuffled.{name}.tsv"
        text = (f"{decode(row)}\t{label}\n" for row, label in zip(sequences, labels, strict=True))
        path.write_text("sequence\tlabel\n" + "".join(text), encoding="ascii")
        sides.append(str(path))
    return ["--table", sides[0], "--test", sides[1], "--targets", "label", "--steps", "100"]


def measure(family: str, source: list[str], run: Path, *, threads: int) -> dict[str, Any]:
    """Train a family by the public command: AUROC on the test data, with interval and times."""
    command = ["seqcnn", "train", *source, "--arch", family, "--seed", "1", "--force", "-q"]
    command += ["--threads", str(threads), "--device", "cpu", "-o", str(run)]
    before = os.times()
    subprocess.run([sys.executable, "-m", *command], check=True)
    after = os.times()
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    (task,) = metrics["test"].values()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return {
        "auroc": task["auroc"],
        "n": task["n"],
        "cpu_seconds": round(cpu, 1),
        "seconds": round(float(metrics["seconds"]), 1),
    }


def tabulate(found: dict[str, Any]) -> str:
    """Write the results as a Markdown table."""
    data = [*FACTORS, _SHUFFLED]
    head = ["family", *data, "CPU seconds"]
    rows = [head, ["---"] * len(head)]
    rows += [[family, *_cells(found[family], data)] for family in families() if family in found]
    machine = found.get("machine", {})
    where = ", ".join(f"{key}: {value}" for key, value in machine.items())
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", where, ""])


def _cells(row: dict[str, Any], data: list[str]) -> Iterator[str]:
    for name in data:
        value = row.get(name, {}).get("auroc")
        shown = f"{value['value']:.3f} ({value['low']:.3f}-{value['high']:.3f})" if value else ""
        yield shown
    yield ", ".join(f"{row[name]['cpu_seconds']:.0f}" for name in data if name in row)


if __name__ == "__main__":
    main()
