"""Metrics against scikit-learn and scipy, intervals against a plain bootstrap, baselines."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import linear_model
from sklearn import metrics as sklearn_metrics

from seqcnn import metrics
from seqcnn.dna import UNKNOWN, Codes, encode, reverse_complement
from seqcnn.errors import ModelFileError, SeqcnnError
from seqcnn.metrics import Baseline, Estimate, evaluate_binary, evaluate_regression, evaluate_tasks

BINARY = ("auroc", "auprc", "log_loss", "f1", "precision", "recall", "calibration_error")
REGRESSION = ("pearson", "spearman", "mse")

halves = st.integers(-8, 8).map(lambda k: k / 2)  # many ties
binary_data = st.lists(st.tuples(st.booleans(), halves), min_size=2, max_size=60).filter(
    lambda rows: len({target for target, _ in rows}) == 2
)
real_data = st.lists(st.tuples(halves, halves), min_size=3, max_size=60)


def columns(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.array(rows, dtype=np.float64).T
    return left, right


def count_pairs(targets: np.ndarray, scores: np.ndarray) -> float:
    """AUROC as what it means: every positive against every negative."""
    pairs = itertools.product(scores[targets == 1], scores[targets == 0])
    return float(np.mean([(p > n) + 0.5 * (p == n) for p, n in pairs]))


def bin_slowly(targets: np.ndarray, logits: np.ndarray) -> float:
    probability = 1 / (1 + np.exp(-logits))
    error = 0.0
    for number in range(15):
        inside = (probability >= number / 15) & (probability < (number + 1) / 15)
        if inside.any():
            gap = abs(targets[inside].mean() - probability[inside].mean())
            error += gap * inside.mean()
    return error


@given(binary_data)
def test_binary_metrics_agree_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    targets, logits = columns(rows)
    measured = metrics.measure_binary(targets, logits)
    assert set(measured) == set(BINARY)
    called, probability = logits > 0, 1 / (1 + np.exp(-logits))
    oracle = {
        "auroc": sklearn_metrics.roc_auc_score(targets, logits),
        "auprc": sklearn_metrics.average_precision_score(targets, logits),
        "log_loss": sklearn_metrics.log_loss(targets, probability),
        "f1": sklearn_metrics.f1_score(targets, called),
        "recall": sklearn_metrics.recall_score(targets, called),
        "calibration_error": bin_slowly(targets, logits),
    }
    for name, value in oracle.items():
        assert measured[name] == pytest.approx(value, abs=1e-12), name
    assert metrics.auroc(targets, logits) == pytest.approx(count_pairs(targets, logits))
    assert metrics.auprc(targets, logits) == measured["auprc"]
    if called.any():
        precision = sklearn_metrics.precision_score(targets, called)
        assert measured["precision"] == pytest.approx(precision)
    else:
        assert math.isnan(measured["precision"])


@given(real_data)
def test_regression_metrics_agree_with_scipy(rows: list[tuple[float, float]]) -> None:
    targets, predictions = columns(rows)
    measured = metrics.measure_regression(targets, predictions)
    assert set(measured) == set(REGRESSION)
    assert measured["mse"] == pytest.approx(np.mean((targets - predictions) ** 2))
    if np.ptp(targets) and np.ptp(predictions):
        oracle = stats.pearsonr(targets, predictions).statistic
        assert measured["pearson"] == pytest.approx(oracle, abs=1e-9)
        oracle = stats.spearmanr(targets, predictions).statistic
        assert measured["spearman"] == pytest.approx(oracle, abs=1e-9)
        assert metrics.pearson(targets, predictions) == measured["pearson"]
        assert metrics.spearman(targets, predictions) == measured["spearman"]
    else:
        assert math.isnan(measured["pearson"])
        assert math.isnan(measured["spearman"])


@given(binary_data, st.floats(0.1, 10), st.floats(-5, 5))
def test_ranking_metrics_see_only_the_order(
    rows: list[tuple[bool, float]], scale: float, shift: float
) -> None:
    targets, logits = columns(rows)
    for metric in (metrics.auroc, metrics.auprc):
        assert metric(targets, np.exp(scale * logits / 8) + shift) == metric(targets, logits)
    assert metrics.auroc(targets, -logits) == pytest.approx(1 - metrics.auroc(targets, logits))


@given(st.lists(st.floats(-800, 800), min_size=1, max_size=20))
def test_log_loss_of_large_logits_is_finite(logits: list[float]) -> None:
    measured = metrics.measure_binary(np.arange(len(logits)) % 2, logits)
    assert math.isfinite(measured["log_loss"])
    assert 0 <= measured["calibration_error"] <= 1


def draw_binary(n: int, *, rounded: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = (rng.random(n) < 0.3).astype(np.float64)
    logits = 1.2 * targets - 0.8 + rng.standard_normal(n)
    return targets, logits.round(1) if rounded else logits


@pytest.mark.parametrize("rounded", [False, True])
def test_binary_intervals_agree_with_a_plain_bootstrap(rounded: bool) -> None:
    targets, logits = draw_binary(300, rounded=rounded)
    estimates = evaluate_binary(targets, logits, seed=1, resamples=2000)
    rng = np.random.default_rng(2)
    positive, negative = np.flatnonzero(targets), np.flatnonzero(1 - targets)
    drawn = []
    for _ in range(2000):
        rows = np.concatenate([rng.choice(side, len(side)) for side in (positive, negative)])
        drawn.append(metrics.measure_binary(targets[rows], logits[rows]))
    for name in BINARY:
        low, high = np.percentile([one[name] for one in drawn], (2.5, 97.5))
        tolerance = 0.12 * (high - low)
        assert estimates[name].low == pytest.approx(low, abs=tolerance), name
        assert estimates[name].high == pytest.approx(high, abs=tolerance), name
        assert estimates[name].value == metrics.measure_binary(targets, logits)[name]


def test_regression_intervals_agree_with_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(2)
    targets = rng.standard_normal(200).round(1)
    predictions = targets + rng.standard_normal(200)
    estimates = evaluate_regression(targets, predictions, seed=1, resamples=2000)
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 200, 200)
        drawn.append(metrics.measure_regression(targets[rows], predictions[rows]))
    for name in REGRESSION:
        low, high = np.percentile([one[name] for one in drawn], (2.5, 97.5))
        tolerance = 0.12 * (high - low)
        assert estimates[name].low == pytest.approx(low, abs=tolerance), name
        assert estimates[name].high == pytest.approx(high, abs=tolerance), name


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = stats.norm.cdf(1 / math.sqrt(2))  # AUROC of two normals, one apart
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        targets = np.repeat([0.0, 1.0], 80)
        estimate = evaluate_binary(
            targets, rng.standard_normal(160) + targets, seed=0, resamples=300
        )["auroc"]
        covered += estimate.low <= truth <= estimate.high
    assert 88 <= covered <= 100


def test_intervals_follow_the_seed_alone() -> None:
    targets, logits = draw_binary(200)
    first, again, other = (evaluate_binary(targets, logits, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["auroc"] != other["auroc"]
    none = evaluate_binary(targets, logits, seed=1, resamples=0)["auroc"]
    assert none.value == first["auroc"].value
    assert math.isnan(none.low)
    assert math.isnan(none.high)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_one_class_leaves_ranking_undefined(target: float) -> None:
    estimates = evaluate_binary(np.full(5, target), np.arange(5.0) - 2, seed=0)
    assert all(math.isnan(end) for name in ("auroc", "auprc") for end in ends(estimates[name]))
    assert all(math.isfinite(end) for end in ends(estimates["log_loss"]))


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


@pytest.mark.parametrize("targets", [[], [math.nan, math.nan]])
def test_without_targets_nothing_is_defined(targets: list[float]) -> None:
    for evaluate, names in ((evaluate_binary, BINARY), (evaluate_regression, REGRESSION)):
        estimates = evaluate(targets, np.zeros(len(targets)), seed=0)
        assert set(estimates) == set(names)
        assert all(math.isnan(end) for one in estimates.values() for end in ends(one))


def test_missing_targets_are_left_out() -> None:
    targets, logits = draw_binary(100)
    holes, scores = np.insert(targets, [0, 50, 100], np.nan), np.insert(logits, [0, 50, 100], 9.0)
    assert evaluate_binary(holes, scores, seed=0) == evaluate_binary(targets, logits, seed=0)
    scores[0] = np.nan  # nobody asks for it
    assert evaluate_regression(holes, scores, seed=0) == evaluate_regression(
        targets, logits, seed=0
    )


def test_predictions_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(SeqcnnError, match="predictions: 1 of 3 are not finite numbers"):
        metrics.auroc([0, 1, 1], [0.1, math.nan, 0.2])


def test_tasks_are_spelled_for_json() -> None:
    targets, logits = draw_binary(60)
    pairs = np.column_stack([targets, np.full(60, np.nan)])
    pairs[:3, 1] = 1
    answer = evaluate_tasks(
        pairs,
        np.column_stack([logits, logits]),
        task_names=["GABPA", "MYC"],
        kind="multilabel",
        seed=4,
        resamples=50,
    )
    assert list(answer) == ["GABPA", "MYC"]
    assert set(answer["GABPA"]) == {*BINARY, "n", "n_positive"}
    alone = evaluate_binary(targets, logits, seed=4, resamples=50)
    assert answer["GABPA"]["auroc"] == alone["auroc"].to_json()
    assert (answer["GABPA"]["n"], answer["GABPA"]["n_positive"]) == (60, int(targets.sum()))
    assert (answer["MYC"]["n"], answer["MYC"]["n_positive"]) == (3, 3)
    assert answer["MYC"]["auroc"] == {"value": None, "low": None, "high": None}
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer


def test_regression_tasks_have_correlations_and_no_positives() -> None:
    values = np.random.default_rng(0).standard_normal((30, 1))
    answer = evaluate_tasks(values, 2 * values, task_names=["x"], kind="regression", seed=0)
    assert set(answer["x"]) == {*REGRESSION, "n"}
    assert answer["x"]["pearson"]["value"] == pytest.approx(1.0)  # type: ignore[index]


@given(binary_data)
def test_curves_agree_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    targets, scores = columns(rows)
    oracle = sklearn_metrics.roc_curve(targets, scores, drop_intermediate=False)
    np.testing.assert_allclose(metrics.roc_curve(targets, scores), oracle[:2])
    precision, recall, _ = sklearn_metrics.precision_recall_curve(targets, scores)
    ours = metrics.precision_recall_curve(targets, scores)
    np.testing.assert_allclose(ours[0], recall[::-1])
    np.testing.assert_allclose(ours[1][1:], precision[::-1][1:])  # theirs starts at 1
    area = np.sum(np.diff(ours[0]) * ours[1][1:])
    assert area == pytest.approx(metrics.auprc(targets, scores))


def test_long_curves_are_thinned_but_keep_their_shape() -> None:
    targets, scores = draw_binary(5000)
    false_rate, true_rate = metrics.roc_curve(targets, scores)
    assert len(false_rate) == len(true_rate) <= 500
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)
    area = sklearn_metrics.auc(false_rate, true_rate)
    assert area == pytest.approx(metrics.auroc(targets, scores), abs=1e-3)
    recall, precision = metrics.precision_recall_curve(targets, scores)
    assert len(recall) == len(precision) <= 500
    assert (recall[0], recall[-1]) == (0, 1)


@pytest.mark.parametrize("targets", [[], [1, 1], [0, 0], [math.nan, 1]])
def test_curves_of_one_class_are_empty(targets: list[float]) -> None:
    for curve in (metrics.roc_curve, metrics.precision_recall_curve):
        assert [len(side) for side in curve(targets, np.arange(len(targets)))] == [0, 0]


def draw_sequences(n: int, *, seed: int = 0) -> tuple[Codes, np.ndarray]:
    """Draw GC-rich positives, AT-rich negatives, some N, and some missing labels of a 2nd task."""
    rng = np.random.default_rng(seed)
    strong = rng.random((n, 40)) < np.where(np.arange(n) % 2, 0.58, 0.45)[:, None]
    codes = np.where(strong, rng.integers(1, 3, strong.shape), 3 * rng.integers(0, 2, strong.shape))
    codes[rng.random(codes.shape) < 0.05] = UNKNOWN
    first = (np.arange(n) % 2).astype(np.float64)
    second = np.where(rng.random(n) < 0.2, np.nan, (codes == 0).mean(axis=1) > 0.25)
    return codes.astype(np.uint8), np.column_stack([first, second])


def measure_slowly(codes: Codes) -> np.ndarray:
    rows = []
    for row in codes.tolist():
        known = [base for base in row if base != UNKNOWN]
        pairs = [pair for pair in itertools.pairwise(row) if UNKNOWN not in pair]
        rows.append(
            [known.count(base) / len(known) for base in range(4)]
            + [pairs.count(pair) / len(pairs) for pair in itertools.product(range(4), repeat=2)]
        )
    return np.array(rows)


def test_composition_baseline_is_a_ridge_logistic_regression() -> None:
    codes, targets = draw_sequences(300)
    baseline = metrics.fit_composition_baseline(codes, targets, "multilabel")
    scores = metrics.predict_baseline(baseline, codes)
    assert scores.shape == (300, 2)
    features = measure_slowly(codes)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    for task in range(2):
        known = ~np.isnan(targets[:, task])
        oracle = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
        oracle.fit(features[known], targets[known, task])
        expected = oracle.decision_function(features)
        np.testing.assert_allclose(scores[:, task], expected, atol=1e-4)
    fresh, answers = draw_sequences(300, seed=1)
    assert metrics.auroc(answers[:, 0], metrics.predict_baseline(baseline, fresh)[:, 0]) > 0.85


def test_composition_baseline_of_values_is_a_ridge_regression() -> None:
    codes, _ = draw_sequences(200)
    values = (codes == 2).sum(axis=1, keepdims=True) + 5.0
    baseline = metrics.fit_composition_baseline(codes, values, "regression")
    features = measure_slowly(codes)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    oracle = linear_model.Ridge(alpha=1.0).fit(features, values[:, 0])
    np.testing.assert_allclose(
        metrics.predict_baseline(baseline, codes)[:, 0], oracle.predict(features), atol=1e-6
    )


def test_composition_baseline_cannot_see_a_motif() -> None:
    """A sequence and its dinucleotide-preserving rearrangement score the same."""
    codes = np.stack([encode("AACCGGTTACA"), encode("AACCGGTTACA")])
    codes[1] = encode("ACCGGTTAACA")
    other, targets = draw_sequences(50)
    baseline = metrics.fit_composition_baseline(other, targets, "multilabel")
    scores = metrics.predict_baseline(baseline, codes)
    np.testing.assert_allclose(scores[0], scores[1])
    turned = metrics.predict_baseline(baseline, reverse_complement(codes))
    assert np.abs(turned - scores).max() > 1e-3  # but it does see the strand


def test_length_baseline_sees_the_known_bases_alone() -> None:
    codes = np.full((100, 30), UNKNOWN, dtype=np.uint8)
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 30, 100)
    for row, length in zip(codes, lengths, strict=True):
        row[:length] = rng.integers(0, 4, length)
    targets = (lengths + 3 * rng.standard_normal(100) > 15).astype(np.float64)[:, None]
    baseline = metrics.fit_length_baseline(codes, targets, "binary")
    scores = metrics.predict_baseline(baseline, codes)[:, 0]
    assert stats.spearmanr(scores, lengths).statistic == pytest.approx(1)
    assert metrics.auroc(targets[:, 0], scores) > 0.9


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_baselines_without_anything_to_learn_are_flat(kind: metrics.TaskKind) -> None:
    codes = np.zeros((4, 10), dtype=np.uint8)
    targets = np.column_stack([np.zeros(4), np.full(4, np.nan)])
    for fit in (metrics.fit_composition_baseline, metrics.fit_length_baseline):
        for rows in (4, 0):
            baseline = fit(codes[:rows], targets[:rows], kind)
            np.testing.assert_array_equal(metrics.predict_baseline(baseline, codes), 0)


def test_separable_classes_keep_finite_weights() -> None:
    codes = np.repeat(np.array([[0], [3]], dtype=np.uint8), 20, axis=0).repeat(30, axis=1)
    targets = np.repeat([0.0, 1.0], 20)[:, None]
    scores = metrics.predict_baseline(
        metrics.fit_composition_baseline(codes, targets, "binary"), codes
    )
    assert metrics.auroc(targets[:, 0], scores[:, 0]) == 1
    assert 1 < np.abs(scores).max() < 100


def test_composition_does_not_depend_on_how_rows_are_grouped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, targets = draw_sequences(40)
    whole = metrics.fit_composition_baseline(codes, targets, "multilabel")
    monkeypatch.setattr("seqcnn.metrics.baselines._BLOCK", 100)
    assert metrics.fit_composition_baseline(codes, targets, "multilabel") == whole


def test_baselines_travel_through_json() -> None:
    codes, targets = draw_sequences(30)
    for fit in (metrics.fit_composition_baseline, metrics.fit_length_baseline):
        baseline = fit(codes, targets, "multilabel")
        assert Baseline.from_json(json.loads(json.dumps(baseline.to_json()))) == baseline


@pytest.mark.parametrize(
    "change",
    [
        {"name": "oracle"},
        {"name": ["length"]},
        {"centre": [1.0, 2.0]},
        {"scale": None},
        {"weights": [[1.0]]},
        {"weights": []},
        {"weights": [[1.0], [math.nan]]},
        {"weights": [[1.0], [1.0, 2.0]]},
    ],
)
def test_what_is_no_baseline_is_refused(change: dict[str, object]) -> None:
    good = {"name": "length", "centre": [20.0], "scale": [2.0], "weights": [[1.0], [0.5]]}
    assert Baseline.from_json(good).to_json() == good
    with pytest.raises(ModelFileError, match="no baseline"):
        Baseline.from_json({**good, **change})
    with pytest.raises(ModelFileError, match="no baseline"):
        Baseline.from_json({key: good[key] for key in good if key not in change})
