"""Models as the published DeepBind's of ChIP-seq, and sequences for them.

The published parameters are taken where the environment variable SEQCNN_DATA names a folder with
their archive; without it, invented ones of the same shapes, which are as much work.
"""

import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import draw_sequences
from benchmarks.processes import THREADS

__all__ = ["MODELS", "SEQUENCES", "prepare_originals"]

SEQUENCES = 10_000
_LENGTH = 101
_DETECTORS = 16
_ARCHIVE = "deepbind_v0.11_db_all927.tar.xz"

# Width and hidden units of the 137 models of ChIP-seq, and how many have them.
_SHAPES = {(24, 0): 87, (24, 32): 44, (36, 0): 4, (36, 32): 2}
MODELS = sum(_SHAPES.values())


def prepare_originals(folder: Path, quick: bool) -> dict[str, Any]:
    """Find parameter files, import them one by one and all together, and write a FASTA."""
    from seqcnn.deepbind import ScoringRule, import_models
    from seqcnn.modelfile import write_model

    count = SEQUENCES // 10 if quick else SEQUENCES
    archive = Path(os.environ.get("SEQCNN_DATA", ""), _ARCHIVE)
    is_published = archive.is_file()
    paths = _unpack(archive, folder) if is_published else _invent(folder)
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
        "note": "published parameters" if is_published else "invented parameters",
    }


def _unpack(archive: Path, folder: Path) -> list[Path]:
    """Give the parameter files of ChIP-seq."""
    from seqcnn.deepbind import find_parameter_files, read_index

    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    index = read_index(next(folder.glob("**/db.tsv")))
    paths = find_parameter_files([next(folder.glob("**/params")).parent])
    return [path for path in paths if index[path.stem]["experiment"] == "ChIP-seq"]


def _invent(folder: Path) -> list[Path]:
    rng = np.random.default_rng(51)
    shapes = [shape for shape, number in _SHAPES.items() for _ in range(number)]
    rng.shuffle(shapes)
    paths = [folder / f"D{number:05d}.001.txt" for number in range(MODELS)]
    for path, (width, hidden) in zip(paths, shapes, strict=True):
        path.write_text(_draw_parameters(rng, width, hidden), encoding="utf-8")
    return paths


def _draw_parameters(rng: np.random.Generator, width: int, hidden: int) -> str:
    """Draw a model that is work as the published ones are.

    Of those, 16 of 100 detectors (27 where units are hidden) are zeros. The others have a standard
    deviation of 0.15 over their columns, which are strongest in the middle, and columns of a mean
    a little below 0, and thresholds of about that deviation times the square root of the width.
    It comes out as it is there: of the detectors that can fire at all, half (hidden units: two
    thirds) do in a sequence of 101 bases, in 3 (4) of 10 windows (there: 2 and 4); and they reach
    past a window's ends by 14 columns (there: 16; of a model alone, 19 at most, as there).
    """
    size = rng.normal(0.15, 0.06, _DETECTORS).clip(min=0.05)
    size *= rng.random(_DETECTORS) > (0.27 if hidden else 0.16)
    middle = np.exp(-(((np.arange(width) - (width - 1) / 2) / (0.45 * width)) ** 2))
    columns = rng.gamma(1.0, 1.0, (width, 1, _DETECTORS)) ** 0.75
    columns = columns * (middle / np.sqrt((middle**2).mean()))[:, None, None]
    bases = columns * rng.normal(0, 1, (width, 4, _DETECTORS))
    limits = rng.uniform(0.3, 1.3, _DETECTORS) if hidden else rng.uniform(0.7, 1.5, _DETECTORS)
    weights, biases = ((0.05, 0.14), (-0.07, 0.18)) if hidden else ((0.9, 0.6), (-3.2, 1.3))
    arrays = {
        "detectors": (size * (bases - rng.normal(0.25, 0.12, _DETECTORS))).ravel(),
        "thresholds": -size * np.sqrt(width) * limits,
        "weights1": rng.normal(*weights, _DETECTORS * max(1, hidden)),
        "biases1": rng.normal(*biases, max(1, hidden)),
        "weights2": rng.normal(0.2, 0.4, hidden),
        "biases2": rng.normal(-2.3, 0.9, min(1, hidden)),
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
