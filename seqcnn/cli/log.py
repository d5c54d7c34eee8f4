"""Log lines: to stderr, and for a while to a file."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["log_to_file", "log_to_stderr"]

_FORMAT = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")


@contextlib.contextmanager
def log_to_stderr(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """Send log lines to stderr: warnings only, the usual ones, or all."""
    logging.getLogger("seqcnn").setLevel(logging.DEBUG if verbose else logging.INFO)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.WARNING if quiet else logging.DEBUG)
    with _handled_by(terminal):
        yield


@contextlib.contextmanager
def log_to_file(path: Path) -> Iterator[None]:
    """Send log lines to a file as well, also those that ``--quiet`` keeps from stderr."""
    with _handled_by(logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")):
        yield


@contextlib.contextmanager
def _handled_by(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger("seqcnn")
    handler.setFormatter(_FORMAT)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
