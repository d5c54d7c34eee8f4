"""Checkpoints: how far a long work has come, so that a later process can go on where it ended.

What is not whole yet stands beside the folder that is to be made, in ``NAME.partial/``: the files
of that folder, ``run.json`` (what run it is of; locked while a process writes there), and in
``checkpoints/`` a safetensors file for each part of the work. A checkpoint is replaced as a whole,
and holds numbers and JSON only: nothing in it can be executed.
"""

import contextlib
import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from seqcnn.errors import ConfigError
from seqcnn.files import replace_directory, whole_file
from seqcnn.linefiles import is_interruption, lock_file, partial_path

__all__ = ["PARTIAL_FILES", "Checkpoints", "State", "checkpoint_folder", "resumable_directory"]

_LOG = logging.getLogger(__name__)

_TITLE, _FOLDER = "run.json", "checkpoints"
PARTIAL_FILES = (_TITLE, _FOLDER)
"""What stands in a partial folder beside that which is to be made."""

_VERSION = 1
_METADATA = "seqcnn"


@dataclass(frozen=True)
class State:
    """Where a work stands: arrays by name, and values that JSON can hold."""

    arrays: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]

    def within(self, prefix: str) -> "State":
        """Take the part that was put in with `joined`."""
        start = f"{prefix}/"
        arrays = {
            name.removeprefix(start): array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }
        return State(arrays, self.values[prefix])

    @classmethod
    def joined(cls, parts: Mapping[str, "State"]) -> "State":
        """Put states together, each under a name of its own."""
        arrays = {
            f"{prefix}/{name}": array
            for prefix, part in parts.items()
            for name, array in part.arrays.items()
        }
        return cls(arrays, {prefix: dict(part.values) for prefix, part in parts.items()})


class Checkpoints:
    """The checkpoints of a run, one for each part of the work.

    Parameters
    ----------
    folder
        Where they are.
    run
        What run they are of: one text for all that decides on its result.
    clock
        Gives seconds.
    seconds
        After which `due` asks for a checkpoint.
    writes
        Whether anything is saved; else checkpoints are only read.

    Attributes
    ----------
    kept
        Whether what is not whole stays, whatever ends the process.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        *,
        clock: Callable[[], float] = lambda: 0.0,
        seconds: float = 300.0,
        writes: bool = True,
    ) -> None:
        self._folder, self._run = folder, run
        self._clock, self._seconds = clock, seconds
        self._written: dict[str, float] = {}
        self._lock = threading.Lock()
        self.writes, self.kept = writes, False

    @property
    def exist(self) -> bool:
        """Whether there is anything to go on with."""
        return any(self._folder.glob("*.safetensors"))

    def due(self, name: str) -> bool:
        """Tell whether it is long ago that a part was saved."""
        with self._lock:
            return self._clock() - self._written.setdefault(name, self._clock()) > self._seconds

    def write(self, name: str, state: State) -> None:
        """Save where a part stands; the earlier checkpoint stays until this one is whole."""
        if not self.writes:
            return
        arrays = {key: np.asarray(array, order="C") for key, array in state.arrays.items()}
        content = {"version": _VERSION, "run": self._run, "values": dict(state.values)}
        text = json.dumps(content | {"sha256": _digest(content, arrays)})
        self._folder.mkdir(exist_ok=True)
        with whole_file(self._path(name)) as partial:
            save_file(arrays, partial, metadata={_METADATA: text})
        with self._lock:
            self._written[name] = self._clock()

    def read(self, name: str) -> State | None:
        """Give where a part stood when it was saved last, or None.

        Raises
        ------
        ConfigError
            For a checkpoint of another run, or a damaged one.
        """
        path = self._path(name)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="numpy") as handle:
                content = json.loads((handle.metadata() or {})[_METADATA])
                arrays = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
            digest = content.pop("sha256")
        except (SafetensorError, OSError, KeyError, ValueError, AttributeError) as problem:
            raise _damaged(path) from problem
        if digest != _digest(content, arrays):
            raise _damaged(path)
        if (content["version"], content["run"]) != (_VERSION, self._run):
            raise _foreign(path)
        return State(arrays, content["values"])

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"


def _digest(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _damaged(path: Path) -> ConfigError:
    return ConfigError(path, "the checkpoint is damaged", remedy="run without --resume")


def _foreign(path: Path) -> ConfigError:
    return ConfigError(
        path,
        "is of another run: the data, an option, the kind of device or the version has changed",
        expected="the same command on the same files",
        remedy="begin anew: without --resume, or with --force beside it",
    )


def checkpoint_folder(path: Path) -> Path:
    """Say where the checkpoints are as long as the folder `path` is not whole."""
    return partial_path(path) / _FOLDER


@contextlib.contextmanager
def resumable_directory(
    path: Path,
    run: str,
    *,
    resume: bool,
    anew: bool = False,
    clock: Callable[[], float] = lambda: 0.0,
) -> Iterator[tuple[Path, Checkpoints]]:
    """Give a folder to fill that replaces `path` when the block ends well, and its checkpoints.

    After an interruption it stays beside `path`, as ``NAME.partial``, if there is a checkpoint in
    it; after an error it does not, unless `Checkpoints.kept` says so.

    Parameters
    ----------
    path
        The folder to make.
    run
        What run it is of: one text for all that decides on its result.
    resume
        Go on with what an earlier process left; else that is removed.
    anew
        What is to be gone on with may be of another run, and is then removed.
    clock
        Gives seconds, by which checkpoints become due.

    Raises
    ------
    ConfigError
        When nothing can be written there, another process writes there, or what is to be gone on
        with is of another run.
    """
    partial = partial_path(path)
    title = _open_title(partial, path)
    with title:
        checkpoints = Checkpoints(checkpoint_folder(path), run, clock=clock)
        _begin(title, partial, run, resume=resume, anew=anew)
        if resume:
            found = checkpoints.exist
            _LOG.info("going on" if found else "nothing to go on with: beginning anew")
        try:
            yield partial, checkpoints
        except BaseException as error:
            _clean_up(partial, checkpoints, error)
            raise
        shutil.rmtree(partial / _FOLDER, ignore_errors=True)
        (partial / _TITLE).unlink()
        replace_directory(partial, path.resolve())


def _open_title(partial: Path, path: Path) -> IO[str]:
    try:
        partial.mkdir(exist_ok=True)
        title = (partial / _TITLE).open("a+", encoding="utf-8")
    except OSError as problem:
        found = f"cannot be written ({problem.strerror or problem})"
        raise ConfigError(path, found, remedy="choose another name") from problem
    lock_file(title, partial / _TITLE)
    return title


def _begin(title: IO[str], partial: Path, run: str, *, resume: bool, anew: bool) -> None:
    content = {"version": _VERSION, "run": run}
    title.seek(0)
    found = title.read()
    if resume and found:
        try:
            known = json.loads(found)
        except ValueError as problem:
            raise _damaged(partial / _TITLE) from problem
        if known == content:
            for cut in (partial / _FOLDER).glob(".*.partial"):  # a process was killed as it wrote
                cut.unlink()
            return
        if not anew:
            raise _foreign(partial)
    for item in partial.iterdir():
        if item.name != _TITLE:
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    title.seek(0)
    title.truncate()
    title.write(json.dumps(content))
    title.flush()


def _clean_up(partial: Path, checkpoints: Checkpoints, error: BaseException) -> None:
    if is_interruption(error) and checkpoints.exist:
        _LOG.warning("interrupted: the same command with --resume goes on")
    elif not checkpoints.kept:
        shutil.rmtree(partial, ignore_errors=True)
