"""``seqcnn prepare``: what sheets name is looked over, and all problems are told."""

import json
from pathlib import Path

import pytest
from builders import World, write_lines, write_vcf
from commands import refused, seqcnn


def write_sheet(path: Path, *rows: dict[str, object]) -> Path:
    titles = list(dict.fromkeys(title for row in rows for title in row))
    lines = [[str(row.get(title, "")) for title in titles] for row in rows]
    return write_lines(path, ["\t".join(cells) for cells in [titles, *lines]])


def test_what_is_found_is_told(world: World, tmp_path: Path) -> None:
    samples = write_sheet(
        tmp_path / "samples.tsv",
        {"sample": "a", "peaks": f"x={world.peaks},{world.other_peaks}", "fasta": world.genome},
        {"sample": "b", "positives": world.positives, "negatives": world.negatives},
        {"sample": "c", "seq": world.seq, "exclude": world.background},
        {"sample": "d", "table": world.table, "targets": "strength"},
        {"sample": "e", "table": world.loci, "targets": "strength", "fasta": world.genome},
        {"sample": "f", "peaks": world.peaks, "fasta": world.genome},
    )
    variants = write_sheet(
        tmp_path / "variants.tsv", {"name": "v", "vcf": world.variants, "fasta": world.genome}
    )
    seqcnn("prepare", samples, variants, "-o", tmp_path / "o.json")
    found = json.loads((tmp_path / "o.json").read_text())
    assert set(found) == {"fasta", "peaks", "exclude", "vcf", "positives", "negatives"} | {
        "seq",
        "table",
    }
    bases = sum(map(len, world.contigs.values()))
    assert found["fasta"] == {
        str(world.genome): {"contigs": len(world.contigs), "bases": bases},
    }
    assert found["peaks"][str(world.peaks)]["contigs"] == len(world.contigs)
    assert set(found["peaks"]) == {str(world.peaks), str(world.other_peaks)}
    assert found["vcf"][str(world.variants)]["records_looked_at"] > 0
    assert len(found["table"]) == 2


def test_all_problems_are_told_a_line_each(world: World, tmp_path: Path) -> None:
    renamed = [line.replace("chr", "scaffold_") for line in world.peaks.read_text().splitlines()]
    peaks = write_lines(tmp_path / "renamed.bed", renamed)
    record = "scaffold_1\t50\t.\tA\tC\t.\t.\t."
    vcf = write_vcf(tmp_path / "renamed.vcf", [record])
    ref = world.ref("chr1", 50)
    other = "ACGT"["ACGT".index(ref) - 1]
    wrong = write_vcf(tmp_path / "wrong.vcf", [f"chr1\t50\t.\t{other}\t{ref}\t.\t.\t."])
    samples = write_sheet(
        tmp_path / "samples.tsv",
        {"sample": "a", "peaks": peaks, "fasta": world.genome},
        {"sample": "b", "peaks": world.peaks, "fasta": tmp_path / "nowhere.fa"},
        {"sample": "c", "peaks": world.peaks, "fasta": tmp_path / "nowhere.fa"},
        {"sample": "d", "seq": world.genome},
        {"sample": "e", "table": world.table, "targets": "strenght"},
        {"sample": "f", "peaks": world.peaks, "fasta": world.genome},
    )
    variants = write_sheet(
        tmp_path / "variants.tsv",
        {"name": "v", "vcf": vcf, "fasta": world.genome},
        {"name": "w", "vcf": wrong, "fasta": world.genome},
        {"name": "x", "vcf": tmp_path / "absent.vcf.gz", "fasta": world.genome},
    )
    result = seqcnn("prepare", samples, variants, "-o", tmp_path / "o.json", code=1)
    told = [line.split(" ", 1)[1] for line in result.stderr.splitlines()]
    expected = [
        (f"{samples}:2: {peaks}: 6 contig(s) not in the FASTA: scaffold_1", "such as chr1"),
        (f"{samples}:3: {tmp_path}/nowhere.fa: no such file", "check the path"),
        (f"{samples}:5: {world.genome}:1", "seq"),
        (f"{samples}:6: {world.table}", "strenght"),
        (f"{variants}:2: {vcf}: 1 contig(s) not in the FASTA: scaffold_1", "genome build"),
        (f"{variants}:3: {wrong}: REF is the FASTA's in 0% of", "genome build"),
        (f"{variants}:4: {tmp_path}/absent.vcf.gz: no such file", "check the path"),
    ]
    assert len(told) == len(expected) + 1, result.stderr
    for line, (start, word) in zip(told, expected, strict=False):
        assert line.startswith(start)
        assert word in line
    assert "7 problem(s), told above" in told[-1]
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [("a\tb\n1\t2\t3\n", "t.tsv:2: 3 cells under 2 titles"), ("", "t.tsv: the file is empty")],
)
def test_sheets_that_are_none(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "t.tsv").write_text(text)
    assert named in refused(tmp_path, "prepare", tmp_path / "t.tsv")
