"""How far a long run has come, so that a later process can go on where it ended.

The journal is a file beside the outputs, ``NAME.partial.log``, of a JSON object a line: what run it
is of, and after each block the number of records done, how far each output has come, and the
counts.
It is locked while a process writes to it.
"""

import contextlib
import hashlib
import json
import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from seqcnn.errors import ConfigError
from seqcnn.linefiles import Mark, is_interruption, lock_file

__all__ = ["JOURNAL_SUFFIX", "Checkpoint", "Journal", "fingerprint"]

_LOG = logging.getLogger(__name__)
JOURNAL_SUFFIX = ".partial.log"
"""What the name of a journal has after that of the output."""

_VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stands after a block.

    Attributes
    ----------
    records
        Records done, from the beginning of the run.
    marks
        How far each partial output has come, by name.
    tally
        The counts so far, as JSON values.
    """

    records: int
    marks: Mapping[str, Mark]
    tally: Mapping[str, Any]


def fingerprint(settings: Mapping[str, object], *files: Path) -> str:
    """Digest what decides on the outputs of a run: settings, and files by name, size and date."""
    known = [
        (path.name, status.st_size, status.st_mtime_ns)
        for path, status in ((path, path.stat()) for path in files)
    ]
    text = json.dumps([dict(settings), known], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """The journal of a run.

    Parameters
    ----------
    path
        The file, or None for a run that cannot be continued.
    run
        The run's `fingerprint`.
    resume
        Whether to go on with what is there.
    anew
        Whether what is there may be of another run, and is then given up.

    Attributes
    ----------
    last
        Where an earlier process came to, or None.

    Raises
    ------
    ConfigError
        When another process writes the same output, or the journal is of another run.
    """

    def __init__(self, path: Path | None, run: str, *, resume: bool, anew: bool = False) -> None:
        self._path, self._anew = path, anew
        self._title = {"version": _VERSION, "run": run}
        self._saved = False
        self.last: Checkpoint | None = None
        if path is None:
            return
        self._file = _open_locked(path)
        if resume:
            with _closing_on_error(self._file):
                self.last = self._read(path)
        self._saved = self.last is not None
        self._begin()

    def _begin(self) -> None:
        lines = [self._title] + ([vars(self.last)] if self.last else [])
        self._file.seek(0)
        self._file.truncate()
        self._file.write("".join(json.dumps(line) + "\n" for line in lines))
        self._file.flush()

    def _read(self, path: Path) -> Checkpoint | None:
        # What follows the last line feed was cut by the end of a process.
        lines = (line for line in self._file if line.endswith("\n"))
        first, others = next(lines, ""), deque(lines, maxlen=1)
        if not first:
            return None
        try:
            if json.loads(first) != self._title:
                if self._anew:
                    return None
                raise ConfigError(
                    path,
                    "is of another run: the model, the input, the FASTA or an option has changed",
                    expected="the same command on the same files",
                    remedy="begin anew: without --resume, or with --force beside it",
                )
            return _checkpoint(**json.loads(others[-1])) if others else None
        except (ValueError, TypeError) as problem:
            raise ConfigError(
                path, "is damaged", remedy="remove it and run without --resume"
            ) from problem

    def save(self, checkpoint: Checkpoint) -> None:
        """Note that a block is done; the outputs must be on the disk."""
        if self._path is None:
            return
        self._file.write(json.dumps(vars(checkpoint)) + "\n")
        self._file.flush()
        self._saved = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        if self._path is None:
            return
        with self._file:
            if self._saved and is_interruption(error):
                _LOG.warning("interrupted: the same command with --resume goes on")
            else:
                self._path.unlink(missing_ok=True)


def _checkpoint(records: int, marks: dict[str, list[Any]], tally: dict[str, Any]) -> Checkpoint:
    return Checkpoint(records, {name: Mark(*mark) for name, mark in marks.items()}, tally)


def _open_locked(path: Path) -> TextIO:
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as problem:
        output = path.with_name(path.name.removesuffix(JOURNAL_SUFFIX))
        found = f"cannot be written ({problem.strerror or problem})"
        raise ConfigError(output, found, remedy="choose another name") from problem
    lock_file(file, path)
    file.seek(0)
    return file


@contextlib.contextmanager
def _closing_on_error(file: TextIO) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.close()
        raise
