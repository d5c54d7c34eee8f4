"""``seqcnn score-variants``: a VCF and a model -> the same VCF, annotated."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.dry_run import show_preflight
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options, read_shard
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command
from seqcnn.cli.score_report import check_report, write_score_report
from seqcnn.cli.vcf_output import no_version_option, vcf_output_options, write_index_option
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.engine import Engine
    from seqcnn.genome import Genome
    from seqcnn.scoring import Outputs, Scorer, Tally
    from seqcnn.significance import Null
    from seqcnn.variants import VcfReader

__all__ = ["command"]

_log = logging.getLogger("seqcnn.score_variants")

Options = dict[str, Any]


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
@vcf_output_options
@write_index_option
@click.option("--tsv", type=OUTPUT, metavar="OUT.tsv[.gz]", help="A row an allele and task.")
@click.option("--parquet", type=OUTPUT, metavar="OUT", help="The same rows as Parquet.")
@click.option("--summary", type=OUTPUT, metavar="OUT.json", help="Counts by reason, as JSON.")
@click.option(
    "--report",
    type=OUTPUT,
    metavar="OUT.html",
    help="A page with the counts, the largest effects and their mutation maps; needs -o.",
)
@click.option(
    "-r",
    "--regions",
    metavar="CHR[:FROM-TO],...",
    help="Only records that overlap these; the input needs an index.",
)
@click.option(
    "-R",
    "--regions-file",
    type=INPUT,
    metavar="FILE",
    help="The same from a file: BED, or CHROM POS [END].",
)
@click.option(
    "--ref-mismatch",
    type=click.Choice(["skip", "error", "warn"]),
    default="skip",
    show_default=True,
    help="Where REF is not the FASTA's: no score, stop, or score REF as given.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Do not stop where the first 1,000 records all fail for one reason.",
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
    metavar="K",
    help="Average over windows at this many neighbouring offsets.",
)
@click.option(
    "--null",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Draw N null variants of each type from this genome, for p; and add q."
    " Default: p by the null in the model.",
)
@click.option(
    "--null-from",
    type=INPUT,
    metavar="BED",
    help="Draw them in these parts of the genome, as they are.",
)
@click.option(
    "--shard",
    callback=read_shard,
    metavar="I/N",
    help="Only the I-th of N parts; put together they are the whole.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted run ended.")
@click.option(
    "--dry-run", is_flag=True, help="Say what the run would meet and take; score nothing."
)
@no_version_option
@common_options
def command(**options: Any) -> None:
    """Score every allele of a VCF or BCF: the model's output for it less that for the reference.

    Records come out as they went in, with INFO fields added; an allele without a score has its
    reason. Logits, not probabilities, are averaged and subtracted.
    """
    from seqcnn.genome import open_genome

    _check_outputs(options)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(_open_variants(options))
        genome = stack.enter_context(open_genome(options["fasta"]))
        scorer = _make_scorer(options, reader, genome)
        if options["dry_run"]:
            show_preflight(reader, scorer, share=_share(options), summary=options["summary"])
            return
        tally = _run(options, reader, scorer)
        if options["report"]:
            write_score_report(options, tally, scorer, command=_command(options))
    _report(tally, options)


def _check_outputs(options: Options) -> None:
    from seqcnn.files import check_output
    from seqcnn.scoring import check_parquet

    outputs: list[Path] = [
        options[key] for key in ("output", "tsv", "parquet", "summary", "report") if options[key]
    ]
    if [str(path) for path in outputs].count("-") > 1:
        raise ConfigError(
            "standard output", "is to take two outputs", remedy="name a file with -o or --tsv"
        )
    taken: list[Path] = [options["variants"], options["fasta"], options["model"]]
    for path in outputs:
        if str(path) != "-":
            check_output(path, force=options["force"], inputs=taken)
            taken.append(path)
    check_report(options)
    if options["parquet"]:
        check_parquet()
    _check_choices(options)


def _check_choices(options: Options) -> None:
    from seqcnn.variants import check_indexable, output_kind

    kind = output_kind(options["output"], asked=options["output_type"])
    if options["write_index"]:
        check_indexable(options["output"], kind)
    if options["regions"] and options["regions_file"]:
        raise ConfigError("-r and -R", "are given both", expected="one of them")
    if str(options["variants"]) == "-" and (options["shard"] or options["resume"]):
        option = "--shard" if options["shard"] else "--resume"
        found = "standard input can be read only once, from its beginning"
        raise ConfigError(option, found, remedy="name a file")


def _open_variants(options: Options) -> "VcfReader":
    from seqcnn.variants import VcfReader, parse_regions, read_regions

    regions = None
    if options["regions"]:
        regions = parse_regions(options["regions"])
    elif options["regions_file"]:
        regions = read_regions(options["regions_file"])
    return VcfReader(options["variants"], regions=regions)


def _make_scorer(options: Options, reader: "VcfReader", genome: "Genome") -> "Scorer":
    from seqcnn.scoring import Scorer
    from seqcnn.variants import AllelePlacer, shift_offsets

    engine = open_engine(options)
    null = None if options["dry_run"] else _choose_null(options, engine, genome)
    offsets = shift_offsets(options["shifts"], length=engine.spec.length)
    placer = AllelePlacer(
        genome,
        length=engine.spec.length,
        offsets=offsets,
        ref_mismatch=options["ref_mismatch"],
        declared=reader.header.contigs,
    )
    return Scorer(engine, genome, placer, offsets, null)


def _choose_null(options: Options, engine: "Engine", genome: "Genome") -> "Null | None":
    """Draw null variants where that is asked for, or take those in the model if they will do."""
    if options["null"] or options["null_from"]:
        from seqcnn.nulls import null_from_genome

        return null_from_genome(
            engine,
            genome,
            count=options["null"] or 1000,
            seed=options["seed"],
            shifts=options["shifts"],
            bed=options["null_from"],
        )
    null = engine.model.null
    if null is None:
        _log.info("no p-values: the model has no null variants; --null 1000 draws them")
    elif not null.suits(strands=engine.spec.strands, shifts=options["shifts"]):
        _log.warning(
            "no p-values: the model's null is of other strands or shifts; give --null 1000"
        )
        return None
    return null


def _run(options: Options, reader: "VcfReader", scorer: "Scorer") -> "Tally":
    """Score the records of the run, from where an earlier process ended."""
    from seqcnn.scoring import Journal, fingerprint, run_scoring, write_summary
    from seqcnn.variants import index_variants

    outputs = _place_outputs(options)
    keys = ("variants", "fasta", "model", "regions_file", "null_from")
    files = [options[key] for key in keys if options[key]]
    run = fingerprint(_settings(options), *files) if outputs.journal else ""
    resume, anew = options["resume"], options["force"]
    with Journal(outputs.journal, run, resume=resume, anew=anew) as journal:
        if journal.last:
            _log.info("going on after record %d of the run", journal.last.records)
        elif options["resume"]:
            _log.info("nothing to go on with: beginning anew")
        first, stop = _share(options)
        total = None if stop is None else stop - first
        with show_progress(
            "scoring",
            total,
            unit="record",
            quiet=options["quiet"],
            share=lambda: reader.share,
        ) as progress:
            tally = run_scoring(
                reader,
                scorer,
                outputs,
                provenance=_provenance(options, scorer),
                records=(first, stop),
                journal=journal,
                keep_going=options["keep_going"],
                progress=progress,
            )
    if options["write_index"]:
        index_variants(outputs.vcf)
    if options["summary"]:
        write_summary(options["summary"], tally.to_json())
    return tally


def _place_outputs(options: Options) -> "Outputs":
    from seqcnn.scoring import Outputs
    from seqcnn.variants import output_kind

    return Outputs(
        options["output"],
        output_kind(options["output"], asked=options["output_type"]),
        options["tsv"],
        options["parquet"],
        with_q=_wants_q(options),
    )


def _wants_q(options: Options) -> bool:
    """Tell whether q is added: it needs the p-values of all shards."""
    return bool((options["null"] or options["null_from"]) and not options["shard"])


def _settings(options: Options) -> dict[str, object]:
    """Give what decides on the bytes of the outputs, beside the files that are read."""
    keys = ("output_type", "output", "tsv", "parquet", "regions_file", "no_version", "device")
    chosen: dict[str, object] = {key: str(options[key]) for key in keys}
    return {"version": __version__, "command": _command(options), **chosen}


def _share(options: Options) -> tuple[int, int | None]:
    """Give the first record of the shard, and the one after its last."""
    if not options["shard"]:
        return 0, None
    index, shards = options["shard"]
    with _open_variants(options) as reader:
        records = reader.count()
    first, stop = records * (index - 1) // shards, records * index // shards
    _log.info("shard %d of %d: records %d to %d of %d", index, shards, first + 1, stop, records)
    return first, stop


def _command(options: Options) -> str:
    shown = {key: value for key, value in options.items() if key != "variants"}
    if options["shard"]:
        shown["shard"] = "{}/{}".format(*options["shard"])
    return canonical_command(shown, options["variants"])


def _provenance(options: Options, scorer: "Scorer") -> tuple[str, ...]:
    from seqcnn.files import sha256
    from seqcnn.scoring import Q_NOTE, SHARD_NOTE
    from seqcnn.variants import provenance_lines

    model: Path = options["model"]
    lines = provenance_lines(
        "scoreVariants", __version__, _command(options), model=model.name, sha256=sha256(model)
    )
    notes: tuple[str, ...] = ()
    if scorer.null is not None and not _wants_q(options):
        notes = (SHARD_NOTE if options["shard"] else Q_NOTE,)
    return (*(lines[2:] if options["no_version"] else lines), *notes)


def _report(tally: "Tally", options: Options) -> None:
    """Say how many alleles were scored, and why the others were not."""
    path = options["variants"]
    _log.info("%s: %s", path, tally.describe())
    if tally.hint:
        _log.warning("no allele of %s has a score: %s", path, tally.hint)
