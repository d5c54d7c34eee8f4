"""``seqcnn predict``: sequences or intervals -> a table of scores."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import check_trained, make_engine, model_option
from seqcnn.cli.options import INPUT, OUTPUT, check_file_or_stdout, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.engine import Engine, Predictions
    from seqcnn.genome import Sequences
    from seqcnn.modelfile import TrainedModel
    from seqcnn.sources import WholeSequences

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
@click.option(
    "--window-size",
    type=click.IntRange(1, 1_000_000),
    metavar="BP",
    help="DeepBind's models: windows scored one by one inside a sequence.",
)
@click.option(
    "--average",
    is_flag=True,
    help="DeepBind's models: the sum over the windows by the bases, not the largest.",
)
@common_options
def command(**options: Any) -> None:
    """Score sequences: a FASTA file, intervals of a genome, or a table.

    The columns are name, [contig, start, end, strand,] task, logit, probability, sd; of a profile,
    each base has a row, with its position, from 1, after the task. Sequences
    longer or shorter than the model's window are cut or N-padded around their middle; models of
    import-deepbind score them as long as they are.
    """
    from seqcnn.cli.tables import open_table, write_predictions

    output, given = options["output"], options["sequences"]
    inputs = [path for path in (options["model"], given, options["fasta"]) if path]
    check_file_or_stdout(output, force=options["force"], inputs=inputs)
    engine = make_engine(_read_model(options), options)
    sequences, predictions = _score(engine, options)
    with open_table(output) as handle:
        write_predictions(handle, sequences, predictions, engine.spec)
    _log.info("%d sequences scored", len(sequences))


def _read_model(options: dict[str, Any]) -> "TrainedModel":
    """Read the model, with the rule of scoring that was asked for."""
    from seqcnn.modelfile import read_model

    model = read_model(options["model"])
    check_trained(model, options["model"])
    rule: dict[str, Any] = {}
    if options["window_size"]:
        rule["window"] = options["window_size"]
    if options["average"]:
        rule["over_windows"] = "average"
    if rule and not model.spec.window:
        raise ConfigError(
            "--window-size" if options["window_size"] else "--average",
            f"{options['model']} scores no windows inside a sequence",
            expected="a model of `seqcnn import-deepbind`",
            remedy="leave the option out",
        )
    return model.with_rule(**rule) if rule else model


def _score(
    engine: "Engine", options: dict[str, Any]
) -> "tuple[Sequences | WholeSequences, Predictions]":
    from seqcnn.engine.profiles import predict_profiles
    from seqcnn.sources import read_unlabelled, read_whole

    given, fasta, length = options["sequences"], options["fasta"], engine.spec.length
    show = partial(show_progress, "scoring", unit="sequence", quiet=options["quiet"])
    if engine.spec.window:
        whole = read_whole(given, length=length, fasta=fasta)
        with show(total=len(whole)) as progress:
            return whole, engine.predict_each(whole.codes, progress=progress)
    sequences = read_unlabelled(given, length=length, fasta=fasta)
    with show(total=len(sequences)) as progress:
        if engine.spec.task_kind == "profile":
            return sequences, predict_profiles(engine, sequences.codes, progress=progress)
        return sequences, engine.predict(sequences.codes, progress=progress)
