"""What a model takes and gives."""

import dataclasses
import re
import sys
from dataclasses import dataclass
from typing import Any, get_args

from seqcnn.architectures import ARCHITECTURES, NetworkConfig, configure
from seqcnn.dna import ALPHABETS
from seqcnn.metrics import TaskKind

__all__ = ["ModelSpec", "is_name", "is_number"]

_STRANDS = ("average", "max", "shared", "single")
_TRANSFORMS = ("none", "log2", "log2p1")
_OVER_WINDOWS = ("max", "average")
_FLANKS = ("unknown", "real")
_ON_WINDOWS = ("window", "over_windows", "flanks")
_LONGEST = 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes and gives.

    A network gives a logit for each task, (n, tasks). That of a ``profile`` model gives one for
    each base beside it: a method ``profile(one_hot)`` maps one strand (n, 4, length) to
    (n, tasks, length), and its `forward` gives the largest of them, (n, tasks), by which
    sequences and variants are scored like those of any other model. Where both strands are
    looked at, the other one's profile is turned round before the two are joined.

    Attributes
    ----------
    architecture
        Name of the family.
    config
        Its numbers.
    task_kind
        ``binary``; ``multilabel``: classes that go together; ``multiclass``: classes that exclude
        each other, whose probabilities are the softmax of the logits; ``regression``;
        ``profile``: a label, or a signal, for each base.
    tasks
        A name for each output: a label, a class, a measured value or a track.
    length
        Bases of a window.
    strands
        ``average`` (mean of both strands' logits), ``max`` (the larger), ``shared`` (the weights
        shared by both strands, whose features are joined before they are weighed), or ``single``.
    alphabet
        ``dna`` or ``rna``.
    centre, scale
        A network's output l stands for ``centre + scale * l``, for each task. Regression: mean
        and standard deviation of the targets. Classes: 0, and one over the temperature that makes
        the probabilities of the validation data right (Guo et al. 2017, arXiv:1706.04599), the
        same for all classes of ``multiclass``. Empty: 0 and 1.
    transform
        ``log2`` where that value is the log2 of a regression target; ``log2p1`` where a profile
        is that of a signal s, as log2(1 + s); else ``none``.
    thresholds
        Logit above which each label is called, chosen on the validation data; empty: 0.
    unknown
        What N has in each of the four one-hot rows.
    window
        Bases of the windows that are scored one by one inside a longer sequence, as DeepBind's
        program does it: each from every base on, as if it were a sequence of its own. 0: a
        sequence is scored whole. With a window, sequences of any length can be scored; `length`
        is what is looked at on a genome.
    over_windows
        ``max`` (the largest logit of the windows) or ``average`` (their sum, divided by the bases
        of the sequence); a sequence no longer than a window is scored whole.
    flanks
        What detectors see past the ends of a window: ``unknown`` (N), or ``real`` (the sequence
        as it goes on, and N past its own ends).
    """

    architecture: str
    config: NetworkConfig
    task_kind: TaskKind
    tasks: tuple[str, ...]
    length: int
    strands: str
    alphabet: str = "dna"
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    transform: str = "none"
    unknown: float = 0.25
    thresholds: tuple[float, ...] = ()
    window: int = 0
    over_windows: str = "max"
    flanks: str = "unknown"

    def to_json(self) -> dict[str, Any]:
        """Give the spec as plain JSON values; thresholds and windows only where there are any."""
        values = dataclasses.asdict(self)
        left_out = set() if self.window else set(_ON_WINDOWS)
        left_out |= set() if self.thresholds else {"thresholds"}
        return {key: value for key, value in values.items() if key not in left_out}

    @property
    def is_signal(self) -> bool:
        """Whether values are learned, as by a regression, and not labels."""
        return self.task_kind == "regression" or self.transform == "log2p1"

    @property
    def is_of_version_3(self) -> bool:
        """Whether programs that read model files up to version 2 do not know what it says."""
        return bool(self.thresholds) or self.task_kind in ("multiclass", "profile")

    @property
    def loss(self) -> str:
        """What the loss is that of: ``regression``, ``multiclass``, or ``labels``."""
        if self.is_signal:
            return "regression"
        return "multiclass" if self.task_kind == "multiclass" else "labels"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelSpec":
        """Build a spec from `to_json`'s values.

        Raises
        ------
        ConfigError, KeyError, TypeError, ValueError
            For values that are no spec.
        """
        known = dict(values)
        known["config"] = _read_config(known["architecture"], known["config"])
        known.setdefault("thresholds", ())
        for key in ("tasks", "centre", "scale", "thresholds"):
            known[key] = tuple(known[key])
        known["unknown"] = float(known["unknown"])
        spec = cls(**known)
        _check_spec(spec)
        return spec


def _read_config(family: str, values: dict[str, str | float]) -> NetworkConfig:
    if family in ARCHITECTURES:
        values = ARCHITECTURES[family].formerly | values
    return configure(family, values)


def _check_spec(spec: ModelSpec) -> None:
    number = len(spec.tasks)
    sound = {
        "tasks": number > 0 and all(map(is_name, spec.tasks)),
        "task_kind": spec.task_kind in get_args(TaskKind),
        "length": type(spec.length) is int and 0 < spec.length <= _LONGEST,
        "strands": spec.strands in _STRANDS,
        "alphabet": spec.alphabet in ALPHABETS,
        "centre": len(spec.centre) in (0, number) and all(map(is_number, spec.centre)),
        "scale": len(spec.scale) in (0, number) and all(is_number(v) and v > 0 for v in spec.scale),
        "transform": spec.transform in _TRANSFORMS,
        "thresholds": len(spec.thresholds) in (0, number) and all(map(is_number, spec.thresholds)),
        "unknown": 0 <= spec.unknown <= 1,
        "window": type(spec.window) is int and 0 <= spec.window <= _LONGEST,
        "over_windows": spec.over_windows in _OVER_WINDOWS,
        "flanks": spec.flanks in _FLANKS,
    }
    wrong = [name for name, is_sound in sound.items() if not is_sound]
    if wrong:
        raise ValueError(f"{wrong[0]} {getattr(spec, wrong[0])!r}")


def is_name(value: object) -> bool:
    """Tell whether a value is text that fits a line."""
    return isinstance(value, str) and not _CONTROL.search(value)


def is_number(value: object) -> bool:
    """Tell whether a value is a number that is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
