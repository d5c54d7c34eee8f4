"""How good a model is, how sure that is, and what composition or length alone would reach.

``binary``, ``classes`` and ``regression`` have the metrics of each kind of task, with bootstrap
intervals (``resampling``); ``evaluation`` those of a model, ``calibration`` how far its
probabilities can be believed, ``curves`` the points to plot, and ``baselines`` the simplest models
there are, to hold the others against.
"""

from seqcnn.metrics.baselines import (
    Baseline,
    fit_composition_baseline,
    fit_length_baseline,
    predict_baseline,
)
from seqcnn.metrics.binary import auprc, auroc, evaluate_binary, measure_binary
from seqcnn.metrics.calibration import (
    choose_threshold,
    fit_class_temperature,
    fit_temperature,
    reliability_curve,
)
from seqcnn.metrics.classes import class_logits, evaluate_classes, measure_classes, softmax
from seqcnn.metrics.curves import curve_bands, precision_recall_curve, roc_curve
from seqcnn.metrics.evaluation import TaskKind, evaluate_tasks
from seqcnn.metrics.profiles import evaluate_profiles
from seqcnn.metrics.regression import evaluate_regression, measure_regression, pearson, spearman
from seqcnn.metrics.resampling import Estimate

__all__ = [
    "Baseline",
    "Estimate",
    "TaskKind",
    "auprc",
    "auroc",
    "choose_threshold",
    "class_logits",
    "curve_bands",
    "evaluate_binary",
    "evaluate_classes",
    "evaluate_profiles",
    "evaluate_regression",
    "evaluate_tasks",
    "fit_class_temperature",
    "fit_composition_baseline",
    "fit_length_baseline",
    "fit_temperature",
    "measure_binary",
    "measure_classes",
    "measure_regression",
    "pearson",
    "precision_recall_curve",
    "predict_baseline",
    "reliability_curve",
    "roc_curve",
    "softmax",
    "spearman",
]
