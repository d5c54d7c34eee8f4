"""Progress with rate and remaining time: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["show_progress"]

_log = logging.getLogger("seqcnn.progress")
_SECONDS_BETWEEN_LINES = 30.0


@contextlib.contextmanager
def show_progress(
    what: str,
    total: int | None,
    *,
    unit: str,
    quiet: bool,
    share: Callable[[], float | None] = lambda: None,
) -> Iterator[Callable[[int], None]]:
    """Give a function to call with each amount of work done.

    Where the total is not known, `share` may tell what part of the work is done.
    """

    def estimate(done: int) -> int | None:
        part = None if total else share()
        return round(done / part) if part else total

    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=unit, unit_scale=True, file=sys.stderr) as bar:

            def add(amount: int) -> None:
                bar.total = estimate(int(bar.n) + amount)
                bar.update(amount)

            yield add
    else:
        yield _Lines(what, estimate, unit).add


class _Lines:
    def __init__(self, what: str, total: Callable[[int], int | None], unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self.start = self.said = time.monotonic()

    def add(self, amount: int) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.said < _SECONDS_BETWEEN_LINES:
            return
        self.said = now
        rate = self.done / (now - self.start)
        total = self.total(self.done)
        of = f" of {total}, {(total - self.done) / rate:.0f} s left" if total else ""
        _log.info("%s: %d %ss%s (%.4g/s)", self.what, self.done, self.unit, of, rate)
