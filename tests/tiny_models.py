"""Builders that several test modules share: tiny models, sequences and splits."""

from types import SimpleNamespace

import numpy as np
import torch

from seqcnn.architectures import configure
from seqcnn.architectures.networks import build_network
from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes, encode
from seqcnn.filters.importance import Knockout, Worth, choose_rows
from seqcnn.genome import Sequences
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.splits import Split, add_shuffles

TINY = {"motif": {"detectors": 5, "width": 4}, "deepbind": {"detectors": 4, "width": 5}}


def draw_codes(n: int, length: int, *, seed: int = 0, unknown: bool = True) -> Codes:
    """Random sequences, with some N."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, length), dtype=np.uint8)
    if unknown:
        codes[rng.random(codes.shape) < 0.03] = 4
    return codes


def draw_weights(spec: ModelSpec, seed: int) -> dict[str, np.ndarray]:
    """Random weights of a network, with variances that are positive."""
    network = build_network(spec.config, tasks=len(spec.tasks), length=spec.length)
    rng = np.random.default_rng(seed)
    weights = {}
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            drawn = rng.normal(size=value.shape)
            weights[name] = (np.abs(drawn) + 0.5 if "var" in name else drawn).astype(np.float32)
    return weights


def make_model(
    architecture: str = "motif",
    *,
    members: int = 1,
    length: int = 20,
    values: dict[str, object] | None = None,
    weights: list[dict[str, np.ndarray]] | None = None,
    **spec: object,
) -> TrainedModel:
    """A model with random weights."""
    config = configure(architecture, TINY.get(architecture, {}) | (values or {}))
    full = {
        "task_kind": "binary",
        "tasks": ("site",),
        "length": length,
        "strands": config.strands,
    } | spec
    made = ModelSpec(architecture, config, **full)
    return TrainedModel(made, tuple(weights or (draw_weights(made, i) for i in range(members))))


def label(codes: Codes, targets: object, tasks: tuple[str, ...] = ("site",)) -> LabelledSequences:
    """Give sequences targets, and names."""
    values = np.asarray(targets, dtype=np.float32).reshape(len(codes), len(tasks))
    names = tuple(f"s{i}" for i in range(len(codes)))
    return LabelledSequences(Sequences(codes, names), values, tasks)


def plant(codes: Codes, motif: str, *, seed: int = 0) -> Codes:
    """Put a motif at a random place of each sequence."""
    planted, site = codes.copy(), encode(motif)
    starts = np.random.default_rng([seed, 9]).integers(0, codes.shape[1] - len(site), len(codes))
    for row, start in enumerate(starts):
        planted[row, start : start + len(site)] = site
    return planted


def plant_split(
    motif: str = "TGACGTCA", *, length: int = 30, sizes: tuple[int, int, int] = (200, 60, 80)
) -> Split:
    """Positives with a motif; their shuffles are the negatives."""
    sides = [
        label(plant(draw_codes(n, length, seed=i, unknown=False), motif, seed=i), np.ones(n))
        for i, n in enumerate(sizes)
    ]
    train, validation, test = sides
    return Split(
        train,
        add_shuffles(validation, ratio=1, seed=1),
        add_shuffles(test, ratio=1, seed=2),
        shuffles=1,
    )


CPU = torch.device("cpu")


def detector_shares(engine, codes, targets=None):
    """The share of the signal in each detector of each member: (members, detectors)."""
    rows = choose_rows([engine], len(codes))
    knockout = Knockout(engine, codes[rows])
    worth = Worth(
        [SimpleNamespace(logits=knockout.logits)], None if targets is None else targets[rows]
    )
    return np.array(
        [
            [
                worth.share((knockout.logits - knockout.without({member: [d]})).sum(axis=0))
                for d in range(len(network.detectors))
            ]
            for member, network in enumerate(engine.torch.networks)
        ]
    )
