"""What each benchmark works on: data and models in a folder, and where they lie.

A preparation takes the folder, and whether the run is a ``--quick`` one; it gives what the sides
are made from.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import (
    draw_genome,
    draw_model,
    draw_sequences,
    write_fasta,
    write_models,
    write_variants,
)
from benchmarks.processes import THREADS

__all__ = [
    "DEEPBIND",
    "MB",
    "SNVS",
    "STEPS",
    "TRIAL_SNVS",
    "Prepare",
    "prepare_maps",
    "prepare_predictions",
    "prepare_scan",
    "prepare_training",
    "prepare_variants",
    "prepare_windows",
]

Prepare = Callable[[Path, bool], dict[str, Any]]

DEEPBIND = {"detectors": 16, "width": 24}
MB = 1_000_000
SNVS = 20_000
"""Variants of a timed file."""

TRIAL_SNVS = 2000
"""Variants of a file that settings are tried on."""

STEPS = 200
"""Steps of a candidate's training."""

BATCHES = (32, 64, 128, 256, 512)
_QUICK_BATCHES = (64,)


def _batches(quick: bool, batches: tuple[int, ...]) -> list[int]:
    return list(_QUICK_BATCHES if quick else batches)


def prepare_maps(
    architecture: str,
    values: dict[str, Any] | None = None,
    *,
    batches: tuple[int, ...] = BATCHES,
) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        length = 1000
        codes = folder / "codes.npy"
        np.save(codes, draw_sequences(200, length, seed=11))
        model = draw_model(architecture, length=length, seed=12, values=values)
        return {
            **write_models(model, folder, "network"),
            "codes": str(codes),
            "threads": THREADS,
            "batches": _batches(quick, batches),
            "checked": [[0, 15], [490, 505], [length - 15, length]],
        }

    return prepare


def prepare_predictions(architecture: str, length: int, values: dict[str, Any] | None) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        codes = folder / "codes.npy"
        np.save(codes, draw_sequences(20_000, length, seed=21))
        model = draw_model(architecture, length=length, seed=22, values=values)
        config = model.spec.config
        positions = length + config.width if architecture == "deepbind" else length
        return {
            **write_models(model, folder, "network"),
            "codes": str(codes),
            "threads": THREADS,
            "batches": _batches(quick, (32, 64, 128, 256, 512, 1024)),
            "flops": 2 * 2 * 4 * config.width * config.detectors * positions,
        }

    return prepare


def prepare_scan(folder: Path, quick: bool) -> dict[str, Any]:
    codes = folder / "contig.npy"
    np.save(codes, draw_genome(5 * MB, seed=31))
    model = draw_model("deepbind", length=101, seed=32, values=DEEPBIND)
    return {
        **write_models(model, folder, "network"),
        "codes": str(codes),
        "length": 101,
        "threads": THREADS,
        "batches": _batches(quick, (128, 256, 512, 1024, 2048)),
        "flops": 2 * 2 * 4 * 24 * 16,
    }


def prepare_variants(
    contigs: int, size: int, numbers: tuple[int, ...], *, length: int = 1000
) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        span = size // 10 if quick else size
        genome = {f"chr{i + 1}": draw_genome(span, seed=41 + i) for i in range(contigs)}
        fasta = str(write_fasta(folder / "genome.fa", genome))
        cases = {}
        for case, bases in (("timed", length), ("checked", length // 2 * 2 + 1)):
            model = draw_model("deepbind", length=bases, seed=42, values=DEEPBIND)
            cases[case] = {**write_models(model, folder, case), "fasta": fasta, "length": bases}
        sizes = (500, 2000) if quick else (TRIAL_SNVS, *numbers)
        paths = {
            number: str(
                write_variants(
                    folder / f"{number}.vcf", genome, number=number, margin=1000, seed=number
                )
            )
            for number in {300, *sizes}
        }
        cases["timed"]["variants"] = {str(number): paths[number] for number in sizes}
        cases["checked"]["variants"] = paths[300]
        batches = _batches(quick, (32, 64, 128, 256))
        return {**cases, "folder": str(folder), "threads": THREADS, "batches": batches}

    return prepare


def prepare_windows(folder: Path, quick: bool) -> dict[str, Any]:
    size, length = (MB if quick else 10 * MB), 1000
    genome = {f"chr{i + 1}": draw_genome(size, seed=51 + i) for i in range(5)}
    rng = np.random.default_rng(52)
    contigs = rng.integers(0, len(genome), 200_000)
    places = folder / "places.npy"
    np.save(places, np.stack([contigs, rng.integers(0, size - length, len(contigs))]))
    return {
        "fasta": str(write_fasta(folder / "genome.fa.gz", genome, bgzip=True)),
        "plain": str(write_fasta(folder / "genome.fa", genome)),
        "contigs": list(genome),
        "places": str(places),
        "length": length,
        "bytes": length,
    }


def prepare_training(strands: str, *, networks: int = 1) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        from benchmarks.sides.training import CHECKED_STEPS, make_jobs
        from seqcnn.training.batches import Feed
        from seqcnn.training.learner import Seeded, copy_weights

        paths = {name: folder / f"{name}.npy" for name in ("codes", "targets")}
        np.save(paths["codes"], draw_sequences(20_000, 101, seed=61))
        labels = np.random.default_rng(62).integers(0, 2, 20_000).astype(np.float32)
        np.save(paths["targets"], labels)
        data = {
            **{name: str(path) for name, path in paths.items()},
            "values": DEEPBIND,
            "strands": strands,
            "batches": 63,
            "networks": networks,
            "steps": STEPS // 4 if quick else STEPS,
            "threads": THREADS,
            "start": str(folder / "start.npz"),
            "flops": (1 if strands == "single" else 2) * 2 * 2 * 4 * 24 * 16 * (101 + 23),
        }
        # Weights and batches that the plain loops begin with, when they are compared.
        jobs = make_jobs(data, networks=networks, steps=CHECKED_STEPS)
        start = {}
        for number, job in enumerate(jobs):
            rng = np.random.default_rng([job.config.seed, 4, job.member])
            weights = copy_weights(Seeded.draw(job, rng).network)
            start |= {f"{number}.{name}": value for name, value in weights.items()}
        feed = Feed(jobs[0].split, jobs[0].spec, batch_size=64, rng=np.random.default_rng([63, 6]))
        codes, targets = feed.take(CHECKED_STEPS)
        np.savez(data["start"], codes=codes, targets=targets, **start)
        return data

    return prepare
