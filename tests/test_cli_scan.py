"""``seqcnn scan`` as a user runs it."""

import gzip
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from builders import MOTIF, SITES, SPACING, World, write_fasta, write_lines
from commands import parse_tsv, refused, seqcnn
from tiny_models import make_model

from seqcnn.modelfile import write_model

LENGTH = 61


def test_values_are_those_of_predict_on_each_window(
    world: World, model: Path, tmp_path: Path
) -> None:
    regions = write_lines(tmp_path / "r.bed", ["chr3\t0\t140", "2\t500\t520"])
    out, text = tmp_path / "out.bw", tmp_path / "out.bedgraph.gz"
    words = ["scan", "-m", model, "--fasta", world.genome, "--regions", regions]
    seqcnn(*words, "-o", out)
    seqcnn(*words, "-o", text)
    centres = [("chr2", at) for at in range(500, 520)]
    centres += [("chr3", at) for at in range(LENGTH // 2, 140)]
    bed = write_lines(
        tmp_path / "w.bed", [f"{c}\t{at - 30}\t{at + 31}\t{c}_{at}" for c, at in centres]
    )
    scored = seqcnn("predict", "-m", model, "--fasta", world.genome, bed)
    expected = [float(row["logit"]) for row in parse_tsv(scored.stdout)]
    with pyBigWig.open(str(out)) as track:
        assert track.chroms() == {name: len(letters) for name, letters in world.contigs.items()}
        found = [track.values(contig, at, at + 1)[0] for contig, at in centres]
        assert track.header()["nBasesCovered"] == len(centres)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    lines = [line.split("\t") for line in gzip.decompress(text.read_bytes()).decode().splitlines()]
    assert [(c, int(start), int(end)) for c, start, end, _ in lines] == [
        (c, at, at + 1) for c, at in centres
    ]
    np.testing.assert_allclose([float(row[3]) for row in lines], expected, rtol=1e-5, atol=1e-5)


def test_planted_sites_are_called(world: World, model: Path, tmp_path: Path) -> None:
    sites = tmp_path / "sites.bed"
    words = ["scan", "-m", model, "--fasta", world.genome, "--sites", sites]
    seqcnn(*words, "-o", tmp_path / "a.bw")
    rows = [line.split("\t") for line in sites.read_text().splitlines()]
    planted = {
        (contig, SPACING // 2 + i * SPACING - len(MOTIF) // 2)
        for contig in world.contigs
        for i in range(SITES)
    }
    found = {
        (c, at) for c, at in planted
        if any(r[0] == c and int(r[1]) < at + len(MOTIF) and at < int(r[2]) for r in rows)
    }  # fmt: skip
    right = [r for r in rows if any(
        r[0] == c and int(r[1]) < at + len(MOTIF) and at < int(r[2]) for c, at in planted
    )]  # fmt: skip
    assert len(found) > 0.4 * len(planted)
    assert len(right) > 0.8 * len(rows)
    assert [r[:2] for r in rows] == sorted((r[:2] for r in rows), key=lambda r: (r[0], int(r[1])))
    assert {len(r) for r in rows} == {6}
    assert {r[5] for r in rows} <= {"+", "-", "."}
    more = ["--threshold", "-100", "--force", "--threads", "2"]
    seqcnn(*words, *more, "-o", tmp_path / "a.bw")
    assert len(sites.read_text().splitlines()) > len(rows)


def test_several_tasks_have_a_file_each(tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    tasks = ("one", "the other")
    write_model(make_model(length=20, tasks=tasks, task_kind="multilabel"), model)
    rng = np.random.default_rng(1)
    genome = write_fasta(
        tmp_path / "g.fa",
        [("b", "".join(rng.choice(list("ACGT"), 300))), ("a", "N" * 30 + "ACGT" * 10)],
    )
    words = ["scan", "-m", model, "--fasta", genome]
    seqcnn(*words, "-o", tmp_path / "out.bw", "--sites", tmp_path / "s.bed")
    assert (tmp_path / "out.one.bw").is_file()
    with pyBigWig.open(str(tmp_path / "out.the_other.bw")) as track:
        assert np.isnan(track.values("a", 0, 21)).all()
        assert not np.isnan(track.values("a", 21, 60)).any()
    names = {line.split("\t")[3] for line in (tmp_path / "s.bed").read_text().splitlines()}
    assert names <= {"one", "the_other"}
    seqcnn(*words, "-o", tmp_path / "x.bedgraph", "--task", "one")
    first = (tmp_path / "x.bedgraph").read_text().split("\t")[0]
    assert first == "a"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out.txt"], ".bedgraph"),
        (["-o", "out.bw", "--threshold", "2"], "--sites"),
        (["-o", "out.bw", "--task", "none"], "no such task"),
        (["-o", "out.bw", "--sites", "out.bw"], "another file"),
        (["-o", "nowhere/out.bw"], "no folder"),
    ],
)
def test_what_does_not_fit_is_refused(
    world: World, model: Path, tmp_path: Path, words: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert message in refused(tmp_path, "scan", "-m", model, "--fasta", world.genome, *words)


def test_regions_off_the_genome_are_refused(world: World, model: Path, tmp_path: Path) -> None:
    words = ["scan", "-m", model, "--fasta", world.genome, "-o", tmp_path / "o.bw", "--regions"]
    off = write_lines(tmp_path / "off.bed", ["chr1\t0\t100", "chr1\t900000\t900100"])
    assert "off.bed:2" in refused(tmp_path, *words, off)
    other = write_lines(tmp_path / "other.bed", ["scaffold\t0\t100"])
    assert "scaffold" in refused(tmp_path, *words, other)
    short = write_fasta(tmp_path / "short.fa", [("c", "ACGT")])
    words[4] = short
    assert "no window of 61 bases fits" in refused(tmp_path, *words[:-1])
