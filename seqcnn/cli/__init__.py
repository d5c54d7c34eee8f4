"""The command line: ``seqcnn COMMAND``.

Nothing heavy is imported until a command has read its options.
"""

import importlib
import os
import sys
from typing import Any, ClassVar

import click

from seqcnn import __version__
from seqcnn.errors import SeqcnnError

__all__ = ["main"]


class _LazyGroup(click.Group):
    """Commands that are imported when they are named, and errors told in one line."""

    modules: ClassVar[dict[str, str]] = {
        "train": "train",
        "evaluate": "evaluate",
        "predict": "predict",
        "score-variants": "score_variants",
        "export-logos": "export_logos",
        "info": "info",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.modules)

    def get_command(  # noqa: ARG002
        self, ctx: click.Context, cmd_name: str
    ) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f"seqcnn.cli.{self.modules[cmd_name]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SeqcnnError as problem:
            _fail(ctx, str(problem))
        except BrokenPipeError:
            # The reader has what it wanted; python must not complain while it shuts down.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except OSError as problem:
            place = f"{problem.filename}: " if problem.filename else ""
            _fail(ctx, f"{place}{problem.strerror or problem}")


def _fail(ctx: click.Context, message: str) -> None:
    click.echo(f"seqcnn: error: {message}", err=True)
    ctx.exit(1)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="seqcnn")
def main() -> None:
    r"""Train motif CNNs on peaks or assay tables, score variants, draw what was learned.

    \b
    Example:
      seqcnn train --peaks peaks.bed --fasta genome.fa -o run
      seqcnn score-variants -m run/model.safetensors --fasta genome.fa in.vcf.gz -o out.vcf.gz
      seqcnn export-logos -m run/model.safetensors -o logos
    """
