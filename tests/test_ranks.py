"""Stronger positives count more: ranks, their weights, and what training makes of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import World
from commands import seqcnn
from tiny_models import draw_codes, label, make_model

from seqcnn.datasets import concatenate, read_seq
from seqcnn.ranks import HALF_RANK, rank_by_order, rank_by_signal, weigh_ranks
from seqcnn.sources import Source, prepare_split
from seqcnn.splits import Split, add_shuffles
from seqcnn.training.batches import Feed
from seqcnn.training.losses import mean_loss


def test_ranks_by_order_are_those_of_positives() -> None:
    ranks = rank_by_order(np.array([[1], [0], [1], [np.nan], [1]], dtype=np.float32))
    assert ranks.tolist() == pytest.approx([0, np.nan, 1, np.nan, 2], nan_ok=True)


def test_ranks_by_signal_fall() -> None:
    found = rank_by_signal([3.0, 9.0, 3.0, 1.0])
    assert found is not None
    assert found.tolist() == [1, 0, 1, 3]
    assert rank_by_signal([1.0, None]) is None
    assert rank_by_signal([5.0, 5.0]) is None
    assert rank_by_signal([]) is None


def test_weights_halve_at_the_thousandth() -> None:
    found = weigh_ranks(np.array([0.0, HALF_RANK, np.nan]))
    assert found is not None
    assert found.tolist() == [1, 0.5, 0.75]
    assert weigh_ranks(None) is None
    assert weigh_ranks(np.array([np.nan])) is None


def ranked(number: int, *, shuffles: int) -> Split:
    data = label(draw_codes(number, 12, unknown=False), np.ones(number))
    data = replace(data, ranks=np.arange(number) * 500.0)
    return Split(data, add_shuffles(data, ratio=1, seed=0), data, shuffles=shuffles)


def test_rows_go_with_their_rank_through_choices_and_joins() -> None:
    data = ranked(6, shuffles=1).train
    assert data.take(np.array([4, 1])).ranks.tolist() == [2000, 500]
    shuffled = add_shuffles(data, ratio=1, seed=0)
    assert shuffled.ranks.tolist() == data.ranks.tolist() * 2  # a shuffle counts as its parent
    joined = concatenate([data, replace(data, ranks=None)])
    assert np.isnan(joined.ranks[6:]).all()
    assert joined.weights[6:].tolist() == pytest.approx([data.weights.mean()] * 6)


def test_stronger_rows_are_seen_oftener_and_so_are_their_shuffles() -> None:
    split, spec = ranked(40, shuffles=1), make_model(length=12, strands="single").spec
    feed = Feed(split, spec, batch_size=80, rng=np.random.default_rng(1))
    codes, targets = feed.take(400)
    rows, labels = codes.reshape(-1, 12), targets.ravel()
    assert labels.mean() == pytest.approx(0.5, abs=0.01)
    counts = np.array(
        [(rows[labels == 1] == own).all(axis=1).sum() for own in split.train.sequences.codes]
    )
    wanted = split.train.weights / split.train.weights.sum()
    assert (np.abs(counts / counts.sum() - wanted) < 5 * np.sqrt(wanted / counts.sum())).all()


def test_a_feed_goes_on_where_it_stood() -> None:
    split, spec = ranked(20, shuffles=2), make_model(length=12).spec
    one, other = (Feed(split, spec, batch_size=7, rng=np.random.default_rng(s)) for s in (1, 2))
    one.take(3)
    other.restore(one.state())
    for mine, its in zip(one.take(20), other.take(20), strict=True):
        assert (mine == its).all()


def test_losses_are_weighted_means() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(9, 2)).astype(np.float32)
    targets = rng.integers(0, 2, (9, 2)).astype(np.float32)
    targets[2, 1] = np.nan
    weights = rng.integers(1, 4, 9)
    repeated = mean_loss(logits.repeat(weights, axis=0), targets.repeat(weights, axis=0), "binary")
    assert mean_loss(logits, targets, "binary", weights=weights * 0.5) == pytest.approx(repeated)


def test_order_of_a_seq_counts_unless_told_otherwise(world: World) -> None:
    data = read_seq(Path(world.seq), length=None, task="site")
    assert np.nanmax(data.ranks) == data.positive.sum() - 1
    for ranks in ("auto", "order", "none"):
        source = Source(seq=Path(world.seq), ranks=ranks)
        choices = {"validation": None, "test": None, "task_kind": None, "seed": 0}
        split, _ = prepare_split(source, **choices)
        assert (split.train.weights is None) == (ranks == "none")


def test_signal_of_peaks_counts(world: World, tmp_path: Path) -> None:
    lines = [line.split("\t") for line in Path(world.peaks).read_text().splitlines() if line]
    places = [line[:3] for line in lines if not line[0].startswith(("#", "track"))]
    for scores, known in ((range(len(places)), True), ([7] * len(places), False)):
        bed = tmp_path / "p.bed"
        rows = ["\t".join([*p, "x", str(s)]) for p, s in zip(places, scores, strict=True)]
        bed.write_text("\n".join(rows) + "\n")
        source = Source(peaks=(("site", bed),), fasta=Path(world.genome), length=61)
        choices = {"validation": None, "test": None, "task_kind": None, "seed": 0}
        split, _ = prepare_split(source, **choices)
        assert (split.train.weights is not None) == known


def test_ranks_are_an_option(world: World, tmp_path: Path) -> None:
    quick = ("--arch", "gkm", "--set", "width=5", "--set", "informative=3")
    made = []
    for ranks in ("auto", "none"):
        out = tmp_path / ranks
        seqcnn("train", "--seq", world.seq, *quick, "--ranks", ranks, "-o", out)
        made.append((out / "model.safetensors").read_bytes())
    assert made[0] != made[1]
