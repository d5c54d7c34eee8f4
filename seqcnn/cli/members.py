"""``--members``: how many networks of which families make up a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.architectures import NetworkConfig
    from seqcnn.datasets import LabelledSequences
    from seqcnn.metrics import TaskKind
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.splits import Split
    from seqcnn.training import Family, TrainingConfig

__all__ = [
    "MEMBERS",
    "Members",
    "choose_families",
    "count_members",
    "family_of",
    "make_families",
    "mixture_spec",
    "read_members",
]

_MOST = 100
_RECIPE = "motif:3,gkm:1"
"""What ``seqcnn train`` makes for a classification where nothing else is asked for."""

_CLASSES = ("binary", "multilabel")
_WIDTHS_OF_CLASSES = (10, 16)
_WIDTHS_OF_MANY = (*_WIDTHS_OF_CLASSES, 20)
"""Bases of the detectors of the networks of the recipe: long sites, such as CTCF's, need wide
ones, most others narrow ones. RNA's sites are short: there all have the family's own."""

_MANY = 2000
"""Positives from which a network of so wide detectors helps more than it learns by heart, and some
of which may be left out to learn from the others alone."""

_STRONGEST = 1000
_WIDTH_OF_STRONGEST = 16
"""A network of such detectors and gapped k-mers learn from so many of the strongest positives
alone; whether they join the others is measured on those held out."""

_LEAST_HELD_OUT = 50
"""Strong positives without which that cannot be measured."""

_WIDTHS = (6, 8, 10)
"""Bases of the detectors of the three networks made for a regression, which see weak sites in
different ways: together they follow ranks better than any number of one width."""


class _MembersType(click.ParamType):  # type: ignore[type-arg]
    name = "members"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "str":
        """Accept a number, or FAMILY:NUMBER,...; keep the text."""
        text = str(value).strip()
        for family, number in _split(text):
            whole = number.isascii() and number.isdigit() and 1 <= int(number) <= _MOST
            if not whole or (":" in text and not family):
                self.fail(
                    f"{value!r} is neither a number from 1 to {_MOST} nor FAMILY:NUMBER,...",
                    param,
                    ctx,
                )
        return text


MEMBERS = _MembersType()


def _split(text: str) -> list[tuple[str, str]]:
    """Part ``motif:3,gkm:1`` into families and numbers; a number alone has the family ''."""
    pairs = []
    for part in text.split(","):
        family, colon, number = part.strip().rpartition(":")
        pairs.append((family.strip() if colon else "", number.strip()))
    return pairs


def family_of(options: Mapping[str, Any]) -> str:
    """Give the family of ``--arch``; motif, where it is not given."""
    return str(options["arch"] or "motif")


def count_members(options: Mapping[str, Any]) -> int:
    """Give the number of ``--members`` of a model of one family.

    Raises
    ------
    ConfigError
        When several families are named.
    """
    pairs = _split(str(options["members"] or 1))
    if len(pairs) > 1 or pairs[0][0] not in ("", family_of(options)):
        raise ConfigError(
            f"--members {options['members']}",
            "names families",
            expected="a number here",
            remedy="choose the family with --arch",
        )
    return int(pairs[0][1])


@dataclass(frozen=True)
class Members:
    """The members of one family.

    Attributes
    ----------
    options
        Those of the command, as they would be for this family alone.
    config
        The numbers of the family.
    training
        How its members are trained.
    strongest
        See `seqcnn.training.Family`.
    """

    options: dict[str, Any]
    config: "NetworkConfig"
    training: "TrainingConfig"
    strongest: int = 0


def read_members(options: dict[str, Any], start: "TrainedModel | None") -> list[Members]:
    """Read ``--members`` with ``--arch`` and ``--set``; of more than one family a mixture is made.

    Parameters
    ----------
    options
        Of the command.
    start
        The model of ``--init``.

    Raises
    ------
    ConfigError
        For families that are not there, or named twice.
    """
    from seqcnn.cli.training_options import read_network, read_training
    from seqcnn.cli.transfer_options import fine_tune

    pairs = _choose(options, start)
    names = [family for family, _ in pairs]
    members = []
    for family, number in pairs:
        settings = _settings_of(family, names, options["settings"])
        own = {**options, "arch": family, "members": number, "settings": settings}
        config = read_network(own, start)
        members.append(Members(own, config, fine_tune(read_training(own), own, start)))
    return members


def _choose(options: Mapping[str, Any], start: "TrainedModel | None") -> list[tuple[str, int]]:
    given = options["arch"] is not None
    text, arch = options["members"], family_of(options)
    where = f"--members {text}"
    if options["fast"]:
        if text is not None:
            raise ConfigError("--fast", f"{where} too", expected="one of the two")
        return [(arch, count_members(options))]
    if text is None and not given and start is None:
        text = _RECIPE
    pairs = [(family or arch, int(number)) for family, number in _split(str(text or 1))]
    names = [family for family, _ in pairs]
    if len(set(names)) < len(names):
        raise ConfigError(where, "a family twice", expected="each family once")
    if given and names != [arch]:
        raise ConfigError(
            where,
            f"--arch {arch} too",
            expected="families in one of the two",
            remedy="leave one out",
        )
    if options["keep"] == "best" and len(names) > 1:
        raise ConfigError(
            "--keep best",
            "members of several families, which are averaged",
            expected="all",
            remedy="choose one family with --arch",
        )
    if start and len(names) > 1:
        raise ConfigError(where, "--init too", expected="one family, that of the model")
    return pairs


def _settings_of(family: str, names: list[str], settings: tuple[str, ...]) -> tuple[str, ...]:
    """Choose the ``--set`` of a family: FAMILY.FIELD=VALUE; without a family, of the first."""
    own = []
    for setting in settings:
        prefix, dot, _ = setting.partition("=")[0].partition(".")
        if dot and prefix.strip() not in names:
            raise ConfigError(
                f"--set {setting}", f"no family {prefix!r}", expected=" or ".join(names)
            )
        if dot and prefix.strip() == family:
            own.append(setting.partition(".")[2])
        elif not dot and family == names[0]:
            own.append(setting)
    return tuple(own)


def choose_families(
    members: list[Members], options: Mapping[str, Any], kind: "TaskKind", split: "Split"
) -> list[Members]:
    """Take the families and numbers that suit task and data, where nothing else was asked for.

    For classes the families of the recipe, and again of the strongest positives alone, for a
    regression networks of several widths, else one network.
    """
    if kind in _CLASSES and not split.shuffles and options["init"] is None:
        members = [_expect_repeats(one) for one in members]
    if len(members) == 1 or options["members"] is not None:
        return members
    first, *others = members
    one = replace(first, training=replace(first.training, members=1))
    given, length = _fields_given(first), split.train.sequences.length
    if kind in _CLASSES:
        many = split.train.positive.sum() >= _MANY
        as_they_are = "width" in given or options["alphabet"] == "rna"
        widths = _WIDTHS_OF_MANY if many else _WIDTHS_OF_CLASSES
        networks = [first] if as_they_are else _of_widths(one, widths, length)
        alone = [one] if as_they_are else _of_widths(one, [_WIDTH_OF_STRONGEST], length)
        strong = [replace(each, strongest=_STRONGEST) for each in (*alone, *others)]
        return [*networks, *others, *(strong if many and _are_ranked(split) else ())]
    if kind != "regression" or "width" in given:
        return [one]
    changes: dict[str, Any] = {} if "dropout" in given else {"dropout": 0.0}
    return _of_widths(one, _WIDTHS, length, **changes)


def _are_ranked(split: "Split") -> bool:
    """Tell whether weaker positives are known, and enough strong ones held out."""
    strong, held_out = (
        side.without_weaker(_STRONGEST).positive.sum() for side in (split.train, split.validation)
    )
    return bool(strong < split.train.positive.sum() and held_out >= _LEAST_HELD_OUT)


def _fields_given(one: Members) -> set[str]:
    return {setting.partition("=")[0].strip() for setting in one.options["settings"]}


def _expect_repeats(one: Members) -> Members:
    """Set the fields that are other where the same negatives are seen in each pass."""
    changes: dict[str, Any] = dict(one.config.with_repeats)
    own = {name: value for name, value in changes.items() if name not in _fields_given(one)}
    return replace(one, config=replace(one.config, **own))


def _of_widths(one: Members, widths: Iterable[int], longest: int, **changes: Any) -> list[Members]:
    """Make networks that differ in the width of their detectors, none wider than the windows."""
    numbers = [changes | {"width": width} for width in sorted({min(w, longest) for w in widths})]
    return [replace(one, config=replace(one.config, **own)) for own in numbers]


def make_families(
    members: list[Members], train: "LabelledSequences", kind: "TaskKind", *, transform: str
) -> "list[Family]":
    """Say what the model of each family takes and gives."""
    from seqcnn.cli.training_options import make_spec
    from seqcnn.training import Family

    return [
        Family(
            make_spec(one.options, one.config, train, kind, transform=transform),
            one.training,
            one.strongest,
        )
        for one in members
    ]


def mixture_spec(families: "list[Family]") -> "ModelSpec":
    """Say what a mixture takes and gives: what its parts do."""
    from seqcnn.architectures import configure

    first = families[0].spec
    strands = {family.spec.strands for family in families}
    return replace(
        first,
        architecture="mixture",
        config=configure("mixture", {}),
        strands=strands.pop() if len(strands) == 1 else "average",
    )
