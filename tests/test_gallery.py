"""The page of motifs: its words, its numbers, and that nothing in it is taken for HTML."""

import dataclasses
import re

import numpy as np
import pytest

from seqcnn.filters import MotifMatch
from seqcnn.motifs import Motif, reverse_complement_motif
from seqcnn.plotting import create_figure, plot_alignment, plot_logo, plot_logo_pair
from seqcnn.report import Card, Gallery, render_gallery
from seqcnn.report.rendering import Picture


def draw_motif(name: str, **values: object) -> Motif:
    pfm = np.random.default_rng(0).dirichlet([0.3] * 4, 7).T * 40
    return Motif(name, pfm, 40, **values)


def make_gallery(**changes: object) -> Gallery:
    first = draw_motif("a<b>", importance=0.25, share=0.5, enrichment=2.0, positions=(0, 3, 9))
    twin = draw_motif("twin", importance=0.125, duplicate_of=first.name)
    match = MotifMatch(draw_motif("MA1", alternate="X&Y"), 1e-6, 1e-3, 2, 5, "-")
    picture = Picture("data:image/svg+xml;base64,", "A logo", "Caption")
    values = {
        "title": "Motifs of GABPA & MYC",
        "motifs": [first, twin],
        "cards": [Card(first, "logos/001_a<b>", picture, picture)],
        "unused": {"few": 3, "silent": 0},
        "matches": {first.name: (match,), twin.name: (dataclasses.replace(match, q=0.2),)},
        "collection": "JASPAR <2024>",
    }
    return Gallery(**{**values, **changes})


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("</style>")[2]).split())


def test_the_page_says_how_many_detectors_have_a_name() -> None:
    html = render_gallery(make_gallery())
    words = words_of(html)
    assert (
        "4 detectors: 1 different motifs, 1 duplicates of these, 1 with fewer than ten sites, "
        "1 that never fire." in words
    )
    assert "1 of the 2 with a motif (50 %) are like one of JASPAR &lt;2024&gt;" in words
    for text in ("0.25", "50 %", "4 times", "Also seen by twin", "MA1 X&amp;Y 1.0e-06 1.0e-03 -"):
        assert text in words
    assert "a<b>" not in html
    assert "duplicate of a&lt;b&gt;" in html
    assert "never fires" in html


def test_the_places_of_sites_are_drawn_and_spelled() -> None:
    html = render_gallery(make_gallery())
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', html)]
    assert heights == pytest.approx([1, 11, 31])
    assert "from the start of the sequence to its end: 0, 3, 9" in html


def test_what_is_not_known_is_left_out() -> None:
    bare = draw_motif("m")
    picture = Picture("data:", "A logo", "Caption")
    gallery = make_gallery(
        motifs=[bare], cards=[Card(bare, "logos/001_m", picture)], unused={}, matches={},
        collection="",
    )  # fmt: skip
    html = render_gallery(gallery)
    assert "<svg" not in html
    assert "nan" not in html.lower().replace("nano", "")
    assert "q-value" not in html
    assert html.count("<img") == 1


@pytest.mark.parametrize("offset", [-3, 0, 2])
def test_aligned_logos_have_aligned_positions_above_each_other(offset: int) -> None:
    figure = create_figure()
    above, below = draw_motif("known"), draw_motif("found")
    plot_alignment(figure, below, reverse_complement_motif(above), offset=offset)
    top, bottom = figure.axes
    # Position 1 of the motif above stands over position 1 + offset of the one below.
    left = top.transData.transform((1, 0))[0] - top.bbox.x0
    assert left == pytest.approx(bottom.transData.transform((1 + offset, 0))[0] - bottom.bbox.x0)
    for axes, motif in ((top, above), (bottom, below)):
        low, high = axes.get_xlim()
        assert low <= 0.5
        assert high >= motif.width + 0.5


def test_weights_hang_down_where_a_base_is_rare() -> None:
    motif = Motif("m", np.array([[90.0, 25], [4, 25], [3, 25], [3, 25]]), 100)
    axes = create_figure().add_subplot()
    plot_logo(axes, motif, kind="weights")
    low, high = axes.get_ylim()
    assert high == pytest.approx(np.log2((90.25 / 101) / 0.25))
    assert low == pytest.approx(sum(np.log2((n + 0.25) / 101 / 0.25) for n in (4, 3, 3)))
    assert axes.get_ylabel() == "log2 odds"


@pytest.mark.parametrize("kind", ["information", "probability", "weights"])
def test_each_kind_is_drawn_on_both_strands(kind: str) -> None:
    figure = create_figure()
    plot_logo_pair(figure, draw_motif("m"), kind=kind)
    assert len(figure.axes) == 2
    assert len({axes.get_ylabel() for axes in figure.axes}) == 1


def test_gapped_kmers_are_not_called_detectors() -> None:
    detectors = "2 groups of gapped k-mers: 2 different motifs"
    motifs = [draw_motif("gkm_gapped1"), draw_motif("gkm_gapped2")]
    html = render_gallery(make_gallery(motifs=motifs, cards=[], unused={}, matches={}))
    assert detectors in words_of(html)
    both = render_gallery(make_gallery(motifs=motifs, cards=[], unused={"motif_detector3": 2}))
    assert "3 detectors and groups of gapped k-mers: 2 different motifs" in words_of(both)
