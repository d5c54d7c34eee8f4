"""Classes that exclude each other, from columns or files with a label each."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.errors import ConfigError

__all__ = ["check_classes", "take_classes"]

_log = logging.getLogger(__name__)


def take_classes(data: LabelledSequences, *, from_peaks: bool) -> LabelledSequences:
    """Take the tasks of data as classes that exclude each other.

    Rows with all labels missing stay, as rows of no known class.

    Parameters
    ----------
    data
        Rows with a label of 1 in one task.
    from_peaks
        Whether the tasks are peak files: windows that two of them have in common are left out.

    Raises
    ------
    ConfigError
        For a single task, or a row that belongs to no class, or to two.
    """
    if data.exclusive:
        return data
    if len(data.tasks) < 2:
        raise ConfigError(
            "--task multiclass",
            f"one column or file of labels, {data.tasks[0]!r}",
            expected="a column of class names (--targets COL), or a column or file for each class",
        )
    shared = (data.targets > 0.5).sum(axis=1) > 1
    if from_peaks and shared.any():
        _log.warning("%d windows of more than one class left out", int(shared.sum()))
        data = data.take(np.flatnonzero(~shared))
    missing = np.isnan(data.targets)
    number = (data.targets > 0.5).sum(axis=1)
    part: NDArray[np.bool_] = np.asarray(missing.any(axis=1) & ~missing.all(axis=1))
    wrong = ~missing.all(axis=1) & ((number != 1) | part)
    if wrong.any():
        row = int(wrong.argmax())
        found = "a missing label" if part[row] else f"{number[row]} labels of 1"
        raise ConfigError(
            f"the sequence {data.sequences.names[row]!r}",
            f"{found} among {', '.join(data.tasks)[:80]}",
            expected="exactly one, as the task is multiclass",
            remedy="correct it, or train with --task multilabel",
        )
    return replace(data, exclusive=True)


def check_classes(data: LabelledSequences, *, where: str) -> None:
    """Refuse data that lack one of the classes.

    Raises
    ------
    ConfigError
        Naming the class.
    """
    counts = (data.targets > 0.5).sum(axis=0)
    if not counts.all():
        raise ConfigError(
            where,
            f"no sequence of the class {data.tasks[int(counts.argmin())]!r}",
            expected="some of each class on each side of the split",
            remedy="choose another split, or leave the class out",
        )
