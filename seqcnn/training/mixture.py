"""Models of several families trained apart, and brought on one scale to be averaged.

What each family says of the held-out data is standardised, so that none weighs more for its
larger numbers: networks that fit their training data well are surer of themselves than they
should be. Values of a regression have a scale already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.checkpoints import Checkpoints
from seqcnn.datasets import LabelledSequences
from seqcnn.engine import Engine
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.splits import Split
from seqcnn.training.config import (
    History,
    TrainedNetwork,
    TrainingConfig,
    TrainingJob,
    standardise_targets,
)
from seqcnn.training.loop import train_many

__all__ = ["Family", "standardise_parts", "train_mixture"]


@dataclass(frozen=True)
class Family:
    """Some members of a mixture.

    Attributes
    ----------
    spec
        What their model takes and gives.
    config
        How they are trained; `members` is how many they are.
    """

    spec: ModelSpec
    config: TrainingConfig


def train_mixture(  # noqa: PLR0913
    split: Split,
    spec: ModelSpec,
    families: Sequence[Family],
    *,
    device: torch.device,
    threads: int = 0,
    progress: Callable[[int], object] | None = None,
    checkpoints: Checkpoints | None = None,
) -> tuple[TrainedModel, History]:
    """Train the members of a mixture.

    Parameters
    ----------
    split
        Data; of each side only training and validation are looked at.
    spec
        What the mixture takes and gives.
    families
        What it is made of; all on the same seed.
    device, threads, progress, checkpoints
        As for `train_many`.

    Returns
    -------
    tuple
        The model, and the history of all members.
    """
    jobs, members = [], 0
    for family in families:
        own = standardise_targets(family.spec, split.train)
        jobs.append(
            [
                TrainingJob(split, own, family.config, member=members + i)
                for i in range(family.config.members)
            ]
        )
        members += family.config.members
    networks = train_many(
        [job for part in jobs for job in part],
        device=device,
        threads=threads,
        progress=progress,
        strict=True,
        checkpoints=checkpoints,
    )
    history = [row for network in networks for row in network.history]
    trained = iter(networks)
    parts = [_part(part, [next(trained) for _ in part]) for part in jobs]
    if spec.task_kind != "regression":
        parts = standardise_parts(parts, split.validation, threads=threads)
    # The parts have scales of their own.
    spec = replace(spec, centre=(), scale=())
    return TrainedModel(spec, (), parts=tuple(parts)), history


def _part(jobs: Sequence[TrainingJob], networks: Sequence[TrainedNetwork]) -> TrainedModel:
    return TrainedModel(jobs[0].spec, tuple(network.weights for network in networks))


def standardise_parts(
    parts: Sequence[TrainedModel], held_out: LabelledSequences, *, threads: int = 0
) -> list[TrainedModel]:
    """Bring the logits of models on one scale.

    Each is shifted and stretched to the mean and the standard deviation that all have, on
    average, over the held-out sequences.

    Parameters
    ----------
    parts
        Models of the same tasks.
    held_out
        Sequences that none of them learned from.
    threads
        Of a CPU; 0 means one for each core.
    """
    logits = [
        Engine(part, threads=threads).predict(held_out.sequences.codes).logits for part in parts
    ]
    centres = np.stack([found.mean(axis=0) for found in logits])  # (parts, tasks)
    spreads = np.stack([found.std(axis=0) for found in logits])
    spreads = np.where(spreads > 0, spreads, 1.0)
    centre, spread = centres.mean(axis=0), spreads.mean(axis=0)
    scaled = []
    for part, own, width in zip(parts, centres, spreads, strict=True):
        scale = spread / width
        before = _numbers(part.spec.centre, 0.0, scale), _numbers(part.spec.scale, 1.0, scale)
        shift = centre + scale * (before[0] - own)
        stretch = scale * before[1]
        spec = replace(part.spec, centre=tuple(shift.tolist()), scale=tuple(stretch.tolist()))
        scaled.append(replace(part, spec=spec))
    return scaled


def _numbers(
    values: tuple[float, ...], otherwise: float, like: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.array(values) if values else np.full_like(like, otherwise)
