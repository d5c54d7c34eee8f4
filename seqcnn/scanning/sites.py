"""Where along a contig a model's logit is highest, and what in those windows it is about.

Non-maximum suppression
    A window is looked at where its logit reaches the threshold, and none of those whose centre is
    at most 10 bases away has a higher one; of equal ones so close the first.
Place
    Neighbouring windows that hold one site often score alike, wherever in them it is. So all bases
    of such a window are changed, one at a time, and the site is the stretch of 21 bases that does
    most for the logit (the whole window, where that is shorter); where none does anything there
    is no site. Of stretches that overlap the one whose window has the highest logit stays.
Strand
    That of which the window's logit alone is higher; ``.`` where both are equal. A model that
    reads a single strand gives ``+``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.attribution import map_windows
from seqcnn.dna import Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.genome import gather_windows

__all__ = ["Site", "SiteFinder"]

Values = NDArray[np.float64]
Places = NDArray[np.int64]

_WIDTH = 21
_DECIMALS = 6  # what lies below is rounding
_CELLS = 1 << 21  # logits of mutants that are held at a time


@dataclass(frozen=True, slots=True)
class Site:
    """A stretch of a contig, `start` to `end` - 1, and the logit of the window that has it."""

    start: int
    end: int
    strand: str
    logit: float
    task: int


class SiteFinder:
    """Finds the sites of one contig, while its windows are scored.

    Parameters
    ----------
    engine
        The model.
    contig
        Codes of the contig.
    thresholds
        The least logit of a site, for each task (tasks,).
    """

    def __init__(self, engine: Engine, contig: Codes, thresholds: Values) -> None:
        self._engine, self._contig = engine, contig
        self._peaks = [_Peaks(_WIDTH // 2, float(threshold)) for threshold in thresholds]
        single = engine.model.with_rule(strands="single")
        self._single = Engine(single, device=engine.device, threads=engine.threads)

    def add(self, first: int, logits: Values) -> None:
        """Take the logits (bases, tasks) from `first` on, which stand right of all before."""
        for task, peaks in enumerate(self._peaks):
            peaks.add(first, logits[:, task])

    def finish(self) -> list[Site]:
        """Give the sites of the contig, from left to right."""
        sites = [
            site
            for task, peaks in enumerate(self._peaks)
            for site in _without_overlaps(self._locate(task, *peaks.finish()))
        ]
        return sorted(sites, key=lambda site: (site.start, site.task))

    def _locate(self, task: int, centres: Places, logits: Values) -> Iterator[Site]:
        spec, networks = self._engine.spec, self._engine.model.networks
        rows = max(1, _CELLS // (spec.length * 4 * len(spec.tasks) * networks))
        width = min(_WIDTH, spec.length)
        for i in range(0, len(centres), rows):
            starts = centres[i : i + rows] - spec.length // 2
            windows = gather_windows(self._contig, starts, spec.length)
            effects = map_windows(self._engine, windows)[..., task]
            sums = np.cumsum(np.pad(effects, ((0, 0), (1, 0))), axis=1)
            gains = np.round(sums[:, width:] - sums[:, :-width], _DECIMALS)
            matter = np.flatnonzero(gains.max(axis=1) > 0)
            for row, strand in zip(matter, self._tell_strands(windows[matter], task), strict=True):
                start = int(starts[row] + np.argmax(gains[row]))
                yield Site(start, start + width, strand, float(logits[i + row]), task)

    def _tell_strands(self, windows: Codes, task: int) -> list[str]:
        if self._engine.spec.strands == "single":
            return ["+"] * len(windows)
        sides = (windows, reverse_complement(windows))
        forward, reverse = (self._single.predict(side).logits[:, task] for side in sides)
        return [".+-"[int(sign)] for sign in np.sign(forward - reverse)]


class _Peaks:
    """Non-maximum suppression of a stream of values, with a few of them in memory."""

    def __init__(self, radius: int, threshold: float) -> None:
        self._radius, self._threshold = radius, threshold
        self._found: list[tuple[Places, Values]] = []
        self._first = 0  # base of the first value that is held
        self._held = np.zeros(0)
        self._last: int | None = None  # the last peak of these values
        self._open = 0  # how many of those held are settled

    def add(self, first: int, values: Values) -> None:
        if len(self._held) and first != self._first + len(self._held):
            self._settle(is_end=True)
        if not len(self._held):
            self._first, self._open = first, 0
        self._held = np.concatenate([self._held, np.where(np.isnan(values), -np.inf, values)])
        if len(self._held) > 4 * self._radius:
            self._settle(is_end=False)

    def finish(self) -> tuple[Places, Values]:
        """Give the places and the values of all peaks."""
        self._settle(is_end=True)
        places = [np.zeros(0, dtype=np.int64), *(found[0] for found in self._found)]
        values = [np.zeros(0), *(found[1] for found in self._found)]
        return np.concatenate(places), np.concatenate(values)

    def _settle(self, *, is_end: bool) -> None:
        """Decide on all values whose neighbours are known, and let go of what no other needs."""
        held, radius = self._held, self._radius
        stop = len(held) if is_end else max(self._open, len(held) - radius)
        above = self._open + np.flatnonzero(held[self._open : stop] >= self._threshold)
        if len(above):
            edge = np.full(radius, -np.inf)
            padded = np.concatenate([edge, held, edge])
            # Before base i: padded[i : i + radius]; after it: padded[i + radius + 1 : ...].
            largest = _slide_maximum(padded, 2 * radius + 1)
            self._keep(above[held[above] >= largest[above]])
        kept = len(held) if is_end else max(0, stop - radius)
        self._held, self._first = held[kept:], self._first + kept
        self._last = None if is_end else self._last
        self._open = stop - kept

    def _keep(self, peaks: Places) -> None:
        """Keep the first of equal peaks that stand too close."""
        chosen = []
        for peak in peaks.tolist():
            if self._last is None or self._first + peak - self._last > self._radius:
                chosen.append(peak)
                self._last = self._first + peak
        self._found.append((np.array(chosen, dtype=np.int64) + self._first, self._held[chosen]))


def _slide_maximum(values: Values, width: int) -> Values:
    """Give the largest of `width` neighbouring values, from each on that has them."""
    largest, reach = values, 1
    while 2 * reach <= width:
        largest = np.maximum(largest[:-reach], largest[reach:])
        reach *= 2
    rest = width - reach
    return np.maximum(largest[: len(largest) - rest], largest[rest:])


def _without_overlaps(sites: Iterator[Site]) -> list[Site]:
    kept: list[Site] = []
    for site in sorted(sites, key=lambda site: site.start):
        if kept and site.start < kept[-1].end:
            if site.logit > kept[-1].logit:
                kept[-1] = site
        else:
            kept.append(site)
    return kept
