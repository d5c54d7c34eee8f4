"""Priors of calibration: for each setting of a family and of its training, a distribution."""

import dataclasses
import difflib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from seqcnn.architectures import ARCHITECTURES, NetworkConfig
from seqcnn.calibration.distributions import Distribution, Value, parse_distribution
from seqcnn.errors import ConfigError
from seqcnn.training import TrainingConfig

__all__ = ["Priors", "Settings", "parse_priors", "preset_priors"]

Settings = dict[str, Value]
"""Settings of a trial by name."""

_STREAM = 7
"""Which of the streams of a seed the settings are drawn from."""

DEEPBIND: Mapping[str, object] = {
    "optimiser": "nesterov",
    "schedule": "constant",
    "batch_size": 64,
    "steps": 10_000,
    "patience": 20,
    "learning_rate": {"loguniform": [5e-4, 5e-2]},
    "momentum": {"sqrt": [0.95, 0.99]},
    "weight_decay": 0,
    "detector_l1": {"loguniform": [1e-15, 1e-3]},
    "l1": {"loguniform": [1e-10, 1e-3]},
    "l1_start": 100,
    "init_sd": {"loguniform": [1e-7, 1e-3]},
    "head_sd": {"loguniform": [1e-5, 1e-2]},
    "hidden": {"each": [0, 32]},
    "dropout": {"choice": [0, 0, 0.25, 0.5]},
}
"""How DeepBind was calibrated (Alipanahi et al. 2015, doi:10.1038/nbt.3300)."""

GKM: Mapping[str, object] = {
    "width": [8, 10, 12],
    "informative": [5, 6, 7],
    "cost": {"loguniform": [0.1, 10]},
}
"""Of gapped k-mers, which are trained in another way than networks."""


_PRESETS = {"deepbind": DEEPBIND, "gkm": GKM}


@dataclass(frozen=True)
class Priors:
    """Distributions by the names of settings, those of the training and those of the network."""

    training: Mapping[str, Distribution]
    network: Mapping[str, Distribution]

    @property
    def named(self) -> dict[str, Distribution]:
        """All distributions, in the order of the columns of trials.tsv."""
        return {**self.training, **self.network}

    @property
    def names(self) -> list[str]:
        """Names of all settings."""
        return list(self.named)

    def draw(self, *, seed: int, number: int) -> Settings:
        """Draw the settings of a trial.

        Each setting has a stream of its own: it does not change when another has a new prior.

        Parameters
        ----------
        seed
            Of the calibration.
        number
            Of the trial, from 0.
        """
        return {
            name: prior.draw(
                np.random.default_rng([seed, _STREAM, number, zlib.crc32(name.encode())]), number
            )
            for name, prior in self.named.items()
        }

    def without(self, names: Collection[str]) -> "Priors":
        """Leave out settings that are given otherwise.

        Raises
        ------
        ConfigError
            When nothing is left to be drawn.
        """
        left = Priors(
            {name: prior for name, prior in self.training.items() if name not in names},
            {name: prior for name, prior in self.network.items() if name not in names},
        )
        if all(prior.kind == "fixed" for prior in left.named.values()):
            raise ConfigError(
                "the priors",
                "nothing is left to be drawn",
                expected="at least one prior that is no single value",
                remedy="train with these settings, or give other priors with --priors",
            )
        return left

    def spell(self) -> dict[str, object]:
        """Write the priors as plain values for YAML, by the names of options and fields."""
        own = {name.replace("_", "-"): prior.spell() for name, prior in self.training.items()}
        return own | {name: prior.spell() for name, prior in self.network.items()}


def parse_priors(
    given: Mapping[str, object], architecture: str, *, options: Collection[str], where: str
) -> Priors:
    """Read priors as they stand in YAML: a mapping of names to distributions.

    Parameters
    ----------
    given
        Names of training options (with ``-`` or ``_``) and fields of the family.
    architecture
        The family.
    options
        Names of the training options that may be drawn, with ``_``.
    where
        What an error names, such as the file.

    Raises
    ------
    ConfigError
        For a name that is not there (with the nearest one), or a prior that makes no sense.
    """
    whole = _whole_numbers(architecture)
    fields = {item.name for item in dataclasses.fields(ARCHITECTURES[architecture])}
    training: dict[str, Distribution] = {}
    network: dict[str, Distribution] = {}
    for key, value in given.items():
        name = str(key).replace("-", "_")
        if name not in options and name not in fields:
            near = difflib.get_close_matches(name, [*options, *fields], n=1, cutoff=0.0)
            raise ConfigError(
                f"{where}: {key}",
                f"neither an option of training nor a field of {architecture}",
                remedy=f"did you mean {near[0]}?",
            )
        kept = training if name in options else network
        if name in kept:
            raise ConfigError(f"{where}: {key}", "stands twice", remedy="remove one of them")
        kept[name] = parse_distribution(f"{where}: {key}", value, whole=name in whole)
    return Priors(training, network)


def _whole_numbers(architecture: str) -> set[str]:
    """Name the settings that take whole numbers."""
    items = [*dataclasses.fields(TrainingConfig), *dataclasses.fields(ARCHITECTURES[architecture])]
    return {item.name for item in items if item.type in {int, "int"}}


def preset_priors(
    architecture: str, config: NetworkConfig, training: TrainingConfig, *, length: int
) -> dict[str, object]:
    """Give the priors of a family, as plain values for YAML: its own, or those of a general rule.

    The rule draws the learning rate from a tenth to three times that of `training`, the decay
    from 1e-4 to 1e-1, initial standard deviations from a fifth to five times the family's, each
    on a logarithmic scale; every dropout from 0 to one half; and the width of the detectors from
    three quarters, once and three halves of the family's.

    Parameters
    ----------
    architecture, config
        The family and its numbers.
    training
        With the family's learning rate.
    length
        Bases of a sequence, which detectors must fit.
    """
    if architecture in _PRESETS:
        return dict(_PRESETS[architecture])
    priors: dict[str, object] = {
        "learning_rate": _around(training.learning_rate, 1 / 10, 3),
        "weight_decay": {"loguniform": [1e-4, 1e-1]},
    }
    for item in dataclasses.fields(config):
        prior = _prior_of_field(item.name, getattr(config, item.name))
        if item.name in {"width", "width1"} and isinstance(prior, list):
            prior = [n for n in prior if _fits(config, item.name, n, length)]
        if prior:
            priors[item.name] = prior
    return priors


def _prior_of_field(name: str, default: object) -> object:
    if "dropout" in name and isinstance(default, float):
        return {"uniform": [0, 0.5]}
    if name.endswith("_sd") and isinstance(default, float) and default > 0:
        return _around(default, 1 / 5, 5)
    if name in {"width", "width1"} and isinstance(default, int) and default > 3:
        return [max(3, round(default * share)) for share in (0.75, 1, 1.5)]
    return None


def _around(default: float, low: float, high: float) -> dict[str, object]:
    return {"loguniform": [float(f"{default * share:.4g}") for share in (low, high)]}


def _fits(config: NetworkConfig, name: str, value: int, length: int) -> bool:
    return dataclasses.replace(config, **{name: value}).shortest <= length
