"""Files of text lines that are written for long: whole under their name, or not there at all.

Until a file is whole it has the name ``NAME.partial`` beside its target. What was written up to
a mark can be continued by a later process. Packed text is bgzip, in blocks of one size, so that
the same lines give the same bytes however they came. One process at a time writes to a target.
"""

import base64
import contextlib
import fcntl
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, NamedTuple, Self

from seqcnn.errors import ConfigError, SeqcnnError
from seqcnn.files import BGZF_END, is_stream

__all__ = [
    "Finish",
    "LineFile",
    "Mark",
    "is_interruption",
    "lock_file",
    "partial_path",
    "write_lines",
]

_BGZF_DATA = 0xFF00
_HEAD_AND_TAIL = 26

Finish = Callable[[Path, BinaryIO], None]
"""Turns a spool of plain lines into the bytes of the target."""


def is_interruption(error: BaseException | None) -> bool:
    """Tell whether a run that ends so can be continued: not well, nor by a fault of its input."""
    return error is not None and not isinstance(error, SeqcnnError)


def partial_path(target: Path) -> Path:
    """Name the file that holds what is not whole yet."""
    target = target.resolve()
    return target.with_name(f"{target.name}.partial")


def lock_file(file: IO[Any], path: Path) -> None:
    """Take a file that was opened for this process alone, until it is closed.

    Parameters
    ----------
    file
        Open, and closed here where it cannot be had.
    path
        Its path.

    Raises
    ------
    ConfigError
        When another process has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The other process may have removed or renamed it since it was opened here.
        ours = path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
    except BlockingIOError:
        ours = False
    except OSError:
        return  # a file system without locks
    if not ours:
        file.close()
        raise ConfigError(
            path,
            "is in use: another process writes the same output",
            remedy="wait for it, or give another name",
        )


class Mark(NamedTuple):
    """How far a partial file has come.

    Attributes
    ----------
    size
        Bytes of it that are on the disk.
    held
        Text that follows and does not fill a block of bgzip yet: deflated, in base64.
    """

    size: int
    held: str = ""


class LineFile:
    """Lines on their way to a file, a pipe, or standard output.

    Parameters
    ----------
    target
        A path, or ``-`` for standard output.
    head
        The first lines, without line feed.
    packed
        Write bgzip.
    finish
        What makes the target of all lines; without it they are the target.
    start
        What is kept of an earlier, partial file, as `mark` gave it; None begins anew.

    Attributes
    ----------
    keep
        Whether the partial file stays when the ``with`` block is interrupted; from the beginning
        where an earlier one is continued.

    Raises
    ------
    ConfigError
        When nothing can be written there, another process writes there, or the partial file is
        not what was marked.
    """

    def __init__(
        self,
        target: str | Path,
        head: Sequence[str],
        *,
        packed: bool = False,
        finish: Finish | None = None,
        start: Mark | None = None,
    ) -> None:
        self.keep, self._settled = start is not None, False
        self._target, self._finish = Path(target), finish
        self._is_stream = str(target) == "-" or is_stream(self._target)
        with contextlib.ExitStack() as resources:
            self._partial = self._place(resources)
            self._stream = self._open(start and start.size, resources)
            self._resources = resources.pop_all()
        held = _unpack(start.held) if start else b""
        self._sink = _Sink(self._stream, packed=packed and finish is None, held=held)
        if start is None:
            self.write(head)

    def _place(self, resources: contextlib.ExitStack) -> Path | None:
        """Choose the partial file; None where lines go straight into a stream."""
        if not self._is_stream:
            return partial_path(self._target)
        if self._finish is None:
            return None
        folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="seqcnn-"))
        return Path(folder) / "lines.partial"

    def _open(self, start: int | None, resources: contextlib.ExitStack) -> BinaryIO:
        if self._partial is None:
            return resources.enter_context(_open_stream(self._target))
        try:
            # Not emptied before it is locked: it may be another process's.
            stream = self._partial.open("ab" if start is None else "r+b")
        except FileNotFoundError as problem:
            raise _explain_absence(self._target, self._partial, start) from problem
        except OSError as problem:
            found = f"cannot be written ({problem.strerror or problem})"
            raise ConfigError(self._target, found, remedy="choose another name") from problem
        lock_file(stream, self._partial)
        resources.enter_context(stream)
        _keep_bytes(stream, start or 0, self._partial)
        return stream

    def write(self, lines: Iterable[str]) -> None:
        """Write lines, without line feed."""
        with self._naming():
            self._sink.write(lines)

    def mark(self) -> Mark:
        """Bring what is packed to the disk; tell what a later process needs to go on."""
        with self._naming():
            self._stream.flush()
            if self._partial is None:
                return Mark(0)
            os.fsync(self._stream.fileno())
            return Mark(self._stream.tell(), _pack(self._sink.held))

    def settle(self) -> None:
        """Make of the lines what is to have the target's name.

        The end of the ``with`` block then only gives the name. So of several files, each settled
        before the first has its name, none is under its name while another can still fail.
        """
        if self._settled:
            return
        with self._naming():
            self._sink.end()
            self._stream.flush()
            if self._partial and self._whole and self._finish and not self._is_stream:
                with self._whole.open("wb") as stream:
                    self._finish(self._partial, stream)
        self._settled = True

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Say in what the system finds wrong, such as a full disk, which output it is."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as problem:
            problem.filename = problem.filename or str(self._target)
            raise

    @property
    def _whole(self) -> Path | None:
        """The file that becomes the target."""
        if self._partial is None or self._finish is None:
            return self._partial
        return self._partial.with_name(f"{self._partial.name}.whole")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        with self._resources:
            try:
                if error is None:
                    self.settle()
                    self._deliver()
            finally:
                self._remove_rest(kept=self.keep and is_interruption(error))
                self._stream.flush()

    def _deliver(self) -> None:
        if self._partial is None or self._whole is None:
            return
        if self._is_stream and self._finish:
            with _open_stream(self._target) as stream:
                self._finish(self._partial, stream)
            return
        self._whole.replace(self._target.resolve())
        if self._finish is None:
            self._partial = None  # another process may take the name from now on

    def _remove_rest(self, *, kept: bool) -> None:
        """Remove what is not the target, but for a partial file to be kept."""
        if self._partial is None or self._whole is None:
            return
        if self._finish is not None:
            self._whole.unlink(missing_ok=True)
        if not kept:
            self._partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _open_stream(target: Path) -> Iterator[BinaryIO]:
    """Open standard output, a device or a named pipe."""
    if str(target) != "-":
        with target.open("wb") as stream:
            yield stream
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


class _Sink:
    """Lines into bytes, packed or not; `held` is text that does not fill a block yet."""

    def __init__(self, stream: BinaryIO, *, packed: bool, held: bytes = b"") -> None:
        self._stream, self._packed = stream, packed
        self.held = held

    def write(self, lines: Iterable[str]) -> None:
        data = "".join([line + "\n" for line in lines]).encode("utf-8", "surrogateescape")
        if not self._packed:
            self._stream.write(data)
            return
        data = self.held + data
        whole = len(data) - len(data) % _BGZF_DATA
        for begin in range(0, whole, _BGZF_DATA):
            self._stream.write(_bgzip_block(data[begin : begin + _BGZF_DATA]))
        self.held = data[whole:]

    def end(self) -> None:
        if self._packed:
            if self.held:
                self._stream.write(_bgzip_block(self.held))
            self._stream.write(BGZF_END)
            self.held = b""


def write_lines(batches: Iterable[Iterable[str]], stream: BinaryIO, *, packed: bool) -> None:
    """Write batches of lines, as plain text or as bgzip."""
    sink = _Sink(stream, packed=packed)
    for batch in batches:
        sink.write(batch)
    sink.end()
    stream.flush()


def _explain_absence(target: Path, partial: Path, start: int | None) -> ConfigError:
    if start is None:
        return ConfigError(target, f"there is no folder {target.parent}", remedy="make it first")
    return ConfigError(
        partial, "is not there any more", remedy="run without --resume to begin anew"
    )


def _keep_bytes(stream: BinaryIO, size: int, path: Path) -> None:
    """Go on after the first bytes of a partial file."""
    found = stream.seek(0, os.SEEK_END)
    if found < size:
        raise ConfigError(
            path,
            f"has {found} bytes, fewer than were marked",
            expected=f"{size} bytes",
            remedy="remove it and run without --resume",
        )
    stream.seek(size)
    stream.truncate()


def _pack(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode("ascii") if text else ""


def _unpack(held: str) -> bytes:
    return zlib.decompress(base64.b64decode(held)) if held else b""


def _bgzip_block(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    if len(packed) > 0xFFFF - _HEAD_AND_TAIL:
        packer = zlib.compressobj(0, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    head = BGZF_END[:16] + (len(packed) + _HEAD_AND_TAIL - 1).to_bytes(2, "little")
    tail = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return head + packed + tail
