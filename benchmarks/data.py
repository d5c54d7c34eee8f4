"""Synthetic data, the same in every run: genomes, variants, codes and models."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.networks import save_network
from seqcnn.architectures import configure
from seqcnn.architectures.networks import build_network
from seqcnn.dna import Codes, decode
from seqcnn.modelfile import ModelSpec, TrainedModel, write_model

__all__ = [
    "draw_genome",
    "draw_model",
    "draw_sequences",
    "write_fasta",
    "write_models",
    "write_variants",
]

_NEXT = np.array(
    [
        [0.33, 0.17, 0.24, 0.26],
        [0.35, 0.26, 0.05, 0.34],
        [0.29, 0.21, 0.26, 0.24],
        [0.22, 0.20, 0.25, 0.33],
    ]
)
"""Probability of each base after A, C, G and T: nearly that of the human genome, poor in CG."""

_CHAIN = 1000
_LINE = 60


def draw_genome(length: int, *, seed: int) -> Codes:
    """Draw codes (length,) in which each base depends on the one before."""
    rng = np.random.default_rng(seed)
    chains = -(-length // _CHAIN)
    limits = _NEXT.cumsum(axis=1)[:, :3].astype(np.float32)
    codes = np.empty((chains, _CHAIN), dtype=np.uint8)
    codes[:, 0] = rng.integers(0, 4, chains)
    for i in range(1, _CHAIN):
        drawn = rng.random(chains, dtype=np.float32)
        codes[:, i] = (drawn[:, None] > limits[codes[:, i - 1]]).sum(axis=1)
    return codes.reshape(-1)[:length]


def draw_sequences(n: int, length: int, *, seed: int) -> Codes:
    """Draw codes (n, length)."""
    return draw_genome(n * length, seed=seed).reshape(n, length)


def draw_model(
    architecture: str, *, length: int, seed: int, values: dict[str, Any] | None = None
) -> TrainedModel:
    """Make a model with random weights, on the scale of trained ones."""
    config = configure(architecture, values or {})
    spec = ModelSpec(
        architecture=architecture,
        config=config,
        task_kind="binary",
        tasks=("site",),
        length=length,
        strands=config.strands,
    )
    network = build_network(config, tasks=1, length=length, seed=seed)
    rng = np.random.default_rng(seed)
    weights = {}
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            weights[name] = _draw_weight(name, tensor, rng)
    return TrainedModel(spec, (weights,))


def _draw_weight(name: str, tensor: torch.Tensor, rng: np.random.Generator) -> NDArray[np.float32]:
    value = tensor.numpy().astype(np.float32)
    if name == "detectors":  # sharp enough that windows differ
        value = rng.normal(0, 0.4, value.shape)
    elif name.endswith("running_var"):
        value = rng.uniform(0.5, 2, value.shape)
    elif value.ndim == 1:
        value = value + rng.normal(0, 0.1, value.shape)
    return np.asarray(value, dtype=np.float32)


def write_models(model: TrainedModel, folder: Path, name: str) -> dict[str, str]:
    """Write a model for seqcnn and for the peers; give the paths ``model`` and ``network``."""
    path = folder / f"{name}.safetensors"
    write_model(model, path)
    return {"model": str(path), "network": str(save_network(model, folder / f"{name}.pt"))}


def write_fasta(path: Path, contigs: dict[str, Codes], *, bgzip: bool = False) -> Path:
    """Write contigs, 60 bases a line, with their index; give the path."""
    import pysam

    opened = pysam.BGZFile(str(path), "w") if bgzip else path.open("wb")
    with opened as handle:
        for name, codes in contigs.items():
            handle.write(f">{name}\n".encode())
            handle.write(_wrap(decode(codes)))
    pysam.faidx(str(path))
    return path


def _wrap(letters: str) -> bytes:
    raw = np.frombuffer(letters.encode(), dtype=np.uint8)
    whole = len(raw) // _LINE * _LINE
    lines = np.full((whole // _LINE, _LINE + 1), ord("\n"), dtype=np.uint8)
    lines[:, :_LINE] = raw[:whole].reshape(-1, _LINE)
    rest = raw[whole:].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")


def write_variants(
    path: Path, contigs: dict[str, Codes], *, number: int, margin: int, seed: int
) -> Path:
    """Write SNVs at sorted random positions, `margin` bases from the ends of their contig."""
    rng = np.random.default_rng(seed)
    share = [number // len(contigs)] * len(contigs)
    share[0] += number - sum(share)
    lines = ["##fileformat=VCFv4.2"]
    lines += [f"##contig=<ID={name},length={len(codes)}>" for name, codes in contigs.items()]
    lines.append("\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")))
    for (name, codes), count in zip(contigs.items(), share, strict=True):
        inside = rng.choice(len(codes) - 2 * margin, size=count, replace=False) + margin
        positions = np.sort(inside)
        refs = codes[positions]
        alts = (refs + rng.integers(1, 4, count)) % 4
        for position, ref, alt in zip(positions.tolist(), refs, alts, strict=True):
            lines.append(f"{name}\t{position + 1}\t.\t{'ACGT'[ref]}\t{'ACGT'[alt]}\t.\t.\t.")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
