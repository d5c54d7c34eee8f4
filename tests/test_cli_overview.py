"""``seqcnn overview``: one page for what the workflow has made."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from builders import write_lines, write_vcf
from commands import refused, seqcnn

ESTIMATE = {"value": 0.91, "low": 0.87, "high": 0.95}


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three samples, one of them a regression of two tasks; one VCF; benchmarks."""
    folder = tmp_path / "results"
    classes = {"test": {"t": {"auroc": ESTIMATE, "n": 1440}}, "baselines": {"composition": {}}}
    values = {"pearson": {"value": 0.5, "low": None, "high": None}, "n": 9}
    write_json(folder / "models/a<b/metrics.json", classes)
    write_json(folder / "models/c/metrics.json", {"test": {"x": values, "y": values}})
    worse = {"test": {"t": {"auroc": ESTIMATE | {"value": 0.6}, "n": 7}}}
    write_json(folder / "models/d/metrics.json", worse)
    write_json(folder / "evaluations/c/other/metrics.json", worse)
    (folder / "models/c/report.html").write_text("")
    counts = {"records": 500, "alleles": 600, "scored": 590, "reasons": {"too_long": 10}}
    for i in (1, 2):
        write_json(folder / f"variants/c/v.shards/{i}of2.json", counts)
    (folder / "variants/c/v.vcf.gz").write_text("")
    (folder / "maps/c").mkdir(parents=True)
    infos = ["SEQCNN_DELTA_x=0.1;SEQCNN_DELTA_y=.,-2;SEQCNN_P_y=.,0.03;SEQCNN_PDIFF_y=7", ""]
    infos[1] = "SEQCNN_DELTA_x=0.5;SEQCNN_DELTA_y=0.2"
    records = [f"chr1\t{i}\tn{i}\tA\tC,G\t.\t.\t{info}" for i, info in enumerate(infos, 1)]
    write_vcf(folder / "maps/c/v.vcf", records)
    for name, seconds in (("a", "12.5"), ("b", "NA")):
        path = folder / f"benchmarks/train/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(path, ["s\th:m:s\tmax_rss", f"{seconds}\t0:00:12\t345.6"])
    return folder


def cells(page: str) -> list[list[str]]:
    rows = re.findall("<tr>(.*?)</tr>", page)
    found = [re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    return [[unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in found]


def test_everything_has_its_row(results: Path) -> None:
    seqcnn("overview", results, "-o", results / "overview.html")
    page = (results / "overview.html").read_text()
    assert "3 models, 1 evaluation and 1 scored VCF" in page
    assert "AUROC from 0.600 (d) to 0.910 (a&lt;b)" in page
    assert "1,180 of 1,200 alleles have a score; the others have a reason." in page
    none = "\u2013"
    rows = cells(page)
    for row in (
        ["a<b", "t", "1,440", "AUROC", "0.910 (0.870 to 0.950)", none, none, none],
        ["c", "y", "9", "Pearson r", "0.500", none, "report", none],
        ["c", "other", "t", "7", "AUROC", "0.600 (0.870 to 0.950)", none],
        ["c", "v", "1,000", "1,200", "1,180", "too_long 20", "VCF", none, none, none],
        ["c", "v", "chr1:1 A>C,G n1", "y", ".,-2", ".,0.03"],
        ["c", "v", "chr1:2 A>C,G n2", "x", "0.5", "."],
        ["train", "2", "12", "12", "346"],
    ):
        assert row in rows
    for link in re.findall('href="([^"]*)"', page):
        assert (results / link).exists()
    assert "<script" not in page
    assert "http" not in page


def test_many_files_are_not_all_shown(results: Path) -> None:
    maps = (results / "maps/c/v.vcf").read_text()
    for i in range(60):
        (results / f"variants/c/w{i}.vcf.gz").write_text("")
        (results / f"maps/c/w{i}.vcf").write_text(maps)
    seqcnn("overview", results, "-o", results / "overview.html")
    page = (results / "overview.html").read_text()
    assert "of the first 40 of 61 files" in page
    assert page.count("n1") == 40


def test_what_is_no_run_is_refused(results: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "o.html")
    assert "no such folder" in refused(tmp_path, "overview", tmp_path / "none", *out)
    (tmp_path / "empty").mkdir()
    assert "holds no models/" in refused(tmp_path, "overview", tmp_path / "empty", *out)
    (results / "models/d/metrics.json").write_text("{")
    assert "metrics.json: is no JSON" in refused(tmp_path, "overview", results, *out)
