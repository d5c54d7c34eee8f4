"""From a source to the data of a run: negatives made, rows parted, labels checked."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from seqcnn.datasets import LabelledSequences, check_labels, concatenate
from seqcnn.errors import ConfigError, InputError
from seqcnn.files import numbered_lines
from seqcnn.metrics import TaskKind
from seqcnn.ranks import rank_by_order
from seqcnn.sources.classes import check_classes, take_classes
from seqcnn.sources.profiles import check_profiles
from seqcnn.sources.reading import Background, SourceReader
from seqcnn.sources.source import BACKGROUNDS, Source
from seqcnn.splits import (
    HeldOut,
    Split,
    add_negatives,
    add_shuffles,
    hold_train_dev,
    split_data,
)

__all__ = ["prepare_evaluation", "prepare_split"]


def prepare_split(
    source: Source,
    *,
    validation: str | None,
    test: str | None,
    task_kind: TaskKind | None,
    seed: int,
) -> tuple[Split, TaskKind]:
    """Read a source, make its negatives and part it.

    Parameters
    ----------
    source
        What to read.
    validation, test
        A fraction, contigs and regions, a file of the source's kind, or None for the default.
    task_kind
        What the tasks are; None lets it follow from the targets.
    seed
        Seed of every choice.

    Returns
    -------
    tuple
        The split, and the kind of its tasks.

    Raises
    ------
    SeqcnnError
        For files that cannot be read, and data from which nothing can be learned.
    """
    with contextlib.ExitStack() as resources:
        profiled = _is_profiled(source, task_kind)
        reader = SourceReader(source, resources, profiled=seed if profiled else None)
        in_a_column = task_kind == "multiclass" and len(source.targets) == 1
        data = reader.read(source, length=source.length, classes=() if in_a_column else None)
        kind: TaskKind = "profile" if profiled else _choose_kind(task_kind, data)
        if kind == "multiclass":
            data = take_classes(data, from_peaks=bool(source.peaks))
        _check_targets(data, kind)
        data = _take_ranks(data, source.ranks, kind)
        background = _choose_background(source, data, kind)
        given = {"validation": validation, "test": test}
        held = {
            name: reader.held_out(text, name=name, like=data, background=background, seed=seed)
            for name, text in given.items()
        }
        in_files = any(isinstance(side, LabelledSequences) for side in held.values())
        negatives = reader.negatives(background, data, seed=seed)
    # Negatives with a place are parted like the positives, unless some side is a file.
    shared_out = background.kind == "records" or (background.kind == "windows" and in_files)
    if negatives is not None and not shared_out:
        data = concatenate([data, negatives])
    split = split_data(data, validation=held["validation"], test=held["test"], seed=seed)
    if negatives is not None and shared_out:
        split = add_negatives(split, negatives, seed=seed)
    if _is_of_another_kind(held["validation"], data):
        split = hold_train_dev(split, seed=seed)
    if background.kind == "dinucleotide":
        split = _with_shuffles(split, ratio=source.ratio, seed=seed)
    _check_split(split)
    return split, kind


def prepare_evaluation(
    source: Source, *, tasks: tuple[str, ...], task_kind: TaskKind, length: int | None, seed: int
) -> LabelledSequences:
    """Read a source to evaluate a model on.

    Parameters
    ----------
    source
        What to read.
    tasks, task_kind, length
        Of the model; without a length, that which the source has.
    seed
        Seed of the negatives.

    Returns
    -------
    LabelledSequences
        With the model's tasks in their order; the labels of a task that the source has not are
        missing.

    Raises
    ------
    SeqcnnError
        For files that cannot be read, and data on which the model cannot be measured.
    """
    with contextlib.ExitStack() as resources:
        profiled = _is_profiled(source, task_kind)
        reader = SourceReader(source, resources, profiled=seed if profiled else None)
        in_a_column = task_kind == "multiclass" and len(source.targets) == 1
        data = reader.read(source, length=length, classes=tasks if in_a_column else None)
        _check_tasks(data, tasks)
        if task_kind == "multiclass":
            data = take_classes(data, from_peaks=bool(source.peaks))
        kind = "profile" if profiled else _choose_kind(task_kind, data)
        background = _choose_background(source, data, kind)
        negatives = reader.negatives(background, data, seed=seed)
    if negatives is not None:
        data = concatenate([data, negatives])
    if background.kind == "dinucleotide":
        data = _add_shuffles_where_none(data, ratio=source.ratio, seed=seed)
    if task_kind == "profile":
        check_profiles(data, where="the data")
    elif task_kind == "multiclass":
        if np.isnan(data.targets).all():
            raise ConfigError("the data", "no sequence has a class", expected=", ".join(tasks))
    else:
        remedy = "give negatives with --background or --negatives"
        check_labels(data, where="the data", remedy=remedy)
    return _arrange_tasks(data, tasks)


# --- negatives -------------------------------------------------------------------------------


def _choose_background(source: Source, data: LabelledSequences, kind: TaskKind) -> Background:
    """Decide what the negatives are; shuffles where the source has none of its own."""
    asked = source.background
    if asked is None and kind == "profile":  # most bases of a window are negative
        return Background("none")
    if asked is None:
        labelled = kind in ("regression", "multiclass") or source.table is not None
        lacks = not labelled and bool(data.positive.all())
        return Background("dinucleotide" if lacks else "none")
    if kind in ("regression", "multiclass") and asked != "none":
        what = "a regression" if kind == "regression" else "multiclass"
        raise ConfigError(f"--background {asked}", f"the task is {what}", expected="none")
    if asked in BACKGROUNDS:
        return Background(asked)
    path = Path(asked)
    if not path.exists():
        raise ConfigError(
            f"--background {asked}",
            "no such kind, and no such file",
            expected=f"{', '.join(BACKGROUNDS)}, or a BED or FASTA file",
        )
    return Background("records" if _is_fasta(path) else "windows", path)


def _is_fasta(path: Path) -> bool:
    lines = (line for _, line in numbered_lines(path, InputError) if line.strip())
    return next(lines, "").startswith(">")


def _is_profiled(source: Source, kind: TaskKind | None) -> bool:
    """Tell whether each base has a target; by default, where there are tracks.

    Raises
    ------
    ConfigError
        When what was asked for, or the model, is something else than the source.
    """
    if kind == "profile" and not source.tracks:
        raise ConfigError(
            "--task profile",
            "no target for each base",
            expected="--profile beside --peaks or loci, or --peaks whose intervals are the targets",
        )
    if source.profile and kind not in (None, "profile"):
        raise ConfigError("--profile", f"the task is {kind}", expected="--task profile")
    return kind == "profile" or bool(source.profile)


def _take_ranks(data: LabelledSequences, ranks: str, kind: TaskKind) -> LabelledSequences:
    """Let the strength of positives count, where it is asked for and there are any."""
    if kind != "binary" or ranks == "none":
        return replace(data, ranks=None)
    return replace(data, ranks=rank_by_order(data.targets)) if ranks == "order" else data


# --- tasks and labels ------------------------------------------------------------------------


def _choose_kind(asked: TaskKind | None, data: LabelledSequences) -> TaskKind:
    """Check what was asked for against the targets; by default it follows from them."""
    values = data.targets[~np.isnan(data.targets)]
    two_valued = bool(np.isin(values, (0, 1)).all())
    default: TaskKind = "binary" if len(data.tasks) == 1 else "multilabel"
    default = "multiclass" if data.exclusive else default
    kind = asked or (default if two_valued else "regression")
    if data.exclusive and kind != "multiclass":
        raise ConfigError(
            f"--task {kind}",
            f"the column of targets holds words, such as {data.tasks[0]!r}",
            expected="numbers, or --task multiclass",
        )
    if kind != "regression" and not two_valued:
        other = values[~np.isin(values, (0, 1))][0]
        raise ConfigError(
            "the targets", f"the value {other:g}", expected="0 and 1, as the task is no regression"
        )
    if kind == "binary" and len(data.tasks) > 1:
        raise ConfigError("--task binary", f"{len(data.tasks)} tasks", expected="multilabel")
    return kind


def _check_targets(data: LabelledSequences, kind: TaskKind) -> None:
    if kind == "profile":
        check_profiles(data, where="the data")
        return
    if kind == "regression":
        check_labels(data, where="the data", remedy="name another column of targets")
        return
    if kind == "multiclass" and len(data.tasks) < 2:
        raise ConfigError(
            "the data", f"every sequence is {data.tasks[0]!r}", expected="at least two classes"
        )
    for column, task in enumerate(data.tasks):
        if not (data.targets[:, column] > 0.5).any():
            raise ConfigError(
                f"the task {task!r}",
                f"none of {len(data)} sequences is positive",
                expected="some with the label 1",
            )


def _with_shuffles(split: Split, *, ratio: int, seed: int) -> Split:
    """Give the held-out sides fixed shuffles, and let training make fresh ones."""
    return replace(
        split,
        shuffles=ratio,
        validation=_add_shuffles_where_none(split.validation, ratio=ratio, seed=seed),
        test=_add_shuffles_where_none(split.test, ratio=ratio, seed=seed),
        train_dev=split.train_dev
        and _add_shuffles_where_none(split.train_dev, ratio=ratio, seed=seed),
    )


def _is_of_another_kind(validation: HeldOut, data: LabelledSequences) -> bool:
    """Tell whether validation is more than a share drawn from the same rows."""
    if validation is None:
        return data.sequences.intervals is not None
    return not isinstance(validation, float)


def _add_shuffles_where_none(
    data: LabelledSequences, *, ratio: int, seed: int
) -> LabelledSequences:
    """Add shuffles unless there are negatives, as in a held-out file with labels of its own."""
    return add_shuffles(data, ratio=ratio, seed=seed) if data.positive.all() else data


def _check_split(split: Split) -> None:
    remedy = "choose another split, or give negatives with --background or --negatives"
    sides = {"train": split.train, "validation": split.validation, "test": split.test}
    for name, side in sides.items():
        if side.profiles is not None:
            check_profiles(side, where=f"the {name} data")
        elif side.exclusive:
            check_classes(side, where=f"the {name} data")
        elif name == "train" and split.shuffles:
            _check_targets(side, "multilabel")
        else:
            check_labels(side, where=f"the {name} data", remedy=remedy)


def _check_tasks(data: LabelledSequences, tasks: tuple[str, ...]) -> None:
    """Refuse tasks that the model has not; a single task may have another name."""
    unknown = [name for name in data.tasks if name not in tasks]
    if unknown and not len(tasks) == len(data.tasks) == 1:
        raise ConfigError(
            "the source of data",
            f"the model has no task {unknown[0]!r}",
            expected=", ".join(tasks),
            remedy="name the tasks as in training: --peaks NAME=FILE, --targets NAME,...",
        )


def _arrange_tasks(data: LabelledSequences, tasks: tuple[str, ...]) -> LabelledSequences:
    """Bring targets into the order of the model's tasks; tasks without data are missing."""
    if len(tasks) == len(data.tasks) == 1:
        return replace(data, tasks=tasks)
    targets = np.full((len(data), len(tasks)), np.nan, dtype=np.float32)
    profiles = None
    if data.profiles is not None:
        profiles = np.full((*targets.shape, data.sequences.length), np.nan, dtype=np.float32)
    for column, name in enumerate(data.tasks):
        targets[:, tasks.index(name)] = data.targets[:, column]
        if profiles is not None and data.profiles is not None:
            profiles[:, tasks.index(name)] = data.profiles[:, column]
    return replace(data, targets=targets, tasks=tasks, profiles=profiles)
