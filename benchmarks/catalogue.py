"""The benchmarks: what is prepared, who takes part, how much work, what is asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Benchmark, Peer, Sizes
from benchmarks.processes import THREADS

__all__ = ["BENCHMARKS"]

Prepare = Callable[[Path, bool], dict[str, Any]]

_BATCHES = (32, 64, 128, 256, 512)
_QUICK_BATCHES = (64,)
_BOTH = "both strands"

_DEEPBIND = {"detectors": 16, "width": 24}


def _batches(quick: bool, batches: tuple[int, ...] = _BATCHES) -> list[int]:
    return list(_QUICK_BATCHES if quick else batches)


def _same(run: int, trial: int) -> dict[str, Sizes]:
    return {"sizes": Sizes(run, trial), "quick": Sizes(trial, trial)}


# --- maps --------------------------------------------------------------------------------------


def _prepare_maps(
    architecture: str,
    values: dict[str, Any] | None = None,
    *,
    batches: tuple[int, ...] = _BATCHES,
) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        from benchmarks.data import draw_model, draw_sequences, write_models

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


def _maps(
    name: str,
    work: str,
    prepare: Prepare,
    *,
    sequences: tuple[int, int],
    mutants: tuple[int, int],
    aim: float,
) -> Benchmark:
    """Make a benchmark of maps: sequences for seqcnn, mutants for the peers (timed, tried)."""
    most, fewest = sequences
    return Benchmark(
        name,
        f"mutation maps, {work}, 1000 bp, {_BOTH}",
        "mutants",
        prepare,
        Peer("seqcnn", "benchmarks.sides.maps:Seqcnn", **_same(most, fewest)),
        (
            Peer(
                "tangermeme saturation_mutagenesis, its best setting",
                "benchmarks.sides.maps:Tangermeme",
                **_same(*mutants),
                environment="tangermeme",
                aim=aim,
            ),
            Peer("plain batches", "benchmarks.sides.maps:Plain", **_same(*mutants)),
        ),
        growth=(most // 4 or 1, (most // 4 or 1) * 4, (most // 4 or 1) * 16),
        quick_growth=(fewest, 4 * fewest),
        repeats=7 if most > 10 else 5,
    )


# --- prediction --------------------------------------------------------------------------------


def _prepare_predictions(architecture: str, length: int, values: dict[str, Any] | None) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        from benchmarks.data import draw_model, draw_sequences, write_models

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


def _predict(
    architecture: str,
    length: int,
    *,
    sequences: tuple[int, int],
    others: tuple[int, int],
    values: dict[str, Any] | None = None,
) -> Benchmark:
    side = "benchmarks.sides.predictions"
    return Benchmark(
        f"predict-{architecture}-{length}",
        f"predict, {architecture}, {length} bp, {_BOTH}",
        "sequences",
        _prepare_predictions(architecture, length, values),
        Peer("seqcnn", f"{side}:Seqcnn", **_same(*sequences)),
        (
            Peer("plain batches", f"{side}:Plain", **_same(*others)),
            Peer(
                "tangermeme predict, its best batch",
                f"{side}:Tangermeme",
                **_same(*others),
                environment="tangermeme",
            ),
            Peer(
                "limit: matrix product of the convolution's operations",
                "benchmarks.sides.limits:MatrixProduct",
                **_same(*others),
                compared=False,
            ),
        ),
    )


# --- scan --------------------------------------------------------------------------------------

_MB = 1_000_000


def _prepare_scan(folder: Path, quick: bool) -> dict[str, Any]:
    from benchmarks.data import draw_genome, draw_model, write_models

    codes = folder / "contig.npy"
    np.save(codes, draw_genome(5 * _MB, seed=31))
    model = draw_model("deepbind", length=101, seed=32, values=_DEEPBIND)
    return {
        **write_models(model, folder, "network"),
        "codes": str(codes),
        "length": 101,
        "threads": THREADS,
        "batches": _batches(quick, (128, 256, 512, 1024, 2048)),
        "flops": 2 * 2 * 4 * 24 * 16,
    }


_SCAN = Benchmark(
    "scan",
    f"scan, every 101-bp window of 5 Mb, deepbind 16 x 24, {_BOTH}",
    "windows",
    _prepare_scan,
    Peer("seqcnn", "benchmarks.sides.scan:Seqcnn", Sizes(5 * _MB, _MB // 4), Sizes(_MB, _MB // 4)),
    (
        Peer(
            "window by window, plain batches, the best size",
            "benchmarks.sides.scan:Plain",
            **_same(100_000, 20_000),
            aim=40,
        ),
        Peer(
            "limit: matrix product of one convolution's operations",
            "benchmarks.sides.limits:MatrixProduct",
            **_same(5 * _MB, _MB),
            compared=False,
        ),
    ),
    growth=(5 * _MB // 4, 5 * _MB, 20 * _MB),
    quick_growth=(_MB // 4, _MB),
)

# --- variants ----------------------------------------------------------------------------------

_SNVS = 20_000


def _prepare_variants(contigs: int, size: int, growth: tuple[int, ...]) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        from benchmarks.data import (
            draw_genome,
            draw_model,
            write_fasta,
            write_models,
            write_variants,
        )

        bases = size // 10 if quick else size
        genome = {f"chr{i + 1}": draw_genome(bases, seed=41 + i) for i in range(contigs)}
        fasta = str(write_fasta(folder / "genome.fa", genome))
        cases = {}
        for case, length in (("timed", 1000), ("checked", 1001)):
            model = draw_model("deepbind", length=length, seed=42, values=_DEEPBIND)
            cases[case] = {**write_models(model, folder, case), "fasta": fasta, "length": length}
        numbers = (500, 2000) if quick else (4000, _SNVS, *growth)
        paths = {
            number: str(
                write_variants(
                    folder / f"{number}.vcf", genome, number=number, margin=1000, seed=number
                )
            )
            for number in {300, *numbers}
        }
        cases["timed"]["variants"] = {str(number): paths[number] for number in numbers}
        cases["checked"]["variants"] = paths[300]
        batches = _batches(quick, (32, 64, 128, 256))
        return {**cases, "folder": str(folder), "threads": THREADS, "batches": batches}

    return prepare


def _variant_peer(label: str, side: str, aim: float | None = None, environment: str = "") -> Peer:
    return Peer(
        label,
        f"benchmarks.sides.variants:{side}",
        Sizes(_SNVS, 4000),
        Sizes(2000, 500),
        environment=environment,
        aim=aim,
    )


_SPARSE_GROWTH = (10_000, 40_000, 160_000)
_DENSE_GROWTH = (20_000, 80_000, 320_000)

_VARIANTS = (
    Benchmark(
        "variants-sparse",
        f"score-variants, the whole process, 20,000 SNVs in 50 Mb, 1000-bp windows, {_BOTH}",
        "variants",
        _prepare_variants(5, 10 * _MB, _SPARSE_GROWTH),
        _variant_peer("seqcnn", "Seqcnn"),
        (
            _variant_peer("a script, record by record", "Naive", aim=6),
            _variant_peer(
                "selene-sdk, its best batch (prints three digits)",
                "Selene",
                aim=4,
                environment="selene",
            ),
            _variant_peer("a script, plain batches", "Batched"),
        ),
        growth=_SPARSE_GROWTH,
        repeats=5,
    ),
    Benchmark(
        "variants-dense",
        f"score-variants, the whole process, 20,000 SNVs in 1 Mb, 1000-bp windows, {_BOTH}",
        "variants",
        _prepare_variants(1, _MB, _DENSE_GROWTH),
        _variant_peer("seqcnn", "Seqcnn"),
        (_variant_peer("a script, plain batches", "Batched", aim=8),),
        growth=_DENSE_GROWTH,
    ),
)

# --- windows -----------------------------------------------------------------------------------


def _prepare_windows(folder: Path, quick: bool) -> dict[str, Any]:
    from benchmarks.data import draw_genome, write_fasta

    size, length = (_MB if quick else 10 * _MB), 1000
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


def _windows(name: str, work: str, side: str) -> Benchmark:
    reader = "benchmarks.sides.windows"
    return Benchmark(
        name,
        f"random 1000-bp windows of a bgzipped FASTA of 50 Mb, {work}",
        "windows",
        _prepare_windows,
        Peer("seqcnn", f"{reader}:{side}", Sizes(100_000, 10_000), Sizes(20_000, 10_000)),
        (
            Peer(
                "pysam fetch",
                f"{reader}:Pysam",
                **_same(2000, 200),
                environment="readers",
                aim=10,
            ),
            Peer("pyfaidx", f"{reader}:Pyfaidx", **_same(1000, 100), environment="readers"),
            Peer(
                "pysam fetch of a plain FASTA",
                f"{reader}:PysamPlain",
                **_same(20_000, 2000),
                environment="readers",
            ),
            Peer(
                "limit: memory copy of the windows, one thread",
                "benchmarks.sides.limits:MemoryCopy",
                **_same(200_000, 100_000),
                compared=False,
            ),
        ),
    )


# --- training ----------------------------------------------------------------------------------

_STEPS = 200


def _prepare_training(strands: str, *, networks: int = 1) -> Prepare:
    def prepare(folder: Path, quick: bool) -> dict[str, Any]:
        from benchmarks.data import draw_sequences
        from benchmarks.sides.training import CHECKED_STEPS, make_jobs
        from seqcnn.training.batches import Feed
        from seqcnn.training.learner import Seeded, copy_weights

        paths = {name: folder / f"{name}.npy" for name in ("codes", "targets")}
        np.save(paths["codes"], draw_sequences(20_000, 101, seed=61))
        labels = np.random.default_rng(62).integers(0, 2, 20_000).astype(np.float32)
        np.save(paths["targets"], labels)
        data = {
            **{name: str(path) for name, path in paths.items()},
            "values": _DEEPBIND,
            "strands": strands,
            "batches": 63,
            "networks": networks,
            "steps": _STEPS // 4 if quick else _STEPS,
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


def _training(name: str, strands: str) -> Benchmark:
    side = "benchmarks.sides.training"
    work = "single strand" if strands == "single" else _BOTH
    return Benchmark(
        name,
        f"training, deepbind 16 x 24, 101 bp, batch 64, {work}",
        "sequences",
        _prepare_training(strands),
        Peer("seqcnn", f"{side}:Seqcnn", **_same(64_000, 6400)),
        (
            Peer(
                "tight loop, float tensors in memory, Adam",
                f"{side}:Plain",
                **_same(32_000, 3200),
                aim=1.3,
            ),
            Peer(
                "the same with all that seqcnn does: fused AdamW, one cycle, clipping",
                f"{side}:PlainSame",
                **_same(32_000, 3200),
            ),
            Peer(
                "limit: matrix product of the convolution's operations, forward and back",
                "benchmarks.sides.limits:MatrixProduct",
                **_same(64_000, 6400),
                compared=False,
            ),
        ),
        growth=(32_000, 128_000, 512_000),
        quick_growth=(6400, 25_600),
    )


def _candidates() -> Benchmark:
    side = "benchmarks.sides.training"
    networks = 30
    return Benchmark(
        "candidates",
        f"{networks} candidates trained at once, deepbind 16 x 24, 101 bp, {_STEPS} steps of 64,"
        f" {_BOTH}",
        "models",
        _prepare_training("max", networks=networks),
        Peer("seqcnn", f"{side}:Together", **_same(networks, networks)),
        (
            Peer("one after the other, same loop", f"{side}:OneByOne", **_same(6, 1), aim=2.7),
            Peer("one after the other, tight loop", f"{side}:PlainOneByOne", **_same(3, 1)),
        ),
        repeats=5,
        per="h",
    )


# --- all ---------------------------------------------------------------------------------------

BENCHMARKS: tuple[Benchmark, ...] = (
    _maps(
        "maps-deepbind",
        "deepbind 16 x 24, 200 sequences",
        _prepare_maps("deepbind", _DEEPBIND),
        sequences=(200, 10),
        mutants=(15_000, 1500),
        aim=60,
    ),
    _maps(
        "maps-motif",
        "motif, as it is by default",
        _prepare_maps("motif", batches=(16, 32, 64, 128)),
        sequences=(40, 2),
        mutants=(3000, 300),
        aim=30,
    ),
    _maps(
        "maps-alexnet",
        "alexnet",
        _prepare_maps("alexnet", batches=(32, 64, 128)),
        sequences=(2, 1),
        mutants=(900, 300),
        aim=5,
    ),
    _maps(
        "maps-resnet",
        "resnet, dilated",
        _prepare_maps("resnet", batches=(32, 64, 128)),
        sequences=(1, 1),
        mutants=(600, 300),
        aim=3,
    ),
    _SCAN,
    *_VARIANTS,
    _candidates(),
    _training("training", "max"),
    _training("training-single", "single"),
    _windows("windows", "loading counted, 100,000 windows", "Seqcnn"),
    _windows("windows-loaded", "contigs in memory already", "SeqcnnLoaded"),
    _predict("deepbind", 101, sequences=(100_000, 10_000), others=(20_000, 5000), values=_DEEPBIND),
    _predict("deepbind", 1000, sequences=(20_000, 2000), others=(4000, 1000), values=_DEEPBIND),
    _predict("motif", 101, sequences=(20_000, 2000), others=(4000, 1000)),
    _predict("motif", 1000, sequences=(2000, 200), others=(500, 128)),
)
"""In the order of the table."""
