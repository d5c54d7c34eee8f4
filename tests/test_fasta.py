"""FASTA in all its shapes, and its index: made, made again, shared, and never believed blindly."""

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyfaidx
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn import fasta
from seqcnn.dna import decode, encode
from seqcnn.errors import FastaError
from seqcnn.fasta import open_genome, read_fasta_records

Write = Callable[[Path, bytes], Path]


def write_plain(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def write_gzip(path: Path, data: bytes) -> Path:
    return write_plain(path, gzip.compress(data))


def write_bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(data)
    return path


WRITERS = [write_plain, write_gzip, write_bgzip]
each_kind = pytest.mark.parametrize("write", WRITERS, ids=["plain", "gzip", "bgzip"])
each_indexed = pytest.mark.parametrize("write", WRITERS[::2], ids=["plain", "bgzip"])


def spell(records: list[tuple[str, str]], *, width: int = 60, ending: str = "\n") -> bytes:
    lines = []
    for name, sequence in records:
        lines += [f">{name}"]
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    return "".join(line + ending for line in lines).encode()


def contents(path: Path) -> dict[str, str]:
    with open_genome(path) as genome:
        found = {name: decode(genome.codes(name)) for name in genome.contigs}
        assert genome.contigs == {name: len(sequence) for name, sequence in found.items()}
    return found


def read_slowly(data: bytes) -> dict[str, str]:
    """Read FASTA the obvious way."""
    parts = data.decode("utf-8-sig").replace("\r", "\n").strip().split("\n>")
    records = [part.lstrip("\n>").partition("\n") for part in parts]
    return {
        head.split()[0]: "".join(
            {**dict(zip("ACGTU", "ACGTT", strict=True))}.get(c, "N")
            for c in "".join(body.split()).upper()
        )
        for head, _, body in records
    }


def refusal(path: Path) -> FastaError:
    """Open and read it all; both ways of reading must refuse it alike."""
    with pytest.raises(FastaError) as caught:
        contents(path)
    with pytest.raises(FastaError) as other:
        read_fasta_records(path)
    assert str(caught.value) == str(other.value)
    assert caught.value.expected
    assert caught.value.remedy
    return caught.value


shapes = {
    "one line each": b">a\nACGT\n>b\nGG\n",
    "soft-masked, IUPAC, RNA": b">a x y\nACgtRYKMSWBDHVNnryk\nuU.-\n>b\nTTT\n",
    "CRLF": b">a one\r\nACGT\r\nAC\r\n>b\r\nGGGG\r\nGGGG\r\nG\r\n",
    "CR alone": b">a one\rACGT\rAC\r>b\rGGGG\r",
    "byte-order mark": b"\xef\xbb\xbf>a\nACGT\n>b\nGG\n",
    "ragged": b">a\nAC\nACGTA\nA\n>b\nGG\nGGG\n",
    "blank lines": b"\n\n>a\nACGT\n\nAC\n\n>b\n\nGG\n\n\n",
    "no last line end": b">a\nACGT\n>b\nGG",
    "blanks after '>' and at line ends": b"> a\nACGT \nACGT \n>\tb x\nGG\n",
    "blanks in the sequence": b">a\nACGT ACGT\nACGT ACGT\nAC G\n>b\nGG\n",
    "mixed line ends": b">a\r\nACGT\nACGT\r\nA\n>b\nGG\r\n",
    "long and odd names": b">" + b"n" * 300 + b" " + b"x" * 5000 + b"\nACGT\n>b|c:1-2\nGG\n",
    "accents": ">né è\nACGT\n>b\nGG\n".encode(),
    "one base": b">a\nA\n",
}


@pytest.mark.parametrize("name", ["x.fa", "x.fa.gz", "x"])
@pytest.mark.parametrize("data", shapes.values(), ids=shapes)
@each_kind
def test_every_shape(tmp_path: Path, write: Write, data: bytes, name: str) -> None:
    path = write(tmp_path / name, data)
    expected = read_slowly(data)
    for _ in range(2):  # the second time with the index that the first has left
        assert contents(path) == expected
    records = read_fasta_records(path)
    assert {key: decode(codes) for key, codes in records} == expected
    assert [key for key, _ in records] == list(expected)


@given(
    records=st.dictionaries(
        st.text(st.sampled_from("ab1|.:"), min_size=1, max_size=4),
        st.text(st.sampled_from("ACGTNacgtn"), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    ),
    width=st.integers(1, 12),
    ending=st.sampled_from(["\n", "\r\n"]),
    write=st.sampled_from(WRITERS),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    records: dict[str, str],
    width: int,
    ending: str,
    write: Write,
) -> None:
    data = spell(list(records.items()), width=width, ending=ending)
    path = write(tmp_path_factory.mktemp("fasta") / "x.fa", data)
    expected = {name: sequence.upper() for name, sequence in records.items()}
    assert contents(path) == contents(path) == expected


bad = {
    "no name": (b">\nACGT\n", "no name after '>'"),
    "no name later": (b">a\nAC\n> \nACGT\n", "no name after '>'"),
    "no sequence": (b">a\n>b\nACGT\n", "no sequence under the name"),
    "no sequence at the end": (b">a\nACGT\n>b\n", "no sequence under the name"),
    "only a name": (b">a", "no sequence under the name"),
    "protein": (b">a\nMKLVE\n", "letter 'L' at position 3"),
    "a digit": (b">a\nACGT\nAC1T\n", "letter '1' at position 7"),
    "a stray sign": (b">a\nAC>GT\nAC\n", "letter '>' at position 3"),
    "end of a DOS file": (b">a\nACGT\n\x1a", "letter '\\x1a' at position 5"),
    "accent in the sequence": (b">a\nAC\xe9T\n", "letter 'é' at position 3"),
    "two names": (b">a\nAC\n>b\nG\n>a x\nGGGG\n", "the name 'a' stands twice"),
    "no FASTA": (b"chr1\t1\t2\n", "starts with 'chr1"),
    "only blanks": (b" \n\n", "starts with ''"),
    "binary": (bytes(range(7, 200)), "starts with"),
}


@pytest.mark.parametrize(("data", "found"), bad.values(), ids=bad)
@each_kind
def test_bad_files_are_refused(tmp_path: Path, write: Write, data: bytes, found: str) -> None:
    problem = refusal(write(tmp_path / "x.fa", data))
    assert problem.where.startswith(str(tmp_path / "x.fa"))
    assert problem.found.startswith(found)


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = write_plain(tmp_path / "x.fa", ">a\nACGT\n".encode("utf-16"))
    assert "UTF-16" in refusal(path).found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@each_kind
def test_a_cut_file_is_refused(tmp_path: Path, write: Write, share: float) -> None:
    rng = np.random.default_rng(1)
    data = spell([("a", decode(rng.integers(0, 4, 200_000).astype(np.uint8)))])
    path = write(tmp_path / "x.fa", data)
    if write is write_plain:
        pytest.skip("plain text does not show that it was cut")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "cut or damaged" in refusal(path).found


def test_a_bgzip_file_that_changes_under_its_index(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = spell([("a", decode(rng.integers(0, 4, 200_000).astype(np.uint8))), ("b", "ACGT")])
    path = write_bgzip(tmp_path / "x.fa", data)
    contents(path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 16
    path.write_bytes(raw)
    os.utime(path, (1, 1))
    with open_genome(path) as genome:
        with pytest.raises(FastaError, match="a cannot be read") as caught:
            genome.codes("a")
        assert decode(genome.codes("b")) == "ACGT"
    assert caught.value.remedy.endswith("remove x.fa.fai")


@each_indexed
def test_a_file_that_changes_while_it_is_open(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "x.fa", b">a\nACGT\n>b\nGGGG\n")
    with open_genome(path) as genome:
        assert decode(genome.codes("a")) == "ACGT"
        write(path, b">a\nACGT\n>b\nGG")
        with pytest.raises(FastaError, match="b has not the 4 bases of its index; expected"):
            genome.codes("b")


def test_equal_records_are_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_plain(tmp_path / "x.fa", b">a\nACGT\n>b\nGG\n>a\nacgt\n")
    assert [name for name, _ in read_fasta_records(path)] == ["a", "b"]
    assert "1 records left out" in caplog.text
    with pytest.raises(FastaError, match="'a' stands twice"):
        open_genome(path)


def test_contigs_are_read_only_and_asked_for_by_name(tmp_path: Path) -> None:
    for write in WRITERS:
        with open_genome(write(tmp_path / "x.fa", b">a\nACGT\n")) as genome:
            codes = genome.codes("a")
            assert genome.codes("a") is codes
            with pytest.raises(ValueError, match="read-only"):
                codes[0] = 1
            with pytest.raises(FastaError, match=r"no contig 'b'; expected one of a"):
                genome.codes("b")


def test_few_contigs_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta, "_CACHE_BASES", 8)
    path = write_plain(tmp_path / "x.fa", b">a\nACGT\n>b\nGGGG\n>c\nTTTT\n>d\nAAAAAAAAAAAA\n")
    with open_genome(path) as genome:
        first = genome.codes("a")
        genome.codes("b")
        assert genome.codes("a") is first
        genome.codes("c")
        assert genome.codes("a") is first
        assert decode(genome.codes("d")) == "A" * 12
        assert genome.codes("a") is not first


# --- the index -------------------------------------------------------------------------------

TWO = spell([("a", "ACGT" * 50), ("b", "GGCC" * 30)])


def index_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.*"))


@each_indexed
def test_an_index_is_left_for_the_next_run(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "x.fa", TWO)
    expected = contents(path)
    names = [".fai"] if write is write_plain else [".fai", ".gzi"]
    assert [file.suffix for file in index_files(path)] == names
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "x.fa",
        *(f"x.fa{name}" for name in names),
    ]
    ours = [file.read_bytes() for file in index_files(path)]
    for file in index_files(path):
        file.unlink()
    pysam.faidx(str(path))
    assert [file.read_bytes() for file in index_files(path)] == ours
    monkeypatch.setattr(fasta, "_make_index", lambda *_: pytest.fail("the index was good"))
    assert contents(path) == expected
    assert capfd.readouterr() == ("", "")


@each_indexed
def test_an_index_older_than_its_fasta_is_made_again(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "x.fa", TWO)
    expected = contents(path)
    for file in index_files(path):
        os.utime(file, (1, 1))  # as git clone may leave it
    assert contents(path) == expected
    assert all(file.stat().st_mtime > 1 for file in index_files(path))


@each_indexed
def test_a_fasta_from_the_future(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "x.fa", TWO)
    os.utime(path, (4e9, 4e9))
    contents(path)
    made = [file.stat().st_mtime for file in index_files(path)]
    assert min(made) >= 4e9


others = {
    "renamed": spell([("c", "ACGT" * 50), ("b", "GGCC" * 30)]),
    "longer": spell([("a", "ACGT" * 60), ("b", "GGCC" * 30)]),
    "shorter": spell([("a", "ACGT" * 40), ("b", "GGCC" * 30)]),
    "one more": TWO + b">c\nACGT\n",
    "one less": TWO[: TWO.index(b">b")],
    "other order": spell([("b", "GGCC" * 30), ("a", "ACGT" * 50)]),
    "other width": spell([("a", "ACGT" * 50), ("b", "GGCC" * 30)], width=50),
    "other line end": spell([("a", "ACGT" * 50), ("b", "GGCC" * 30)], ending="\r\n"),
}


@pytest.mark.parametrize("other", others.values(), ids=others)
@each_indexed
def test_the_index_of_another_fasta_is_not_believed(
    tmp_path: Path, write: Write, other: bytes
) -> None:
    path = write(tmp_path / "x.fa", TWO)
    contents(path)
    write(path, other)
    os.utime(path, (1, 1))  # a copy that keeps its date, or a download
    assert contents(path) == read_slowly(other)


@pytest.mark.parametrize("junk", [b"", b"a\tb\n", b"a\t4\t3\t0\t0\n", b"\xff\0" * 20, b"a\t9\n"])
@each_indexed
def test_a_broken_index_is_made_again(tmp_path: Path, write: Write, junk: bytes) -> None:
    path = write(tmp_path / "x.fa", TWO)
    expected = contents(path)
    for file in index_files(path):
        whole = file.read_bytes()
        file.write_bytes(junk)
        assert contents(path) == expected
        assert file.read_bytes() == whole


@each_indexed
def test_a_name_that_stands_twice_is_seen_in_spite_of_an_index(
    tmp_path: Path, write: Write
) -> None:
    path = write(tmp_path / "x.fa", TWO + b">a\nTTTT\n")
    loudness = pysam.set_verbosity(0)
    pysam.faidx(str(path))  # which keeps the first of the two
    pysam.set_verbosity(loudness)
    with pytest.raises(FastaError, match="'a' stands twice"):
        open_genome(path)


@pytest.mark.parametrize("state", ["no index", "older", "broken"])
@each_indexed
def test_a_read_only_folder(
    tmp_path: Path, write: Write, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.fa", TWO)
    expected = contents(path)
    for file in index_files(path):
        if state == "no index":
            file.unlink()
        elif state == "older":
            os.utime(file, (1, 1))
        else:
            file.write_bytes(b"broken")
    before = {file: file.read_bytes() for file in index_files(path)}
    if os.geteuid() == 0:  # whom no mode holds back
        make = tempfile.mkdtemp

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        def make_elsewhere(_suffix: str | None, prefix: str, folder: Path | None) -> str:
            return make(prefix=prefix) if folder is None else refuse()

        monkeypatch.setattr(tempfile, "mkdtemp", make_elsewhere)
        monkeypatch.setattr(Path, "replace", refuse)
    tmp_path.chmod(0o555)
    try:
        assert contents(path) == expected
    finally:
        tmp_path.chmod(0o755)
    assert {file: file.read_bytes() for file in index_files(path)} == before


@each_indexed
def test_several_processes_make_the_index_at_once(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "x.fa", spell([(f"c{i}", "ACGT" * 300) for i in range(500)]))
    script = (
        "import sys\nfrom pathlib import Path\nfrom seqcnn.fasta import open_genome\n"
        "sys.stdin.readline()\n"
        "for _ in range(5):\n"
        "    with open_genome(Path(sys.argv[1])) as genome:\n"
        "        assert len(genome.contigs) == 500\n"
        "        assert all(len(genome.codes(f'c{i}')) == 1200 for i in range(0, 500, 50))\n"
        "    Path(sys.argv[1] + '.fai').unlink(missing_ok=True)\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for worker in workers:
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    said = [worker.communicate()[1].decode() for worker in workers]
    assert said == ["", "", ""]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert not list(tmp_path.glob(".seqcnn*"))


# --- real data -------------------------------------------------------------------------------


@pytest.mark.data
def test_yeast_by_index_is_yeast_as_a_whole(data_dir: Path) -> None:
    path = data_dir / "yeast/sacCer3.fa.gz"
    sizes = dict(
        line.split() for line in (data_dir / "yeast/sacCer3.chrom.sizes").read_text().splitlines()
    )
    whole = dict(read_fasta_records(path))
    with open_genome(path) as genome:
        assert {name: str(size) for name, size in genome.contigs.items()} == sizes
        for name in genome.contigs:
            np.testing.assert_array_equal(genome.codes(name), whole[name])


@pytest.mark.data
def test_names_after_a_blank_and_no_record_lost(data_dir: Path) -> None:
    for path in sorted((data_dir / "clip_rna").glob("*.test.fa.gz")):
        records = read_fasta_records(path)
        assert len(records) == 10_000
    assert all(len(codes) == 101 for _, codes in records)
    assert records[0][0].startswith("chr")


@pytest.mark.data
def test_ctcf_sequences(data_dir: Path) -> None:
    folder = data_dir / "ctcf_hg19_chr14-22"
    assert len(read_fasta_records(folder / "negtest.fa.gz")) == 11_909
    assert len(read_fasta_records(folder / "postest.fa.gz")) == 11_905  # and four stand twice


def test_the_example_genome(example_data: Path) -> None:
    path = example_data / "ecoli536.fa.gz"
    with open_genome(path) as genome:
        assert genome.contigs == {"NC_008253.1": 4_938_920}
        codes = genome.codes("NC_008253.1")
    text = gzip.decompress(path.read_bytes()).partition(b"\n")[2]
    np.testing.assert_array_equal(codes, encode(text.replace(b"\n", b"")))


@given(
    st.lists(st.text("ACGTNacgtnRY", min_size=1, max_size=90), min_size=1, max_size=4),
    st.integers(1, 30),
    st.sampled_from(["\n", "\r\n"]),
)
def test_contigs_are_those_that_pyfaidx_reads(
    sequences: list[str], width: int, ending: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genome.fa"
        lines = []
        for number, sequence in enumerate(sequences):
            lines.append(f">contig{number} described")
            lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
        path.write_bytes((ending.join(lines) + ending).encode())
        with open_genome(path) as genome, pyfaidx.Fasta(str(path)) as oracle:
            assert list(genome.contigs) == list(oracle.keys())
            for name in genome.contigs:
                assert np.array_equal(genome.codes(name), encode(str(oracle[name][:])))
