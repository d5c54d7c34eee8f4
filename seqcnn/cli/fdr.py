"""``seqcnn fdr``: q-values beside the p-values of a scored file, such as shards put together."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.provenance import canonical_command
from seqcnn.errors import ConfigError, InputError

__all__ = ["command"]

_BATCH = 1000
_LONGEST = 1000
"""Of a first line, as much as tells what file it is."""
_NOTE = "##seqcnn_scoreVariantsNote="

Options = dict[str, Any]


@click.command(
    "fdr",
    cls=Command,
    no_args_is_help=True,
    example="bcftools concat shard?.vcf.gz -O z -o scored.vcf.gz\n"
    "seqcnn fdr scored.vcf.gz -o final.vcf.gz",
)
@click.argument("scored", type=INPUT, metavar="VCF|BCF|TSV|-")
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    default="-",
    metavar="OUT",
    help="Default: standard output.",
)
@click.option(
    "-O",
    "--output-type",
    type=click.Choice(["v", "z", "b", "u"]),
    help="VCF, VCF.gz, BCF, uncompressed BCF. Default: by the suffix of -o.",
)
@click.option("--no-version", is_flag=True, help="No version and command in the header.")
@common_options
def command(**options: Any) -> None:
    """Add false discovery rates (Benjamini-Hochberg) to what score-variants wrote.

    All p-values of the file count, task by task. It is read twice, in little memory.
    """
    from seqcnn.files import check_output, standard_input_file

    if str(options["output"]) != "-":
        check_output(options["output"], force=options["force"], inputs=[options["scored"]])
    with standard_input_file(options["scored"]) as path:
        amend = _amend_table if _is_table(path) else _amend_variants
        amend(path, options)


def _is_table(path: Path) -> bool:
    from seqcnn.files import open_binary

    with open_binary(path, InputError) as handle:
        first = handle.readline(_LONGEST)
    return b"\t" in first and not first.startswith((b"#", b"BCF"))


def _amend_table(path: Path, options: Options) -> None:
    from seqcnn.files import open_binary
    from seqcnn.linefiles import LineFile
    from seqcnn.scoring import TableLayout, add_q

    def read() -> Iterator[str]:
        # An ID may hold any bytes, which come out as they went in.
        with open_binary(path, InputError) as handle:
            for line in handle:
                yield line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")

    if options["output_type"]:
        found = f"{options['scored']} is a table, which comes out as a table"
        raise ConfigError("-O", found, remedy="leave it out; -o OUT.tsv.gz packs the table")
    columns = next(read()).split("\t")
    layout = TableLayout(columns, str(path))
    packed = options["output"].suffix in {".gz", ".bgz"}
    with LineFile(options["output"], (), packed=packed) as output:
        for batch in _batches(add_q(read, layout)):
            output.write(batch)


def _amend_variants(path: Path, options: Options) -> None:
    from seqcnn.scoring import VcfLayout, add_q, declare_q
    from seqcnn.variants import VcfReader, annotate_header, open_vcf, output_kind

    def read() -> Iterator[str]:
        with VcfReader(path) as reader:
            yield from chain.from_iterable(block.lines for block in reader.blocks())

    with VcfReader(path) as reader:
        header = [line for line in reader.header.lines if not line.startswith(_NOTE)]
    layout = VcfLayout(header, str(path))
    header = list(annotate_header(declare_q(header), (), provenance=_provenance(options)))
    kind = output_kind(options["output"], asked=options["output_type"])
    with open_vcf(options["output"], header, kind=kind) as output:
        for batch in _batches(add_q(read, layout)):
            output.write(batch)


def _provenance(options: Options) -> tuple[str, ...]:
    if options["no_version"]:
        return ()
    shown = {key: value for key, value in options.items() if key != "scored"}
    command_line = canonical_command(shown, options["scored"])
    return f"##seqcnn_fdrVersion={__version__}", f"##seqcnn_fdrCommand={command_line}"


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    return iter(lambda: list(islice(lines, _BATCH)), [])
