"""Metrics of classes that exclude each other, against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as sk

from seqcnn.metrics import class_logits, evaluate_classes, measure_classes, softmax

NAMES = ("a", "b", "c")


def draw(n: int = 300, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[own]
    return own, np.eye(3, dtype=np.float32)[own], logits


def test_softmax_and_log_odds_are_those_of_the_definition() -> None:
    _, _, logits = draw()
    raised = np.exp(logits)
    probabilities = raised / raised.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(logits), probabilities)
    odds = np.log(probabilities / (1 - probabilities))
    np.testing.assert_allclose(class_logits(logits), odds, atol=1e-9)
    huge = np.array([[1000.0, 0, -1000]])
    assert np.isfinite(class_logits(huge)).all()
    np.testing.assert_allclose(softmax(huge), [[1, 0, 0]], atol=1e-12)


def test_all_classes_together_are_measured_as_scikit_learn_does() -> None:
    own, targets, logits = draw()
    found = measure_classes(targets, logits, names=NAMES, seed=0, resamples=20)
    p, called = softmax(logits), logits.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(own, called),
        "macro_auroc": sk.roc_auc_score(own, p, multi_class="ovr", average="macro"),
        "macro_auprc": np.mean([sk.average_precision_score(own == c, p[:, c]) for c in range(3)]),
        "macro_f1": sk.f1_score(own, called, average="macro"),
        "log_loss": sk.log_loss(own, p),
    }
    for key, value in expected.items():
        assert found[key]["value"] == pytest.approx(value, abs=1e-9), key
        assert found[key]["low"] <= found[key]["value"] <= found[key]["high"]
    matrix = [[found["confusion"][a][b] for b in NAMES] for a in NAMES]
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(own, called))
    assert found["n"] == 300


def test_each_class_is_measured_against_the_others() -> None:
    own, targets, logits = draw()
    found = evaluate_classes(targets, logits, names=NAMES, seed=0, resamples=10)
    p, called = softmax(logits), logits.argmax(axis=1)
    for c, name in enumerate(NAMES):
        assert found[name]["auroc"]["value"] == pytest.approx(sk.roc_auc_score(own == c, p[:, c]))
        precision = sk.precision_score(own == c, called == c)
        assert found[name]["precision"]["value"] == pytest.approx(precision)
        assert found[name]["n_positive"] == (own == c).sum()


def test_rows_without_a_class_are_left_out() -> None:
    _, targets, logits = draw()
    some = targets.copy()
    some[::3] = np.nan
    left = ~np.isnan(some[:, 0])
    whole = measure_classes(targets[left], logits[left], names=NAMES, seed=0, resamples=5)
    assert measure_classes(some, logits, names=NAMES, seed=0, resamples=5) == whole


def test_a_class_that_is_absent_has_no_auroc_and_does_not_count() -> None:
    own, targets, logits = draw()
    kept = own < 2
    found = measure_classes(targets[kept], logits[kept], names=NAMES, seed=0, resamples=0)
    p = softmax(logits[kept])
    pairs = [sk.roc_auc_score(own[kept] == c, p[:, c]) for c in range(2)]
    assert found["macro_auroc"]["value"] == pytest.approx(np.mean(pairs))
    each = evaluate_classes(targets[kept], logits[kept], names=NAMES, seed=0, resamples=0)
    assert each["c"]["auroc"]["value"] is None
