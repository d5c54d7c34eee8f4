"""The SPLIT, MODEL and OPTIMISER options of commands that train, and what they stand for."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqcnn.cli.command import add_options
from seqcnn.cli.members import MEMBERS, count_members, family_of
from seqcnn.cli.models import precision_option
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.architectures import NetworkConfig
    from seqcnn.datasets import LabelledSequences
    from seqcnn.metrics import TaskKind
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.sources import Source
    from seqcnn.splits import Split
    from seqcnn.training import TrainingConfig

__all__ = [
    "check_length",
    "make_spec",
    "model_options",
    "optimiser_options",
    "read_network",
    "read_split",
    "read_training",
    "split_options",
]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_TASKS = click.Choice(["binary", "multilabel", "multiclass", "regression", "profile"])
_STRANDS = click.Choice(["average", "max", "shared", "single"])
_HYPERPARAMETERS = (
    "steps",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "patience",
    "members",
    "keep",
    "seed",
    "optimiser",
    "schedule",
    "momentum",
    "l1",
    "detector_l1",
    "l1_start",
    "clip",
    "precision",
)


def _describe_architectures(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from seqcnn.architectures import ARCHITECTURES, describe_architecture

        click.echo("\n\n".join(describe_architecture(name) for name in ARCHITECTURES))
        ctx.exit()


def split_options(command: Decorated) -> Decorated:
    """Add the SPLIT options."""
    options = [
        click.option(
            "--validation", metavar="CONTIG,...|0.1|FILE", help="Chooses the best weights."
        ),
        click.option(
            "--test",
            metavar="CONTIG,...|0.1|FILE",
            help="Held out for the final figures. Regions are CONTIG:START-END. Default: by contig"
            " where there are coordinates, else a tenth.",
        ),
    ]
    return add_options(command, options, "Split")


_TASK = [
    click.option("--task", type=_TASKS, help="Default: follows from the targets."),
    click.option(
        "--transform",
        type=click.Choice(["auto", "none", "log2"]),
        default="auto",
        show_default=True,
        help="Scale on which a regression learns and predicts; auto takes log2 for positive"
        " targets with a long upper tail.",
    ),
    click.option(
        "--clamp",
        type=click.FloatRange(50, 100, min_open=True),
        metavar="PERCENTILE",
        help="Largest target that a regression learns from, such as 99.95: those above it"
        " count as it.",
    ),
]


def model_options(command: Decorated) -> Decorated:
    """Add the MODEL options."""
    options = [
        click.option(
            "--arch",
            metavar="NAME",
            help="Family of the members. Default: motif, where --members does not choose.",
        ),
        click.option(
            "--arch-help",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_describe_architectures,
            help="List the families with their fields and defaults.",
        ),
        click.option(
            "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="A field of --arch."
        ),
        *_TASK,
        click.option(
            "--alphabet",
            type=click.Choice(["dna", "rna"]),
            default="dna",
            show_default=True,
            help="RNA has one strand, and U in its motifs.",
        ),
        click.option("--strands", type=_STRANDS, help="Default: the family's own; single for RNA."),
        click.option(
            "--members",
            type=MEMBERS,
            metavar="N|FAMILY:N,...",
            help="Networks of the ensemble, of --arch or of several families. Default: 1; for"
            " classes, where `train` is told no --arch, motif:3,gkm:1.",
        ),
        click.option(
            "--keep",
            type=click.Choice(["all", "best"]),
            default="all",
            show_default=True,
            help="Of the networks trained: all as an ensemble, or the best on validation data.",
        ),
    ]
    return add_options(command, options, "Model")


_OPTIMISER_OPTIONS = [
    click.option(
        "--steps",
        type=click.IntRange(0, 10_000_000),
        default=0,
        metavar="N",
        help="Optimiser steps. Default: five passes (motif: 30), at least 480, at most 3000.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(2, 65_536),
        default=128,
        show_default=True,
        metavar="N",
        help="Sequences of an optimiser step, negatives included.",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, 10, min_open=True),
        metavar="RATE",
        help="Highest rate of the schedule. Default: the family's own (--arch-help).",
    ),
    click.option(
        "--weight-decay",
        type=click.FloatRange(0, 10),
        default=1e-2,
        show_default=True,
        metavar="SHARE",
        help="Pull of the weights towards zero by this share: AdamW's own, else L2.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1),
        metavar="N",
        help="Of 20 evaluations, those without improvement before training stops; then the weights "
        "with the lowest validation loss are kept. Default: 10; none with one-cycle and cosine, "
        "which go to the end and keep the last weights.",
    ),
    click.option(
        "--optimiser",
        type=click.Choice(["adamw", "adam", "nesterov", "momentum", "sgd", "rmsprop"]),
        default="adamw",
        show_default=True,
        help="What a step does with the gradient; the last four have no moments of Adam's.",
    ),
    click.option(
        "--schedule",
        default="one-cycle",
        show_default=True,
        metavar="NAME[:NUMBER]",
        help="How the rate goes: one-cycle, constant, inverse:DECAY, exponential:FACTOR (an"
        " epoch), root:K, staircase:FACTOR:EPOCHS, cosine, plateau:FACTOR:EVALUATIONS.",
    ),
    click.option(
        "--momentum",
        type=click.FloatRange(0, 1, max_open=True),
        metavar="SHARE",
        help="Default: 0.9; with one-cycle, always 0.85 to 0.95, against the rate.",
    ),
    click.option(
        "--l1",
        type=click.FloatRange(0, 10),
        default=0.0,
        metavar="NUMBER",
        help="Pull of the weights towards zero by this times their sign.",
    ),
    click.option(
        "--detector-l1",
        type=click.FloatRange(0, 10),
        metavar="NUMBER",
        help="The same for the detectors. Default: as --l1.",
    ),
    click.option(
        "--l1-start",
        type=click.IntRange(0),
        default=0,
        metavar="N",
        help="Steps before they begin to pull.",
    ),
    click.option(
        "--clip",
        type=click.FloatRange(0, min_open=True),
        default=5.0,
        show_default=True,
        metavar="NORM",
        help="Largest norm of the gradient; a longer one is shortened to it.",
    ),
    click.option(
        "--augment",
        default="",
        metavar="CHANGE=NUMBER,...",
        help="Change training sequences anew each time: shift, insertion, deletion, inversion"
        " (bases, at most), mutation (chance of a base), and clean=0.2, the share of the steps"
        " at the end without.",
    ),
    precision_option,
]


def optimiser_options(command: Decorated) -> Decorated:
    """Add the OPTIMISER options."""
    return add_options(command, _OPTIMISER_OPTIONS, "Optimiser")


def read_network(options: dict[str, Any], start: "TrainedModel | None" = None) -> "NetworkConfig":
    """Make the network's configuration of ``--arch`` and ``--set``.

    Parameters
    ----------
    options
        Of the command.
    start
        A model whose configuration stands where ``--set`` says nothing.

    Raises
    ------
    ConfigError
        For a family or a field that is not there, or a value that does not fit.
    """
    from seqcnn.architectures import configure

    settings: dict[str, Any] = {}
    if start and start.spec.architecture == family_of(options):
        settings = dataclasses.asdict(start.spec.config)
    for setting in options["settings"]:
        field, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}", "no value", expected="FIELD=VALUE")
        settings[field.strip()] = value.strip()
    return configure(family_of(options), settings)


def read_split(options: dict[str, Any], source: "Source") -> tuple["Split", "TaskKind", str]:
    """Read the data and part them: the split, on its learning scale, the task and the scale."""
    from seqcnn.sources import prepare_split
    from seqcnn.targets import clamp_targets, transform_split

    split, kind = prepare_split(
        source,
        validation=options["validation"],
        test=options["test"],
        task_kind=options["task"],
        seed=options["seed"],
    )
    if options["clamp"] is not None:
        if kind != "regression":
            where = f"--clamp {options['clamp']:g}"
            raise ConfigError(where, f"the task is {kind}", expected="a regression")
        split = clamp_targets(split, options["clamp"])
    transform = _transform(options, kind, split)
    return transform_split(split, transform), kind, transform


def _transform(options: dict[str, Any], kind: "TaskKind", split: "Split") -> str:
    from seqcnn.targets import choose_transform

    asked: str = options["transform"]
    if kind == "profile" and asked == "auto":
        return choose_transform(split.train)
    if kind != "regression":
        if asked == "log2":
            raise ConfigError("--transform log2", f"the task is {kind}", expected="a regression")
        return "none"
    return choose_transform(split.train) if asked == "auto" else asked


def read_training(options: dict[str, Any]) -> "TrainingConfig":
    """Make the training's configuration of the OPTIMISER options."""
    from seqcnn.architectures import ARCHITECTURES
    from seqcnn.training import TrainingConfig, read_augmentation

    values = {name: options[name] for name in _HYPERPARAMETERS}
    values["members"] = count_members(options)
    values["augment"] = read_augmentation(options["augment"])
    if values["learning_rate"] is None:
        values["learning_rate"] = ARCHITECTURES[family_of(options)].learning_rate
    return TrainingConfig(**values)


def make_spec(
    options: dict[str, Any],
    config: "NetworkConfig",
    train: "LabelledSequences",
    kind: "TaskKind",
    *,
    transform: str = "none",
) -> "ModelSpec":
    """Say what the model takes and gives, but for the scale of its targets.

    Raises
    ------
    ConfigError
        When the windows are too short for the network.
    """
    from seqcnn.modelfile import ModelSpec

    if kind == "profile" and not config.gives_profile:
        raise ConfigError(
            f"--arch {family_of(options)}",
            "one output for a sequence, and the task is a profile",
            expected="a network with an output for each base",
            remedy="choose --arch unet or fcn",
        )
    single = options["alphabet"] == "rna"
    spec = ModelSpec(
        architecture=family_of(options),
        config=config,
        task_kind=kind,
        tasks=train.tasks,
        length=train.sequences.length,
        strands=options["strands"] or ("single" if single else config.strands),
        alphabet=options["alphabet"],
        transform=transform,
    )
    check_length(config, spec.length)
    return spec


def check_length(config: "NetworkConfig", length: int) -> None:
    """Refuse windows that are too short for a network.

    Raises
    ------
    ConfigError
        With the length that it needs.
    """
    if length < config.shortest:
        from seqcnn.architectures.layers import explain_shortfall

        steps = explain_shortfall(config.trunk(length), length)
        raise ConfigError(
            "--length",
            f"{length} bp are used up ({steps})",
            expected=f"at least the network's {config.shortest} bp",
            remedy="choose a larger --length, or a smaller network with --set",
        )
