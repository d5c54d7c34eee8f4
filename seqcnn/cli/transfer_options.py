"""The options by which a training begins with the weights of another model."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.options import INPUT
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.modelfile import TrainedModel
    from seqcnn.training import TrainingConfig

__all__ = ["fine_tune", "read_start", "transfer_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_SHARE = 0.3
"""Rate of the layers that ``--init`` brings, as a share of the rate."""


def transfer_options(command: Decorated) -> Decorated:
    """Add the options of transfer."""
    start = click.option(
        "--init",
        type=INPUT,
        metavar="MODEL",
        help="Begin with the weights of this model, whose --arch and --set are taken over. Its"
        " layers learn at 0.3 of the rate, but for the last; that one is new unless the tasks are"
        " the same.",
    )
    freeze = click.option(
        "--freeze",
        type=click.Choice(["trunk"]),
        help="With --init: keep all layers but the last as they are.",
    )
    return start(freeze(command))


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


def fine_tune(training: "TrainingConfig", options: dict[str, Any]) -> "TrainingConfig":
    """Let the layers that ``--init`` brings learn slowly, or with ``--freeze`` not at all."""
    if options["init"] is None:
        return training
    return replace(training, trunk_rate=0.0 if options["freeze"] else _SHARE)
