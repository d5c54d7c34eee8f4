"""Where a VCF or BCF goes, for the commands that write one."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.options import OUTPUT

__all__ = ["no_version_option", "vcf_output_options", "write_index_option"]

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
