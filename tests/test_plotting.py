"""Drawing: letters as logomaker draws them, the same bytes each time, nothing left open."""

import math
import re
import xml.etree.ElementTree as ET

import logomaker
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import seqcnn.plotting
from seqcnn.motifs import Motif, information_content
from seqcnn.plotting import (
    create_figure,
    plot_history,
    plot_letters,
    plot_logo,
    plot_logo_pair,
    plot_precision_recall,
    plot_roc,
    plot_scatter,
    save_figure,
)

HEIGHTS = arrays(
    np.float64,
    st.tuples(st.just(4), st.integers(1, 8)),
    elements=st.floats(-2, 2).map(lambda x: round(x, 3)),
)
VISIBLE = HEIGHTS.filter(lambda heights: bool(heights.any()))


@pytest.fixture
def axes():
    return create_figure(width=5, height=2).subplots()


@pytest.fixture
def motif():
    shares = np.random.default_rng(1).dirichlet([0.4] * 4, 12).T
    return Motif("MA0001", shares * 50, 50, importance=0.1234, alternate="ABC")


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    assert plt.get_fignums() == []


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).astype(int)


def table(heights, letters="ACGT"):
    return pd.DataFrame(heights.T, columns=list(letters), index=range(1, heights.shape[1] + 1))


def draw_both(heights, alphabet="dna"):
    """Draw the same heights by seqcnn and, one patch a letter, by logomaker."""
    figures = []
    low = min(np.minimum(heights, 0).sum(axis=0).min(), 0) - 0.1
    high = max(np.maximum(heights, 0).sum(axis=0).max(), 0) + 0.1
    for _ in range(2):
        figure = create_figure(width=4, height=2)
        axes = figure.subplots()
        if not figures:
            plot_letters(axes, heights, alphabet=alphabet)
        else:
            letters = "ACGT" if alphabet == "dna" else "ACGU"
            logomaker.Logo(
                table(heights, letters), ax=axes, font_name="DejaVu Sans",
                color_scheme="classic", baseline_width=0,
            )  # fmt: skip
        axes.set(xlim=(0.5, heights.shape[1] + 0.5), ylim=(low, high))
        axes.axis("off")
        figures.append(figure)
    return [pixels(figure) for figure in figures]


def test_public_names_exist():
    assert all(hasattr(seqcnn.plotting, name) for name in seqcnn.plotting.__all__)


# Logos


@settings(max_examples=8)
@given(heights=VISIBLE, alphabet=st.sampled_from(["dna", "rna"]))
def test_letters_look_as_logomaker_draws_them(heights, alphabet):
    heights = heights + 1e-4 * np.arange(4)[:, None]  # logomaker sorts equal heights at random
    ours, theirs = draw_both(heights, alphabet)
    # Where letters touch, edges are blended in another order: a few pixels may differ.
    differs = (np.abs(ours - theirs) > 32).any(axis=-1)
    assert differs.mean() < 0.01


def test_the_comparison_with_logomaker_sees_a_wrong_letter():
    heights = np.zeros((4, 6))
    heights[0] = 1
    ours, _ = draw_both(heights)
    wrong, _ = draw_both(np.roll(heights, 1, axis=0))
    assert (np.abs(ours - wrong) > 32).any(axis=-1).mean() > 0.1
    upside_down = ours[::-1]
    assert (np.abs(ours - upside_down) > 32).any(axis=-1).mean() > 0.1


@given(VISIBLE)
@settings(max_examples=25)
def test_letters_fill_the_columns_from_the_lowest_to_the_highest_value(heights):
    axes = create_figure().subplots()
    plot_letters(axes, heights)
    assert len(axes.patches) == (heights != 0).any(axis=1).sum()
    boxes = [patch.get_path().get_extents() for patch in axes.patches]
    drawn = heights[:, heights.any(axis=0)]
    highest, lowest = np.maximum(drawn, 0).sum(axis=0).max(), np.minimum(drawn, 0).sum(axis=0).min()
    assert max(box.y1 for box in boxes) == pytest.approx(highest)
    assert min(box.y0 for box in boxes) == pytest.approx(lowest)


def test_the_most_probable_letter_is_on_top(axes):
    plot_letters(axes, np.array([[0.2], [0.5], [0.0], [0.3]]))
    tops = {p.get_gid(): p.get_path().get_extents() for p in axes.patches}
    assert sorted(tops) == ["letter_A", "letter_C", "letter_T"]
    assert (tops["letter_C"].y0, tops["letter_C"].y1) == pytest.approx((0.5, 1.0))
    assert (tops["letter_T"].y0, tops["letter_T"].y1) == pytest.approx((0.2, 0.5))
    assert (tops["letter_A"].y0, tops["letter_A"].y1) == pytest.approx((0.0, 0.2))


def test_colours_are_logomakers_classic_ones(axes):
    plot_letters(axes, np.ones((4, 1)))
    other = create_figure().subplots()
    logo = logomaker.Logo(table(np.ones((4, 1))), ax=other, color_scheme="classic")
    for patch, base in zip(axes.patches, "ACGT", strict=True):
        np.testing.assert_allclose(patch.get_facecolor()[:3], logo.rgb_dict[base])


def test_logo_shows_information(axes, motif):
    plot_logo(axes, motif)
    assert axes.get_ylim() == (0, 2)
    assert axes.get_xlim() == (0.5, 12.5)
    assert axes.get_ylabel() == "bits"
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(i) for i in range(1, 13)]
    assert not axes.spines["top"].get_visible()
    highest = max(patch.get_path().get_extents().y1 for patch in axes.patches)
    assert highest == pytest.approx(information_content(motif).max())


def test_logo_shows_probabilities(axes, motif):
    plot_logo(axes, motif, kind="probability", alphabet="rna")
    assert axes.get_ylim() == (0, 1)
    assert {p.get_gid() for p in axes.patches} >= {"letter_A", "letter_U"}
    assert max(p.get_path().get_extents().y1 for p in axes.patches) == pytest.approx(1.0)


def test_logo_of_a_rare_base_is_not_cut(axes):
    counts = np.array([[0.0], [0], [8], [0]])
    plot_logo(axes, Motif("m", counts, 8, background=(0.4, 0.1, 0.1, 0.4)))
    assert axes.get_ylim()[1] == pytest.approx(math.log2(10))


def test_no_letter_is_drawn_without_height(axes):
    plot_letters(axes, np.zeros((4, 3)))
    assert len(axes.patches) == 0


def test_logo_without_information_draws_no_letter(axes):
    plot_logo(axes, Motif("m", np.ones((4, 6)), 4))
    assert len(axes.patches) == 0


def test_wide_logo_numbers_every_fifth_position(axes):
    plot_logo(axes, Motif("m", np.ones((4, 41)), 4))
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert labels == ["1", "5", "10", "15", "20", "25", "30", "35", "40"]


def test_logo_pair_shows_both_strands_and_what_is_known(motif):
    figure = create_figure()
    plot_logo_pair(figure, motif)
    forward, backward = figure.axes
    assert backward.get_xlabel() == "reverse complement"
    (a,) = [p for p in forward.patches if p.get_gid() == "letter_A"]
    (t,) = [p for p in backward.patches if p.get_gid() == "letter_T"]
    first, mirrored = a.get_path().get_extents(), t.get_path().get_extents()
    assert (first.y0, first.y1) == pytest.approx((mirrored.y0, mirrored.y1))
    assert first.x0 + mirrored.x1 == pytest.approx(13, abs=0.2)
    title = figure.get_suptitle()
    assert title == f"MA0001 ABC\n50 sites · {motif.information:.1f} bits · importance 0.12"


def test_logo_pair_of_rna_is_one_strand_and_an_unknown_importance_is_not_told(motif):
    figure = create_figure()
    plot_logo_pair(figure, Motif("$x$ $", motif.pfm, 7), alphabet="rna")
    assert len(figure.axes) == 1
    assert "importance" not in figure.get_suptitle()
    pixels(figure)  # a dollar starts no formula


# Curves


def test_history_leaves_out_what_is_not_known(axes):
    rows = [
        {"step": 1, "train_loss": 0.7},
        {"step": 2, "train_loss": 0.6, "validation_loss": 0.65, "validation_score": 0.8},
        {"step": 3, "train_loss": math.nan, "validation_loss": None, "validation_score": None},
    ]
    plot_history(axes, rows, score_name="validation AUROC")
    losses = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(losses["training loss"].get_xdata(), [1, 2])
    np.testing.assert_array_equal(losses["validation loss"].get_ydata(), [0.65])
    (side,) = [other for other in axes.figure.axes if other is not axes]
    assert side.get_ylabel() == "validation AUROC"
    np.testing.assert_array_equal(side.lines[0].get_ydata(), [0.8])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["training loss", "validation loss", "validation AUROC"]


def test_history_without_rows_is_drawn(axes):
    plot_history(axes, [])
    pixels(axes.figure)


def test_roc_has_the_diagonal_and_one_line_a_name(axes):
    curve = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.9, 1.0]))
    plot_roc(axes, {"GABPA $": curve, "$CTCF$": curve})
    assert len(axes.lines) == 3
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), curve[1])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["GABPA $", "$CTCF$"]
    assert axes.lines[1].get_color() != axes.lines[2].get_color()
    pixels(axes.figure)


def test_precision_recall_is_drawn_in_steps_whatever_the_direction():
    recall, precision = np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.8, 0.4])
    pictures = []
    for turn in (slice(None), slice(None, None, -1)):
        axes = create_figure().subplots()
        plot_precision_recall(axes, {"x": (recall[turn], precision[turn])})
        (line,) = axes.lines
        assert line.get_drawstyle() == "steps-pre"
        pictures.append(pixels(axes.figure))
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("names", [["_hidden"], [], [f"t{i}" for i in range(40)]])
def test_legend_that_would_say_nothing_is_left_out(axes, names):
    plot_roc(axes, {name: (np.array([0, 1]), np.array([0, 1])) for name in names})
    assert axes.get_legend() is None
    assert len(axes.lines) == len(names) + 1
    styles = {(line.get_color(), line.get_linestyle()) for line in axes.lines[1:29]}
    assert len(styles) == min(len(names), 28)


def test_scatter_shows_every_point(axes):
    observed, predicted = np.arange(5.0), np.arange(5.0)[::-1]
    plot_scatter(axes, observed, predicted)
    points = axes.lines[-1]
    np.testing.assert_array_equal(points.get_xdata(), observed)
    np.testing.assert_array_equal(points.get_ydata(), predicted)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("observed", "predicted")


# Files


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_two_savings_are_the_same_bytes(suffix, motif, tmp_path):
    contents = []
    for number in range(2):
        figure = create_figure()
        plot_logo_pair(figure, motif)
        path = tmp_path / f"{number}{suffix}"
        save_figure(figure, path)
        save_figure(figure, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert len(list(tmp_path.iterdir())) == 2


def test_svg_holds_outlines_and_no_date(motif, tmp_path):
    figure = create_figure()
    plot_logo(figure.subplots(), motif)
    save_figure(figure, tmp_path / "a.svg")
    tree = ET.parse(tmp_path / "a.svg")
    tags = {element.tag.split("}")[1] for element in tree.iter()}
    assert "path" in tags
    assert not tags & {"text", "date", "image"}


def test_png_is_a_picture_of_150_dots_an_inch(tmp_path):
    figure = create_figure(width=4, height=2)
    save_figure(figure, tmp_path / "a.png")
    head = (tmp_path / "a.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (600, 300)


def test_other_formats_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg or \.png"):
        save_figure(create_figure(), tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())


def test_failed_saving_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_text("old")
    figure = create_figure()

    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_text() == "old"


def test_history_without_a_score_has_one_axis(axes):
    plot_history(axes, [{"step": 1, "train_loss": 0.7, "validation_loss": 0.8}])
    assert axes.figure.axes == [axes]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["training loss", "validation loss"]


def absolute_points(outline: str) -> list[tuple[float, float]]:
    """Every point of an SVG outline of M, L, Q, C and z, absolute or relative, as it is drawn."""
    here, first, points = (0.0, 0.0), (0.0, 0.0), []
    for command, numbers in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", outline):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        origin = here if command.islower() else (0.0, 0.0)
        ends = [
            (origin[0] + x, origin[1] + y) for x, y in zip(values[::2], values[1::2], strict=True)
        ]
        points += ends
        here = ends[-1] if ends else first
        first = here if command in "Mm" else first
    return points


def test_a_short_svg_is_drawn_like_the_long_one(motif, tmp_path):
    figure = create_figure()
    plot_logo(figure.subplots(), motif)
    save_figure(figure, tmp_path / "short.svg")
    with mpl.rc_context({"svg.hashsalt": "seqcnn", "svg.fonttype": "path"}):
        figure.savefig(tmp_path / "long.svg", metadata={"Date": None, "Creator": None})
    short, long = (
        [path.get("d") for path in ET.parse(tmp_path / name).iter() if path.tag.endswith("path")]
        for name in ("short.svg", "long.svg")
    )
    assert len(short) == len(long)
    assert sum(map(len, short)) < 0.5 * sum(map(len, long))
    for mine, original in zip(short, long, strict=True):
        difference = np.array(absolute_points(mine)) - np.array(absolute_points(original))
        assert np.abs(difference).max() <= 0.00501


def test_letters_that_no_eye_can_see_are_left_out(axes):
    plot_letters(axes, np.array([[1.0], [0.004], [0.5], [0.0]]), least=0.005)
    assert sorted(patch.get_gid() for patch in axes.patches) == ["letter_A", "letter_G"]


def test_letters_that_the_font_has_not_warn_nobody(tmp_path) -> None:
    figure = create_figure()
    figure.subplots().set_title("結合 \U0001f600")
    for name in ("a.svg", "a.png"):
        save_figure(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 0
