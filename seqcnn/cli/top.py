"""``seqcnn top``: the records of a scored file whose alleles change the output most."""

import heapq
from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, check_file_or_stdout, common_options
from seqcnn.cli.vcf_output import vcf_output_options

__all__ = ["command"]

Options = dict[str, Any]


@click.command(
    "top",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn top scored.vcf.gz -n 20 -o top.vcf",
)
@click.argument("scored", type=INPUT, metavar="VCF|BCF|-")
@click.option(
    "-n",
    "--number",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Records to keep.",
)
@vcf_output_options
@common_options
def command(**options: Any) -> None:
    """Keep the records with the largest effects of what score-variants wrote.

    A record counts by the largest delta, up or down, of its alleles and tasks. The largest comes
    first. Records without a score are left out.
    """
    from seqcnn.scoring import largest_effect
    from seqcnn.variants import VcfReader, open_vcf, output_kind

    check_file_or_stdout(options["output"], force=options["force"], inputs=[options["scored"]])
    kind = output_kind(options["output"], asked=options["output_type"])
    with VcfReader(options["scored"]) as reader:
        find = largest_effect(reader.header.lines, reader.name)
        lines = chain.from_iterable(block.lines for block in reader.blocks())
        top = _largest(options["number"], ((find(line), line) for line in lines))
        with open_vcf(options["output"], reader.header.lines, kind=kind) as output:
            output.write(top)


def _largest(number: int, effects: Iterator[tuple[float, str]]) -> list[str]:
    """Choose lines by effect, in the order of the file where it is the same."""
    ranked = ((effect, -i, line) for i, (effect, line) in enumerate(effects) if effect >= 0)
    return [line for _, _, line in heapq.nlargest(number, ranked)]
