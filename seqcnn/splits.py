"""Training, validation and test data: how rows are parted, and where negatives come from.

Held-out rows are chosen by contig where there are coordinates (a genome of fewer than three
contigs is cut in blocks), else as a seeded fraction in which identical sequences stay together.
Afterwards no window of one side overlaps, or spells the same sequence on either strand as, a
window of another: such rows are taken from training first, then from validation.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.contigs import bridge_contigs, unbridged_error
from seqcnn.datasets import LabelledSequences, concatenate
from seqcnn.dna import Codes, reverse_complement
from seqcnn.errors import ConfigError, InputError
from seqcnn.genome import Interval, Sequences
from seqcnn.negatives import shuffle_dinucleotides

__all__ = [
    "HeldOut",
    "Split",
    "add_negatives",
    "add_shuffles",
    "label_negatives",
    "parse_held_out",
    "split_data",
]

_log = logging.getLogger(__name__)

HeldOut = float | tuple[str, ...] | LabelledSequences | None
"""What --validation and --test may be: a fraction, contigs or regions, data read from a file
of its own, or nothing (the default is chosen)."""

_DEFAULT_SHARE = 0.1
_REGION = re.compile(r"^(?P<contig>.+?)(?::(?P<start>[\d,]+)-(?P<end>[\d,]+))?$")


@dataclass(frozen=True)
class Split:
    """Data for training, for choosing the best weights, and for the final test.

    Attributes
    ----------
    shuffles
        Fresh dinucleotide shuffles made of each training positive in each epoch; validation
        and test hold theirs as rows.
    """

    train: LabelledSequences
    validation: LabelledSequences
    test: LabelledSequences
    shuffles: int = 0


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
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if "." not in text:
        return (text,)  # a contig named 8
    if not 0 < share < 1:
        raise ConfigError("--validation/--test", f"the fraction {text}", expected="0 < it < 1")
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
            sides[name] = held
            continue
        chosen = _choose(data.take(free), held, name, rng)
        sides[name] = data.take(free[chosen])
        free = free[~chosen]
    return _without_leaks(data.take(free), sides["validation"], sides["test"])


# --- choosing rows ---------------------------------------------------------------------------


def _choose(
    data: LabelledSequences,
    held: float | tuple[str, ...] | None,
    name: str,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Mark the rows (n,) that are held out."""
    intervals = data.sequences.intervals
    if isinstance(held, tuple):
        chosen = _in_regions(intervals, held, name)
    elif held is None and intervals is not None:
        chosen = _default_by_contig(intervals, rng)
    else:
        chosen = _seeded_share(data, held or _DEFAULT_SHARE, rng)
    if not chosen.any() or chosen.all():
        what = "no row" if not chosen.any() else "every row"
        raise ConfigError(
            f"--{name}",
            f"{what} of {len(data)} would be held out",
            expected="some rows on each side",
            remedy="choose other contigs or another fraction",
        )
    return chosen


def _in_regions(
    intervals: tuple[Interval, ...] | None, regions: Sequence[str], name: str
) -> NDArray[np.bool_]:
    if intervals is None:
        raise ConfigError(
            f"--{name} {','.join(regions)}",
            "contigs, but the data have no coordinates, and there is no such file",
            expected="a fraction, such as 0.1, or a file of the same kind as the source",
        )
    present = list(dict.fromkeys(interval.contig for interval in intervals))
    contigs = np.array([interval.contig for interval in intervals])
    centres = np.array([interval.centre for interval in intervals])
    parts = [_parse_region(region, present) for region in regions]
    bridges = bridge_contigs((contig for contig, _, _ in parts), present)
    missing = [contig for contig, _, _ in parts if contig not in bridges]
    if missing:
        raise unbridged_error(f"--{name}", missing, present, error=InputError)
    chosen = np.zeros(len(intervals), dtype=bool)
    for contig, start, end in parts:
        chosen |= (contigs == bridges[contig]) & (centres >= start) & (centres < end)
    return chosen


def _parse_region(region: str, present: Sequence[str]) -> tuple[str, int, float]:
    match = _REGION.match(region)
    if region in present or match is None or match["start"] is None:
        return region, 0, float("inf")
    start, end = (int(match[key].replace(",", "")) for key in ("start", "end"))
    if start < 1 or end < start:
        raise ConfigError(region, "the region ends before it starts", expected="CONTIG:START-END")
    return match["contig"], start - 1, end


def _default_by_contig(
    intervals: tuple[Interval, ...], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Hold out whole contigs worth about a tenth of the rows, or the last tenth by position."""
    contigs = np.array([interval.contig for interval in intervals])
    names, counts = np.unique(contigs, return_counts=True)
    if len(names) < 3:
        return _last_block(intervals)
    held: list[str] = []
    size, wanted = 0, _DEFAULT_SHARE * len(intervals)
    for i in rng.permutation(len(names)):
        if size < wanted and size + counts[i] <= 2 * wanted:
            held.append(names[i])
            size += int(counts[i])
    held = held or [names[counts.argmin()]]
    return np.isin(contigs, held)


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
    for stratum in (data.positive, ~data.positive):
        if stratum.any():
            chosen |= stratum & (draw <= np.quantile(draw[stratum], share))
    return chosen


# --- leaks -----------------------------------------------------------------------------------


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
    by_contig: dict[str, list[tuple[int, int]]] = {}
    for other in others:
        by_contig.setdefault(other.contig, []).append((other.start, other.end))
    bounds = {
        contig: (np.sort([s for s, _ in spans]), np.sort([e for _, e in spans]))
        for contig, spans in by_contig.items()
    }

    def overlaps(interval: Interval) -> bool:
        starts, ends = bounds.get(interval.contig, (np.empty(0), np.empty(0)))
        # More spans begin before our end than end before our start: one of them reaches us.
        begun = np.searchsorted(starts, interval.end, side="left")
        return bool(begun > np.searchsorted(ends, interval.start, side="right"))

    return np.array([overlaps(interval) for interval in intervals], dtype=bool)


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
    negatives = replace(positives, sequences=shuffled, targets=np.zeros_like(positives.targets))
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
