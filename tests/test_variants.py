"""VCF in, alleles and windows, VCF out: against slow haplotypes, bcftools, and broken files."""

import gzip
import io
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import decode
from seqcnn.errors import ConfigError, VcfError
from seqcnn.genome import Genome, open_genome
from seqcnn.linefiles import write_lines
from seqcnn.spelling import format_numbers
from seqcnn.variants import (
    NOTE_FIELD,
    REASON_FIELD,
    REASONS,
    AllelePairs,
    AllelePlacer,
    AlleleTable,
    InfoField,
    Note,
    Reason,
    VcfReader,
    allele_pairs,
    annotate_header,
    annotate_lines,
    note_names,
    open_vcf,
    output_kind,
    provenance_lines,
    reason_names,
    score_fields,
)

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HEADER = f"##fileformat=VCFv4.2\n{COLUMNS}\n"
FULL_HEADER = (
    "##fileformat=VCFv4.2\n"
    '##FILTER=<ID=q10,Description="Quality below 10">\n'
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "##contig=<ID=chr1,length=60>\n"
    f"{COLUMNS}\tFORMAT\tS1\tS2\n"
)
FULL = FULL_HEADER + (
    "chr1\t5\trs1\tA\tC\t9.50\tq10\tDP=7;AF=0.250\tGT\t0/1\t1|1\n"
    "chr1\t5\t.\tA\tG,*\t.\tPASS\t.\tGT\t0/1\t./.\n"
    "chr1\t3\t.\tG\tGTT\t1e-3\t.\tDP=1\tGT\t0/0\t0/0\n"
)
CONTIG = "ACGTACGGTTTTCAGCAGCAGTACGATCGATTTACGCGATATCGAGCGGCATTACGGATC"


def vcf(*records: str) -> str:
    """A small VCF; each record is 'CHROM POS REF ALT'."""
    lines = []
    for record in records:
        contig, position, ref, alt = record.split(" ")
        lines.append(f"{contig}\t{position}\t.\t{ref}\t{alt}\t.\tPASS\t.\n")
    return HEADER + "".join(lines)


def bgzip(data: bytes) -> bytes:
    packed = io.BytesIO()
    lines = data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    write_lines([lines] if data else [], packed, packed=True)
    return packed.getvalue()


def read_lines(path: Path | str, **options: int) -> list[str]:
    with VcfReader(path, **options) as reader:
        return [line for block in reader.blocks() for line in block.lines]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def _write(content: str | bytes, name: str = "in.vcf") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def fasta(path: Path, contigs: dict[str, str]) -> Path:
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return path


@pytest.fixture
def genome(tmp_path: Path) -> Iterator[Genome]:
    contigs = {"chr1": CONTIG, "chr2": CONTIG.lower(), "chrN": "N" * 40 + "ACGTRACGT" + "N" * 5}
    with open_genome(fasta(tmp_path / "genome.fa", contigs)) as opened:
        yield opened


def place(path: Path, genome: Genome, *, length: int = 11, policy: str = "skip") -> AlleleTable:
    with VcfReader(path) as reader:
        placer = AllelePlacer(
            genome, length=length, ref_mismatch=policy, declared=reader.header.contigs
        )
        (table,) = map(placer.place, reader.blocks())
        return table


def windows(pairs: AllelePairs) -> list[tuple[str, str]]:
    return [(decode(r), decode(a)) for r, a in zip(pairs.ref, pairs.alt, strict=True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    numbers = itertools.count()
    root = tmp_path_factory.mktemp("haplotypes")

    def fresh() -> Path:
        path = root / str(next(numbers))
        path.mkdir()
        return path

    return fresh


# --- bcftools as the judge

needs_bcftools = pytest.mark.skipif(
    shutil.which("bcftools") is None, reason="bcftools is not installed"
)


def run_bcftools(*arguments: object) -> str:
    command = ["bcftools", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@needs_bcftools
@pytest.mark.parametrize("kind", ["b", "u"])
def test_bcf_is_what_bcftools_makes(write: Callable[..., Path], tmp_path: Path, kind: str) -> None:
    source = write(FULL)
    with (
        VcfReader(source) as reader,
        open_vcf(tmp_path / "out.bcf", reader.header.lines, kind=kind) as writer,
    ):
        for block in reader.blocks():
            writer.write(block.lines)
    theirs = run_bcftools("view", "--no-version", source)
    assert run_bcftools("view", "--no-version", tmp_path / "out.bcf") == theirs
    with VcfReader(tmp_path / "out.bcf") as reader:
        lines = [*reader.header.lines, *(x for block in reader.blocks() for x in block.lines)]
    assert "\n".join(lines) + "\n" == theirs


# --- reasons


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("chr1 1 A C", "."),
        ("chr1 1 a c", "."),
        ("1 1 A C", "."),
        ("chr2 1 A C", "."),
        ("chr1 60 C CA", "."),
        ("chr1 1 A .", "no_alternative"),
        ("chr1 1 ACG .", "no_alternative"),
        ("chr1 1 A *", "spanning_deletion"),
        ("chr1 1 A <DEL>", "symbolic_allele"),
        ("chr1 1 A <*>", "symbolic_allele"),
        ("nowhere 0 N <DEL>", "symbolic_allele"),
        ("chr1 1 A A]chr2:5]", "symbolic_allele"),
        ("chr1 1 A [chr2:5[A", "symbolic_allele"),
        ("chr1 1 A .A", "symbolic_allele"),
        ("chr1 1 A A.", "symbolic_allele"),
        ("chr1 1 A N", "invalid_allele"),
        ("chr1 1 A R", "invalid_allele"),
        ("chr1 1 A U", "invalid_allele"),
        ("chr1 1 A -", "invalid_allele"),
        ("chr1 1 A CN", "invalid_allele"),
        ("chr1 1 A Ä", "invalid_allele"),
        ("chr1 1 . A", "invalid_allele"),
        ("chr1 1 - A", "invalid_allele"),
        ("chr1 1 AU C", "invalid_allele"),
        ("chr1 1 A A", "ref_equals_alt"),
        ("chr1 1 A a", "ref_equals_alt"),
        ("chr1 1 ACG acg", "ref_equals_alt"),
        ("chr7 1 A C", "contig_missing"),
        ("chr1 0 A C", "window_off_contig"),
        ("chr1 61 A C", "window_off_contig"),
        ("chr1 60 CA C", "window_off_contig"),
        ("chr1 999999999999999999 A C", "window_off_contig"),
        ("chr1 2 A C", "ref_mismatch"),
        ("chr1 1 N C", "ref_mismatch"),
        ("chr1 1 R C", "ref_mismatch"),
        ("chr1 1 AT A", "ref_mismatch"),
        (f"chr1 1 {CONTIG[:13]} A", "too_long"),
        ("chr1 1 A ACCCCCCCCCCCC", "too_long"),
        (f"chr1 1 {CONTIG[:20]} {CONTIG[:19]}C", "."),
        ("chrN 20 N C", "window_all_n"),
        ("chrN 20 A C", "window_all_n"),
        ("chrN 20 A AC", "window_all_n"),
        ("chrN 54 N NC", "window_all_n"),
        ("chrN 54 N C", "."),
        ("chrN 45 A C", "."),
        ("chrN 45 R C", "."),
        ("chrN 44 TAC T", "ref_mismatch"),
    ],
)
def test_reasons(write: Callable[..., Path], genome: Genome, record: str, reason: str) -> None:
    table = place(write(vcf(record)), genome)
    assert reason_names(table.reasons) == [reason]
    assert len(allele_pairs(table, genome)) == (reason == ".")


def test_each_reason_is_explained() -> None:
    every = np.arange(len(Reason), dtype=np.uint8)
    assert reason_names(every) == [".", *REASONS]


def test_alts_of_a_record_are_judged_each_on_its_own(
    write: Callable[..., Path], genome: Genome
) -> None:
    table = place(write(vcf("chr1 1 A C,*,G,c,<DEL>,AT", "chr1 5 A T")), genome)
    expected = [".", "spanning_deletion", ".", "duplicate_allele_in_record", "symbolic_allele"]
    assert reason_names(table.reasons) == [*expected, ".", "."]
    assert table.records.tolist() == [0] * 6 + [1]
    assert table.numbers.tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert list(table.alts) == ["C", "*", "G", "c", "<DEL>", "AT", "T"]
    assert table.count_reasons() == {
        "scored": 4,
        "spanning_deletion": 1,
        "symbolic_allele": 1,
        "duplicate_allele_in_record": 1,
    }
    pairs = allele_pairs(table, genome)
    assert pairs.rows.tolist() == [0, 2, 5, 6]
    assert windows(pairs)[:2] == [
        ("NNNNNACGTAC", "NNNNNCCGTAC"),
        ("NNNNNACGTAC", "NNNNNGCGTAC"),
    ]


def test_soft_masked_reference_is_the_same_reference(
    write: Callable[..., Path], genome: Genome
) -> None:
    for record in ("{} 7 G C", "{} 15 G GCA", "{} 31 TTT t"):
        upper, lower = (
            windows(allele_pairs(place(write(vcf(record.format(c))), genome), genome))
            for c in ("chr1", "chr2")
        )
        assert upper == lower
        assert len(upper) == 1


def test_notes(write: Callable[..., Path], genome: Genome) -> None:
    records = ("chr1 31 T C", "chr1 1 A C", "chr1 60 C A", "chrN 45 A C", "chrN 45 R C")
    table = place(write(vcf(*records)), genome, length=9)
    expected = [".", "window_padded", "window_padded", "ref_unknown", "ref_ambiguous"]
    assert note_names(table.notes) == expected
    pairs = windows(allele_pairs(table, genome))
    assert pairs[3] == ("ACGTAACGT", "ACGTCACGT")
    assert pairs[4] == ("ACGTNACGT", "ACGTCACGT")
    both = np.array([Note.REF_MISMATCH | Note.WINDOW_PADDED], dtype=np.uint8)
    assert note_names(both) == ["ref_mismatch&window_padded"]


def test_ref_mismatch_warn_scores_what_the_record_says(
    write: Callable[..., Path], genome: Genome
) -> None:
    records = ("chr1 31 A C", "chr1 31 AC A", "chr1 31 T C")
    table = place(write(vcf(*records)), genome, length=5, policy="warn")
    assert reason_names(table.reasons) == ["."] * 3
    assert note_names(table.notes) == ["ref_mismatch", "ref_mismatch", "."]
    snv, deletion, _ = windows(allele_pairs(table, genome))
    assert snv == tuple(f"{CONTIG[28:30]}{base}{CONTIG[31:33]}" for base in "AC")
    # The A of REF, which is not the FASTA's, stands in both windows.
    assert deletion == (f"{CONTIG[29]}AC{CONTIG[32:34]}", f"{CONTIG[28:30]}A{CONTIG[32:34]}")


def test_ref_mismatch_error_names_the_line(write: Callable[..., Path], genome: Genome) -> None:
    path = write(vcf("chr1 31 T C", "chr1 2 A <DEL>", "chr1 2 A G"))
    with pytest.raises(VcfError, match=r"in\.vcf:5: REF A at chr1:2; expected C as in the FASTA"):
        place(path, genome, policy="error")
    with pytest.raises(ConfigError, match="skip, error, warn"):
        place(path, genome, policy="perhaps")


def test_contigs_are_bridged_with_the_help_of_the_header(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    roman = {"chrI": CONTIG, "chrII": CONTIG, "chrM": CONTIG}
    with open_genome(fasta(tmp_path / "g.fa", roman)) as opened:
        placer = AllelePlacer(opened, length=5)
        assert [placer.bridge(c) for c in ("1", "chr2", "MT", "chrM", "3")] == [
            "chrI",
            "chrII",
            "chrM",
            "chrM",
            None,
        ]
        table = place(write(vcf("2 1 A C", "3 1 A C", "1 1 A C")), opened)
        assert table.contigs.tolist() == [0, -1, 1]
        assert table.names == ("chrII", "chrI")


# --- blocks


def many_records(count: int = 300) -> str:
    rng = np.random.default_rng(1)
    records = []
    for _ in range(count):
        start, size = int(rng.integers(0, 58)), int(rng.integers(1, 3))
        alts = ["".join(rng.choice(list("ACGT*"), size=rng.integers(1, 3))) for _ in range(2)]
        ref = CONTIG[start : start + size] if rng.random() < 0.9 else "G"
        contig = rng.choice(["chr1", "2", "chr9"])
        records.append(f"{contig} {start + 1} {ref} {','.join(alts[: rng.integers(1, 3)])}")
    return vcf(*records)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_nothing_depends_on_the_size_of_blocks(
    write: Callable[..., Path], genome: Genome, size: int
) -> None:
    path = write(many_records())
    whole = place(path, genome)
    expected = allele_pairs(whole, genome)
    with VcfReader(path, block_records=size) as reader:
        placer = AllelePlacer(genome, length=11)
        tables = [placer.place(block) for block in reader.blocks()]
    assert len(tables) == -(-300 // size)
    assert [n for t in tables for n in reason_names(t.reasons)] == reason_names(whole.reasons)
    assert [x for t in tables for x in t.notes] == whole.notes.tolist()
    assert [x for t in tables for x in t.starts] == whole.starts.tolist()
    pairs = [allele_pairs(table, genome) for table in tables]
    np.testing.assert_array_equal(np.concatenate([p.ref for p in pairs]), expected.ref)
    np.testing.assert_array_equal(np.concatenate([p.alt for p in pairs]), expected.alt)
    assert 50 < len(expected) < len(whole)


def test_a_file_may_have_no_records(write: Callable[..., Path]) -> None:
    assert read_lines(write(HEADER)) == []


def test_wide_lines_make_short_blocks(write: Callable[..., Path]) -> None:
    wide = "\t".join(["0/1:" + "9" * 9_000] * 10)
    samples = "\t".join(f"S{i}" for i in range(10))
    lines = [f"chr1\t{i}\t.\tA\tC\t.\t.\t.\tGT:X\t{wide}" for i in range(1, 1001)]
    text = HEADER.replace("INFO", f"INFO\tFORMAT\t{samples}") + "\n".join(lines) + "\n"
    with VcfReader(write(text)) as reader:
        assert len(reader.header.samples) == 10
        sizes = [len(block) for block in reader.blocks()]
    assert sum(sizes) == 1000
    assert max(sizes) < 500


# --- reading whatever it is packed in


def pack_bcf(text: bytes, folder: Path) -> bytes:
    source, target = folder / "pack.vcf", folder / "pack.bcf"
    source.write_bytes(text)
    with (
        pysam.VariantFile(str(source)) as records,
        pysam.VariantFile(str(target), "wb", header=records.header) as out,
    ):
        for record in records:
            out.write(record)
    return target.read_bytes()


def packings(folder: Path) -> dict[str, bytes]:
    text = FULL.encode()
    half = len(text) // 2
    bcf = pack_bcf(text, folder)
    return {
        "plain": text,
        "gzip": gzip.compress(text),
        "several members": gzip.compress(text[:half]) + gzip.compress(text[half:]),
        "zero padding": gzip.compress(text) + b"\0" * 100,
        "bgzip": bgzip(text),
        "bcf": bcf,
        "uncompressed bcf": gzip.decompress(bcf),
        "gzipped bcf": gzip.compress(gzip.decompress(bcf)),
    }


PACKINGS = (
    "plain",
    "gzip",
    "several members",
    "zero padding",
    "bgzip",
    "bcf",
    "uncompressed bcf",
    "gzipped bcf",
)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("stdin", [False, True])
def test_the_content_tells_what_a_file_is_not_its_name(
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    packing: str,
    stdin: bool,
) -> None:
    data = packings(tmp_path)[packing]
    source: Path | str = write(data, "named.vcf.gz.bcf.txt")
    if stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        source = "-"
    with VcfReader(source) as reader:
        assert reader.header.samples == ("S1", "S2")
        assert reader.header.contigs == ("chr1",)
        lines = [line for block in reader.blocks() for line in block.lines]
    expected = FULL.splitlines()[-3:]
    if "bcf" in packing:
        # Numbers are binary in BCF: htslib spells them anew.
        expected = [
            x.replace("9.50", "9.5").replace("0.250", "0.25").replace("1e-3", "0.001")
            for x in expected
        ]
    assert lines == expected


def test_carriage_returns_and_foreign_bytes_survive(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    raw = FULL.replace("\n", "\r\n").replace("rs1", "r\xe9\x85s").encode("latin-1")
    with (
        VcfReader(write(raw)) as reader,
        open_vcf(tmp_path / "out.vcf", reader.header.lines) as writer,
    ):
        assert reader.header.samples == ("S1", "S2")
        for block in reader.blocks():
            writer.write(block.lines)
    assert (tmp_path / "out.vcf").read_bytes() == raw


def test_blank_lines_are_left_out_and_counted(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    text = vcf("chr1 1 A C", "chr1 2 C A") + "\n  \n"
    assert len(read_lines(write(text))) == 2
    assert "2 blank line(s)" in caplog.text


# --- files that are broken

GOOD = "chr1\t1\t.\tA\tC\t.\t.\t."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n", "no VCF"),
        ("hello\n", "no VCF"),
        (GOOD + "\n", "in.vcf:1: the VCF has no header"),
        (f"{COLUMNS}\n{GOOD}\n", "in.vcf:1: the VCF has no header"),
        (">chr1\nACGT\n", "FASTA"),
        ("\ufeff" + HEADER, "byte-order mark"),
        ("##fileformat=VCFv4.2\n", "without a line #CHROM"),
        (f"##fileformat=VCFv4.2\n{GOOD}\n", "in.vcf:2: a record before the line #CHROM"),
        (f"##fileformat=VCFv4.2\n{COLUMNS[:20]}\n", "in.vcf:2: .*expected a line of #CHROM POS"),
        (HEADER.replace("\t", " "), "parted by spaces"),
        (HEADER + GOOD + "\n" + GOOD.replace("\t", " "), r"in.vcf:4: .* \(parted by spaces\?\)"),
        (HEADER + "chr1\t1\t.\tA\tC\t.\t.\n", r"in.vcf:3: 7 column\(s\); expected 8"),
        (HEADER + GOOD + "\tGT\t0/1\n", "10 column"),
        (FULL_HEADER + GOOD + "\tGT\t0/1\n", "expected 11"),
        (HEADER + GOOD + "\n" + HEADER + GOOD + "\n", "in.vcf:4: a header line after the records"),
        (HEADER + GOOD.replace("1\t.", "x\t."), "POS 'x'"),
        (HEADER + GOOD.replace("\t1\t", "\t-1\t"), "POS '-1'"),
        (HEADER + GOOD.replace("\t1\t", "\t1e4\t"), "POS '1e4'"),
        (HEADER + GOOD.replace("\t1\t", "\t1_0\t"), "POS '1_0'"),
        (HEADER + GOOD.replace("\t1\t", "\t 1\t"), "POS ' 1'"),
        (HEADER + GOOD.replace("\t1\t", "\t\u0661\t"), "POS"),
        (HEADER + GOOD.replace("\t1\t", "\t\t"), "POS ''"),
        (HEADER + GOOD.replace("\t1\t", "\t" + "9" * 30 + "\t"), "POS '999"),
        (HEADER + GOOD.replace("chr1", ""), "CHROM ''"),
        (HEADER + GOOD.replace("chr1", "chr 1"), "CHROM 'chr 1'"),
        (HEADER + GOOD.replace("\tA\t", "\t\t"), "REF is empty"),
        (HEADER + GOOD.replace("\tC\t", "\t\t"), "ALT is empty"),
        (HEADER + GOOD[:5] + "\0" + GOOD[5:], "zero byte"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bgzip])
def test_what_is_no_vcf_is_told_with_its_line(
    write: Callable[..., Path], text: str, message: str, pack: Callable[[bytes], bytes]
) -> None:
    path = write(pack(text.encode()))
    message = message if text or pack is bytes else "holds nothing"
    with pytest.raises(VcfError, match=message):
        read_lines(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"BAM\1\0\0\0\0", "BAM"),
        (b"PK\3\4" + b"x" * 50, "zip"),
        (b"BCF\4" + b"x" * 50, "BCF version 1"),
        (b"BCF\2\2" + b"x" * 50, "header"),
        (b"\x1f\x8b", "cut"),
        (b"\x1f\x8b" + b"x" * 50, "damaged"),
        (gzip.compress(FULL.encode()) + b"more", "damaged"),
    ],
)
def test_foreign_files_are_refused(write: Callable[..., Path], data: bytes, message: str) -> None:
    with pytest.raises(VcfError, match=message):
        read_lines(write(data))


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(VcfError, match="no such file"):
        VcfReader(tmp_path / "absent.vcf")
    with pytest.raises(VcfError, match="folder"):
        VcfReader(tmp_path)


def test_a_line_that_never_ends_is_refused(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqcnn.variants.stream._LONGEST_LINE", 1 << 18)
    with pytest.raises(VcfError, match="a line of more than"):
        read_lines(write(HEADER.encode() + b"x" * (1 << 20)))


@pytest.mark.parametrize("packing", ["gzip", "bgzip", "bcf"])
def test_a_cut_file_is_an_error_wherever_it_is_cut(
    write: Callable[..., Path], tmp_path: Path, packing: str
) -> None:
    data = packings(tmp_path)[packing]
    for size in range(len(data) - 1, 0, -7):
        with pytest.raises(VcfError):
            read_lines(write(data[:size]))


def test_a_bgzip_file_without_its_end_marker_was_cut(write: Callable[..., Path]) -> None:
    with pytest.raises(VcfError, match="no end marker"):
        read_lines(write(bgzip(FULL.encode())[:-28]))


def test_a_cut_uncompressed_bcf_is_an_error(write: Callable[..., Path], tmp_path: Path) -> None:
    data = packings(tmp_path)["uncompressed bcf"]
    with pytest.raises(VcfError, match="record 3"):
        read_lines(write(data[:-5]))


@pytest.mark.parametrize("packing", ["gzip", "bgzip", "bcf"])
def test_a_flipped_bit_is_an_error_or_harmless(
    write: Callable[..., Path], tmp_path: Path, packing: str
) -> None:
    data = packings(tmp_path)[packing]
    whole = read_lines(write(data))
    for position in range(0, len(data), 5):
        flipped = bytearray(data)
        flipped[position] ^= 1 << (position % 8)
        try:
            assert read_lines(write(bytes(flipped))) == whole
        except VcfError:
            continue


@given(data=st.data())
def test_any_mutilated_text_is_read_whole_or_refused(
    folder: Callable[[], Path], data: st.DataObject
) -> None:
    raw = bytearray(FULL.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 5)))
        raw[start:end] = data.draw(st.binary(max_size=3) | st.sampled_from([b"\t", b"\n", b"#"]))
    path = folder() / "in.vcf"
    path.write_bytes(raw)
    try:
        with VcfReader(path) as reader:
            lines = [*reader.header.lines, *(x for block in reader.blocks() for x in block.lines)]
    except VcfError:
        return
    text = raw.decode("utf-8", "surrogateescape")
    assert lines == [line for line in text.split("\n") if line.strip()]


# --- writing

TASKS = ("GABPA",)


def annotate(path: Path, target: Path, genome: Genome, *, kind: str | None = None) -> None:
    fields = score_fields(["delta", "sd"], TASKS)
    every = [*fields.values(), REASON_FIELD, NOTE_FIELD]
    provenance = provenance_lines("scoreVariants", "1.0", "-m m x.vcf", model="m", sha256="0" * 64)
    with VcfReader(path, block_records=2) as reader:
        header = annotate_header(reader.header.lines, every, provenance=provenance)
        placer = AllelePlacer(genome, length=11)
        with open_vcf(target, header, kind=output_kind(target, asked=kind)) as writer:
            for block in reader.blocks():
                table = placer.place(block)
                values = np.full(len(table), np.nan)
                values[table.scored] = 0.5
                columns = {field: format_numbers(values) for field in fields.values()}
                columns[REASON_FIELD] = reason_names(table.reasons)
                columns[NOTE_FIELD] = note_names(table.notes)
                writer.write(annotate_lines(table, columns))


def without_ours(text: str) -> str:
    """Take off what seqcnn adds."""
    kept = []
    for line in text.split("\n"):
        if line.startswith(("##INFO=<ID=SEQCNN_", "##seqcnn_")):
            continue
        fields = line.split("\t")
        if len(fields) > 7 and "SEQCNN_" in fields[7]:
            ending = "\r" if fields[7].endswith("\r") else ""
            items = [x for x in fields[7].rstrip("\r").split(";") if not x.startswith("SEQCNN_")]
            fields[7] = (";".join(items) or ".") + ending
        kept.append("\t".join(fields))
    return "\n".join(kept)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("content", [FULL, many_records(20)])
def test_a_record_comes_out_as_it_went_in(
    write: Callable[..., Path], tmp_path: Path, genome: Genome, content: str, ending: str
) -> None:
    text = content.replace("\n", ending)
    annotate(write(text), tmp_path / "out.vcf", genome)
    written = (tmp_path / "out.vcf").read_bytes().decode()
    assert written.count("SEQCNN_") > 10
    assert without_ours(written) == text
    annotate(tmp_path / "out.vcf", tmp_path / "again.vcf", genome)
    assert (tmp_path / "again.vcf").read_bytes().decode() == written


def test_the_annotation(write: Callable[..., Path], tmp_path: Path, genome: Genome) -> None:
    text = vcf("chr1 31 T C,<DEL>,G", "chr1 31 T .", "chr1 1 A C", "chr1 2 A C")
    annotate(write(text.replace("PASS\t.", "PASS\tDP=3;X")), tmp_path / "out.vcf", genome)
    lines = (tmp_path / "out.vcf").read_text().splitlines()
    assert lines[1:4] == [
        "##seqcnn_scoreVariantsVersion=1.0",
        "##seqcnn_scoreVariantsCommand=-m m x.vcf",
        f"##seqcnn_scoreVariantsModel=m; sha256={'0' * 64}",
    ]
    assert lines[4].startswith("##INFO=<ID=SEQCNN_DELTA,Number=A,Type=Float,Description=")
    assert lines[8] == COLUMNS
    assert [line.split("\t")[7] for line in lines[9:]] == [
        "DP=3;X;SEQCNN_DELTA=0.5,.,0.5;SEQCNN_SD=0.5,.,0.5;SEQCNN_REASON=.,symbolic_allele,.",
        "DP=3;X",
        "DP=3;X;SEQCNN_DELTA=0.5;SEQCNN_SD=0.5;SEQCNN_NOTE=window_padded",
        "DP=3;X;SEQCNN_REASON=ref_mismatch",
    ]


@pytest.mark.parametrize("suffix", ["vcf", "vcf.gz", "bcf"])
def test_htslib_reads_what_is_written(
    write: Callable[..., Path], tmp_path: Path, genome: Genome, suffix: str
) -> None:
    target = tmp_path / f"out.{suffix}"
    annotate(write(FULL), target, genome)
    with pysam.VariantFile(str(target)) as records:
        found = [dict(record.info) for record in records]
    assert found[0]["SEQCNN_DELTA"] == (0.5,)
    assert found[1]["SEQCNN_REASON"] == (".", "spanning_deletion")
    assert [record["SEQCNN_SD"][0] for record in found] == [0.5] * 3
    first = target.read_bytes()
    annotate(write(FULL), target, genome)
    assert target.read_bytes() == first


def test_bgzip_holds_the_same_text_in_many_blocks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["".join(map(chr, rng.integers(33, 127, size=500))) for _ in range(1000)]
    with open_vcf(tmp_path / "out.gz", HEADER.splitlines(), kind="z") as writer:
        for line in lines:
            writer.write([line])
    packed = (tmp_path / "out.gz").read_bytes()
    assert gzip.decompress(packed).decode() == HEADER + "\n".join(lines) + "\n"
    with pysam.BGZFile(str(tmp_path / "out.gz"), "rb", None) as theirs:
        assert theirs.read() == gzip.decompress(packed)


def test_bcf_declares_what_the_header_leaves_out(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    samples = HEADER.replace("INFO", "INFO\tFORMAT\tS1")
    text = samples + "chr9\t5\t.\tA\tC\t.\tlow;poor\tDP=3;FLAG\tGT:DP\t0/1:4\n"
    with (
        VcfReader(write(text)) as reader,
        open_vcf(tmp_path / "out.bcf", reader.header.lines, kind="b") as writer,
    ):
        for block in reader.blocks():
            writer.write(block.lines)
    assert read_lines(tmp_path / "out.bcf") == text.splitlines()[-1:]


def copy(source: Path, target: Path, *, kind: str) -> None:
    with VcfReader(source) as reader, open_vcf(target, reader.header.lines, kind=kind) as writer:
        for block in reader.blocks():
            writer.write(block.lines)


def test_bcf_that_cannot_be_made_is_told_and_leaves_nothing(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    path = write(vcf("chr1 9999999999 A C"))
    with pytest.raises(VcfError, match="BCF output"):
        copy(path, tmp_path / "out.bcf", kind="b")
    assert [p.name for p in tmp_path.iterdir()] == ["in.vcf"]


@pytest.mark.parametrize("kind", ["v", "z", "b", "u"])
def test_a_failed_run_leaves_what_was_there(
    write: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    path = write(vcf("chr1 1 A C") + "cut")
    target = tmp_path / "out"
    target.write_text("older")
    with pytest.raises(VcfError, match=r"in\.vcf:4"):
        copy(path, target, kind=kind)
    assert target.read_text() == "older"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.vcf", "out"]


@pytest.mark.parametrize("kind", ["v", "z", "b", "u"])
def test_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    with open_vcf("-", HEADER.splitlines(), kind=kind) as writer:
        writer.write([GOOD])
    (tmp_path / "out").write_bytes(raw.getvalue())
    assert read_lines(tmp_path / "out") == [GOOD]


def test_a_device_is_written_to_not_replaced() -> None:
    with open_vcf("/dev/null", HEADER.splitlines()) as writer:
        writer.write([GOOD])
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("name", "asked", "kind"),
    [
        ("a.vcf", None, "v"),
        ("a.vcf.gz", None, "z"),
        ("a.VCF.BGZ", None, "z"),
        ("a.bcf", None, "b"),
        ("-", None, "v"),
        ("a.vcf", "u", "u"),
    ],
)
def test_the_kind_of_output(name: str, asked: str | None, kind: str) -> None:
    assert output_kind(name, asked=asked) == kind


def test_an_unknown_kind_of_output_is_refused() -> None:
    with pytest.raises(ConfigError, match="'x' is no kind of output"):
        output_kind("a.vcf", asked="x")


# --- fields and numbers


def test_numbers() -> None:
    values = np.array([0.1234567, -0.0, 1e-12, np.nan, 3, -2.5e10], dtype=np.float64)
    assert format_numbers(values) == ["0.123457", "0", "1e-12", ".", "3", "-2.5e+10"]
    assert format_numbers(np.float32([0.1])) == ["0.1"]


def test_keys_are_plain_and_unique() -> None:
    fields = score_fields(["delta", "p"], ["GABPA", "a b", "a-b", "Ω"])
    keys = [field.key for field in fields.values()]
    assert keys == [
        "SEQCNN_DELTA_GABPA",
        "SEQCNN_P_GABPA",
        "SEQCNN_DELTA_a_b",
        "SEQCNN_P_a_b",
        "SEQCNN_DELTA_a_b_2",
        "SEQCNN_P_a_b_2",
        "SEQCNN_DELTA_task",
        "SEQCNN_P_task",
    ]
    assert list(fields)[1] == ("p", "GABPA")
    assert score_fields(["delta"], ["any"])["delta", "any"].key == "SEQCNN_DELTA"


def test_header_lines_are_one_line_each() -> None:
    field = InfoField("SEQCNN_X", "Float", 'a "b"\n\\c')
    assert field.header_line.endswith('Description="a \\"b\\" \\\\c">')
    lines = provenance_lines("scoreVariants", "1", "a\nb", model="m", sha256="0")
    assert not any("\n" in line for line in lines)
    header = annotate_header(HEADER.splitlines(), [field], provenance=lines)
    assert annotate_header(header, [field], provenance=lines) == header


@pytest.mark.data
def test_every_measured_variant_is_scored(data_dir: Path) -> None:
    for name in ("TERT-GBM", "LDLR"):
        with open_genome(data_dir / "satmut" / "elements.GRCh38.fa") as opened:
            table = place(data_dir / "satmut" / f"{name}.vcf", opened, length=101)
            assert table.count_reasons() == {"scored": len(table)}
            assert (allele_pairs(table, opened).ref != allele_pairs(table, opened).alt).any(1).all()
