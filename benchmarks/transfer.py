"""Transfer: a factor with few peaks, from scratch and from a model of other factors.

Pre-trained on all other factors of DeepBind's ENCODE data as one multi-label model, in which the
peaks of a factor have no label for the others (so that none learns what sets them apart, which a
shuffled sequence does not have), fine-tuned on 200 peaks of MYC, tested on MYC's own test set.
Sequences of the pre-training that share 24 bases in a row with the test set, on either strand,
are left out. The share of the rate (0.3) and where new outputs begin were chosen on lower peaks
of MYC, not on the test set.

    python -m benchmarks.transfer --data FOLDER --work FOLDER [--quick]

With ``--quick`` the networks with few peaks are trained and scored by the library, as the command
does it, but without motifs, null variants and report.
"""

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from seqcnn.architectures import ARCHITECTURES
from seqcnn.cli import main as main_command
from seqcnn.engine import Engine
from seqcnn.modelfile import ModelSpec, TrainedModel, read_model
from seqcnn.sources import Source, prepare_split
from seqcnn.training import TrainingConfig, take_weights, train_members

__all__ = ["main"]

RESULT = Path(__file__).parent / "results" / "transfer.json"
_SHARED = 24
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_PEAKS = 200
_MOST = 10_000
"""Peaks of each other factor."""


def read_seq(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def find_factors(data: Path) -> dict[str, tuple[Path, Path]]:
    """Name the factors, each with its training and its test file."""
    files = sorted((data / "encode_chipseq").glob("*_AC.seq.gz"))
    return {
        path.name.split("_")[0]: (path, path.with_name(path.name.replace("_AC.", "_B.")))
        for path in files
    }


def words(sequence: str) -> Iterator[str]:
    for strand in (sequence, sequence.translate(_COMPLEMENT)[::-1]):
        yield from (strand[i : i + _SHARED] for i in range(len(strand) - _SHARED + 1))


def write_others(path: Path, data: Path, target: str) -> dict[str, int]:
    """Write the table of all other factors; give the rows of each."""
    factors = find_factors(data)
    held_out = {word for row in read_seq(factors[target][1]) for word in words(row["seq"])}
    names = [name for name in factors if name != target]
    counts = {}
    with path.open("w") as handle:
        print("sequence", *names, sep="\t", file=handle)
        for name in names:
            rows = [row["seq"] for row in read_seq(factors[name][0])[:_MOST]]
            kept = [row for row in rows if not any(word in held_out for word in words(row))]
            counts[name] = len(kept)
            for row in kept:
                print(
                    row, *("1" if name == other else "" for other in names), sep="\t", file=handle
                )
    return counts


def write_few(path: Path, data: Path, target: str, seed: int) -> None:
    """Write 200 peaks of the 500 strongest of the target's training set, drawn by a seed."""
    strongest = read_seq(find_factors(data)[target][0])[:500]
    chosen = np.random.default_rng(seed).choice(len(strongest), _PEAKS, replace=False)
    lines = ["\t".join(strongest[i].values()) for i in sorted(chosen)]
    path.write_text("\n".join(["\t".join(strongest[0]), *lines]) + "\n")


def train(folder: Path, *options: object) -> float | None:
    """Run `seqcnn train`, unless it was run before; give the AUROC of the test set."""
    if not folder.exists():
        command = ["train", *options, "--resume", "--threads", 1, "-q", "-o", folder]
        main_command.main([str(word) for word in command], standalone_mode=False)
    test = json.loads((folder / "metrics.json").read_text())["test"]
    return test[next(iter(test))]["auroc"]["value"] if len(test) == 1 else None


def train_quickly(peaks: Path, test: Path, seed: int, base: Path | None) -> float:
    """Train on few peaks as the command does, from scratch or from a model; give the AUROC."""
    source = Source(seq=peaks)
    split, kind = prepare_split(source, validation=None, test=str(test), task_kind=None, seed=seed)
    config = ARCHITECTURES["motif"]()
    length = split.train.sequences.length
    spec = ModelSpec("motif", config, kind, split.train.tasks, length, config.strands)
    rate = ARCHITECTURES["motif"].learning_rate
    training = TrainingConfig(seed=seed, learning_rate=0.3 * rate if base else rate)
    starts = take_weights(read_model(base), spec) if base else ()
    device = torch.device("cpu")
    members, _ = train_members(split, spec, training, starts=starts, device=device, threads=1)
    logits = Engine(TrainedModel(spec, members), threads=1).predict(split.test.sequences.codes)
    return float(roc_auc_score(split.test.targets[:, 0], logits.logits[:, 0]))


def compare(given: argparse.Namespace) -> dict[str, list[float]]:
    """Train from scratch and fine-tuned: AUROC of each seed."""
    work, data, target = given.work, given.data, given.target
    table, base = work / "others.tsv", work / "pretrained"
    names = [name for name in find_factors(data) if name != target]
    many = ["--targets", ",".join(names), "--background", "dinucleotide", "--length", 101]
    train(base, "--table", table, *many, "--arch", "motif")
    model = base / "model.safetensors"
    ways: dict[str, list[object]] = {
        "scratch": ["--arch", "motif"],
        "fine-tuned": ["--init", model],
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    test = find_factors(data)[target][1]
    for way, options in ways.items():
        for seed in range(given.seeds):
            peaks, run = work / f"few-{seed}.seq", work / f"{way}-{seed}"
            write_few(peaks, data, target, seed)
            if given.quick:
                value = train_quickly(peaks, test, seed, model if way == "fine-tuned" else None)
            else:
                value = train(run, "--seq", peaks, "--test", test, "--seed", seed, *options)
            found[way].append(value or float("nan"))
            print(seed, way, value, flush=True)
    return found


def gain(found: dict[str, list[float]], way: str) -> dict[str, float]:
    """Give the mean gain over training from scratch, and its 95 % interval (Student's t)."""
    from scipy.stats import t

    gains = np.array(found[way]) - np.array(found["scratch"])
    half = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
    mean = float(gains.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--target", default="MYC")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(exist_ok=True)
    rows = write_others(given.work / "others.tsv", given.data, given.target)
    found = compare(given)
    gains = {way: gain(found, way) for way in found if way != "scratch"}
    result = {
        "target": given.target,
        "peaks": _PEAKS,
        "through": "the library" if given.quick else "the command",
        "pretrained on": rows,
        "auroc": found,
        "gain": gains,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(gains, indent=2))


if __name__ == "__main__":
    main()
