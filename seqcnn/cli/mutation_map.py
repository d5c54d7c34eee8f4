"""``seqcnn mutation-map``: what every substitution of a sequence does -> a table and pictures."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.map_folder import MapFolder, earlier_output
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.tasks import choose_tasks, task_option
from seqcnn.errors import ConfigError, FastaError, VcfError

if TYPE_CHECKING:
    from seqcnn.attribution import VariantMaps
    from seqcnn.dna import Codes
    from seqcnn.engine import Engine
    from seqcnn.genome import Genome
    from seqcnn.motifs import Motif
    from seqcnn.variants import AlleleTable

__all__ = ["command"]

_log = logging.getLogger("seqcnn.maps")

_LONGEST_REGION = 100_000
_BLOCK = 200

Options = dict[str, Any]


@click.command(
    "mutation-map",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn mutation-map -m model.safetensors --fasta genome.fa"
    " --region chr5:1295063-1295163 -o map",
)
@model_option
@click.option("--fasta", type=INPUT, metavar="FA", help="The genome of --region and --vcf.")
@click.option(
    "--region",
    metavar="CONTIG:START-END",
    help="Map this part of the genome, from 1, both ends included; several: parted by commas.",
)
@click.option("--sequences", type=INPUT, metavar="FA", help="Map each of these sequences.")
@click.option("--vcf", type=INPUT, metavar="VCF", help="Map the windows of each allele.")
@task_option
@click.option(
    "--gate",
    type=click.Choice(["none", "indicator", "product"]),
    default="none",
    show_default=True,
    help="DeepBind's: delta only where a logit is above 0, or times the larger logit.",
)
@click.option(
    "--motifs",
    type=INPUT,
    metavar="DB.meme",
    help="Name these motifs where they are. Default: those in the model.",
)
@click.option("--bigwig", is_flag=True, help="With --region: the effect of each base as bigWig.")
@click.option(
    "--pictures",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    metavar="N",
    help="Draw the first N, a picture for each sequence or allele and task. 0: all.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Show what each substitution of a sequence does to the model's output.

    OUT/ holds map.tsv (name, position from 1, ref, alt, logit, delta) and a picture of each
    sequence or allele, as SVG and PNG: letters over a heat map. A region or sequence of up to the
    model's length is looked at as one window; in a longer one every position is in the middle of
    its own window, as a variant is.
    """
    from seqcnn.files import check_output, whole_directory

    _check_choice(options)
    output: Path = options["output"]
    keys = ("model", "fasta", "sequences", "vcf", "motifs")
    inputs = [options[key] for key in keys if options[key]]
    check_output(output, force=options["force"], inputs=inputs, made=earlier_output(output))
    motifs = _read_motifs(options)
    engine = open_engine(options)
    tasks = [engine.spec.tasks[i] for i in choose_tasks(engine.spec, options)]
    if not options["motifs"]:
        motifs = [motif for motif in engine.model.motifs if not motif.duplicate_of]
    with contextlib.ExitStack() as stack:
        genome = _open_genome(options, stack)
        folder = stack.enter_context(whole_directory(output))
        drawn = MapFolder(
            folder,
            tasks,
            gate=options["gate"],
            motifs=motifs,
            pictures=options["pictures"],
        )
        stack.callback(drawn.close)
        if options["vcf"]:
            _map_vcf(engine, genome, options, drawn)
        else:
            _map_plain(engine, genome, options, drawn)
    _log.info("%s: %s", output, drawn.describe())


def _check_choice(options: Options) -> None:
    given = [f"--{key}" for key in ("region", "sequences", "vcf") if options[key]]
    if len(given) != 1:
        found = f"{' and '.join(given)} together" if given else "nothing to map is named"
        raise ConfigError("mutation-map", found, expected="one of --region, --sequences, --vcf")
    if given[0] != "--sequences" and not options["fasta"]:
        raise ConfigError(given[0], "without a genome", remedy="give it with --fasta")
    if options["bigwig"] and not options["region"]:
        raise ConfigError(
            "--bigwig", "several maps would lie on one another", expected="it with --region"
        )


def _read_motifs(options: Options) -> "list[Motif]":
    if not options["motifs"]:
        return []
    from seqcnn.motifs import read_meme

    return read_meme(options["motifs"])


def _open_genome(options: Options, stack: contextlib.ExitStack) -> "Genome | None":
    if options["sequences"]:
        return None
    from seqcnn.genome import open_genome

    return stack.enter_context(open_genome(options["fasta"]))


def _map_plain(
    engine: "Engine", genome: "Genome | None", options: Options, drawn: MapFolder
) -> None:
    """Map regions, or sequences."""
    from seqcnn.attribution import locate_regions, map_region, map_sequences

    show = {"unit": "base", "quiet": options["quiet"]}
    if genome is None:
        records = _read_sequences(options["sequences"])
        with show_progress("mapping", sum(len(codes) for _, codes in records), **show) as progress:
            for each in map_sequences(engine, records, progress=progress):
                drawn.add([each], title=each.name)
        return
    text = options["region"]
    regions = locate_regions(text, genome, option="--region", most=_LONGEST_REGION)
    maps = []
    with show_progress("mapping", sum(r.end - r.start for r in regions), **show) as progress:
        for region in regions:
            each = map_region(engine, genome, region, progress=progress)
            drawn.add([each], title=each.name)
            maps.append(each)
    if options["bigwig"]:
        drawn.write_tracks(maps, genome.contigs)


def _read_sequences(path: Path) -> "list[tuple[str, Codes]]":
    from seqcnn.genome import read_fasta_records

    records = read_fasta_records(path)
    for name, codes in records:
        if not 0 < len(codes) <= _LONGEST_REGION:
            raise FastaError(
                f"{path}: {name}",
                f"{len(codes):,} bases",
                expected=f"1 to {_LONGEST_REGION:,}",
                remedy="cut it; seqcnn scan scores whole contigs",
            )
    return records


def _map_vcf(engine: "Engine", genome: "Genome | None", options: Options, drawn: MapFolder) -> None:
    """Map the windows of each allele, and list the alleles that have none."""
    from seqcnn.attribution import map_variants
    from seqcnn.variants import AllelePlacer, VcfReader

    if genome is None:
        raise TypeError("variants without a genome")
    with VcfReader(options["vcf"], block_records=_BLOCK) as reader:
        placer = AllelePlacer(genome, length=engine.spec.length, declared=reader.header.contigs)
        quiet = options["quiet"]
        with show_progress(
            "mapping", None, unit="allele", quiet=quiet, share=lambda: reader.share
        ) as progress:
            for block in reader.blocks():
                alleles = placer.place(block)
                drawn.skip(alleles)
                for maps in map_variants(engine, alleles, genome, progress=progress):
                    drawn.add([maps.ref, maps.alt], title=_title(alleles, maps))
    if not drawn.maps:
        raise VcfError(
            options["vcf"],
            f"no allele can be mapped ({drawn.describe_skipped() or 'there is none'})",
            remedy="check that this is the genome of the variants",
        )


def _title(alleles: "AlleleTable", maps: "VariantMaps") -> str:
    identifier = alleles.block.identifiers[int(alleles.records[maps.row])]
    name = maps.ref.name.removesuffix("/ref")
    return name if identifier == "." else f"{identifier}  {name}"
