"""``seqcnn pretrain``: a genome without labels -> a model file for ``train --init``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.models import choose_device
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command, digest_inputs
from seqcnn.cli.training_options import check_length, read_network

if TYPE_CHECKING:
    from seqcnn.architectures import NetworkConfig
    from seqcnn.dna import Codes
    from seqcnn.modelfile import ModelSpec
    from seqcnn.training import Pretrained

__all__ = ["command"]

_log = logging.getLogger("seqcnn.pretrain")

_HELD_OUT = 0.05
_FEWEST = 20
"""Windows that a genome must give."""


@click.command(
    "pretrain",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn pretrain --fasta genome.fa.gz -o genome.safetensors",
)
@click.option("--fasta", type=INPUT, required=True, metavar="FA", help="Genome to learn from.")
@click.option(
    "--length",
    type=click.IntRange(1, 1_000_000),
    default=101,
    show_default=True,
    metavar="BP",
    help="Bases of a window.",
)
@click.option(
    "--windows",
    type=click.IntRange(100, 10_000_000),
    default=50_000,
    show_default=True,
    metavar="N",
    help="Windows that are drawn.",
)
@click.option(
    "--mask",
    type=click.FloatRange(0.01, 0.9),
    default=0.15,
    show_default=True,
    metavar="SHARE",
    help="Chance of a base to be masked.",
)
@click.option("--arch", default="motif", show_default=True, metavar="NAME", help="Network family.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A field of --arch.")
@click.option(
    "--alphabet",
    type=click.Choice(["dna", "rna"]),
    default="dna",
    show_default=True,
    help="DNA is seen on both strands.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Optimiser steps.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(2, 65_536),
    default=128,
    show_default=True,
    metavar="N",
    help="Windows of an optimiser step.",
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
    "-o", "--output", type=OUTPUT, required=True, metavar="MODEL.safetensors", help="To write."
)
@common_options
def command(output: Path, **options: Any) -> None:
    """Train the first layer of a network without labels, to restore masked bases of a genome.

    The model file gives no scores: `seqcnn train --init` begins with its first layer.
    """
    from seqcnn.files import check_output
    from seqcnn.training import check_layers

    config = read_network(options)
    check_layers("--arch", config)
    check_length(config, options["length"])
    check_output(output, force=options["force"], inputs=[options["fasta"]])
    windows = _draw(options)
    spec = _spec(options, config)
    done = _pretrain(options, windows, spec)
    _write(output, options, spec, done)
    best = min(done.history, key=lambda row: row["validation_loss"])
    _log.info(
        "%s: of the masked bases that were held out, %.1f %% are restored (%.1f %% are the"
        " commonest base)",
        output,
        100 * best["accuracy"],
        100 * best["commonest"],
    )


def _draw(options: dict[str, Any]) -> "Codes":
    import numpy as np

    from seqcnn.errors import FastaError
    from seqcnn.fasta import open_genome
    from seqcnn.nulls.places import draw_windows

    rng = np.random.default_rng([options["seed"], 9])
    with open_genome(options["fasta"]) as genome:
        windows = draw_windows(genome, length=options["length"], count=options["windows"], rng=rng)
    if len(windows) < _FEWEST:
        found = f"gives {len(windows)} windows of {options['length']} bp"
        raise FastaError(options["fasta"], found, expected=f"at least {_FEWEST}")
    _log.info("%d windows of %d bp", *windows.shape)
    return windows


def _spec(options: dict[str, Any], config: "NetworkConfig") -> "ModelSpec":
    from seqcnn.modelfile import ModelSpec

    return ModelSpec(
        architecture=options["arch"],
        config=config,
        task_kind="binary",
        tasks=("masked bases",),
        length=options["length"],
        strands="single" if options["alphabet"] == "rna" else config.strands,
        alphabet=options["alphabet"],
    )


def _pretrain(options: dict[str, Any], windows: "Codes", spec: "ModelSpec") -> "Pretrained":
    import torch

    from seqcnn.engine.devices import count_threads
    from seqcnn.training import TrainingConfig, pretrain

    names = ("steps", "batch_size", "learning_rate", "seed")
    training = TrainingConfig(**{name: options[name] for name in names})
    held_out = max(1, round(_HELD_OUT * len(windows)))
    device = torch.device(choose_device(options))
    torch.set_num_threads(count_threads(options["threads"]))
    with show_progress(
        "pre-training", training.steps, unit="step", quiet=options["quiet"]
    ) as progress:
        return pretrain(
            windows[held_out:],
            windows[:held_out],
            spec,
            training,
            mask=options["mask"],
            device=device,
            progress=progress,
        )


def _write(output: Path, options: dict[str, Any], spec: "ModelSpec", done: "Pretrained") -> None:
    from seqcnn.modelfile import UNSUPERVISED, TrainedModel, write_model

    provenance = {
        "version": __version__,
        "command": canonical_command(options),
        "inputs": digest_inputs([options["fasta"]]),
        "seed": options["seed"],
        UNSUPERVISED: list(done.learned),
        "history": done.history,
    }
    write_model(TrainedModel(spec, (done.weights,), provenance=provenance), output)
