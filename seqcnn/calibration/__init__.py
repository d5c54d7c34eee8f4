"""Calibration: the settings of a network and of its training, chosen by cross-validation.

`Priors` say where settings are drawn from, `make_folds` parts the training rows, `run_search`
trains and judges trials, and `choose_best` takes the one with the lowest loss on held-out rows.
"""

from seqcnn.calibration.distributions import Distribution, parse_distribution
from seqcnn.calibration.folds import assign_folds, make_folds
from seqcnn.calibration.priors import Priors, Settings, parse_priors, preset_priors
from seqcnn.calibration.search import (
    SEARCHES,
    Candidate,
    Search,
    Study,
    count_steps,
    plan_rounds,
    run_search,
)
from seqcnn.calibration.trials import Trial, choose_best, judge_trial

__all__ = [
    "SEARCHES",
    "Candidate",
    "Distribution",
    "Priors",
    "Search",
    "Settings",
    "Study",
    "Trial",
    "assign_folds",
    "choose_best",
    "count_steps",
    "judge_trial",
    "make_folds",
    "parse_distribution",
    "parse_priors",
    "plan_rounds",
    "preset_priors",
    "run_search",
]
