"""Files in and out: every kind of text, every kind of damage, nothing half-written."""

import contextlib
import gzip
import io
import os
import stat
import sys
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.errors import BedError, ConfigError, FastaError, InputError
from seqcnn.files import (
    check_file,
    check_output,
    check_readable,
    compression,
    is_stream,
    lacks_bgzf_end,
    numbered_lines,
    open_binary,
    read_bytes,
    sha256,
    standard_input_file,
    whole_directory,
    whole_file,
)

TEXT = b"".join(b"line %d of some text\n" % i for i in range(20000))


def bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(data)
    return path


def lines_of(path: Path) -> list[str]:
    return [line for _, line in numbered_lines(path, BedError)]


def names_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


@pytest.fixture(params=["plain", "gzip", "bgzip"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    path = tmp_path / "text.of.any.name"
    if request.param == "bgzip":
        bgzip(path, TEXT)
    else:
        path.write_bytes(TEXT if request.param == "plain" else gzip.compress(TEXT))
    return request.param, path


def test_compression_is_seen_in_the_bytes(packed: tuple[str, Path]) -> None:
    kind, path = packed
    assert compression(path) == kind
    assert read_bytes(path, InputError) == TEXT
    assert "\n".join(lines_of(path)) == TEXT.decode().rstrip()
    with open_binary(path, InputError) as handle:
        assert handle.read(4) == b"line"


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("kind", ["gzip", "bgzip"])
def test_a_cut_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "x.gz"
    whole = gzip.compress(TEXT) if kind == "gzip" else bgzip(path, TEXT).read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FastaError, match=r"x\.gz: the compressed file is cut or damaged") as caught:
        read_bytes(path, FastaError)
    assert caught.value.expected == "a whole gzip or bgzip file"
    with pytest.raises(BedError, match="cut or damaged"):
        lines_of(path)


def test_a_bgzip_file_without_its_end_marker_was_cut(tmp_path: Path) -> None:
    path = bgzip(tmp_path / "x.gz", TEXT)
    assert not lacks_bgzf_end(path)
    path.write_bytes(path.read_bytes()[:-28])
    assert lacks_bgzf_end(path)
    assert gzip.decompress(path.read_bytes()) == TEXT
    with pytest.raises(InputError, match="without its end marker"):
        read_bytes(path, InputError)


@pytest.mark.parametrize("kind", ["gzip", "bgzip"])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_read_over(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "x"
    text = TEXT[:3000]
    raw = bytearray(gzip.compress(text) if kind == "gzip" else bgzip(path, text).read_bytes())
    raw[int(share * len(raw))] ^= 1 << bit
    path.write_bytes(raw)
    read = None
    with contextlib.suppress(InputError):
        read = read_bytes(path, InputError)
    # Some bits say nothing of the text (time, system), and some that it is no gzip file at all.
    assert read in {None, text, bytes(raw)}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_ending_and_byte_order_mark(
    tmp_path: Path, ending: str, bom: str, last: bool
) -> None:
    path = tmp_path / "x"
    text = bom + ending.join(["a\tb", "", "ü c"]) + (ending if last else "")
    path.write_bytes(text.encode())
    assert list(numbered_lines(path, BedError)) == [(1, "a\tb"), (2, ""), (3, "ü c")]


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        ("é".encode("latin-1"), ":3", "0xe9"),
        (b"\0", ":3", "0x00"),
        (b"\x80", ":3", "0x80"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(
    tmp_path: Path, data: bytes, where: str, what: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"fine\nfine\nbad " + data + b"\n")
    lines = numbered_lines(path, BedError)
    assert [next(lines), next(lines)] == [(1, "fine"), (2, "fine")]
    with pytest.raises(BedError) as caught:
        next(lines)
    assert caught.value.where == f"{path}{where}"
    assert what in caught.value.found
    assert "iconv" in caught.value.remedy


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\3\4", "zip"),
        (b"\x43\x27\x41\x1a", "2bit"),
        ("text".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff\0a", "UTF-16"),
        (b"PAR1", "Parquet"),
    ],
)
def test_foreign_formats_are_named(tmp_path: Path, head: bytes, word: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(head + b"and more")
    for read in (read_bytes, lambda *given: list(numbered_lines(*given))):
        with pytest.raises(BedError, match=word) as caught:
            read(path, BedError)
        assert caught.value.expected
        assert caught.value.remedy


def test_a_contig_named_like_a_format_is_text(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"BZh1\t1\t2\n")
    assert lines_of(path) == ["BZh1\t1\t2"]


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, found in (
        (tmp_path / "absent", "no such file"),
        (empty / "below", "no such file"),
        (tmp_path / ("n" * 300), "no such file"),
        (tmp_path, "is a folder"),
        (empty, "the file is empty"),
        (pipe, "is a pipe or a device"),
        (Path(os.devnull), "is a pipe or a device"),
    ):
        for check in (check_file, read_bytes, lambda *given: list(numbered_lines(*given))):
            with pytest.raises(BedError) as caught:
                check(path, BedError)
            assert str(caught.value).startswith(f"{path}: {found}")
            assert caught.value.expected
            assert caught.value.remedy
    check_readable(pipe, BedError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        check_readable(path, InputError)


def test_sha256_is_of_the_file_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert sha256(path).startswith("ba7816bf8f01cfea")


# --- standard input --------------------------------------------------------------------------


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_becomes_a_file_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, gzip.compress(b"a\nb\n"))
    with standard_input_file(Path("-")) as path:
        assert lines_of(path) == lines_of(path) == ["a", "b"]
    assert not path.exists()


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"")
    match = r"^standard input: the file is empty"
    with pytest.raises(InputError, match=match), standard_input_file(Path("-")):
        pass


def test_errors_name_standard_input_and_not_its_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"a\n\0\n")
    match = r"^standard input:2: the byte 0x00"
    with pytest.raises(InputError, match=match), standard_input_file(Path("-")) as path:
        lines_of(path)


def test_a_named_file_is_given_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("x")
    with standard_input_file(path) as given_path:
        assert given_path == path
    absent = tmp_path / "absent"
    with pytest.raises(InputError, match="no such file"), standard_input_file(absent):
        pass


# --- output ----------------------------------------------------------------------------------


def test_a_whole_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["x"]
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def fail_in_file(path: Path, problem: type[BaseException]) -> None:
    with whole_file(path) as partial:
        partial.write_text("half")
        raise problem


def fail_in_folder(path: Path, problem: type[BaseException]) -> None:
    with whole_directory(path) as partial:
        (partial / "half").touch()
        raise problem


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path: Path, problem: type[BaseException]) -> None:
    path, folder = tmp_path / "x", tmp_path / "y"
    path.write_text("old")
    folder.mkdir()
    (folder / "kept").touch()
    for whole in (fail_in_file, fail_in_folder):
        with pytest.raises(problem):
            whole(path if whole is fail_in_file else folder, problem)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["x", "y"]
    assert names_in(folder) == ["kept"]


def test_a_whole_folder_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with whole_directory(tmp_path / "x") as made:
            (made / name).touch()
        assert names_in(tmp_path / "x") == [name]
    assert names_in(tmp_path) == ["x"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far")
    (tmp_path / "name").symlink_to(tmp_path / "far" / "file")
    with whole_file(tmp_path / "name") as partial:
        partial.write_text("x")
    assert (tmp_path / "name").is_symlink()
    with whole_directory(tmp_path / "link") as made:
        (made / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert names_in(tmp_path / "far") == ["new"]


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    device = Path(os.devnull)
    assert is_stream(device)
    check_output(device, force=False)
    with whole_file(device) as path:
        path.write_text("x")
    assert is_stream(device)
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "absent")


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    (folder / "mine").touch()
    check_output(tmp_path / "new", force=False)
    check_output(file, force=True)
    check_output(folder, force=True, made=["mine"])
    for found, path, options in (
        ("exists already", file, {"force": False}),
        ("is a folder", folder, {"force": True}),
        ("is a file", file, {"force": True, "made": ["a"]}),
        ("exists already", folder, {"force": False, "made": ["mine"]}),
        ("holds 'mine', which", folder, {"force": True, "made": ["other"]}),
        ("there is no folder", tmp_path / "absent" / "x", {"force": True}),
        ("is another file of this command", file, {"force": True, "inputs": [file]}),
        ("holds mine", folder, {"force": True, "made": ["mine"], "inputs": [folder / "mine"]}),
    ):
        with pytest.raises(ConfigError) as caught:
            check_output(path, **options)
        assert str(caught.value).startswith(f"{path}: {found}")
    absent = tmp_path / "absent" / "x"
    with pytest.raises(ConfigError, match="cannot be written"), whole_file(absent):
        pass
