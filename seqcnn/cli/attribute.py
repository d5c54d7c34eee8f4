"""``seqcnn attribute``: what each base contributes to a logit -> tables, input of TF-MoDISco."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.tasks import choose_tasks, plain_names, task_option

if TYPE_CHECKING:
    from seqcnn.attribution.contributions import Contributions
    from seqcnn.engine import Engine
    from seqcnn.genome import Sequences

__all__ = ["command"]

_log = logging.getLogger("seqcnn.attribute")

_TABLE, _CHECK = "contributions.tsv.gz", "completeness.tsv"
_ONE_HOT = "ohe.npz"
_LARGE = 0.05
"""An error of this share of what contributions should add up to is worth a warning."""

Options = dict[str, Any]


@click.command(
    "attribute",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn attribute -m run/model.safetensors peaks.bed --fasta genome.fa --modisco"
    " -o contributions",
)
@model_option
@click.argument("sequences", type=INPUT, metavar="FASTA|BED|TABLE|-")
@click.option("--fasta", type=INPUT, metavar="FA", help="The genome that intervals lie on.")
@click.option(
    "--method",
    type=click.Choice(["gradient", "integrated", "deeplift"]),
    default="integrated",
    show_default=True,
    help="Gradient times input; integrated gradients; DeepLIFT/SHAP by captum.",
)
@click.option(
    "--references",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="Dinucleotide shuffles of each sequence that it is held against.",
)
@task_option
@click.option("--modisco", is_flag=True, help="Write the pair of .npz files of TF-MoDISco-lite.")
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Say what each base of a sequence contributes to the model's logit.

    OUT/ holds contributions.tsv.gz (name, position, base, contribution, task) and
    completeness.tsv: how far contributions add up to the logit less that of the references. With
    --modisco, ohe.npz and hypothetical.npz (one for each task), arrays (n, 4, length).
    """
    from seqcnn.files import check_output, whole_directory

    inputs = [options[key] for key in ("model", "sequences", "fasta") if options[key]]
    output: Path = options["output"]
    check_output(output, force=options["force"], inputs=inputs, made=_earlier_output(output))
    engine = open_engine(options)
    tasks = choose_tasks(engine.spec, options)
    sequences = _read(engine, options)
    with whole_directory(output) as folder:
        _attribute(engine, sequences, tasks, folder, options)
    if options["modisco"]:
        words = "modisco motifs -s %s -a %s -w %d -n 2000 -o modisco.h5"
        width = engine.spec.length // 2 * 2  # it takes even ones only
        _log.info(words, output / _ONE_HOT, output / "hypothetical*.npz", width)
    _log.info("%s: %d sequences", output, len(sequences))


def _earlier_output(folder: Path) -> set[str]:
    """Name what an earlier run may have left in a folder."""
    made = {_TABLE, _CHECK}
    if (folder / _TABLE).is_file():
        made |= {item.name for item in folder.glob("*.npz")}
    return made


def _read(engine: "Engine", options: Options) -> "Sequences":
    from seqcnn.sources import read_unlabelled

    length = engine.spec.length
    return read_unlabelled(options["sequences"], length=length, fasta=options["fasta"])


def _attribute(
    engine: "Engine", sequences: "Sequences", tasks: list[int], folder: Path, options: Options
) -> None:
    from seqcnn.attribution.contributions import attribute_sequences
    from seqcnn.cli.tables import open_table

    names = engine.spec.tasks
    files = plain_names([names[task] for task in tasks])
    show = show_progress(
        "attributing", len(tasks) * len(sequences), unit="sequence", quiet=options["quiet"]
    )
    with (
        show as progress,
        open_table(folder / _TABLE) as table,
        (folder / _CHECK).open("w", encoding="utf-8", errors="surrogateescape") as check,
    ):
        table.write("name\tposition\tbase\tcontribution\ttask\n")
        check.write("name\ttask\tlogit\treference_logit\tsum\terror\n")
        for task, file in zip(tasks, files, strict=True):
            found = attribute_sequences(
                engine,
                sequences.codes,
                task=task,
                method=options["method"],
                references=options["references"],
                seed=options["seed"],
                progress=progress,
            )
            _write_contributions(table, sequences, found, names[task], engine.spec.alphabet)
            _write_check(check, sequences, found, names[task])
            _report(found, names[task])
            if options["modisco"]:
                suffix = f".{file}" if len(tasks) > 1 else ""
                _write_modisco(folder, found, suffix)


def _write_contributions(
    table: TextIO, sequences: "Sequences", found: "Contributions", task: str, alphabet: str
) -> None:
    from seqcnn.cli.tables import format_value
    from seqcnn.dna import decode
    from seqcnn.spelling import format_numbers

    ending = f"\t{format_value(task)}\n"
    for name, codes, values in zip(sequences.names, found.codes, found.actual, strict=True):
        bases = decode(codes, alphabet=alphabet)
        lead = format_value(name)
        table.writelines(
            f"{lead}\t{place}\t{base}\t{value}{ending}"
            for place, (base, value) in enumerate(
                zip(bases, format_numbers(values), strict=True), start=1
            )
        )


def _write_check(table: TextIO, sequences: "Sequences", found: "Contributions", task: str) -> None:
    from seqcnn.cli.tables import format_value

    sums = found.actual.sum(axis=1)
    for name, *numbers in zip(
        sequences.names, found.logits, found.reference_logits, sums, found.errors, strict=True
    ):
        table.write("\t".join(map(format_value, [name, task, *numbers])) + "\n")


def _report(found: "Contributions", task: str) -> None:
    """Say how far contributions add up."""
    import numpy as np

    if found.left_out:
        words = "%s: %d member(s) over gapped k-mers have no gradient; the others are explained"
        _log.warning(words, task, found.left_out)
    errors = np.abs(found.errors)
    due = float(np.abs(found.logits - found.reference_logits).mean())
    tell = _log.warning if errors.mean() > _LARGE * due else _log.info
    tell(
        "%s: contributions add up to the logit less that of the references, %.4g in the mean,"
        " within %.3g (mean), %.3g (largest)",
        task,
        due,
        errors.mean(),
        errors.max(),
    )


def _write_modisco(folder: Path, found: "Contributions", suffix: str) -> None:
    """Write what ``modisco motifs -s ohe.npz -a hypothetical.npz`` reads."""
    import numpy as np

    np.savez_compressed(folder / _ONE_HOT, found.one_hot.astype(np.float32))
    np.savez_compressed(folder / f"hypothetical{suffix}.npz", found.hypothetical.astype(np.float32))
