"""Draw mutation maps, as DeepBind's paper has them; compute nothing.

The bases of the sequence stand above a heat map with a row for each base. A letter is as high as
its effect: up where the output falls without it, upside down where the output rises. A cell
has the colour of what the substitution does, from blue (loss) over white to red (gain), which
colour-blind readers can tell apart; the sequence's own bases are dots. The axis counts as in
a VCF, from 1. What a variant changes is framed, and motifs that were found stand above.
"""

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from seqcnn.attribution import Gate, MotifHit, MutationMap
from seqcnn.dna import ALPHABETS, UNKNOWN
from seqcnn.plotting import create_figure, plot_letters, save_figure

__all__ = [
    "MapScale",
    "cut_hits",
    "draw_maps",
    "draw_overview",
    "map_svg",
    "plot_mutation_map",
    "plot_overview",
]

_COLOURS = "RdBu_r"
_MOST_COLUMNS = 120
_WIDTH, _ROW_HEIGHT, _HEAD = 12.0, 1.75, 0.75  # inches
_CELL = 0.17  # height of a row of the heat map, where the letters are 1 high
_GAP, _BRACKET, _LABEL = 0.08, 0.1, 0.2
_MOST_TICKS = 10
_INVISIBLE = 1 / 150
_NO_EFFECT = 1e-12
_LETTER = 0.088  # inches of a letter of a title
_NAME_LETTER = 0.062  # of a letter of a motif's name
_FEWEST_LETTERS = 8

_WORDS: dict[Gate, str] = {
    "none": "change of the logit",
    "indicator": "change of the logit, where it is above 0",
    "product": "change of the logit x the larger logit",
}


@dataclass(frozen=True)
class MapScale:
    """One scale for several maps.

    Attributes
    ----------
    delta
        Delta of the darkest colour.
    up, down
        The highest letter, and the lowest one (positive), in the units of delta.
    """

    delta: float
    up: float
    down: float

    @classmethod
    def fit(cls, maps: Sequence[MutationMap], *, gate: Gate = "none") -> "MapScale":
        """Choose the scale that holds the first task of all maps."""
        deltas = [np.abs(each.deltas(gate)[..., 0]).max(initial=0.0) for each in maps]
        effects = [each.effects(gate)[:, 0] for each in maps]
        up = max((float(e.max(initial=0.0)) for e in effects), default=0.0)
        down = max((float(-e.min(initial=0.0)) for e in effects), default=0.0)
        return cls(max(*map(float, deltas), _NO_EFFECT), max(up, _NO_EFFECT), down)


def plot_mutation_map(
    axes: Axes,
    mutation_map: MutationMap,
    *,
    gate: Gate = "none",
    scale: MapScale | None = None,
    hits: Sequence[MotifHit] | None = None,
    columns: int = 0,
) -> None:
    """Draw the first task of a map.

    Parameters
    ----------
    axes
        Where to draw.
    mutation_map
        What to draw; `MutationMap.for_task` chooses the task.
    gate
        See `MutationMap.deltas`.
    scale
        By default that of this map alone.
    hits
        Motifs on its columns; None leaves no room for any.
    columns
        How many columns there is room for; 0: as many as the map has.
    """
    scale = scale or MapScale.fit([mutation_map], gate=gate)
    span = scale.up + scale.down
    floor = -scale.down / span - _GAP
    _draw_letters(axes, mutation_map, gate, span)
    _draw_cells(axes, mutation_map, gate, scale, floor)
    top = scale.up / span + _GAP
    _frame_variant(axes, mutation_map, floor, top - _GAP / 2)
    if hits is not None:
        _draw_hits(axes, hits, top, columns=max(columns, len(mutation_map)))
        top += _BRACKET + _LABEL
    axes.set_xlim(0.5, max(columns, len(mutation_map)) + 0.5)
    axes.set_ylim(floor - 4 * _CELL, top)
    _label_axes(axes, mutation_map, scale, floor)
    _number_places(axes, mutation_map.places, max(columns, len(mutation_map)))


def _draw_letters(axes: Axes, mutation_map: MutationMap, gate: Gate, span: float) -> None:
    effects = mutation_map.effects(gate)[:, 0]
    heights = np.zeros((4, len(mutation_map)))
    known = np.flatnonzero(mutation_map.codes < UNKNOWN)
    heights[mutation_map.codes[known], known] = effects[known] / span
    plot_letters(axes, heights, alphabet=mutation_map.alphabet, least=_INVISIBLE)
    axes.axhline(0, color="0.6", linewidth=0.5, zorder=0)


def _draw_cells(
    axes: Axes, mutation_map: MutationMap, gate: Gate, scale: MapScale, floor: float
) -> None:
    number = len(mutation_map)
    axes.imshow(
        mutation_map.deltas(gate)[..., 0].T,
        cmap=_COLOURS,
        vmin=-scale.delta,
        vmax=scale.delta,
        aspect="auto",
        interpolation="none",
        extent=(0.5, number + 0.5, floor - 4 * _CELL, floor),
    )
    known = np.flatnonzero(mutation_map.codes < UNKNOWN)
    rows = floor - (mutation_map.codes[known] + 0.5) * _CELL
    axes.plot(known + 1, rows, ".", color="0.45", markersize=2.5, markeredgewidth=0)
    frame = Rectangle((0.5, floor - 4 * _CELL), number, 4 * _CELL, fill=False, color="0.6")
    frame.set_linewidth(0.5)
    axes.add_artist(frame)


def _draw_hits(axes: Axes, hits: Sequence[MotifHit], height: float, *, columns: int) -> None:
    figure = axes.get_figure(root=True)
    assert figure
    letter = columns * _NAME_LETTER / (axes.get_position().width * figure.get_figwidth())
    for hit, text, middle in _label_hits(hits, letter, columns):
        axes.plot((hit.start + 0.6, hit.end + 0.4), (height, height), color="0.2", linewidth=1.5)
        place = (middle, height + _GAP / 2)
        axes.text(*place, text, ha="center", va="bottom", fontsize=7, parse_math=False)


def _label_hits(
    hits: Sequence[MotifHit], letter: float, columns: int
) -> Iterator[tuple[MotifHit, str, float]]:
    """Give what stands over each hit, and where, so that no label reaches into the next.

    As many of the names as there is room for; of a first name that is too long, its end.
    """
    middles = [(hit.start + hit.end + 1) / 2 for hit in hits]
    for number, (hit, middle) in enumerate(zip(hits, middles, strict=True)):
        near = [abs(middle - other) for other in middles[:number] + middles[number + 1 :]]
        edge = 2 * min(middle, columns + 1 - middle)
        room = max(_FEWEST_LETTERS, int(min([*near, edge]) / letter))
        arrow = "\N{RIGHTWARDS ARROW}" if hit.strand == "+" else "\N{LEFTWARDS ARROW}"
        names = [hit.name, *hit.others]
        while len(names) > 1 and len(", ".join(names)) + 2 > room:
            names.pop()
        text = ", ".join(names)
        if len(text) + 2 > room:
            text = "\N{HORIZONTAL ELLIPSIS}" + text[len(text) + 3 - room :]
        yield hit, f"{text} {arrow}" if hit.strand == "+" else f"{arrow} {text}", middle


def _frame_variant(axes: Axes, mutation_map: MutationMap, floor: float, top: float) -> None:
    if mutation_map.marked is None:
        return
    first, stop = mutation_map.marked
    bottom = floor - 4 * _CELL
    frame = Rectangle((first + 0.5, bottom), stop - first, top - bottom, fill=False)
    frame.set(edgecolor="black", linewidth=1.2, zorder=3, clip_on=False)
    axes.add_artist(frame)


def _label_axes(axes: Axes, mutation_map: MutationMap, scale: MapScale, floor: float) -> None:
    letters = ALPHABETS[mutation_map.alphabet][:4]
    rows = [floor - (i + 0.5) * _CELL for i in range(4)]
    span = scale.up + scale.down
    axes.set_yticks(
        [*rows, 0, scale.up / span],
        [*letters, "0", "" if scale.up <= _NO_EFFECT else f"{scale.up:.2g}"],
        fontsize=7,
    )
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)


def _number_places(axes: Axes, places: NDArray[np.int64], columns: int) -> None:
    """Label columns whose places, from 1, are round numbers."""
    least = max(1, math.ceil(columns / _MOST_TICKS))
    power = 10 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
    round_ones = np.flatnonzero((places + 1) % step == 0)
    # An inserted base stands where the one before it does.
    ticks = round_ones[np.diff(places[round_ones], prepend=-1) != 0]
    axes.set_xticks(ticks + 1, [f"{place + 1:,}" for place in places[ticks]], fontsize=7)


def draw_maps(
    maps: Sequence[MutationMap],
    *,
    title: str,
    labels: Sequence[str] = (),
    gate: Gate = "none",
    scale: MapScale | None = None,
    hits: Mapping[str, Sequence[MotifHit]] | None = None,
) -> Figure:
    """Draw maps one under another on one scale, each in as many rows as it needs.

    Parameters
    ----------
    maps
        What to draw: the first task of each.
    title
        Stands above.
    labels
        A word for each map, where there are several.
    gate
        See `MutationMap.deltas`.
    scale
        By default the one that holds them.
    hits
        Motifs found in the maps, by the name of the map.
    """
    scale = scale or MapScale.fit(maps, gate=gate)
    columns = max(min(_MOST_COLUMNS, _even_out(len(each))) for each in maps)
    rows = [
        (each, first, label if first == 0 else "")
        for each, label in zip(maps, labels or [""] * len(maps), strict=True)
        for first in range(0, len(each), columns)
    ]
    height = _HEAD + _ROW_HEIGHT * len(rows)
    width = max(4.0, 1.0 + (_WIDTH - 1.0) * min(1.0, columns / 100))
    figure = create_figure(width=width, height=height)
    figure.set_layout_engine("none")
    found = hits or {}
    for number, (each, first, label) in enumerate(rows):
        bottom = (len(rows) - 1 - number) * _ROW_HEIGHT + 0.3
        box = (0.6 / width, bottom / height, 1 - 0.8 / width, (_ROW_HEIGHT - 0.45) / height)
        axes = figure.add_axes(box)
        stop = min(first + columns, len(each))
        hits_here = cut_hits(found.get(each.name, ()), first, stop)
        seen = hits_here if any(found.values()) else None
        part = each.take(first, stop)
        plot_mutation_map(axes, part, gate=gate, scale=scale, hits=seen, columns=columns)
        axes.set_ylabel(label, fontsize=8)
    _add_head(figure, title, gate, scale, width, height)
    return figure


def _even_out(length: int) -> int:
    """Give the columns of a row so that all rows of a map are as long."""
    rows = math.ceil(length / _MOST_COLUMNS)
    return length if rows == 1 else 10 * math.ceil(length / rows / 10)


def cut_hits(hits: Sequence[MotifHit], first: int, stop: int) -> list[MotifHit]:
    """Give the hits on columns `first` to `stop` - 1, counted from `first`, cut where they end."""
    return [
        replace(hit, start=max(hit.start, first) - first, end=min(hit.end, stop) - first)
        for hit in hits
        if hit.start < stop and hit.end > first
    ]


def _add_head(
    figure: Figure, title: str, gate: Gate, scale: MapScale, width: float, height: float
) -> None:
    top = 1 - 0.2 / height
    figure.text(0.6 / width, top, _shorten(title, width), fontsize=10, va="center",
                parse_math=False)  # fmt: skip
    colours = ScalarMappable(Normalize(-scale.delta, scale.delta), cmap=mpl.colormaps[_COLOURS])
    box = (1 - 2.2 / width, 1 - 0.58 / height, 2 / width, 0.1 / height)
    bar = figure.colorbar(colours, cax=figure.add_axes(box), orientation="horizontal")
    bar.set_ticks([-scale.delta, 0, scale.delta])
    bar.set_ticklabels([f"{-scale.delta:.3g}", "0", f"+{scale.delta:.3g}"])
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.set_title(_WORDS[gate], fontsize=7, pad=2)


def draw_overview(mutation_map: MutationMap, *, title: str, gate: Gate = "none") -> Figure:
    """Draw a long map small, under a title; see `plot_overview`."""
    figure = create_figure(width=_WIDTH, height=2.4)
    axes = figure.subplots()
    plot_overview(axes, mutation_map, gate=gate)
    axes.set_title(title, fontsize=10, parse_math=False, loc="left")
    return figure


def _shorten(title: str, width: float) -> str:
    most = int((width - 0.8) / _LETTER)
    return title if len(title) <= most else f"{title[: most - 3]}..."


def plot_overview(axes: Axes, mutation_map: MutationMap, *, gate: Gate = "none") -> None:
    """Draw a long map small: the strongest gain and loss, and the effect of each base.

    Parameters
    ----------
    axes
        Where to draw.
    mutation_map
        The first task of it is drawn.
    gate
        See `MutationMap.deltas`.
    """
    deltas = mutation_map.deltas(gate)[..., 0]
    places = mutation_map.places + 1
    gain, loss = deltas.max(axis=1), deltas.min(axis=1)
    axes.fill_between(places, 0, gain, color="#B2182B", linewidth=0, step="mid")
    axes.fill_between(places, loss, 0, color="#2166AC", linewidth=0, step="mid")
    axes.axhline(0, color="0.6", linewidth=0.5)
    axes.margins(x=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("strongest gain and loss", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def map_svg(figure: Figure) -> str:
    """Give a figure as the text of an SVG file that needs no other file."""
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        path = Path(folder) / "map.svg"
        save_figure(figure, path)
        return path.read_text(encoding="utf-8")
