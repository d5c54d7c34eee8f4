"""What every page is made with: templates, and pictures that stand in the page itself."""

import base64
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from seqcnn.motifs import Motif, spell_consensus
from seqcnn.plotting import save_figure

__all__ = ["Picture", "embed_figure", "embed_svg", "render_template"]


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, what it shows in words, the line under it, and its numbers.

    The numbers are tab-separated text, or nothing where they stand elsewhere.
    """

    source: str
    description: str
    caption: str
    numbers: str = ""


def render_template(template: str, **context: object) -> str:
    """Fill a template of the package; everything that is filled in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seqcnn"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["facts"] = _spell_facts
    environment.filters["consensus"] = spell_consensus
    return environment.get_template(template).render(**context)


def _spell_facts(motif: Motif) -> str:
    """Say how many sites a motif has, how strong it is, and what it is worth."""
    facts = f"{motif.sites:,} sites, {motif.information:.1f} bits"
    return facts if math.isnan(motif.importance) else f"{facts}, importance {motif.importance:.2g}"


def embed_figure(figure: Figure, description: str, caption: str, numbers: str = "") -> Picture:
    """Turn a figure into a picture that stands in the page."""
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        path = Path(folder) / "figure.svg"
        save_figure(figure, path)
        return embed_svg(path, description, caption, numbers)


def embed_svg(path: Path, description: str, caption: str, numbers: str = "") -> Picture:
    """Turn an SVG file into a picture that stands in the page."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{data}", description, caption, numbers)
