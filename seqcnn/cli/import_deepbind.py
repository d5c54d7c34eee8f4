"""``seqcnn import-deepbind``: parameter files of the original DeepBind program -> a model."""

import logging
from pathlib import Path
from typing import Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.provenance import canonical_command

__all__ = ["command"]

_log = logging.getLogger("seqcnn.import_deepbind")


def _selection(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    for text in given:
        if "=" not in text:
            raise click.BadParameter("expected COLUMN=VALUE, such as protein=CTCF", ctx, parameter)
    return given


@click.command(
    "import-deepbind",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn import-deepbind deepbind/db/params/D00409.004.txt -o gabpa.safetensors\n"
    "seqcnn import-deepbind deepbind/db --select experiment=ChIP-seq -o chip.safetensors",
)
@click.argument("parameters", type=INPUT, nargs=-1, required=True, metavar="PARAMS.txt|FOLDER...")
@click.option(
    "-o", "--output", type=OUTPUT, required=True, metavar="MODEL.safetensors", help="To write."
)
@click.option(
    "--select",
    multiple=True,
    callback=_selection,
    metavar="COLUMN=VALUE",
    help="Only models with this in db.tsv: id, protein, type, species, family, class, experiment;"
    " repeated: all must fit.",
)
@click.option(
    "--length",
    type=click.IntRange(1, 1_000_000),
    default=51,
    show_default=True,
    metavar="BP",
    help="What is looked at of a genome: around a variant, or an interval's middle.",
)
@click.option(
    "--window-size",
    type=click.IntRange(1, 1_000_000),
    metavar="BP",
    help="Windows scored one by one inside a sequence. Default: 1.5 detectors.",
)
@click.option(
    "--real-flanks",
    is_flag=True,
    help="Let detectors see the sequence past a window's ends, where the original puts N.",
)
@common_options
def command(parameters: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Turn the published DeepBind models into a model file that scores as the original program.

    One file becomes a model with one task; several, or a folder of them, a model with a task
    each, named ID_PROTEIN by the db.tsv beside them. seqcnn comes with none of them: see the
    manual for the archive and its licence.
    """
    from dataclasses import replace

    from seqcnn.deepbind import ScoringRule, find_parameter_files, import_models
    from seqcnn.files import check_output
    from seqcnn.modelfile import write_model

    files = find_parameter_files(parameters)
    check_output(output, force=options["force"], inputs=files)
    rule = ScoringRule(options["length"], options["window_size"], options["real_flanks"])
    select = dict(text.split("=", 1) for text in options["select"])
    model = import_models(files, rule, select=select)
    command = canonical_command(options, *(path for path in parameters))
    provenance = model.provenance | {"version": __version__, "command": command}
    write_model(replace(model, provenance=provenance), output)
    tasks = model.spec.tasks
    named = tasks[0] if len(tasks) == 1 else f"{tasks[0]} to {tasks[-1]}"
    _log.info("%s: %d model(s), %s", output, len(tasks), named)
