"""Whole runs over files of variants: blocks, shards, interruptions, q-values, what is counted."""

import contextlib
import gzip
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pysam
import pytest
from builders import write_fasta, write_vcf
from commands import process, read_tsv, refused, seqcnn, tree
from tiny_models import draw_codes, make_model

from seqcnn.engine import Engine
from seqcnn.errors import ConfigError, VcfError
from seqcnn.genome import open_genome
from seqcnn.linefiles import LineFile, Mark
from seqcnn.modelfile import write_model
from seqcnn.nulls import draw_null
from seqcnn.scoring import Journal, Outputs, Scorer, run_scoring
from seqcnn.scoring.journal import Checkpoint
from seqcnn.significance import q_values
from seqcnn.variants import AllelePlacer, VcfReader

LETTERS = "ACGT"
SIZE = 3000


@dataclass(frozen=True)
class Run:
    """Files of a run, and its command line up to the variants."""

    folder: Path
    genome: Path
    model: Path
    variants: Path

    def words(self, *more: object) -> list[object]:
        return ["score-variants", "-q", "-m", self.model, "--fasta", self.genome, *more]


def draw_records(sequence: str, count: int, *, seed: int = 0) -> list[str]:
    """Substitutions, insertions, deletions and alleles that have no score, in order."""
    rng = np.random.default_rng(seed)
    records = []
    for position in sorted(rng.integers(5, len(sequence) - 10, count).tolist()):
        ref = sequence[position - 1 : position - 1 + int(rng.integers(1, 4))]
        alts = ["".join(rng.choice(list(LETTERS), rng.integers(1, 4))) for _ in range(2)]
        if rng.random() < 0.1:
            alts[0] = "<DEL>"
        alt = ",".join(alts[: int(rng.integers(1, 3))])
        records.append(f"chr1\t{position}\t.\t{ref}\t{alt}\t.\tPASS\tDP={position}")
    return records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("scoring")
    sequence = "".join(np.random.default_rng(7).choice(list(LETTERS), SIZE))
    genome = write_fasta(folder / "g.fa", [("chr1", sequence)])
    write_model(make_model("deepbind", length=21, tasks=("a", "b")), folder / "m.safetensors")
    variants = write_vcf(folder / "in.vcf", draw_records(sequence, 40), ["chr1"])
    return Run(folder, genome, folder / "m.safetensors", variants)


def body(path: Path) -> list[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    return [line for line in text.splitlines() if not line.startswith(("#", "contig\t"))]


# Shards


@pytest.mark.parametrize("shards", [1, 3, 7, 50])
def test_shards_put_together_are_the_whole(run: Run, tmp_path: Path, shards: int) -> None:
    seqcnn(*run.words(run.variants, "-o", tmp_path / "all.vcf", "--tsv", tmp_path / "all.tsv"))
    parts: dict[str, list[str]] = {"vcf": [], "tsv": []}
    for i in range(1, shards + 1):
        out = tmp_path / f"{i}.vcf"
        table = out.with_suffix(".tsv")
        words = ["--shard", f"{i}/{shards}", "-o", out, "--tsv", table]
        seqcnn(*run.words(run.variants, *words))
        parts["vcf"] += body(out)
        parts["tsv"] += body(table)
    assert parts["vcf"] == body(tmp_path / "all.vcf")
    assert parts["tsv"] == body(tmp_path / "all.tsv")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_shards_that_are_none(run: Run, text: str) -> None:
    assert "I/N" in seqcnn(*run.words(run.variants, "--shard", text), code=2).stderr


def test_standard_input_has_no_shards(run: Run, tmp_path: Path) -> None:
    for words in (["--shard", "1/2"], ["--resume"]):
        message = refused(tmp_path, *run.words("-", *words), stdin=run.variants.read_text())
        assert "standard input" in message


# False discovery


def test_q_is_of_the_p_of_the_whole_run(run: Run, tmp_path: Path) -> None:
    words = ["--null", 60, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv"]
    seqcnn(*run.words(run.variants, *words))
    rows = pd.DataFrame(read_tsv(tmp_path / "o.tsv"))
    for _, of_task in rows.groupby("task"):
        p = pd.to_numeric(of_task["p"], errors="coerce").to_numpy()
        q = pd.to_numeric(of_task["q"], errors="coerce").to_numpy()
        assert np.isnan(p).tolist() == (of_task["reason"] != ".").tolist()
        np.testing.assert_allclose(q, q_values(p), rtol=1e-5)
    table = iter(read_tsv(tmp_path / "o.tsv"))
    with pysam.VariantFile(str(tmp_path / "o.vcf")) as records:
        for record in records:
            for i in range(len(record.alts)):
                for task in "ab":
                    row = next(table)
                    for column in "PQ":
                        values = record.info.get(f"SEQCNN_{column}_{task}", (None,) * 9)
                        text = row[column.lower()]
                        assert (values[i] is None) == (text == ".")
                        assert values[i] is None or values[i] == pytest.approx(float(text))


@pytest.mark.parametrize("kind", ["vcf", "vcf.gz", "bcf"])
def test_fdr_of_shards_is_that_of_the_whole(run: Run, tmp_path: Path, kind: str) -> None:
    null = ["--null", 60]
    whole = tmp_path / f"whole.{kind}"
    seqcnn(*run.words(run.variants, *null, "-o", whole, "--tsv", tmp_path / "whole.tsv"))
    joined: dict[str, list[str]] = {"vcf": [], "tsv": []}
    for i in (1, 2, 3):
        out = tmp_path / f"{i}.vcf"
        words = ["--shard", f"{i}/3", "-o", out, "--tsv", out.with_suffix(".tsv")]
        seqcnn(*run.words(run.variants, *null, *words))
        for suffix, lines in joined.items():
            text = out.with_suffix(f".{suffix}").read_text().splitlines()
            lines += [line for line in text if i == 1 or not line.startswith(("#", "contig\t"))]
    assert any("SEQCNN_P has no SEQCNN_Q yet" in line for line in joined["vcf"])
    for suffix, lines in joined.items():
        (tmp_path / f"joined.{suffix}").write_text("\n".join(lines) + "\n")
    amended = tmp_path / f"amended.{kind}"
    seqcnn("fdr", tmp_path / "joined.vcf", "-o", amended)
    seqcnn("fdr", tmp_path / "joined.tsv", "-o", tmp_path / "amended.tsv")
    assert (tmp_path / "amended.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    assert plain(amended) == plain(whole)
    again = tmp_path / f"again.{kind}"
    seqcnn("fdr", amended, "-o", again)
    assert plain(again) == plain(whole)
    assert "SEQCNN_Q" in plain(whole)


def plain(path: Path) -> str:
    """Records and declarations, without those lines that tell how the file was made."""
    with VcfReader(path) as reader:
        header = [line for line in reader.header.lines if not line.startswith("##seqcnn_")]
        return "\n".join([*header, *(line for b in reader.blocks() for line in b.lines)])


def test_fdr_reads_standard_input(run: Run, tmp_path: Path) -> None:
    table = seqcnn(
        *run.words(run.variants, "--null", 60, "--tsv", "-", "-o", tmp_path / "o")
    ).stdout
    assert seqcnn("fdr", "-", stdin=table).stdout == table


def test_fdr_of_what_was_not_scored(run: Run, tmp_path: Path) -> None:
    assert "no p-values" in refused(tmp_path, "fdr", run.variants, "-o", tmp_path / "o.vcf")
    (tmp_path / "t.tsv").write_text("contig\tposition\n1\t2\n")
    assert "no column 'task'" in refused(tmp_path, "fdr", tmp_path / "t.tsv")
    (tmp_path / "t.tsv").write_text("contig\ttask\tp\tq\n1\ta\tx\t.\n")
    assert "t.tsv: the p-value 'x'" in refused(tmp_path, "fdr", tmp_path / "t.tsv")


def test_bytes_that_are_no_text_go_through(run: Run, tmp_path: Path) -> None:
    record = body(run.variants)[0].replace("\t.\t", "\tHERE\t", 1)
    variants = write_vcf(tmp_path / "in.vcf", [record])
    variants.write_bytes(variants.read_bytes().replace(b"\tHERE\t", b"\tv\xe9\t"))
    table, joined = tmp_path / "o.tsv", tmp_path / "joined.tsv"
    words = ["-o", tmp_path / "o.vcf", "--tsv", table, "--parquet", tmp_path / "o.parquet"]
    seqcnn(*run.words(variants, "--null", 9, *words))
    assert pd.read_parquet(tmp_path / "o.parquet")["id"].unique().tolist() == ["v\ufffd"]
    seqcnn("fdr", table, "-o", joined)
    assert b"\tv\xe9\t" in table.read_bytes()
    assert joined.read_bytes() == table.read_bytes()


def test_fdr_of_a_table_that_is_none(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("contig\ttask\tp\tq\n1\ta\t0.5\t.\n1\ta\n")
    message = refused(tmp_path, "fdr", table, "-o", tmp_path / "o.tsv")
    assert "a row of 2 column(s)" in message
    message = refused(tmp_path, "fdr", "-", stdin=table.read_text())
    assert "standard input: a row of 2 column(s)" in message
    assert "-O: " in refused(tmp_path, "fdr", table, "-O", "b")
    table.write_text("name\ttask\tlogit\nx\ta\t0.5\n")
    assert "has no column 'p'" in refused(tmp_path, "fdr", table)
    table.write_text("contig\ttask\tp\tq\n1\ta\t0.5\t.\n" * 2)
    assert seqcnn("fdr", table).stdout == "contig\ttask\tp\tq\n1\ta\t0.5\t0.5\n" * 2


# Interruptions


class Interruption(BaseException):
    """What ends a process from outside."""


Start = Callable[..., None]


@pytest.fixture
def start(run: Run, tmp_path: Path) -> Start:
    def begin(
        kind: str, *, until: int | None, resume: bool, error: BaseException | None = None
    ) -> None:
        done = []

        def progress(records: int) -> None:
            done.append(records)
            if until is not None and len(done) > until + 1:
                raise error or Interruption

        suffix = {"v": "vcf", "z": "vcf.gz", "b": "bcf"}[kind]
        outputs = Outputs(
            *(tmp_path / f"o.{suffix}", kind, tmp_path / "o.tsv.gz", tmp_path / "o.parquet"),
            with_q=True,
        )
        with (
            VcfReader(run.variants, block_records=6) as reader,
            open_genome(run.genome) as genome,
            Journal(outputs.journal, "a run", resume=resume) as journal,
        ):
            engine = Engine(make_model("deepbind", length=21, tasks=("a", "b")))
            null = draw_null(engine, draw_codes(9, 30, unknown=False), count=20)
            scorer = Scorer(engine, genome, AllelePlacer(genome, length=21), null=null)
            run_scoring(reader, scorer, outputs, provenance=(), journal=journal, progress=progress)

    return begin


@pytest.mark.parametrize("kind", ["v", "z", "b"])
def test_an_interrupted_run_goes_on_and_ends_in_the_same_bytes(
    start: Start, tmp_path: Path, kind: str
) -> None:
    start(kind, until=None, resume=False)
    whole = tree(tmp_path)
    assert len(whole) == 3
    for path in tmp_path.iterdir():
        path.unlink()
    for until in (2, 1, 1):
        with pytest.raises(Interruption):
            start(kind, until=until, resume=True)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) == 4
        assert all(".partial" in name for name in names)
    start(kind, until=None, resume=True)
    assert tree(tmp_path) == whole


def test_what_was_written_after_the_last_block_is_taken_back(start: Start, tmp_path: Path) -> None:
    start("z", until=None, resume=False)
    whole = tree(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(Interruption):
        start("z", until=3, resume=False)
    for path in tmp_path.iterdir():  # as when a process is killed while it writes
        with path.open("ab") as stream:
            stream.write(b"half a li")
    start("z", until=None, resume=True)
    assert tree(tmp_path) == whole


def test_a_fault_of_the_input_leaves_nothing(start: Start, tmp_path: Path) -> None:
    with pytest.raises(VcfError):
        start("z", until=3, resume=False, error=VcfError("in.vcf:9", "cut"))
    assert tree(tmp_path) == {}


def test_without_resume_a_run_begins_anew(start: Start, tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        start("v", until=3, resume=False)
    start("v", until=None, resume=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.parquet", "o.tsv.gz", "o.vcf"]


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "o.partial.log"

    def leave() -> None:
        with Journal(path, "one", resume=False) as journal:
            journal.save(Checkpoint(3, {"vcf": Mark(5, "x")}, {}))
            raise Interruption

    with pytest.raises(Interruption):
        leave()
    with pytest.raises(ConfigError, match="another run"):
        Journal(path, "two", resume=True)
    with Journal(path, "one", resume=True) as journal:
        assert journal.last == Checkpoint(3, {"vcf": Mark(5, "x")}, {})
        with pytest.raises(ConfigError, match="in use"):
            Journal(path, "one", resume=True)
    assert not path.exists()
    with pytest.raises(Interruption):
        leave()
    with Journal(path, "two", resume=True, anew=True) as journal:
        assert journal.last is None
    path.write_text("no journal\n")
    with pytest.raises(ConfigError, match="damaged"):
        Journal(path, "one", resume=True)


def test_a_partial_file_that_was_cut_is_refused(start: Start, tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        start("v", until=3, resume=False)
    (tmp_path / "o.vcf.partial").write_bytes(b"")
    with pytest.raises(ConfigError, match="fewer than were marked"):
        start("v", until=None, resume=True)


def test_a_partial_file_that_is_gone_is_missed(start: Start, tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        start("v", until=3, resume=False)
    (tmp_path / "o.tsv.gz.partial").unlink()
    with pytest.raises(ConfigError, match="not there any more; run without --resume"):
        start("v", until=None, resume=True)


def test_a_killed_process_can_be_resumed(run: Run, tmp_path: Path) -> None:
    records = [line for line in run.variants.read_text().splitlines() if line[0] != "#"]
    variants = write_vcf(tmp_path / "many.vcf", records * 800)
    words = run.words(variants, "-o", tmp_path / "o.vcf.gz", "--tsv", tmp_path / "o.tsv")
    with process(*words) as running:
        journal = tmp_path / "o.vcf.gz.partial.log"
        while not journal.exists() or journal.read_text().count("\n") < 2:
            assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait(60)
    assert not (tmp_path / "o.vcf.gz").exists()
    resumed = process(*words, "--resume", "-v")
    said = resumed.communicate(timeout=120)[1].decode()
    assert resumed.returncode == 0, said
    first = {name: (tmp_path / name).read_bytes() for name in ("o.vcf.gz", "o.tsv")}
    seqcnn(*words, "--force")
    assert {name: (tmp_path / name).read_bytes() for name in first} == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.vcf", "o.tsv", "o.vcf.gz"]


def test_marks_leave_no_trace_in_packed_lines(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = ["".join(rng.choice(list(LETTERS), 1000)) for _ in range(300)]
    with LineFile(tmp_path / "whole.gz", lines, packed=True):
        pass
    mark, path = None, tmp_path / "parts.gz"
    for number in range(0, 300, 7):
        with contextlib.suppress(Interruption), LineFile(path, (), packed=True, start=mark) as file:
            file.write(lines[number : number + 7])
            mark = Mark(*json.loads(json.dumps(file.mark())))
            file.keep = True
            file.write(["what was not marked"] * int(rng.integers(0, 5000)))
            raise Interruption
    with LineFile(path, (), packed=True, start=mark):
        pass
    assert path.read_bytes() == (tmp_path / "whole.gz").read_bytes()
    assert gzip.decompress(path.read_bytes()).decode().split() == lines


def test_resume_wants_the_same_run(run: Run, start: Start, tmp_path: Path) -> None:
    with pytest.raises(Interruption):
        start("v", until=3, resume=False)
    words = [run.variants, "-o", tmp_path / "o.vcf", "--resume"]
    assert "is of another run" in refused(tmp_path, *run.words(*words))
    seqcnn(*run.words(*words, "--force"))
    assert len(body(tmp_path / "o.vcf")) == 40


def test_a_resumed_run_that_does_nothing_loses_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interruption):
        start("z", until=3, resume=False)
    left = sorted(tree(tmp_path))

    def fail(*_: object) -> None:
        raise Interruption

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "score", fail)
        with pytest.raises(Interruption):
            start("z", until=None, resume=True)
    assert sorted(tree(tmp_path)) == left
    start("z", until=None, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.parquet", "o.tsv.gz", "o.vcf.gz"]


def test_a_second_process_is_refused(run: Run, tmp_path: Path) -> None:
    """Also where only the table is the same, and where a run has no journal."""
    shared = tmp_path / "t.tsv"
    with LineFile(shared, ["a line"]):
        for target in (tmp_path / "o.vcf", "-"):
            words = run.words(run.variants, "-o", target, "--tsv", shared)
            assert "another process writes the same output" in refused(tmp_path, *words)
    assert shared.read_text() == "a line\n"


@pytest.mark.parametrize("kind", ["z", "b"])
def test_an_end_that_fails_leaves_all_to_go_on_with(
    start: Start, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet is made last: the VCF must not have its name before."""
    start(kind, until=None, resume=False)
    whole = tree(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()

    def fail(table: Path, target: BinaryIO) -> None:
        target.write(table.read_bytes()[:9])
        raise Interruption

    with monkeypatch.context() as patch:
        patch.setattr("seqcnn.scoring.outputs.table_to_parquet", fail)
        with pytest.raises(Interruption):
            start(kind, until=None, resume=False)
    assert all(".partial" in path.name for path in tmp_path.iterdir())
    start(kind, until=None, resume=True)
    assert tree(tmp_path) == whole


# What is counted


def test_the_summary(run: Run, tmp_path: Path) -> None:
    words = ["-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv"]
    seqcnn(*run.words(run.variants, *words, "--summary", tmp_path / "s.json"))
    summary = json.loads((tmp_path / "s.json").read_text())
    rows = [row for row in read_tsv(tmp_path / "o.tsv") if row["task"] == "a"]
    reasons = [row["reason"] for row in rows]
    assert summary["records"] == len(body(run.variants))
    assert summary["alleles"] == len(rows)
    assert summary["scored"] == reasons.count(".")
    counts = {reason: reasons.count(reason) for reason in sorted(set(reasons) - {"."})}
    assert summary["reasons"] == counts
    assert counts["symbolic_allele"] > 0


@pytest.mark.parametrize(
    ("contig", "reason"), [("chr9", "contig_missing"), ("chr1", "ref_mismatch")]
)
def test_a_wrong_genome_is_told_early(run: Run, tmp_path: Path, contig: str, reason: str) -> None:
    position = 100
    sequence = run.genome.read_text().split("\n", 1)[1].replace("\n", "")
    ref = next(base for base in LETTERS if base != sequence[position - 1])
    alt = next(base for base in LETTERS if base != ref)
    bad = f"{contig}\t{position}\t.\t{ref}\t{alt}\t.\t.\t."
    good = f"chr1\t{position}\t.\t{sequence[position - 1]}\tCCC\t.\t.\t."
    long = write_vcf(tmp_path / "long.vcf", [bad] * 1001 + [good])
    message = refused(tmp_path, *run.words(long, "-o", tmp_path / "o.vcf"))
    assert f"none of the first 1000 records can be scored: {reason}" in message
    seqcnn(*run.words(long, "-o", tmp_path / "o.vcf", "--keep-going"))
    assert len(body(tmp_path / "o.vcf")) == 1002
    for unscored in ("*", "<DEL>"):  # of any genome
        other = f"{contig}\t{position}\t.\t{ref}\t{alt},{unscored}\t.\t.\t."
        seldom = write_vcf(tmp_path / "seldom.vcf", [*[bad] * 600, *[other] * 400])
        assert reason in refused(tmp_path, *run.words(seldom, "-o", tmp_path / "p.vcf"))
    for name, records in {"short": [bad] * 999, "mixed": [*[bad] * 999, good, bad]}.items():
        seqcnn(*run.words(write_vcf(tmp_path / f"{name}.vcf", records), "-o", tmp_path / name))


def test_records_that_nobody_can_score_do_not_stop_a_run(run: Run, tmp_path: Path) -> None:
    record = "chr1\t9\t.\tN\t<DEL>\t.\t.\tEND=99"
    variants = write_vcf(tmp_path / "sv.vcf", [record] * 1200)
    seqcnn(*run.words(variants, "-o", tmp_path / "o.vcf"))
    assert len(body(tmp_path / "o.vcf")) == 1200


def test_a_dry_run_says_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    records = body(run.variants)
    moved = [f"9{record[4:]}" for record in records[:5]]
    bridged = [f"1{record[4:]}" for record in records]
    variants = write_vcf(tmp_path / "in.vcf", bridged + moved)
    before = tree(tmp_path)
    said = seqcnn(*run.words(variants, "--dry-run", "-o", tmp_path / "o.vcf")).stdout
    assert tree(tmp_path) == before
    assert f"{len(records) + 5} records" in said
    assert "names bridged: 1 = chr1" in said
    assert "not in the FASTA: 9 (5 records)" in said
    assert "REF is the FASTA's in 100%" in said
    assert "GiB of memory" in said
    words = ["--dry-run", "--shard", "1/5", "--null", 1_000_000]  # nulls are not drawn for it
    said = seqcnn(*run.words(variants, *words)).stdout
    assert f"{(len(records) + 5) // 5} records" in said


# Outputs


def test_parquet_holds_the_table(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    words = ["--tsv", tmp_path / "o.tsv", "--parquet", tmp_path / "o.parquet", "--null", 60]
    seqcnn(*run.words(run.variants, "-o", tmp_path / "o.vcf", *words))
    found = pd.read_parquet(tmp_path / "o.parquet")
    table = pd.read_csv(tmp_path / "o.tsv", sep="\t", na_values=["."])
    assert found.columns.tolist() == table.columns.tolist()
    assert found["position"].tolist() == table["position"].tolist()
    for column in ("delta", "p", "q"):
        np.testing.assert_array_equal(found[column], table[column])
    assert found["reason"].isna().tolist() == table["reason"].isna().tolist()
    assert found["alt"].tolist() == table["alt"].tolist()


@pytest.mark.parametrize("kind", ["vcf.gz", "bcf"])
def test_the_index_finds_the_records(run: Run, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"o.{kind}"
    seqcnn(*run.words(run.variants, "-o", out, "-W"))
    assert out.with_name(out.name + ".csi").exists()
    with pysam.VariantFile(str(out)) as records:
        found = [record.pos for record in records.fetch("chr1", 1000, 2000)]
    positions = [int(record.split("\t")[1]) for record in body(run.variants)]
    assert [p for p in found if 1000 < p <= 2000] == [p for p in positions if 1000 < p <= 2000]


@pytest.mark.parametrize("words", [["-O", "v", "-o", "o.vcf"], []])
def test_what_cannot_have_an_index(run: Run, tmp_path: Path, words: list[str]) -> None:
    given = [tmp_path / word if word.startswith("o.") else word for word in words]
    assert refused(tmp_path, *run.words(run.variants, *given, "-W")).startswith("-W: ")


def test_regions_are_those_of_the_index(run: Run, tmp_path: Path) -> None:
    packed = tmp_path / "in.vcf.gz"
    pysam.tabix_compress(str(run.variants), str(packed))
    pysam.tabix_index(str(packed), preset="vcf")
    seqcnn(*run.words(packed, "-r", "chr1:1000-2000", "-o", tmp_path / "r.vcf"))
    (tmp_path / "r.bed").write_text("chr1\t999\t2000\n")
    seqcnn(*run.words(packed, "-R", tmp_path / "r.bed", "-o", tmp_path / "bed.vcf"))
    seqcnn(*run.words(packed, "-o", tmp_path / "all.vcf"))
    expected = []
    for line in body(tmp_path / "all.vcf"):
        _, position, _, ref, *_ = line.split("\t")
        if int(position) <= 2000 and int(position) + len(ref) > 1000:
            expected.append(line)
    assert expected
    assert body(tmp_path / "r.vcf") == body(tmp_path / "bed.vcf") == expected
    message = refused(tmp_path, *run.words(run.variants, "-r", "chr1"))
    assert "index" in message
    both = ["-r", "chr1", "-R", tmp_path / "r.bed"]
    assert "are given both" in refused(tmp_path, *run.words(packed, *both))
