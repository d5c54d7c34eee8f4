"""``seqcnn train``: options -> data -> a run directory."""

import contextlib
import logging
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.log import log_to_file
from seqcnn.cli.members import Members, choose_families, make_families, mixture_spec, read_members
from seqcnn.cli.models import choose_device
from seqcnn.cli.options import OUTPUT, common_options
from seqcnn.cli.processes import joined_processes, wait_for_all
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command, digest_inputs
from seqcnn.cli.sources import source_options, take_source
from seqcnn.cli.training_options import (
    check_length,
    model_options,
    optimiser_options,
    read_split,
    split_options,
)
from seqcnn.cli.transfer_options import read_start, transfer_options

if TYPE_CHECKING:
    from seqcnn.checkpoints import Checkpoints
    from seqcnn.cli.run_directory import Run
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.sources import Source
    from seqcnn.splits import Split
    from seqcnn.training import DivergenceError, Family
    from seqcnn.training.processes import Processes

__all__ = ["command"]

_log = logging.getLogger("seqcnn.train")

_LAST_GOOD = "last-good.safetensors"
"""In the partial folder: a model of the best weights of a training that broke."""


@click.command(
    "train",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn train --peaks peaks.narrowPeak --fasta genome.fa.gz -o run",
)
@source_options
@split_options
@model_options
@optimiser_options
@transfer_options
@click.option(
    "--fast",
    is_flag=True,
    help="Train one network, of the family motif where none is named: a quarter of the time.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="RUN/", help="Folder to make.")
@click.option(
    "--resume", is_flag=True, help="Go on where an interrupted run of the same command ended."
)
@common_options
def command(**options: Any) -> None:
    """Train a motif CNN, and write a run directory.

    RUN/ holds model.safetensors, config.yaml (reruns the same), metrics.json, history.tsv,
    predictions.test.tsv.gz, errors.test.tsv, report.html and train.log.

    Until it is whole, all is in RUN.partial/. What Ctrl-C, SIGTERM (exit 143) or SIGUSR1 (exit
    75) interrupts, --resume goes on with, as if nothing had been; so it does after a crash, from
    the last checkpoint.

    Several processes train a deep network together: torchrun --nproc-per-node N -m seqcnn train.
    """
    with joined_processes(options) as processes:
        job = _read_options(options)
        if processes.rank:
            _help(job, processes)
        else:
            _lead(job, processes)


def _lead(job: "_Job", processes: "Processes") -> None:
    from seqcnn.checkpoints import resumable_directory
    from seqcnn.cli.run_directory import write_run_directory

    options, started = job.options, time.monotonic()
    output, again = options["output"], options["resume"]
    run = _fingerprint(job, processes)
    with (
        resumable_directory(
            output, run, resume=again, anew=options["force"], clock=time.monotonic
        ) as partial,
        log_to_file(partial[0] / "train.log"),
    ):
        wait_for_all(processes)
        done = _train(job, *partial)
        write_run_directory(partial[0], done, seconds=time.monotonic() - started)
    _log.info("%s: done in %.0f s", output, time.monotonic() - started)


def _help(job: "_Job", processes: "Processes") -> None:
    """Train with the first process, and write nothing."""
    from seqcnn.checkpoints import Checkpoints, checkpoint_folder
    from seqcnn.training.processes import HelperFinished

    folder = checkpoint_folder(job.options["output"])
    run = _fingerprint(job, processes)
    wait_for_all(processes)  # until it is known whether there is anything to go on with
    with contextlib.suppress(HelperFinished):
        _train(job, folder, Checkpoints(folder, run, writes=False))


@dataclass(frozen=True)
class _Job:
    """What the options stand for."""

    options: dict[str, Any]
    source: "Source"
    members: list[Members]
    start: "TrainedModel | None"
    inputs: list[Path]


def _read_options(options: dict[str, Any]) -> _Job:
    """Tell what is wrong with the options before anything slow."""
    from seqcnn.checkpoints import PARTIAL_FILES
    from seqcnn.cli.run_directory import RUN_FILES
    from seqcnn.files import check_output
    from seqcnn.linefiles import partial_path

    source = take_source(options)
    start = read_start(options)
    members = read_members(options, start)
    for one in members:
        check_length(one.config, options["length"] or sys.maxsize)
    held_out = (Path(options[name] or "") for name in ("validation", "test"))
    inputs = [*source.files, *(path for path in held_out if path.is_file())]
    inputs += [options["init"]] if start else []
    output = options["output"]
    check_output(output, force=options["force"], inputs=inputs, made=RUN_FILES)
    made = (*RUN_FILES, *PARTIAL_FILES, _LAST_GOOD)
    check_output(partial_path(output), force=True, inputs=inputs, made=made)
    return _Job(options, source, members, start, inputs)


def _fingerprint(job: _Job, processes: "Processes") -> str:
    """Digest all that decides on the run directory."""
    from seqcnn.engine.devices import find_device
    from seqcnn.scoring.journal import fingerprint

    kind = find_device(job.options["device"]).partition(":")[0]
    command = canonical_command(job.options)
    settings = {"version": __version__, "command": command, "device": kind}
    settings |= {"processes": str(processes.number)} if processes.number > 1 else {}
    return fingerprint(settings, *(path for path in job.inputs if path.exists()))


def _train(job: _Job, folder: Path, checkpoints: "Checkpoints") -> "Run":
    import torch

    from seqcnn.cli.run_directory import Run, log_split
    from seqcnn.engine.devices import describe_device
    from seqcnn.experiment import run_experiment
    from seqcnn.training import DivergenceError, standardise_targets, take_weights

    _log.info("seqcnn %s", __version__)
    _log.info("command: seqcnn %s", shlex.join(sys.argv[1:]))
    options = job.options
    device = choose_device(options)
    split, kind, transform = read_split(options, job.source)
    log_split(split, kind)
    members = choose_families(job.members, options, kind, split)
    families = make_families(members, split.train, kind, transform=transform)
    spec = families[0].spec
    starts = take_weights(job.start, spec) if job.start else ()
    steps = sum(_count_steps(family, split) for family in families)
    with show_progress("training", steps, unit="step", quiet=options["quiet"]) as progress:
        try:
            experiment = run_experiment(
                split,
                spec if len(families) == 1 else mixture_spec(families),
                families[0].config,
                families=families if len(families) > 1 else (),
                starts=starts,
                provenance=_provenance(job),
                device=torch.device(device),
                threads=options["threads"],
                progress=progress,
                checkpoints=checkpoints,
            )
        except DivergenceError as problem:
            if problem.network.history and checkpoints.writes:
                _keep_last_good(problem, standardise_targets(spec, split.train), folder, job)
                checkpoints.kept = True
            raise
    return Run(experiment, split, options, describe_device(device))


def _count_steps(family: "Family", split: "Split") -> int:
    from seqcnn.training import count_steps

    own = family.choose_data(split)
    return family.config.members * count_steps(family.config, family.spec, own)


def _provenance(job: _Job) -> dict[str, Any]:
    return {
        "version": __version__,
        "command": canonical_command(job.options),
        "inputs": digest_inputs(job.inputs),
        "seed": job.options["seed"],
    }


def _keep_last_good(problem: "DivergenceError", spec: "ModelSpec", folder: Path, job: _Job) -> None:
    """Write the best weights there were as a model, which ``--init`` can begin with."""
    from seqcnn.modelfile import TrainedModel, write_model

    model = TrainedModel(spec, (problem.network.weights,), provenance=_provenance(job))
    write_model(model, folder / _LAST_GOOD)
    problem.remedy += f"; the best weights before that are in {folder / _LAST_GOOD}"
