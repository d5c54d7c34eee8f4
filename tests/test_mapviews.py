"""Pictures of mutation maps say what the maps hold."""

import itertools
import re

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from seqcnn.attribution import MotifHit, MutationMap
from seqcnn.mapviews import (
    MapScale,
    draw_maps,
    draw_overview,
    map_svg,
    plot_mutation_map,
    render_map_page,
)
from seqcnn.plotting import create_figure


def make_map(length: int = 12, *, first: int = 1_295_100, **more: object) -> MutationMap:
    rng = np.random.default_rng(length)
    codes = rng.integers(0, 4, length, dtype=np.uint8)
    logits = rng.normal(size=(length, 4, 1))
    unchanged = np.full((length, 1), 0.25)
    logits[np.arange(length), codes] = 0.25
    places = np.arange(first, first + length)
    return MutationMap("map", codes, places, logits, unchanged, ("site",), **more)


def test_cells_letters_and_places_are_those_of_the_map() -> None:
    each = make_map(marked=(4, 5))
    axes = create_figure().subplots()
    hit = MotifHit("GABPA", 3, 9, "-", 1e-5, 0.9, ("ELK1",))
    plot_mutation_map(axes, each, hits=[hit])
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), each.deltas()[..., 0].T)
    assert image.norm.vmin == -image.norm.vmax
    assert image.norm.vmax == pytest.approx(np.abs(each.deltas()).max())
    letters = {artist.get_gid() for artist in axes.get_children() if artist.get_gid()}
    assert letters == {f"letter_{'ACGT'[code]}" for code in np.unique(each.codes)}
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert labels == [f"{place:,}" for place in range(1_295_102, 1_295_113, 2)]
    assert axes.get_xticks()[0] == 2
    assert [text.get_text() for text in axes.texts] == ["\N{LEFTWARDS ARROW} GABPA, ELK1"]
    frames = [patch for patch in axes.get_children() if isinstance(patch, Rectangle)]
    assert any(frame.get_x() == 4.5 and frame.get_width() == 1 for frame in frames)


def test_one_scale_for_all() -> None:
    maps = [make_map(12), make_map(15)]
    scale = MapScale.fit(maps)
    assert scale.delta == max(np.abs(each.deltas()).max() for each in maps)
    figure = draw_maps(maps, title="two", labels=["reference", "alternative"])
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_ylabel() for axes in panels] == ["reference", "alternative"]
    assert len({axes.images[0].norm.vmax for axes in panels}) == 1
    assert len({axes.get_xlim() for axes in panels}) == 1


def test_a_flat_map_can_be_drawn() -> None:
    each = make_map(3)
    flat = MutationMap("flat", each.codes, each.places, each.logits * 0, each.unchanged * 0, ("t",))
    assert "<svg" in map_svg(draw_maps([flat], title="flat"))


@pytest.mark.parametrize(("length", "rows"), [(1, 1), (120, 1), (121, 2), (1000, 9)])
def test_long_maps_are_wrapped(length: int, rows: int) -> None:
    figure = draw_maps([make_map(length)], title="x" * 500)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == rows
    assert sum(axes.images[0].get_array().shape[1] for axes in panels) == length


def test_svg_needs_no_other_file_and_is_the_same_each_time() -> None:
    first, second = (map_svg(draw_maps([make_map()], title="a $name & <b>")) for _ in range(2))
    assert first == second
    assert not re.search(r'(?:href|src)="(?!#|data:)', first)


def test_a_page_has_everything_in_it() -> None:
    each = make_map(2300)
    page = render_map_page(each, title="<chr5>", hits={"map": [
        MotifHit("GABPA", 900, 1100, "+", 1e-5, 0.9)]})  # fmt: skip
    assert "&lt;chr5&gt;" in page
    assert page.count('<section id="from-') == 3
    assert "1,296,001" in page
    assert "<script" not in page
    assert not re.search(r'src="(?!data:)', page)
    strongest = np.abs(each.deltas()).max()
    assert f"{strongest:.4g}" in page


def test_an_overview_shows_the_extremes() -> None:
    each = make_map(300)
    figure = draw_overview(each, title="chr5")
    low, high = figure.axes[0].get_ylim()
    deltas = each.deltas()
    assert low < deltas.min()
    assert high > deltas.max()


@pytest.mark.parametrize("starts", [(0, 40, 52, 90), (10, 30, 62, 96)])
def test_names_of_motifs_do_not_reach_into_each_other(starts) -> None:
    each = make_map(100)
    others = ("motif_member2_detector12", "motif_member1_detector208")
    hits = [
        MotifHit(f"motif_member1_detector{start}", start, start + 4, "+-"[i % 2], 1e-5, 0.9, others)
        for i, start in enumerate(starts)
    ]
    figure = draw_maps([each], title="x", hits={"map": hits})
    canvas = figure.canvas
    canvas.draw()
    texts = [
        t
        for t in figure.axes[0].texts
        if "detector" in t.get_text() or "\N{HORIZONTAL ELLIPSIS}" in t.get_text()
    ]
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.x0)
    assert len(boxes) == 4
    assert boxes[0].x0 >= 0
    assert boxes[-1].x1 <= figure.bbox.x1
    for left, right in itertools.pairwise(boxes):
        assert left.x1 <= right.x0
