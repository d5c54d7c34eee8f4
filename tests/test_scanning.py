"""Scanning against each window by itself, and sites against planted ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import draw_codes, make_model

from seqcnn.engine import Engine
from seqcnn.errors import BedError, FastaError
from seqcnn.genome import Interval, gather_windows
from seqcnn.scanning import SiteFinder, Stretch, plan_scan, scan_stretch
from seqcnn.scanning.sites import _Peaks

LENGTH = 20


@pytest.fixture(scope="module", params=["average", "single"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(make_model(length=LENGTH, members=2, strands=request.param))


def test_values_are_those_of_each_window(engine: Engine) -> None:
    contig = draw_codes(1, 300, seed=4)[0]
    contig[100:140] = 4
    (stretch,) = plan_scan({"c": 300}, length=LENGTH, where=Path("fa"))
    found = list(scan_stretch(engine, contig, stretch))
    assert found[0][0] == stretch.first == LENGTH // 2
    logits = np.concatenate([values for _, values in found])
    starts = np.arange(300 - LENGTH + 1)
    windows = gather_windows(contig, starts, LENGTH)
    expected = engine.predict(windows).logits
    expected[(windows == 4).all(axis=1)] = np.nan
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    assert np.isnan(logits[101:120]).all()
    assert not np.isnan(logits[[99, 121]]).any()


def test_regions_are_merged_and_cut() -> None:
    regions = [Interval("2", 0, 30), Interval("chr2", 25, 40), Interval("chr1", 80, 500)]
    found = plan_scan({"chr2": 100, "chr1": 90}, length=21, regions=regions, where=Path("bed"))
    assert found == [Stretch("chr2", 10, 40)]
    whole = plan_scan({"b": 100, "a": 21, "c": 20}, length=21, where=Path("fa"))
    assert whole == [Stretch("a", 10, 11), Stretch("b", 10, 90)]


def test_regions_that_cannot_be_are_refused() -> None:
    with pytest.raises(BedError, match="off the contig"):
        plan_scan({"a": 50}, length=5, regions=[Interval("a", 50, 60, line=3)], where=Path("x.bed"))
    with pytest.raises(BedError, match="not in the FASTA"):
        plan_scan({"a": 50}, length=5, regions=[Interval("b", 0, 6)], where=Path("x.bed"))
    with pytest.raises(FastaError, match="no window of 51 bases fits"):
        plan_scan({"a": 50}, length=51, where=Path("x.fa"))


def find_peaks_slowly(values: list[int], radius: int, threshold: float) -> list[int]:
    kept: list[int] = []
    for i, value in enumerate(values):
        near = values[max(0, i - radius) : i + 1 + radius]
        if value >= threshold and value == max(near) and not (kept and i - kept[-1] <= radius):
            kept.append(i)
    return kept


@given(
    values=st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 20), max_size=6),
    radius=st.integers(0, 7),
    threshold=st.integers(-3, 3),
)
def test_suppression_in_any_blocks(
    values: list[int], cuts: list[int], radius: int, threshold: int
) -> None:
    peaks = _Peaks(radius, threshold)
    numbers, done = np.array(values, dtype=np.float64), 0
    for size in [*cuts, len(values)]:
        if done < len(values):
            peaks.add(7 + done, numbers[done : done + size])
        done += size
    places, found = peaks.finish()
    expected = find_peaks_slowly(values, radius, threshold)
    assert (places - 7).tolist() == expected
    np.testing.assert_array_equal(found, numbers[expected])


def test_stretches_apart_do_not_suppress_each_other() -> None:
    peaks = _Peaks(5, 0.0)
    peaks.add(0, np.array([1.0, 2.0]))
    peaks.add(4, np.array([3.0, 1.0]))
    assert peaks.finish()[0].tolist() == [1, 4]


@pytest.mark.parametrize("strands", ["average", "max", "single"])
def test_planted_sites_are_found(strands: str) -> None:
    """A detector that knows one word finds it where it was planted, on its strand."""
    word = np.array([3, 2, 0, 1, 2, 3, 3, 0], dtype=np.uint8)  # TGACGTTA
    model = make_model("deepbind", length=41, strands=strands, values={"detectors": 1, "width": 8})
    detector = np.full((1, 4, 8), -2, dtype=np.float32)
    detector[0, word, np.arange(8)] = 1
    shapes = {name: value.shape for name, value in model.members[0].items()}
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    for name, shape in shapes.items():
        if shape == detector.shape:
            weights[name] = detector
        elif len(shape) == 2:
            weights[name][:] = 1
    engine = Engine(make_model("deepbind", length=41, strands=strands,
                               values={"detectors": 1, "width": 8}, weights=[weights]))  # fmt: skip
    contig = draw_codes(1, 3000, seed=8, unknown=False)[0]
    planted = {200: "+", 230: "+", 1500: "-", 2960: "-"}
    for start, strand in planted.items():
        contig[start : start + 8] = word if strand == "+" else 3 - word[::-1]
    full = engine.predict(gather_windows(contig, np.array([190]), 41)).logits[0, 0]
    finder = SiteFinder(engine, contig, np.array([full - 1e-3]))
    (stretch,) = plan_scan({"c": 3000}, length=41, where=Path("fa"))
    for first, logits in scan_stretch(engine, contig, stretch):
        finder.add(first, logits)
    sites = finder.finish()
    expected = [s for s in planted if strands != "single" or planted[s] == "+"]
    assert len(sites) == len(expected)
    for site, start in zip(sites, expected, strict=True):
        assert site.start <= start
        assert start + 8 <= site.end
        assert site.end - site.start == 21
        assert site.strand == planted[start]
        assert site.logit == pytest.approx(full, abs=1e-6)
