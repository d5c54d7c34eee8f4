"""The workflow on a real Slurm of one node, which is started for the test and stopped again.

pytest -m slurm        only these        pytest -m "not slurm"        all others
"""

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from builders import write_fasta, write_lines, write_vcf
from commands import seqcnn, tree
from slurm_node import slurm_node, why_no_slurm

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slurm,
    pytest.mark.skipif(
        find_spec("snakemake_executor_plugin_slurm") is None,
        reason="snakemake-executor-plugin-slurm is not installed",
    ),
]

CPUS = 2
MEMORY = 6000
PATIENCE = 900
Begin = Callable[..., "Running"]

# What tells of time, and of the place where a job ran.
TIMED = ("benchmarks/", "logs/", "overview.html")
TIMED_ENDINGS = ("metrics.json", "report.html", "train.log")

SMALL = {
    "samples": "config/samples.tsv",
    "evaluations": None,
    "variants": "config/variants.tsv",
    "device": "cpu",
    "train": {"steps": 5, "options": "--set detectors=4"},
    "mutation_maps": {"top": 2},
    "resources": {
        "train": {"threads": 1, "mem_mb": 1000, "runtime": 10, "gpu": 1},
        "score_variants": {"threads": 1, "mem_mb": 1000, "runtime": 10},
        "export_logos": {"mem_mb": 1000},
        "mutation_maps": {"threads": 1, "mem_mb": 1000},
    },
}


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[Path]:
    reason = why_no_slurm()
    if reason:
        pytest.skip(reason)
    with slurm_node(cpus=CPUS, memory=MEMORY) as folder:
        yield folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Put this Python's commands first, and the caches of snakemake into a folder of their own."""
    commands = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }


@dataclass
class Running:
    """A workflow that was started, and the file of what it says."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def finish(self) -> str:
        """Wait for the end, which must be good, and give what was said."""
        self.process.wait(timeout=PATIENCE)
        assert self.process.returncode == 0, self.log.read_text()
        return self.log.read_text()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for something to happen while it runs."""
        end = time.monotonic() + PATIENCE
        while not ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)


@pytest.fixture
def begin(root: Path, environment: dict[str, str]) -> Iterator[Begin]:
    """Start the workflow in a folder, on Slurm or with the arguments given."""
    started: list[Running] = []
    command = [sys.executable, "-m", "snakemake", "-s", str(root / "workflows/Snakefile")]
    on_slurm = ["--profile", str(root / "workflows/profiles/slurm")]
    on_slurm += ["--slurm-status-command", "squeue"]  # there is no accounting
    on_slurm += ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]

    def start(folder: Path, *arguments: str, slurm: bool = True) -> Running:
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [*command, *(on_slurm if slurm else []), *arguments],
                cwd=folder,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(Running(process, folder / "said"))
        return started[-1]

    yield start
    for running in started:  # of a test that failed
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()


def results(folder: Path) -> dict[str, bytes]:
    """Everything that a run gave, but for what tells of time, and without the place of the run."""
    return {
        name: data.replace(str(folder).encode(), b"HERE")
        for name, data in tree(folder / "results").items()
        if not name.startswith(TIMED) and not name.endswith(TIMED_ENDINGS) and data
    }


# --- the example, in shards ----------------------------------------------------------------------


@pytest.fixture
def project(root: Path, example_data: Path, tmp_path: Path) -> Path:
    """The example, small: two samples, a VCF in four shards."""
    shutil.copytree(example_data, tmp_path / "example_data")
    for name in ("cluster", "local"):
        shutil.copytree(root / "workflows/config", tmp_path / name / "config")
        settings = SMALL | {"score_variants": {"shards": 4, "fdr": True}}
        (tmp_path / name / "config/config.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def test_cluster_machine_and_plain_commands_give_the_same_bytes(
    project: Path, begin: Begin
) -> None:
    others = _jobs_with_a_gpu()  # of the other tests on this node
    said = begin(project / "cluster").finish()
    submitted = said.count("has been submitted with SLURM jobid")
    assert submitted >= 2 * (1 + 1 + 4 + 1), said
    assert _jobs_with_a_gpu() - others == 2  # the trainings, as configured
    begin(project / "local", "--cores", "2", slurm=False).finish()
    found, expected = results(project / "cluster"), results(project / "local")
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []

    data = project / "example_data"
    for sample in ("crp", "crp_deepbind"):
        model = project / f"cluster/results/models/{sample}/model.safetensors"
        plain = project / f"{sample}.vcf.gz", project / f"{sample}.tsv.gz"
        words = ["--fasta", data / "ecoli536.fa.gz", data / "variants.vcf"]
        seqcnn("score-variants", "-m", model, *words, "-o", plain[0], "--tsv", plain[1])
        assert plain[0].read_bytes() == found[f"variants/{sample}/strains.vcf.gz"]
        assert plain[1].read_bytes() == found[f"variants/{sample}/strains.tsv.gz"]

    assert "Nothing to be done" in begin(project / "cluster").finish()


# --- jobs that are ended early -------------------------------------------------------------------

RECORDS = 60_000
SHIFTS = 61
"""So much that scoring is not done when Slurm looks at the time limit, every 30 seconds."""

STEPS = 4000
TARGETS = ("results/variants/long/many.vcf.gz",)


@pytest.fixture
def long_jobs(tmp_path: Path) -> Path:
    """A sample whose training takes a while, and a VCF that takes several blocks."""
    rng = np.random.default_rng(0)
    contig = "".join(rng.choice(list("ACGT"), 200_000))
    write_fasta(tmp_path / "g.fa", [("chr1", contig), ("chr2", contig[:9000])])
    places = rng.integers(1000, 190_000, 300)
    write_lines(tmp_path / "peaks.bed", [f"chr1\t{p}\t{p + 50}" for p in sorted(places.tolist())])
    positions = np.sort(rng.integers(200, 199_000, RECORDS)).tolist()
    records = [
        f"chr1\t{p}\t.\t{contig[p - 1]}\t{'CGTA'['ACGT'.index(contig[p - 1])]}\t.\t.\t."
        for p in positions
    ]
    write_vcf(tmp_path / "in.vcf", records, ["chr1"])
    for name in ("disturbed", "undisturbed"):
        config = tmp_path / name / "config"
        config.mkdir(parents=True)
        sheet = ["sample\tpeaks\tfasta\ttest\tarch", "long\t../peaks.bed\t../g.fa\t0.1\tdeepbind"]
        write_lines(config / "samples.tsv", sheet)
        write_lines(config / "variants.tsv", ["name\tvcf\tfasta", "many\t../in.vcf\t../g.fa"])
        settings = SMALL | {
            "train": {"steps": STEPS, "options": "--set detectors=64 --patience 100000"},
            "score_variants": {"options": f"--shifts {SHIFTS}"},
        }
        (config / "config.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


@pytest.mark.slow
def test_jobs_that_are_ended_go_on_and_end_in_the_same_bytes(long_jobs: Path, begin: Begin) -> None:
    """The training is requeued, as by pre-emption; the scoring comes to its time limit."""
    folder = long_jobs / "disturbed"
    running = begin(folder, *TARGETS)
    _requeue_in_training(running, folder / "results/models/long.partial")
    journal = folder / "results/variants/long/many.shards/1of1.vcf.gz.partial.log"
    running.wait_until(lambda: journal.exists() and journal.read_text().count("\n") > 1)
    _control("update", f"JobId={_running_job()}", "EndTime=now+1seconds")
    said = running.finish()

    assert "TIMEOUT" in said or "FAILED" in said
    assert "Trying to restart job" in said
    scoring = (folder / "results/logs/score_variants/long/many/1of1.log").read_text()
    assert "going on after record" in scoring
    training = (folder / "results/logs/train/long.log").read_text()
    assert "going on" in training
    begin(long_jobs / "undisturbed", "--cores", "2", *TARGETS, slurm=False).finish()
    found, expected = results(folder), results(long_jobs / "undisturbed")
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    vcf = gzip.decompress(found["variants/long/many.vcf.gz"]).decode()
    assert sum(line[0] != "#" for line in vcf.splitlines()) == RECORDS


def _requeue_in_training(running: Running, partial: Path) -> None:
    """Take the node from a training until it was so far that it left a checkpoint."""
    for seconds in (3, 6, 12, 24, 48):
        log = partial / "train.log"
        running.wait_until(lambda: log.exists() and " test: " in log.read_text())  # noqa: B023
        time.sleep(seconds)
        job = _running_job()
        _control("requeue", job)
        running.wait_until(lambda: _output("squeue", "-h", "-o", "%T").strip() == "PENDING")
        left = list(partial.glob("checkpoints/*.safetensors"))
        _control("update", f"JobId={job}", "StartTime=now")  # not only after two minutes
        if left:
            return
    raise AssertionError("no checkpoint")


def _jobs_with_a_gpu() -> int:
    """Count what Slurm remembers: MinJobAge is longer than the tests."""
    return _output("scontrol", "show", "job", "-o").count("gres:gpu:1")


def _running_job() -> str:
    (job,) = _output("squeue", "-h", "-t", "running", "-o", "%i").split()
    return job


def _control(*words: str) -> None:
    _output("scontrol", *words)


def _output(*command: str) -> str:
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


# --- GPUs ----------------------------------------------------------------------------------------


def test_a_rule_that_asks_for_a_gpu_is_given_one(slurm: Path) -> None:
    words = ["srun", "-n1", "--gpus=1", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES"]
    assert _output(*words).split() == ["0"]
    assert slurm.is_dir()
