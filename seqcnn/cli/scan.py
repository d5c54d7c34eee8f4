"""``seqcnn scan``: a model along a genome -> a track of logits, and sites."""

import contextlib
import itertools
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.tables import open_table
from seqcnn.cli.tasks import choose_tasks, plain_names, task_option
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seqcnn.engine import Engine
    from seqcnn.genome import Genome
    from seqcnn.scanning import Site, Stretch

__all__ = ["command"]

_log = logging.getLogger("seqcnn.scan")

_MOST_TRACKS = 100

Options = dict[str, Any]


@click.command(
    "scan",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn scan -m run/model.safetensors --fasta genome.fa -o logits.bw --sites sites.bed",
)
@model_option
@click.option("--fasta", type=INPUT, required=True, metavar="FA", help="The genome.")
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    required=True,
    metavar="OUT.bw",
    help="bigWig; or bedGraph: .bedgraph[.gz]. With several tasks one file each: OUT.TASK.bw.",
)
@click.option("--sites", type=OUTPUT, metavar="OUT.bed", help="Call sites too (BED6).")
@click.option(
    "--threshold",
    type=float,
    metavar="LOGIT",
    help="The least logit of a site. Default: what one in 1,000 shuffled windows of the genome"
    " exceeds, and no less than the median of the training positives.",
)
@click.option("--regions", type=INPUT, metavar="BED", help="Only windows whose centre is in these.")
@task_option
@common_options
def command(**options: Any) -> None:
    """Score every window of a genome, and call the sites where the logit is highest.

    A value stands at the centre of its window. Windows that reach off their contig have none,
    nor have windows without a known base. Contigs are in the order of their names.
    """
    from seqcnn.genome import open_genome, read_bed
    from seqcnn.scanning import plan_scan

    _check_threshold(options)
    _check_outputs([options["output"]], options)
    regions = read_bed(options["regions"]) if options["regions"] else None
    with open_genome(options["fasta"]) as genome:
        engine = open_engine(options)
        tasks = choose_tasks(engine.spec, options)
        paths = _name_tracks(options["output"], [engine.spec.tasks[i] for i in tasks])
        _check_outputs(paths, options)
        stretches = plan_scan(
            genome.contigs,
            length=engine.spec.length,
            regions=regions,
            where=options["regions"] or options["fasta"],
        )
        _scan(engine, genome, stretches, dict(zip(tasks, paths, strict=True)), options)


def _check_threshold(options: Options) -> None:
    if options["threshold"] is not None and not options["sites"]:
        raise ConfigError("--threshold", "no sites are called", remedy="name a file with --sites")


def _check_outputs(paths: Sequence[Path], options: Options) -> None:
    from seqcnn.files import check_output
    from seqcnn.tracks import check_track

    taken = [options[key] for key in ("model", "fasta", "regions") if options[key]]
    for path in paths:
        check_track(path)
    for path in [*paths, *([options["sites"]] if options["sites"] else [])]:
        check_output(path, force=options["force"], inputs=taken)
        taken.append(path)


def _name_tracks(output: Path, tasks: Sequence[str]) -> list[Path]:
    """Name a file for each task: of several, their names stand before the suffix."""
    if len(tasks) == 1:
        return [output]
    if len(tasks) > _MOST_TRACKS:
        raise ConfigError(
            output,
            f"would be {len(tasks)} files, one for each task",
            expected=f"at most {_MOST_TRACKS}",
            remedy="choose some with --task",
        )
    suffixes = output.suffixes[-2:] if output.suffix.lower() == ".gz" else output.suffixes[-1:]
    suffix = "".join(suffixes)
    stem = output.name.removesuffix(suffix)
    return [output.with_name(f"{stem}.{name}{suffix}") for name in plain_names(tasks)]


def _choose_thresholds(
    engine: "Engine", genome: "Genome", stretches: "Sequence[Stretch]", options: Options
) -> "NDArray[np.float64]":
    """Give each task's threshold, and say in the log which it is."""
    import numpy as np

    from seqcnn.scanning import choose_thresholds

    tasks = engine.spec.tasks
    thresholds = np.full(len(tasks), np.inf)
    chosen = choose_tasks(engine.spec, options)
    if options["threshold"] is not None:
        thresholds[chosen] = options["threshold"]
    else:
        found = choose_thresholds(engine, genome, stretches, seed=options["seed"])
        thresholds[chosen] = found[chosen]
        for task in chosen:
            _log.info("sites of %s: logits from %.6g on", tasks[task], thresholds[task])
    return thresholds


def _scan(
    engine: "Engine",
    genome: "Genome",
    stretches: "Sequence[Stretch]",
    paths: dict[int, Path],
    options: Options,
) -> None:
    from seqcnn.scanning import SiteFinder, scan_stretch
    from seqcnn.tracks import open_track

    thresholds = (
        _choose_thresholds(engine, genome, stretches, options) if options["sites"] else None
    )
    total, called = sum(stretch.stop - stretch.first for stretch in stretches), 0
    with contextlib.ExitStack() as stack:
        show = show_progress("scanning", total, unit="window", quiet=options["quiet"])
        progress = stack.enter_context(show)
        tracks = {
            task: stack.enter_context(open_track(path, genome.contigs, values=total))
            for task, path in paths.items()
        }
        bed = stack.enter_context(open_table(options["sites"])) if options["sites"] else None
        for contig, group in itertools.groupby(stretches, lambda stretch: stretch.contig):
            codes = genome.codes(contig)
            finder = None if thresholds is None else SiteFinder(engine, codes, thresholds)
            for stretch in group:
                for first, logits in scan_stretch(engine, codes, stretch):
                    for task, track in tracks.items():
                        track.add(contig, first, logits[:, task])
                    if finder:
                        finder.add(first, logits)
                    progress(len(logits))
            if finder and bed:
                sites = finder.finish()
                called += len(sites)
                _write_sites(bed, contig, sites, engine.spec.tasks)
    words = f"; {called} sites in {options['sites']}" if options["sites"] else ""
    _log.info("%s: %d windows%s", ", ".join(map(str, paths.values())), total, words)


def _write_sites(bed: TextIO, contig: str, sites: "Sequence[Site]", tasks: Sequence[str]) -> None:
    names = [re.sub(r"\s+", "_", task) for task in tasks]
    bed.writelines(
        f"{contig}\t{site.start}\t{site.end}\t{names[site.task]}\t{site.logit:.6g}\t{site.strand}\n"
        for site in sites
    )
