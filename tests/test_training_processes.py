"""Several processes train one network: the losses are those of one process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import World
from commands import read_tsv, seqcnn

PROCESSES = 2
WORDS = ["--arch", "resnet", "--set", "channels=4", "--set", "blocks=1", "--set", "dropout=0"]
WORDS += ["--length", "61", "--steps", "6", "--batch-size", "30", "--threads", "1"]


def test_losses_are_those_of_one_process_and_only_the_first_writes(
    world: World, tmp_path: Path
) -> None:
    """Through torchrun, with gloo; batch norms and the mean over labels look at the whole batch."""
    pytest.importorskip("torch.distributed.run")
    words = ["train", "--peaks", str(world.peaks), "--fasta", str(world.genome), *WORDS]
    seqcnn(*words, "-q", "-o", tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", str(PROCESSES), "-m", "seqcnn"]
    ended = subprocess.run(
        [*torchrun, *words, "-o", str(tmp_path / "two")], capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stderr.decode().count("device: cpu") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    one, two = (read_tsv(tmp_path / run / "history.tsv") for run in ("one", "two"))
    assert len(one) == len(two) == 6
    for row, other in zip(one, two, strict=True):
        for name, value in row.items():
            assert float(other[name]) == pytest.approx(float(value), rel=2e-4)
    logits = [
        [float(row["logit"]) for row in read_tsv(tmp_path / run / "predictions.test.tsv.gz")]
        for run in ("one", "two")
    ]
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-2, atol=1e-3)
    metrics = json.loads((tmp_path / "two/metrics.json").read_text())
    assert metrics["device"] == "cpu"
