"""Priors on the command line: the family's, a file of one's own, and settings that are given."""

import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from seqcnn.cli.members import family_of
from seqcnn.cli.training_options import optimiser_options, read_network
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.calibration import Distribution, Priors, Settings
    from seqcnn.modelfile import TrainedModel

__all__ = ["DRAWN_OPTIONS", "describe_priors", "read_priors", "with_settings"]

DRAWN_OPTIONS = tuple(
    str(parameter.name)
    for parameter in reversed(optimiser_options(click.Command(None)).params)
    if parameter.name != "precision"
)
"""Options of training that settings may be drawn for: all OPTIMISER options that learn."""


def describe_priors(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    """Show the priors of all families as YAML, and end."""
    if not asked:
        return
    import yaml

    from seqcnn.architectures import ARCHITECTURES, configure
    from seqcnn.calibration import parse_priors, preset_priors
    from seqcnn.training import TrainingConfig

    parts = []
    for name in ARCHITECTURES:
        training = TrainingConfig(learning_rate=ARCHITECTURES[name].learning_rate)
        preset = preset_priors(name, configure(name, {}), training, length=sys.maxsize)
        if preset:
            priors = parse_priors(preset, name, options=DRAWN_OPTIONS, where=name)
            text = yaml.safe_dump(priors.spell(), sort_keys=False, default_flow_style=None)
            parts.append(f"# --arch {name}\n{text}")
    click.echo("\n".join(parts), nl=False)
    ctx.exit()


def read_priors(
    options: Mapping[str, Any], start: "TrainedModel | None", *, length: int
) -> "Priors":
    """Make the priors of a command: of its family, or of a file; what is given is not drawn.

    Parameters
    ----------
    options
        Of the running command.
    start
        The model of ``--init``, whose networks all trials have.
    length
        Bases of a sequence, as far as is known.

    Raises
    ------
    ConfigError
        For a name that is not there, a value that an option or a field refuses, or when nothing
        is left to be drawn.
    """
    from seqcnn.calibration import parse_priors, preset_priors
    from seqcnn.cli.option_file import read_mapping
    from seqcnn.cli.training_options import read_training

    family = family_of(options)
    if options["priors"]:
        where, given = str(options["priors"]), read_mapping(options["priors"])
    else:
        network = read_network(dict(options), start)
        where = f"the priors of {family}"
        training = read_training(with_settings(options, {}))
        given = preset_priors(family, network, training, length=length)
        if not given:
            raise ConfigError("--arch", f"{family} has no settings to draw", remedy="use train")
    priors = parse_priors(given, family, options=DRAWN_OPTIONS, where=where)
    for name, prior in priors.named.items():
        _check_values(f"{where}: {name}", name, prior, family)
    return priors.without(_given_names(options) | set(priors.network if start else ()))


def _given_names(options: Mapping[str, Any]) -> set[str]:
    """Name the settings that the command line, or its file of options, gives."""
    ctx = click.get_current_context()
    fields = {setting.partition("=")[0].strip() for setting in options["settings"]}
    given = {
        name
        for name in DRAWN_OPTIONS
        if ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)
    }
    return fields | given


def _check_values(where: str, name: str, prior: "Distribution", family: str) -> None:
    """Refuse a prior whose values, or whose ends, the option or the field does not take."""
    from seqcnn.architectures import configure

    for value in prior.values:
        try:
            if name in DRAWN_OPTIONS:
                _convert(name, value)
            else:
                configure(family, {name: value})
        except (click.BadParameter, ConfigError) as problem:
            found = problem.message if isinstance(problem, click.BadParameter) else problem.found
            expected = problem.expected if isinstance(problem, ConfigError) else ""
            raise ConfigError(where, found.rstrip("."), expected=expected) from problem


def _convert(name: str, value: object) -> Any:
    """Read the value of an option as the command line would."""
    ctx = click.get_current_context()
    (parameter,) = (each for each in ctx.command.params if each.name == name)
    return parameter.type_cast_value(ctx, str(value))


def with_settings(options: Mapping[str, Any], settings: "Settings") -> dict[str, Any]:
    """Give the options of `seqcnn train` for a trial's settings."""
    fields = {name: value for name, value in settings.items() if name not in DRAWN_OPTIONS}
    training = {
        name: _convert(name, value) for name, value in settings.items() if name in DRAWN_OPTIONS
    }
    kept = _without(options["settings"], fields)
    return {
        **options,
        **training,
        "members": options["retrain"],
        "settings": (*kept, *(f"{name}={value}" for name, value in fields.items())),
    }


def _without(settings: Collection[str], fields: Collection[str]) -> list[str]:
    return [each for each in settings if each.partition("=")[0].strip() not in fields]
