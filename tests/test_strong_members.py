"""Members that learn from the strongest positives alone, and whether they stay."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import write_seq
from commands import seqcnn
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tiny_models import draw_codes, label, make_model

from seqcnn.architectures import configure
from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.modelfile import ModelSpec, TrainedModel, read_model
from seqcnn.splits import Split, add_shuffles
from seqcnn.training import Family, TrainingConfig, train_mixture
from seqcnn.training.mixture import tell_strongest

LENGTH = 40
SITES = draw_codes(16, 8, seed=4, unknown=False)


def plant(codes: Codes, rows: NDArray[np.integer], sites: Codes, rng: np.random.Generator) -> None:
    """Put one of some sites into each row."""
    for row in rows:
        start = rng.integers(0, LENGTH - sites.shape[1] + 1)
        codes[row, start : start + sites.shape[1]] = rng.choice(sites)


def make_split(*, total: int = 1200, with_site: int = 1200, sites: int = 16) -> Split:
    """Positives of which the strongest have one of some sites, and the others nothing."""
    rng = np.random.default_rng(5)
    codes = draw_codes(total, LENGTH, seed=6, unknown=False)
    plant(codes, np.arange(with_site), SITES[:sites], rng)
    ranks = np.arange(total, dtype=np.float64)  # from the strongest to the weakest
    data = replace(label(codes, np.ones(total)), ranks=ranks)
    held = np.arange(0, total, 2)
    train = data.take(np.setdiff1d(np.arange(total), held))
    held_out = add_shuffles(data.take(held), ratio=1, seed=7)
    return Split(train, held_out, held_out, shuffles=1)


def families(number: int) -> tuple[ModelSpec, list[Family]]:
    config = configure("gkm", {"width": "8", "informative": "6"})
    spec = ModelSpec("gkm", config, "binary", ("site",), LENGTH, "average")
    mixture = replace(spec, architecture="mixture", config=configure("mixture", {}))
    training = TrainingConfig(seed=1)
    return mixture, [Family(spec, training), Family(spec, training, strongest=number)]


def train(split: Split, number: int) -> tuple[TrainedModel, list[dict[str, float]]]:
    spec, members = families(number)
    return train_mixture(split, spec, members, device=torch.device("cpu"), threads=1)


def test_only_the_strongest_and_all_negatives_are_learned_from() -> None:
    split = make_split()
    with_negatives = replace(split, train=split.validation)
    _, (everything, strong) = families(100)
    assert everything.choose_data(split) is split
    own = strong.choose_data(with_negatives)
    assert own.train.positive.sum() == 50
    assert (~own.train.positive).sum() == (~split.validation.positive).sum()
    assert own.validation is split.validation
    unranked = replace(split, train=replace(split.train, ranks=None))
    assert len(strong.choose_data(unranked).train) == len(split.train)


@pytest.mark.parametrize(
    ("data", "number", "kept"),
    [
        ({}, 60, "the first are"),
        ({"total": 400, "with_site": 200}, 200, "both are"),
        ({"total": 1200, "with_site": 200}, 200, "the second are"),
    ],
)
def test_those_are_kept_that_tell_the_strongest(
    data: dict[str, int], number: int, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Sixteen sites are more than 30 positives teach, and weak ones without a site mislead."""
    split = make_split(**data)
    with caplog.at_level("INFO", logger="seqcnn"):
        model, history = train(split, number)
    assert f"of both; {kept} kept" in caplog.text
    assert len(model.parts) == (2 if kept == "both are" else 1)
    assert [row["member"] for row in history] == list(range(len(model.parts)))
    found = 1 - tell_strongest(model, split.validation, number, threads=1)
    others, alone, both = map(
        float, re.findall(r"([.\d]+) of (?:members|those that|both)", caplog.text)
    )
    told = {"the first are": others, "the second are": alone, "both are": both}
    assert found == pytest.approx(told[kept], abs=1e-4)
    if kept == "the first are":
        assert alone > 1.25 * others or both >= others
    else:
        assert alone <= 1.25 * others
        assert (both > 1.25 * alone) == (kept == "the second are")


def test_the_strongest_are_told_from_all_negatives() -> None:
    split = make_split()
    data, model = split.validation, make_model(length=LENGTH)
    chosen = ~data.positive | (np.nan_to_num(data.ranks, nan=0.0) < 60)
    logits = Engine(model).predict(data.sequences.codes).logits[:, 0]
    wanted = roc_auc_score(data.positive[chosen], logits[chosen])
    assert tell_strongest(model, data, 60) == pytest.approx(wanted, abs=1e-12)


def write_peaks(path: Path) -> Path:
    """A DeepBind file of 3,000 positives, strongest first; the site in the strongest 1,000."""
    rng = np.random.default_rng(8)
    codes = draw_codes(3000, LENGTH, seed=9, unknown=False)
    plant(codes, np.arange(1000), SITES[:1], rng)
    rows = ["".join("ACGT"[c] for c in row) for row in codes]
    return write_seq(path, ((row, 1) for row in rows))


def test_the_default_tries_them_where_ranks_are_known(tmp_path: Path) -> None:
    path = write_peaks(tmp_path / "x.seq.gz")
    words = ["--set", "detectors=4", "--set", "gkm.width=8", "--steps", 2, "--threads", 1]
    words += ["--test", 0.1]
    seqcnn("train", "--seq", path, *words, "-o", tmp_path / "run")
    log = (tmp_path / "run/train.log").read_text()
    assert "among the 1000 strongest positives, those held out" in log
    assert "the second are kept" in log
    parts = read_model(tmp_path / "run/model.safetensors").parts
    assert [part.spec.config.width for part in parts] == [16, 8]
    for others in (["--ranks", "none"], ["--members", "motif:1,gkm:1"]):
        seqcnn("train", "--seq", path, *words, *others, "--force", "-o", tmp_path / "run")
        assert "strongest positives" not in (tmp_path / "run/train.log").read_text()
