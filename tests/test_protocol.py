"""What a model is told after training: calls, gaps, errors, and what they have in common."""

import numpy as np
import pytest
from tiny_models import draw_codes, label, make_model

from seqcnn.dna import encode
from seqcnn.motifs import Motif, find_best_hit, pwm, reverse_complement_motif, score_positions
from seqcnn.protocol import (
    calibrate_spec,
    calibration_errors,
    count_confusion,
    diagnose,
    examine,
    group_errors,
    worst_errors,
)
from seqcnn.protocol.complexity import low_complexity


def spec_of(kind: str = "binary", tasks: tuple[str, ...] = ("site",), **rest):
    return make_model(task_kind=kind, tasks=tasks, **rest).spec


def draw(n: int = 400, tasks: int = 1, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, (n, tasks)).astype(np.float32)
    return targets, 3 * (rng.normal(size=(n, tasks)) + targets - 0.5)


# --- temperature and threshold ---------------------------------------------------------------


def test_a_spec_takes_temperature_and_threshold_of_each_task() -> None:
    targets, logits = draw(4000, 2)
    spec = calibrate_spec(spec_of("multilabel", ("a", "b")), targets, logits)
    assert spec.centre == (0, 0)
    assert all(0.2 < scale < 0.9 for scale in spec.scale)  # three times too sure
    errors = calibration_errors(spec, targets, logits * spec.scale)
    for task, scale, threshold in zip("ab", spec.scale, spec.thresholds, strict=True):
        assert errors[task]["temperature"] == pytest.approx(1 / scale)
        assert errors[task]["after"] < errors[task]["before"] / 2
        assert errors[task]["threshold"] == threshold


def test_classes_have_one_temperature_and_no_threshold() -> None:
    rng = np.random.default_rng(0)
    own = rng.integers(0, 3, 2000)
    logits, targets = 5 * (rng.normal(size=(2000, 3)) + np.eye(3)[own]), np.eye(3)[own]
    spec = calibrate_spec(spec_of("multiclass", ("a", "b", "c")), targets, logits)
    assert len(set(spec.scale)) == 1
    assert spec.thresholds == ()
    (errors,) = calibration_errors(spec, targets, logits * spec.scale[0]).values()
    assert errors["after"] < errors["before"]


def test_values_have_neither() -> None:
    spec = spec_of("regression", centre=(1.0,), scale=(2.0,))
    targets, logits = draw()
    assert calibrate_spec(spec, targets, logits) == spec
    assert calibration_errors(spec, targets, logits) == {}
    assert count_confusion(spec, targets, logits) == {}


# --- calls -----------------------------------------------------------------------------------


def test_calls_are_counted_at_the_threshold() -> None:
    spec = spec_of(thresholds=(1.0,))
    targets = np.array([[1], [1], [0], [0], [np.nan]], dtype=np.float32)
    logits = np.array([[2.0], [0.5], [1.5], [1.0], [9]])
    assert count_confusion(spec, targets, logits)["site"] == {
        "true_positives": 1,
        "false_positives": 1,
        "false_negatives": 1,
        "true_negatives": 1,
    }


# --- gaps ------------------------------------------------------------------------------------


def metrics_of(**sides: float):
    return {
        side: {"x": {"auroc": {"value": value, "low": value - 0.01, "high": value + 0.01}}}
        for side, value in sides.items()
    }


@pytest.mark.parametrize(
    ("sides", "verdict"),
    [
        ({"train": 0.8, "validation": 0.79, "test": 0.79}, "bias"),
        ({"train": 0.99, "validation": 0.9, "test": 0.9}, "variance"),
        ({"train": 0.99, "train_dev": 0.9, "validation": 0.89, "test": 0.89}, "variance"),
        ({"train": 0.99, "train_dev": 0.98, "validation": 0.9, "test": 0.89}, "mismatch"),
        ({"train": 0.98, "validation": 0.97, "test": 0.9}, "choice"),
        ({"train": 0.97, "validation": 0.965, "test": 0.96}, "none"),
    ],
)
def test_the_largest_gap_has_a_name(sides: dict[str, float], verdict: str) -> None:
    diagnosis = diagnose(metrics_of(**sides))["x"]
    assert diagnosis.verdict == verdict
    told = {"choice": "which chose the weights", "none": "No gap stands out"}
    assert told.get(verdict, f"is {verdict}") in diagnosis.words
    gaps = diagnosis.gaps
    assert gaps["bias"] + sum(v for k, v in gaps.items() if k != "bias") == pytest.approx(
        1 - sides["test"]
    )
    assert ("mismatch" in gaps) == ("train_dev" in sides)


def test_a_gap_within_the_interval_is_none() -> None:
    metrics = metrics_of(train=0.97, validation=0.92, test=0.92)
    metrics["validation"]["x"]["auroc"] |= {"low": 0.8, "high": 1.0}
    assert diagnose(metrics)["x"].verdict == "none"


def test_a_side_without_the_metric_has_no_diagnosis() -> None:
    metrics = metrics_of(train=0.97, validation=0.92, test=0.92)
    metrics["train"]["x"]["auroc"] = {"value": None, "low": None, "high": None}
    assert diagnose(metrics) == {}


# --- errors ----------------------------------------------------------------------------------


def dust(sequence: str) -> bool:
    """The score of one window, by its definition."""
    triplets = [sequence[i : i + 3] for i in range(len(sequence) - 2)]
    pairs = sum(triplets.count(t) * (triplets.count(t) - 1) / 2 for t in set(triplets))
    return pairs / (len(triplets) - 1) > 2


def test_low_complexity_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    plain = "".join("ACGT"[i] for i in rng.integers(0, 4, 40))
    for sequence in (plain, plain[:30] + "AC" * 20 + plain, "A" * 40, "ACG" * 9 + plain):
        covered = np.zeros(len(sequence), dtype=bool)
        for start in range(len(sequence) - 31):
            if dust(sequence[start : start + 32]):
                covered[start : start + 32] = True
        assert low_complexity(encode(sequence)) == pytest.approx(covered.mean())
    assert low_complexity(encode("A" * 20)) == 1
    assert low_complexity(encode("ACG")) == 0
    assert low_complexity(encode("N" * 50)) == 0


def motif(name: str, letters: str) -> Motif:
    pfm = np.zeros((4, len(letters)))
    pfm[encode(letters), np.arange(len(letters))] = 50
    return Motif(name, pfm, 50)


def test_the_best_hit_is_found_on_either_strand() -> None:
    sought = [motif("one", "TGACTCA"), motif("two", "CCGGAAGT")]
    codes = encode("AAAAA" + "ACTTCCGG" + "TTTTT")
    hit = find_best_hit(codes, sought)
    assert hit is not None
    assert (hit.motif, hit.start, hit.strand) == ("two", 5, "-")
    weights = pwm(reverse_complement_motif(sought[1]))
    assert hit.bits == pytest.approx(sum(weights[c, i] for i, c in enumerate(codes[5:13])))
    single = find_best_hit(codes, sought, both=False)
    assert single is not None
    assert single.strand == "+"
    assert find_best_hit(codes, []) is None
    assert find_best_hit(codes[:4], sought) is None
    assert score_positions(encode("N" * 7), sought[0]).tolist() == [0.0]


def test_the_worst_errors_are_those_furthest_from_the_threshold() -> None:
    targets, logits = draw(200)
    data = label(draw_codes(200, 40, unknown=False), targets)
    spec = spec_of(thresholds=(0.5,))
    found = worst_errors(spec, data, logits, motifs=[motif("m", "ACGTAC")], number=3)
    assert [error.kind for error in found] == ["false_positive"] * 3 + ["false_negative"] * 3
    wrong = np.flatnonzero((targets[:, 0] == 0) & (logits[:, 0] > 0.5))
    expected = sorted(wrong, key=lambda row: -logits[row, 0])[:3]
    assert [error.row for error in found[:3]] == expected
    assert all(
        error.motif == "m" and error.target == (error.kind == "false_negative") for error in found
    )
    groups = group_errors(spec, data, logits)
    assert sum(group.number for group in groups) == 200
    confusion = count_confusion(spec, targets, logits)["site"]
    assert {f"{g.kind}s": g.number for g in groups} == confusion


def test_values_are_too_high_or_too_low() -> None:
    targets, logits = draw(50)
    data = label(draw_codes(50, 20), targets)
    found = worst_errors(spec_of("regression"), data, logits, motifs=[], number=2)
    assert [error.kind for error in found] == ["too_high"] * 2 + ["too_low"] * 2
    assert found[0].row == (logits - targets)[:, 0].argmax()
    assert np.isnan(found[0].bits)


def test_an_examination_is_spelled_for_json() -> None:
    rng = np.random.default_rng(0)
    own = rng.integers(0, 3, 60)
    targets, logits = np.eye(3, dtype=np.float32)[own], rng.normal(size=(60, 3))
    tasks = ("a", "b", "c")
    spec = spec_of("multiclass", tasks)
    data = label(draw_codes(60, 20), targets, tasks)
    told = examine(spec, data, logits, motifs=[], seed=0).to_json()
    assert set(told) == {"confusion", "classes"}
    assert sum(told["confusion"]["a"].values()) == (own == 0).sum()
    assert told["classes"]["accuracy"]["value"] == pytest.approx((logits.argmax(1) == own).mean())
