"""Mutation maps to look at: pictures, and a page for a long one."""

from seqcnn.mapviews.page import render_map_page
from seqcnn.mapviews.pictures import (
    MapScale,
    draw_maps,
    draw_overview,
    map_svg,
    plot_mutation_map,
    plot_overview,
)

__all__ = [
    "MapScale",
    "draw_maps",
    "draw_overview",
    "map_svg",
    "plot_mutation_map",
    "plot_overview",
    "render_map_page",
]
