"""A model on a device: the same first steps of every command that runs one."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.options import INPUT
from seqcnn.errors import ModelFileError

if TYPE_CHECKING:
    from seqcnn.engine import Engine
    from seqcnn.modelfile import TrainedModel

__all__ = [
    "check_trained",
    "choose_device",
    "make_engine",
    "model_option",
    "open_engine",
    "precision_option",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_log = logging.getLogger("seqcnn.model")


def model_option(command: Decorated) -> Decorated:
    """Add the options that say which model runs, and how exactly."""
    model = click.option(
        "-m",
        "--model",
        type=INPUT,
        required=True,
        metavar="MODEL",
        help="A .safetensors file that `seqcnn train` wrote.",
    )
    return model(precision_option(command))


def precision_option(command: Decorated) -> Decorated:
    """Add the option that says how exactly a GPU multiplies."""
    rounding = click.option(
        "--precision",
        type=click.Choice(["float32", "tf32", "bf16"]),
        default="float32",
        show_default=True,
        help="What a GPU multiplies in deep networks; less is faster and not as exact.",
    )
    return rounding(command)


def choose_device(options: Mapping[str, Any]) -> str:
    """Turn ``--device`` into a device, and say in the log which it is."""
    from seqcnn.engine.devices import describe_device, find_device

    device = find_device(options["device"])
    _log.info("device: %s", describe_device(device))
    return device


def make_engine(model: "TrainedModel", options: Mapping[str, Any]) -> "Engine":
    """Lay a model out on the device of ``--device``."""
    from seqcnn.engine import Engine

    engine = Engine(model, device=choose_device(options), threads=options["threads"])
    engine.round_to(options["precision"])
    return engine


def check_trained(model: "TrainedModel", path: Path) -> None:
    """Refuse a model that has learned without labels.

    Raises
    ------
    ModelFileError
        As it has no task to give scores of.
    """
    from seqcnn.modelfile import UNSUPERVISED

    if UNSUPERVISED in model.provenance:
        raise ModelFileError(
            path,
            "the model has learned without labels and gives no scores",
            expected="a model of `seqcnn train`",
            remedy="begin a training with it: seqcnn train --init",
        )


def open_engine(options: Mapping[str, Any]) -> "Engine":
    """Read the model of ``--model`` and lay it out, with ``--strands`` where that is given."""
    from seqcnn.modelfile import read_model

    model = read_model(options["model"])
    check_trained(model, options["model"])
    if options.get("strands"):
        model = model.with_rule(strands=options["strands"])
    return make_engine(model, options)
