"""Running commands as a user does, and what their tests share."""

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from seqcnn.cli import main

INDEX_SUFFIXES = {".fai", ".gzi"}

# A network of two detectors, trained for a moment: for tests of what stands around training.
QUICK = ("--arch", "deepbind", "--set", "detectors=2", "--set", "width=10", "--steps", "3")


def seqcnn(*words: object, stdin: str | bytes | None = None, code: int = 0) -> Result:
    """Run a command in this process and check its exit code."""
    result = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


def refused(folder: Path, *words: object, stdin: str | bytes | None = None) -> str:
    """Run a command that must be refused in one line, and leave nothing in the folder."""
    before = tree(folder)
    result = seqcnn(*words, stdin=stdin, code=1)
    lines = result.stderr.splitlines()
    errors = [line for line in lines if line.startswith("seqcnn: error: ")]
    assert len(errors) == 1, result.stderr
    assert errors[0] == lines[-1]
    assert tree(folder) == before
    return errors[0].removeprefix("seqcnn: error: ")


def tree(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too, but for the indexes beside a FASTA."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path.suffix not in INDEX_SUFFIXES
    }


def process(*words: object, **options: object) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    command = [sys.executable, "-m", "seqcnn", *map(str, words)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    settings = {"env": dict(os.environ), "preexec_fn": _listen_to_interrupts, **options}
    return subprocess.Popen(command, **{**pipes, **settings})


def _listen_to_interrupts() -> None:
    # In the background of a shell, tests inherit that Ctrl-C is ignored; under nohup, the hang-up.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def read_tsv(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    return parse_tsv(text)


def parse_tsv(text: str) -> list[dict[str, str]]:
    header, *rows = (line.split("\t") for line in text.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def options(values: Mapping[str, object]) -> list[str]:
    """Spell a mapping as long options."""
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]
