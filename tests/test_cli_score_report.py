"""The page of ``score-variants --report``."""

import re
from pathlib import Path

import pytest
from builders import World
from commands import QUICK, read_tsv, refused, seqcnn


@pytest.fixture(scope="module")
def model(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    seqcnn("train", "--seq", world.seq, *QUICK, "-o", folder / "run")
    return folder / "run/model.safetensors"


def test_the_page_shows_the_largest_effects_and_their_maps(
    world: World, model: Path, tmp_path: Path
) -> None:
    words = ["-m", model, "--fasta", world.genome, world.variants, "-o", tmp_path / "o.vcf.gz"]
    words += ["--tsv", tmp_path / "o.tsv", "--report", tmp_path / "o.html"]
    seqcnn("score-variants", *words)
    page = (tmp_path / "o.html").read_text()
    scored = [row for row in read_tsv(tmp_path / "o.tsv") if row["reason"] == "."]
    largest = max(scored, key=lambda row: abs(float(row["delta"])))
    first = page.index("Largest effects")
    row = re.search(r"<tr><th scope=\"row\">([^<]*)</th>", page[first:])
    assert row is not None
    assert row[1].startswith(f"{largest['contig']}:{largest['position']} ")
    assert largest["delta"] in page
    assert page.count("Mutation maps of") > 0
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    again = tmp_path / "again.html"
    seqcnn("score-variants", *words[:-1], again, "--force")
    assert again.read_text() == page


def test_a_report_without_a_file_of_scores_is_refused(
    world: World, model: Path, tmp_path: Path
) -> None:
    words = ["-m", model, "--fasta", world.genome, world.variants, "--report", tmp_path / "o.html"]
    assert "name it with -o" in refused(tmp_path, "score-variants", *words)


def test_several_tasks_have_a_column(world: World, tmp_path: Path) -> None:
    peaks = ["--peaks", f"a={world.peaks}", "--peaks", f"b={world.other_peaks}"]
    seqcnn("train", *peaks, "--fasta", world.genome, *QUICK, "-o", tmp_path / "run")
    words = ["-m", tmp_path / "run/model.safetensors", "--fasta", world.genome, world.variants]
    seqcnn("score-variants", *words, "-o", tmp_path / "o.bcf", "--report", tmp_path / "o.html")
    page = (tmp_path / "o.html").read_text()
    assert '<th scope="col">Task</th>' in page
