"""Parallel coordinates: what was tried, a line each, across the scales of all settings."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

__all__ = ["plot_coordinates"]

Values = Sequence[float | str]
Places = NDArray[np.float64]

_BEST_COLOUR, _NONE_COLOUR = "#D55E00", "#BBBBBB"
_MOST_TICKS = 5
_MARGIN = 0.04
_CLOSEST = 0.06
"""Share of a scale below which two of its marks would overlap."""
_PAPER = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8}


def plot_coordinates(
    axes: Axes, columns: Mapping[str, Values], scores: Sequence[float], *, logarithmic: set[str]
) -> None:
    """Draw a line for each trial through its value on each column's own scale.

    Parameters
    ----------
    axes
        Where to draw.
    columns
        Values (trials,) by the name of the setting: numbers, or words in the order of their
        first appearance.
    scores
        Of each trial, the lower the better: they make the last column, and the colours. One
        that is not finite is grey, and has no place on the last column.
    logarithmic
        Columns of positive numbers on a logarithmic scale.
    """
    values = np.asarray(scores, dtype=np.float64)
    sound = np.isfinite(values)
    named = {**columns, "score (low is good)": [float(score) for score in scores]}
    places = np.stack(
        [
            _draw_column(axes, number, column, logarithmic=name in logarithmic)
            for number, (name, column) in enumerate(named.items())
        ]
    )  # (columns, trials)
    scored = np.flatnonzero(sound)  # of equal ones the first is the best, and drawn last
    order = [*np.flatnonzero(~sound), *scored[np.lexsort((-scored, -values[scored]))]]
    colours = colormaps["viridis"](np.linspace(0.95, 0.15, max(int(sound.sum()), 1)))
    shades = iter(colours)
    for rank, trial in enumerate(order, start=1):
        best = bool(sound[trial]) and rank == len(order)
        colour = _BEST_COLOUR if best else (next(shades) if sound[trial] else _NONE_COLOUR)
        seen = slice(None) if sound[trial] else slice(0, -1)
        axes.plot(
            np.arange(len(named))[seen],
            places[seen, trial],
            color=colour,
            linewidth=2.6 if best else 1.1,
            alpha=1.0 if best else 0.75,
            zorder=3 if best else 2,
            marker="o",
            markersize=4 if best else 2.5,
        )
    _finish(axes, list(named))


def _finish(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xlim(-0.3, len(names) - 0.3)
    axes.set_ylim(-_MARGIN - 0.02, 1 + _MARGIN + 0.02)
    axes.set_xticks(range(len(names)), names, rotation=25, ha="right")
    axes.tick_params(length=0)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_column(axes: Axes, number: int, column: Values, *, logarithmic: bool) -> Places:
    """Draw the scale of a column; give the places (trials,) of its values, from 0 to 1."""
    words = list(dict.fromkeys(column))
    if any(isinstance(value, str) for value in column):
        raw = np.array([words.index(value) for value in column], dtype=np.float64)
        ticks = {str(word): float(place) for place, word in enumerate(words)}
    else:
        raw = np.array([float(value) for value in column])
        raw = np.log10(raw) if logarithmic else raw
        ticks = _ticks(raw, logarithmic=logarithmic)
    known = [*raw[np.isfinite(raw)], *ticks.values()]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    span = high - low
    axes.axvline(number, color="0.35", linewidth=0.8, zorder=1)
    for text, place in ticks.items():
        y = (place - low) / span if span else 0.5
        axes.plot([number - 0.02, number], [y, y], color="0.35", linewidth=0.8, zorder=1)
        axes.annotate(
            text, (number - 0.04, y), ha="right", va="center", fontsize=7, zorder=4, bbox=_PAPER
        )
    return np.asarray((raw - low) / span if span else np.where(np.isfinite(raw), 0.5, np.nan))


def _ticks(raw: Places, *, logarithmic: bool) -> dict[str, float]:
    """Choose round numbers, by their spelling, where a column's scale is marked."""
    known = raw[np.isfinite(raw)]
    if not len(known):
        return {}
    low, high = float(known.min()), float(known.max())
    if low == high:
        return {f"{10**low if logarithmic else low:.5g}": low}
    if not logarithmic:
        few = sorted(set(known.tolist()))
        if len(few) <= _MOST_TICKS and min(np.diff(few)) > _CLOSEST * (high - low):
            return {f"{value:.5g}": value for value in few}
        marks = MaxNLocator(_MOST_TICKS - 1).tick_values(low, high)
        return {f"{value:.5g}": float(value) for value in marks if low <= value <= high}
    marks = LogLocator(numticks=_MOST_TICKS).tick_values(10**low, 10**high)
    kept = [math.log10(value) for value in marks if low <= math.log10(value) <= high]
    return {f"{10**value:.5g}": value for value in (kept if len(kept) > 1 else [low, high])}
