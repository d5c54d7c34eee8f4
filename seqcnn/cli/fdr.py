"""``seqcnn fdr``: q-values beside the p-values of a scored file, such as shards put together."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, check_file_or_stdout, common_options
from seqcnn.cli.provenance import canonical_command
from seqcnn.cli.scored import batches, is_table, table_lines
from seqcnn.cli.vcf_output import no_version_option, vcf_output_options
from seqcnn.errors import ConfigError

__all__ = ["command"]

Options = dict[str, Any]


@click.command(
    "fdr",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn gather shard?.vcf.gz -o scored.vcf.gz\n"
    "seqcnn fdr scored.vcf.gz -o final.vcf.gz",
)
@click.argument("scored", type=INPUT, metavar="VCF|BCF|TSV|-")
@vcf_output_options
@no_version_option
@common_options
def command(**options: Any) -> None:
    """Add false discovery rates (Benjamini-Hochberg) to what score-variants wrote.

    All p-values of the file count, task by task. It is read twice, in little memory.
    """
    from seqcnn.files import standard_input_file

    check_file_or_stdout(options["output"], force=options["force"], inputs=[options["scored"]])
    with standard_input_file(options["scored"]) as path:
        amend = _amend_table if is_table(path) else _amend_variants
        amend(path, options)


def _amend_table(path: Path, options: Options) -> None:
    from seqcnn.linefiles import LineFile
    from seqcnn.scoring import TableLayout, add_q

    if options["output_type"]:
        found = f"{options['scored']} is a table, which comes out as a table"
        raise ConfigError("-O", found, remedy="leave it out; -o OUT.tsv.gz packs the table")
    columns = next(table_lines(path)).split("\t")
    layout = TableLayout(columns, str(path))
    packed = options["output"].suffix in {".gz", ".bgz"}
    with LineFile(options["output"], (), packed=packed) as output:
        for batch in batches(add_q(lambda: table_lines(path), layout)):
            output.write(batch)


def _amend_variants(path: Path, options: Options) -> None:
    from seqcnn.scoring import NOTE, VcfLayout, add_q, declare_q
    from seqcnn.variants import VcfReader, annotate_header, open_vcf, output_kind

    def read() -> Iterator[str]:
        with VcfReader(path) as reader:
            yield from chain.from_iterable(block.lines for block in reader.blocks())

    with VcfReader(path) as reader:
        header = [line for line in reader.header.lines if not line.startswith(NOTE)]
    layout = VcfLayout(header, str(path))
    header = list(annotate_header(declare_q(header), (), provenance=_provenance(options)))
    kind = output_kind(options["output"], asked=options["output_type"])
    with open_vcf(options["output"], header, kind=kind) as output:
        for batch in batches(add_q(read, layout)):
            output.write(batch)


def _provenance(options: Options) -> tuple[str, ...]:
    if options["no_version"]:
        return ()
    shown = {key: value for key, value in options.items() if key != "scored"}
    command_line = canonical_command(shown, options["scored"])
    return f"##seqcnn_fdrVersion={__version__}", f"##seqcnn_fdrCommand={command_line}"
