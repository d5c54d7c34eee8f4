"""The model file: one safetensors file with everything that scoring needs, and nothing that runs.

Layout, ``FORMAT_VERSION`` 1
    Tensors ``member.I.NAME`` (weights of member I), ``reference`` (tasks, quantiles),
    ``motif.I`` (4, width) counts and ``null`` (types, tasks, count), sizes of the effects of null
    variants. The safetensors metadata holds one key, ``seqcnn``: a JSON object with
    ``format_version``, ``spec``, ``members`` (how many), ``motifs`` (names and numbers),
    ``metrics``, ``baselines``, ``provenance``, ``null`` (types, and how it was drawn) and
    ``sha256``, the digest of all tensors and of the rest of the object: one byte that changed is
    found out. A file may be without a null, and has neither of the two then. Two trainings with
    one seed give the same bytes: no clock, no path, no machine in it.
"""

import dataclasses
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from seqcnn.architectures import NetworkConfig, configure
from seqcnn.dna import ALPHABETS
from seqcnn.errors import ConfigError, InputError, ModelFileError
from seqcnn.files import check_file, whole_file
from seqcnn.metrics import TaskKind
from seqcnn.motifs import Motif
from seqcnn.significance import Null

__all__ = ["FORMAT_VERSION", "ModelSpec", "TrainedModel", "read_model", "write_model"]

FORMAT_VERSION = 1
_METADATA = "seqcnn"
_DIGEST = "sha256"
_STRANDS = ("average", "max", "single")
_TRANSFORMS = ("none", "log2")
_LONGEST = 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_MESSAGE = 200

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes and gives.

    Attributes
    ----------
    architecture
        Name of the family.
    config
        Its numbers.
    task_kind
        ``binary``, ``multilabel`` or ``regression``.
    tasks
        A name for each output.
    length
        Bases of a window.
    strands
        ``average`` (mean of both strands' logits), ``max`` (the larger), or ``single``.
    alphabet
        ``dna`` or ``rna``.
    centre, scale
        Mean and standard deviation that regression targets were standardised with, for each
        task; 0 and 1 otherwise. A logit l stands for ``centre + scale * l``.
    transform
        ``log2`` where that value is the log2 of a regression target, else ``none``.
    unknown
        What N has in each of the four one-hot rows.
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

    def to_json(self) -> dict[str, Any]:
        """Give the spec as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelSpec":
        """Build a spec from `to_json`'s values.

        Raises
        ------
        ConfigError, KeyError, TypeError, ValueError
            For values that are no spec.
        """
        known = dict(values)
        known["config"] = configure(known["architecture"], known["config"])
        for key in ("tasks", "centre", "scale"):
            known[key] = tuple(known[key])
        known["unknown"] = float(known["unknown"])
        spec = cls(**known)
        _check_spec(spec)
        return spec


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, or an ensemble of them, and what was measured when it was trained.

    Attributes
    ----------
    spec
        What it takes and gives.
    members
        Weights of each member by name.
    reference
        Scores (tasks, quantiles) of the training positives at even quantiles from 0 to 1,
        against which an allele's score is ranked.
    motifs
        What the detectors recognise, most important first.
    metrics
        As in metrics.json, without time and device.
    baselines
        The composition and length baselines, as JSON values.
    provenance
        Version, command, checksums of the data, seed.
    null
        Effects of null variants, against which those of alleles are held; None where there is
        no null distribution.
    """

    spec: ModelSpec
    members: tuple[dict[str, NDArray[Any]], ...]
    reference: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    motifs: tuple[Motif, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    null: Null | None = None


def _check_spec(spec: ModelSpec) -> None:
    number = len(spec.tasks)
    sound = {
        "tasks": number > 0 and all(map(_is_name, spec.tasks)),
        "task_kind": spec.task_kind in get_args(TaskKind),
        "length": type(spec.length) is int and 0 < spec.length <= _LONGEST,
        "strands": spec.strands in _STRANDS,
        "alphabet": spec.alphabet in ALPHABETS,
        "centre": len(spec.centre) in (0, number) and all(map(_is_number, spec.centre)),
        "scale": len(spec.scale) in (0, number)
        and all(_is_number(v) and v > 0 for v in spec.scale),
        "transform": spec.transform in _TRANSFORMS,
        "unknown": 0 <= spec.unknown <= 1,
    }
    wrong = [name for name, is_sound in sound.items() if not is_sound]
    if wrong:
        raise ValueError(f"{wrong[0]} {getattr(spec, wrong[0])!r}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and not _CONTROL.search(value)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def write_model(model: TrainedModel, path: Path) -> None:
    """Write a model file; the place is taken only when it is whole."""
    tensors = _collect_tensors(model)
    content = {
        "format_version": FORMAT_VERSION,
        "spec": model.spec.to_json(),
        "members": len(model.members),
        "motifs": [_motif_to_json(motif) for motif in model.motifs],
        "metrics": model.metrics,
        "baselines": model.baselines,
        "provenance": model.provenance,
    }
    if model.null is not None:
        content["null"] = _null_to_json(model.null)
    text = _dump(content | {_DIGEST: _digest(content, tensors)})
    with whole_file(path) as partial:
        save_file(tensors, partial, metadata={_METADATA: text})


def _collect_tensors(model: TrainedModel) -> Tensors:
    tensors = {
        f"member.{i}.{name}": np.asarray(weights, order="C")
        for i, member in enumerate(model.members)
        for name, weights in member.items()
    }
    tensors["reference"] = np.ascontiguousarray(model.reference, dtype=np.float32)
    for i, motif in enumerate(model.motifs):
        tensors[f"motif.{i}"] = np.ascontiguousarray(motif.pfm, dtype=np.float64)
    if model.null is not None:
        tensors["null"] = np.ascontiguousarray(model.null.sizes, dtype=np.float32)
    return tensors


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False)


def _digest(content: dict[str, Any], tensors: Tensors) -> str:
    digest = hashlib.sha256(_dump(content).encode())
    for name, values in sorted(tensors.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def read_model(path: Path) -> TrainedModel:
    """Read a model file.

    Raises
    ------
    ModelFileError
        When the file is absent, cut, no model of seqcnn's, or of a later format.
    """
    try:
        check_file(path, InputError)
        content, tensors = _read_parts(path)
        _check_version(path, content)
        _check_digest(content, tensors)
        return _assemble(content, tensors)
    except InputError as problem:
        raise ModelFileError(
            problem.where, problem.found, expected=problem.expected, remedy=problem.remedy
        ) from problem
    except _DAMAGES as problem:
        raise ModelFileError(
            path,
            f"the model file is damaged ({_spell(problem)})",
            remedy="copy it again, or train the model again",
        ) from problem


_DAMAGES = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    ConfigError,
)


def _spell(problem: Exception) -> str:
    text = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def _read_parts(path: Path) -> tuple[dict[str, Any], Tensors]:
    refusal = ModelFileError(
        path,
        "is not a seqcnn model, or is cut",
        expected="a .safetensors file that `seqcnn train` wrote",
    )
    try:
        with safe_open(path, framework="numpy") as handle:
            metadata = handle.metadata() or {}
            if _METADATA not in metadata:
                raise refusal
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise refusal from problem
    return json.loads(metadata[_METADATA]), tensors


def _check_digest(content: dict[str, Any], tensors: Tensors) -> None:
    noted = content.pop(_DIGEST)
    if noted != _digest(content, tensors):
        raise ValueError("its content is not what its checksum says")


def _check_version(path: Path, content: dict[str, Any]) -> None:
    version = content["format_version"]
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            path,
            f"model format {str(version)[:20]}",
            expected=f"1 to {FORMAT_VERSION}",
            remedy="update seqcnn",
        )


def _assemble(content: dict[str, Any], tensors: Tensors) -> TrainedModel:
    spec = ModelSpec.from_json(content["spec"])
    members = tuple(_member(tensors, number) for number in range(content["members"]))
    if not members:
        raise ValueError("no weights")
    reference = tensors["reference"]
    if reference.ndim != 2 or (reference.size and len(reference) != len(spec.tasks)):
        raise ValueError(f"reference of shape {reference.shape} for {len(spec.tasks)} tasks")
    if reference.dtype.kind != "f" or not np.isfinite(reference).all():
        raise ValueError("reference holds values that are not finite")
    motifs = tuple(
        _motif_from_json(values, tensors[f"motif.{i}"])
        for i, values in enumerate(content["motifs"])
    )
    _check_described(content)
    described = {key: content[key] for key in ("metrics", "baselines", "provenance")}
    null = _null_from_json(content, tensors, len(spec.tasks))
    return TrainedModel(spec, members, reference, motifs, null=null, **described)


def _member(tensors: Tensors, number: int) -> Tensors:
    prefix = f"member.{number}."
    member = {
        name.removeprefix(prefix): weights
        for name, weights in tensors.items()
        if name.startswith(prefix)
    }
    if not member:
        raise ValueError(f"no weights of member {number + 1}")
    for name, weights in member.items():
        if not np.isfinite(weights).all():
            raise ValueError(f"{name} holds values that are not finite")
    return member


def _null_to_json(null: Null) -> dict[str, Any]:
    return {
        "types": list(null.types),
        "strands": null.strands,
        "shifts": null.shifts,
        "source": null.source,
    }


def _null_from_json(content: dict[str, Any], tensors: Tensors, tasks: int) -> Null | None:
    if "null" not in content and "null" not in tensors:
        return None
    values = dict(content["null"])
    null = Null(tensors["null"], tuple(values.pop("types")), **values)
    if null.sizes.shape[1] != tasks:
        raise ValueError(f"null of {null.sizes.shape[1]} tasks, not {tasks}")
    return null


def _check_described(content: dict[str, Any]) -> None:
    """Refuse descriptions of another build than a training's: commands rely on it."""
    metrics, baselines, provenance = (
        content[key] for key in ("metrics", "baselines", "provenance")
    )
    sides = [side for name, side in metrics.items() if name != "baselines"]
    sides += metrics.get("baselines", {}).values()
    estimates = [value for side in sides for task in side.values() for value in task.values()]
    numbers = [n for value in estimates for n in _numbers_of(value)]
    if not all(number is None or _is_number(number) for number in numbers):
        raise ValueError("metrics that are no numbers")
    parts = [provenance, provenance.get("inputs", {}), *baselines.values()]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("a description that is none")


def _numbers_of(estimate: object) -> list[object]:
    if isinstance(estimate, dict):
        return [estimate[key] for key in ("value", "low", "high")]
    return [estimate]


def _motif_to_json(motif: Motif) -> dict[str, Any]:
    values = {
        item.name: getattr(motif, item.name)
        for item in dataclasses.fields(motif)
        if item.name != "pfm"
    }
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in values.items()
    }


def _motif_from_json(values: dict[str, Any], pfm: NDArray[np.float64]) -> Motif:
    known = {key: value for key, value in values.items() if value is not None}
    motif = Motif(pfm=pfm, **known | {"background": tuple(known["background"])})
    numbers = [value for key in ("sites", "importance") if (value := known.get(key)) is not None]
    # A motif's name becomes that of a file.
    named = _is_name(motif.name) and _is_name(motif.alternate) and "/" not in motif.name
    if not (named and all(map(_is_number, numbers))):
        raise ValueError(f"the motif {motif.name!r}")
    return motif
