"""Models of several families trained apart, and brought on one scale to be averaged.

What each family says of the held-out data is standardised, so that none weighs more for its
larger numbers: networks that fit their training data well are surer of themselves than they
should be. Values of a regression have a scale already.

Some families may learn from the strongest positives alone. Of some factors the weaker peaks have
no site, and such members help; of most they only know less. The strongest positives that are held
out decide.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from seqcnn.checkpoints import Checkpoints
from seqcnn.datasets import LabelledSequences
from seqcnn.engine import Engine
from seqcnn.metrics import auroc
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

__all__ = ["Family", "standardise_parts", "tell_strongest", "train_mixture"]

_log = logging.getLogger(__name__)

_MOST_ERRORS = 1.25
"""Errors (1 - AUROC) among the strongest positives that members which learned from such alone may
have for each of the other members' errors. Where the weaker positives taught that little, both
together are better; elsewhere the few positives are missed. That both together are better on the
few that are held out is asked for besides, but would not do: it changes from seed to seed. Where
both make that many more errors than they do alone, the weaker positives mislead."""


@dataclass(frozen=True)
class Family:
    """Some members of a mixture.

    Attributes
    ----------
    spec
        What their model takes and gives.
    config
        How they are trained; `members` is how many they are.
    strongest
        0, or how many of the strongest positives they learn from, and no others. Such families
        stay in the mixture only where they tell the strongest positives that are held out
        (`tell_strongest`) about as well as the others do, and both together better; they make
        it up alone where the others would spoil it.
    """

    spec: ModelSpec
    config: TrainingConfig
    strongest: int = 0

    def choose_data(self, split: Split) -> Split:
        """Give the data that the members learn from; what is held out stays the same."""
        if not self.strongest:
            return split
        return replace(split, train=split.train.without_weaker(self.strongest))


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
        The model, and the history of its members.
    """
    jobs, members = [], 0
    for family in families:
        data = family.choose_data(split)
        own = standardise_targets(family.spec, data.train)
        jobs.append(
            [
                TrainingJob(data, own, family.config, member=members + i)
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
    trained = iter(networks)
    found = [[next(trained) for _ in part] for part in jobs]
    parts = [_part(part, own) for part, own in zip(jobs, found, strict=True)]
    spec = replace(spec, centre=(), scale=())  # the parts have scales of their own
    if spec.task_kind == "regression":
        kept, model = list(range(len(parts))), TrainedModel(spec, (), parts=tuple(parts))
    else:
        kept, model = _choose_parts(parts, families, spec, split.validation, threads)
    networks = [network for i in kept for network in found[i]]
    history = [
        row | {"member": number}
        for number, network in enumerate(networks)
        for row in network.history
    ]
    return model, history


def _part(jobs: Sequence[TrainingJob], networks: Sequence[TrainedNetwork]) -> TrainedModel:
    return TrainedModel(jobs[0].spec, tuple(network.weights for network in networks))


def _choose_parts(
    parts: Sequence[TrainedModel],
    families: Sequence[Family],
    spec: ModelSpec,
    held_out: LabelledSequences,
    threads: int,
) -> tuple[list[int], TrainedModel]:
    """Choose the parts that tell the strongest held out: those of all data, of such alone, both.

    Given are their numbers, and the mixture of them on one scale.
    """
    general = [i for i, family in enumerate(families) if not family.strongest]
    special = [i for i, family in enumerate(families) if family.strongest]

    def mix(chosen: list[int]) -> TrainedModel:
        own = standardise_parts([parts[i] for i in chosen], held_out, threads=threads)
        return TrainedModel(spec, (), parts=tuple(own))

    every = general + special
    if not special or not general:
        return every, mix(every)
    number = max(families[i].strongest for i in special)
    choices = [(chosen, mix(chosen)) for chosen in (general, special, every)]
    others, alone, both = (
        1 - tell_strongest(model, held_out, number, threads=threads) for _, model in choices
    )
    if alone > _MOST_ERRORS * others or both >= others:
        choice, told = 0, "the first are kept"
    elif both > _MOST_ERRORS * alone:
        choice, told = 1, "the second are kept"
    else:
        choice, told = 2, "both are kept"
    _log.info(
        "1 - AUROC among the %d strongest positives, those held out: %.4f of members that learned"
        " from all, %.4f of those that learned from such alone, %.4f of both; %s",
        number,
        others,
        alone,
        both,
        told,
    )
    return choices[choice]


def tell_strongest(
    model: TrainedModel, data: LabelledSequences, number: int, *, threads: int = 0
) -> float:
    """Measure how well a model tells the strongest positives from all negatives, as AUROC.

    Parameters
    ----------
    model
        Of one task.
    data
        Positives with ranks, and negatives.
    number
        Rank of the first positives that are not looked at.
    threads
        Of a CPU; 0 means one for each core.
    """
    chosen = data.without_weaker(number)
    logits = Engine(model, threads=threads).predict(chosen.sequences.codes).logits
    return auroc(chosen.targets[:, 0], logits[:, 0])


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
