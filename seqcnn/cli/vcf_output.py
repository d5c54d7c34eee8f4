"""Where a VCF or BCF goes, for the commands that write one."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.options import OUTPUT

__all__ = ["check_vcf_output", "no_version_option", "vcf_output_options", "write_index_option"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

write_index_option = click.option(
    "-W", "--write-index", is_flag=True, help="Index the output, VCF.gz or BCF (.csi)."
)

no_version_option = click.option(
    "--no-version", is_flag=True, help="No version and command in the header."
)


def vcf_output_options(command: Decorated) -> Decorated:
    """Add ``-o`` and ``-O``."""
    options = [
        click.option(
            "-o",
            "--output",
            type=OUTPUT,
            default="-",
            metavar="OUT",
            help="Default: standard output.",
        ),
        click.option(
            "-O",
            "--output-type",
            type=click.Choice(["v", "z", "b", "u"]),
            help="VCF, VCF.gz, BCF, uncompressed BCF. Default: by the suffix of -o.",
        ),
    ]
    return add_options(command, options, "Options")


def check_vcf_output(output: Path, *, force: bool, inputs: Iterable[Path]) -> None:
    """Refuse an output that is there already, or is read; standard output never is."""
    from seqcnn.files import check_output

    if str(output) != "-":
        check_output(output, force=force, inputs=inputs)
