"""``seqcnn export-logos``: what the detectors learned -> motif files and pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import make_engine, model_option
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress

if TYPE_CHECKING:
    from seqcnn.modelfile import TrainedModel
    from seqcnn.motifs import Motif

__all__ = ["command"]

_log = logging.getLogger("seqcnn.logos")

_WRITERS = ("meme", "jaspar", "transfac")
_FILES = (*(f"motifs.{suffix}" for suffix in _WRITERS), "filters.tsv", "logos", "index.html")


@click.command(
    "export-logos",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn export-logos -m run/model.safetensors -o logos",
)
@model_option
@click.option(
    "--sequences",
    type=INPUT,
    metavar="FA",
    help="Look for sites in these sequences instead of the training positives.",
)
@click.option(
    "--logos",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="N",
    help="Draw the N most important motifs; 0: all.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Write the motifs of a model's detectors, the most important first.

    OUT/ holds motifs.meme, motifs.jaspar, motifs.transfac, filters.tsv, logos/ (SVG and PNG, both
    strands) and index.html.
    """
    from seqcnn.errors import ModelFileError
    from seqcnn.files import check_output, whole_directory
    from seqcnn.modelfile import read_model
    from seqcnn.motifs import spell_consensus

    output: Path = options["output"]
    inputs = [path for path in (options["model"], options["sequences"]) if path]
    check_output(output, force=options["force"], inputs=inputs, made=_FILES)
    model = read_model(options["model"])
    if model.parts:
        raise ModelFileError(
            options["model"],
            f"{len(model.parts)} models side by side",
            expected="a single one",
            remedy="import the one that you want to see",
        )
    motifs = _motifs_of(model, options) if options["sequences"] else list(model.motifs)
    if not motifs:
        raise ModelFileError(
            options["model"], "no detector has ten sites", remedy="give sequences with --sequences"
        )
    with whole_directory(output) as folder:
        _write_motifs(folder, motifs, model)
        _draw_logos(folder, motifs[: options["logos"] or None], model, quiet=options["quiet"])
    first = spell_consensus(motifs[0], alphabet=model.spec.alphabet)
    _log.info("%s: %d motifs; the first: %s", output, len(motifs), first)


def _motifs_of(model: "TrainedModel", options: dict[str, Any]) -> "list[Motif]":
    from seqcnn.datasets import encode_records
    from seqcnn.filters import detector_importance, extract_motifs
    from seqcnn.genome import read_fasta_records

    path = options["sequences"]
    records = read_fasta_records(path)
    # A model that scores windows inside sequences is no judge of how long they should be.
    length = None if model.spec.window else model.spec.length
    codes = encode_records(records, length=length, where=path).codes
    model = model.with_rule(length=codes.shape[1])
    engine = make_engine(model, options)
    importance = [
        detector_importance(engine, codes, member=member) for member in range(len(model.members))
    ]
    return extract_motifs(engine, codes, importance=importance)


def _write_motifs(folder: Path, motifs: "Sequence[Motif]", model: "TrainedModel") -> None:
    from seqcnn.cli.tables import open_table, write_rows
    from seqcnn.motifs import format_jaspar, format_meme, format_transfac, spell_consensus

    alphabet = model.spec.alphabet
    writers = {"meme": format_meme, "jaspar": format_jaspar, "transfac": format_transfac}
    for suffix, write in writers.items():
        text = write(motifs, alphabet=alphabet)
        (folder / f"motifs.{suffix}").write_text(text, encoding="utf-8")
    columns = ["name", "sites", "information", "importance", "consensus", "best match", "p", "q"]
    rows = [
        [m.name, m.sites, m.information, m.importance, spelled, None, None, None]
        for m in motifs
        for spelled in [spell_consensus(m, alphabet=alphabet)]
    ]
    with open_table(folder / "filters.tsv") as handle:
        write_rows(handle, columns, rows)


def _draw_logos(
    folder: Path, motifs: "Sequence[Motif]", model: "TrainedModel", *, quiet: bool
) -> None:
    from seqcnn.plotting import create_figure, plot_logo_pair, save_figure
    from seqcnn.report import render_gallery

    (folder / "logos").mkdir()
    files = []
    with show_progress("drawing", len(motifs), unit="logo", quiet=quiet) as progress:
        for rank, motif in enumerate(motifs, start=1):
            figure = create_figure(width=max(4, 1 + 0.33 * motif.width), height=4.2)
            plot_logo_pair(figure, motif, alphabet=model.spec.alphabet)
            files.append(f"logos/{rank:03d}_{motif.name}")
            for suffix in (".svg", ".png"):
                save_figure(figure, folder / f"{files[-1]}{suffix}")
            progress(1)
    title = f"Motifs of {', '.join(model.spec.tasks)}"
    logos = list(zip(motifs, files, strict=True))
    page = render_gallery(title, logos, alphabet=model.spec.alphabet)
    (folder / "index.html").write_text(page, encoding="utf-8")
