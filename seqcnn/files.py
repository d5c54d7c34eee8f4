"""Opening what a user names, and writing so that nothing half-written is ever left.

Compression is detected from the first bytes, never from the name. Text is UTF-8, with or
without a byte-order mark, with any line ending.
"""

import contextlib
import gzip
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from seqcnn.errors import ConfigError, InputError, SeqcnnError

__all__ = [
    "BGZF_END",
    "check_file",
    "check_output",
    "check_readable",
    "compression",
    "is_stream",
    "lacks_bgzf_end",
    "numbered_lines",
    "open_binary",
    "read_bytes",
    "replace_directory",
    "sha256",
    "standard_input_file",
    "whole_directory",
    "whole_file",
]

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends a whole bgzip file."""

_FOREIGN = {
    rb"BZh[1-9]1AY&SY": ("is compressed with bzip2", "decompress it: bunzip2"),
    rb"\xfd7zXZ\x00": ("is compressed with xz", "decompress it: unxz"),
    rb"\x28\xb5\x2f\xfd": ("is compressed with zstd", "decompress it: unzstd"),
    rb"PK\x03\x04": ("is a zip file, or a spreadsheet", "unzip it, or export it as text"),
    rb"\x43\x27\x41\x1a": ("is a genome in UCSC's 2bit", "convert it: twoBitToFa"),
    rb"\xff\xfe|\xfe\xff": ("is text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    rb"PAR1": ("is a Parquet table", "give it as --table, or export it as text"),
}
"""How other formats begin, what to call them, and what to do."""

_NOT_TEXT = re.compile("[\0\udc80-\udcff]")
"""A zero byte, or a byte that is no UTF-8 (as `surrogateescape` decodes it)."""


def check_readable(path: Path, error: type[InputError]) -> None:
    """Refuse a path that is no readable, non-empty file.

    Raises
    ------
    InputError
        Of the class given, when the file is absent, a folder, unreadable or empty.
    """
    try:
        exists = path.exists()
    except OSError:  # a name that is too long, or a folder that is closed
        exists = False
    if not exists:
        raise error(path, "no such file", expected="a file", remedy="check the path")
    if path.is_dir():
        raise error(path, "is a folder", expected="a file", remedy="name a file in it")
    if not os.access(path, os.R_OK):
        raise error(path, "cannot be read", expected="a file", remedy="check its permissions")
    if path.is_file() and path.stat().st_size == 0:
        raise error(path, "the file is empty", expected="data", remedy="check how it was made")


def check_file(path: Path, error: type[InputError]) -> None:
    """Refuse a path that cannot be read more than once from its beginning.

    Raises
    ------
    InputError
        Of the class given, as `check_readable`, and for a pipe or a device.
    """
    check_readable(path, error)
    if is_stream(path):
        raise error(
            path,
            "is a pipe or a device, which can be read only once",
            expected="a file",
            remedy="write it to a file first",
        )


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
        handle.seek(max(0, size - len(BGZF_END)))
        return handle.read() != BGZF_END


@contextlib.contextmanager
def open_binary(path: Path, error: type[InputError]) -> Iterator[IO[bytes]]:
    """Open a file to read its bytes, decompressed.

    Raises
    ------
    InputError
        Of the class given, when the file is absent, empty, cut, damaged, or of a foreign format,
        also while it is read within the block.
    """
    check_file(path, error)
    try:
        kind = compression(path)
        with path.open("rb") if kind == "plain" else gzip.open(path, "rb") as handle:
            if kind == "plain":
                _refuse_foreign(path, handle.read(16), error)
                handle.seek(0)
            elif kind == "bgzip" and lacks_bgzf_end(path):
                raise EOFError("a bgzip file without its end marker")
            yield cast("IO[bytes]", handle)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise error(
            path,
            f"the compressed file is cut or damaged ({problem})",
            expected="a whole gzip or bgzip file",
            remedy="copy or make it again",
        ) from problem
    except OSError as problem:
        raise error(
            path,
            f"cannot be read ({problem.strerror or problem})",
            expected="a file",
            remedy="check the disk and the permissions",
        ) from problem


def _refuse_foreign(path: Path, head: bytes, error: type[InputError]) -> None:
    for pattern, (found, remedy) in _FOREIGN.items():
        if re.match(pattern, head):
            raise error(path, found, expected="text, plain, gzip or bgzip", remedy=remedy)


def read_bytes(path: Path, error: type[InputError]) -> bytes:
    """Read a whole file, decompressed.

    Raises
    ------
    InputError
        Of the class given, as `open_binary`.
    """
    with open_binary(path, error) as handle:
        return handle.read()


def numbered_lines(path: Path, error: type[InputError]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its ending) of a text file.

    Raises
    ------
    InputError
        Of the class given, as `open_binary`, and with the line, for bytes that are no text.
    """
    with open_binary(path, error) as handle:
        text = io.TextIOWrapper(handle, encoding="utf-8-sig", errors="surrogateescape")
        for number, line in enumerate(text, start=1):
            wrong = _NOT_TEXT.search(line)
            if wrong:
                raise _no_text(f"{path}:{number}", ord(wrong[0]) & 0xFF, error)
            yield number, line.rstrip("\r\n")


def _no_text(where: str, byte: int, error: type[InputError]) -> InputError:
    return error(
        where,
        f"the byte 0x{byte:02x}, which is no text in UTF-8",
        expected="a text file, plain, gzip or bgzip",
        remedy="a binary file? name another; other text? convert it: iconv -f LATIN1 -t UTF-8",
    )


@contextlib.contextmanager
def standard_input_file(path: Path) -> Iterator[Path]:
    """Give `path`, or for ``-`` or a pipe a temporary file that holds what comes through it.

    Messages name standard input, or the pipe, and not the temporary file.
    """
    if str(path) != "-":
        check_readable(path, InputError)
    if str(path) != "-" and not is_stream(path):
        yield path
        return
    name = "standard input" if str(path) == "-" else str(path)
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        copy = Path(folder) / "input"
        with copy.open("wb") as handle, contextlib.ExitStack() as stack:
            given = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
            shutil.copyfileobj(given, handle)
        try:
            check_readable(copy, InputError)
            yield copy
        except SeqcnnError as problem:
            problem.where = problem.where.replace(str(copy), name)
            raise


def sha256(path: Path) -> str:
    """Digest a file as it stands on the disk."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_output(
    path: Path, *, force: bool, inputs: Iterable[Path] = (), made: Collection[str] | None = None
) -> None:
    """Refuse, before any work, an output that cannot or must not be written.

    Parameters
    ----------
    path
        A file; or, where `made` is given, a folder.
    force
        Whether an earlier output may be replaced.
    inputs
        Files that are read, or written by the same command.
    made
        Names of all that the folder will hold. One that holds anything else is never replaced.

    A device or a named pipe is always written to.

    Raises
    ------
    ConfigError
        When the path is an input or holds one, exists and may not be replaced, is of the wrong
        kind, or is in a folder that is absent or closed to writing.
    """
    if is_stream(path):
        return
    real = path.resolve()
    for other in (each.resolve() for each in inputs):
        if other == real or (made is not None and other.is_relative_to(real)):
            found = "is" if other == real else f"holds {other.name},"
            raise ConfigError(
                path, f"{found} another file of this command", remedy="give another name"
            )
    if made is None:
        _check_file_output(path, force=force)
    else:
        _check_folder_output(path, force=force, made=made)
    if not real.parent.is_dir():
        raise ConfigError(path, f"there is no folder {path.parent}", remedy="make it first")
    if not os.access(real.parent, os.W_OK):
        raise ConfigError(
            path, f"the folder {path.parent} is closed to writing", remedy="choose another"
        )


def _check_file_output(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise ConfigError(path, "is a folder", expected="the name of a file to write")
    if path.exists() and not force:
        raise ConfigError(path, "exists already", remedy="give another name, or --force")


def _check_folder_output(path: Path, *, force: bool, made: Collection[str]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise ConfigError(path, "is a file", expected="the name of a folder to make")
    present = sorted(item.name for item in path.iterdir())
    if present and not force:
        raise ConfigError(path, "exists already", remedy="give another name, or --force")
    foreign = [name for name in present if name not in made]
    if foreign:
        raise ConfigError(
            path,
            f"holds {foreign[0]!r}, which this command does not write",
            expected="an earlier output",
            remedy="give another name, or remove it yourself",
        )


def is_stream(path: Path) -> bool:
    """Tell whether a path is a device or a named pipe: written to, never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; rename it to `path` when the block ends well.

    A device or a named pipe is written to as it is.

    Raises
    ------
    ConfigError
        When nothing can be written there.
    """
    if is_stream(path):
        yield path
        return
    path = path.resolve()
    with _refusing(path):
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".partial"
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
    """Give a folder beside `path` to fill; it replaces `path` when the block ends well.

    Raises
    ------
    ConfigError
        When nothing can be written there.
    """
    path = path.resolve()
    with _refusing(path):
        partial = Path(
            tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        )
    try:
        yield partial
        replace_directory(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_directory(partial: Path, path: Path) -> None:
    """Give a folder the name of another, which is removed; it stays where that fails."""
    earlier = partial.with_name(f".{partial.name}.earlier")
    try:
        partial.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(earlier, ignore_errors=True)
            path.replace(earlier)
        partial.replace(path)
    except BaseException:
        if earlier.exists() and not path.exists():
            earlier.replace(path)
        raise
    finally:
        shutil.rmtree(earlier, ignore_errors=True)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say which output cannot be made, not which temporary file."""
    try:
        yield
    except OSError as problem:
        raise ConfigError(
            path, f"cannot be written ({problem.strerror or problem})", remedy="choose another name"
        ) from problem


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
