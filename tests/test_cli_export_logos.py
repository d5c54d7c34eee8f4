"""``seqcnn export-logos`` and ``seqcnn info``."""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import MOTIF, World, spells, write_fasta
from commands import QUICK, read_tsv, refused, seqcnn

from seqcnn.modelfile import read_model, write_model
from seqcnn.motifs import Motif, format_jaspar, format_meme, ppm, read_meme

COLUMNS = ["name", "sites", "information", "importance", "best match", "p", "q", "offset"]
COLUMNS += ["overlap", "strand", "consensus", "share", "enrichment", "positions", "note"]


def write_known(path: Path, *, alphabet: str = "dna", number: int = 60) -> Path:
    """Chance motifs, and the one that is planted in the small genome."""
    rng = np.random.default_rng(0)
    known = [Motif(f"X{i}", rng.dirichlet([0.4] * 4, 9).T * 50, 50) for i in range(number)]
    planted = np.eye(4)[["ACGT".index(letter) for letter in MOTIF]].T * 90 + 2
    known.append(Motif("K1", planted, 98, alternate="PLANTED"))
    path.write_text(format_meme(known, alphabet=alphabet))
    return path


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_known(tmp_path_factory.mktemp("known") / "known.meme")


@pytest.fixture(scope="module")
def logos(model: Path, known: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "logos"
    seqcnn("export-logos", "-m", model, "--motifs", known, "--logos", 2, "-o", folder)
    return folder


def kept_motifs(model: Path) -> list[Motif]:
    return [motif for motif in read_model(model).motifs if not motif.duplicate_of]


def test_files(logos: Path, model: Path) -> None:
    files = {str(path.relative_to(logos)) for path in logos.rglob("*") if path.is_file()}
    names = [f"logos/{rank:03d}_{m.name}" for rank, m in enumerate(kept_motifs(model)[:2], start=1)]
    drawn = [f"{name}{part}" for name in names for part in ("", "_match")]
    texts = {"motifs.meme", "motifs.jaspar", "motifs.transfac", "filters.tsv", "index.html"}
    assert files == texts | {f"{name}{suffix}" for name in drawn for suffix in (".svg", ".png")}
    for name in drawn:
        ET.parse(logos / f"{name}.svg")
        assert (logos / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_page_needs_nothing_beside_it(logos: Path, model: Path) -> None:
    page = (logos / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "K1 PLANTED" in page
    assert "with a q-value below 0.05" in page
    detectors = 16
    assert f"{detectors} detectors: {len(kept_motifs(model))} different motifs" in page
    assert "Number of sites from the start of the sequence to its end" in page


def test_filters_table_has_a_row_for_every_detector(logos: Path, model: Path) -> None:
    rows = read_tsv(logos / "filters.tsv")
    assert list(rows[0]) == COLUMNS
    assert len(rows) == len({row["name"] for row in rows}) == 16
    whole = read_model(model)
    assert [row["name"] for row in rows] == [*(m.name for m in whole.motifs), *whole.unused]
    for row, motif in zip(rows, whole.motifs, strict=False):
        assert int(row["sites"]) == motif.sites >= 10
        assert sum(map(int, row["positions"].split(","))) == motif.sites
        assert (row["note"] != ".") == bool(motif.duplicate_of)
        assert 0 <= float(row["p"]) <= float(row["q"]) <= 1
    for name, number in whole.unused.items():
        row = next(row for row in rows if row["name"] == name)
        assert int(row["sites"]) == number < 10
        assert row["note"] == ("fewer than ten sites" if number else "never fires")
        assert row["information"] == row["best match"] == "."


def test_the_motif_that_was_planted_is_first_and_named(logos: Path) -> None:
    first = read_tsv(logos / "filters.tsv")[0]
    assert first["best match"] == "K1 PLANTED"
    assert float(first["q"]) < 0.05
    assert float(first["importance"]) >= 0  # so small a model that is always right can spare any
    assert float(first["share"]) > 0.1
    assert float(first["enrichment"]) > 1


def test_the_three_files_say_the_same_and_biopython_reads_them(logos: Path, model: Path) -> None:
    bio = pytest.importorskip("Bio.motifs")
    motifs = kept_motifs(model)
    for suffix, kind in (("meme", "minimal"), ("jaspar", "jaspar"), ("transfac", "transfac")):
        read = list(bio.parse(io.StringIO((logos / f"motifs.{suffix}").read_text()), kind))
        assert len(read) == len(motifs)
        for old, new in zip(motifs, read, strict=True):
            shares = np.array([list(new.counts.normalize()[base]) for base in "ACGT"])
            wanted = ppm(old, pseudocount=4) if suffix == "meme" else ppm(old)
            # Biopython makes whole counts of the probabilities in a MEME file.
            slack = 1 / old.sites if suffix == "meme" else 1e-5
            np.testing.assert_allclose(shares, wanted, atol=slack)


def test_pseudocounts_and_background_are_named_in_the_files(logos: Path, model: Path) -> None:
    meme = (logos / "motifs.meme").read_text()
    assert "pseudo-count" in meme
    background = kept_motifs(model)[0].background
    assert read_meme(logos / "motifs.meme")[0].background == pytest.approx(background, abs=1e-6)
    transfac = (logos / "motifs.transfac").read_text()
    assert f"CC  background A {background[0]:.6f}" in transfac
    assert "CC  no pseudo-counts" in transfac


def test_the_same_bytes_again(logos: Path, model: Path, known: Path, tmp_path: Path) -> None:
    words = ["export-logos", "-m", model, "--motifs", known, "--logos", 2]
    seqcnn(*words, "-o", tmp_path / "again", "--seed", 9, "--threads", 2)
    for path in logos.rglob("*"):
        if path.is_file():
            again = tmp_path / "again" / path.relative_to(logos)
            assert again.read_bytes() == path.read_bytes(), path.name


def test_without_known_motifs_nothing_is_matched(model: Path, tmp_path: Path) -> None:
    seqcnn("export-logos", "-m", model, "--logos", 1, "--kind", "weights", "-o", tmp_path / "out")
    rows = read_tsv(tmp_path / "out/filters.tsv")
    assert all(row["best match"] == row["p"] == row["q"] == "." for row in rows)
    assert not list((tmp_path / "out/logos").glob("*_match*"))


@pytest.mark.parametrize("convention", ["half-maximum", "deepbind"])
def test_motifs_of_other_sequences(
    convention: str, world: World, model: Path, tmp_path: Path
) -> None:
    words = ["--sequences", world.positives, "--logos", 1, "--convention", convention]
    seqcnn("export-logos", "-m", model, *words, "-o", tmp_path / "logos")
    rows = read_tsv(tmp_path / "logos/filters.tsv")
    first = next(row["consensus"] for row in rows)
    assert spells(first, MOTIF[2:8])
    widths = [len(row["consensus"]) for row in rows if row["consensus"] != "."]
    assert (max(widths) > 10) == (convention == "half-maximum")


def test_a_convention_needs_sequences(model: Path, tmp_path: Path) -> None:
    words = ["export-logos", "-m", model, "--convention", "deepbind", "-o", tmp_path / "out"]
    assert "--convention: deepbind without sequences" in refused(tmp_path, *words)


def test_a_model_without_motifs_is_looked_at_on_random_sequences(
    model: Path, known: Path, tmp_path: Path
) -> None:
    bare = read_model(model)
    write_model(replace(bare, motifs=(), unused={}), tmp_path / "bare.safetensors")
    words = ["-m", tmp_path / "bare.safetensors", "--motifs", known, "--logos", 1]
    result = seqcnn("export-logos", *words, "-o", tmp_path / "out")
    assert "in random sequences" in result.stderr
    first = read_tsv(tmp_path / "out/filters.tsv")[0]
    assert first["enrichment"] == first["positions"] == "."
    assert first["best match"] == "K1 PLANTED"


def test_duplicates_are_found_in_a_file_that_does_not_tell_them(
    model: Path, tmp_path: Path
) -> None:
    whole = read_model(model)
    old = [Motif(m.name, m.pfm, m.sites, m.background, m.importance) for m in whole.motifs]
    write_model(replace(whole, motifs=tuple(old), unused={}), tmp_path / "old.safetensors")
    words = ["-m", tmp_path / "old.safetensors", "--logos", 1, "-o", tmp_path / "out"]
    seqcnn("export-logos", *words)
    rows = read_tsv(tmp_path / "out/filters.tsv")
    assert {row["name"] for row in rows} == {motif.name for motif in old}
    kept = [row for row in rows if row["note"] == "."]
    assert 0 < len(kept) < len(rows)


def test_a_model_whose_detectors_have_no_sites_is_told(model: Path, tmp_path: Path) -> None:
    write_fasta(tmp_path / "n.fa", [("n", "N" * 61)])
    words = ["export-logos", "-m", model, "--sequences", tmp_path / "n.fa", "-o", tmp_path / "out"]
    assert "no detector has ten sites" in refused(tmp_path, *words)


def test_refused_sequences(world: World, model: Path, tmp_path: Path) -> None:
    for path, needle in (
        (tmp_path / "none.fa", "no such file"),
        (world.peaks, "FASTA"),
        (world.folder, "is a folder"),
    ):
        words = ["export-logos", "-m", model, "--sequences", path, "-o", tmp_path / "logos"]
        assert needle in refused(tmp_path, *words)


def test_refused_motif_files(model: Path, known: Path, tmp_path: Path) -> None:
    text = known.read_text()
    for name, content, needle in (
        ("cut", text[: text.rindex("\n0")], "9 rows in the matrix of motif 'K1'"),
        ("width", text.replace("w= 9", "w= 8", 1), "9 rows in the matrix of motif 'X0'"),
        ("sum", re.sub(r"\n0\.\d", "\n9.0", text, count=1), "four probabilities that sum to 1"),
        ("words", "motifs\n", "begins with 'motifs'"),
        ("jaspar", format_jaspar([])[:0] + ">a\nA [ 1 ]\n", "four rows"),
    ):
        (tmp_path / f"{name}.txt").write_text(content)
        words = ["export-logos", "-m", model, "--motifs", tmp_path / f"{name}.txt"]
        message = refused(tmp_path, *words, "-o", tmp_path / "logos")
        assert needle in message
        assert f"{name}.txt:" in message
    words = ["export-logos", "-m", model, "--motifs", tmp_path / "no.meme", "-o", tmp_path / "out"]
    assert "no such file" in refused(tmp_path, *words)


def test_few_motifs_and_those_of_rna_are_warned_of(model: Path, tmp_path: Path) -> None:
    path = write_known(tmp_path / "rna.meme", alphabet="rna", number=8)
    result = seqcnn("export-logos", "-m", model, "--motifs", path, "--logos", 1,
                    "-o", tmp_path / "out")  # fmt: skip
    assert "so few motifs give rough p-values" in result.stderr
    assert "is of RNA, the model of DNA" in result.stderr
    assert read_tsv(tmp_path / "out/filters.tsv")[0]["best match"] == "K1 PLANTED"


def test_rna_has_one_strand_and_is_spelled_with_u(model: Path, tmp_path: Path) -> None:
    whole = read_model(model)
    spec = replace(whole.spec, alphabet="rna", strands="single")
    write_model(replace(whole, spec=spec), tmp_path / "rna.safetensors")
    known = write_known(tmp_path / "rna.meme", alphabet="rna")
    words = ["-m", tmp_path / "rna.safetensors", "--motifs", known, "--logos", 1]
    result = seqcnn("export-logos", *words, "-o", tmp_path / "out")
    assert "taken for the same" not in result.stderr
    assert "ALPHABET= ACGU" in (tmp_path / "out/motifs.meme").read_text()
    assert "\nU [" in (tmp_path / "out/motifs.jaspar").read_text()
    assert "P0  A  C  G  U" in (tmp_path / "out/motifs.transfac").read_text()
    rows = read_tsv(tmp_path / "out/filters.tsv")
    assert {row["strand"] for row in rows if row["strand"] != "."} == {"+"}
    assert not any("T" in row["consensus"] for row in rows)
    assert "reverse complement" not in (tmp_path / "out/index.html").read_text()


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
    assert re.search(r"^motifs +\d+ different ones$", text, flags=re.MULTILINE)
    for row in (
        r"layer +kind +kernel +stride +dilation +padding +output +parameters +FLOPs +sees \(bp\)",
        r"detectors +convolution +10 +1 +1 +0 +52 x 8 +320 +33,280 +10",
        r"batch norm +52 x 8 +16 +10",
        r"output +dense +1 x 1 +17 +32 +61",
        r"hidden +dense +1 x 16 +272 +512 +61",
        r"ReLU +1 x 16 +61",
        r"total +657 +33,824",
    ):
        assert re.search(f"^{row}$", text, flags=re.MULTILINE), row


def test_info_of_a_regression(world: World, tmp_path: Path) -> None:
    words = ["--table", world.table, "--targets", "strength", *QUICK, "-o", tmp_path / "run"]
    seqcnn("train", *words)
    text = seqcnn("info", tmp_path / "run/model.safetensors").stdout
    assert "regression: strength" in text
    assert re.search(r"^test +strength: .*pearson ", text, flags=re.MULTILINE)
