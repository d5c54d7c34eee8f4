"""Models of the published DeepBind's shapes, with invented parameters, and sequences for them."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import draw_sequences
from benchmarks.processes import THREADS

__all__ = ["MODELS", "SEQUENCES", "prepare_originals"]

SEQUENCES = 10_000
_LENGTH = 101
_DETECTORS = 16

# Width and hidden units of the 137 models of ChIP-seq, and how many have them.
_SHAPES = {(24, 0): 87, (24, 32): 44, (36, 0): 4, (36, 32): 2}
MODELS = sum(_SHAPES.values())


def prepare_originals(folder: Path, quick: bool) -> dict[str, Any]:
    """Write parameter files, import them one by one and all together, and write a FASTA."""
    from seqcnn.deepbind import ScoringRule, import_models
    from seqcnn.modelfile import write_model

    count = SEQUENCES // 10 if quick else SEQUENCES
    rng = np.random.default_rng(51)
    shapes = [shape for shape, number in _SHAPES.items() for _ in range(number)]
    rng.shuffle(shapes)
    paths = [folder / f"D{number:05d}.001.txt" for number in range(MODELS)]
    for path, (width, hidden) in zip(paths, shapes, strict=True):
        path.write_text(_draw_parameters(rng, width, hidden), encoding="utf-8")
    models = [folder / f"{path.stem}.safetensors" for path in paths]
    for path, model in zip(paths, models, strict=True):
        write_model(import_models([path], ScoringRule()), model)
    write_model(import_models(paths, ScoringRule()), folder / "all.safetensors")
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[draw_sequences(count, _LENGTH, seed=52)]
    fasta = folder / "sequences.fa"
    records = (f">s{i}\n{row.tobytes().decode()}\n" for i, row in enumerate(letters))
    fasta.write_text("".join(records), encoding="utf-8")
    return {
        "models": [str(model) for model in models],
        "all": str(folder / "all.safetensors"),
        "fasta": str(fasta),
        "folder": str(folder),
        "sequences": count,
        "threads": THREADS,
    }


def _draw_parameters(rng: np.random.Generator, width: int, hidden: int) -> str:
    arrays = {
        "detectors": rng.normal(0, 0.3, _DETECTORS * width * 4),
        "thresholds": rng.normal(-0.5, 0.3, _DETECTORS),
        "weights1": rng.normal(0, 0.3, _DETECTORS * max(1, hidden)),
        "biases1": rng.normal(0, 0.3, max(1, hidden)),
        "weights2": rng.normal(0, 0.3, hidden),
        "biases2": rng.normal(0, 0.3, min(1, hidden)),
    }
    counts = {
        "reverse_complement": 1,
        "num_detectors": _DETECTORS,
        "detector_len": width,
        "has_avg_pooling": 0,
        "num_hidden": hidden,
    }
    lines = [f"{key} = {value}" for key, value in counts.items()]
    lines += [f"{key} = {','.join(f'{v:.9e}' for v in values)}" for key, values in arrays.items()]
    return "\n".join(["# deepbind 0.1", *lines, ""])
