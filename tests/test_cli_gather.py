"""``seqcnn gather``: shards put together are, byte for byte, the run of the whole."""

from pathlib import Path

import numpy as np
import pytest
from builders import write_fasta, write_vcf
from commands import refused, seqcnn
from tiny_models import draw_codes, make_model

from seqcnn.engine import Engine
from seqcnn.modelfile import write_model
from seqcnn.nulls import draw_null

LETTERS = "ACGT"
RECORDS = 900
SHARDS = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, a model with a null, variants, and what runs of the whole and of shards gave."""
    folder = tmp_path_factory.mktemp("gather")
    rng = np.random.default_rng(3)
    sequence = "".join(rng.choice(list(LETTERS), 5000))
    write_fasta(folder / "g.fa", [("chr1", sequence)])
    positions = sorted(rng.integers(20, 4900, RECORDS).tolist())
    names = ["".join(rng.choice(list("abcdefgh"), 80)) for _ in positions]
    write_vcf(
        folder / "in.vcf",
        [
            f"chr1\t{at}\t{name}\t{sequence[at - 1]}\tA,T,G\t.\tPASS\tDP={at}"
            for at, name in zip(positions, names, strict=True)
        ],
        ["chr1"],
    )
    engine = Engine(make_model("deepbind", length=21, tasks=("a", "b")))
    null = draw_null(engine, draw_codes(9, 30, unknown=False), count=20)
    model = make_model("deepbind", length=21, tasks=("a", "b"))
    write_model(type(model)(**{**vars(model), "null": null}), folder / "m.safetensors")
    score(folder, "whole")
    for i in range(1, SHARDS + 1):
        score(folder, f"shard{i}", "--shard", f"{i}/{SHARDS}")
    return folder


def score(folder: Path, name: str, *words: object) -> None:
    command = ["score-variants", "-q", "-m", folder / "m.safetensors", "--fasta", folder / "g.fa"]
    tables = ["--tsv", folder / f"{name}.tsv.gz"]
    seqcnn(*command, folder / "in.vcf", "-o", folder / f"{name}.vcf.gz", *tables, *words)


def shards(folder: Path, kind: str) -> list[Path]:
    return [folder / f"shard{i}.{kind}" for i in range(1, SHARDS + 1)]


def test_gathered_shards_are_the_whole(folder: Path, tmp_path: Path) -> None:
    # More than one block of bgzip, so that blocks that were cut otherwise would show.
    assert (folder / "whole.vcf.gz").stat().st_size > 1 << 16
    out = tmp_path / "o.vcf.gz"
    seqcnn("gather", *reversed(shards(folder, "vcf.gz")), "-o", out, "-W")
    assert out.read_bytes() == (folder / "whole.vcf.gz").read_bytes()
    assert out.with_name("o.vcf.gz.csi").stat().st_size
    seqcnn("gather", *shards(folder, "tsv.gz"), "-o", tmp_path / "o.tsv.gz")
    assert (tmp_path / "o.tsv.gz").read_bytes() == (folder / "whole.tsv.gz").read_bytes()


def test_q_is_that_of_the_whole(folder: Path, tmp_path: Path) -> None:
    seqcnn("gather", *shards(folder, "vcf.gz"), "-o", tmp_path / "whole.vcf.gz")
    seqcnn("fdr", tmp_path / "whole.vcf.gz", "-o", tmp_path / "q.vcf.gz")
    seqcnn("fdr", folder / "whole.vcf.gz", "-o", tmp_path / "expected.vcf.gz")
    assert (tmp_path / "q.vcf.gz").read_bytes() == (tmp_path / "expected.vcf.gz").read_bytes()


def test_bcf_and_standard_output(folder: Path, tmp_path: Path) -> None:
    command = ["score-variants", "-q", "-m", folder / "m.safetensors", "--fasta", folder / "g.fa"]
    parts = [tmp_path / f"{i}.bcf" for i in (1, 2)]
    for i, part in enumerate(parts, start=1):
        seqcnn(*command, folder / "in.vcf", "--shard", f"{i}/2", "-o", part)
    assert "tells of no --shard" in refused(tmp_path, "gather", folder / "whole.vcf.gz")
    text = seqcnn("gather", *parts).stdout
    whole = seqcnn(*command, folder / "in.vcf", "-o", "-").stdout
    assert records(text) == records(whole)
    seqcnn("gather", *parts, "-o", tmp_path / "o.bcf", "-W")
    assert (tmp_path / "o.bcf.csi").stat().st_size


def records(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == RECORDS
    return lines


def test_shards_without_a_command_stay_in_order(folder: Path, tmp_path: Path) -> None:
    parts = [tmp_path / f"{i}.vcf" for i in (1, 2)]
    command = ["score-variants", "-q", "-m", folder / "m.safetensors", "--fasta", folder / "g.fa"]
    for i, part in enumerate(parts, start=1):
        words = ("--shard", f"{i}/2", "--no-version", "-o", part)
        seqcnn(*command, folder / "in.vcf", *words)
    seqcnn(*command, folder / "in.vcf", "--no-version", "-o", tmp_path / "whole.vcf")
    assert seqcnn("gather", *parts).stdout == (tmp_path / "whole.vcf").read_text()


def test_shards_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    first, second, *others = shards(folder, "vcf.gz")
    out = ("-o", tmp_path / "o.vcf.gz")
    assert "1 of 11 missing: 1" in refused(tmp_path, "gather", second, *others, *out)
    assert "is named twice" in refused(tmp_path, "gather", first, first, *out)
    copy = tmp_path / "copy.vcf.gz"
    copy.write_bytes(first.read_bytes())
    assert "is shard 1 of 11, and so is" in refused(tmp_path, "gather", first, copy, *out)
    copy.unlink()
    whole = folder / "whole.vcf.gz"
    assert "tells of no --shard I/N" in refused(tmp_path, "gather", first, whole, *out)
    score(folder, "other", "--shard", "1/2")
    message = refused(tmp_path, "gather", folder / "other.vcf.gz", second, *out)
    assert "some are of 2, and some of 11" in message
    score(folder, "warned", "--shard", "2/11", "--ref-mismatch", "warn")
    message = refused(tmp_path, "gather", first, folder / "warned.vcf.gz", *out)
    assert "warned.vcf.gz: its header is not that of" in message
    assert "shards of one run" in message


def test_tables_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    table = folder / "shard1.tsv.gz"
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    message = refused(tmp_path, "gather", table, tmp_path / "t.tsv", "-o", tmp_path / "o.tsv")
    assert "t.tsv: its columns are not those of" in message
    message = refused(tmp_path, "gather", table, folder / "shard1.vcf.gz")
    assert "is no table, unlike the first file" in message
    assert "come out as a table" in refused(tmp_path, "gather", table, "-O", "b")
    message = refused(tmp_path, "gather", table, "-o", table)
    assert "is another file of this command" in message


def test_a_shard_that_was_cut_is_found_out(folder: Path, tmp_path: Path) -> None:
    for kind in ("vcf.gz", "tsv.gz"):
        first, *others = shards(folder, kind)
        cut = tmp_path / f"cut.{kind}"
        cut.write_bytes(first.read_bytes()[:-28])
        message = refused(tmp_path, "gather", cut, *others, "-o", tmp_path / f"o.{kind}")
        assert "cut" in message
