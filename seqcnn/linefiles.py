"""Files of text lines that are written for long: whole under their name, or not there at all.

Until a file is whole it has the name ``NAME.partial`` beside its target. What was written up to
a mark can be continued by a later process. Packed text is bgzip, cut anew at each mark, so that
the same lines and marks give the same bytes.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from seqcnn.errors import ConfigError, SeqcnnError
from seqcnn.files import BGZF_END, is_stream, whole_file

__all__ = ["Finish", "LineFile", "is_interruption", "partial_path", "write_lines"]

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
        Bytes of an earlier, partial file that are kept, as `mark` gave them; None begins anew.

    Attributes
    ----------
    keep
        Whether the partial file stays when the ``with`` block is interrupted.

    Raises
    ------
    ConfigError
        When nothing can be written there, or the partial file is not what was marked.
    """

    def __init__(
        self,
        target: str | Path,
        head: Sequence[str],
        *,
        packed: bool = False,
        finish: Finish | None = None,
        start: int | None = None,
    ) -> None:
        self.keep = False
        self._target, self._finish = Path(target), finish
        self._is_stream = str(target) == "-" or is_stream(self._target)
        with contextlib.ExitStack() as resources:
            self._partial = self._place(resources)
            self._stream = self._open(start, resources)
            self._resources = resources.pop_all()
        self._sink = _Sink(self._stream, packed=packed and finish is None)
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
            stream = self._partial.open("wb" if start is None else "r+b")
        except OSError as problem:
            found = f"cannot be written ({problem.strerror or problem})"
            raise ConfigError(self._target, found, remedy="choose another name") from problem
        resources.enter_context(stream)
        if start is not None:
            _keep_bytes(stream, start, self._partial)
        return stream

    def write(self, lines: Iterable[str]) -> None:
        """Write lines, without line feed."""
        self._sink.write(lines)

    def mark(self) -> int:
        """Bring all lines to the disk; give the bytes that a later process can keep."""
        self._sink.cut()
        self._stream.flush()
        if self._partial is None:
            return 0
        os.fsync(self._stream.fileno())
        return self._stream.tell()

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
                    self._complete()
            finally:
                self._stream.flush()
                if self._partial and not (self.keep and is_interruption(error)):
                    self._partial.unlink(missing_ok=True)

    def _complete(self) -> None:
        self._sink.end()
        self._stream.flush()
        if self._partial is None:
            return
        if self._is_stream:
            self._pour(self._partial)
        else:
            self._take_name(self._partial)

    def _pour(self, spool: Path) -> None:
        with _open_stream(self._target) as stream:
            self._convert(spool, stream)

    def _take_name(self, partial: Path) -> None:
        with whole_file(self._target) as whole:
            if self._finish is None:
                partial.replace(whole)
            else:
                with whole.open("wb") as stream:
                    self._convert(partial, stream)

    def _convert(self, spool: Path, stream: BinaryIO) -> None:
        if self._finish is None:
            with spool.open("rb") as lines:
                shutil.copyfileobj(lines, stream)
        else:
            self._finish(spool, stream)


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
    """Lines into bytes, packed or not."""

    def __init__(self, stream: BinaryIO, *, packed: bool) -> None:
        self._stream, self._packed = stream, packed
        self._held = b""

    def write(self, lines: Iterable[str]) -> None:
        data = "".join([line + "\n" for line in lines]).encode("utf-8", "surrogateescape")
        if not self._packed:
            self._stream.write(data)
            return
        data = self._held + data
        whole = len(data) - len(data) % _BGZF_DATA
        for begin in range(0, whole, _BGZF_DATA):
            self._stream.write(_bgzip_block(data[begin : begin + _BGZF_DATA]))
        self._held = data[whole:]

    def cut(self) -> None:
        """End the block that is being packed."""
        if self._held:
            self._stream.write(_bgzip_block(self._held))
            self._held = b""

    def end(self) -> None:
        self.cut()
        if self._packed:
            self._stream.write(BGZF_END)


def write_lines(batches: Iterable[Iterable[str]], stream: BinaryIO, *, packed: bool) -> None:
    """Write batches of lines, as plain text or as bgzip."""
    sink = _Sink(stream, packed=packed)
    for batch in batches:
        sink.write(batch)
    sink.end()
    stream.flush()


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


def _bgzip_block(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    if len(packed) > 0xFFFF - _HEAD_AND_TAIL:
        packer = zlib.compressobj(0, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    head = BGZF_END[:16] + (len(packed) + _HEAD_AND_TAIL - 1).to_bytes(2, "little")
    tail = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return head + packed + tail
