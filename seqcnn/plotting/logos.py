"""Sequence logos, as logomaker draws them: its letters, its proportions, its classic colours.

All letters of one base are one path, a hundred times faster than one patch a letter.
"""

import math
from functools import lru_cache
from typing import Literal

import logomaker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from seqcnn.dna import ALPHABETS
from seqcnn.motifs import Motif, information_content, ppm, pwm, reverse_complement_motif

__all__ = ["LogoKind", "plot_alignment", "plot_letters", "plot_logo", "plot_logo_pair"]

Values = NDArray[np.floating]
LogoKind = Literal["information", "probability", "weights"]

_BASE_COLOURS = ((0.0, 0.5, 0.0), (0.0, 0.0, 1.0), (1.0, 0.65, 0.0), (1.0, 0.0, 0.0))
_MOST_TICKS = 30
_UNITS = {"information": "bits", "probability": "probability", "weights": "log2 odds"}
_INVISIBLE = 1 / 400
"""Share of the axes' height below which a letter is less than half a dot high."""


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
        has its probability's share of it. ``probability``: every column is 1 high. ``weights``:
        each letter is as high as its log2 odds against the background, with a pseudo-count;
        those that are rarer than in the background hang down.
    alphabet
        ``dna`` or ``rna``.
    """
    heights = _logo_heights(motif, kind)
    top = float(np.maximum(heights, 0).sum(axis=0).max())
    bottom = float(np.minimum(heights, 0).sum(axis=0).min())
    top = max(2.0, top) if kind == "information" else top
    plot_letters(axes, heights, alphabet=alphabet, least=_INVISIBLE * (top - bottom))
    axes.set(xlim=(0.5, motif.width + 0.5), ylim=(bottom, top))
    axes.set_ylabel(_UNITS[kind])
    if kind == "weights":
        axes.axhline(0, color="0.3", linewidth=0.6)
    else:
        axes.set_yticks((0, 1, 2) if kind == "information" else (0, 0.5, 1))
    _number_positions(axes, motif.width)
    axes.spines[["top", "right"]].set_visible(False)


def _logo_heights(motif: Motif, kind: LogoKind) -> Values:
    if kind == "weights":
        return pwm(motif)
    return ppm(motif) * (information_content(motif) if kind == "information" else 1.0)


def _number_positions(axes: Axes, width: int) -> None:
    step = 1 if width <= _MOST_TICKS else 5
    positions = [p for p in range(1, width + 1) if p == 1 or p % step == 0]
    axes.set_xticks(positions, [str(p) for p in positions], fontsize=8)
    axes.tick_params(axis="x", length=0)


def plot_logo_pair(
    figure: Figure, motif: Motif, *, kind: LogoKind = "information", alphabet: str = "dna"
) -> None:
    """Draw a motif above its reverse complement, under a title with what is known of it.

    RNA has one strand only, so its motif is drawn alone.
    """
    strands = [("forward", motif), ("reverse complement", reverse_complement_motif(motif))]
    shown = strands if alphabet == "dna" else strands[:1]
    rows = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (label, strand) in zip(rows, shown, strict=True):
        plot_logo(axes, strand, kind=kind, alphabet=alphabet)
        if len(shown) > 1:
            axes.set_xlabel(label, fontsize=8)
    figure.suptitle(_logo_title(motif), fontsize=10, parse_math=False)


def _logo_title(motif: Motif) -> str:
    facts = [f"{motif.sites:,} sites", f"{motif.information:.1f} bits"]
    if not math.isnan(motif.importance):
        facts.append(f"importance {motif.importance:.2g}")
    return f"{motif.name} {motif.alternate}".strip() + "\n" + " · ".join(facts)


def plot_alignment(
    figure: Figure, motif: Motif, target: Motif, *, offset: int, alphabet: str = "dna"
) -> None:
    """Draw a known motif over another one, each position over the one that it is aligned with.

    Parameters
    ----------
    figure
        Where to draw.
    motif
        The motif below.
    target
        The motif above, already turned as it is aligned.
    offset
        Position of `motif` over which the first position of `target` stands.
    alphabet
        ``dna`` or ``rna``.
    """
    first, last = min(0, offset), max(motif.width, offset + target.width)
    above, below = figure.subplots(2, 1)
    for axes, drawn, start in ((above, target, offset), (below, motif, 0)):
        plot_logo(axes, drawn, alphabet=alphabet)
        axes.set_xlim(first - start + 0.5, last - start + 0.5)
        title = f"{drawn.name} {drawn.alternate}".strip()
        axes.set_title(title, fontsize=9, loc="left", parse_math=False)
