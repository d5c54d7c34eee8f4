"""Draw logos, histories and scores on given Axes; compute nothing.

Logos follow logomaker: its letter shapes, its proportions and its ``classic`` colours. All letters
of one base are one path, a hundred times faster than one patch a letter. Figures are
made without pyplot, so there is no display, no global list of open figures and nothing to close.
Curves are in the colours of Okabe and Ito, which colour-blind readers can tell apart.
"""

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Literal

import logomaker
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from seqcnn.dna import ALPHABETS
from seqcnn.files import whole_file
from seqcnn.motifs import Motif, information_content, ppm, reverse_complement_motif

__all__ = [
    "create_figure",
    "plot_history",
    "plot_letters",
    "plot_logo",
    "plot_logo_pair",
    "plot_precision_recall",
    "plot_roc",
    "plot_scatter",
    "save_figure",
]

Values = NDArray[np.floating]
Curve = tuple[Values, Values]
LogoKind = Literal["information", "probability"]

_BASE_COLOURS = ((0.0, 0.5, 0.0), (0.0, 0.0, 1.0), (1.0, 0.65, 0.0), (1.0, 0.0, 0.0))
_LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINE_STYLES = ("-", "--", ":", "-.")
_LONGEST_LEGEND = 14
_MOST_TICKS = 30
_MOST_MARKERS = 60
_DPI = 150
_INVISIBLE = 1 / 400
"""Share of the axes' height below which a letter is less than half a dot high."""

_BETWEEN_TAGS = re.compile(r">\s*(?:<!--[^>]*-->\s*)?<(?!!)")
_OUTLINE = re.compile(r' d="([MLQCz\s\d.-]*)"')
_SEGMENT = re.compile(r"([MLQCz])([^MLQCz]*)")
_METADATA: dict[str, dict[str, None]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
}


def create_figure(*, width: float = 6.4, height: float = 4.8) -> Figure:
    """Make an empty figure, in inches, that no pyplot knows of."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plot_letters(axes: Axes, heights: Values, *, alphabet: str = "dna", least: float = 0.0) -> None:
    """Draw a column of stacked letters at each position 1, 2, ...

    Parameters
    ----------
    axes
        Where to draw. Limits and ticks are left to the caller.
    heights
        Letter heights (4, length), A, C, G, T. The tallest letter is the outermost; negative ones
        hang down from 0, upside down.
    alphabet
        ``dna`` or ``rna``.
    least
        Letters that are not higher than this are left out, and their place stays empty.
    """
    floors = _letter_floors(heights)
    for letter, colour, row, base in zip(
        ALPHABETS[alphabet], _BASE_COLOURS, heights, floors, strict=False
    ):
        outlines = [
            _place_letter(letter, position, height, floor)
            for position, (height, floor) in enumerate(zip(row, base, strict=True), 1)
            if abs(height) > least
        ]
        if outlines:  # add_artist, because add_patch measures every curve for the limits
            path = Path.make_compound_path(*outlines)
            axes.add_artist(PathPatch(path, facecolor=colour, linewidth=0, gid=f"letter_{letter}"))


def _letter_floors(heights: Values) -> Values:
    """Stack each column: where the lower edge of each letter's box lies, (4, length)."""
    order = np.argsort(heights, axis=0, kind="stable")
    tall = np.abs(np.take_along_axis(heights, order, axis=0))
    lowest = np.minimum(heights, 0).sum(axis=0)
    floors = np.empty_like(tall)
    np.put_along_axis(floors, order, lowest + tall.cumsum(axis=0) - tall, axis=0)
    return floors


def _place_letter(letter: str, position: int, height: float, floor: float) -> Path:
    place = Affine2D().scale(1, height).translate(position, floor - min(height, 0))
    return place.transform_path(_letter_outline(letter))


@lru_cache(maxsize=8)
def _letter_outline(letter: str) -> Path:
    """Get logomaker's outline of a letter, in the box from 0 to 1 around position 0."""
    axes = Figure().add_subplot()
    glyph = logomaker.Glyph(0, letter, 0.0, 1.0, ax=axes, font_name="DejaVu Sans")
    outline: Path = glyph.patch.get_path()
    return outline


def plot_logo(
    axes: Axes, motif: Motif, *, kind: LogoKind = "information", alphabet: str = "dna"
) -> None:
    """Draw a motif as a sequence logo.

    Parameters
    ----------
    axes
        Where to draw.
    motif
        Counts.
    kind
        ``information``: a column is as high as its information content, in bits, and each letter
        has its probability's share of it. ``probability``: every column is 1 high.
    alphabet
        ``dna`` or ``rna``.
    """
    information = kind == "information"
    heights = ppm(motif) * (information_content(motif) if information else 1.0)
    top = max(2.0, float(heights.sum(axis=0).max())) if information else 1.0
    plot_letters(axes, heights, alphabet=alphabet, least=_INVISIBLE * top)
    axes.set(xlim=(0.5, motif.width + 0.5), ylim=(0.0, top))
    axes.set_ylabel("bits" if information else "probability")
    axes.set_yticks((0, 1, 2) if information else (0, 0.5, 1))
    _number_positions(axes, motif.width)
    axes.spines[["top", "right"]].set_visible(False)


def _number_positions(axes: Axes, width: int) -> None:
    step = 1 if width <= _MOST_TICKS else 5
    positions = [p for p in range(1, width + 1) if p == 1 or p % step == 0]
    axes.set_xticks(positions, [str(p) for p in positions], fontsize=8)
    axes.tick_params(axis="x", length=0)


def plot_logo_pair(figure: Figure, motif: Motif, *, alphabet: str = "dna") -> None:
    """Draw a motif above its reverse complement, under a title with what is known of it.

    RNA has one strand only, so its motif is drawn alone.
    """
    strands = [("forward", motif), ("reverse complement", reverse_complement_motif(motif))]
    shown = strands if alphabet == "dna" else strands[:1]
    rows = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (label, strand) in zip(rows, shown, strict=True):
        plot_logo(axes, strand, alphabet=alphabet)
        if len(shown) > 1:
            axes.set_xlabel(label, fontsize=8)
    figure.suptitle(_logo_title(motif), fontsize=10, parse_math=False)


def _logo_title(motif: Motif) -> str:
    parts = [f"{motif.name} {motif.alternate}".strip(), f"{motif.sites:,} sites"]
    parts.append(f"{motif.information:.1f} bits")
    if not math.isnan(motif.importance):
        parts.append(f"importance {motif.importance:.3g}")
    return " · ".join(parts)


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


def plot_roc(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """Draw receiver operating characteristics, and the diagonal of a blind guess.

    Parameters
    ----------
    axes
        Where to draw.
    curves
        For each name the false and the true positive rate, in order.
    """
    axes.plot((0, 1), (0, 1), color="0.7", linestyle=":", linewidth=1)
    _plot_curves(axes, curves, drawstyle="default")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")


def plot_precision_recall(axes: Axes, curves: Mapping[str, Curve]) -> None:
    """Draw precision against recall, in steps, because between two thresholds nothing is known.

    Parameters
    ----------
    axes
        Where to draw.
    curves
        For each name recall and precision, in order of recall, rising or falling. Each
        precision holds from the next smaller recall to its own.

    References
    ----------
    Davis J, Goadrich M (2006) ICML 23:233. https://doi.org/10.1145/1143844.1143874
    """
    rising = {name: recall[0] <= recall[-1] for name, (recall, _) in curves.items()}
    ordered = {
        name: (recall, precision) if rising[name] else (recall[::-1], precision[::-1])
        for name, (recall, precision) in curves.items()
    }
    _plot_curves(axes, ordered, drawstyle="steps-pre")
    axes.set(xlabel="recall", ylabel="precision")


def _plot_curves(
    axes: Axes, curves: Mapping[str, Curve], *, drawstyle: Literal["default", "steps-pre"]
) -> None:
    lines = []
    for number, (name, (horizontal, vertical)) in enumerate(curves.items()):
        lines += axes.plot(
            horizontal,
            vertical,
            color=_LINE_COLOURS[number % len(_LINE_COLOURS)],
            linestyle=_LINE_STYLES[number // len(_LINE_COLOURS) % len(_LINE_STYLES)],
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


def save_figure(figure: Figure, path: str | FilePath) -> None:
    """Write a figure as ``.svg`` or ``.png``, the same bytes every time, whole or not at all.

    An SVG holds letters as outlines, so it looks alike where the font is missing.

    Raises
    ------
    ValueError
        If the name ends otherwise.
    """
    path = FilePath(path)
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise ValueError(f"{path}: a figure is written as .svg or .png")
    with (
        mpl.rc_context({"svg.hashsalt": "seqcnn", "svg.fonttype": "path"}),
        whole_file(path) as partial,
        warnings.catch_warnings(),
    ):
        # A name in letters that the font has not is drawn as boxes.
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")
        figure.savefig(partial, format=suffix[1:], metadata=_METADATA[suffix], dpi=_DPI)
        if suffix == ".svg":
            text = _BETWEEN_TAGS.sub("><", partial.read_text(encoding="utf-8"))
            partial.write_text(_OUTLINE.sub(_shorten_outline, text), encoding="utf-8")


def _shorten_outline(outline: re.Match[str]) -> str:
    """Spell an outline in steps of a hundredth of a point, which no eye can see.

    The steps are relative and the letters stand close, as SVG allows: a third of the length.
    """
    here, first, words = (0, 0), (0, 0), []
    for command, numbers in _SEGMENT.findall(outline[1]):
        values = [round(100 * float(number)) for number in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        steps = [step for x, y in points for step in (x - here[0], y - here[1])]
        words.append(command.lower() + "".join(map(_spell_hundredths, steps)).lstrip())
        here = points[-1] if points else first
        first = here if command == "M" else first
    return f' d="{"".join(words)}"'


def _spell_hundredths(number: int) -> str:
    text = f"{abs(number) / 100:.6g}"
    return ("-" if number < 0 else " ") + (text.removeprefix("0") or "0")
