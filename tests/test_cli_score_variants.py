"""``seqcnn score-variants``: every way in and out, one score for each allele, and refusals."""

import gzip
import random
import re
import shutil
from pathlib import Path

import pysam
import pytest
from builders import World, write_fasta, write_lines, write_vcf
from commands import QUICK, parse_tsv, process, read_tsv, refused, seqcnn

COLUMNS = ["contig", "position", "id", "ref", "alt", "task", "ref_logit", "alt_logit", "delta"]
COLUMNS += ["probability_difference", "deepbind", "quantile", "p", "q", "sd", "reason"]
INFO = re.compile(r"(?:^|;)SEQCNN_[^;\t]*")


@pytest.fixture
def score(world: World, model: Path) -> list[object]:
    """The command line, up to the variants."""
    return ["score-variants", "-m", model, "--fasta", world.genome]


def pack(vcf: Path, kind: str, folder: Path) -> Path:
    """The same variants as gzip, bgzip or BCF."""
    if kind == "gz":
        (folder / "in.vcf.gz").write_bytes(gzip.compress(vcf.read_bytes()))
        return folder / "in.vcf.gz"
    if kind == "bgz":
        pysam.tabix_compress(str(vcf), str(folder / "in.vcf.bgz"))
        return folder / "in.vcf.bgz"
    target = folder / "in.bcf"
    with pysam.VariantFile(str(vcf)) as source:
        source.header.add_line('##FILTER=<ID=q10,Description="Quality below 10">')
        source.header.add_line('##INFO=<ID=END,Number=1,Type=Integer,Description="Last position">')
        mode = "wb" if kind == "b" else "wb0"
        with pysam.VariantFile(str(target), mode, header=source.header) as sink:
            for record in source:
                sink.write(record)
    return target


def text_of(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return data.decode()


def without_scores(vcf: str) -> str:
    """A scored VCF with all that was added taken away."""
    lines = []
    for line in vcf.splitlines():
        if line.startswith(("##seqcnn_", "##INFO=<ID=SEQCNN_")):
            continue
        fields = line.split("\t")
        if not line.startswith("#"):
            fields[7] = INFO.sub("", fields[7]).lstrip(";") or "."
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"


def infos(vcf: str) -> list[dict[str, str]]:
    return [
        dict(item.partition("=")[::2] for item in line.split("\t")[7].split(";"))
        for line in vcf.splitlines()
        if not line.startswith("#")
    ]


# What comes out


def test_records_come_out_as_they_went_in(
    score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-o", tmp_path / "out.vcf")
    scored = (tmp_path / "out.vcf").read_text()
    assert without_scores(scored) == world.variants.read_text()
    assert scored.count("SEQCNN_DELTA=") > 30


def test_tsv_has_the_columns_of_the_contract(
    score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv")
    rows = read_tsv(tmp_path / "o.tsv")
    assert list(rows[0]) == COLUMNS
    records = [line.split("\t") for line in world.variants.read_text().splitlines()]
    alleles = [
        (*fields[:4], alt)
        for fields in records
        if not fields[0].startswith("#")
        for alt in fields[4].split(",")
    ]
    assert [tuple(row[key] for key in COLUMNS[:5]) for row in rows] == alleles
    by_name = {(row["id"], row["alt"]): row for row in rows if row["id"] != "."}
    reasons = {name: row["reason"] for (name, _), row in by_name.items()}
    assert reasons["mismatch"] == "ref_mismatch"
    assert reasons["symbolic"] == "symbolic_allele"
    assert reasons["absent"] == "contig_missing"
    assert reasons["del"] == reasons["ins"] == reasons["bridged"] == "."
    assert by_name["multi", "*"]["reason"] == "spanning_deletion"
    for row in rows:
        numbers = [row[key] for key in (*COLUMNS[6:13], "sd")]
        if row["reason"] != ".":
            assert set(numbers) == {"."}
            continue
        ref, alt, delta, difference, gated, quantile, p, sd = map(float, numbers)
        assert delta == pytest.approx(alt - ref, abs=1e-4)
        assert difference * delta >= 0
        assert gated == pytest.approx(delta * max(0, ref, alt), rel=1e-3, abs=1e-4)
        assert 0 <= quantile <= 1
        assert sd >= 0
        assert 0 < p <= 1
        assert row["q"] == "."


def test_the_vcf_says_the_same_as_the_tsv(
    score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv")
    rows = iter(read_tsv(tmp_path / "o.tsv"))
    keys = {"REF": "ref_logit", "ALT": "alt_logit", "DELTA": "delta", "SD": "sd", "P": "p"}
    keys |= {"PDIFF": "probability_difference", "GATED": "deepbind", "QUANTILE": "quantile"}
    for info in infos((tmp_path / "o.vcf").read_text()):
        values = {key: info.get(f"SEQCNN_{key}", ".").split(",") for key in (*keys, "REASON")}
        for i in range(max(map(len, values.values()))):
            row = next(rows)
            for key, column in (*keys.items(), ("REASON", "reason")):
                value = values[key][i] if len(values[key]) > 1 else values[key][0]
                assert value == row[column]
    assert next(rows, None) is None


def test_a_broken_site_loses_and_a_distant_base_does_not(
    score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv")
    rows = [row for row in read_tsv(tmp_path / "o.tsv") if row["id"] == "."]
    inside = [float(row["delta"]) for row in rows if row["position"] == "120"]
    assert len(inside) == 6
    assert max(inside) < 0


@pytest.mark.parametrize("kind", ["gz", "bgz", "b", "bu"])
def test_every_kind_of_input_gives_the_same_scores(
    kind: str, score: list[object], world: World, tmp_path: Path
) -> None:
    packed = pack(world.variants, kind, tmp_path)
    for name, given in (("plain", world.variants), ("packed", packed)):
        out = tmp_path / f"{name}.vcf"
        seqcnn(*score, given, "-o", out, "--tsv", tmp_path / f"{name}.tsv.gz")
    assert read_tsv(tmp_path / "plain.tsv.gz") == read_tsv(tmp_path / "packed.tsv.gz")
    piped = seqcnn(*score, "-", stdin=packed.read_bytes()).stdout
    assert infos(piped) == infos((tmp_path / "packed.vcf").read_text())


@pytest.mark.parametrize("kind", ["vcf", "vcf.gz", "bcf"])
def test_the_suffix_chooses_the_output(
    kind: str, score: list[object], world: World, tmp_path: Path
) -> None:
    out = tmp_path / f"out.{kind}"
    seqcnn(*score, world.variants, "-o", out)
    data = out.read_bytes()
    assert (data[:2] == b"\x1f\x8b") == (kind != "vcf")
    if kind == "vcf.gz":
        plain = seqcnn(*score, world.variants, "--quiet").stdout
        assert without_scores(text_of(out)) == without_scores(plain)
    with pysam.VariantFile(str(out)) as file:
        records = list(file)
    lines = world.variants.read_text().splitlines()
    assert len(records) == sum(not line.startswith("#") for line in lines)
    assert "SEQCNN_DELTA" in records[0].info


@pytest.mark.parametrize("kind", "vzbu")
def test_the_type_wins_over_the_suffix_and_standard_output_is_the_default(
    kind: str, score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-O", kind, "-o", tmp_path / "out")
    data = seqcnn(*score, world.variants, "-O", kind).stdout_bytes
    assert data == (tmp_path / "out").read_bytes()
    assert data[:5] == {"v": b"##fil", "u": b"BCF\2\2"}.get(kind, data[:5])
    assert (data[:2] == b"\x1f\x8b") == (kind in "zb")


def test_standard_input_and_output_of_a_process(
    score: list[object], world: World, tmp_path: Path
) -> None:
    seqcnn(*score, world.variants, "-o", tmp_path / "out.vcf", "--no-version")
    with process(*score, "-", "--no-version", "-q") as running:
        out, said = running.communicate(world.variants.read_bytes())
    assert running.returncode == 0
    assert said == b""
    assert out == (tmp_path / "out.vcf").read_bytes()


def test_the_table_goes_to_standard_output_too(
    score: list[object], world: World, tmp_path: Path
) -> None:
    words = [*score, world.variants, "-o", tmp_path / "out.vcf"]
    rows = parse_tsv(seqcnn(*words, "--tsv", "-").stdout)
    assert list(rows[0]) == COLUMNS
    seqcnn(*words, "--tsv", tmp_path / "a.tsv", "--force")
    assert read_tsv(tmp_path / "a.tsv") == rows
    message = refused(tmp_path, *score, world.variants, "--tsv", "-")
    assert message.startswith("standard output: ")


def test_a_closed_pipe_is_quiet(score: list[object], world: World, tmp_path: Path) -> None:
    position, ref = 120, world.ref("chr1", 120)
    alt = "A" if ref != "A" else "C"
    vcf = write_vcf(tmp_path / "many.vcf", [f"chr1\t{position}\t.\t{ref}\t{alt}\t.\t.\t."] * 3000)
    with process(*score, vcf, "-q") as running:
        assert running.stdout.readline() == b"##fileformat=VCFv4.2\n"
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(60)


# Options


def test_the_header_says_how_the_file_was_made(score: list[object], world: World) -> None:
    header = seqcnn(*score, world.variants).stdout
    (command,) = re.findall(r"##seqcnn_scoreVariantsCommand=(.*)", header)
    assert command == (
        "seqcnn score-variants --model model.safetensors --fasta genome.fa variants.vcf"
    )
    assert re.search(r"##seqcnn_scoreVariantsVersion=\d", header)
    assert re.search(r"##seqcnn_scoreVariantsModel=model.safetensors; sha256=[0-9a-f]{64}", header)
    bare = seqcnn(*score, world.variants, "--no-version").stdout
    assert "Version=" not in bare
    assert "Command=" not in bare
    assert "scoreVariantsModel=" in bare


def test_scoring_twice_changes_nothing(score: list[object], world: World, tmp_path: Path) -> None:
    once, twice = tmp_path / "in.vcf", tmp_path / "twice.vcf"
    seqcnn(*score, world.variants, "-o", once, "--no-version")
    seqcnn(*score, once, "-o", twice, "--no-version")
    assert twice.read_bytes() == once.read_bytes()


def test_what_becomes_of_a_reference_mismatch(
    score: list[object], world: World, tmp_path: Path
) -> None:
    def scored(choice: str) -> dict[str, str]:
        out = seqcnn(*score, world.variants, "--ref-mismatch", choice).stdout
        names = [line.split("\t")[2] for line in out.splitlines() if not line.startswith("#")]
        return dict(zip(names, infos(out), strict=True))["mismatch"]

    assert scored("skip") == {"SEQCNN_REASON": "ref_mismatch"}
    assert "SEQCNN_DELTA" in scored("warn")
    assert "ref_mismatch" in scored("warn")["SEQCNN_NOTE"]
    message = refused(
        tmp_path, *score, world.variants, "--ref-mismatch", "error", "-o", tmp_path / "o.vcf"
    )
    assert "variants.vcf:" in message
    assert "chr2" in message


def test_strands_and_shifts_change_scores(score: list[object], world: World) -> None:
    choices = {"plain": [], "max": ["--strands", "max"], "single": ["--strands", "single"]}
    choices |= {"shifted": ["--shifts", 5], "average": ["--strands", "average"]}
    out = {
        name: infos(seqcnn(*score, world.variants, *words).stdout)
        for name, words in choices.items()
    }
    assert out["plain"] == out["average"]
    for name in ("max", "single", "shifted"):
        assert out[name] != out["plain"]
        # The null in the model is of the strands and the shift that it was trained with.
        expected = [set(info) - {"SEQCNN_P"} for info in out["plain"]]
        assert [set(info) for info in out[name]] == expected
    drawn = infos(seqcnn(*score, world.variants, "--strands", "max", "--null", 50).stdout)
    assert [set(info) - {"SEQCNN_Q"} for info in drawn] == [set(info) for info in out["plain"]]


def test_a_model_of_several_tasks(world: World, tmp_path: Path) -> None:
    seqcnn(
        *("train", "--peaks", f"a b={world.peaks}", "--peaks", f"c={world.other_peaks}"),
        *("--fasta", world.genome, "--length", 61, *QUICK, "-o", tmp_path / "run"),
    )
    words = ["-m", tmp_path / "run/model.safetensors", "--fasta", world.genome, world.variants]
    out = tmp_path / "out.vcf"
    seqcnn("score-variants", *words, "-o", out, "--tsv", tmp_path / "out.tsv")
    first = infos(out.read_text())[0]
    assert {"SEQCNN_DELTA_a_b", "SEQCNN_DELTA_c"} <= set(first)
    assert not any(key.startswith("SEQCNN_SD") for key in first)
    rows = read_tsv(tmp_path / "out.tsv")
    assert [row["task"] for row in rows[:4]] == ["a b", "c", "a b", "c"]
    assert {row["sd"] for row in rows} == {"."}


def test_bytes_that_are_no_text_come_out_as_they_were(
    score: list[object], world: World, tmp_path: Path
) -> None:
    ref = world.ref("chr1", 120)
    vcf = write_vcf(tmp_path / "in.vcf", [f"chr1\t120\tNAME\t{ref}\tN\t.\t.\t."])
    vcf.write_bytes(vcf.read_bytes().replace(b"NAME", b"caf\xe9"))
    out, table = tmp_path / "out.vcf", tmp_path / "out.tsv"
    seqcnn(*score, vcf, "-o", out, "--tsv", table)
    assert b"caf\xe9" in out.read_bytes()
    assert b"caf\xe9" in table.read_bytes()
    again = seqcnn(*score, vcf, "-o", out, "--tsv", "-", "--force")
    assert again.stdout_bytes == table.read_bytes()


# Determinism


def test_neither_order_nor_threads_change_a_printed_score(
    score: list[object], world: World, tmp_path: Path
) -> None:
    lines = world.variants.read_text().splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    records = [line for line in lines if not line.startswith("#")] * 40  # several blocks
    shuffled = random.Random(3).sample(records, len(records))
    outputs = {}
    for name, order in (("sorted", records), ("shuffled", shuffled)):
        vcf = tmp_path / f"{name}.vcf"
        vcf.write_text("".join([*header, *order]))
        for threads in (1, 3):
            out = tmp_path / f"{name}.{threads}"
            words = ["-o", f"{out}.vcf", "--tsv", f"{out}.tsv.gz", "--threads", threads]
            seqcnn(*score, vcf, *words, "--no-version")
            outputs[name, threads] = out
    for name in ("sorted", "shuffled"):
        for suffix in ("vcf", "tsv.gz"):
            one, three = (Path(f"{outputs[name, n]}.{suffix}").read_bytes() for n in (1, 3))
            assert one == three
    tables = [Path(f"{outputs[name, 1]}.tsv.gz") for name in ("sorted", "shuffled")]
    first, second = (sorted(text_of(table).splitlines()) for table in tables)
    assert first == second
    assert len(set(first)) < len(first) / 30  # equal alleles have equal lines


# Refusals


def test_bad_inputs(score: list[object], world: World, model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    whole = pack(world.variants, "bgz", bad).read_bytes()
    (bad / "cut.vcf.gz").write_bytes(whole[: len(whole) // 2])
    (bad / "noend.vcf.gz").write_bytes(whole[:-28])
    (bad / "cut.gz").write_bytes(gzip.compress(world.variants.read_bytes())[:-12])
    bcf = pack(world.variants, "b", bad).read_bytes()
    (bad / "cut.bcf").write_bytes(bcf[: len(bcf) - 60])
    (bad / "empty").write_bytes(b"")
    records = [line for line in world.variants.read_text().splitlines() if line[0] != "#"]
    headless = write_lines(bad / "headless.vcf", records)
    short = write_vcf(bad / "short.vcf", ["chr1\t5\t."])
    position = write_vcf(bad / "position.vcf", ["chr1\tfive\t.\tA\tC\t.\t.\t."])
    cases: list[tuple[Path, list[str]]] = [
        (bad / "none.vcf", ["no such file"]),
        (bad, ["is a folder"]),
        (bad / "empty", ["empty"]),
        (bad / "cut.vcf.gz", ["cut", "make it again"]),
        (bad / "noend.vcf.gz", ["no end marker"]),
        (bad / "cut.gz", ["cut"]),
        (bad / "cut.bcf", ["cut"]),
        (headless, ["headless.vcf:1", "no header", "##fileformat=VCF"]),
        (short, ["short.vcf:4", "3 column(s)"]),
        (position, ["position.vcf:4", "'five'"]),
        (world.genome, ["is a FASTA file"]),
        (world.peaks, ["peaks.bed:1"]),
        (model, ["no VCF"]),
    ]
    for vcf, needles in cases:
        for out in (tmp_path / "out.vcf.gz", tmp_path / "out.bcf"):
            message = refused(tmp_path, *score, vcf, "-o", out, "--tsv", tmp_path / "o.tsv")
            assert all(needle in message for needle in needles), message
            assert str(vcf) in message


def test_empty_standard_input(score: list[object], tmp_path: Path) -> None:
    message = refused(tmp_path, *score, "-", "-o", tmp_path / "out.vcf", stdin=b"")
    assert message.startswith("standard input: the file is empty")


def test_a_file_without_records_is_whole(score: list[object], tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [])
    seqcnn(*score, vcf, "-o", tmp_path / "o.vcf", "--tsv", tmp_path / "o.tsv")
    assert "#CHROM" in (tmp_path / "o.vcf").read_text()
    assert (tmp_path / "o.tsv").read_text().splitlines() == ["\t".join(COLUMNS)]


def test_references_that_are_none(world: World, model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    protein = write_fasta(bad / "protein.fa", [("chr1", "MKLVEIPQF" * 30)])
    for fasta, needle in (
        (world.peaks, "FASTA"),
        (protein, "protein"),
        (bad / "none.fa", "no such file"),
        (model, "FASTA"),
    ):
        words = ["score-variants", "-m", model, "--fasta", fasta, world.variants]
        assert needle in refused(tmp_path, *words, "-o", tmp_path / "out.vcf")


def test_a_genome_without_any_of_the_contigs_is_told(
    world: World, model: Path, tmp_path: Path
) -> None:
    other = write_fasta(tmp_path / "other.fa", [("scaffold_1", "ACGT" * 50)])
    words = ["score-variants", "-m", model, "--fasta", other, world.variants]
    result = seqcnn(*words, "-o", tmp_path / "out.vcf")
    assert "the same names of contigs?" in result.stderr
    assert {
        row["reason"]
        for row in parse_tsv(seqcnn(*words, "-o", tmp_path / "b.vcf", "--tsv", "-").stdout)
    } >= {"contig_missing"}


def test_outputs_and_inputs_are_different_files(
    score: list[object], world: World, model: Path, tmp_path: Path
) -> None:
    vcf = tmp_path / "in.vcf"
    shutil.copy(world.variants, vcf)
    (tmp_path / "same.vcf").symlink_to(vcf)
    both = tmp_path / "both"
    for words in (
        ["-o", vcf],
        ["-o", tmp_path / "same.vcf"],
        ["--tsv", vcf, "-o", tmp_path / "o.vcf"],
        ["-o", world.genome],
        ["-o", model],
        ["-o", both, "--tsv", both],
    ):
        message = refused(tmp_path, *score, vcf, *words, "--force")
        assert "another file of this command" in message
