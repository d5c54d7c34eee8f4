"""The command line: ``seqcnn COMMAND``.

Nothing heavy is imported until a command has read its options.
"""

import atexit
import contextlib
import gc
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import click

from seqcnn import __version__
from seqcnn.cli.command import ExampleHelp
from seqcnn.errors import ConfigError, SeqcnnError

__all__ = ["main"]

# Networks are shared out to threads of seqcnn's own. Linear algebra below them on one thread
# rounds the same way however many cores a machine has.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

# What is made at the start stays. To look for garbage among it, again and again and once more at
# the end, would take a fifth of a short run.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

_INTERRUPTED = 130
_COME_AGAIN = 75
"""What a batch system is told after SIGUSR1, its warning: sysexits' "temporary failure"."""
_NAMES = ("SIGTERM", "SIGHUP", "SIGUSR1")
_ENDING = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _LazyGroup(ExampleHelp, click.Group):
    """Commands that are imported when they are named, and errors told in one line."""

    modules: ClassVar[dict[str, str]] = {
        "train": "train",
        "pretrain": "pretrain",
        "calibrate": "calibrate",
        "evaluate": "evaluate",
        "predict": "predict",
        "score-variants": "score_variants",
        "gather": "gather",
        "prepare": "prepare",
        "top": "top",
        "overview": "overview",
        "fdr": "fdr",
        "scan": "scan",
        "mutation-map": "mutation_map",
        "attribute": "attribute",
        "design": "design",
        "export-logos": "export_logos",
        "import-deepbind": "import_deepbind",
        "info": "info",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx  # the same commands everywhere
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f"seqcnn.cli.{self.modules[cmd_name]}")
        command: click.Command = module.command
        return command

    def main(self, *args: Any, **keywords: Any) -> Any:
        try:
            return super().main(*args, **keywords)
        except OSError as problem:  # the help cannot be written
            _give_up_stdout()
            click.echo(f"seqcnn: error: {_spell(problem)}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            _open_closed_streams()
            with _ending_on_signals():
                return super().invoke(ctx)
        except SeqcnnError as problem:
            _fail(ctx, str(problem))
        except BrokenPipeError:
            _give_up_stdout()  # the reader has what it wanted
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("seqcnn: interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except MemoryError as problem:
            remedy = "choose a smaller --length, --batch-size or --ratio, or less data"
            _fail(ctx, f"memory: there is not enough ({problem or 'none is left'}); {remedy}")
        except OSError as problem:
            _give_up_stdout()
            _fail(ctx, _spell(problem))


def _give_up_stdout() -> None:
    """Lead what is still to be written nowhere: python would try, and complain, at its end."""
    with contextlib.suppress(OSError):  # a stream in memory has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _spell(problem: OSError) -> str:
    place = problem.filename or "reading or writing"
    return f"{place}: {problem.strerror or problem}; check the disk and the permissions"


def _fail(ctx: click.Context, message: str) -> None:
    # What a damaged file holds must not steer a terminal.
    plain = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", " ".join(message.split()))
    click.echo(f"seqcnn: error: {plain}", err=True)
    ctx.exit(1)


def _open_closed_streams() -> None:
    """Lead standard streams that are closed nowhere, or the next file would take their number."""
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the process ends
    if "stdout" in closed:
        raise ConfigError(
            "standard output", "is closed", remedy="open it, or redirect it: > /dev/null"
        )


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Unwind when a scheduler or a terminal ends the process: nothing half-written is left."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(_COME_AGAIN if number == getattr(signal, "SIGUSR1", None) else 128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    # With nohup a process is to outlive its terminal.
    numbers = [n for n in _ENDING if signal.getsignal(n) is not signal.SIG_IGN]
    earlier = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler or signal.SIG_DFL)


@click.group(
    cls=_LazyGroup,
    example="seqcnn train --peaks peaks.bed --fasta genome.fa -o run\n"
    "seqcnn score-variants -m run/model.safetensors --fasta genome.fa in.vcf.gz -o out.vcf.gz\n"
    "seqcnn export-logos -m run/model.safetensors -o logos",
)
@click.version_option(__version__, prog_name="seqcnn")
def main() -> None:
    """Train motif CNNs on peaks or assay tables, score variants, draw what was learned."""
