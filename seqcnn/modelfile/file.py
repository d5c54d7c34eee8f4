"""The model file: one safetensors file with everything that scoring needs, and nothing that runs.

Layout, ``FORMAT_VERSION`` 3
    Tensors ``member.I.NAME`` (weights of member I), ``reference`` (tasks, quantiles),
    ``motif.I`` (4, width) counts and ``null`` (types, tasks, count), sizes of the effects of null
    variants. The safetensors metadata holds one key, ``seqcnn``: a JSON object with
    ``format_version``, ``spec``, ``members`` (how many), ``motifs`` (names and numbers),
    ``metrics``, ``baselines``, ``provenance``, ``null`` (types, and how it was drawn) and
    ``sha256``, the digest of all tensors and of the rest of the object: one byte that changed is
    found out. A file may be without a null, and has neither of the two then. Two trainings with
    one seed give the same bytes: no clock, no path, no machine in it.

Models side by side
    ``parts`` lists the `spec`, the number of `members` and the `provenance` of each; tensors
    ``part.P.member.I.NAME`` are its weights. The model itself has the architecture ``several``
    and no members.

Mixtures
    The same, with the architecture ``mixture``: parts of any number of members, each with the
    tasks of the model (version 3).

Version 1 had neither parts nor windows inside a sequence, version 2 no mixtures, thresholds,
exclusive classes or profiles. A model without them is written as version 1 or 2 still, so
that older programs read it.
"""

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from seqcnn.errors import ConfigError, InputError, ModelFileError
from seqcnn.files import check_file, whole_file
from seqcnn.modelfile.spec import ModelSpec, is_name, is_number
from seqcnn.modelfile.trained import TrainedModel
from seqcnn.motifs import Motif
from seqcnn.significance import Null

__all__ = ["FORMAT_VERSION", "read_model", "write_model"]

FORMAT_VERSION = 3
_METADATA = "seqcnn"
_DIGEST = "sha256"
_LONGEST_MESSAGE = 200

Tensors = dict[str, NDArray[Any]]


def write_model(model: TrainedModel, path: Path) -> None:
    """Write a model file; the place is taken only when it is whole."""
    tensors = _collect_tensors(model)
    content = {
        "format_version": _oldest_version(model),
        "spec": model.spec.to_json(),
        "members": len(model.members),
        "motifs": [_motif_to_json(motif) for motif in model.motifs],
        "metrics": model.metrics,
        "baselines": model.baselines,
        "provenance": model.provenance,
    }
    if model.null is not None:
        content["null"] = _null_to_json(model.null)
    if model.unused:
        content["unused"] = model.unused
    if model.parts:
        content["parts"] = [_part_to_json(part) for part in model.parts]
    text = _dump(content | {_DIGEST: _digest(content, tensors)})
    with whole_file(path) as partial:
        save_file(tensors, partial, metadata={_METADATA: text})


def _oldest_version(model: TrainedModel) -> int:
    if model.is_mixture or model.spec.is_of_version_3:
        return 3
    return 2 if model.parts or model.spec.window else 1


def _collect_tensors(model: TrainedModel) -> Tensors:
    sides = [("", model), *((f"part.{p}.", part) for p, part in enumerate(model.parts))]
    tensors: Tensors = {
        f"{side}member.{i}.{name}": np.asarray(weights, order="C")
        for side, each in sides
        for i, member in enumerate(each.members)
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
        raise problem.told_as(ModelFileError) from problem
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
    weights = _sort_weights(tensors)
    parts = tuple(
        _part_from_json(values, weights, part)
        for part, values in enumerate(content.get("parts", ()))
    )
    members = () if parts else _members(weights, -1, content["members"])
    _check_parts(spec, parts)
    if spec.window and not parts and len(members) * len(spec.tasks) > 1:
        raise ValueError(f"windows for {len(members)} members and {len(spec.tasks)} tasks")
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
    unused = content.get("unused", {})
    if not all(is_name(name) and is_number(number) for name, number in unused.items()):
        raise ValueError("detectors without names or numbers")
    return TrainedModel(
        spec, members, reference, motifs, null=null, parts=parts, unused=unused, **described
    )


def _check_parts(spec: ModelSpec, parts: tuple[TrainedModel, ...]) -> None:
    if spec.architecture == "mixture":
        alike = all(_window(part.spec) == _window(spec) for part in parts)
        if not (parts and alike):
            raise ValueError("a mixture of models that do not take and give the same")
        return
    if parts and spec.tasks != tuple(task for part in parts for task in part.spec.tasks):
        raise ValueError("tasks that are not those of the parts")
    for number, part in enumerate(parts, start=1):
        if len(part.members) > 1:
            raise ValueError(f"{len(part.members)} members of part {number}")


def _window(spec: ModelSpec) -> tuple[object, ...]:
    return spec.task_kind, spec.tasks, spec.length, spec.alphabet, spec.window


_WEIGHTS = re.compile(r"(?:part\.([0-9]{1,9})\.)?member\.([0-9]{1,9})\.(.+)")

Weights = dict[tuple[int, int], Tensors]
"""By the number of the part (-1: of none) and of the member."""


def _sort_weights(tensors: Tensors) -> Weights:
    sorted_out: Weights = {}
    for name, values in tensors.items():
        if match := _WEIGHTS.fullmatch(name):
            if not np.isfinite(values).all():
                raise ValueError(f"{match[3]} holds values that are not finite")
            place = (-1 if match[1] is None else int(match[1]), int(match[2]))
            sorted_out.setdefault(place, {})[match[3]] = values
    return sorted_out


def _members(weights: Weights, part: int, number: int) -> tuple[Tensors, ...]:
    members = []
    for i in range(number):
        if (part, i) not in weights:
            raise ValueError(f"no weights of member {i + 1}")
        members.append(weights[part, i])
    if not members:
        raise ValueError("no weights")
    return tuple(members)


def _part_to_json(part: TrainedModel) -> dict[str, Any]:
    members = len(part.members)
    return {"spec": part.spec.to_json(), "members": members, "provenance": part.provenance}


def _part_from_json(values: dict[str, Any], weights: Weights, number: int) -> TrainedModel:
    spec = ModelSpec.from_json(values["spec"])
    members = _members(weights, number, values["members"])
    return TrainedModel(spec, members, provenance=dict(values["provenance"]))


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
    if not all(number is None or is_number(number) for number in numbers):
        raise ValueError("metrics that are no numbers")
    parts = [provenance, provenance.get("inputs", {}), *baselines.values()]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError("a description that is none")


def _numbers_of(estimate: object) -> list[object]:
    if isinstance(estimate, dict):
        return [estimate[key] for key in ("value", "low", "high")]
    return [estimate]


_MEASURED = ("share", "enrichment", "positions", "duplicate_of")
"""Fields of a motif that are written only where they are known."""


def _motif_to_json(motif: Motif) -> dict[str, Any]:
    values = {
        item.name: getattr(motif, item.name)
        for item in dataclasses.fields(motif)
        if item.name != "pfm"
    }
    return {
        key: None if _is_unknown(value) else value
        for key, value in values.items()
        if key not in _MEASURED or not (value in ("", ()) or _is_unknown(value))
    }


def _is_unknown(value: object) -> bool:
    return isinstance(value, float) and not np.isfinite(value)


def _motif_from_json(values: dict[str, Any], pfm: NDArray[np.float64]) -> Motif:
    known = {key: value for key, value in values.items() if value is not None}
    known |= {key: tuple(known.get(key, ())) for key in ("background", "positions")}
    motif = Motif(pfm=pfm, **known)
    keys = ("sites", "importance", "share", "enrichment")
    numbers = [*motif.positions, *(known[key] for key in keys if key in known)]
    # A motif's name becomes that of a file.
    names = (motif.name, motif.alternate, motif.duplicate_of)
    named = all(map(is_name, names)) and "/" not in motif.name
    if not (named and all(map(is_number, numbers))):
        raise ValueError(f"the motif {motif.name!r}")
    return motif
