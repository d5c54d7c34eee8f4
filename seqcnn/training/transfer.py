"""Beginning with the weights of another model: what is taken over, and what must fit."""

from dataclasses import fields

import numpy as np

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.configs import NetworkConfig
from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.architectures.networks import build_network
from seqcnn.errors import ConfigError
from seqcnn.modelfile import UNSUPERVISED, ModelSpec, TrainedModel
from seqcnn.training.config import Weights

__all__ = ["check_layers", "last_layer", "slow_names", "take_weights"]

_CLASSES = {"binary", "multilabel"}
_FREE = ("dropout",)
"""How fields of a config begin that may be others in the new model."""


def check_layers(where: str, config: NetworkConfig) -> None:
    """Refuse a family that has no layers.

    Raises
    ------
    ConfigError
        For gapped k-mers, which are no network.
    """
    if isinstance(config, GkmConfig):
        raise ConfigError(where, "gkm is no network", expected="a family with layers")


def last_layer(network: SequenceNetwork) -> str:
    """Name the layer that gives the outputs: how the names of its parameters begin."""
    *_, name = (name for name, _ in network.named_parameters() if name.startswith("head."))
    return name.rpartition(".")[0] + "."


def slow_names(network: SequenceNetwork, start: Weights | None) -> frozenset[str]:
    """Name the parameters that learn at `TrainingConfig.trunk_rate`.

    Those are all that `start` brings, or where there is none all, without those of the last layer.
    """
    last = last_layer(network)
    names = (name for name, _ in network.named_parameters())
    return frozenset(
        name for name in names if not name.startswith(last) and (start is None or name in start)
    )


def take_weights(model: TrainedModel, spec: ModelSpec) -> tuple[Weights, ...]:
    """Choose the weights that networks of a spec begin with, for each of a model's members.

    All layers are taken over. Of other tasks, the last layer begins where the model's stands on
    average: that tells sites from no sites before a step is taken. Where that means nothing, as
    between classes and measured values, it is drawn. Of a model without supervision, only those
    layers are taken that it has learned.

    Parameters
    ----------
    model
        The trained model.
    spec
        Of the new one.

    Raises
    ------
    ConfigError
        When the model is of another alphabet, family or configuration, or its networks are for
        windows of another length.
    """
    _check_kind(model, spec)
    check_layers("--init", spec.config)
    network = build_network(spec.config, tasks=len(spec.tasks), length=spec.length)
    last = last_layer(network)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    starts = []
    for member in model.members:
        learned = model.provenance.get(UNSUPERVISED, member)
        start = {name: each for name, each in member.items() if name in learned}
        outputs = {name: start.pop(name) for name in list(start) if name.startswith(last)}
        start |= _begin_outputs(outputs, model.spec, spec)
        for name, values in start.items():
            if shapes.get(name) != values.shape:
                raise _misfit(model.spec, spec, name)
        starts.append(start)
    return tuple(starts)


def _begin_outputs(outputs: Weights, old: ModelSpec, new: ModelSpec) -> Weights:
    """Choose what the last layer begins with, a row of its parameters for each task."""
    if (old.tasks, old.task_kind) == (new.tasks, new.task_kind):
        return outputs
    if not {old.task_kind, new.task_kind} <= _CLASSES:
        return {}
    return {
        name: np.repeat(values.mean(axis=0, keepdims=True), len(new.tasks), axis=0)
        for name, values in outputs.items()
    }


def _check_kind(model: TrainedModel, spec: ModelSpec) -> None:
    old = model.spec
    if not model.members:
        found = f"holds {len(model.parts)} models side by side"
        raise ConfigError("--init", found, expected="a model of one family")
    if old.alphabet != spec.alphabet:
        raise ConfigError(
            "--init",
            f"the model is for {old.alphabet.upper()}",
            expected=spec.alphabet.upper(),
            remedy=f"give --alphabet {old.alphabet}, or another model",
        )
    if old.architecture != spec.architecture:
        raise ConfigError(
            "--init",
            f"the model is a {old.architecture}",
            expected=spec.architecture,
            remedy="leave --arch out, or give another model",
        )
    for name, before, now in _differences(old.config, spec.config):
        raise ConfigError(
            "--init",
            f"the model has {name}={before}",
            expected=f"{name}={now}",
            remedy=f"leave --set {name} out, or give another model",
        )


def _differences(old: NetworkConfig, new: NetworkConfig) -> list[tuple[str, object, object]]:
    pairs = [(item.name, getattr(old, item.name), getattr(new, item.name)) for item in fields(new)]
    return [pair for pair in pairs if pair[1] != pair[2] and not pair[0].startswith(_FREE)]


def _misfit(old: ModelSpec, spec: ModelSpec, name: str) -> ConfigError:
    if old.length != spec.length:
        return ConfigError(
            "--init",
            f"the model's dense layers are for windows of {old.length} bp",
            expected=f"{spec.length} bp",
            remedy=f"give --length {old.length}, or another model",
        )
    return ConfigError(
        "--init", f"the model's {name!r} is of another shape", remedy="give another model"
    )
