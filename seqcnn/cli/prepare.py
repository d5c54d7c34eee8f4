"""``seqcnn prepare``: what sheets name, looked over before any work is begun."""

import logging
from pathlib import Path
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.errors import InputError

__all__ = ["command"]

_log = logging.getLogger("seqcnn.prepare")


@click.command(
    "prepare",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn prepare samples.tsv variants.tsv -o prepared.json",
)
@click.argument("sheets", type=INPUT, nargs=-1, required=True, metavar="SHEET.tsv...")
@click.option(
    "-o", "--output", type=OUTPUT, metavar="OUT.json", help="What was found of each file."
)
@common_options
def command(**options: Any) -> None:
    """Look over the files that sheets name, before any work is begun.

    A sheet's columns are called as options of the other commands: peaks, fasta, positives,
    negatives, seq, table, targets, exclude, and vcf. Every file must be there and be of its kind,
    contigs must be the FASTA's, and so must REF in the first records of a VCF. An index that a
    FASTA lacks is made. All problems are told, a line each.
    """
    from seqcnn.files import check_output
    from seqcnn.scoring import write_summary
    from seqcnn.sheets import read_sheet, survey

    output: Path | None = options["output"]
    if output:
        check_output(output, force=options["force"], inputs=options["sheets"])
    rows = [row for sheet in options["sheets"] for row in read_sheet(sheet)]
    found = survey(rows)
    for problem in found.problems:
        _log.error("%s", problem)
    if found.problems:
        number = len(found.problems)
        raise InputError("the sheets", f"{number} problem(s), told above, a line each")
    for kind, files in found.files.items():
        _log.info("%s: %d file(s)", kind, len(files))
    if output:
        write_summary(output, found.files)
