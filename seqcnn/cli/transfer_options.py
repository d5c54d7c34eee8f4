"""The options by which a training begins with the weights of another model."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.options import INPUT
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.modelfile import TrainedModel
    from seqcnn.training import TrainingConfig

__all__ = ["fine_tune", "read_start", "transfer_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SHARE = 0.3
"""Rate at which weights are tuned that ``--init`` brings, as a share of the usual."""


def transfer_options(command: Decorated) -> Decorated:
    """Add the options of transfer."""
    start = click.option(
        "--init",
        type=INPUT,
        metavar="MODEL",
        help="Begin with the weights of this model, whose --arch and --set are taken over; outputs"
        " of other tasks begin with the mean of its outputs. The rate, unless --learning-rate gives"
        " it, is 0.3 of the usual.",
    )
    freeze = click.option(
        "--freeze",
        type=click.Choice(["trunk"]),
        help="With --init: keep all layers but the last as they are.",
    )
    return add_options(command, [start, freeze], "Transfer")


def read_start(options: dict[str, Any]) -> "TrainedModel | None":
    """Read the model of ``--init``; where ``--arch`` is not given, it becomes the model's.

    Raises
    ------
    ConfigError, ModelFileError
        When it is no model, or ``--freeze`` stands alone.
    """
    if options["init"] is None:
        if options["freeze"]:
            raise ConfigError("--freeze", "no --init", expected="a model whose layers are kept")
        return None
    from seqcnn.modelfile import read_model

    model = read_model(options["init"])
    if model.is_mixture:  # gapped k-mers have no weights to begin with
        networks = [part for part in model.parts if part.spec.architecture != "gkm"]
        model = networks[0] if networks else model
    if options["arch"] is None and model.members:
        options["arch"] = model.spec.architecture
    return model


def fine_tune(
    training: "TrainingConfig", options: dict[str, Any], start: "TrainedModel | None"
) -> "TrainingConfig":
    """Lower the rate for weights that ``--init`` brings, or keep them with ``--freeze``.

    After a training without labels only the first layer is brought: it alone learns slowly.
    """
    from seqcnn.modelfile import UNSUPERVISED

    if start is None:
        return training
    if options["freeze"]:
        return replace(training, trunk_rate=0.0)
    if UNSUPERVISED in start.provenance:
        return replace(training, trunk_rate=_SHARE)
    if options["learning_rate"] is not None:
        return training
    return replace(training, learning_rate=_SHARE * training.learning_rate)
