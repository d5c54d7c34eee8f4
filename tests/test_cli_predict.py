"""``seqcnn predict``: every kind of sequences in, one table out."""

import gzip
import os
import threading
from pathlib import Path

import pandas as pd
import pytest
from builders import World, write_fasta, write_lines, write_vcf
from commands import parse_tsv, process, refused, seqcnn

PLAIN = ["name", "task", "logit", "probability", "sd"]
LOCATED = ["name", "contig", "start", "end", "strand", "task", "logit", "probability", "sd"]


def predict(model: Path, *words: object, stdin: bytes | None = None) -> list[dict[str, str]]:
    return parse_tsv(seqcnn("predict", "-m", model, *words, stdin=stdin).stdout)


def test_fasta(world: World, model: Path) -> None:
    rows = predict(model, world.positives)
    assert list(rows[0]) == PLAIN
    assert [row["name"] for row in rows] == [f"pos{i}" for i in range(60)]
    others = predict(model, world.negatives)
    mean = [sum(float(row["logit"]) for row in part) / len(part) for part in (rows, others)]
    assert mean[0] > mean[1] + 1


def test_intervals(world: World, model: Path) -> None:
    rows = predict(model, world.peaks, "--fasta", world.genome)
    assert list(rows[0]) == LOCATED
    assert rows[0]["name"] == "site0"
    assert (rows[0]["contig"], rows[0]["start"], rows[0]["end"]) == ("chr1", "90", "151")


def test_the_same_sequences_from_every_kind_of_file(
    world: World, model: Path, tmp_path: Path
) -> None:
    expected = predict(model, world.peaks, "--fasta", world.genome)
    records = [
        (row["name"], world.contigs[row["contig"]][int(row["start"]) : int(row["end"])])
        for row in expected
    ]
    fasta = write_fasta(tmp_path / "windows.fa", records)
    frame = pd.DataFrame(records, columns=["name", "sequence"])
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "t.csv", index=False)
    kinds = [fasta, tmp_path / "t.tsv", tmp_path / "t.csv"]
    seq = ["FoldID\tEventID\tseq\tBound", *(f"A\t{name}\t{s}\t1" for name, s in records)]
    kinds.append(write_lines(tmp_path / "t.seq", seq))
    loci = [(row["contig"], row["start"], row["end"], row["name"]) for row in expected]
    header = "contig\tstart\tend\tname"
    kinds.append(write_lines(tmp_path / "loci.tsv", [header, *map("\t".join, loci)]))
    if pytest.importorskip("pyarrow"):
        frame.to_parquet(tmp_path / "t.parquet")
        kinds.append(tmp_path / "t.parquet")
    for path in list(kinds):
        (tmp_path / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        if path.suffix != ".parquet":
            kinds.append(tmp_path / f"{path.name}.gz")
    wanted = [[row[key] for key in PLAIN] for row in expected]
    for path in kinds:
        rows = predict(model, path, "--fasta", world.genome)
        assert [[row[key] for key in PLAIN] for row in rows] == wanted, path.name
        piped = predict(model, "-", "--fasta", world.genome, stdin=path.read_bytes())
        assert piped == rows, path.name


def test_standard_input_and_output_of_a_process(world: World, model: Path) -> None:
    with process("predict", "-q", "-m", model, "-") as running:
        out, said = running.communicate(world.positives.read_bytes())
    assert running.returncode == 0
    assert b" standard input: lengths 41 to 41 brought to 61 bp" in said
    assert parse_tsv(out.decode()) == predict(model, world.positives)


def test_a_named_pipe_is_read_whole(world: World, model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(world.positives.read_bytes()))
    feeder.start()
    rows = predict(model, pipe)
    feeder.join()
    assert rows == predict(model, world.positives)


def test_files_and_standard_output_hold_the_same(world: World, model: Path, tmp_path: Path) -> None:
    words = ["predict", "-m", model, world.positives]
    printed = seqcnn(*words).stdout
    assert seqcnn(*words, "-o", "-").stdout == printed
    seqcnn(*words, "-o", tmp_path / "a.tsv")
    seqcnn(*words, "-o", tmp_path / "a.tsv.gz")
    assert (tmp_path / "a.tsv").read_text() == printed
    assert gzip.decompress((tmp_path / "a.tsv.gz").read_bytes()).decode() == printed


def test_neither_order_nor_threads_nor_company_change_a_printed_score(
    world: World, model: Path, tmp_path: Path
) -> None:
    lines = world.positives.read_text().split()
    records = [(name[1:], letters) for name, letters in zip(lines[::2], lines[1::2], strict=True)]
    many = [(f"{name}.{copy}", letters) for copy in range(40) for name, letters in records]
    big = write_fasta(tmp_path / "big.fa", many[::-1])
    few = write_fasta(tmp_path / "few.fa", many[:3])
    for threads in (1, 2):
        found = {row["name"]: row for row in predict(model, big, "--threads", threads)}
        assert len(found) == len(many)
        for row in predict(model, few, "--threads", 3):
            assert found[row["name"]] == row
        for name, _ in many:
            own, first = found[name], found[name.split(".")[0] + ".0"]
            assert own["logit"] == first["logit"]


def test_refusals(world: World, model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "empty").write_bytes(b"")
    (bad / "cut.fa.gz").write_bytes(gzip.compress(world.positives.read_bytes())[:-9])
    (bad / "parquet").write_bytes(b"PAR1 and no more")
    (bad / "binary").write_bytes(bytes(range(256)))
    protein = write_fasta(bad / "protein.fa", [("a", "MKLVEI")])
    words = write_lines(bad / "words.txt", ["these are no sequences at all"])
    column = write_lines(bad / "column.tsv", ["name\tstart\tend", "a\t1\t5"])
    vcf = write_vcf(bad / "in.vcf", ["chr1\t5\t.\tA\tC\t.\t.\t."])
    genome = ["--fasta", world.genome]
    cases: list[tuple[list[object], list[str]]] = [
        ([bad / "none"], ["no such file"]),
        ([bad], ["is a folder"]),
        ([bad / "empty"], ["empty"]),
        ([bad / "cut.fa.gz"], ["cut or damaged"]),
        ([bad / "parquet"], ["cannot be read as a table"]),
        ([bad / "binary"], ["text"]),
        ([protein], ["protein"]),
        ([words, *genome], ["words.txt:1"]),
        ([column, *genome], ["column.tsv:1"]),
        ([vcf, *genome], ["in.vcf:"]),
        ([world.peaks], ["intervals without a genome", "--fasta"]),
        ([world.peaks, "--fasta", world.peaks], ["FASTA"]),
        ([world.loci], ["--fasta"]),
    ]
    for given, needles in cases:
        message = refused(tmp_path, "predict", "-m", model, *given, "-o", tmp_path / "out.tsv")
        assert all(needle in message for needle in needles), message


def test_messages_name_standard_input(world: World, model: Path, tmp_path: Path) -> None:
    words = ["predict", "-m", model, "--fasta", world.genome, "-"]
    for given, needle in (
        (b"", "standard input: the file is empty"),
        (b"chr1\t5\t9\nchr1\t7\n", "standard input:2: 2 column(s)"),
        (b">a\nMKL\n", "standard input: a: letter 'L'"),
    ):
        message = refused(tmp_path, *words, stdin=given)
        assert needle in message
        assert "/tmp" not in message


def test_a_name_with_a_tab_does_not_break_the_table(tmp_path: Path, model: Path) -> None:
    table = write_lines(tmp_path / "t.csv", ["name,sequence", '"a\tb",ACGTACGT', "c,ACGTACGT"])
    rows = parse_tsv(seqcnn("predict", "-m", model, table).stdout)
    assert [row["name"] for row in rows] == ["a b", "c"]
