"""How good a model is, how sure that is, and what composition or length alone would reach.

``evaluation`` has the metrics with their bootstrap intervals, ``curves`` the points to plot, and
``baselines`` the simplest models there are, to hold the others against.
"""

from seqcnn.metrics.baselines import (
    Baseline,
    fit_composition_baseline,
    fit_length_baseline,
    predict_baseline,
)
from seqcnn.metrics.curves import precision_recall_curve, roc_curve
from seqcnn.metrics.evaluation import (
    Estimate,
    TaskKind,
    auprc,
    auroc,
    evaluate_binary,
    evaluate_regression,
    evaluate_tasks,
    measure_binary,
    measure_regression,
    pearson,
    spearman,
)

__all__ = [
    "Baseline",
    "Estimate",
    "TaskKind",
    "auprc",
    "auroc",
    "evaluate_binary",
    "evaluate_regression",
    "evaluate_tasks",
    "fit_composition_baseline",
    "fit_length_baseline",
    "measure_binary",
    "measure_regression",
    "pearson",
    "precision_recall_curve",
    "predict_baseline",
    "roc_curve",
    "spearman",
]
