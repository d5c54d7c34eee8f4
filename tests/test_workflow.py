"""The Snakemake workflow: what it refuses, what it would run, and a run on the example."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(find_spec("snakemake") is None, reason="snakemake is not installed"),
]

HELD_OUT_START = 3_700_000
Snakemake = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def workflows(root: Path) -> Path:
    return root / "workflows"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Put this Python's commands first, and the caches of snakemake into a folder of their own."""
    commands = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture
def project(tmp_path: Path, workflows: Path, example_data: Path) -> Path:
    """Copy the example to a place of its own, as a user would, without the rules."""
    shutil.copytree(workflows / "config", tmp_path / "project" / "config")
    shutil.copytree(example_data, tmp_path / "example_data")
    return tmp_path / "project"


@pytest.fixture
def snakemake(project: Path, workflows: Path, environment: dict[str, str]) -> Snakemake:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        snakefile = str(workflows / "Snakefile")
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", snakefile, *arguments],
            cwd=project,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    return run


def objects_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every mapping with named fields that a schema describes."""
    for field in schema.get("properties", {}).values():
        yield from objects_of(field)
    if "items" in schema:
        yield from objects_of(schema["items"])
    if "properties" in schema and list(schema["properties"]) != ["rows"]:
        yield schema


@pytest.mark.parametrize("name", ["config", "samples", "evaluations", "variants"])
def test_schemas_describe_every_field_and_refuse_others(workflows: Path, name: str) -> None:
    schema = yaml.safe_load((workflows / "schemas" / f"{name}.schema.yaml").read_text())
    objects = list(objects_of(schema))
    assert objects
    for each in objects:
        assert each["additionalProperties"] is False
        for field, meaning in each["properties"].items():
            assert meaning["description"].endswith("."), field
            assert name != "config" or "default" in meaning, field


def test_rules_have_log_benchmark_and_resources(workflows: Path) -> None:
    text = "".join(path.read_text() for path in (workflows / "rules").glob("*.smk"))
    rules = re.split(r"^rule ", text, flags=re.MULTILINE)[1:]
    assert len(rules) == 4
    for rule in rules:
        for word in ("log:", "benchmark:", "threads:", "mem_mb=", "runtime=", "conda:"):
            assert f"    {word}" in rule, rule.partition(":")[0]


def test_conda_environment_has_the_dependencies_of_the_package(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    renamed = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
    wanted = {
        re.sub(r"^[\w-]+", lambda name: renamed.get(name[0], name[0]), each).lower()
        for each in [*project["dependencies"], f"python{project['requires-python']}"]
    }
    listed = yaml.safe_load((root / "workflows/envs/seqcnn.yaml").read_text())["dependencies"]
    assert set(listed) - {"pip"} == wanted


def test_lint_is_clean(snakemake: Snakemake) -> None:
    done = snakemake("--lint")
    assert done.returncode == 0, done.stdout


def test_snakefmt_is_clean(root: Path) -> None:
    command = [sys.executable, "-m", "snakefmt", "--check", "workflows"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_held_out_sites_are_those_of_the_example(workflows: Path, example_data: Path) -> None:
    sites = (example_data / "crp_sites.bed").read_text().splitlines(keepends=True)
    held_out = [line for line in sites if int(line.split("\t")[1]) >= HELD_OUT_START]
    assert (workflows / "config" / "crp_held_out.bed").read_text() == "".join(held_out)


def test_dry_run_only_calls_seqcnn(snakemake: Snakemake) -> None:
    done = snakemake("--dry-run", "--printshellcmds", "--cores", "2")
    assert done.returncode == 0, done.stdout
    calls = re.findall(r"^Shell command: (\w+ [\w-]+)", done.stdout, flags=re.MULTILINE)
    assert sorted(calls) == [
        "seqcnn evaluate",
        "seqcnn export-logos",
        "seqcnn export-logos",
        "seqcnn score-variants",
        "seqcnn score-variants",
        "seqcnn train",
        "seqcnn train",
    ]


def test_rows_become_options(snakemake: Snakemake, project: Path) -> None:
    for name in ("a b.bed", "c.bed", "genome.fa", "background.fa"):
        (project / name).write_text("")
    (project / "sheet.tsv").write_text(
        "sample\tpeaks\tfasta\tbackground\ttest\tmembers\toptions\n"
        "x\tA=a b.bed,c.bed\tgenome.fa\tbackground.fa\t0.1\t3\t--set filters='16; ls'\n"
    )
    settings = {
        "samples": "sheet.tsv",
        "evaluations": None,
        "variants": None,
        "seed": 7,
        "train": {"steps": 20, "members": 2, "options": "--set x=1"},
        "resources": {"train": {"threads": 3}},
    }
    (project / "settings.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake("--dry-run", "-p", "--cores", "4", "--configfile", "settings.yaml")
    assert done.returncode == 0, done.stdout
    assert (
        "seqcnn train --seed 7 --device auto --force --threads 3 --peaks 'A=a b.bed' --peaks c.bed"
        " --fasta genome.fa --background background.fa --test 0.1 --length 101 --members 3"
        " --steps 20 --set x=1 --set 'filters=16; ls' -o results/models/x > "
    ) in done.stdout
    assert "background.fa" in re.search(r"^ +input: .*", done.stdout, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("lenght=101", "'lenght' was unexpected"),
        ('train={"lenght": 101}', "train: Additional properties are not allowed ('lenght'"),
        ('train={"length": "wide"}', "train: length: 'wide' is not of type 'integer'"),
        ("samples=nowhere.tsv", "nowhere.tsv: cannot be read"),
    ],
)
def test_bad_configuration_is_refused(snakemake: Snakemake, setting: str, named: str) -> None:
    done = snakemake("--dry-run", "--config", setting)
    assert done.returncode == 1
    assert named in done.stdout


@pytest.mark.parametrize(
    ("sheet", "named"),
    [
        ("", "sheet.tsv: no row under the header"),
        ("sample\tsek\nx\tx.seq\n", "sheet.tsv, line 2: Additional properties are not allowed"),
        ("seq\nx.seq\n", "sheet.tsv, line 2: 'sample' is a required property"),
        ("sample\tseq\nx y\tx.seq\n", "sheet.tsv, line 2: sample: 'x y' does not match"),
        ("sample\tseq\nx\tx.seq\nx\ty.seq\n", "sheet.tsv, line 3: x is there a second time"),
        ("sample\nx\n", "sheet.tsv, line 2: no source; expected exactly one of peaks"),
        ("sample\tseq\ttable\nx\tx.seq\tx.tsv\n", "line 2: seq and table; expected exactly one"),
        ("sample\tpeaks\nx\tx.bed\n", "sheet.tsv, line 2: peaks without fasta"),
        ("sample\tseq\toptions\nx\tx.seq\t--set 'a\n", "No closing quotation"),
        ("sample\tseq\nx\tx.seq\n", "evaluations.tsv, line 2: no sample 'crp'; sheet.tsv has x"),
    ],
)
def test_bad_sheet_is_refused(snakemake: Snakemake, project: Path, sheet: str, named: str) -> None:
    (project / "sheet.tsv").write_text(sheet)
    done = snakemake("--dry-run", "--config", "samples=sheet.tsv")
    assert done.returncode == 1
    assert named in done.stdout


def test_example_runs(snakemake: Snakemake, project: Path) -> None:
    (project / "brief.yaml").write_text("train:\n  steps: 20\n")
    arguments = ("--cores", "2", "--show-failed-logs", "--configfile", "brief.yaml")
    done = snakemake(*arguments)
    assert done.returncode == 0, done.stdout

    results = project / "results"
    records = (project / "../example_data/variants.vcf").read_text().splitlines()
    alleles = [line.split("\t")[1:5:3] for line in records if not line.startswith("#")]
    for sample in ("crp", "crp_deepbind"):
        metrics = json.loads((results / f"models/{sample}/metrics.json").read_text())
        (task,) = metrics["test"].values()
        assert 0 <= task["auroc"]["low"] <= task["auroc"]["value"] <= task["auroc"]["high"] <= 1
        assert "MOTIF" in (results / f"logos/{sample}/motifs.meme").read_text()
        assert (results / f"logos/{sample}/index.html").stat().st_size
        with gzip.open(results / f"variants/{sample}/strains.tsv.gz", "rt") as table:
            scored = [row["position"] for row in csv.DictReader(table, delimiter="\t")]
        assert scored == [at for at, alts in alleles for _ in alts.split(",")]
        with gzip.open(results / f"variants/{sample}/strains.vcf.gz", "rt") as vcf:
            assert sum(not line.startswith("#") for line in vcf) == len(alleles)
    evaluation = json.loads((results / "evaluations/crp/held_out_gc/metrics.json").read_text())
    assert evaluation
    assert len(list((results / "benchmarks").rglob("*.tsv"))) == 7

    assert "Nothing to be done" in snakemake(*arguments).stdout
