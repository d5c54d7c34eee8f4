"""Parameter files of the original DeepBind program, read into models that score as it does.

Accepted format (version 0.1)
    The first line is ``# deepbind 0.1``. Each further line is ``KEY = VALUES``, values separated
    by commas; blank lines and lines that begin with ``#`` do not count. All keys must be there,
    once, in any order: `reverse_complement` and `has_avg_pooling` (0 or 1), `num_detectors` d,
    `detector_len` m, `num_hidden` h, `detectors` (d*m*4 values; index k + d * (base + 4 *
    position), bases A, C, G, T or U), `thresholds` (d; they are added), `weights1` (n * max(1,
    h), row by row; n = 2d with mean pooling, maximum and mean of each detector in turn, else d),
    `biases1` (max(1, h)), `weights2` (h) and `biases2` (1; both are empty without hidden units).

Rules of scoring (version 0.11)
    A sequence longer than int(1.5 * m) is scored window by window, each alone with m - 1 unknown
    bases around it, and its score is the largest of its windows. With reverse_complement = 1
    both strands are scored, and the larger score is kept; else the model reads RNA, one strand.

Index
    ``db.tsv``: tab-separated, with a header line that begins with ``ID``; lines before it that
    begin with ``#`` do not count. Of its columns ID, Protein, Type, Species, Family, Class,
    Experiment and Experiment Details are read, where they are there.

References
----------
Alipanahi et al. 2015, doi:10.1038/nbt.3300
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures import DeepBindConfig, SeveralConfig
from seqcnn.errors import ConfigError, InputError, ModelFileError
from seqcnn.files import check_file, numbered_lines, sha256
from seqcnn.metrics import TaskKind
from seqcnn.modelfile import ModelSpec, TrainedModel

__all__ = ["ScoringRule", "find_parameter_files", "import_models", "read_index", "read_parameters"]

Numbers = NDArray[np.float32]
Entry = dict[str, str]

_VERSION = "0.1"
_HEADER = re.compile(r"#\s*deepbind\s+(\S+)\s*")
_IDENTIFIER = re.compile(r"D[0-9]{5}\.[0-9]{3}", re.ASCII)
_LONGEST_WIDTH = 200
_MOST_UNITS = 1_000_000
_REMEDY = "take the file from the archive again"
_COUNTS = {
    "reverse_complement": (0, 1),
    "num_detectors": (1, _MOST_UNITS),
    "detector_len": (1, _LONGEST_WIDTH),
    "has_avg_pooling": (0, 1),
    "num_hidden": (0, _MOST_UNITS),
}
_ARRAYS = ("detectors", "thresholds", "weights1", "biases1", "weights2", "biases2")
_COLUMNS = {
    "ID": "id",
    "Protein": "protein",
    "Type": "type",
    "Species": "species",
    "Family": "family",
    "Class": "class",
    "Experiment": "experiment",
    "Experiment Details": "details",
}


@dataclass(frozen=True)
class ScoringRule:
    """How imported models look at sequences.

    Attributes
    ----------
    length
        Bases of a genome that are looked at around a variant or an interval.
    window
        Bases of the windows inside a sequence; None: int(1.5 * m), as the original.
    real_flanks
        Whether detectors see the sequence past a window's ends, where the original puts N.
    """

    length: int = 51
    window: int | None = None
    real_flanks: bool = False


def read_parameters(path: Path, rule: ScoringRule) -> TrainedModel:
    """Read a parameter file.

    Raises
    ------
    ModelFileError
        With file and line, for what is no parameter file, or not whole.
    """
    try:
        check_file(path, InputError)
        values = _parse(path)
    except InputError as problem:
        raise problem.told_as(ModelFileError) from problem
    counts = {key: _count(path, key, values) for key in _COUNTS}
    arrays = {key: _array(path, key, values, size) for key, size in _sizes(counts).items()}
    return TrainedModel(_make_spec(path, counts, rule), (_lay_out(counts, arrays),))


def _parse(path: Path) -> dict[str, tuple[int, str]]:
    """Give the line and the text of each key."""
    values: dict[str, tuple[int, str]] = {}
    for number, line in numbered_lines(path, InputError):
        if number == 1:
            _check_header(path, line)
        elif line.strip() and not line.startswith("#"):
            key, equals, text = line.partition("=")
            key = key.strip()
            if not equals or key not in (*_COUNTS, *_ARRAYS):
                found = f"{line.strip()[:40]!r}"
                raise _refuse(path, number, found, f"KEY = VALUES ({', '.join(_COUNTS)}, ...)")
            if key in values:
                raise _refuse(path, number, f"{key} a second time", f"it in line {values[key][0]}")
            values[key] = (number, text.strip())
    for key in (*_COUNTS, *_ARRAYS):
        if key not in values:
            last = max((number for number, _ in values.values()), default=1)
            raise _refuse(path, last, f"the file ends without {key}", f"a line {key} = ...")
    return values


def _check_header(path: Path, line: str) -> None:
    match = _HEADER.fullmatch(line)
    if match and match[1] == _VERSION:
        return
    found = f"version {match[1][:20]}" if match else "is no parameter file of DeepBind"
    remedy = "" if match else "is this a file of the archive's folder db/params?"
    raise ModelFileError(f"{path}:1", found, expected=f"# deepbind {_VERSION}", remedy=remedy)


def _refuse(path: Path, line: int, found: str, expected: str) -> ModelFileError:
    return ModelFileError(f"{path}:{line}", found, expected=expected, remedy=_REMEDY)


def _count(path: Path, key: str, values: Mapping[str, tuple[int, str]]) -> int:
    line, text = values[key]
    low, high = _COUNTS[key]
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        expected = "0 or 1" if high == 1 else f"a whole number from {low} to {high}"
        raise _refuse(path, line, f"{key} {text[:20]!r}", expected)
    return int(text)


def _sizes(counts: Mapping[str, int]) -> dict[str, int]:
    detectors, hidden = counts["num_detectors"], counts["num_hidden"]
    features = detectors * (1 + counts["has_avg_pooling"])
    return {
        "detectors": detectors * counts["detector_len"] * 4,
        "thresholds": detectors,
        "weights1": features * max(1, hidden),
        "biases1": max(1, hidden),
        "weights2": hidden,
        "biases2": min(1, hidden),
    }


def _array(path: Path, key: str, values: Mapping[str, tuple[int, str]], size: int) -> Numbers:
    line, text = values[key]
    words = text.split(",") if text else []
    if len(words) != size:
        raise _refuse(path, line, f"{len(words)} values of {key}", str(size))
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        numbers = np.array([_number_of(word) for word in words])
    with np.errstate(over="ignore"):
        rounded = numbers.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(rounded))
    if len(wrong):
        found = f"value {wrong[0] + 1} of {key} is {words[wrong[0]].strip()[:20]!r}"
        raise _refuse(path, line, found, "a finite number")
    return rounded


def _number_of(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _make_spec(path: Path, counts: Mapping[str, int], rule: ScoringRule) -> ModelSpec:
    width, has_mean = counts["detector_len"], counts["has_avg_pooling"]
    both = counts["reverse_complement"] == 1
    config = DeepBindConfig(
        detectors=counts["num_detectors"],
        width=width,
        pooling="max_mean" if has_mean else "max",
        hidden=counts["num_hidden"],
    )
    # Models with mean pooling were trained on measured intensities, the others on classes.
    return ModelSpec(
        "deepbind",
        config,
        task_kind="regression" if has_mean else "binary",
        tasks=(path.name.removesuffix(".gz").removesuffix(".txt"),),
        length=rule.length,
        strands="max" if both else "single",
        alphabet="dna" if both else "rna",
        window=rule.window or width * 3 // 2,
        flanks="real" if rule.real_flanks else "unknown",
    )


def _lay_out(counts: Mapping[str, int], arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    detectors, hidden = counts["num_detectors"], counts["num_hidden"]
    by_position = arrays["detectors"].reshape(counts["detector_len"], 4, detectors)
    weights = {
        "detectors": np.ascontiguousarray(by_position.transpose(2, 1, 0)),
        "thresholds": arrays["thresholds"],
        "head.1.weight": np.ascontiguousarray(arrays["weights1"].reshape(-1, max(1, hidden)).T),
        "head.1.bias": arrays["biases1"],
    }
    if hidden:
        weights["head.3.weight"] = arrays["weights2"].reshape(1, hidden)
        weights["head.3.bias"] = arrays["biases2"]
    return weights


# --- the archive -----------------------------------------------------------------------------


def find_parameter_files(paths: Sequence[Path]) -> list[Path]:
    """List parameter files: those given, and for a folder all that it, or its params/, holds.

    Raises
    ------
    ConfigError
        For a folder without any, and for one file twice.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        folders = (path, path / "params", path / "db" / "params")
        found = sorted(f for folder in folders for f in folder.glob("D*.txt"))
        found = [f for f in found if _IDENTIFIER.fullmatch(f.stem)]
        if not found:
            raise ConfigError(
                path, "no parameter file in the folder", expected="D00001.001.txt and the like"
            )
        files += found
    names = [path.name for path in files]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(twice[0], "is given twice", remedy="name it once")
    return files


def read_index(parameters: Path) -> dict[str, Entry]:
    """Read the ``db.tsv`` that stands beside a parameter file, or one folder above, by id.

    Raises
    ------
    ModelFileError
        For an index without a column ID.
    """
    places = (folder / "db.tsv" for folder in (parameters.parent, parameters.parent.parent))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    header: list[str] = []
    entries: dict[str, Entry] = {}
    for number, line in numbered_lines(path, InputError):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("\t")]
        if not header:
            header = fields
            if "ID" not in header:
                raise ModelFileError(
                    f"{path}:{number}", "no column ID", expected="the header of db.tsv"
                )
            continue
        named = dict(zip(header, fields, strict=False))
        entries[named["ID"]] = {
            key: named[column] for column, key in _COLUMNS.items() if named.get(column)
        }
    return entries


def import_models(
    files: Sequence[Path], rule: ScoringRule, *, select: Mapping[str, str] | None = None
) -> TrainedModel:
    """Read parameter files into one model: the tasks are named ID_PROTEIN, or as the file.

    Parameters
    ----------
    files
        One file, or several for models side by side.
    rule
        How sequences are looked at.
    select
        Take only models whose entry in the index has these values, whatever the case.

    Raises
    ------
    ModelFileError
        See `read_parameters`.
    ConfigError
        When none is taken, or the index has no such column.
    """
    indexes: dict[Path, dict[str, Entry]] = {}
    models = []
    for path in files:
        index = indexes.setdefault(path.parent, {}) or read_index(path)
        indexes[path.parent] = index
        entry = index.get(path.name.removesuffix(".gz").removesuffix(".txt"), {})
        if _is_chosen(entry, select or {}):
            models.append(_describe(read_parameters(path, rule), entry, path))
    if not models:
        asked = ", ".join(f"{key}={value}" for key, value in (select or {}).items())
        raise ConfigError(f"--select {asked}", f"none of {len(files)} models is such a one")
    return models[0] if len(models) == 1 else _put_together(models)


def _is_chosen(entry: Entry, select: Mapping[str, str]) -> bool:
    unknown = [key for key in select if key not in _COLUMNS.values()]
    if unknown:
        columns = ", ".join(_COLUMNS.values())
        raise ConfigError("--select", f"no column {unknown[0]!r}", expected=columns)
    return all(entry.get(key, "").lower() == value.lower() for key, value in select.items())


def _describe(model: TrainedModel, entry: Entry, path: Path) -> TrainedModel:
    name = model.spec.tasks[0]
    if entry.get("protein"):
        name = f"{entry['id']}_{entry['protein']}"
    provenance: dict[str, Any] = {"deepbind": entry, "inputs": {path.name: sha256(path)}}
    return replace(model, spec=replace(model.spec, tasks=(name,)), provenance=provenance)


def _put_together(models: Sequence[TrainedModel]) -> TrainedModel:
    specs = [model.spec for model in models]
    is_regression = any(spec.task_kind == "regression" for spec in specs)
    kind: TaskKind = "regression" if is_regression else "multilabel"
    both = any(spec.strands == "max" for spec in specs)
    spec = ModelSpec(
        "several",
        SeveralConfig(),
        task_kind=kind,
        tasks=tuple(task for spec in specs for task in spec.tasks),
        length=specs[0].length,
        strands="max" if both else "single",
        alphabet="dna" if both else "rna",
        window=max(spec.window for spec in specs),
        flanks=specs[0].flanks,
    )
    return TrainedModel(spec, (), parts=tuple(models))
