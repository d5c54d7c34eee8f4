"""Shards of a calibration's trials: a folder each, and what they are put together from."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcnn.cli.tables import open_table, write_rows
from seqcnn.errors import ConfigError, InputError

if TYPE_CHECKING:
    from seqcnn.calibration import Study, Trial
    from seqcnn.checkpoints import Checkpoints

__all__ = [
    "SHARD_FILES",
    "Shard",
    "arrange_shards",
    "find_shards",
    "gather_trials",
    "note_trial",
    "read_noted",
    "write_trials",
]

SHARD_FILES = ("trials.tsv", "shard.json", "train.log")
_NAME = re.compile(r"trials\.([0-9]+)-of-([0-9]+)")


@dataclass(frozen=True)
class Shard:
    """The I-th of N parts of the trials."""

    index: int
    count: int

    def numbers(self, trials: int) -> range:
        """Give the numbers, from 1, of its trials.

        Raises
        ------
        ConfigError
            When there is none.
        """
        if self.count > trials:
            raise ConfigError(
                f"--trial-shard {self.index}/{self.count}",
                f"{trials} trials",
                expected="at least one trial for each shard",
                remedy="choose fewer shards, or more --trials",
            )
        first, stop = (trials * end // self.count for end in (self.index - 1, self.index))
        return range(first + 1, stop + 1)

    def folder(self, output: Path) -> Path:
        """Name its folder within that of the calibration."""
        return output / f"trials.{self.index}-of-{self.count}"


def write_trials(
    folder: Path, study: "Study", trials: Sequence["Trial"], title: dict[str, Any] | None = None
) -> None:
    """Write trials.tsv, and for a shard what it is of."""
    from seqcnn.calibration.record import list_columns, list_row

    with open_table(folder / "trials.tsv") as handle:
        write_rows(handle, list_columns(study), (list_row(trial) for trial in trials))
    if title:
        (folder / "shard.json").write_text(json.dumps(title, indent=2) + "\n", encoding="utf-8")


def find_shards(folders: Sequence[Path]) -> list[Path]:
    """Find the folders of shards: those named, and those within them.

    Raises
    ------
    ConfigError
        For a folder that is no shard and holds none.
    """
    found: list[Path] = []
    for folder in folders:
        within = sorted(folder.iterdir()) if folder.is_dir() else []
        shards = [each for each in within if _NAME.fullmatch(each.name)]
        if folder / "shard.json" in within:
            shards = [folder]
        if not shards:
            raise ConfigError(
                "--finish",
                f"{folder} holds no shard of trials",
                expected="folders that --trial-shard I/N filled",
                remedy="run the shards first, and wait for them",
            )
        found += shards
    return list(dict.fromkeys(each.resolve() for each in found))


def arrange_shards(folders: Sequence[Path], run: str) -> dict[Shard, Path]:
    """Put the folders of shards in order.

    Parameters
    ----------
    folders
        Of the shards.
    run
        What decides on their trials, as a digest.

    Raises
    ------
    ConfigError, InputError
        When shards are missing, damaged, named twice, or of another calibration.
    """
    titles = {folder: _read_title(folder / "shard.json", run) for folder in folders}
    count = max((shard.count for shard in titles.values()), default=0)
    parts: dict[int, Path] = {}
    for folder, shard in titles.items():
        if shard.count != count or shard.index in parts:
            found = f"shard {shard.index}/{shard.count} besides those of {count}"
            found = "stands twice" if shard.index in parts and shard.count == count else found
            raise ConfigError(folder, found, expected="each of the N shards once")
        parts[shard.index] = folder
    missing = [str(index) for index in range(1, count + 1) if index not in parts]
    if missing:
        word = "shards" if len(missing) > 1 else "shard"
        raise ConfigError(
            "--finish",
            f"{word} {', '.join(missing)} of {count} missing",
            expected="all of them",
            remedy=f"run --trial-shard {missing[0]}/{count}, or name its folder",
        )
    return {Shard(index, count): parts[index] for index in range(1, count + 1)}


def gather_trials(shards: Mapping[Shard, Path], study: "Study", *, trials: int) -> list["Trial"]:
    """Read the trials of all shards.

    Parameters
    ----------
    shards
        Their folders, in order.
    study
        What they must be of.
    trials
        How many there must be.

    Raises
    ------
    ConfigError, InputError
        When a table is damaged, or of another calibration.
    """
    from seqcnn.calibration.record import read_trials

    gathered: list[Trial] = []
    for shard, folder in shards.items():
        read = read_trials(folder / "trials.tsv", study)
        if [trial.number for trial in read] != list(shard.numbers(trials)):
            raise InputError(
                folder / "trials.tsv",
                "does not hold just the trials of its shard",
                remedy=f"run --trial-shard {shard.index}/{shard.count} again",
            )
        gathered += read
    return gathered


def _read_title(path: Path, run: str) -> Shard:
    """Read what shard a folder is, and refuse one of another calibration."""
    try:
        title = json.loads(path.read_text(encoding="utf-8"))
        shard, given = Shard(int(title["shard"]), int(title["of"])), str(title["run"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(path, "is no whole shard", remedy="run that shard again") from problem
    if given != run:
        raise ConfigError(
            path.parent,
            "is a shard of another calibration",
            expected="the same data, options, priors and seed",
            remedy="repeat the options of the shards with --finish",
        )
    return shard


# --- trials that are done before the run is ------------------------------------------------------


def note_trial(checkpoints: "Checkpoints", trial: "Trial") -> None:
    """Note a finished trial, so that a later process need not repeat it."""
    from seqcnn.checkpoints import State

    values = {"steps": trial.steps, "losses": list(trial.losses), "seconds": trial.seconds}
    checkpoints.write(_name(trial.number, trial.budget), State({}, values))


def read_noted(
    checkpoints: "Checkpoints",
    study: "Study",
    rounds: Sequence[tuple[int, int]],
    numbers: Iterable[int],
) -> dict[tuple[int, int], "Trial"]:
    """Read the trials that an earlier process noted, by number and budget."""
    from seqcnn.calibration import Trial

    known = {}
    for number in numbers:
        settings = study.draw(number)
        for budget in study.budgets(number, rounds):
            state = checkpoints.read(_name(number, budget))
            if state is not None:
                values = dict(state.values)
                losses = tuple(values.pop("losses"))
                known[number, budget] = Trial(number, settings, budget, losses=losses, **values)
    return known


def _name(number: int, budget: int) -> str:
    return f"trial-{number}-{budget}"
