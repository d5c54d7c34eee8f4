"""``seqcnn mutation-map`` as a user runs it."""

from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from builders import MOTIF, World, write_fasta, write_vcf
from commands import parse_tsv, read_tsv, refused, seqcnn
from tiny_models import make_model

from seqcnn.modelfile import write_model
from seqcnn.motifs import Motif, format_meme

COLUMNS = ["name", "position", "ref", "alt", "logit", "delta"]


def region(world: World, start: int, end: int) -> list[object]:
    return ["--fasta", world.genome, "--region", f"chr2:{start}-{end}"]


def test_a_region_has_a_table_pictures_and_a_track(
    world: World, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "map"
    seqcnn("mutation-map", "-m", model, *region(world, 90, 150), "--bigwig", "-o", out)
    rows = read_tsv(out / "map.tsv")
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 3 * 61
    assert {row["name"] for row in rows} == {"chr2:90-150"}
    assert all(row["ref"] == world.ref("chr2", int(row["position"])) for row in rows)
    names = {path.name for path in out.iterdir()}
    assert names == {"map.tsv", "chr2_90-150.svg", "chr2_90-150.png", "effect.bw"}
    assert (out / "chr2_90-150.svg").read_text().startswith("<?xml")
    with pyBigWig.open(str(out / "effect.bw")) as track:
        values = np.array(track.values("chr2", 89, 150))
    deltas = np.array([float(row["delta"]) for row in rows]).reshape(61, 3)
    np.testing.assert_allclose(values, -deltas.mean(axis=1), atol=1e-4)
    site = MOTIF in world.ref("chr2", 90, 61)
    assert site


def test_deltas_are_those_of_score_variants(world: World, model: Path, tmp_path: Path) -> None:
    """In a region that is longer than the window each position is in the middle of its own."""
    seqcnn("mutation-map", "-m", model, *region(world, 100, 170), "-o", tmp_path / "map")
    rows = read_tsv(tmp_path / "map" / "map.tsv")
    vcf = write_vcf(
        tmp_path / "all.vcf",
        [f"chr2\t{r['position']}\t.\t{r['ref']}\t{r['alt']}\t.\t.\t." for r in rows],
    )
    result = seqcnn(
        *("score-variants", "-m", model, "--fasta", world.genome, vcf),
        *("-o", tmp_path / "out.vcf", "--tsv", "-"),
    )
    for row, scored in zip(rows, parse_tsv(result.stdout), strict=True):
        assert float(row["delta"]) == pytest.approx(float(scored["delta"]), abs=2e-5)
        assert float(row["logit"]) == pytest.approx(float(scored["alt_logit"]), rel=2e-5, abs=1e-5)


def test_each_allele_has_two_maps_and_the_others_a_reason(
    world: World, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "maps"
    result = seqcnn(
        *("mutation-map", "-m", model, "--fasta", world.genome, "--vcf", world.variants),
        *("--pictures", 2, "-o", out),
    )
    rows = read_tsv(out / "map.tsv")
    names = list(dict.fromkeys(row["name"] for row in rows))
    assert all(name.endswith(("/ref", "/alt")) for name in names)
    skipped = read_tsv(out / "skipped.tsv")
    reasons = {row["id"]: row["reason"] for row in skipped}
    assert reasons["mismatch"] == "ref_mismatch"
    assert reasons["absent"] == "contig_missing"
    assert len(list(out.glob("*.svg"))) == len(list(out.glob("*.png"))) == 2
    assert "--pictures 0 draws all" in result.stderr
    assert "1 ref_mismatch" in result.stderr
    scored = len(names) // 2
    assert scored == 5 * len(world.contigs) + 2 + 2 + 1


def test_sequences_of_any_length_are_mapped(model: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    letters = ["".join(rng.choice(list("ACGT"), size)) for size in (5, 61, 150)]
    given = write_fasta(tmp_path / "in.fa", [("a/b", letters[0]), ("a b", letters[1]),
                                             ("long", letters[2])])  # fmt: skip
    seqcnn("mutation-map", "-m", model, "--sequences", given, "-o", tmp_path / "map")
    rows = read_tsv(tmp_path / "map" / "map.tsv")
    assert len(rows) == 3 * (5 + 61 + 150)
    for name, spelled in zip(("a/b", "a", "long"), letters, strict=True):
        own = [row for row in rows if row["name"] == name]
        assert "".join(row["ref"] for row in own[::3]) == spelled
        assert [int(row["position"]) for row in own[::3]] == list(range(1, len(spelled) + 1))
    pictures = {path.name for path in (tmp_path / "map").glob("*.svg")}
    assert pictures == {"a_b.svg", "a.svg", "long.svg"}


def test_the_same_bytes_twice_and_force(world: World, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "map"
    words = ["mutation-map", "-m", model, *region(world, 100, 130), "--gate", "product", "-o", out]
    seqcnn(*words)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "exists already" in refused(tmp_path, *words)
    seqcnn(*words, "--force", "--threads", 2)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    (out / "mine.txt").write_text("kept")
    assert "mine.txt" in refused(tmp_path, *words, "--force")


def test_several_tasks_and_a_long_map(tmp_path: Path) -> None:
    model = make_model(length=20, tasks=("one", "the other"), task_kind="multilabel")
    write_model(model, tmp_path / "m.safetensors")
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("ACGT"), 2100))
    genome = write_fasta(tmp_path / "g.fa", [("c", letters)])
    words = ["mutation-map", "-m", tmp_path / "m.safetensors", "--fasta", genome]
    seqcnn(*words, "--region", "c:1-30", "-o", tmp_path / "two")
    rows = read_tsv(tmp_path / "two" / "map.tsv")
    assert list(rows[0]) == [*COLUMNS, "task"]
    assert (tmp_path / "two" / "c_1-30.the_other.svg").is_file()
    seqcnn(*words, "--region", "c", "--task", "one", "-o", tmp_path / "long")
    page = (tmp_path / "long" / "c_1-2100.html").read_text()
    assert page.count("<section") == 2 + 3
    assert "<script" not in page
    assert 'src="data:' in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert list(read_tsv(tmp_path / "long" / "map.tsv")[0]) == COLUMNS


def test_known_motifs_are_named(world: World, model: Path, tmp_path: Path) -> None:
    counts = np.zeros((4, len(MOTIF)))
    counts[["ACGT".index(letter) for letter in MOTIF], np.arange(len(MOTIF))] = 50
    database = tmp_path / "db.meme"
    database.write_text(format_meme([Motif("planted", counts, 50)]))
    words = ["mutation-map", "-m", model, *region(world, 90, 150)]
    seqcnn(*words, "--motifs", database, "-o", tmp_path / "map")
    cut = tmp_path / "cut.meme"
    cut.write_text(database.read_text()[:-30])
    assert "cut.meme" in refused(tmp_path, *words, "--motifs", cut, "-o", tmp_path / "no")


def test_what_cannot_be_mapped_is_refused(world: World, model: Path, tmp_path: Path) -> None:
    base = ["mutation-map", "-m", model, "-o", tmp_path / "out"]
    genome = ["--fasta", world.genome]
    assert "one of --region" in refused(tmp_path, *base)
    both = [*genome, "--region", "chr1:1-9", "--vcf", world.variants]
    assert "together" in refused(tmp_path, *base, *both)
    assert "--fasta" in refused(tmp_path, *base, "--region", "chr1:1-9")
    assert "bases" in refused(tmp_path, *base, *genome, "--region", "chr1:6000-6001")
    assert "CONTIG:START-END" in refused(tmp_path, *base, *genome, "--region", "chr1:x")
    assert "chr1" in refused(tmp_path, *base, *genome, "--region", "chr99:5-9")
    tasks = [*genome, "--region", "chr1:1-9", "--task", "nothing"]
    assert "no such task" in refused(tmp_path, *base, *tasks)
    assert "--region" in refused(tmp_path, *base, *genome, "--vcf", world.variants, "--bigwig")
    vcf = write_vcf(tmp_path / "none.vcf", ["chr1\t5\t.\tA\t<DEL>\t.\t.\t."])
    assert "1 symbolic_allele" in refused(tmp_path, *base, *genome, "--vcf", vcf)
