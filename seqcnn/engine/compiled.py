"""Loops compiled to machine code: one decorator for all of them."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compile_kernel"]

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
    return cast("Kernel", compiled)
