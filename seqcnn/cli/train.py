"""``seqcnn train``: options -> data -> a run directory."""

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.options import OUTPUT, common_options, set_up_logging
from seqcnn.cli.progress import show_progress
from seqcnn.cli.sources import Source, input_files, prepare_split, source_options
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.modelfile import ModelSpec

__all__ = ["command"]

_log = logging.getLogger("seqcnn.train")

_TASKS = click.Choice(["binary", "multilabel", "regression"])
_STRANDS = click.Choice(["average", "max", "single"])
_RUNTIME = {"output", "force", "quiet", "verbose", "threads", "device"}


def _describe_architectures(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from seqcnn.architectures import ARCHITECTURES, describe_architecture

        click.echo("\n\n".join(describe_architecture(name) for name in ARCHITECTURES))
        ctx.exit()


@click.command("train", no_args_is_help=True)
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
@click.option("--alphabet", type=click.Choice(["dna", "rna"]), default="dna", show_default=True)
@click.option("--strands", type=_STRANDS, help="Default: the family's own; single for RNA.")
@click.option(
    "--members",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Networks of the ensemble.",
)
@click.option(
    "--steps",
    type=click.IntRange(0, 10_000_000),
    default=0,
    metavar="N",
    help="Optimiser steps. Default: five passes, at least 480, at most 2000.",
)
@click.option("--batch-size", type=click.IntRange(2, 65_536), default=128, show_default=True)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 10, min_open=True),
    default=3e-3,
    show_default=True,
    help="Highest rate of the one-cycle schedule.",
)
@click.option("--weight-decay", type=click.FloatRange(0, 10), default=1e-2, show_default=True)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Of 20 evaluations, those without improvement before training stops.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="RUN/")
@common_options
def command(**options: Any) -> None:
    r"""Train a motif CNN, and write a run directory.

    RUN/ holds model.safetensors, config.yaml (reruns the same), metrics.json, history.tsv,
    predictions.test.tsv.gz, report.html and train.log.

    \b
    Example:
      seqcnn train --peaks peaks.narrowPeak --fasta genome.fa.gz -o run
    """
    from seqcnn.cli.run_directory import write_run_directory
    from seqcnn.files import refuse_existing, whole_directory

    output: Path = options["output"]
    refuse_existing(output, force=options["force"])
    started = time.monotonic()
    with whole_directory(output) as folder:
        set_up_logging(
            quiet=options["quiet"], verbose=options["verbose"], file=folder / "train.log"
        )
        run = _train(dict(options))
        write_run_directory(folder, run, seconds=time.monotonic() - started)
        set_up_logging(quiet=options["quiet"], verbose=options["verbose"])
    _log.info("%s: done in %.0f s", output, time.monotonic() - started)


def _train(options: dict[str, Any]) -> Any:
    from seqcnn.cli.run_directory import Run, canonical_command, log_split
    from seqcnn.engine.devices import describe_device, resolve_device
    from seqcnn.experiment import run_experiment
    from seqcnn.training import TrainingConfig, choose_steps

    recorded = {key: value for key, value in options.items() if key not in _RUNTIME}
    config = _network_config(options)  # before anything slow: a wrong field is told at once
    source = Source.take(options)
    device = resolve_device(options["device"])
    _log.info("seqcnn %s", __version__)
    _log.info("command: seqcnn %s", " ".join(sys.argv[1:]))
    _log.info("device: %s", describe_device(device))
    split, kind = prepare_split(
        source,
        validation=options["validation"],
        test=options["test"],
        task_kind=options["task"],
        seed=options["seed"],
    )
    log_split(split)
    spec = _spec(options, config, kind, split.train)
    training = TrainingConfig(
        **{
            key: options[key]
            for key in (
                "steps",
                "batch_size",
                "learning_rate",
                "weight_decay",
                "patience",
                "members",
                "seed",
            )
        }
    )
    provenance = {
        "version": __version__,
        "command": canonical_command("train", recorded),
        "inputs": input_files(source, options["validation"], options["test"]),
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
            device=device,
            threads=options["threads"],
            progress=progress,
        )
    return Run(experiment, split, recorded, describe_device(device))


def _network_config(options: dict[str, Any]) -> Any:
    from seqcnn.architectures import configure

    settings = {}
    for setting in options["settings"]:
        field, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}", "no value", expected="FIELD=VALUE")
        settings[field.strip()] = value.strip()
    return configure(options["arch"], settings)


def _spec(options: dict[str, Any], config: Any, kind: str, train: Any) -> "ModelSpec":
    from seqcnn.modelfile import ModelSpec

    single = options["alphabet"] == "rna"
    spec = ModelSpec(
        architecture=options["arch"],
        config=config,
        task_kind=kind,  # type: ignore[arg-type]
        tasks=train.tasks,
        length=train.sequences.length,
        strands=options["strands"] or ("single" if single else config.strands),
        alphabet=options["alphabet"],
    )
    shortest = getattr(config, "width", 1)
    if options["arch"] == "motif" and spec.length < shortest:
        raise ConfigError(
            "--length",
            f"{spec.length} bp",
            expected=f"at least the detectors' {shortest} bp",
            remedy="choose a larger --length, or --set width=...",
        )
    return spec
