"""Sharing work out to threads, with results in order and bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_in_order"]

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_PIECES_AHEAD = 4


def map_in_order(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    *,
    threads: int,
    ahead: int = _PIECES_AHEAD,
    prepare: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """Apply `work` to pieces in several threads; yield the results in the order of the pieces.

    Parameters
    ----------
    work
        What to do with a piece, without Python's lock for the most part.
    pieces
        Only a few are taken ahead of the result that is awaited.
    threads
        How many threads.
    ahead
        Pieces for each thread that are taken ahead.
    prepare
        Called in each thread as it starts.
    """
    pool = ThreadPoolExecutor(threads, initializer=prepare)
    try:
        # Not pool.map: it would make a task of every piece before the first one is done.
        taken: deque[Future[Result]] = deque()
        for piece in pieces:
            taken.append(pool.submit(work, piece))
            if len(taken) > ahead * threads:
                yield taken.popleft().result()
        while taken:
            yield taken.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
