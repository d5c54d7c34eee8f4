"""``python -m benchmarks.profiles --data DIR``: whether a network says where a site is.

A network with an output for each base is trained by the public command on windows in which the
bases of sites are labelled, and tested on others. *Planted*: sites drawn from GABPA's matrix
(JASPAR) stand in half of random sequences, at places that are known. *Real*: GABPA's peaks and
their dinucleotide shuffles (DeepBind's split: 2,000 of AC, all of B), in which the best hit of
the matrix is labelled where hardly any shuffle has as good a one. Results lie in
results/profiles.json, and as a table in results/profiles.md.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.sets import read_labelled
from benchmarks.machine import describe_machine
from seqcnn.dna import decode, encode
from seqcnn.motifs import Motif, find_best_hit, read_meme
from seqcnn.negatives import shuffle_dinucleotides

__all__ = ["main"]

_HERE = Path(__file__).parent
_MATRIX = "GABPA"
_LENGTH = 101
_TRAIN, _TEST = 2000, 1000
_RARE = 0.05
"""Share of shuffles whose best hit is good enough to be taken for a site."""

FAMILIES = ("unet", "fcn")


@dataclass(frozen=True)
class Sites:
    """Sequences, and in each the bases (start, end) of its site, if it has one."""

    letters: list[str]
    sites: list[tuple[int, int] | None]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profiles", description="Find sites base by base."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with encode_chipseq/")
    parser.add_argument("--results", type=Path, default=_HERE / "results")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": describe_machine(options.threads)}
    for name, sides in prepare(options.data).items():
        for family in FAMILIES:
            work = _HERE / ".work" / "profiles" / f"{name}-{family}"
            work.mkdir(parents=True, exist_ok=True)
            found[f"{name}, {family}"] = measure(family, sides, work, threads=options.threads)
    path = options.results / "profiles.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = tabulate(found)
    path.with_suffix(".md").write_text(table, encoding="utf-8")
    print(table)


# --- data ----------------------------------------------------------------------------------------


def prepare(data: Path) -> dict[str, tuple[Sites, Sites]]:
    """Make training and test data of both kinds."""
    (motif,) = (
        each
        for each in read_meme(data / "motifs" / "JASPAR2024_CORE_vertebrates_nr.meme")
        if each.alternate.endswith(_MATRIX)
    )
    rng = np.random.default_rng(0)
    planted = plant(motif, _TRAIN, rng), plant(motif, _TEST, rng)
    (peaks,) = (data / "encode_chipseq").glob(f"{_MATRIX}_*_AC.seq.gz")
    positives = read_labelled(peaks)[0][:_TRAIN]
    shuffled = shuffle_dinucleotides(np.stack([encode(row) for row in positives]), rng=rng)
    training = [*positives, *(decode(row) for row in shuffled)]
    hits = [best_hit(row, motif) for row in training]
    lowest = float(np.quantile([bits for bits, _ in hits[len(positives) :]], 1 - _RARE))
    test = read_labelled(peaks.with_name(peaks.name.replace("_AC.", "_B.")))[0]
    real = mark(training, motif, lowest), mark(test, motif, lowest)
    return {"planted": planted, "real": real}


def plant(motif: Motif, count: int, rng: np.random.Generator) -> Sites:
    """Draw random sequences; every other one holds a site, on either strand."""
    chances = (motif.pfm / motif.pfm.sum(axis=0)).T  # (width, 4)
    letters, sites = [], []
    for number in range(count):
        codes = rng.integers(0, 4, _LENGTH)
        place = None
        if number % 2:
            site = np.array([rng.choice(4, p=row) for row in chances])
            start = int(rng.integers(0, _LENGTH - len(site) + 1))
            codes[start : start + len(site)] = site if rng.random() < 0.5 else 3 - site[::-1]
            place = (start, start + len(site))
        letters.append(decode(codes.astype(np.uint8)))
        sites.append(place)
    return Sites(letters, sites)


def best_hit(letters: str, motif: Motif) -> tuple[float, int]:
    """Give the bits and the start of the best hit on either strand."""
    hit = find_best_hit(encode(letters), [motif])
    assert hit is not None
    return hit.bits, hit.start


def mark(letters: Iterable[str], motif: Motif, lowest: float) -> Sites:
    """Take the best hit of a sequence as its site, if it is good enough."""
    rows = list(letters)
    width = motif.pfm.shape[1]
    hits = (best_hit(row, motif) for row in rows)
    sites = [(start, start + width) if bits > lowest else None for bits, start in hits]
    return Sites(rows, sites)


# --- measuring -----------------------------------------------------------------------------------


def measure(family: str, sides: tuple[Sites, Sites], work: Path, *, threads: int) -> dict[str, Any]:
    """Train by the public command; measure base by base, and how often the best base is right."""
    write_sides(sides, work)
    command = ["seqcnn", "train", "--arch", family, "--fasta", str(work / "all.fa")]
    command += ["--table", str(work / "train.tsv"), "--test", str(work / "test.tsv")]
    command += ["--profile", f"site={work / 'sites.bed'}", "--threads", str(threads)]
    run = work / "run"
    command += ["--length", str(_LENGTH), "--device", "cpu", "--force", "-q", "-o", str(run)]
    subprocess.run([sys.executable, "-m", *command], check=True)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    task = metrics["test"]["site"]
    right = list(where_highest(run / "predictions.test.tsv.gz", sides[1]))
    return {
        "auroc": task["auroc"],
        "auprc": task["auprc"],
        "bases": task["n"],
        "sequences_with_a_site": len(right),
        "highest_base_in_the_site": round(float(np.mean(right)), 4),
        "seconds": round(float(metrics["seconds"]), 1),
    }


def write_sides(sides: tuple[Sites, Sites], work: Path) -> None:
    """Write each sequence as a contig, the windows of both sides, and the sites."""
    fasta, bed = [], []
    for name, side in zip(("train", "test"), sides, strict=True):
        loci = ["contig\tstart\tend"]
        for number, (letters, site) in enumerate(zip(side.letters, side.sites, strict=True)):
            contig = f"{name}{number}"
            fasta.append(f">{contig}\n{letters}")
            loci.append(f"{contig}\t0\t{len(letters)}")
            if site:
                bed.append(f"{contig}\t{site[0]}\t{site[1]}")
        (work / f"{name}.tsv").write_text("\n".join(loci) + "\n", encoding="ascii")
    (work / "all.fa").write_text("\n".join(fasta) + "\n", encoding="ascii")
    (work / "sites.bed").write_text("\n".join(bed) + "\n", encoding="ascii")
    (work / "all.fa.fai").unlink(missing_ok=True)


def where_highest(predictions: Path, test: Sites) -> Iterator[bool]:
    """Tell for each sequence with a site whether its base with the highest logit lies in it."""
    logits: dict[str, list[float]] = defaultdict(list)
    with gzip.open(predictions, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            logits[row["contig"]].append(float(row["logit"]))
    for number, site in enumerate(test.sites):
        if site:
            yield site[0] <= int(np.argmax(logits[f"test{number}"])) < site[1]


def tabulate(found: dict[str, Any]) -> str:
    """Write the results as a Markdown table."""
    rows = [["sites, family", "AUROC of bases", "AUPRC", "highest base in the site", "seconds"]]
    rows.append(["---"] * len(rows[0]))
    for name, row in found.items():
        if name == "machine":
            continue
        values = row["auroc"], row["auprc"]
        cells = [f"{v['value']:.3f} ({v['low']:.3f}-{v['high']:.3f})" for v in values]
        share = f"{row['highest_base_in_the_site']:.1%} of {row['sequences_with_a_site']}"
        rows.append([name, *cells, share, f"{row['seconds']:.0f}"])
    where = ", ".join(f"{key}: {value}" for key, value in found["machine"].items())
    return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + ["", where, ""])


if __name__ == "__main__":
    main()
