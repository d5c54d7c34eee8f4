"""What all tests share: the data folders, one thread a process, and quiet hypothesis profiles."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before numpy or torch is imported: the tests run in several processes, so one thread each.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# After the variables: what these import imports numpy.
from builders import World, build_world  # noqa: E402
from commands import seqcnn  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent

# No deadline: a busy machine is not a bug. In CI the same examples in every run.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, max_examples=25)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=1000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def example_data() -> Path:
    """The small real data that come with the project."""
    return ROOT / "example_data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The large public data sets, which are not part of the project."""
    folder = Path(os.environ.get("SEQCNN_DATA") or ROOT / "../shared/data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no public data sets in {folder}; SEQCNN_DATA names another folder")
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small genome with planted motifs, and its files; not to be written to."""
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def trained(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a network that knows the motif of the small genome."""
    run = tmp_path_factory.mktemp("trained") / "run"
    seqcnn(
        *("train", "--peaks", f"site={world.peaks}", "--fasta", world.genome, "--length", 61),
        *("--set", "detectors=8", "--steps", 60, "--learning-rate", 0.05, "--members", 2),
        *("--test", "chr6", "--validation", "chr5", "-o", run),
    )
    return run


@pytest.fixture(scope="session")
def model(trained: Path) -> Path:
    """The model file of that network: an ensemble of two."""
    return trained / "model.safetensors"
