"""Figures: made without pyplot, so there is no display and nothing to close; and their files."""

import re
import warnings
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seqcnn.files import whole_file

__all__ = ["create_figure", "save_figure"]

_DPI = 150
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


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as ``.svg`` or ``.png``, the same bytes every time, whole or not at all.

    An SVG holds letters as outlines, so it looks alike where the font is missing.

    Raises
    ------
    ValueError
        If the name ends otherwise.
    """
    path = Path(path)
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
