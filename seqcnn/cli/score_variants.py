"""``seqcnn score-variants``: a VCF and a model -> the same VCF, annotated."""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command
from seqcnn.cli.tables import open_table
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.effects import VariantEffects
    from seqcnn.engine import Engine
    from seqcnn.genome import Genome
    from seqcnn.variants import AllelePlacer, AlleleTable, InfoField, VcfReader

__all__ = ["command"]

_log = logging.getLogger("seqcnn.score_variants")

_SCORES = ("ref_logit", "alt_logit", "delta", "probability_difference", "deepbind", "quantile")
_COLUMNS = ("contig", "position", "id", "ref", "alt", "task", *_SCORES, "p", "q", "sd", "reason")


@click.command(
    "score-variants",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn score-variants -m run/model.safetensors --fasta genome.fa in.vcf.gz"
    " -o out.vcf.gz",
)
@model_option
@click.option("--fasta", type=INPUT, required=True, metavar="FA", help="The reference genome.")
@click.argument("variants", type=INPUT, metavar="VCF|BCF|-")
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
@click.option("--tsv", type=OUTPUT, metavar="OUT.tsv[.gz]", help="A row an allele and task.")
@click.option(
    "--ref-mismatch",
    type=click.Choice(["skip", "error", "warn"]),
    default="skip",
    show_default=True,
    help="Where REF is not the FASTA's: no score, stop, or score REF as given.",
)
@click.option(
    "--strands",
    type=click.Choice(["average", "max", "single"]),
    help="Default: as the model was trained.",
)
@click.option(
    "--shifts",
    type=click.IntRange(1, 101),
    default=1,
    show_default=True,
    metavar="N",
    help="Average over windows at this many neighbouring offsets.",
)
@click.option("--no-version", is_flag=True, help="No version and command in the header.")
@common_options
def command(**options: Any) -> None:
    """Score every allele of a VCF or BCF: the model's output for it less that for the reference.

    Records come out as they went in, with INFO fields added; an allele without a score has its
    reason. Logits, not probabilities, are averaged and subtracted.
    """
    from seqcnn.genome import open_genome
    from seqcnn.variants import VcfReader

    _check_outputs(options)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(VcfReader(options["variants"]))
        genome = stack.enter_context(open_genome(options["fasta"]))
        engine = open_engine(options)
        _report(_run(options, reader, genome, engine), options["variants"])


def _check_outputs(options: dict[str, Any]) -> None:
    from seqcnn.files import check_output

    outputs: list[Path] = [options[key] for key in ("output", "tsv") if options[key]]
    if list(map(str, outputs)) == ["-", "-"]:
        raise ConfigError(
            "--tsv -", "standard output takes the VCF", remedy="name a file with -o or --tsv"
        )
    taken: list[Path] = [options["variants"], options["fasta"], options["model"]]
    for path in outputs:
        if str(path) != "-":
            check_output(path, force=options["force"], inputs=taken)
            taken.append(path)


def _run(
    options: dict[str, Any], reader: "VcfReader", genome: "Genome", engine: "Engine"
) -> Counter[str]:
    """Score the file block by block; count the alleles by reason."""
    from seqcnn.variants import AllelePlacer, VcfWriter, annotate_header, output_kind

    placer = AllelePlacer(
        genome,
        length=engine.spec.length,
        ref_mismatch=options["ref_mismatch"],
        declared=reader.header.contigs,
    )
    fields = _Fields.of(engine)
    header = annotate_header(
        reader.header.lines, fields.everything, provenance=_provenance(options)
    )
    kind = output_kind(options["output"], asked=options["output_type"])
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        # The writer is the inner one: a BCF can still fail at its end, and leave no table then.
        table = stack.enter_context(open_table(options["tsv"])) if options["tsv"] else None
        if table:
            table.write("\t".join(_COLUMNS) + "\n")
        writer = stack.enter_context(VcfWriter(options["output"], header, kind=kind))
        progress = stack.enter_context(
            show_progress("scoring", None, unit="allele", quiet=options["quiet"])
        )
        for alleles, effects in _score(reader, placer, genome, engine, options["shifts"]):
            columns = _spell(alleles, effects)
            writer.write(fields.annotate(alleles, columns))
            _write_rows(table, alleles, columns, engine.spec.tasks)
            counts.update(alleles.count_reasons())
            progress(len(alleles))
    return counts


def _score(
    reader: "VcfReader", placer: "AllelePlacer", genome: "Genome", engine: "Engine", shifts: int
) -> "Iterator[tuple[AlleleTable, VariantEffects]]":
    from seqcnn.effects import score_pairs
    from seqcnn.variants import allele_pairs

    offsets = range(-((shifts - 1) // 2), shifts // 2 + 1)
    for block in reader.blocks():
        alleles = placer.place(block)
        pairs = [allele_pairs(alleles, genome, offset=offset) for offset in offsets]
        yield alleles, score_pairs(engine, pairs)


def _provenance(options: dict[str, Any]) -> tuple[str, ...]:
    from seqcnn.files import sha256
    from seqcnn.variants import provenance_lines

    model: Path = options["model"]
    shown = {key: value for key, value in options.items() if key != "variants"}
    lines = provenance_lines(
        "scoreVariants",
        __version__,
        canonical_command(shown, options["variants"]),
        model=model.name,
        sha256=sha256(model),
    )
    return lines[2:] if options["no_version"] else lines


# --- columns of numbers ----------------------------------------------------------------------

Columns = dict[tuple[str, int], Sequence[str]]
"""(score, number of the task) -> the score of each allele, spelled; ``.`` for missing."""


def _spell(alleles: "AlleleTable", effects: "VariantEffects") -> Columns:
    import numpy as np

    from seqcnn.variants import format_numbers

    columns: Columns = {}
    for score in (*_SCORES, "sd"):
        values = getattr(effects, score)
        for task in range(values.shape[1]):
            spread = np.full(len(alleles), np.nan)
            spread[alleles.scored] = values[:, task]
            columns[score, task] = format_numbers(spread)
    return columns


@dataclass(frozen=True)
class _Fields:
    """The INFO fields of a run."""

    scores: "dict[tuple[str, int], InfoField]"
    everything: "list[InfoField]"

    @classmethod
    def of(cls, engine: "Engine") -> "_Fields":
        from seqcnn.variants import NOTE_FIELD, REASON_FIELD, score_fields

        tasks = engine.spec.tasks
        left_out = {
            "sd": len(engine.model.members) == 1,
            "probability_difference": engine.spec.task_kind == "regression",
        }
        wanted = [score for score in (*_SCORES, "sd") if not left_out.get(score)]
        fields = score_fields(wanted, tasks)
        numbered = {(score, tasks.index(task)): field for (score, task), field in fields.items()}
        return cls(numbered, [*fields.values(), REASON_FIELD, NOTE_FIELD])

    def annotate(self, alleles: "AlleleTable", columns: Columns) -> list[str]:
        from seqcnn.variants import (
            NOTE_FIELD,
            REASON_FIELD,
            annotate_lines,
            note_names,
            reason_names,
        )

        spelled: dict[InfoField, Sequence[str]] = {
            field: columns[key] for key, field in self.scores.items()
        }
        spelled[REASON_FIELD] = reason_names(alleles.reasons)
        spelled[NOTE_FIELD] = note_names(alleles.notes)
        return annotate_lines(alleles, spelled)


# --- the table -------------------------------------------------------------------------------


def _write_rows(
    handle: TextIO | None, alleles: "AlleleTable", columns: Columns, tasks: Sequence[str]
) -> None:
    from seqcnn.variants import reason_names

    if handle is None:
        return
    block = alleles.block
    records = alleles.records.tolist()
    shared = [
        "\t".join(
            (block.contigs[r], str(block.positions[r]), block.identifiers[r], block.refs[r], alt)
        )
        for r, alt in zip(records, alleles.alts, strict=True)
    ]
    reasons = reason_names(alleles.reasons)
    by_task = [
        zip(*(columns[score, task] for score in (*_SCORES, "sd")), strict=True)
        for task in range(len(tasks))
    ]
    for locus, reason, *rows in zip(shared, reasons, *by_task, strict=True):
        for task, (*scores, sd) in zip(tasks, rows, strict=True):
            handle.write("\t".join((locus, task, *scores, ".", ".", sd, reason)) + "\n")


def _report(counts: Counter[str], path: Path) -> None:
    """Say how many alleles were scored, and why the others were not."""
    total, scored = sum(counts.values()), counts.pop("scored", 0)
    others = ", ".join(f"{reason} {number}" for reason, number in counts.most_common())
    _log.info("%s: %d of %d alleles scored%s", path, scored, total, f"; {others}" if others else "")
    if total and not scored:
        _log.warning("no allele of %s has a score: is the FASTA of the right build?", path)
