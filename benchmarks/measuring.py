"""Measuring the sides of a benchmark in turns, and the arithmetic of it."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import InstallationError
from benchmarks.processes import SideError, Worker

__all__ = [
    "TOLERANCE",
    "Benchmark",
    "Peer",
    "Sizes",
    "largest_difference",
    "measure",
    "pair_ratios",
    "rates",
    "spread",
]

_REST = 0.4
"""Seconds between turns: the threads of the side before spin on for a while."""

TOLERANCE = 1e-3
"""Largest difference, relative to numbers above 1, up to which a side does the same work."""


@dataclass(frozen=True)
class Sizes:
    """Units of work: of a timed repetition, and of one that is only tried."""

    run: int
    trial: int


@dataclass(frozen=True)
class Peer:
    """What seqcnn is held against.

    Attributes
    ----------
    label
        Its name in the table.
    target
        ``MODULE:CLASS`` of its side.
    sizes, quick
        Work of a repetition, ordinarily and with ``--quick``.
    environment
        Where it runs.
    aim
        The ratio asked for; None where none is.
    compared
        Whether it gives numbers to be compared: a limit of the machine does not.
    """

    label: str
    target: str
    sizes: Sizes
    quick: Sizes
    environment: str = ""
    aim: float | None = None
    compared: bool = True


@dataclass(frozen=True)
class Benchmark:
    """One kind of work, done by seqcnn and by its peers.

    Attributes
    ----------
    name
        Its name on the command line.
    work
        The work, in words.
    unit
        What is counted.
    per
        ``s`` or ``h``: a second's rates in the table, or an hour's.
    prepare
        Makes the data in a folder, for a ``--quick`` run or not; gives what the sides are
        made from, and maybe a ``note`` on them for the table.
    subject
        seqcnn.
    peers
        The others.
    growth, quick_growth
        Sizes 1, 4 and 16 times; none where growth is not looked at.
    repeats, growth_repeats
        Timed repetitions.
    smoke
        Whether ``--quick`` alone runs it.
    """

    name: str
    work: str
    unit: str
    prepare: Callable[[Path, bool], dict[str, Any]]
    subject: Peer
    peers: Sequence[Peer]
    growth: Sequence[int] = ()
    quick_growth: Sequence[int] = ()
    repeats: int = 5
    growth_repeats: int = 3
    smoke: bool = False
    per: str = "s"


Run = dict[str, float]
"""``units`` done in ``seconds``."""


@dataclass
class _Side:
    """A peer at work: its process, and what is known of it so far."""

    peer: Peer
    worker: Worker
    notes: dict[str, Any] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)


# --- arithmetic --------------------------------------------------------------------------------


def rates(runs: Sequence[Mapping[str, float]]) -> list[float]:
    """Give the units a second of each run."""
    return [run["units"] / run["seconds"] for run in runs]


def pair_ratios(
    subject: Sequence[Mapping[str, float]], peer: Sequence[Mapping[str, float]]
) -> list[float]:
    """Divide the rates of runs that followed each other."""
    return [a / b for a, b in zip(rates(subject), rates(peer), strict=True)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Give the median, the lowest and the highest value."""
    return statistics.median(values), min(values), max(values)


def largest_difference(left: Any, right: Any) -> float:
    """Compare two arrays of one shape; NaN is equal to nothing.

    Raises
    ------
    ValueError
        For arrays of different shapes.
    """
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{b.shape} numbers, where seqcnn has {a.shape}")
    if not a.size:
        return 0.0
    difference = float(np.abs(a - b).max())
    return float("inf") if np.isnan(difference) else difference


# --- measuring ---------------------------------------------------------------------------------


def measure(benchmark: Benchmark, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark.

    Parameters
    ----------
    benchmark
        What to run.
    folder
        Where data and logs go.
    quick
        Little work and two repetitions.

    Returns
    -------
    dict
        What goes into NAME.json, without machine and date.
    """
    folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "name": benchmark.name,
        "work": benchmark.work,
        "unit": benchmark.unit,
        "per": benchmark.per,
        "quick": quick,
        "growth": [],
    }
    sides: list[_Side] = []
    try:
        data = benchmark.prepare(folder, quick)
        if "note" in data:
            result["work"] += f", {data['note']}"
        subject, result["subject"] = _open(benchmark.subject, data, folder, quick=quick)
        opened = [_open(peer, data, folder, quick=quick) for peer in benchmark.peers]
        sides = [side for side, _ in (*opened, (subject, {})) if side]
        result["peers"] = [notes for _, notes in opened]
        if subject:
            _compare(subject, [side for side, _ in opened if side])
            fit = [side for side, notes in opened if side and "missing" not in notes]
            _take_turns([subject, *fit], repeats=2 if quick else benchmark.repeats, quick=quick)
            sizes = benchmark.quick_growth if quick else benchmark.growth
            result["growth"] = _grow(
                subject, sizes, repeats=1 if quick else benchmark.growth_repeats
            )
    finally:
        for side in sides:
            side.worker.close()
    return result


def _open(
    peer: Peer, data: dict[str, Any], folder: Path, *, quick: bool
) -> tuple[_Side | None, dict[str, Any]]:
    """Start a side and let it choose its best setting; where it cannot, note why."""
    notes: dict[str, Any] = {"label": peer.label, "aim": peer.aim, "limit": not peer.compared}
    print(f"  {peer.label}", file=sys.stderr)
    try:
        log = folder / f"{peer.target.split(':')[1]}.log"
        worker = Worker(peer.target, peer.environment, data, log)
    except (SideError, InstallationError) as problem:
        return None, notes | {"missing": str(problem)}
    side = _Side(peer, worker, notes)
    notes["versions"], notes["runs"] = worker.versions, side.runs
    try:
        sizes = peer.quick if quick else peer.sizes
        notes["tried"] = _try_settings(worker, sizes.trial)
        if notes["tried"]:
            notes["setting"] = max(notes["tried"], key=lambda tried: tried["rate"])["setting"]
            worker.ask("choose", setting=notes["setting"])
    except SideError as problem:
        worker.close()
        return None, notes | {"missing": str(problem)}
    return side, notes


def _try_settings(worker: Worker, size: int) -> list[dict[str, Any]]:
    """Measure all settings on little work, in turns and twice, after a run not counted."""
    if worker.settings:
        worker.ask("run", size=size)
    tried: list[dict[str, Any]] = [{"setting": each, "rate": 0.0} for each in worker.settings]
    for _ in range(2):
        for each in tried:
            try:
                worker.ask("choose", setting=each["setting"])
                each["rate"] = max(each["rate"], *rates([worker.ask("run", size=size)]))
            except SideError as problem:  # this setting cannot be had
                each["error"] = str(problem)
    if tried and all("error" in each for each in tried):
        raise SideError(tried[0]["error"])
    return tried


def _compare(subject: _Side, sides: Sequence[_Side]) -> None:
    """Note how far each side's numbers are from seqcnn's; one that does other work is out."""
    try:
        expected = subject.worker.answer()
    except SideError as problem:
        subject.notes["missing"] = str(problem)
        return
    for side in sides:
        if not side.peer.compared:
            continue
        try:
            difference = largest_difference(expected, side.worker.answer())
        except (SideError, ValueError) as problem:
            side.notes["missing"] = str(problem)
            continue
        side.notes["difference"] = difference
        if difference > TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0))):
            side.notes["missing"] = f"its numbers differ by {difference:.2g}: not the same work"


def _take_turns(sides: Sequence[_Side], *, repeats: int, quick: bool) -> None:
    """Time A B C A B C ..., after a round that is not counted."""
    if "missing" in sides[0].notes:  # seqcnn itself
        return
    for repeat in range(-1, repeats):
        for side in sides:
            sizes = side.peer.quick if quick else side.peer.sizes
            time.sleep(_REST)
            try:
                run = side.worker.ask("run", size=sizes.trial if repeat < 0 else sizes.run)
            except SideError as problem:
                side.notes["missing"] = str(problem)
                side.runs.clear()
                continue
            if repeat >= 0 and "missing" not in side.notes:
                side.runs.append(run)


def _grow(subject: _Side, sizes: Sequence[int], *, repeats: int) -> list[dict[str, Any]]:
    """Time seqcnn on more and more work, the sizes in turns."""
    grown: list[dict[str, Any]] = [{"size": size, "runs": []} for size in sizes]
    if "missing" not in subject.notes:
        for _ in range(repeats):
            for point in grown:
                point["runs"].append(subject.worker.ask("run", size=point["size"]))
    return grown
