"""``seqcnn export-logos`` and ``seqcnn info``."""

import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from builders import World
from commands import QUICK, read_tsv, refused, seqcnn

from seqcnn.modelfile import read_model


@pytest.fixture(scope="module")
def logos(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "logos"
    seqcnn("export-logos", "-m", model, "--logos", 3, "-o", folder)
    return folder


def test_files(logos: Path, model: Path) -> None:
    motifs = read_model(model).motifs
    files = {str(path.relative_to(logos)) for path in logos.rglob("*") if path.is_file()}
    drawn = [f"logos/{rank:03d}_{m.name}" for rank, m in enumerate(motifs[:3], start=1)]
    texts = {"motifs.meme", "motifs.jaspar", "motifs.transfac", "filters.tsv", "index.html"}
    assert files == texts | {f"{name}{suffix}" for name in drawn for suffix in (".svg", ".png")}
    page = (logos / "index.html").read_text()
    for name in drawn:
        assert name in page
        ET.parse(logos / f"{name}.svg")
        assert (logos / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_filters_table(logos: Path, model: Path) -> None:
    rows = read_tsv(logos / "filters.tsv")
    columns = ["name", "sites", "information", "importance", "consensus", "best match", "p", "q"]
    assert list(rows[0]) == columns
    importance = [float(row["importance"]) for row in rows]
    assert importance == sorted(importance, reverse=True)
    assert [row["name"] for row in rows] == [motif.name for motif in read_model(model).motifs]
    assert (logos / "motifs.meme").read_text().count("\nMOTIF ") == len(rows)


def test_the_same_bytes_again(logos: Path, model: Path, tmp_path: Path) -> None:
    words = ["export-logos", "-m", model, "--logos", 3, "-o", tmp_path / "again"]
    seqcnn(*words, "--seed", 9, "--threads", 2)
    for path in logos.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(logos)
            assert again.read_bytes() == path.read_bytes(), path.name


def test_motifs_of_other_sequences(world: World, model: Path, tmp_path: Path) -> None:
    words = ["--sequences", world.positives, "--logos", 1]
    seqcnn("export-logos", "-m", model, *words, "-o", tmp_path / "logos")
    first = read_tsv(tmp_path / "logos/filters.tsv")[0]["consensus"]
    assert "GACT" in first or "AGTC" in first


def test_a_model_without_motifs_is_told(
    model: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqcnn.filters.extract_motifs", lambda *_, **__: [])
    words = ["export-logos", "-m", model, "--sequences", world.positives, "-o", tmp_path / "out"]
    assert "no detector has ten sites" in refused(tmp_path, *words)


def test_refused_sequences(world: World, model: Path, tmp_path: Path) -> None:
    for path, needle in (
        (tmp_path / "none.fa", "no such file"),
        (world.peaks, "FASTA"),
        (world.folder, "is a folder"),
    ):
        words = ["export-logos", "-m", model, "--sequences", path, "-o", tmp_path / "logos"]
        assert needle in refused(tmp_path, *words)


def test_info(model: Path) -> None:
    text = seqcnn("info", model).stdout
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    for needle in (
        digest,
        "motif (detectors=8, width=10",
        "2 of ",
        "binary: site",
        "61 bp, DNA, strands: average",
        "auroc 1.0000 (",
        "seed 0",
        "seqcnn train --peaks site=peaks.bed --fasta genome.fa",
        "genome.fa sha256 ",
        "peaks.bed sha256 ",
    ):
        assert needle in text, needle
    assert re.search(r"^motifs +\d+ with at least ten sites$", text, flags=re.MULTILINE)
    for row in (
        r"layer +kind +kernel +stride +dilation +padding +output +parameters +FLOPs +sees \(bp\)",
        r"detectors +convolution +10 +1 +1 +0 +52 x 8 +320 +33,280 +10",
        r"batch norm +52 x 8 +16 +10",
        r"output +dense +1 x 1 +17 +32 +61",
        r"total +385 +33,312",
    ):
        assert re.search(f"^{row}$", text, flags=re.MULTILINE), row


def test_info_of_a_regression(world: World, tmp_path: Path) -> None:
    words = ["--table", world.table, "--targets", "strength", *QUICK, "-o", tmp_path / "run"]
    seqcnn("train", *words)
    text = seqcnn("info", tmp_path / "run/model.safetensors").stdout
    assert "regression: strength" in text
    assert re.search(r"^test +strength: .*pearson ", text, flags=re.MULTILINE)
