"""Training, validation and test data: how rows are parted, and where negatives come from.

Held-out rows are chosen by contig where there are coordinates (or, where no whole contigs hold
about a tenth of the rows, as the last tenth by position), else as a seeded fraction in which
identical sequences stay together.
Afterwards no window of one side overlaps, or spells the same sequence on either strand as, a
window of another: such rows are taken from training first, then from validation.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs
from seqcnn.datasets import LabelledSequences, concatenate
from seqcnn.dna import Codes, reverse_complement
from seqcnn.errors import ConfigError
from seqcnn.genome import Interval, Sequences
from seqcnn.negatives import shuffle_dinucleotides

__all__ = [
    "HeldOut",
    "Split",
    "add_negatives",
    "add_shuffles",
    "hold_train_dev",
    "label_negatives",
    "parse_held_out",
    "split_data",
]

_log = logging.getLogger(__name__)

HeldOut = float | tuple[str, ...] | LabelledSequences | None
"""What --validation and --test may be: a fraction, contigs or regions, data read from a file
of its own, or nothing (the default is chosen)."""

_DEFAULT_SHARE = 0.1
_LEAST_FOR_TRAIN_DEV = 1000
_MOST_TRAIN_DEV = 500
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?![0-9])"
_REGION = re.compile(rf"(?P<contig>[^,]+):(?P<start>{_NUMBER})-(?P<end>{_NUMBER})")
_PLACES = re.compile(rf"{_REGION.pattern}(?=\s*(?:,|$))|[^,]+")


@dataclass(frozen=True)
class Split:
    """Data for training, for choosing the best weights, and for the final test.

    Attributes
    ----------
    shuffles
        Fresh dinucleotide shuffles made of each training positive in each epoch; the other
        sides hold theirs as rows.
    train_dev
        Rows of the kind of the training's that are not trained on, where validation is of
        another kind: a file of its own, or other contigs. What is lost there is not lost to the
        difference of the data.
    """

    train: LabelledSequences
    validation: LabelledSequences
    test: LabelledSequences
    shuffles: int = 0
    train_dev: LabelledSequences | None = None


def parse_held_out(text: str) -> float | tuple[str, ...]:
    """Read ``0.1`` as a fraction, and ``chr8,chr9:1-2000000`` as contigs and regions.

    Raises
    ------
    ConfigError
        For a fraction that is not between 0 and 1.
    """
    try:
        share = float(text)
    except ValueError:
        share = None
    if share is None or "." not in text:  # a contig may be named 8
        return tuple(part for match in _PLACES.finditer(text) if (part := match[0].strip()))
    if not 0 < share < 1:
        raise ConfigError(
            "--validation/--test",
            f"the fraction {text}",
            expected="a number between 0 and 1",
            remedy="give a fraction such as 0.1, or contig names",
        )
    return share


def split_data(data: LabelledSequences, *, validation: HeldOut, test: HeldOut, seed: int) -> Split:
    """Part data into training, validation and test.

    Parameters
    ----------
    data
        All rows that are not given by a file of their own.
    validation, test
        See `HeldOut`.
    seed
        Seed of the random choice.

    Raises
    ------
    ConfigError
        When a side is left without rows.
    """
    rng = np.random.default_rng([seed, 1])
    free = np.arange(len(data))
    sides: dict[str, LabelledSequences] = {}
    for name, held in (("test", test), ("validation", validation)):
        if isinstance(held, LabelledSequences):
            sides[name] = _of_length(held, data.sequences.length, name)
            continue
        # By the contigs of all the data: without chrI, a "2" would not be known as chrII.
        places = _find_places(data, held, name) if isinstance(held, tuple) else held
        chosen = _choose(data.take(free), places, name, rng)
        sides[name] = data.take(free[chosen])
        free = free[~chosen]
    return _without_leaks(data.take(free), sides["validation"], sides["test"])


def _of_length(held: LabelledSequences, length: int, name: str) -> LabelledSequences:
    if held.sequences.length != length:
        raise ConfigError(
            f"--{name}",
            f"sequences of {held.sequences.length} bp",
            expected=f"{length} bp, as in the other data",
            remedy="give --length",
        )
    return held


# --- choosing rows ---------------------------------------------------------------------------

_Place = tuple[str, int, float]
"""Contig, start and end, 0-based and half-open."""


def _choose(
    data: LabelledSequences,
    held: float | list[_Place] | None,
    name: str,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Mark the rows (n,) that are held out."""
    intervals = data.sequences.intervals
    if isinstance(held, list):
        chosen = _in_places(intervals or (), held)
    elif held is None and intervals is not None:
        chosen = _default_by_contig(intervals, rng)
    else:
        chosen = _seeded_share(data, held or _DEFAULT_SHARE, rng)
    if not chosen.any() or chosen.all():
        what = "no row" if not chosen.any() else "every row"
        why = ""
        if isinstance(held, list) and held and not chosen.any():
            why = f": no row lies on {_spell(held[0])!r} that is not held out already"
        raise ConfigError(
            f"--{name}",
            f"{what} of {len(data)} would be held out{why}",
            expected="some rows on each side",
            remedy="choose other contigs or another fraction, or give more data",
        )
    return chosen


def _find_places(data: LabelledSequences, regions: Sequence[str], name: str) -> list[_Place]:
    """Read contigs and regions, and give them the contig names of the data."""
    where = f"--{name} {','.join(regions)}"
    if data.sequences.intervals is None:
        raise ConfigError(
            where,
            "contigs, but the data have no coordinates, and there is no such file",
            expected="a fraction, such as 0.1, or a file of the same kind as the source",
            remedy="check the name, or give a fraction",
        )
    present = list(dict.fromkeys(interval.contig for interval in data.sequences.intervals))
    places = [_parse_region(region, present) for region in regions]
    bridges = bridge_contigs((contig for contig, _, _ in places), present)
    missing = [contig for contig, _, _ in places if contig not in bridges]
    if missing:
        shown = ", ".join(sorted(present)[:5]) + (", ..." if len(present) > 5 else "")
        raise ConfigError(
            where,
            f"no row lies on {missing[0]!r}, and there is no such file",
            expected=f"contigs of the data, such as {shown}, a fraction, or a file",
            remedy="check the name",
        )
    return [(bridges[contig], start, end) for contig, start, end in places]


def _spell(place: _Place) -> str:
    contig, start, end = place
    return contig if end == float("inf") else f"{contig}:{start + 1}-{end}"


def _in_places(intervals: Sequence[Interval], places: Sequence[_Place]) -> NDArray[np.bool_]:
    """Mark the intervals whose centre lies in one of the places."""
    contigs = np.array([interval.contig for interval in intervals])
    centres = np.array([interval.centre for interval in intervals])
    chosen = np.zeros(len(intervals), dtype=bool)
    for contig, start, end in places:
        chosen |= (contigs == contig) & (centres >= start) & (centres < end)
    return chosen


def _parse_region(region: str, present: Sequence[str]) -> _Place:
    match = _REGION.fullmatch(region)
    if region in present or match is None:
        return region, 0, float("inf")
    start, end = (int(match[key].replace(",", "")) for key in ("start", "end"))
    if start < 1 or end < start:
        raise ConfigError(
            f"--validation/--test {region}",
            f"a region from {start} to {end}",
            expected="CONTIG:START-END, counted from 1, both ends in it",
            remedy="correct the region",
        )
    return match["contig"], start - 1, end


def _default_by_contig(
    intervals: tuple[Interval, ...], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Hold out whole contigs worth about a tenth of the rows, or the last tenth by position."""
    contigs = np.array([interval.contig for interval in intervals])
    names, counts = np.unique(contigs, return_counts=True)
    held: list[str] = []
    size, wanted = 0, _DEFAULT_SHARE * len(intervals)
    for i in rng.permutation(len(names)):
        if size < wanted and size + counts[i] <= 2 * wanted:
            held.append(names[i])
            size += int(counts[i])
    return np.isin(contigs, held) if 2 * size >= wanted else _last_block(intervals)


def _last_block(intervals: tuple[Interval, ...]) -> NDArray[np.bool_]:
    order = sorted(range(len(intervals)), key=lambda i: (intervals[i].contig, intervals[i].start))
    chosen = np.zeros(len(intervals), dtype=bool)
    chosen[order[-max(1, round(_DEFAULT_SHARE * len(intervals))) :]] = True
    return chosen


def _seeded_share(
    data: LabelledSequences, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a share of the rows, of each class alike; equal sequences are drawn together."""
    _, group = np.unique(_spelling(data.sequences.codes), return_inverse=True)
    draw = rng.random(group.max() + 1)[group]  # (n,)
    chosen = np.zeros(len(data), dtype=bool)
    for kind in np.unique(data.strata):
        stratum = data.strata == kind
        chosen |= stratum & (draw <= np.quantile(draw[stratum], share))
    return chosen


def hold_train_dev(split: Split, *, seed: int) -> Split:
    """Hold a tenth of the training rows out, 500 at most; nothing of fewer than 1,000.

    Rows that training data overlap, or equal, are left out altogether. `seed` is of the choice.
    """
    if len(split.train) < _LEAST_FOR_TRAIN_DEV:
        return split
    share = min(_DEFAULT_SHARE, _MOST_TRAIN_DEV / len(split.train))
    chosen = _seeded_share(split.train, share, np.random.default_rng([seed, 7]))
    train = split.train.take(np.flatnonzero(~chosen))
    held = _drop_shared(split.train.take(np.flatnonzero(chosen)), [train], "train-dev")
    lacks = not len(held) or len(np.unique(held.strata)) < len(np.unique(train.strata))
    return split if lacks else replace(split, train=train, train_dev=held)


# --- leaks ---------------------------------------------------------------------------------


def _without_leaks(
    train: LabelledSequences, validation: LabelledSequences, test: LabelledSequences
) -> Split:
    held_validation = _drop_shared(validation, [test], "validation")
    held_train = _drop_shared(train, [test, held_validation], "training")
    for name, side in (("training", held_train), ("validation", held_validation)):
        if not len(side):
            raise ConfigError(
                f"the {name} data",
                "no row is left: all overlap, or equal, held-out ones",
                expected="rows that differ from those held out",
                remedy="choose other contigs or another fraction",
            )
    return Split(held_train, held_validation, test)


def _drop_shared(
    data: LabelledSequences, others: Sequence[LabelledSequences], name: str
) -> LabelledSequences:
    shared = np.zeros(len(data), dtype=bool)
    spelled = _spelling(data.sequences.codes)
    for other in others:
        shared |= np.isin(spelled, _spelling(other.sequences.codes))
        if data.sequences.intervals and other.sequences.intervals:
            shared |= _overlapping(data.sequences.intervals, other.sequences.intervals)
    if shared.any():
        _log.info("%d rows taken from %s: held-out data share them", int(shared.sum()), name)
    return data.take(np.flatnonzero(~shared))


def _spelling(codes: Codes) -> NDArray[np.void]:
    """Spell each row (n, length) as one value, the same for both strands."""
    other = reverse_complement(codes)
    kind = np.dtype((np.void, codes.shape[1]))
    both = [np.ascontiguousarray(side).view(kind).ravel() for side in (codes, other)]
    smaller = _first_difference_sign(codes, other) <= 0
    return np.where(smaller, both[0], both[1])


def _first_difference_sign(left: Codes, right: Codes) -> NDArray[np.int16]:
    difference = left.astype(np.int16) - right
    first = (difference != 0).argmax(axis=1)
    return np.asarray(difference[np.arange(len(left)), first], dtype=np.int16)


def _overlapping(
    intervals: tuple[Interval, ...], others: tuple[Interval, ...]
) -> NDArray[np.bool_]:
    names, contig = np.unique(
        [interval.contig for interval in (*intervals, *others)], return_inverse=True
    )
    starts = np.array([interval.start for interval in (*intervals, *others)], dtype=np.int64)
    ends = np.array([interval.end for interval in (*intervals, *others)], dtype=np.int64)
    shared = np.zeros(len(intervals), dtype=bool)
    for number in range(len(names)):
        rows = np.flatnonzero(contig == number)
        mine, theirs = rows[rows < len(intervals)], rows[rows >= len(intervals)]
        # More spans begin before our end than end before our start: one of them reaches us.
        begun = np.searchsorted(np.sort(starts[theirs]), ends[mine], side="left")
        shared[mine] = begun > np.searchsorted(np.sort(ends[theirs]), starts[mine], side="right")
    return shared


# --- backgrounds -----------------------------------------------------------------------------


def add_shuffles(data: LabelledSequences, *, ratio: int, seed: int) -> LabelledSequences:
    """Add dinucleotide shuffles of the positives as negatives, the same for the same seed.

    Parameters
    ----------
    data
        Rows of which the positive ones are shuffled.
    ratio
        Shuffles made of each positive.
    seed
        Seed of the shuffles.
    """
    rng = np.random.default_rng([seed, 2])
    positives = data.take(np.repeat(np.flatnonzero(data.positive), ratio))
    shuffled = replace(
        positives.sequences,
        codes=shuffle_dinucleotides(positives.sequences.codes, rng=rng),
        names=tuple(f"{name}_shuffled" for name in positives.sequences.names),
    )
    bases = None if positives.profiles is None else np.zeros_like(positives.profiles)
    none = np.zeros_like(positives.targets)
    negatives = replace(positives, sequences=shuffled, targets=none, profiles=bases)
    return concatenate([data, negatives])


def label_negatives(sequences: Sequences, tasks: tuple[str, ...]) -> LabelledSequences:
    """Label sequences as negative in every task."""
    targets = np.zeros((len(sequences), len(tasks)), dtype=np.float32)
    return LabelledSequences(sequences, targets, tasks)


def add_negatives(split: Split, negatives: LabelledSequences, *, seed: int) -> Split:
    """Share negatives without coordinates out to the sides, in proportion to their rows.

    Parameters
    ----------
    split
        Sides that hold the positives.
    negatives
        Rows that are negative in every task.
    seed
        Seed of the random order.
    """
    rng = np.random.default_rng([seed, 3])
    order = rng.permutation(len(negatives))
    sides = (split.train, split.validation, split.test)
    ends = np.cumsum([len(side) for side in sides]) * len(order) // sum(map(len, sides))
    parts = np.split(order, ends[:-1])
    joined = [
        concatenate([side, negatives.take(part)]) for side, part in zip(sides, parts, strict=True)
    ]
    return replace(_without_leaks(*joined), shuffles=split.shuffles)
