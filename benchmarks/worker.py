"""The child process of a side: reads requests, one JSON line each, and answers them so.

Run as ``python -m benchmarks.worker MODULE:CLASS``. Beside the standard library only numpy is
imported here: the environments of the peers have no more in common.
"""

import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterable
from typing import Any

import numpy as np

_TOLD = ("torch", "numpy", "numba", "pandas", "pysam", "pyfaidx", "tangermeme", "selene-sdk")


def main() -> None:
    # What the peers print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    child = Child(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(child, request["call"])(**request["arguments"])
        except Exception as problem:
            traceback.print_exc()
            text = " ".join(f"{type(problem).__name__}: {problem}".split())
            answer = {"error": text[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Child:
    """One side, made by `open`; the other methods are what a parent may ask of it."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.side: Any = None

    def open(self, data: dict[str, Any]) -> dict[str, Any]:
        module, name = self.target.split(":")
        self.side = getattr(importlib.import_module(module), name)(data)
        return {
            "versions": list_versions(),
            "settings": getattr(self.side, "settings", []),
        }

    def choose(self, setting: dict[str, Any]) -> dict[str, Any]:
        self.side.choose(setting)
        return {}

    def answer(self, path: str) -> dict[str, Any]:
        np.save(path, np.asarray(self.side.answer(), dtype=np.float64))
        return {}

    def run(self, size: int) -> dict[str, Any]:
        start = time.perf_counter()
        done = self.side.run(size)
        seconds = time.perf_counter() - start
        # A side may say itself what counts, where it has a part that must not.
        return done if isinstance(done, dict) else {"units": done, "seconds": seconds}


def list_versions(names: Iterable[str] = _TOLD) -> dict[str, str]:
    """Name the versions of Python and of those of some packages that are there."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
