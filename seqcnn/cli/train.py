"""``seqcnn train``: options -> data -> a run directory."""

import logging
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.log import log_to_file
from seqcnn.cli.models import choose_device
from seqcnn.cli.options import OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command, digest_inputs
from seqcnn.cli.sources import source_options, take_source
from seqcnn.cli.training_options import (
    check_length,
    make_spec,
    model_options,
    optimiser_options,
    read_network,
    read_split,
    read_training,
    split_options,
)

if TYPE_CHECKING:
    from seqcnn.architectures import NetworkConfig
    from seqcnn.cli.run_directory import Run
    from seqcnn.sources import Source

__all__ = ["command"]

_log = logging.getLogger("seqcnn.train")


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
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="RUN/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Train a motif CNN, and write a run directory.

    RUN/ holds model.safetensors, config.yaml (reruns the same), metrics.json, history.tsv,
    predictions.test.tsv.gz, report.html and train.log.
    """
    from seqcnn.cli.run_directory import RUN_FILES, write_run_directory
    from seqcnn.files import check_output, whole_directory

    output: Path = options["output"]
    source = take_source(options)
    config = read_network(options)  # a wrong field is told before anything slow
    check_length(config, options["length"] or sys.maxsize)
    held_out = (Path(options[name] or "") for name in ("validation", "test"))
    inputs = [*source.files, *(path for path in held_out if path.is_file())]
    check_output(output, force=options["force"], inputs=inputs, made=RUN_FILES)
    started = time.monotonic()
    with whole_directory(output) as folder, log_to_file(folder / "train.log"):
        run = _train(options, source, config, inputs)
        write_run_directory(folder, run, seconds=time.monotonic() - started)
    _log.info("%s: done in %.0f s", output, time.monotonic() - started)


def _train(
    options: dict[str, Any], source: "Source", config: "NetworkConfig", inputs: list[Path]
) -> "Run":
    import torch

    from seqcnn.cli.run_directory import Run, log_split
    from seqcnn.engine.devices import describe_device
    from seqcnn.experiment import run_experiment
    from seqcnn.training import choose_steps

    _log.info("seqcnn %s", __version__)
    _log.info("command: seqcnn %s", shlex.join(sys.argv[1:]))
    device = choose_device(options)
    split, kind, transform = read_split(options, source)
    log_split(split, kind)
    spec = make_spec(options, config, split.train, kind, transform=transform)
    training = read_training(options)
    provenance = {
        "version": __version__,
        "command": canonical_command(options),
        "inputs": digest_inputs(inputs),
        "seed": options["seed"],
    }
    steps = training.steps or choose_steps(split, training.batch_size)
    with show_progress(
        "training", steps * training.members, unit="step", quiet=options["quiet"]
    ) as progress:
        experiment = run_experiment(
            split,
            spec,
            training,
            provenance=provenance,
            device=torch.device(device),
            threads=options["threads"],
            progress=progress,
        )
    return Run(experiment, split, options, describe_device(device))
