"""``seqcnn predict``: sequences or intervals -> a table of scores."""

import logging
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress

__all__ = ["command"]

_log = logging.getLogger("seqcnn.predict")


@click.command(
    "predict",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn predict -m run/model.safetensors --fasta genome.fa peaks.bed -o scores.tsv",
)
@model_option
@click.argument("sequences", type=INPUT, metavar="FASTA|BED|TABLE|-")
@click.option("--fasta", type=INPUT, metavar="FA", help="The genome that intervals lie on.")
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    default="-",
    metavar="OUT.tsv[.gz]",
    help="Default: standard output.",
)
@common_options
def command(**options: Any) -> None:
    """Score sequences: a FASTA file, intervals of a genome, or a table.

    The columns are name, [contig, start, end, strand,] task, logit, probability, sd. Sequences
    longer or shorter than the model's window are cut or N-padded around their middle.
    """
    from seqcnn.cli.tables import open_table, write_predictions
    from seqcnn.files import check_output
    from seqcnn.sources import read_unlabelled

    output, given = options["output"], options["sequences"]
    if str(output) != "-":
        inputs = [path for path in (options["model"], given, options["fasta"]) if path]
        check_output(output, force=options["force"], inputs=inputs)
    engine = open_engine(options)
    sequences = read_unlabelled(given, length=engine.spec.length, fasta=options["fasta"])
    with show_progress(
        "scoring", len(sequences), unit="sequence", quiet=options["quiet"]
    ) as progress:
        predictions = engine.predict(sequences.codes, progress=progress)
    with open_table(output) as handle:
        write_predictions(handle, sequences, predictions, engine.spec)
    _log.info("%d sequences scored", len(sequences))
