"""The command line: ``seqcnn COMMAND``.

Nothing heavy is imported until a command has read its options.
"""

import contextlib
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, ClassVar

import click

from seqcnn import __version__
from seqcnn.cli.command import ExampleHelp
from seqcnn.errors import SeqcnnError

__all__ = ["main"]

# Networks are shared out to threads of seqcnn's own. Linear algebra below them on one thread
# rounds the same way however many cores a machine has.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

_INTERRUPTED = 130
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _LazyGroup(ExampleHelp, click.Group):
    """Commands that are imported when they are named, and errors told in one line."""

    modules: ClassVar[dict[str, str]] = {
        "train": "train",
        "evaluate": "evaluate",
        "predict": "predict",
        "score-variants": "score_variants",
        "export-logos": "export_logos",
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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _ending_on_sigterm():
                return super().invoke(ctx)
        except SeqcnnError as problem:
            _fail(ctx, str(problem))
        except BrokenPipeError:
            # The reader has what it wanted; python must not complain while it shuts down.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("seqcnn: interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except MemoryError as problem:
            remedy = "choose a smaller --length, --batch-size or --ratio, or less data"
            _fail(ctx, f"memory: there is not enough ({problem or 'none is left'}); {remedy}")
        except OSError as problem:
            place = f"{problem.filename}: " if problem.filename else ""
            _fail(ctx, f"{place}{problem.strerror or problem}")


def _fail(ctx: click.Context, message: str) -> None:
    # What a damaged file holds must not steer a terminal.
    plain = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", " ".join(message.split()))
    click.echo(f"seqcnn: error: {plain}", err=True)
    ctx.exit(1)


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Unwind when a scheduler ends the process, so that nothing half-written is left."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier or signal.SIG_DFL)


@click.group(
    cls=_LazyGroup,
    example="seqcnn train --peaks peaks.bed --fasta genome.fa -o run\n"
    "seqcnn score-variants -m run/model.safetensors --fasta genome.fa in.vcf.gz -o out.vcf.gz\n"
    "seqcnn export-logos -m run/model.safetensors -o logos",
)
@click.version_option(__version__, prog_name="seqcnn")
def main() -> None:
    """Train motif CNNs on peaks or assay tables, score variants, draw what was learned."""
