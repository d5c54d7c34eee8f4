"""Loops compiled to machine code: one decorator for all of them."""

import functools
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

__all__ = ["compile_kernel"]

_log = logging.getLogger(__name__)

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compile_kernel(function: Kernel) -> Kernel:
    """Compile a function of numbers and arrays when it is first called, without Python's lock.

    The machine code is kept beside the source, or in the user's cache directory; where neither
    can be written, each process compiles anew. No fast-math: sums are taken in the order in
    which they are written.
    """
    try:
        compiled = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no place for its cache
        compiled = numba.njit(nogil=True)(function)
    else:
        _tie_to_sources(compiled)
    return cast("Kernel", compiled)


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


def _tie_to_sources(compiled: Any) -> None:
    """Let kept machine code be valid for these very sources.

    numba looks at the file of the function alone, but functions of other files are built into
    it: after an edit of one of those, old code would run.
    """
    kept: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = _digest_sources()


@functools.cache
def _digest_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.glob("*/*.py")):
        text = path.read_bytes()
        if compile_kernel.__name__.encode() in text:
            digest.update(text)
    return digest.hexdigest()
