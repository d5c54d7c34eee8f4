"""``seqcnn gather``: the shards of one run put together, as the run of the whole writes them."""

from pathlib import Path
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, check_file_or_stdout, common_options
from seqcnn.cli.scored import batches, is_table, table_lines
from seqcnn.cli.vcf_output import vcf_output_options, write_index_option
from seqcnn.errors import ConfigError, InputError

__all__ = ["command"]

Options = dict[str, Any]


@click.command(
    "gather",
    cls=Command,
    no_args_is_help=True,
    example="for i in 1 2 3; do seqcnn score-variants ... --shard $i/3 -o shard$i.vcf.gz; done\n"
    "seqcnn gather shard?.vcf.gz -o scored.vcf.gz",
)
@click.argument("shards", type=INPUT, nargs=-1, required=True, metavar="VCF|BCF|TSV...")
@vcf_output_options
@write_index_option
@common_options
def command(**options: Any) -> None:
    """Put the shards of one run of score-variants together.

    The result has the very bytes that one run of the whole writes. VCF and BCF shards may come in
    any order, and a missing one is an error; tables stand in the order given.
    """
    check_file_or_stdout(options["output"], force=options["force"], inputs=options["shards"])
    tables = [is_table(path) for path in options["shards"]]
    if any(tables) != all(tables):
        odd = options["shards"][tables.index(not tables[0])]
        found = "is a table" if not tables[0] else "is no table"
        raise InputError(odd, f"{found}, unlike the first file", expected="files of one kind")
    (_gather_tables if tables[0] else _gather_variants)(options)


def _gather_tables(options: Options) -> None:
    from seqcnn.linefiles import LineFile

    for option in ("output_type", "write_index"):
        if options[option]:
            name = f"--{option.replace('_', '-')}"
            raise ConfigError(name, "these are tables, which come out as a table")
    packed = options["output"].suffix in {".gz", ".bgz"}
    title = next(table_lines(options["shards"][0]))
    with LineFile(options["output"], [title], packed=packed) as output:
        for path in options["shards"]:
            lines = table_lines(path)
            if next(lines) != title:
                found = f"its columns are not those of {options['shards'][0]}"
                raise InputError(path, found, expected=title)
            for batch in batches(lines):
                output.write(batch)


def _gather_variants(options: Options) -> None:
    from seqcnn.scoring import order_shards, whole_header
    from seqcnn.variants import VcfReader, check_indexable, index_variants, open_vcf, output_kind

    kind = output_kind(options["output"], asked=options["output_type"])
    if options["write_index"]:
        check_indexable(options["output"], kind)
    headers: dict[Path, tuple[str, ...]] = {}
    for path in options["shards"]:
        if path in headers:
            raise InputError(path, "is named twice", expected="each shard once")
        with VcfReader(path) as reader:
            headers[path] = reader.header.lines
    paths = order_shards(headers)
    with open_vcf(options["output"], whole_header(headers[paths[0]]), kind=kind) as output:
        for path in paths:
            with VcfReader(path) as reader:
                for block in reader.blocks():
                    output.write(block.lines)
    if options["write_index"]:
        index_variants(options["output"])
