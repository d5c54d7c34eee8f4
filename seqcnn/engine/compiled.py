"""Loops compiled to machine code: one decorator for all of them."""

import contextlib
import functools
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys

__all__ = ["compile_kernel"]

_log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compile_kernel(function: Kernel) -> Kernel:
    """Compile a function of numbers and arrays when it is first called, without Python's lock.

    The machine code is kept beside the source, or in the user's cache directory; where neither
    can be written, each process compiles anew. No fast-math: sums are taken in the order in
    which they are written.
    """
    compiled: Any = numba.njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # numba finds no place for its cache
        compiled._cache = _Cache(function)
    return cast("Kernel", compiled)


class _Cache(FunctionCache):
    """numba's cache of machine code, which for these very sources is valid, and is sooner loaded.

    numba looks at the file of the function alone, but functions of other files are built into
    it: after an edit of one of those, old code would run. And before it loads anything it gets
    ready to compile, which takes half a second.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        if hasattr(self._cache_file, "_source_stamp"):
            self._cache_file._source_stamp = _digest_sources()

    def load_overload(self, sig: object, target_context: Any) -> object:
        """See numba."""
        rtsys.initialize(target_context)  # what the code itself calls
        cache: Any = super()
        with self._guard_against_spurious_io_errors():
            return cache._load_overload(sig, target_context)


class _Notice(event.Listener):
    """Says, once, why nothing seems to happen."""

    _given = False

    def on_start(self, event: object) -> None:  # noqa: ARG002
        """See numba."""
        if not _Notice._given:
            _Notice._given = True
            _log.info("compiling loops for this processor, for this and later runs")

    def on_end(self, event: object) -> None:
        """See numba."""


event.register("numba:compile", _Notice())  # type: ignore[no-untyped-call]


@functools.cache
def _digest_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.glob("*/*.py")):
        text = path.read_bytes()
        if compile_kernel.__name__.encode() in text:
            digest.update(text)
    return digest.hexdigest()
