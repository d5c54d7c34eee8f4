"""Targets of each base: read, learned, predicted, measured."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import World, write_lines
from commands import read_tsv, refused, seqcnn
from sklearn import metrics as sk
from tiny_models import draw_codes, label, make_model

from seqcnn.datasets import LabelledSequences, concatenate
from seqcnn.dna import reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.profiles import predict_profiles
from seqcnn.engine.strands import expand_one_hot
from seqcnn.errors import ConfigError, InputError, SeqcnnError
from seqcnn.genome import Interval, Sequences
from seqcnn.metrics import evaluate_profiles
from seqcnn.sources.profiles import add_profiles, check_profiles
from seqcnn.splits import Split
from seqcnn.targets import choose_transform, transform_targets
from seqcnn.training.profiles import ProfileFeed, learning_targets

UNET = {"channels": 4, "width": 7, "levels": 1, "kernel": 3}
SMALL = [word for key, value in UNET.items() for word in ("--set", f"{key}={value}")]


def windows_of(*places: tuple[str, int, str], length: int = 10) -> LabelledSequences:
    intervals = tuple(Interval(c, s, s + length, "w", strand) for c, s, strand in places)
    sequences = Sequences(draw_codes(len(places), length), ("w",) * len(places), intervals)
    return LabelledSequences(sequences, np.zeros((len(places), 0), np.float32), ())


# --- reading ---------------------------------------------------------------------------------


def test_bases_under_intervals_have_the_label(tmp_path: Path) -> None:
    lines = [
        "chr1\t5\t8",
        "chr1\t7\t12",
        "chr1\t18\t40",
        "chr1\t100\t101",
        "chr2\t0\t3",
        "chr9\t0\t9",
    ]
    track = write_lines(tmp_path / "t.bed", lines)
    data = windows_of(("chr1", 0, "+"), ("chr1", 10, "."), ("chr1", 0, "-"), ("2", 0, "+"))
    found = add_profiles(data, [("t", track)])
    truth = np.zeros(60)
    for start, end in ((5, 8), (7, 12), (18, 40)):
        truth[start:end] = 1
    assert found.profiles is not None
    rows = [truth[:10], truth[10:20], truth[:10][::-1], [1, 1, 1] + [0] * 7]
    np.testing.assert_array_equal(found.profiles[:, 0], rows)
    np.testing.assert_array_equal(found.targets, [[1], [1], [1], [1]])
    assert found.tasks == ("t",)


def write_bigwig(path: Path, values: list[tuple[int, int, float]]) -> Path:
    import pyBigWig

    with pyBigWig.open(str(path), "w") as track:
        track.addHeader([("chr1", 25), ("chr2", 50)])
        starts, ends, numbers = (list(column) for column in zip(*values, strict=True))
        track.addEntries(["chr1"] * len(values), starts, ends=ends, values=numbers)
    return path


def test_a_bigwig_is_a_signal_and_what_it_lacks_is_nothing(tmp_path: Path) -> None:
    track = write_bigwig(tmp_path / "t.bw", [(2, 5, 3.0), (8, 12, 0.5), (24, 25, 7.0)])
    data = windows_of(("1", 0, "+"), ("1", 20, "+"), ("2", 0, "+"), ("5", 0, "+"))
    found = add_profiles(data, [("t", track)])
    assert found.profiles is not None
    expected = np.zeros((4, 10), np.float32)
    expected[0, 2:5], expected[0, 8:], expected[1, 4] = 3, 0.5, 7
    np.testing.assert_array_equal(found.profiles[:, 0], expected)
    assert choose_transform(found) == "log2p1"
    learned = transform_targets(found, "log2p1")
    np.testing.assert_allclose(learned.profiles[:, 0], np.log2(1 + expected))
    np.testing.assert_allclose(learned.targets[:, 0], np.log2(1 + expected).max(axis=1))
    labels = add_profiles(data, [("t", write_bigwig(tmp_path / "u.bw", [(2, 5, 1.0)]))])
    assert choose_transform(labels) == "none"


def test_broken_tracks_are_refused(tmp_path: Path) -> None:
    whole = write_bigwig(tmp_path / "t.bw", [(2, 5, 3.0)]).read_bytes()
    data = windows_of(("chr1", 0, "+"))
    for size in (4, 60, len(whole) // 2):
        (tmp_path / "cut.bw").write_bytes(whole[:size])
        with pytest.raises(InputError):
            add_profiles(data, [("t", tmp_path / "cut.bw")])
    with pytest.raises(InputError, match="chrX"):
        add_profiles(data, [("t", write_lines(tmp_path / "x.bed", ["chrX\t0\t9"]))])
    with pytest.raises(InputError):
        add_profiles(data, [("t", tmp_path / "absent.bed")])


def test_profiles_that_do_not_vary_are_refused() -> None:
    data = label(draw_codes(3, 5), np.zeros((3, 1), np.float32))
    flat = LabelledSequences(
        data.sequences, data.targets, data.tasks, np.ones((3, 1, 5), np.float32)
    )
    with pytest.raises(ConfigError, match="every base of 'site' is 1"):
        check_profiles(flat, where="the data")
    flat.profiles[0, 0, 0] = -2
    with pytest.raises(ConfigError, match="a base of 'site' is -2"):
        check_profiles(flat, where="the data")


def test_rows_keep_their_profiles() -> None:
    profiles = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    data = label(draw_codes(2, 3), np.zeros((2, 2), np.float32), ("a", "b"))
    data = LabelledSequences(data.sequences, data.targets, data.tasks, profiles)
    both = concatenate([data.take(np.array([1])), data])
    np.testing.assert_array_equal(both.profiles, profiles[[1, 0, 1]])


# --- learning --------------------------------------------------------------------------------


def profiled(n: int = 12, length: int = 16, tasks: int = 2) -> LabelledSequences:
    """Sequences whose first task is their A, and whose second is their G."""
    codes = draw_codes(n, length, unknown=False)
    profiles = np.stack([codes == 0, codes == 2][:tasks], axis=1).astype(np.float32)
    names = ("a", "g")[:tasks]
    data = label(codes, profiles.max(axis=2), names)
    return LabelledSequences(data.sequences, data.targets, names, profiles)


def test_targets_are_turned_round_with_their_sequences() -> None:
    data = profiled()
    spec = make_model("unet", values=UNET, length=16, task_kind="profile", tasks=("a", "g")).spec
    split = Split(data, data, data)
    feed = ProfileFeed(split, spec, batch_size=6, rng=np.random.default_rng(0))
    turned = 0
    originals = {row.tobytes(): i for i, row in enumerate(data.sequences.codes)}
    for _ in range(6):
        codes, targets = feed.take(1)
        for row, target in zip(codes[0], targets[0].reshape(6, 2, 16), strict=True):
            other = reverse_complement(row[None])[0]
            is_turned = row.tobytes() not in originals
            turned += is_turned
            source = originals[other.tobytes() if is_turned else row.tobytes()]
            profile = data.profiles[source]
            np.testing.assert_array_equal(target, profile[:, ::-1] if is_turned else profile)
    assert 5 < turned < 31


def test_a_signal_is_standardised_track_by_track() -> None:
    data = profiled()
    tasks, scales = ("a", "g"), {"centre": (1.0, 2.0), "scale": (2.0, 4.0)}
    spec = make_model(
        "unet",
        values=UNET,
        length=16,
        task_kind="profile",
        tasks=tasks,
        transform="log2p1",
        **scales,
    ).spec
    learned = learning_targets(data, spec).reshape(12, 2, 16)
    np.testing.assert_allclose(learned[:, 1], (data.profiles[:, 1] - 2) / 4)


@pytest.mark.parametrize("strands", ["single", "average", "max"])
def test_the_other_strand_is_turned_round(strands: str) -> None:
    tasks = ("a", "g")
    units = {"scale": (2.0, 3.0), "centre": (0.0, 1.0)}
    rest = {"task_kind": "profile", "tasks": tasks, "strands": strands, "members": 2}
    model = make_model("unet", values=UNET, length=16, **rest, **units)
    engine = Engine(model, threads=1)
    codes = draw_codes(70, 16)
    found = predict_profiles(engine, codes)
    assert found.members.shape == (2, 70, 2, 16)
    network = engine.torch.networks[1]
    with torch.inference_mode():
        sides = [
            network.profile(expand_one_hot(torch.from_numpy(side), unknown=0.25)).double().numpy()
            for side in (codes, reverse_complement(codes))
        ]
    turned = sides[1][:, :, ::-1]
    expected = {
        "single": sides[0],
        "average": (sides[0] + turned) / 2,
        "max": np.maximum(sides[0], turned),
    }[strands]
    scaled = expected * np.array([2, 3])[:, None] + np.array([0, 1])[:, None]
    np.testing.assert_allclose(found.members[1], scaled, atol=1e-4)
    again = predict_profiles(engine, codes[5:9])
    np.testing.assert_array_equal(again.members, found.members[:, 5:9])


def test_networks_without_a_profile_are_refused() -> None:
    engine = Engine(make_model("resnet", length=40), threads=1)
    with pytest.raises(SeqcnnError, match="no output for each base"):
        predict_profiles(engine, draw_codes(2, 40))


# --- metrics ---------------------------------------------------------------------------------


def test_bases_are_measured_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((20, 2, 30)) < 0.2).astype(np.float32)
    targets[3, 1] = np.nan
    said = rng.normal(size=targets.shape) + np.nan_to_num(targets)
    found = evaluate_profiles(targets, said, task_names=("a", "b"), is_signal=False, seed=0)
    for task, name in enumerate("ab"):
        known = ~np.isnan(targets[:, task])
        pair = targets[:, task][known], said[:, task][known].astype(np.float32)
        assert found[name]["auroc"]["value"] == pytest.approx(sk.roc_auc_score(*pair))
        assert found[name]["auprc"]["value"] == pytest.approx(sk.average_precision_score(*pair))
        assert found[name]["log_loss"]["value"] == pytest.approx(
            sk.log_loss(pair[0], 1 / (1 + np.exp(-pair[1].astype(float)))), rel=1e-6
        )
        assert found[name]["n"] == known.sum()
        assert found[name]["auroc"]["low"] < found[name]["auroc"]["value"]


def test_a_signal_is_measured_by_correlation() -> None:
    rng = np.random.default_rng(0)
    targets = rng.random((9, 1, 20)).astype(np.float32)
    said = targets + rng.normal(size=targets.shape)
    found = evaluate_profiles(targets, said, task_names=("a",), is_signal=True, seed=0, resamples=9)
    expected = np.corrcoef(targets.ravel(), said.astype(np.float32).ravel())[0, 1]
    assert found["a"]["pearson"]["value"] == pytest.approx(expected)
    assert "n_positive" not in found["a"]


# --- commands --------------------------------------------------------------------------------


def train(world: World, out: Path, *words: object) -> None:
    source = ["--peaks", f"site={world.peaks}", "--fasta", world.genome, "--length", 48]
    quick = ["--arch", "unet", *SMALL, "--steps", 4, "--batch-size", 8, "--threads", 1]
    seqcnn("train", *source, *quick, *words, "-o", out)


def test_a_profile_from_peaks_to_a_row_for_each_base(world: World, tmp_path: Path) -> None:
    train(world, tmp_path / "run", "--task", "profile")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["test"]["site"]["n"] % 48 == 0
    assert {"auroc", "f1", "log_loss"} <= set(metrics["test"]["site"])
    rows = read_tsv(tmp_path / "run/predictions.test.tsv.gz")
    assert len(rows) == metrics["test"]["site"]["n"]
    assert [row["position"] for row in rows[:48]] == [str(i) for i in range(1, 49)]
    model = tmp_path / "run/model.safetensors"
    fasta = write_lines(tmp_path / "x.fa", [">one", "ACGT" * 12, ">two", "A" * 40])
    scored = seqcnn("predict", "-m", model, fasta).stdout.splitlines()
    assert scored[0].split("\t") == ["name", "task", "position", "logit", "probability", "sd"]
    assert len(scored) == 1 + 2 * 48
    source = ["--peaks", f"site={world.peaks}", "--fasta", world.genome]
    seqcnn("evaluate", "-m", model, *source, "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out/metrics.json").read_text())["test"]["site"]["n"] > 0
    assert (tmp_path / "out/report.html").exists()


def test_a_signal_around_peaks(world: World, tmp_path: Path) -> None:
    import pyBigWig

    sizes = [(name, len(letters)) for name, letters in sorted(world.contigs.items())]
    with pyBigWig.open(str(tmp_path / "t.bw"), "w") as track:
        track.addHeader(sizes)
        for name, size in sizes:
            track.addEntries([name], [0], ends=[size // 2], values=[3.0])
    train(world, tmp_path / "run", "--profile", f"signal={tmp_path / 't.bw'}")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert set(metrics["test"]) == {"signal"}
    assert "pearson" in metrics["test"]["signal"]
    with gzip.open(tmp_path / "run/predictions.test.tsv.gz", "rt") as lines:
        assert next(lines).rstrip().endswith("target")
        values = {line.split("\t")[-1].strip() for line in lines}
    assert values <= {"0", "2"}  # log2(1 + 3)


def test_what_cannot_be_a_profile_is_refused(world: World, tmp_path: Path) -> None:
    peaks = ["--peaks", world.peaks, "--fasta", world.genome]
    out = ["-o", tmp_path / "run"]
    told = refused(tmp_path, "train", *peaks, "--task", "profile", "--arch", "deepbind", *out)
    assert "choose --arch unet or fcn" in told
    told = refused(tmp_path, "train", "--seq", world.seq, "--task", "profile", *out)
    assert "no target for each base" in told
    told = refused(tmp_path, "train", "--seq", world.seq, "--profile", world.peaks, *out)
    assert "neither --peaks nor the loci" in told
    told = refused(tmp_path, "train", *peaks, "--profile", world.peaks, "--task", "binary", *out)
    assert "the task is binary" in told
