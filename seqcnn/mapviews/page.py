"""A page for one long mutation map: an overview, then piece after piece in full.

One file with everything in it: no script, and nothing is fetched from anywhere.
"""

import base64
from collections.abc import Mapping, Sequence

import jinja2
import numpy as np

from seqcnn.attribution import Gate, MotifHit, MutationMap
from seqcnn.dna import ALPHABETS
from seqcnn.mapviews.pictures import MapScale, cut_hits, draw_maps, draw_overview, map_svg

__all__ = ["PIECE", "render_map_page"]

PIECE = 1000
"""Bases of a piece."""

_STRONGEST = 20


def render_map_page(
    mutation_map: MutationMap,
    *,
    title: str,
    gate: Gate = "none",
    hits: Mapping[str, Sequence[MotifHit]] | None = None,
) -> str:
    """Render the first task of a map as a page.

    Parameters
    ----------
    mutation_map
        What to show.
    title
        What it is called.
    gate
        See `MutationMap.deltas`.
    hits
        Motifs found in it, by its name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seqcnn"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    scale = MapScale.fit([mutation_map], gate=gate)
    found = (hits or {}).get(mutation_map.name, ())
    pieces = []
    for first in range(0, len(mutation_map), PIECE):
        part = mutation_map.take(first, min(first + PIECE, len(mutation_map)))
        label = f"{part.places[0] + 1:,}-{part.places[-1] + 1:,}"
        seen = {part.name: cut_hits(found, first, first + PIECE)}
        figure = draw_maps([part], title=label, gate=gate, scale=scale, hits=seen)
        pieces.append((f"from-{part.places[0] + 1}", label, _embed(map_svg(figure))))
    return environment.get_template("map.html").render(
        title=title,
        length=len(mutation_map),
        task=mutation_map.tasks[0],
        overview=_embed(map_svg(draw_overview(mutation_map, gate=gate, title=title))),
        strongest=_list_strongest(mutation_map, gate),
        hits=[(hit, mutation_map.places[hit.start] + 1, mutation_map.places[hit.end - 1] + 1)
              for hit in found],
        pieces=pieces,
    )  # fmt: skip


def _list_strongest(mutation_map: MutationMap, gate: Gate) -> list[tuple[str, str, str]]:
    """Spell the strongest substitutions: place, bases and delta."""
    deltas = mutation_map.deltas(gate)[..., 0]
    letters = ALPHABETS[mutation_map.alphabet]
    order = np.argsort(-np.abs(deltas), axis=None, kind="stable")[:_STRONGEST]
    return [
        (
            f"{mutation_map.places[column] + 1:,}",
            f"{letters[mutation_map.codes[column]]}>{letters[base]}",
            f"{deltas[column, base]:+.4g}",
        )
        for column, base in (divmod(int(place), 4) for place in order)
    ]


def _embed(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")
