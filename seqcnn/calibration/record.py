"""trials.tsv: a row for each trial and budget, and its reading.

Columns: ``trial``, the settings, ``budget`` (steps trained), ``steps`` (with which the setting is
a candidate), ``fold_1`` ... (losses of the held-out rows), ``score`` (their mean), ``seconds`` (of
one thread). A loss that is no finite number is ``.``.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqcnn.calibration.distributions import Value
from seqcnn.calibration.search import Study
from seqcnn.calibration.trials import Trial
from seqcnn.errors import ConfigError, InputError
from seqcnn.files import numbered_lines

__all__ = ["list_columns", "list_row", "read_trials"]


def list_columns(study: Study) -> list[str]:
    """Name the columns."""
    folds = [f"fold_{number}" for number in range(1, len(study.folds) + 1)]
    return ["trial", *_names(study), "budget", "steps", *folds, "score", "seconds"]


def _names(study: Study) -> list[str]:
    """Name the settings that have a column; the steps stand in that of the budget."""
    return [name for name in study.priors.names if name != "steps"]


def list_row(trial: Trial) -> list[Value]:
    """Give the values of a trial in the order of the columns."""
    settings = [value for name, value in trial.settings.items() if name != "steps"]
    results = (*trial.losses, trial.score, trial.seconds)
    return [trial.number, *settings, trial.budget, trial.steps, *results]


def read_trials(path: Path, study: Study) -> list[Trial]:
    """Read the trials of a study.

    Parameters
    ----------
    path
        A trials.tsv.
    study
        Whose trials they must be: its settings are drawn again and compared.

    Raises
    ------
    InputError, ConfigError
        For a file that is cut, damaged, or of another study.
    """
    lines = numbered_lines(path, InputError)
    columns = list_columns(study)
    header = next(lines, (1, ""))[1].split("\t")
    if header != columns:
        differing = sorted(set(header) ^ set(columns)) or ["their order"]
        raise _foreign(f"{path}:1", f"the columns differ: {differing[0]}")
    return list(_read_rows(path, lines, study))


def _read_rows(path: Path, lines: Iterator[tuple[int, str]], study: Study) -> Iterator[Trial]:
    for number, line in lines:
        yield _read_row(f"{path}:{number}", line.split("\t"), study)


def _read_row(where: str, cells: Sequence[str], study: Study) -> Trial:
    folds, names = len(study.folds), _names(study)
    try:
        if len(cells) != len(names) + folds + 5:
            raise ValueError
        number, settings = int(cells[0]), cells[1 : len(names) + 1]
        budget, steps = (int(cell) for cell in cells[len(names) + 1 : len(names) + 3])
        losses = [math.nan if cell == "." else float(cell) for cell in cells[-folds - 2 : -2]]
        seconds = float(cells[-1])
        if number < 1:
            raise ValueError
    except ValueError as problem:
        raise InputError(
            where,
            "no row of a trial",
            expected=f"{len(names) + folds + 5} columns of a trials.tsv",
            remedy="run the shard again",
        ) from problem
    drawn = study.draw(number)
    same = all(_equals(cell, drawn[name]) for name, cell in zip(names, settings, strict=True))
    if not same:
        raise _foreign(where, f"trial {number} has other settings")
    return Trial(number, drawn, budget, steps, tuple(losses), seconds)


def _equals(cell: str, drawn: Value) -> bool:
    try:
        return cell == drawn if isinstance(drawn, str) else math.isclose(float(cell), drawn)
    except ValueError:
        return False


def _foreign(where: str, found: str) -> ConfigError:
    return ConfigError(
        where,
        f"is of another calibration ({found})",
        expected="trials of the same data, options, priors and seed",
        remedy="name the folders of this calibration's shards",
    )
