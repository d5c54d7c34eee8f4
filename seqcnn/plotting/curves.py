"""Curves of a training and of its test data.

Their colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

__all__ = [
    "plot_histogram",
    "plot_history",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
    "plot_scatter",
    "plot_sides",
]

Values = NDArray[np.floating]
Curve = tuple[Values, ...]

_LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINE_STYLES = ("-", "--", ":", "-.")
_LONGEST_LEGEND = 14
_MOST_MARKERS = 60
_MOST_BANDS = 3
_MARKERS = ("o", "s", "^", "D")


def plot_history(
    axes: Axes, rows: Sequence[Mapping[str, object]], *, score_name: str = "validation score"
) -> None:
    """Draw the losses of a training run, and a validation score, if any, on a second axis.

    Parameters
    ----------
    axes
        Where to draw.
    rows
        Mappings with ``step``, ``train_loss``, ``validation_loss`` and ``validation_score``. A
        value that is absent, None or NaN is left out.
    score_name
        What the score is, such as ``validation AUROC``.
    """
    series = [(axes, "train_loss", "training loss"), (axes, "validation_loss", "validation loss")]
    if any(not math.isnan(_real(row.get("validation_score"))) for row in rows):
        series.append((axes.twinx(), "validation_score", score_name))
    lines = []
    for number, (side, key, label) in enumerate(series):
        points = [(_real(row.get("step")), _real(row.get(key))) for row in rows]
        known = [point for point in points if not math.isnan(sum(point))]
        steps, values = zip(*known, strict=True) if known else ((), ())
        lines += side.plot(
            steps,
            values,
            color=_LINE_COLOURS[number],
            linestyle=_LINE_STYLES[number],
            marker="." if len(steps) <= _MOST_MARKERS else "",
            label=label,
        )
        side.set_ylabel("loss" if side is axes else label, parse_math=False)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(lines), frameon=False
    )


def _real(value: object) -> float:
    return float(value) if isinstance(value, int | float | np.number) else math.nan


def plot_roc(
    axes: Axes, curves: Mapping[str, Curve], *, bands: Mapping[str, Curve] | None = None
) -> None:
    """Draw receiver operating characteristics, and the diagonal of a blind guess.

    Parameters
    ----------
    axes
        Where to draw.
    curves
        For each name the false and the true positive rate, in order.
    bands
        For some names horizontal places, and the lower and upper end of an interval there.
    """
    axes.plot((0, 1), (0, 1), color="0.7", linestyle=":", linewidth=1)
    _shade(axes, curves, bands)
    _plot_curves(axes, curves, drawstyle="default")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")


def plot_precision_recall(
    axes: Axes, curves: Mapping[str, Curve], *, bands: Mapping[str, Curve] | None = None
) -> None:
    """Draw precision against recall, in steps, because between two thresholds nothing is known.

    Parameters
    ----------
    axes
        Where to draw.
    curves
        For each name recall and precision, in order of recall, rising or falling. Each
        precision holds from the next smaller recall to its own.
    bands
        As for `plot_roc`.

    References
    ----------
    Davis J, Goadrich M (2006) ICML 23:233. https://doi.org/10.1145/1143844.1143874
    """
    rising = {name: recall[0] <= recall[-1] for name, (recall, _) in curves.items()}
    ordered = {
        name: (recall, precision) if rising[name] else (recall[::-1], precision[::-1])
        for name, (recall, precision) in curves.items()
    }
    _shade(axes, curves, bands)
    _plot_curves(axes, ordered, drawstyle="steps-pre")
    axes.set(xlabel="recall", ylabel="precision")


def _shade(axes: Axes, curves: Mapping[str, Curve], bands: Mapping[str, Curve] | None) -> None:
    """Shade intervals, unless there are too many to tell apart."""
    if bands and len(curves) <= _MOST_BANDS:
        for number, name in enumerate(curves):
            if name in bands:
                colour = _LINE_COLOURS[number % len(_LINE_COLOURS)]
                places, low, high = bands[name]
                axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)


def _plot_curves(
    axes: Axes, curves: Mapping[str, Curve], *, drawstyle: Literal["default", "steps-pre"]
) -> None:
    lines = []
    for number, (name, (horizontal, vertical)) in enumerate(curves.items()):
        lines += axes.plot(
            horizontal,
            vertical,
            color=_LINE_COLOURS[number % len(_LINE_COLOURS)],
            linestyle=_LINE_STYLES[number % len(_LINE_STYLES)],
            drawstyle=drawstyle,
            label=name,
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)
    _add_legend(axes, lines)


def _add_legend(axes: Axes, lines: Sequence[Line2D]) -> None:
    """Name the lines, unless they are too many to tell apart or one without a name."""
    named = [line for line in lines if not str(line.get_label()).startswith("_")]
    if 0 < len(named) <= _LONGEST_LEGEND:
        for text in axes.legend(handles=named, frameon=False, fontsize=8).get_texts():
            text.set_parse_math(False)  # a dollar in a user's name starts no formula


def plot_scatter(axes: Axes, observed: Values, predicted: Values) -> None:
    """Draw predicted against observed values, and the diagonal where both are equal.

    Parameters
    ----------
    axes
        Where to draw.
    observed, predicted
        Values (n,) of one task, in its own units.
    """
    axes.axline((0, 0), slope=1, color="0.7", linestyle=":", linewidth=1)
    axes.plot(
        observed, predicted, ".", color=_LINE_COLOURS[0], alpha=0.4, markeredgewidth=0,
        rasterized=True,
    )  # fmt: skip
    axes.set(xlabel="observed", ylabel="predicted")
    axes.spines[["top", "right"]].set_visible(False)


def plot_reliability(axes: Axes, sides: Mapping[str, Curve]) -> None:
    """Draw how often what was told with a probability came true, and the diagonal of a true word.

    Parameters
    ----------
    axes
        Where to draw.
    sides
        For each name the probability told, the share that came true, and the number of
        sequences, of which the larger marks have more.
    """
    axes.plot((0, 1), (0, 1), color="0.7", linestyle=":", linewidth=1)
    lines = []
    for number, (name, (told, came, counts)) in enumerate(sides.items()):
        colour, marker = _LINE_COLOURS[number], _MARKERS[number % len(_MARKERS)]
        style = _LINE_STYLES[number % len(_LINE_STYLES)]
        lines += axes.plot(told, came, color=colour, linestyle=style, linewidth=1, label=name)
        sizes = 10 + 70 * np.sqrt(counts / counts.max())
        axes.scatter(told, came, s=sizes, color=colour, marker=marker, alpha=0.7, linewidth=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set(xlabel="probability told", ylabel="share that came true")
    axes.spines[["top", "right"]].set_visible(False)
    _add_legend(axes, lines)


def plot_sides(
    axes: Axes, rows: Sequence[tuple[str, float, float | None, float | None]], *, name: str
) -> None:
    """Draw a value with its interval for each of several sides, from the top down.

    Parameters
    ----------
    axes
        Where to draw.
    rows
        Name, value, lower and upper end; ends may be missing.
    name
        What the value is.
    """
    for place, (_, value, low, high) in enumerate(rows):
        if low is not None and high is not None:
            axes.plot((low, high), (place, place), color="0.45", linewidth=2)
        axes.plot((value,), (place,), "o", color=_LINE_COLOURS[0])
        axes.annotate(
            f"{value:.3f}", (value, place), xytext=(0, 6), textcoords="offset points", ha="center",
            fontsize=8,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row[0] for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.8)
    axes.set_xlabel(name)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def plot_histogram(axes: Axes, counts: Values, edges: Values, *, name: str) -> None:
    """Draw how often values fall between edges, on a logarithmic scale.

    Parameters
    ----------
    axes
        Where to draw.
    counts, edges
        Numbers (bins,), and the ends of the bins (bins + 1,).
    name
        What the values are.
    """
    axes.stairs(counts, edges, fill=True, color=_LINE_COLOURS[0])
    axes.set_yscale("symlog", linthresh=1)
    axes.set(xlabel=name, ylabel="records")
    axes.set_ylim(bottom=0)
    axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
    axes.spines[["top", "right"]].set_visible(False)
