"""The Snakemake workflow: what it refuses, what it would run, and a run on the example."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
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
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflows / "Snakefile")]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, *arguments],
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
    assert len(rules) == 11
    for rule in rules:
        for word in ("log:", "benchmark:", "threads:", "mem_mb=", "runtime=", "gpu=", "conda:"):
            assert f"    {word}" in rule, rule.partition(":")[0]
        shell = "".join(re.findall(r'"(.*)"', rule.partition("    shell:")[2]))
        assert {call.split()[0] for call in re.split("&&", shell.lstrip("("))} == {"seqcnn"}


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
    commands = re.findall(r"^Shell command: (.*)", done.stdout, flags=re.MULTILINE)
    calls = re.findall(r"(?:^|[(]|&& )(\w+ [\w-]+)", "\n".join(commands), flags=re.MULTILINE)
    assert Counter(calls) == {
        "seqcnn prepare": 1,
        "seqcnn train": 2,
        "seqcnn evaluate": 1,
        "seqcnn export-logos": 2,
        "seqcnn score-variants": 4,
        "seqcnn gather": 4,
        "seqcnn fdr": 4,
        "seqcnn top": 2,
        "seqcnn mutation-map": 2,
        "seqcnn overview": 1,
    }


def test_rows_become_options(snakemake: Snakemake, project: Path) -> None:
    for name in ("a b.bed", "c.bed", "genome.fa", "background.fa", "in.vcf"):
        (project / name).write_text("")
    (project / "sheet.tsv").write_text(
        "sample\tpeaks\tfasta\tbackground\ttest\tmembers\toptions\n"
        "x\tA=a b.bed,c.bed\tgenome.fa\tbackground.fa\t0.1\t3\t--set filters='16; ls'\n"
    )
    settings = {
        "samples": "sheet.tsv",
        "evaluations": None,
        "variants": "variants.tsv",
        "seed": 7,
        "train": {"steps": 20, "members": 2, "options": "--set x=1"},
        "score_variants": {"ref_mismatch": "warn", "options": "--shifts 3"},
        "mutation_maps": {"top": 0},
        "export_logos": {"motifs": "a b.bed"},
        "resources": {"train": {"threads": 3}},
    }
    (project / "variants.tsv").write_text(
        "name\tvcf\tfasta\tshards\tregions\toptions\n"
        "v\tin.vcf\tgenome.fa\t3\tchr1:5-9,chr2\t--shifts 5\n"
    )
    (project / "settings.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake("--dry-run", "-p", "--cores", "4", "--configfile", "settings.yaml")
    assert done.returncode == 0, done.stdout
    assert (
        "seqcnn train --seed 7 --device auto --force --threads 3 --peaks 'A=a b.bed' --peaks c.bed"
        " --fasta genome.fa --background background.fa --test 0.1 --length 101 --members 3"
        " --steps 20 --set x=1 --set 'filters=16; ls' --resume -o results/models/x > "
    ) in done.stdout
    assert "background.fa" in re.search(r"^ +input: .*", done.stdout, flags=re.MULTILINE)[0]
    assert (
        "--shard 3/3 --resume --ref-mismatch warn --regions chr1:5-9,chr2 --shifts 3 --shifts 5"
        " in.vcf -o results/variants/x/v.shards/3of3.vcf.gz"
    ) in done.stdout
    assert "--motifs 'a b.bed'" in done.stdout
    assert "mutation-map" not in done.stdout


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
        (
            "sample\tseq\tfolds\ttest\nx\tx.seq\t0.1;0.2\t0.1\n",
            "sheet.tsv, line 2: folds and test; expected one of them",
        ),
        (
            "sample\tseq\tfolds\nx\tx.seq\tchr1;chr2\nx.2\tx.seq\t\n",
            "sheet.tsv, line 3: x.2 is there a second time",
        ),
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


def test_files_that_are_missing_are_told_a_line_each(snakemake: Snakemake, project: Path) -> None:
    (project / "sheet.tsv").write_text("sample\tseq\ncrp\tx.seq\nother\ty.seq\n")
    (project / "variants.tsv").write_text("name\tvcf\tfasta\nv\tin.vcf\t../g.fa\n")
    done = snakemake("--dry-run", "--config", "samples=sheet.tsv", "variants=variants.tsv")
    assert done.returncode == 1
    told = [line.strip() for line in done.stdout.splitlines() if "no file" in line]
    assert told == [
        "sheet.tsv, line 2: seq: no file 'x.seq'",
        "sheet.tsv, line 3: seq: no file 'y.seq'",
        "variants.tsv, line 2: vcf: no file 'in.vcf'",
        "variants.tsv, line 2: fasta: no file '../g.fa'",
    ]


def test_contigs_that_do_not_fit_are_told_before_a_job_begins(
    snakemake: Snakemake, project: Path
) -> None:
    vcf = project / "../example_data/variants.vcf"
    (project / "renamed.vcf").write_text(vcf.read_text().replace("NC_008253.1", "chromosome"))
    fasta = "../example_data/ecoli536.fa.gz"
    sheet = project / "config/variants.tsv"
    sheet.write_text(sheet.read_text() + f"renamed\trenamed.vcf\t{fasta}\t\n")
    done = snakemake("--cores", "2")
    assert done.returncode == 1
    assert "rule train" not in done.stdout
    (told, _) = (project / "results/logs/prepare.log").read_text().splitlines()
    assert "config/variants.tsv:3: renamed.vcf: 1 contig(s) not in the FASTA: chromosome" in told


def test_folds_models_and_calibration(snakemake: Snakemake, project: Path) -> None:
    for name in ("x.seq", "ready.safetensors"):
        (project / name).write_text("")
    (project / "sheet.tsv").write_text(
        "sample\tseq\tfolds\tmodel\tmembers\n"
        "x\tx.seq\t0.1; y.seq\t\t4\n"
        "ready\t\t\tready.safetensors\t\n"
    )
    settings = {
        "samples": "sheet.tsv",
        "evaluations": None,
        "calibrate": {"trials": 5, "shards": 9, "options": "--folds 2"},
    }
    (project / "y.seq").write_text("")
    (project / "settings.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake("--dry-run", "-p", "--cores", "4", "--configfile", "settings.yaml")
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, flags=re.MULTILINE))
    assert counts["calibrate"] == "10"  # no more shards than trials
    assert counts["train_calibrated"] == "2"
    assert counts["export_logos"] == "3"
    assert (
        "--seq x.seq --test y.seq --length 101 --steps 300  --trials 5 --folds 2"
        " --trial-shard 5/5 --resume -o results/calibrations/x.2 > "
    ) in done.stdout
    assert "--finish results/calibrations/x.1 --resume -o results/models/x.1 > " in done.stdout
    assert "export-logos -m ready.safetensors" in done.stdout


def test_resources_grow_with_each_attempt(workflows: Path) -> None:
    """Memory and time are given by functions of the attempt, in every rule."""
    text = "".join(path.read_text() for path in (workflows / "rules").glob("*.smk"))
    asked = re.findall(r"(?:mem_mb|runtime)=(.*),$", text, flags=re.MULTILINE)
    assert asked
    assert all(re.fullmatch(r'grown\("\w+", "(mem_mb|runtime)"\)', each) for each in asked)


def test_profiles_are_read(snakemake: Snakemake, workflows: Path) -> None:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    for name in ("local", "slurm"):
        done = snakemake("--dry-run", "--profile", str(workflows / "profiles" / name))
        assert done.returncode == 0, done.stdout
        assert "Using profile" in done.stdout
    assert "slurm_extra=--signal=TERM@60" in done.stdout


def test_the_workflow_is_a_module_of_another(
    snakemake: Snakemake, project: Path, workflows: Path
) -> None:
    """Its rules take a prefix, and files that the other workflow makes are not missing."""
    (project / "sheet.tsv").write_text("sample\tseq\nx\tmade/x.seq\n")
    (project / "Snakefile").write_text(f"""
module seqcnn:
    snakefile: {str(workflows / "Snakefile")!r}
    config: {{"samples": "sheet.tsv", "results": "here", "train": {{"steps": 5}}}}

use rule * from seqcnn as seqcnn_*

rule all:
    default_target: True
    input:
        rules.seqcnn_all.input,

rule make:
    output: "made/x.seq"
    shell: "echo > {{output}}"
""")
    done = snakemake("--dry-run", "-p", "--snakefile", "Snakefile", "--cores", "2")
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, flags=re.MULTILINE))
    assert counts == {
        "all": "1",
        "make": "1",
        "seqcnn_prepare": "1",
        "seqcnn_train": "1",
        "seqcnn_export_logos": "1",
        "seqcnn_overview": "1",
        "total": "6",
    }
    assert "--steps 5" in done.stdout
    assert "-o here/models/x > here/logs/train/x.log" in done.stdout


def kill_after_a_training(command: list[str], project: Path, environment: dict[str, str]) -> str:
    """Start the workflow, kill it when the first training is done, and give its sample."""
    benchmarks = project / "results/benchmarks/train"
    with (project / "said").open("w") as said:
        running = subprocess.Popen(
            command, cwd=project, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    while "(Rule: train)" not in (project / "said").read_text():
        assert running.poll() is None, (project / "said").read_text()
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    (done,) = benchmarks.glob("*.tsv")
    return done.stem


def test_example_runs_killed_and_begun_again(
    snakemake: Snakemake, project: Path, workflows: Path, environment: dict[str, str]
) -> None:
    (project / "brief.yaml").write_text("train:\n  steps: 20\nmutation_maps:\n  top: 1\n")
    arguments = ("--cores", "2", "--show-failed-logs", "--configfile", "brief.yaml")
    results = project / "results"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(workflows / "Snakefile")]
    first = kill_after_a_training([*command, *arguments], project, environment)
    assert snakemake("--unlock").returncode == 0
    done = snakemake(*arguments, "--rerun-incomplete")
    assert done.returncode == 0, done.stdout
    trained = re.findall(r"rule train:\n.*\n.*\n +log: results/logs/train/(\w+).log", done.stdout)
    assert trained == [sample for sample in ("crp", "crp_deepbind") if sample != first]

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
        assert (results / f"maps/{sample}/strains/map.tsv").stat().st_size
        assert not list((results / f"variants/{sample}").glob("*.shards/*.gz"))
    evaluation = json.loads((results / "evaluations/crp/held_out_gc/metrics.json").read_text())
    assert evaluation
    assert "2 models, 1 evaluation and 2 scored VCFs" in (results / "overview.html").read_text()
    assert len(list((results / "benchmarks").rglob("*.tsv"))) == 1 + 2 + 1 + 2 + 4 + 2 + 2 + 2 + 1

    assert "Nothing to be done" in snakemake(*arguments).stdout
    report = snakemake(*arguments, "--report", "report.zip")
    assert report.returncode == 0, report.stdout

    sheet = project / "config/samples.tsv"
    lines = sheet.read_text().splitlines()
    sheet.write_text("\n".join([*lines, lines[1].replace("crp", "more", 1)]) + "\n")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", snakemake("-n", *arguments).stdout, re.MULTILINE))
    assert counts["prepare"] == counts["train"] == "1"  # what is there is not made again
