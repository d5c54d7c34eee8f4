"""``seqcnn train``: options -> data -> a run directory."""

import logging
import shlex
import sys
import time
from dataclasses import replace
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
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.architectures import NetworkConfig
    from seqcnn.cli.run_directory import Run
    from seqcnn.datasets import LabelledSequences
    from seqcnn.metrics import TaskKind
    from seqcnn.modelfile import ModelSpec
    from seqcnn.sources import Source
    from seqcnn.splits import Split

__all__ = ["command"]

_log = logging.getLogger("seqcnn.train")

_TASKS = click.Choice(["binary", "multilabel", "regression"])
_STRANDS = click.Choice(["average", "max", "single"])
_HYPERPARAMETERS = (
    "steps",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "patience",
    "members",
    "seed",
)


def _describe_architectures(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from seqcnn.architectures import ARCHITECTURES, describe_architecture

        click.echo("\n\n".join(describe_architecture(name) for name in ARCHITECTURES))
        ctx.exit()


@click.command(
    "train",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn train --peaks peaks.narrowPeak --fasta genome.fa.gz -o run",
)
@source_options
@click.option("--validation", metavar="CONTIG,...|0.1|FILE", help="Chooses the best weights.")
@click.option(
    "--test",
    metavar="CONTIG,...|0.1|FILE",
    help="Held out for the final figures. Regions are CONTIG:START-END. Default: by contig where"
    " there are coordinates, else a tenth.",
)
@click.option("--arch", default="motif", show_default=True, metavar="NAME", help="Network family.")
@click.option(
    "--arch-help",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_describe_architectures,
    help="List the families with their fields and defaults.",
)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A field of --arch.")
@click.option("--task", type=_TASKS, help="Default: follows from the targets.")
@click.option(
    "--transform",
    type=click.Choice(["auto", "none", "log2"]),
    default="auto",
    show_default=True,
    help="Scale on which a regression learns and predicts; auto takes log2 for positive targets"
    " with a long upper tail.",
)
@click.option(
    "--alphabet",
    type=click.Choice(["dna", "rna"]),
    default="dna",
    show_default=True,
    help="RNA has one strand, and U in its motifs.",
)
@click.option("--strands", type=_STRANDS, help="Default: the family's own; single for RNA.")
@click.option(
    "--members",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Networks of the ensemble.",
)
@click.option(
    "--steps",
    type=click.IntRange(0, 10_000_000),
    default=0,
    metavar="N",
    help="Optimiser steps. Default: five passes, at least 480, at most 2000.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(2, 65_536),
    default=128,
    show_default=True,
    metavar="N",
    help="Sequences of an optimiser step, negatives included.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 10, min_open=True),
    default=3e-3,
    show_default=True,
    metavar="RATE",
    help="Highest rate of the one-cycle schedule.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(0, 10),
    default=1e-2,
    show_default=True,
    metavar="SHARE",
    help="AdamW's pull of the weights towards zero.",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    metavar="N",
    help="Of 20 evaluations, those without improvement before training stops.",
)
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
    config = _network_config(options)  # a wrong field is told before anything slow
    _check_length(config, options["length"] or sys.maxsize)
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
    from seqcnn.sources import prepare_split
    from seqcnn.targets import transform_split
    from seqcnn.training import TrainingConfig, choose_steps

    _log.info("seqcnn %s", __version__)
    _log.info("command: seqcnn %s", shlex.join(sys.argv[1:]))
    device = choose_device(options)
    split, kind = prepare_split(
        source,
        validation=options["validation"],
        test=options["test"],
        task_kind=options["task"],
        seed=options["seed"],
    )
    transform = _transform(options, kind, split)
    split = transform_split(split, transform)
    log_split(split, kind)
    spec = replace(_spec(options, config, kind, split.train), transform=transform)
    training = TrainingConfig(**{name: options[name] for name in _HYPERPARAMETERS})
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


def _network_config(options: dict[str, Any]) -> "NetworkConfig":
    from seqcnn.architectures import configure

    settings = {}
    for setting in options["settings"]:
        field, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}", "no value", expected="FIELD=VALUE")
        settings[field.strip()] = value.strip()
    return configure(options["arch"], settings)


def _transform(options: dict[str, Any], kind: "TaskKind", split: "Split") -> str:
    from seqcnn.targets import choose_transform

    asked: str = options["transform"]
    if kind != "regression":
        if asked == "log2":
            raise ConfigError("--transform log2", f"the task is {kind}", expected="a regression")
        return "none"
    return choose_transform(split.train) if asked == "auto" else asked


def _spec(
    options: dict[str, Any], config: "NetworkConfig", kind: "TaskKind", train: "LabelledSequences"
) -> "ModelSpec":
    from seqcnn.modelfile import ModelSpec

    single = options["alphabet"] == "rna"
    spec = ModelSpec(
        architecture=options["arch"],
        config=config,
        task_kind=kind,
        tasks=train.tasks,
        length=train.sequences.length,
        strands=options["strands"] or ("single" if single else config.strands),
        alphabet=options["alphabet"],
    )
    _check_length(config, spec.length)
    return spec


def _check_length(config: "NetworkConfig", length: int) -> None:
    if length < config.shortest:
        raise ConfigError(
            "--length",
            f"{length} bp",
            expected=f"at least the network's {config.shortest} bp",
            remedy="choose a larger --length, or a smaller network with --set",
        )
