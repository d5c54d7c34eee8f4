"""ratios.png and growth.png, drawn from results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import pair_ratios, spread
from benchmarks.tables import format_number

__all__ = ["plot_growth", "plot_ratios"]

_BLUE, _GREY = "#3b6ea8", "#8a8a8a"


def plot_ratios(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw each row's ratio with its range, and a mark where the aim is."""
    from matplotlib.figure import Figure

    rows = [
        (f"{result['name']}: {peer['label']}", peer, ratios)
        for result in results
        for peer in result["peers"]
        if (ratios := _ratios(result, peer))
    ]
    if not rows:
        return
    figure = Figure(figsize=(10, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for y, (_, peer, ratios) in enumerate(rows):
        middle, low, high = spread(ratios)
        colour = _GREY if peer.get("limit") else _BLUE
        axes.plot([1, middle], [y, y], color=colour, linewidth=5, solid_capstyle="butt", alpha=0.5)
        axes.plot([low, high], [y, y], color=colour, linewidth=1.5)
        axes.plot([middle], [y], "o", color=colour, markersize=5)
        if peer["aim"] is not None:
            axes.plot([peer["aim"]], [y], "|", color="black", markersize=13, markeredgewidth=2)
    axes.axvline(1, color=_GREY, linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the peer")
    figure.suptitle("thin line: lowest to highest; black: the aim; grey: a limit", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _ratios(result: Mapping[str, Any], peer: Mapping[str, Any]) -> list[float]:
    if result["subject"].get("missing") or peer.get("missing"):
        return []
    return pair_ratios(result["subject"]["runs"], peer["runs"])


def plot_growth(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw seqcnn's time against the amount of work, with a line of slope 1 through the last."""
    from matplotlib.figure import Figure

    grown = [result for result in results if _points(result)]
    if not grown:
        return
    columns = min(4, len(grown))
    rows = -(-len(grown) // columns)
    figure = Figure(figsize=(3.3 * columns, 3.1 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    # Not the other way round: that would take one panel more.
    for result, axes in zip(grown, panels, strict=False):
        points = _points(result)
        units = [point[0] for point in points]
        last_units, last_seconds = points[-1][0], points[-1][1][0]
        line = [last_seconds * n / last_units for n in units]
        axes.plot(units, line, color=_GREY, linewidth=1)
        for number, (middle, low, high) in points:
            axes.errorbar(
                [number], [middle], yerr=[[middle - low], [high - middle]], fmt="o", color=_BLUE
            )
        axes.set(xscale="log", yscale="log", title=result["name"])
        axes.set(xlabel=result["unit"], ylabel="seconds")
        axes.set_xticks(units, [format_number(n) for n in units])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(panels):
        axes.set_visible(False)
    figure.suptitle("grey: time proportional to the work", fontsize=10)
    figure.savefig(path, dpi=110)


def _points(result: Mapping[str, Any]) -> list[tuple[float, tuple[float, float, float]]]:
    """Give (units, spread of the seconds) of each size."""
    return [
        (point["runs"][0]["units"], spread([run["seconds"] for run in point["runs"]]))
        for point in result["growth"]
        if point["runs"]
    ]
