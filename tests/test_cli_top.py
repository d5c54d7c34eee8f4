"""``seqcnn top``: the records with the largest effects."""

from pathlib import Path

import pytest
from builders import write_vcf
from commands import refused, seqcnn

from seqcnn.variants import VcfReader

DELTAS = ["0.5", "-2", ".", "1,-3", "2", "nan", "0"]


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    tasks = ["", "", "", "", "SEQCNN_DELTA_b=0.1;", "", ""]
    records = [
        f"chr1\t{i}\tv{i}\tA\tC,G\t.\t.\t{task}SEQCNN_DELTA={delta};DP={i}"
        for i, (delta, task) in enumerate(zip(DELTAS, tasks, strict=True), start=1)
    ]
    records = [record.replace("SEQCNN_DELTA=nan", "SEQCNN_REASON=x") for record in records]
    path = write_vcf(tmp_path / "in.vcf", records)
    lines = path.read_text().replace(
        "##INFO=<ID=DP",
        '##INFO=<ID=SEQCNN_DELTA,Number=A,Type=Float,Description="d">\n'
        '##INFO=<ID=SEQCNN_DELTA_b,Number=A,Type=Float,Description="d">\n##INFO=<ID=DP',
    )
    path.write_text(lines)
    return path


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, ["v4"]), (3, ["v4", "v2", "v5"]), (100, ["v4", "v2", "v5", "v1", "v7"])],
)
def test_the_largest_effects_come_first(
    scored: Path, tmp_path: Path, number: int, expected: list[str]
) -> None:
    for suffix in ("vcf", "vcf.gz", "bcf"):
        out = tmp_path / f"o.{suffix}"
        seqcnn("top", scored, "-n", number, "-o", out)
        with VcfReader(out) as reader:
            names = [name for block in reader.blocks() for name in block.identifiers]
        assert names == expected


def test_records_come_out_as_they_went_in(scored: Path) -> None:
    lines = scored.read_text().splitlines()
    out = seqcnn("top", scored, "-n", 7).stdout.splitlines()
    assert [line for line in out if line[0] == "#"] == [line for line in lines if line[0] == "#"]
    assert set(out) <= set(lines)


def test_what_has_no_scores_is_refused(scored: Path, tmp_path: Path) -> None:
    plain = write_vcf(tmp_path / "plain.vcf", ["chr1\t1\t.\tA\tC\t.\t.\tDP=1"])
    assert "has no scores" in refused(tmp_path, "top", plain, "-o", tmp_path / "o.vcf")
    scored.write_text(scored.read_text().replace("=-2;", "=high;"))
    message = refused(tmp_path, "top", scored, "-o", tmp_path / "o.vcf")
    assert "in.vcf: chr1:2: the delta" in message
