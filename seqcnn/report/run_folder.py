"""What the workflow has made in its folder, found by the names that its rules give.

models/SAMPLE/metrics.json  logos/SAMPLE/index.html  evaluations/SAMPLE/NAME/metrics.json
variants/SAMPLE/NAME.vcf.gz  variants/SAMPLE/NAME.shards/*.json  maps/SAMPLE/NAME.vcf
benchmarks/RULE/**.tsv  prepared.json
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqcnn.errors import InputError
from seqcnn.variants import VcfReader

__all__ = ["Effect", "RunFolder", "Scored", "Taken", "read_run_folder"]

_SHOWN = 5
_DELTA = re.compile(r"SEQCNN_DELTA(_.*)?")


@dataclass(frozen=True)
class Effect:
    """A variant, and the task of which its score changes most: nothing where there is but one."""

    variant: str
    task: str
    delta: str
    p: str


@dataclass
class Scored:
    """Counts of a VCF that a model has scored, and its largest effects."""

    records: int = 0
    alleles: int = 0
    scored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    effects: list[Effect] = field(default_factory=list)


@dataclass
class Taken:
    """What the jobs of a rule took: number, seconds, the longest, MB of the largest."""

    jobs: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    memory: float = 0.0


@dataclass
class RunFolder:
    """What was found.

    Attributes
    ----------
    path
        The folder.
    models, evaluations
        ``metrics.json`` by sample, and by (sample, name).
    variants
        By (sample, name).
    taken
        By rule.
    prepared
        ``prepared.json``.
    """

    path: Path
    models: dict[str, Any] = field(default_factory=dict)
    evaluations: dict[tuple[str, str], Any] = field(default_factory=dict)
    variants: dict[tuple[str, str], Scored] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)
    prepared: dict[str, Any] = field(default_factory=dict)


def read_run_folder(path: Path) -> RunFolder:
    """Read what the workflow has made; what it was not asked for is left out.

    Raises
    ------
    InputError
        When there is no such folder, it holds nothing of the workflow's, or a file is damaged.
    """
    if not path.is_dir():
        raise InputError(path, "no such folder", expected="the folder of a run of the workflow")
    found = RunFolder(path)
    for file in _sorted(path, "models/*/metrics.json"):
        found.models[file.parent.name] = _read_json(file)
    for file in _sorted(path, "evaluations/*/*/metrics.json"):
        found.evaluations[file.parent.parent.name, file.parent.name] = _read_json(file)
    for file in _sorted(path, "variants/*/*.vcf.gz"):
        name = file.name.removesuffix(".vcf.gz")
        found.variants[file.parent.name, name] = _read_scored(file, path)
    for file in _sorted(path, "benchmarks/**/*.tsv"):
        rule = file.relative_to(path / "benchmarks").parts[0].removesuffix(".tsv")
        _add_benchmark(found.taken.setdefault(rule, Taken()), file)
    if (path / "prepared.json").is_file():
        found.prepared = _read_json(path / "prepared.json")
    if not (found.models or found.evaluations or found.variants):
        raise InputError(
            path,
            "holds no models/, evaluations/ or variants/",
            expected="the folder of a run of the workflow",
        )
    return found


def _sorted(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise InputError(
            path, f"is no JSON ({problem})", remedy="remove it, and run the workflow again"
        ) from problem


def _read_scored(vcf: Path, folder: Path) -> Scored:
    name = vcf.name.removesuffix(".vcf.gz")
    scored = Scored()
    for file in vcf.parent.joinpath(f"{name}.shards").glob("*.json"):
        counts = _read_json(file)
        scored.records += counts["records"]
        scored.alleles += counts["alleles"]
        scored.scored += counts["scored"]
        scored.reasons.update(counts["reasons"])
    top = folder / "maps" / vcf.parent.name / f"{name}.vcf"
    if top.is_file():
        scored.effects = list(_read_effects(top))
    return scored


def _read_effects(path: Path) -> Iterator[Effect]:
    with VcfReader(path) as reader:
        for block in reader.blocks(stop=_SHOWN):
            for row, line in enumerate(block.lines):
                place = f"{block.contigs[row]}:{block.positions[row]}"
                name = block.identifiers[row]
                change = f"{block.refs[row]}>{block.alts[row]}"
                variant = " ".join([place, change, *([] if name == "." else [name])])
                items = [item.partition("=") for item in line.split("\t")[7].split(";")]
                info = {key: value for key, _, value in items}
                deltas = [key for key in info if _DELTA.fullmatch(key)]
                key = max(deltas, key=lambda key: _size(info[key]))
                task = key.removeprefix("SEQCNN_DELTA")
                p = info.get(f"SEQCNN_P{task}", ".")
                yield Effect(variant, task.removeprefix("_"), info[key], p)


def _size(deltas: str) -> float:
    return max(abs(_number(delta)) for delta in deltas.split(","))


def _add_benchmark(taken: Taken, file: Path) -> None:
    """Add Snakemake's benchmark of a job: a line of titles, and one of numbers."""
    titles, *rows = (line.split("\t") for line in file.read_text().splitlines())
    for row in rows:
        cells = dict(zip(titles, row, strict=False))
        seconds = _number(cells.get("s"))
        taken.jobs += 1
        taken.seconds += seconds
        taken.longest = max(taken.longest, seconds)
        taken.memory = max(taken.memory, _number(cells.get("max_rss")))


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:  # a job too short to be measured: NA or -
        return 0.0
