"""The main job on real data: train, evaluate, score variants, read the motif."""

import gzip
import json
from pathlib import Path

import pytest
from commands import read_tsv, seqcnn

from seqcnn.motifs import compare_motifs, read_meme

pytestmark = pytest.mark.data


def test_gabpa_and_the_tert_promoter(data_dir: Path, tmp_path: Path) -> None:
    """Two mutations that make a GABP site drive TERT in tumours (C228T, C250T)."""
    (train,) = data_dir.glob("encode_chipseq/GABPA_*_AC.seq.gz")
    (test,) = data_dir.glob("encode_chipseq/GABPA_*_B.seq.gz")
    model = tmp_path / "run/model.safetensors"
    seqcnn("train", "--seq", train, "-o", tmp_path / "run")
    seqcnn("evaluate", "-m", model, "--seq", test, "-o", tmp_path / "evaluation")
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    (values,) = metrics["test"].values()
    (composition,) = metrics["baselines"]["composition"].values()
    assert values["auroc"]["value"] >= 0.98
    assert composition["auroc"]["value"] < 0.6

    assert_motif(model, data_dir / "motifs/JASPAR2024_CORE_vertebrates_nr.meme", "MA0062")

    satmut = data_dir / "satmut"
    tsv = tmp_path / "tert.tsv"
    fasta = satmut / "elements.GRCh38.fa"
    vcf = satmut / "TERT-GBM.vcf"
    seqcnn(
        "score-variants", "-m", model, "--fasta", fasta, vcf,
        "-o", tmp_path / "tert.vcf", "--tsv", tsv,
    )  # fmt: skip
    gains = strongest_gains(vcf, tsv)
    assert len(gains) == 770
    strongest = gains[: 770 * 3 // 100]
    assert "chr5_1295113_G_A" in strongest
    assert "chr5_1295135_G_A" in strongest


def test_yeast_summits_whose_contigs_have_other_names(data_dir: Path, tmp_path: Path) -> None:
    yeast = data_dir / "yeast"
    peaks, fasta = yeast / "Reb1_CX.bed", yeast / "sacCer3.fa.gz"
    seqcnn("train", "--peaks", f"Reb1={peaks}", "--fasta", fasta, "-o", tmp_path / "run")
    database = data_dir / "motifs/JASPAR2024_CORE_fungi_nr.meme"
    assert_motif(tmp_path / "run/model.safetensors", database, "MA0363")


def test_a_microarray_predicts_another(data_dir: Path, tmp_path: Path) -> None:
    """Probe intensities of one array design, learned on the other."""
    tables = {}
    for design in ("HK", "ME"):
        lines = gzip.decompress((data_dir / f"dream5_pbm/Cebpb_{design}.txt.gz").read_bytes())
        tables[design] = tmp_path / f"{design}.tsv"
        tables[design].write_bytes(b"sequence\tsignal\tbackground\n" + lines)
    source = ["--table", tables["HK"], "--targets", "signal"]
    seqcnn("train", *source, "-o", tmp_path / "run")
    source[1] = tables["ME"]
    model = tmp_path / "run/model.safetensors"
    seqcnn("evaluate", "-m", model, *source, "-o", tmp_path / "evaluation")
    metrics = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert metrics["test"]["signal"]["spearman"]["value"] >= 0.6


def assert_motif(model: Path, database: Path, accession: str) -> None:
    """Check that among the ten strongest detectors one is the known motif."""
    folder = model.parent.parent / "logos"
    seqcnn("export-logos", "-m", model, "--logos", 1, "-o", folder)
    (known,) = (motif for motif in read_meme(database) if motif.name.startswith(accession))
    learned = read_meme(folder / "motifs.meme")[:10]
    assert max(compare_motifs(motif, known).score for motif in learned) > 0.8


def strongest_gains(vcf: Path, tsv: Path) -> list[str]:
    """Name the well-measured SNVs of an element, the highest delta first."""
    lines = [line.split("\t") for line in vcf.read_text().splitlines() if line[0] != "#"]
    tags = {line[2]: int(line[7].split("TAGS=")[1].split(";")[0]) for line in lines}
    rows = [
        (float(row["delta"]), row["id"])
        for row in read_tsv(tsv)
        if len(row["ref"]) == len(row["alt"]) == 1 and tags[row["id"]] >= 10
    ]
    return [name for _, name in sorted(rows, reverse=True)]
