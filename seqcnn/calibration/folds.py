"""Folds of cross-validation: each training row is held out in one of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.dna import reverse_complement
from seqcnn.errors import ConfigError
from seqcnn.genome import Interval
from seqcnn.splits import Split, add_shuffles

__all__ = ["assign_folds", "make_folds"]

Integers = NDArray[np.int64]

_STREAM = 8


def make_folds(split: Split, *, folds: int, seed: int, labelled: bool) -> list[Split]:
    """Part the training rows into folds, each the validation data of one split.

    Rows that spell the same sequence, on either strand, or overlap are held out together. The
    split's own validation and test rows are in none of the folds.

    Parameters
    ----------
    split
        Its training rows, and how many fresh shuffles they get.
    folds
        How many.
    seed
        Of the choice, and of the shuffles of held-out rows.
    labelled
        Whether targets are labels, 0 or 1, of which every fold must hold both.

    Raises
    ------
    ConfigError
        When there are fewer rows, or positives of a task, than folds, or a fold has one class.
    """
    train = split.train
    if labelled:
        _check_positives(train, folds)
    if len(train) < 2 * folds:
        raise _too_few(f"{len(train)} training sequences", folds)
    fold = assign_folds(train, folds=folds, seed=seed, labelled=labelled)
    parts = []
    for number in range(folds):
        held = train.take(np.flatnonzero(fold == number))
        rest = train.take(np.flatnonzero(fold != number))
        if split.shuffles:
            held = add_shuffles(held, ratio=split.shuffles, seed=seed)
        _check_fold(number, {"held out": held, "left to train on": rest}, split, labelled=labelled)
        parts.append(Split(rest, held, held, shuffles=split.shuffles))
    return parts


def assign_folds(data: LabelledSequences, *, folds: int, seed: int, labelled: bool) -> Integers:
    """Give each row (n,) the number of its fold.

    Groups of rows that belong together go, those with the rarest label first, to the fold with
    the fewest rows of that label, then with the fewest rows.

    References
    ----------
    Sechidis et al. 2011, doi:10.1007/978-3-642-23808-6_10
    """
    groups = _group_rows(data)
    rng = np.random.default_rng([seed, _STREAM])
    targets = data.targets if labelled else data.targets[:, :0]
    every = np.ones((len(data), 1), dtype=bool)
    labels = np.concatenate([targets > 0.5, targets <= 0.5, every], axis=1)
    counts = np.zeros((groups.max() + 1, labels.shape[1]), dtype=np.int64)
    np.add.at(counts, groups, labels)
    rare = _rarest(counts)
    order = rng.permutation(len(counts))
    order = order[np.lexsort((-counts[order, -1], counts.sum(axis=0)[rare[order]]))]
    held = np.zeros((folds, labels.shape[1]), dtype=np.int64)
    fold_of = np.empty(len(counts), dtype=np.int64)
    for group in order:
        keys = zip(held[:, rare[group]].tolist(), held[:, -1].tolist(), range(folds), strict=True)
        fold_of[group] = min(keys)[2]
        held[fold_of[group]] += counts[group]
    return fold_of[groups]


def _rarest(counts: Integers) -> Integers:
    """Find the rarest label, of all rows, that each group (groups, labels) has."""
    totals = np.where(counts > 0, counts.sum(axis=0), np.iinfo(np.int64).max)
    return np.asarray(totals.argmin(axis=1))


# --- rows that belong together -----------------------------------------------------------------


def _group_rows(data: LabelledSequences) -> Integers:
    """Give each row (n,) the number of its group: those that share a sequence, or overlap."""
    codes = data.sequences.codes
    spelled = [
        min(row.tobytes(), other.tobytes())
        for row, other in zip(codes, reverse_complement(codes), strict=True)
    ]
    _, group = np.unique(np.array(spelled, dtype=object), return_inverse=True)
    if data.sequences.intervals is None:
        return np.asarray(group, dtype=np.int64)
    return _join(np.asarray(group, dtype=np.int64), _overlaps(data.sequences.intervals))


def _overlaps(intervals: Sequence[Interval]) -> Integers:
    """Give each interval (n,) the number of the chain of overlapping intervals it is in."""
    order = sorted(range(len(intervals)), key=lambda i: (intervals[i].contig, intervals[i].start))
    numbers = np.empty(len(intervals), dtype=np.int64)
    number, contig, end = -1, "", 0
    for i in order:
        place = intervals[i]
        if place.contig != contig or place.start >= end or number < 0:
            number, contig, end = number + 1, place.contig, place.end
        numbers[i], end = number, max(end, place.end)
    return numbers


def _join(first: Integers, second: Integers) -> Integers:
    """Join groups of rows (n,) that are linked by either numbering, or by a chain of both."""
    label = np.arange(len(first))
    while True:
        before = label
        for numbers in (first, second):
            lowest = np.full(numbers.max() + 1, len(label))
            np.minimum.at(lowest, numbers, label)
            label = lowest[numbers]
        if (label == before).all():
            return np.unique(label, return_inverse=True)[1].astype(np.int64)


# --- refusals ------------------------------------------------------------------------------------


def _check_positives(train: LabelledSequences, folds: int) -> None:
    for task, column in zip(train.tasks, train.targets.T, strict=True):
        positives = int((column > 0.5).sum())
        if positives < folds:
            what = f"{positives} positive training sequence{'' if positives == 1 else 's'}"
            raise _too_few(f"{what} of the task {task!r}", folds)


def _too_few(found: str, folds: int) -> ConfigError:
    remedy = "choose fewer --folds, or give more data"
    return ConfigError(f"--folds {folds}", found, expected="more than folds", remedy=remedy)


def _check_fold(
    number: int, sides: dict[str, LabelledSequences], split: Split, *, labelled: bool
) -> None:
    """Refuse a fold in which nothing can be learned or measured."""
    for side, data in sides.items():
        if not len(data):
            raise _one_class(number, f"no sequence is {side}")
        for task, column in zip(data.tasks, data.targets.T if labelled else (), strict=labelled):
            known = column[~np.isnan(column)]
            made = bool(split.shuffles) and side != "held out"  # training makes the negatives
            for name, there in (("positive", known > 0.5), ("negative", known <= 0.5)):
                if not there.any() and not (made and name == "negative"):
                    raise _one_class(number, f"no {name} of the task {task!r} is {side}")


def _one_class(number: int, found: str) -> ConfigError:
    return ConfigError(
        f"fold {number + 1}",
        found,
        expected="both classes of every task on both sides",
        remedy="choose fewer --folds or another --seed, or give more data",
    )
