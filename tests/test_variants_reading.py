"""Some of a file's records: regions, shards, indexes; against slow readings and bcftools."""

import contextlib
import gzip
import io
import itertools
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pysam
import pytest
from builders import World
from commands import refused, seqcnn
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcnn.errors import ConfigError, InputError, SeqcnnError, VcfError
from seqcnn.variants import VcfReader, open_vcf
from seqcnn.variants.indexing import check_indexable, index_path, index_variants
from seqcnn.variants.regions import (
    Intervals,
    Region,
    Regions,
    parse_regions,
    read_regions,
)

CONTIGS = ("chr1", "chr2", "HLA:01:02", "empty")
HEADER = (
    "##fileformat=VCFv4.2\n"
    '##FILTER=<ID=PASS,Description="All filters passed">\n'
    '##INFO=<ID=END,Number=1,Type=Integer,Description="Last base">\n'
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
    '##ALT=<ID=DEL,Description="Deletion">\n'
    + "".join(f"##contig=<ID={name}>\n" for name in CONTIGS)
    + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
RECORDS = (
    "chr1\t0\ttelomere\tN\tA\t.\tPASS\tDP=1",
    "chr1\t5\tshort\tA\tC\t.\tPASS\tDP=1",
    "chr1\t7\tlong\tACGTACGTACGT\tC\t.\tPASS\tDP=2",
    "chr1\t9\tdeletion\tA\t<DEL>\t.\tPASS\tDP=3;END=40",
    "chr1\t12\tbackwards\tAC\t<DEL>\t.\tPASS\tEND=3",
    "chr1\t70000\tfar\tG\tT\t.\tPASS\tDP=4",
    "chr2\t5\tsecond\tG\tT\t.\tPASS\tDP=5",
    "HLA:01:02\t5\tcolons\tG\tT\t.\tPASS\tDP=6",
)
TEXT = HEADER + "".join(f"{record}\n" for record in RECORDS)

needs_bcftools = pytest.mark.skipif(
    shutil.which("bcftools") is None, reason="bcftools is not installed"
)


def bcftools(*words: object) -> str:
    command = ["bcftools", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bgzip(text: str | bytes, path: Path) -> Path:
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)
    return path


def write_bcf(text: str | bytes, path: Path) -> Path:
    """A BCF of the same records, made by bcftools as pysam has it."""
    import pysam.bcftools

    source = path.with_suffix(".source.vcf")
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    pysam.set_verbosity(0)
    pysam.bcftools.view("--no-version", "-Ob", "-o", str(path), str(source), catch_stdout=False)
    source.unlink()
    return path


def indexed(text: str | bytes, folder: Path, kind: str) -> Path:
    """The records in a file with its index: ``csi``, ``tbi`` or ``bcf``."""
    if kind == "bcf":
        path = write_bcf(text, folder / "in.bcf")
        index_variants(path)
    else:
        path = bgzip(text, folder / "in.vcf.gz")
        index_variants(path, kind)
    return path


def read(path: Path | str, regions: Regions | None = None, **options: int) -> list[str]:
    with VcfReader(path, regions=regions, block_records=3) as reader:
        return [line for block in reader.blocks(**options) for line in block.lines]


def names(lines: Sequence[str]) -> list[str]:
    return [line.split("\t")[2] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    numbers = itertools.count()
    root = tmp_path_factory.mktemp("reading")

    def fresh() -> Path:
        path = root / str(next(numbers))
        path.mkdir()
        return path

    return fresh


@pytest.fixture(params=["csi", "tbi", "bcf"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(tmp_path: Path, kind: str) -> Path:
    return indexed(TEXT, tmp_path, kind)


# --- what regions mean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1", ["telomere", "short", "long", "deletion", "backwards", "far"]),
        ("chr1:0-4", ["telomere"]),
        ("chr1:1-4", []),
        ("chr1:5", ["short"]),
        ("chr1:18", ["long", "deletion"]),
        ("chr1:19-39", ["deletion"]),
        ("chr1:40-40", ["deletion"]),
        ("chr1:13", ["long", "deletion", "backwards"]),
        ("chr1:41-", ["far"]),
        ("chr1:70000-,chr1:5", ["short", "far"]),
        ("chr1:18,chr1:8,chr1:17-20", ["long", "deletion"]),
        ("chr2,chr1:5", ["second", "short"]),
        (
            "{chr2}:5,{chr1}",
            ["second", "telomere", "short", "long", "deletion", "backwards", "far"],
        ),
        ("HLA:01:02", ["colons"]),
        ("HLA:01:02:5", ["colons"]),
        ("{HLA:01:02}:1-4", []),
        ("empty", []),
        ("chr1:5,,", ["short"]),
    ],
)
def test_regions_choose_the_records_that_overlap(
    source: Path, text: str, expected: list[str]
) -> None:
    assert names(read(source, parse_regions(text))) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "{chr1", "chr1}", "chr1:9-5", "chr1:-5", "chr1:x", "chr1:1e3", "chr1:5-9-12"]
)
def test_malformed_regions_are_refused(tmp_path: Path, text: str) -> None:
    source = indexed(TEXT, tmp_path, "csi")
    with pytest.raises(ConfigError, match=r"^-r: .*expected CHR"):
        read(source, parse_regions(text))


def test_a_region_with_two_readings_is_refused(tmp_path: Path) -> None:
    text = TEXT.replace("chr2", "chr1:5")
    source = indexed(text, tmp_path, "csi")
    with pytest.raises(ConfigError, match=r"chr1 and chr1:5.*\{chr1:5\}"):
        read(source, parse_regions("chr1:5"))
    assert names(read(source, parse_regions("{chr1:5}"))) == ["second"]
    assert names(read(source, parse_regions("{chr1}:5"))) == ["short"]


def test_a_contig_that_the_file_has_not_is_told_with_its_alias(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    regions = parse_regions("2,chr1:5")
    with VcfReader(source, regions=regions) as reader:
        assert reader.count() == 1
    assert caplog.text == ""
    assert names(read(source, regions)) == ["short"]
    (told,) = caplog.messages
    assert "has no record on 2 (it has: chr1, chr2" in told
    assert told.endswith("its name for 2 is chr2")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("r.bed", "chr1\t4\t5\nchr2\t0\t4\n", ["short"]),
        ("r.BED", "track name=x\nbrowser position\n#c\nchr1\t4\t5\tname\t0\t+\r\n\n", ["short"]),
        ("r.bed.gz", "chr1\t4\t5\n", ["short"]),
        ("r.bed", "chr1\t4\t4\n", []),
        ("r.txt", "#CHROM\tPOS\nchr2\t5\nchr1\t5\n", ["second", "short"]),
        ("r.tsv.gz", "chr1\t41\t70000\n", ["far"]),
        ("r.txt", "chr1\t5\tname\n", ["short"]),
        ("r.vcf", TEXT.replace("chr1\t0\t", "chr1\t1\t"), None),
        ("r.txt", "HLA:01:02\t1\t9\n", ["colons"]),
    ],
)
def test_files_of_regions(
    tmp_path: Path, name: str, content: str, expected: list[str] | None
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    found = names(read(indexed(TEXT, tmp_path, "csi"), read_regions(path)))
    assert found == (names(RECORDS[1:]) if expected is None else expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.bed", "", "the file is empty"),
        ("r.bed", "#\n", "holds no region"),
        ("r.bed", "chr1\t4\n", r"r\.bed:1: .* contig, start and end"),
        ("r.bed", "chr1\t9\t4\n", "is no region"),
        ("r.bed", "chr1 4 9\n", "is no region"),
        ("r.txt", "chr1\t4\nchr1\n", r"r\.txt:2: .* contig, position"),
        ("r.txt", "chr1\t9\t4\n", "is no region"),
        ("r.txt", "chr1:5-9\n", "is no region"),
        ("r.txt", "\t5\n", "is no region"),
        ("r.txt", "chr1\t-5\n", "is no region"),
    ],
)
def test_malformed_files_of_regions(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_regions(tmp_path / name)


@given(
    parts=st.lists(st.tuples(st.integers(-1, 20), st.integers(-1, 20)), max_size=5),
    start=st.integers(-1, 20),
    size=st.integers(1, 5),
)
def test_intervals_are_sets_of_bases(parts: list[tuple[int, int]], start: int, size: int) -> None:
    bases = {base for first, end in parts for base in range(first, end)}
    intervals = Intervals(parts)
    assert {base for first, end in intervals.parts for base in range(first, end)} == bases
    assert intervals.meet(start, start + size) == bool(bases & set(range(start, start + size)))


# --- any records, any regions

PLACES = st.integers(1, 50) | st.integers(1, 300_000)


@st.composite
def sorted_records(draw: st.DrawFn) -> list[str]:
    records = []
    for contig in ("chr1", "chr2"):
        for number, position in enumerate(sorted(draw(st.lists(PLACES, max_size=12)))):
            ref = "A" * draw(st.integers(1, 1) | st.integers(1, 40))
            # Where END is before REF's end, versions of bcftools differ.
            end = position + len(ref) - 1 + draw(st.integers(0, 60) | st.integers(0, 200_000))
            alt, info = draw(st.sampled_from([("C", "DP=3"), ("<DEL>", f"DP=3;END={end}")]))
            records.append(f"{contig}\t{position}\tr{number}\t{ref}\t{alt}\t.\tPASS\t{info}")
    return records


@st.composite
def regions(draw: st.DrawFn) -> str:
    contig, start = draw(st.sampled_from(("chr1", "chr2"))), draw(PLACES)
    end = start + draw(st.integers(0, 50) | st.integers(0, 100_000))
    forms = (contig, f"{contig}:{start}", f"{contig}:{start}-", f"{contig}:{start}-{end}")
    return draw(st.sampled_from((*forms, forms[3], forms[3])))


def slow_choice(records: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Each record that overlaps any region, looked at one by one."""
    asked = [reading[0] for reading in parse_regions(",".join(texts)).asked]
    chosen = []
    for contig in dict.fromkeys(region.contig for region in asked):
        for record in records:
            fields = record.split("\t")
            start = int(fields[1]) - 1
            end = int(record.split("END=")[1]) if "END=" in record else start + len(fields[3])
            if fields[0] == contig and any(
                region.contig == contig and start < region.end and end > region.start
                for region in asked
            ):
                chosen.append(record)
    return chosen


@settings(max_examples=20)
@given(
    records=sorted_records(),
    texts=st.lists(regions(), min_size=1, max_size=6),
    kind=st.sampled_from(("csi", "tbi", "bcf")),
)
def test_regions_are_those_of_a_slow_search_and_of_bcftools(
    folder: Callable[[], Path], records: list[str], texts: list[str], kind: str
) -> None:
    path = indexed(HEADER + "".join(f"{r}\n" for r in records), folder(), kind)
    found = read(path, parse_regions(",".join(texts)))
    assert found == slow_choice(records, texts)
    if shutil.which("bcftools"):
        theirs = bcftools("view", "--no-version", "-H", "-r", ",".join(texts), path)
        assert found == theirs.splitlines()


@settings(max_examples=8)
@given(
    rows=st.lists(st.tuples(st.sampled_from(("chr1", "chr2")), PLACES, st.integers(0, 90_000))),
    suffix=st.sampled_from((".bed", ".txt")),
)
@needs_bcftools
def test_files_of_regions_are_read_as_bcftools_reads_them(
    folder: Callable[[], Path], rows: list[tuple[str, int, int]], suffix: str
) -> None:
    here = folder()
    path = indexed(TEXT.replace("chr1\t0\t", "chr1\t1\t"), here, "tbi")
    table = here / f"regions{suffix}"
    lines = [f"{contig}\t{start}\t{start + size}" for contig, start, size in rows]
    table.write_text("\n".join(["#comment", *lines, "chr1\t12\t13"]) + "\n")
    theirs = bcftools("view", "--no-version", "-H", "-R", table, path)
    assert read(path, read_regions(table)) == theirs.splitlines()


def test_lines_come_as_they_stand_and_from_many_blocks(tmp_path: Path) -> None:
    lines = [
        f"chr1\t{position}\tr\xe9\t{'ACGT'[position % 4]}\tC\t1.50\tPASS\tDP=0{position}"
        for position in range(1, 20_001)
    ]
    raw = (HEADER + "".join(f"{line}\n" for line in lines)).replace("\n", "\r\n")
    path = bgzip(raw.encode("latin-1"), tmp_path / "in.vcf.gz")
    index_variants(path)
    found = read(path, parse_regions("chr1:19990-,chr1:10000-10001,chr1:16384-16385"))
    numbers = [10000, 10001, 16384, 16385, *range(19990, 20001)]
    expected = [f"{lines[number - 1]}\r".encode("latin-1") for number in numbers]
    assert [line.encode("utf-8", "surrogateescape") for line in found] == expected


def test_records_of_regions_are_numbered_as_such(source: Path) -> None:
    with VcfReader(source, regions=parse_regions("chr2")) as reader:
        (block,) = reader.blocks()
    assert block.locate(0) == f"{source}: in the regions, record 1"


# --- indexes that are none


def test_regions_need_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = parse_regions("chr1")
    plain = tmp_path / "in.vcf"
    plain.write_text(TEXT)
    packed = tmp_path / "in.vcf.gz"
    for path, data, message in (
        (plain, TEXT.encode(), "not compressed by bgzip, .*view -Oz -o .*bcftools index"),
        (packed, gzip.compress(TEXT.encode()), "gzip, but not bgzip.*view -Oz .*bcftools index"),
        (bgzip(TEXT, tmp_path / "x"), None, r"has no index.*bcftools index .*tabix -p vcf"),
        (tmp_path / "absent", None, "no such file"),
        (tmp_path, None, "is a folder"),
    ):
        if data:
            path.write_bytes(data)
        with pytest.raises(VcfError, match=message):
            read(path, every)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VcfError, match="is a pipe"):
        read(tmp_path / "pipe", every)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    with pytest.raises(VcfError, match=r"standard input: has no index.*bcftools view -t"):
        read("-", every)


def test_an_index_that_is_damaged_is_told(source: Path) -> None:
    (index,) = source.parent.glob("in.*i")
    whole = index.read_bytes()
    text = gzip.decompress(whole)
    cut = [gzip.compress(text[:size]) for size in (0, 3, 9, 20, len(text) // 2)]
    for data in (b"", b"junk", whole[:-40], *cut, gzip.compress(b"BAI\1" + text[4:])):
        index.write_bytes(data)
        with pytest.raises(VcfError, match=rf"{index.name}: is no index .*bcftools index -f"):
            read(source, parse_regions("chr1"))


def test_the_index_of_another_file_is_told(tmp_path: Path, kind: str) -> None:
    every = "chr1,chr2,{HLA:01:02}"
    source = indexed(TEXT, tmp_path, kind)
    (index,) = tmp_path.glob("in.*i")
    data = index.read_bytes()
    more = TEXT.replace("HLA:01:02\t5\t", "HLA:01:02\t4\tnew\tG\tT\t.\t.\t.\nHLA:01:02\t5\t")
    shifted = TEXT.replace("telomere", "t" * 3000)
    fewer = "".join(TEXT.splitlines(keepends=True)[:-3])
    long = HEADER + "".join(f"chr1\t{i}\tr{i}\tA\tC\t.\tPASS\tDP={i}\n" for i in range(1, 9000))
    for other in (more, shifted, fewer, long, HEADER):
        indexed(other, tmp_path, kind)
        index.write_bytes(data)
        with pytest.raises(VcfError, match=r"in\.\S+: .*(does not fit it|htslib cannot)"):
            read(source, parse_regions(every))
    indexed(HEADER, tmp_path, kind)
    data = index.read_bytes()
    assert read(source, parse_regions(every)) == []
    indexed(TEXT, tmp_path, kind)
    index.write_bytes(data)
    with pytest.raises(VcfError, match="it knows none"):
        read(source, parse_regions("chr1"))


def test_an_index_that_is_older_is_warned_of(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (index,) = source.parent.glob("in.*i")
    os.utime(index, (1, 1))
    assert names(read(source, parse_regions("chr2"))) == ["second"]
    assert caplog.messages == [f"{index} is older than {source}"]


def test_a_damaged_file_is_found_out_by_way_of_its_index(tmp_path: Path) -> None:
    source = indexed(TEXT, tmp_path, "csi")
    data = source.read_bytes()
    source.write_bytes(data[:-28])
    with pytest.raises(VcfError, match="no end marker"):
        read(source, parse_regions("chr1"))
    for place in range(0, len(data) - 28, 7):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        source.write_bytes(flipped)
        try:
            assert names(read(source, parse_regions("chr2"))) == ["second"]
        except VcfError:
            continue


def test_a_malformed_record_of_a_region_is_told(tmp_path: Path) -> None:
    source = indexed(TEXT.replace("short\tA\tC", "short\tA\t"), tmp_path, "csi")
    with pytest.raises(VcfError, match="in the regions, record 2: ALT is empty"):
        read(source, parse_regions("chr1"))


# --- records by number


def packed(folder: Path, how: str) -> Path:
    blanks = TEXT.replace("\nchr2", "\n\n  \nchr2")
    if how == "bcf":
        return write_bcf(TEXT, folder / "in.bcf")
    path = folder / "in.vcf"
    path.write_bytes({"gzip": gzip.compress}.get(how, bytes)(blanks.encode()))
    return bgzip(blanks, path) if how == "bgzip" else path


@pytest.mark.parametrize("how", ["plain", "gzip", "bgzip", "bcf"])
def test_shards_are_the_whole(tmp_path: Path, how: str) -> None:
    path = packed(tmp_path, how)
    whole = read(path)
    assert names(whole) == names(RECORDS)
    with VcfReader(path) as reader:
        total = reader.count()
    assert total == len(whole)
    for shards in (1, 2, 3, 8, 11):
        ends = [total * shard // shards for shard in range(shards + 1)]
        parts = [read(path, first=a, stop=b) for a, b in itertools.pairwise(ends)]
        assert [line for part in parts for line in part] == whole
    assert read(path, first=3) == whole[3:]
    assert read(path, first=total) == read(path, first=99) == read(path, first=5, stop=2) == []


@pytest.mark.parametrize("how", ["plain", "bcf"])
def test_numbers_are_those_of_the_file(tmp_path: Path, how: str) -> None:
    path = packed(tmp_path, how)
    with VcfReader(path, block_records=2) as reader:
        found = [n for block in reader.blocks(first=4, stop=7) for n in block.numbers.tolist()]
    # In the text: ten lines of header, and two blank ones before the seventh record.
    assert found == ([5, 6, 7] if how == "bcf" else [15, 16, 19])


def test_records_of_regions_are_counted_and_sharded_too(source: Path) -> None:
    regions = parse_regions("chr1,chr2")
    with VcfReader(source, regions=regions) as reader:
        assert reader.count() == 7
    assert names(read(source, regions, first=5)) == ["far", "second"]


def test_counting_needs_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    with (
        VcfReader("-") as reader,
        pytest.raises(VcfError, match="standard input: its records cannot be counted"),
    ):
        reader.count()


def test_counting_finds_what_is_cut_or_malformed(tmp_path: Path) -> None:
    path = tmp_path / "in.vcf"
    for data, message in (
        (gzip.compress(TEXT.encode())[:-9], "cut"),
        (TEXT.replace("far\t", "far").encode(), r"in\.vcf:16: 7 column\(s\)"),
        (f"{TEXT}{HEADER}".encode(), r"in\.vcf:19: a header line after the records"),
    ):
        path.write_bytes(data)
        with pytest.raises(VcfError, match=message), VcfReader(path) as reader:
            reader.count()
        with pytest.raises(VcfError, match=message):
            read(path, first=8)


def test_only_a_shard_that_holds_a_malformed_value_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "in.vcf"
    path.write_text(TEXT.replace("chr2\t5", "chr2\tfive"))
    assert len(read(path, stop=6)) == 6
    assert len(read(path, first=7)) == 1
    with pytest.raises(VcfError, match=r"in\.vcf:17: POS 'five'"):
        read(path, first=6, stop=7)


# --- making indexes


@needs_bcftools
@pytest.mark.parametrize("region", ["chr1:8-20", "chr1:60000-", "chr2", "chr1"])
def test_bcftools_reads_by_our_index(source: Path, region: str) -> None:
    theirs = bcftools("view", "--no-version", "-H", "-r", region, source).splitlines()
    ours = [line for line in read(source, parse_regions(region)) if "telomere" not in line]
    assert theirs == ours
    (index,) = source.parent.glob("in.*i")
    index.unlink()
    bcftools("index", *(["-t"] if index.suffix == ".tbi" else []), source)
    assert bcftools("view", "--no-version", "-H", "-r", region, source).splitlines() == theirs


@pytest.mark.parametrize("suffix", ["vcf.gz", "bcf"])
@pytest.mark.parametrize(
    ("records", "message"),
    [
        (["chr1 7", "chr1 5"], "chr1:5 comes after chr1:7"),
        (["chr1 7", "chr2 5", "chr1 9"], "chr1:9 comes after chr2:5"),
    ],
)
def test_a_file_that_is_not_sorted_has_no_index(
    tmp_path: Path, suffix: str, records: list[str], message: str
) -> None:
    lines = ["\t".join([*r.split(" "), ".", "A", "C", ".", ".", "."]) for r in records]
    text = HEADER + "\n".join(lines) + "\n"
    path = tmp_path / f"in.{suffix}"
    (write_bcf if suffix == "bcf" else bgzip)(text, path)
    index_path(path).write_bytes(b"older")
    with pytest.raises(VcfError, match=f"not sorted.*{message}.*bcftools sort"):
        index_variants(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.csi"]
    assert index_path(path).read_bytes() == b"older"


def test_what_a_tbi_cannot_hold(tmp_path: Path) -> None:
    path = bgzip(TEXT.replace("chr1\t70000", "chr1\t600000000"), tmp_path / "in.vcf.gz")
    with pytest.raises(VcfError, match=r"a TBI has no place for chr1:600000000; .*csi"):
        index_variants(path, "tbi")
    index_variants(path, "csi")
    assert names(read(path, parse_regions("chr1:550000000-"))) == ["far"]
    path = bgzip(TEXT.replace("chr1\t70000", "chr1\t" + "9" * 17), path)
    with pytest.raises(VcfError, match="htslib can make no index"):
        index_variants(path)


def test_outputs_that_can_have_no_index_are_refused_before_any_work(tmp_path: Path) -> None:
    for target, output, kind, message in (
        ("-", "z", "csi", "only a file"),
        ("/dev/null", "z", "csi", "only a file"),
        (tmp_path / "o.vcf", "v", "csi", "not compressed"),
        (tmp_path / "o.bcf", "u", "csi", "not compressed"),
        (tmp_path / "o.bcf", "b", "tbi", "a BCF can have no TBI"),
        (tmp_path / "o.vcf.gz", "z", "bai", "is no index; expected csi or tbi"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_indexable(target, output, kind)
    for output, kind in (("z", "csi"), ("z", "tbi"), ("b", "csi")):
        check_indexable(tmp_path / "out", output, kind)
    with pytest.raises(ConfigError, match="a BCF can have no TBI"):
        index_variants(write_bcf(TEXT, tmp_path / "in.bcf"), "tbi")


def test_the_index_of_an_earlier_file_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = bgzip(TEXT, tmp_path / "in.vcf.gz")
    index_path(path, "tbi").write_bytes(b"")
    os.utime(index_path(path, "tbi"), (1, 1))
    assert index_variants(path) == index_path(path)
    assert caplog.messages == [f"{path}.tbi is the index of an earlier file: remove it"]


@needs_bcftools
@pytest.mark.parametrize("kind", ["b", "u"])
def test_a_bcf_neither_loses_nor_gains_an_end(tmp_path: Path, kind: str) -> None:
    text = TEXT.replace("\tPASS\tDP=5", "\tPASS\tDP=5;END=9")
    text = text.replace("\tG\tT\t.\tPASS\tDP=6", "\tG\t<DEL>,<*>\t.\tPASS\tDP=6")
    source, target = tmp_path / "in.vcf", tmp_path / "out.bcf"
    source.write_text(text)
    with VcfReader(source) as reader, open_vcf(target, reader.header.lines, kind=kind) as writer:
        for block in reader.blocks():
            writer.write(block.lines)
    assert bcftools("view", "--no-version", target) == text
    assert bcftools("view", "--no-version", source) == text


# --- files that only look like VCF


def test_a_bcf_may_hold_any_bytes_and_empty_strings(tmp_path: Path) -> None:
    samples = TEXT.replace("INFO\n", "INFO\tFORMAT\tS\tT\n").replace(
        "chr1\t70000\tfar", "chr1\t9\tcaf\xe9"
    )
    head, *records = samples.split("\nchr", 1)
    head = head.replace("#CHROM", '##FORMAT=<ID=X,Number=.,Type=String,Description="\xe9">\n#CHROM')
    head = head.replace("#CHROM", '##FORMAT=<ID=Y,Number=1,Type=Integer,Description="y">\n#CHROM')
    text = head + "\nchr" + records[0].replace("\n", "\tX:Y\t:3\ta:4\n")
    path = write_bcf(text.encode("latin-1"), tmp_path / "in.bcf")
    with VcfReader(path) as reader:
        lines = [*reader.header.lines, *(x for block in reader.blocks() for x in block.lines)]
    found = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
    assert found == text.encode("latin-1")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TEXT.encode("utf-16-le"), "is UTF-16 text"),
        (TEXT.encode("utf-16-be"), "is UTF-16 text"),
        (TEXT.replace("\n", "\r").encode(), r"end in a carriage return and no line feed.*tr '\\r'"),
    ],
)
def test_texts_of_another_kind(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "in.vcf").write_bytes(data)
    with pytest.raises(VcfError, match=message):
        read(tmp_path / "in.vcf")


@pytest.mark.parametrize("line", ["\t" * 7, "\u00a0", "\u3000\u2028"])
def test_a_line_of_tabs_or_strange_spaces_is_not_blank(tmp_path: Path, line: str) -> None:
    (tmp_path / "in.vcf").write_text(f"{TEXT}{line}\n")
    with pytest.raises(VcfError, match=r"in\.vcf:19: "):
        read(tmp_path / "in.vcf")
    (tmp_path / "in.vcf").write_bytes(f"{TEXT} \r\n\v\n\f\n".encode())
    assert len(read(tmp_path / "in.vcf")) == len(RECORDS)


def test_a_bcf_whose_header_is_damaged(tmp_path: Path) -> None:
    raw = gzip.decompress(write_bcf(TEXT, tmp_path / "in.bcf").read_bytes())
    (tmp_path / "in.bcf").write_bytes(raw.replace(b"##fileformat=VCF", b"##fileformat=XCF", 1))
    with pytest.raises(VcfError, match="expected a first line ##fileformat=VCF"):
        read(tmp_path / "in.bcf")


@settings(max_examples=40)
@given(data=st.data())
def test_a_raw_bcf_with_any_bytes_is_read_or_refused(
    folder: Callable[[], Path], data: st.DataObject
) -> None:
    # Without compression there is no checksum: what is read may be wrong, but nothing breaks.
    path = folder() / "in.bcf"
    raw = bytearray(gzip.decompress(write_bcf(TEXT, path).read_bytes()))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(1, len(raw)))])
    with contextlib.suppress(SeqcnnError):
        read(path)


# --- the command, and bcftools as its reader


def without_scores(text: str) -> list[str]:
    """Records without seqcnn's fields."""
    records = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    for fields in records:
        kept = [item for item in fields[7].split(";") if not item.startswith("SEQCNN_")]
        fields[7] = ";".join(kept) or "."
    return ["\t".join(fields) for fields in records]


@st.composite
def any_records(draw: st.DrawFn) -> list[str]:
    """Records of every sort but symbolic ones, with what no header declares."""
    lines = []
    alleles = st.text("ACGTN", min_size=1, max_size=4) | st.sampled_from(["*", "R"])
    for _ in range(draw(st.integers(0, 4))):
        contig = draw(st.sampled_from(["chr1", "2", "chrUn", "chr5"]))
        alts = draw(st.lists(alleles, min_size=1, max_size=3)) if draw(st.booleans()) else ["."]
        lines.append(
            "\t".join(
                [
                    *(contig, str(draw(st.integers(1, 7000))), draw(st.sampled_from([".", "a;b"]))),
                    *(draw(st.text("ACGTN", min_size=1, max_size=4)), ",".join(alts)),
                    draw(st.sampled_from([".", "3.5", "1e-07"])),
                    draw(st.sampled_from([".", "PASS", "q10", "q10;low"])),
                    draw(st.sampled_from([".", "DP=3", "X=1,2;FLAG", "SEQCNN_DELTA=5;DP=1"])),
                    *("GT:XX", draw(st.sampled_from(["0/1:.", "./.", "0|0:a"]))),
                ]
            )
        )
    return lines


@needs_bcftools
@settings(max_examples=10)
@given(records=any_records())
def test_bcftools_reads_what_the_command_writes(
    world: World, model: Path, folder: Callable[[], Path], records: list[str]
) -> None:
    here = folder()
    source = here / "in.vcf"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1"
    source.write_text("\n".join(["##fileformat=VCFv4.3", columns, *records]) + "\n")
    words = ["score-variants", "-m", model, "--fasta", world.genome, source, "-q"]
    expected = without_scores(bcftools("view", "--no-version", source))
    for kind in "vzbu":
        out = here / f"out.{kind}"
        seqcnn(*words, "-O", kind, "-o", out)
        command = ["bcftools", "view", "--no-version", str(out)]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        assert without_scores(result.stdout) == expected
        assert "SEQCNN" not in result.stderr


def test_the_command_tells_what_is_wrong_with_a_file(
    world: World, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    words = ["score-variants", "-m", model, "--fasta", world.genome]
    for data, needle in (
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.replace("\n", "\r").encode(), "carriage return"),
        (TEXT.replace("chr1\t5", "chr1\t1e4").encode(), "POS '1e4'"),
    ):
        (tmp_path / "in.vcf").write_bytes(data)
        assert needle in refused(tmp_path, *words, tmp_path / "in.vcf", "-o", tmp_path / "o.vcf")


def test_a_whole_contig_begins_before_its_first_base() -> None:
    assert parse_regions("chr1").asked == ((Region("chr1"),),)
    assert Region("chr1").start == -1
