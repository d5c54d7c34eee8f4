"""The benchmarks: what is prepared, who takes part, how much work, what is asked for."""

from typing import Any

from benchmarks.measuring import Benchmark, Peer, Sizes
from benchmarks.originals import MODELS, prepare_originals
from benchmarks.preparations import (
    DEEPBIND,
    MB,
    SNVS,
    STEPS,
    TRIAL_SNVS,
    Prepare,
    prepare_maps,
    prepare_predictions,
    prepare_scan,
    prepare_training,
    prepare_variants,
    prepare_windows,
)

__all__ = ["BENCHMARKS"]

_BOTH = "both strands"


def _same(run: int, trial: int) -> dict[str, Sizes]:
    return {"sizes": Sizes(run, trial), "quick": Sizes(trial, trial)}


# --- maps --------------------------------------------------------------------------------------


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
        growth_repeats=3 if most > 10 else 1,
        smoke=name == "maps-deepbind",
    )


# --- prediction --------------------------------------------------------------------------------


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
        prepare_predictions(architecture, length, values),
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
                "limit: matrix product of the same operations",
                "benchmarks.sides.limits:MatrixProduct",
                **_same(*others),
                compared=False,
            ),
        ),
    )


# --- scan --------------------------------------------------------------------------------------

_SCAN = Benchmark(
    "scan",
    f"scan, every 101-bp window of 5 Mb, deepbind 16 x 24, {_BOTH}",
    "windows",
    prepare_scan,
    Peer("seqcnn", "benchmarks.sides.scan:Seqcnn", Sizes(5 * MB, MB // 4), Sizes(MB, MB // 4)),
    (
        Peer(
            "window by window, plain batches, the best size",
            "benchmarks.sides.scan:Plain",
            **_same(100_000, 20_000),
            aim=40,
        ),
        Peer(
            "limit: matrix product of the same operations",
            "benchmarks.sides.limits:MatrixProduct",
            **_same(5 * MB, MB),
            compared=False,
        ),
    ),
    growth=(5 * MB // 4, 5 * MB, 20 * MB),
    quick_growth=(MB // 4, MB),
    smoke=True,
)

# --- variants ----------------------------------------------------------------------------------


def _variant_peer(label: str, side: str, aim: float | None = None, environment: str = "") -> Peer:
    return Peer(
        label,
        f"benchmarks.sides.variants:{side}",
        Sizes(SNVS, TRIAL_SNVS),
        Sizes(2000, 500),
        environment=environment,
        aim=aim,
    )


_GROWTH = (10_000, 40_000, 160_000)
_MILLION = 1_000_000


def _million(name: str, span: str, *, contigs: int, size: int) -> Benchmark:
    """Make a benchmark of a file of a million variants; scripts get a few thousand of them."""
    return Benchmark(
        f"variants-million-{name}",
        f"score-variants, the whole process, a million SNVs in {span}, 101-bp windows, {_BOTH}",
        "variants",
        prepare_variants(contigs, size, (SNVS, _MILLION), length=101),
        Peer(
            "seqcnn",
            "benchmarks.sides.variants:Seqcnn",
            Sizes(_MILLION, TRIAL_SNVS),
            Sizes(2000, 500),
        ),
        (
            _variant_peer("a script, record by record", "Naive"),
            _variant_peer("a script, plain batches", "Batched"),
        ),
        repeats=3,
    )


_VARIANTS = (
    Benchmark(
        "variants-sparse",
        f"score-variants, the whole process, 20,000 SNVs in 50 Mb, 1000-bp windows, {_BOTH}",
        "variants",
        prepare_variants(5, 10 * MB, (SNVS, *_GROWTH)),
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
        growth=_GROWTH,
        repeats=3,
        growth_repeats=2,
        smoke=True,
    ),
    Benchmark(
        "variants-dense",
        f"score-variants, the whole process, 20,000 SNVs in 1 Mb, 1000-bp windows, {_BOTH}",
        "variants",
        prepare_variants(1, MB, (SNVS, *_GROWTH)),
        _variant_peer("seqcnn", "Seqcnn"),
        (_variant_peer("a script, plain batches", "Batched", aim=8),),
        growth=_GROWTH,
        growth_repeats=2,
    ),
    _million("sparse", "50 Mb", contigs=5, size=10 * MB),
    _million("dense", "2 Mb", contigs=1, size=2 * MB),
)

# --- windows -----------------------------------------------------------------------------------


def _windows(name: str, work: str, side: str) -> Benchmark:
    reader = "benchmarks.sides.windows"
    return Benchmark(
        name,
        f"random 1000-bp windows of a bgzipped FASTA of 50 Mb, {work}",
        "windows",
        prepare_windows,
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
        smoke=name == "windows",
    )


# --- training ----------------------------------------------------------------------------------


def _training(name: str, strands: str) -> Benchmark:
    side = "benchmarks.sides.training"
    work = "single strand" if strands == "single" else _BOTH
    return Benchmark(
        name,
        f"training, deepbind 16 x 24, 101 bp, batch 64, {work}",
        "sequences",
        prepare_training(strands),
        Peer("seqcnn", f"{side}:Seqcnn", **_same(64_000, 6400)),
        (
            Peer(
                "tight loop, float tensors in memory, Adam",
                f"{side}:Plain",
                **_same(32_000, 3200),
                aim=1.3,
            ),
            Peer(
                "the same with fused AdamW, one cycle, clipping as in seqcnn",
                f"{side}:PlainSame",
                **_same(32_000, 3200),
            ),
            Peer(
                "limit: matrix product of the same operations",
                "benchmarks.sides.limits:MatrixProduct",
                **_same(64_000, 6400),
                compared=False,
            ),
        ),
        growth=(32_000, 128_000, 512_000),
        quick_growth=(6400, 25_600),
        smoke=name == "training",
    )


def _candidates() -> Benchmark:
    side = "benchmarks.sides.training"
    networks = 30
    return Benchmark(
        "candidates",
        f"{networks} candidates trained at once, deepbind 16 x 24, 101 bp, {STEPS} steps of 64,"
        f" {_BOTH}",
        "models",
        prepare_training("max", networks=networks),
        Peer("seqcnn", f"{side}:Together", **_same(networks, networks)),
        (
            Peer("one after the other, same loop", f"{side}:OneByOne", **_same(6, 1), aim=2.7),
            Peer("one after the other, tight loop", f"{side}:PlainOneByOne", **_same(3, 1)),
        ),
        per="h",
    )


def _originals(name: str, how: str, subject: str, peer: Peer) -> Benchmark:
    side = "benchmarks.sides.originals"
    return Benchmark(
        name,
        f"{MODELS} imported models of DeepBind's ChIP-seq shapes, 10,000 x 101 bp, {how}",
        "model-sequences",
        prepare_originals,
        Peer("seqcnn, all models as one", f"{side}:{subject}", **_same(MODELS, MODELS)),
        (peer,),
    )


_ORIGINALS = (
    _originals(
        "originals",
        "the whole process",
        "Process",
        Peer(
            "a command for each model",
            "benchmarks.sides.originals:Commands",
            **_same(12, 2),
            aim=10,
        ),
    ),
    _originals(
        "originals-process",
        "in one process",
        "Together",
        Peer(
            "one model after the other",
            "benchmarks.sides.originals:OneByOne",
            **_same(MODELS, 2),
            aim=2,
        ),
    ),
)

# --- all ---------------------------------------------------------------------------------------

BENCHMARKS: tuple[Benchmark, ...] = (
    _maps(
        "maps-deepbind",
        "deepbind 16 x 24, 200 sequences",
        prepare_maps("deepbind", DEEPBIND),
        sequences=(200, 10),
        mutants=(15_000, 1500),
        aim=60,
    ),
    _maps(
        "maps-motif",
        "motif, as it is by default",
        prepare_maps("motif", batches=(16, 32, 64, 128)),
        sequences=(40, 2),
        mutants=(1500, 300),
        aim=30,
    ),
    _maps(
        "maps-alexnet",
        "alexnet",
        prepare_maps("alexnet", {"preset": "basset"}, batches=(32, 64, 128)),
        sequences=(2, 1),
        mutants=(900, 300),
        aim=5,
    ),
    _maps(
        "maps-resnet",
        "resnet, dilated",
        prepare_maps("resnet", {"first": "relu"}, batches=(32, 64, 128)),
        sequences=(4, 1),
        mutants=(600, 300),
        aim=3,
    ),
    _SCAN,
    *_VARIANTS,
    *_ORIGINALS,
    _candidates(),
    _training("training", "max"),
    _training("training-single", "single"),
    _windows("windows", "loading counted, 100,000 windows", "Seqcnn"),
    _windows("windows-loaded", "contigs in memory already", "SeqcnnLoaded"),
    _predict("deepbind", 101, sequences=(100_000, 10_000), others=(20_000, 5000), values=DEEPBIND),
    _predict("deepbind", 1000, sequences=(20_000, 2000), others=(4000, 1000), values=DEEPBIND),
    _predict("motif", 101, sequences=(20_000, 2000), others=(4000, 1000)),
    _predict("motif", 1000, sequences=(2000, 200), others=(500, 128)),
)
"""In the order of the table."""
