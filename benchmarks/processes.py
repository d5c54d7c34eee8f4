"""The parent's end of a worker process."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.environments import environment_python

__all__ = ["THREADS", "SideError", "Worker", "worker_environment"]

THREADS = 2
"""Threads that every side may use."""

_ROOT = Path(__file__).parent.parent


class SideError(Exception):
    """A side that could not be opened, or broke."""


def worker_environment() -> dict[str, str]:
    """Give the environment variables of every process that is timed.

    Python may keep what it has compiled of the modules, as it does for any user.
    """
    counts = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR")
    limits = {f"{name}_NUM_THREADS": str(THREADS) for name in counts}
    paths = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    kept = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **limits, "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}


class Worker:
    """A side in a process of its own.

    Parameters
    ----------
    target
        ``MODULE:CLASS`` of the side.
    environment
        Environment that it runs in.
    data
        What its benchmark prepared.
    log
        File that takes what it prints.
    """

    def __init__(self, target: str, environment: str, data: dict[str, Any], log: Path) -> None:
        self._log = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [environment_python(environment), "-m", "benchmarks.worker", target],
            cwd=_ROOT,
            env=worker_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            opened = self.ask("open", data=data)
        except SideError:
            self.close()
            raise
        self.versions: dict[str, str] = opened["versions"]
        self.settings: list[dict[str, Any]] = opened["settings"]

    def ask(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Let the side do something, and wait for its answer.

        Raises
        ------
        SideError
            When it broke.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"call": call, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as problem:
            raise SideError(f"its process ended; see {self._log.name}") from problem
        line = self._process.stdout.readline()
        if not line:
            raise SideError(f"its process ended; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SideError(answer["error"])
        return answer

    def answer(self) -> NDArray[np.float64]:
        """Get the numbers that all sides must agree on."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "answer.npy")
            self.ask("answer", path=path)
            return np.asarray(np.load(path))

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()
