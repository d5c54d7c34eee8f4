"""Opening what a user names, and writing so that nothing half-written is ever left.

Compression is detected from the first bytes, never from the name. Text is UTF-8, with or
without a byte-order mark, with any line ending.
"""

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from seqcnn.errors import ConfigError, InputError

__all__ = [
    "check_readable",
    "compression",
    "lacks_bgzf_end",
    "numbered_lines",
    "read_bytes",
    "refuse_existing",
    "sha256",
    "standard_input_file",
    "whole_directory",
    "whole_file",
]

_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def check_readable(path: Path, error: type[InputError]) -> None:
    """Refuse a path that is no readable, non-empty file.

    Raises
    ------
    InputError
        Of the class given, when the file is absent, a folder, unreadable or empty.
    """
    if not path.exists():
        raise error(path, "no such file", remedy="check the path")
    if path.is_dir():
        raise error(path, "is a folder", expected="a file")
    if not os.access(path, os.R_OK):
        raise error(path, "cannot be read", remedy="check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        raise error(path, "the file is empty", remedy="check how it was made")


def compression(path: Path) -> str:
    """Tell ``plain``, ``gzip`` or ``bgzip`` from the first bytes of a file."""
    with path.open("rb") as handle:
        head = handle.read(18)
    if head[:2] != b"\x1f\x8b":
        return "plain"
    has_block_size = len(head) == 18 and head[3] & 4 and head[12:14] == b"BC"
    return "bgzip" if has_block_size else "gzip"


def lacks_bgzf_end(path: Path) -> bool:
    """Tell whether a bgzip file lacks the empty block that marks its end, so was cut."""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - len(_BGZF_END)))
        return handle.read() != _BGZF_END


@contextlib.contextmanager
def _open_binary(path: Path, error: type[InputError]) -> Iterator[IO[bytes]]:
    check_readable(path, error)
    try:
        kind = compression(path)
        if kind == "bgzip" and lacks_bgzf_end(path):
            raise error(
                path,
                "the bgzip file has no end marker: it was cut",
                expected="a whole file",
                remedy="copy or make it again",
            )
        with path.open("rb") if kind == "plain" else gzip.open(path, "rb") as handle:
            yield cast("IO[bytes]", handle)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise error(
            path,
            f"the compressed file is cut or damaged ({problem})",
            expected="a whole gzip or bgzip file",
            remedy="copy or make it again",
        ) from problem
    except OSError as problem:
        raise error(path, f"cannot be read ({problem.strerror or problem})") from problem


def read_bytes(path: Path, error: type[InputError]) -> bytes:
    """Read a whole file, decompressed.

    Raises
    ------
    InputError
        Of the class given, when the file is absent, empty, cut or damaged.
    """
    with _open_binary(path, error) as handle:
        return handle.read()


def numbered_lines(path: Path, error: type[InputError]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its ending) of a text file.

    Raises
    ------
    InputError
        Of the class given, when the file is absent, empty, cut, damaged or not UTF-8 text.
    """
    with _open_binary(path, error) as handle:
        text = io.TextIOWrapper(handle, encoding="utf-8-sig")
        try:
            for number, line in enumerate(text, start=1):
                if "\0" in line:
                    raise error(f"{path}:{number}", "a zero byte", expected="UTF-8 text")
                yield number, line.rstrip("\r\n")
        except UnicodeDecodeError as problem:
            raise error(
                path, "is not text in UTF-8", expected="a text file, plain, gzip or bgzip"
            ) from problem


@contextlib.contextmanager
def standard_input_file(path: Path) -> Iterator[Path]:
    """Give `path`, or for ``-`` a temporary file that holds standard input."""
    if str(path) != "-":
        check_readable(path, InputError)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        copy = Path(folder) / "standard-input"
        with copy.open("wb") as handle:
            shutil.copyfileobj(sys.stdin.buffer, handle)
        check_readable(copy, InputError)
        yield copy


def sha256(path: Path) -> str:
    """Digest a file as it stands on the disk."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to write over an existing output unless that was asked for.

    Raises
    ------
    ConfigError
        When the path exists and `force` is not set, or its folder does not exist.
    """
    if path.exists() and not force:
        raise ConfigError(path, "exists already", remedy="give another name, or --force")
    if not path.absolute().parent.is_dir():
        raise ConfigError(path, f"there is no folder {path.parent}", remedy="make it first")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; rename it to `path` when the block ends well."""
    descriptor, name = tempfile.mkstemp(
        dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".partial"
    )
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` to fill; it replaces `path` when the block ends well."""
    partial = Path(
        tempfile.mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".partial")
    )
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
