"""Calibration: what priors give, how rows are folded, and that trials hang on nothing else."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from tiny_models import CPU, draw_codes, label, plant_split

from seqcnn.architectures import ARCHITECTURES, configure
from seqcnn.calibration import (
    Candidate,
    Search,
    Study,
    Trial,
    assign_folds,
    choose_best,
    count_steps,
    judge_trial,
    make_folds,
    parse_distribution,
    parse_priors,
    plan_rounds,
    preset_priors,
    run_search,
)
from seqcnn.calibration.record import list_columns, list_row, read_trials
from seqcnn.cli.tables import open_table, write_rows
from seqcnn.errors import ConfigError, InputError
from seqcnn.genome import Interval
from seqcnn.modelfile import ModelSpec
from seqcnn.plotting import create_figure, save_figure
from seqcnn.plotting.coordinates import plot_coordinates
from seqcnn.splits import Split
from seqcnn.training import TrainedNetwork, TrainingConfig, TrainingJob, train_many
from seqcnn.training.augmentation import Augmentation

OPTIONS = ("learning_rate", "momentum", "weight_decay", "l1", "steps", "batch_size", "optimiser")
OPTIONS += ("schedule", "patience", "detector_l1", "l1_start")
DRAWS = 2000


def drawn(given_prior: object, *, whole: bool = False, count: int = DRAWS) -> list:
    prior = parse_distribution("x", given_prior, whole=whole)
    return [prior.draw(np.random.default_rng([3, i]), i) for i in range(count)]


# Distributions


@pytest.mark.parametrize(
    ("kind", "ends", "cumulative"),
    [
        ("uniform", [-2, 6], lambda x: (x + 2) / 8),
        ("loguniform", [5e-4, 5e-2], lambda x: np.log(x / 5e-4) / np.log(100)),
        ("loguniform", [1e-15, 1e-3], lambda x: np.log10(x / 1e-15) / 12),
        ("sqrt", [0.95, 0.99], lambda x: ((x - 0.95) / 0.04) ** 2),
    ],
)
def test_ranges_have_their_distribution(kind, ends, cumulative) -> None:
    values = np.array(drawn({kind: ends}))
    assert kstest(values, cumulative).pvalue > 1e-3
    assert ends[0] <= values.min() <= values.max() <= ends[1]
    assert all(float(f"{value:.4g}") == value for value in values)


def test_every_deepbind_prior_has_the_distribution_of_the_paper() -> None:
    priors = parse_priors(deepbind(), "deepbind", options=OPTIONS, where="preset")
    rows = [priors.draw(seed=1, number=i) for i in range(DRAWS)]
    ends = {
        "learning_rate": (5e-4, 5e-2),
        "detector_l1": (1e-15, 1e-3),
        "l1": (1e-10, 1e-3),
        "init_sd": (1e-7, 1e-3),
        "head_sd": (1e-5, 1e-2),
    }
    columns = {name: np.array([row[name] for row in rows]) for name in [*ends, "momentum"]}
    for name, (low, high) in ends.items():
        share = np.log(columns[name] / low) / np.log(high / low)
        assert kstest(share, "uniform").pvalue > 1e-3, name
    assert kstest(((columns["momentum"] - 0.95) / 0.04) ** 2, "uniform").pvalue > 1e-3
    logs = np.log(np.stack([columns[name] for name in ends]))
    assert np.abs(np.corrcoef(logs) - np.eye(len(ends))).max() < 0.1  # each by itself
    shares = Counter(row["dropout"] for row in rows)
    assert all(abs(shares[rate] / DRAWS - p) < 0.05 for rate, p in ((0, 0.5), (0.25, 0.25)))
    assert Counter(row["hidden"] for row in rows[:30]) == {0: 15, 32: 15}
    fixed = {"optimiser": "nesterov", "schedule": "constant", "batch_size": 64}
    assert all(row[name] == value for row in rows for name, value in fixed.items())


def test_whole_numbers_include_both_ends_alike() -> None:
    shares = Counter(drawn({"uniform": [3, 6]}, whole=True))
    assert sorted(shares) == [3, 4, 5, 6]
    assert max(shares.values()) < 1.25 * min(shares.values())
    assert all(isinstance(value, int) for value in drawn({"loguniform": [1, 9]}, whole=True))
    assert set(drawn({"loguniform": [1, 9]}, whole=True)) == set(range(1, 10))


def test_values_in_turn_and_by_chance() -> None:
    assert drawn({"each": ["a", "b", 3]}, count=4) == ["a", "b", 3, "a"]
    assert set(drawn(["0.5", "adam", "1"])) == {0.5, "adam", 1}
    assert set(drawn("1e-4")) == {1e-4}


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({"loguniform": [0, 1]}, "numbers above 0"),
        ({"uniform": [2, 1]}, "below the highest"),
        ({"uniform": [1, 1]}, "below the highest"),
        ({"uniform": [1]}, "two numbers"),
        ({"uniform": ["a", 2]}, "two numbers"),
        ({"uniform": [float("nan"), 2]}, "two numbers"),
        ({"uniform": 3}, "without values"),
        ({"choice": []}, "without values"),
        ({"gauss": [0, 1]}, "no such kind of prior: gauss"),
        ({}, "no such kind of prior"),
        ({"uniform": [0, 1], "choice": [1]}, "uniform, choice"),
        (None, "no value: nothing"),
        ([[1, 2]], "no value"),
        ([True], "no value"),
    ],
)
def test_priors_without_sense_are_refused(prior, words) -> None:
    with pytest.raises(ConfigError, match="FILE: rate") as told:
        parse_distribution("FILE: rate", prior)
    assert words in str(told.value)
    with pytest.raises(ConfigError, match="whole numbers at both ends"):
        parse_distribution("x", {"uniform": [1.5, 3]}, whole=True)


# Priors


def deepbind() -> dict[str, object]:
    config = configure("deepbind", {})
    return preset_priors("deepbind", config, TrainingConfig(), length=101)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_family_has_priors_that_its_fields_accept(name) -> None:
    config = configure(name, {})
    given_priors = preset_priors(name, config, TrainingConfig(), length=101)
    priors = parse_priors(given_priors, name, options=OPTIONS, where="preset")
    assert any(prior.kind == "loguniform" for prior in priors.named.values())
    for number in range(20):
        settings = priors.draw(seed=0, number=number)
        made = configure(name, {field: settings[field] for field in priors.network})
        assert made.shortest <= 101
    spelled = parse_priors(priors.spell(), name, options=OPTIONS, where="spelled")
    assert spelled == priors


def test_a_setting_does_not_hang_on_the_others() -> None:
    priors = parse_priors(deepbind(), "deepbind", options=OPTIONS, where="preset")
    fewer = priors.without({"learning_rate", "hidden"})
    for number in range(5):
        whole, part = (each.draw(seed=4, number=number) for each in (priors, fewer))
        assert part == {name: whole[name] for name in part}
        assert set(whole) - set(part) == {"learning_rate", "hidden"}
    assert priors.draw(seed=4, number=0) != priors.draw(seed=5, number=0)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"my\.yaml: learning-rat.*did you mean learning_rate"):
        parse_priors({"learning-rat": [1, 2]}, "motif", options=OPTIONS, where="my.yaml")
    with pytest.raises(ConfigError, match="did you mean dropout"):
        parse_priors({"drop_out": [0, 0.5]}, "motif", options=OPTIONS, where="my.yaml")
    with pytest.raises(ConfigError, match="stands twice"):
        parse_priors({"batch-size": [1, 2], "batch_size": 3}, "motif", options=OPTIONS, where="x")
    fixed = parse_priors({"dropout": 0.2}, "motif", options=OPTIONS, where="x")
    with pytest.raises(ConfigError, match="nothing is left to be drawn"):
        fixed.without(())


# Folds


@given(
    rows=st.integers(12, 60),
    folds=st.integers(2, 4),
    seed=st.integers(0, 99),
    copies=st.integers(0, 6),
)
def test_folds_part_the_rows_and_keep_equal_sequences_together(rows, folds, seed, copies) -> None:
    codes = draw_codes(rows, 12, seed=seed)
    for i in range(min(copies, rows // 2)):
        codes[i] = np.where(codes[-1] < 4, 3 - codes[-1], 4)[::-1] if i % 2 else codes[-1]
    targets = np.random.default_rng(seed).integers(0, 2, (rows, 2))
    fold = assign_folds(label(codes, targets, ("a", "b")), folds=folds, seed=seed, labelled=True)
    assert set(fold) <= set(range(folds))
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= max(4, copies + 3)
    assert {fold[i] for i in range(min(copies, rows // 2))} <= {fold[-1]}
    again = assign_folds(label(codes, targets, ("a", "b")), folds=folds, seed=seed, labelled=True)
    assert (again == fold).all()


def test_overlapping_windows_are_held_out_together() -> None:
    starts = [0, 5, 11, 40, 100, 104, 200, 300, 400, 500]
    places = tuple(Interval("chr1", start, start + 10) for start in starts)
    places = (*places, Interval("chr2", 3, 13))
    data = label(draw_codes(len(places), 10, unknown=False), np.ones(len(places)))
    data = replace(data, sequences=replace(data.sequences, intervals=places))
    for seed in range(5):
        fold = assign_folds(data, folds=3, seed=seed, labelled=True)
        assert fold[0] == fold[1]
        assert fold[4] == fold[5]
    assert any(
        len(set(assign_folds(data, folds=3, seed=seed, labelled=True)[[1, 2, 10]])) > 1
        for seed in range(9)
    )


def test_rare_labels_are_shared_out() -> None:
    targets = np.zeros((90, 2))
    targets[:45, 0] = 1
    targets[40:46, 1] = 1
    data = label(draw_codes(90, 20), targets, ("often", "rarely"))
    fold = assign_folds(data, folds=3, seed=0, labelled=True)
    assert np.bincount(fold[40:46]).tolist() == [2, 2, 2]
    assert np.bincount(fold[:45]).tolist() == [15, 15, 15]


def test_held_out_rows_get_shuffles_and_training_rows_none() -> None:
    split = plant_split()
    folds = make_folds(split, folds=3, seed=1, labelled=True)
    positives = len(split.train)
    for fold in folds:
        held = int(fold.validation.positive.sum())
        assert len(fold.validation) == (1 + split.shuffles) * held
        assert len(fold.train) == positives - held
        assert fold.shuffles == split.shuffles
    assert sum(int(fold.validation.positive.sum()) for fold in folds) == positives


def test_data_that_cannot_be_folded_are_refused() -> None:
    codes = draw_codes(20, 10, unknown=False)
    few = Split(label(codes, [1, 1] + [0] * 18), label(codes, [0] * 20), label(codes, [0] * 20))
    with pytest.raises(ConfigError, match="2 positive training sequences of the task 'site'"):
        make_folds(few, folds=3, seed=0, labelled=True)
    equal = codes.copy()
    equal[:10] = equal[0]
    together = replace(few, train=label(equal, [1] * 10 + [0] * 10))
    with pytest.raises(ConfigError, match=r"fold \d: no positive of the task 'site' is"):
        make_folds(together, folds=2, seed=0, labelled=True)
    with pytest.raises(ConfigError, match="20 training sequences"):
        make_folds(replace(few, train=label(codes, range(20))), folds=11, seed=0, labelled=False)


# Trials


def history(*losses: float, every: int = 10) -> TrainedNetwork:
    rows = [{"step": every * (i + 1), "validation_loss": loss} for i, loss in enumerate(losses)]
    return TrainedNetwork({}, rows)


def judged(*networks: TrainedNetwork, **rest: object) -> Trial:
    settings = {"number": 1, "settings": {}, "budget": 30, "checkpoints": True, "seconds": 1.0}
    values = settings | rest
    return judge_trial(values.pop("number"), values.pop("settings"), networks, **values)


def test_the_checkpoint_with_the_lowest_mean_counts() -> None:
    trial = judged(history(0.6, 0.5, 0.4), history(0.6, 0.5, 0.9))
    assert (trial.steps, trial.losses, trial.score) == (20, (0.5, 0.5), 0.5)
    last = judged(history(0.3, 0.4), history(0.3, 0.6), checkpoints=False)
    assert (last.steps, last.score) == (30, 0.5)
    broken = judged(history(0.6, 0.5), history(0.5))
    assert (broken.steps, broken.losses) == (10, (0.6, 0.5))
    whole = judged(history(0.3, every=30), history(0.5, every=30), checkpoints=False)
    assert (whole.steps, whole.score) == (30, 0.4)
    ended = replace(history(0.5, 0.4), error=ConfigError("training", "broke down"))
    for none in (judged(history(), history(0.5)), judged(ended, checkpoints=False)):
        assert math.isnan(none.score)
        assert none.steps == 30


def test_the_lowest_score_is_chosen_and_broken_trials_never() -> None:
    scores = [math.nan, 0.4, 0.3, 0.3]
    trials = [Trial(i + 1, {}, 10, 10, (score,), 0.0) for i, score in enumerate(scores)]
    assert choose_best(trials).number == 3
    assert choose_best(trials[::-1]).number == 3
    with pytest.raises(ConfigError, match="all 1 trials broke down"):
        choose_best(trials[:1])


# The search

TINY_PRIORS = {
    "learning_rate": {"loguniform": [1e-3, 1e-1]},
    "dropout": [0, 0.5],
    "hidden": {"each": [0, 3]},
    "steps": 30,
}


@pytest.fixture(scope="module")
def study() -> Study:
    split = plant_split(sizes=(60, 20, 20))
    priors = parse_priors(TINY_PRIORS, "deepbind", options=OPTIONS, where="here")

    def plan(settings: dict) -> Candidate:
        own = {name: settings[name] for name in priors.network}
        config = configure("deepbind", {"detectors": 4, "width": 8} | own)
        training = {name: settings[name] for name in priors.training}
        base = TrainingConfig(batch_size=16, optimiser="nesterov", schedule="constant", seed=5)
        spec = ModelSpec("deepbind", config, "binary", split.train.tasks, 30, "max")
        return Candidate(spec, replace(base, **training))

    return Study(make_folds(split, folds=3, seed=5, labelled=True), priors, plan, seed=5)


def searched(study: Study, numbers, *, known=(), rounds=None, **rest: object) -> list[Trial]:
    search = Search(CPU, **{"threads": 1} | rest)
    rounds = rounds or plan_rounds("random", len(numbers))
    named = {(trial.number, trial.budget): trial for trial in known}
    return run_search(study, search, numbers, rounds=rounds, known=named)


def test_trials_are_the_same_together_alone_in_shards_and_on_threads(study) -> None:
    whole = searched(study, range(1, 7))
    assert [trial.number for trial in whole] == [1, 2, 3, 4, 5, 6]
    alone = [searched(study, [number])[0] for number in range(1, 7)]
    shards = [trial for part in ((1, 2), (3, 4), (5, 6)) for trial in searched(study, part)]
    threaded = searched(study, range(1, 7), threads=3)
    assert whole == alone == shards == threaded
    assert len({trial.score for trial in whole}) > 1


def test_a_trial_is_what_the_training_loop_gives_for_each_fold(study) -> None:
    (trial,) = searched(study, [4])
    chosen = study.plan(study.priors.draw(seed=study.seed, number=3))
    training = replace(chosen.training, evaluations=5, patience=99)
    curves = []
    for place, fold in enumerate(study.folds):
        job = TrainingJob(fold, chosen.spec, training, member=9 + place, batches=study.seed)
        (network,) = train_many([job], device=CPU, threads=1)
        curves.append([row["validation_loss"] for row in network.history])
    means = np.mean(curves, axis=0)
    assert trial.score == pytest.approx(means.min(), abs=1e-6)
    assert trial.steps == 6 * (1 + int(means.argmin()))


@pytest.mark.parametrize(
    ("training", "candidates"),
    [
        ({"schedule": "constant"}, 5),
        ({"schedule": "exponential:0.9"}, 5),
        ({"schedule": "one-cycle"}, 1),
        ({"schedule": "cosine"}, 1),
        ({"schedule": "constant", "augment": Augmentation(shift=2)}, 1),
    ],
)
def test_what_hangs_on_the_number_of_steps_has_one_candidate(study, training, candidates) -> None:
    def plan(settings: dict) -> Candidate:
        chosen = study.plan(settings)
        return replace(chosen, training=replace(chosen.training, **training))

    (job, *_) = replace(study, plan=plan).jobs(1, 30)
    assert job.config.evaluations == candidates
    assert job.config.patience > 30


def test_known_trials_are_not_repeated_and_all_are_recorded(study) -> None:
    recorded, steps = [], []
    whole = searched(study, range(1, 6), record=recorded.append, advance=steps.append)
    assert sorted(trial.number for trial in recorded) == [1, 2, 3, 4, 5]
    assert sum(steps) == count_steps(study, [(5, 1)], range(1, 6)) == 5 * 3 * 30
    rest: list[Trial] = []
    again = searched(study, range(1, 6), known=whole[1:4], record=rest.append)
    assert again == whole
    assert sorted(trial.number for trial in rest) == [1, 5]


def test_an_error_while_recording_ends_the_search(study) -> None:
    def fail(_: Trial) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        searched(study, range(1, 7), record=fail, threads=2)


def test_halving_trains_the_best_thirds_longer(study) -> None:
    rounds = plan_rounds("halving", 7)
    assert rounds == [(7, 9), (3, 3), (1, 1)]
    trials = searched(study, range(1, 8), rounds=rounds)
    by_budget = {steps: [t for t in trials if t.budget == steps] for steps in (4, 10, 30)}
    assert [len(each) for each in by_budget.values()] == [7, 3, 1]
    for shorter, longer in ((4, 10), (10, 30)):
        best = sorted(by_budget[shorter], key=lambda trial: trial.score)
        chosen = {trial.number for trial in by_budget[longer]}
        assert chosen == {trial.number for trial in best[: len(chosen)]}
    assert count_steps(study, rounds, range(1, 8)) == 3 * (7 * 4 + 3 * 10 + 30)
    alone = searched(study, [trials[-1].number])
    assert alone == trials[-1:]


def test_a_setting_that_breaks_down_is_a_row_like_others(study) -> None:
    wild = parse_priors(
        TINY_PRIORS | {"learning_rate": {"each": [1e9, 1e-2]}},
        "deepbind",
        options=OPTIONS,
        where="x",
    )

    def plan(settings: dict) -> Candidate:
        chosen = study.plan(settings)
        return replace(chosen, training=replace(chosen.training, clip=1e30))

    trials = searched(replace(study, priors=wild, plan=plan), [1, 2])
    assert [math.isfinite(trial.score) for trial in trials] == [False, True]


# The record


def test_trials_come_back_from_their_table(study, tmp_path: Path) -> None:
    trials = searched(study, range(1, 4))
    trials.append(replace(trials[0], number=4, settings=study.draw(4), losses=(math.nan,) * 3))
    path = tmp_path / "trials.tsv"
    write(path, study, trials)
    back = read_trials(path, study)
    assert back[:3] == trials[:3]
    assert math.isnan(back[3].score)
    other = replace(study, seed=6)
    with pytest.raises(ConfigError, match=r"trials\.tsv:2: is of another calibration"):
        read_trials(path, other)
    with pytest.raises(ConfigError, match="the columns differ: fold_3"):
        read_trials(path, replace(study, folds=study.folds[:2]))
    text = path.read_text()
    path.write_text(text[:-30])
    with pytest.raises(InputError, match=r"trials\.tsv:5: no row of a trial"):
        read_trials(path, study)


def write(path: Path, study: Study, trials: list[Trial]) -> None:
    with open_table(path) as handle:
        write_rows(handle, list_columns(study), (list_row(trial) for trial in trials))


# The picture


def test_the_best_is_drawn_last_and_broken_trials_without_a_score(tmp_path: Path) -> None:
    figure = create_figure()
    axes = figure.add_subplot()
    columns = {"rate": [1e-3, 1e-2, 1e-1, 1e-3], "pooling": ["max", "mean", "max", "max"]}
    plot_coordinates(axes, columns, [0.5, 0.4, math.nan, 0.4], logarithmic={"rate"})
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    places = [line.get_ydata().tolist() for line in lines]
    assert places == [[1, 0], [0, 0, 1], [0, 0, 0], [0.5, 1, 0]]
    assert lines[-1].get_linewidth() > lines[0].get_linewidth()
    texts = {text.get_text() for text in axes.texts}
    assert {"max", "mean", "0.001", "0.01", "0.1", "0.4", "0.5"} <= texts
    for suffix in ("svg", "png"):
        save_figure(figure, tmp_path / f"trials.{suffix}")
        assert (tmp_path / f"trials.{suffix}").stat().st_size > 1000


def test_a_single_trial_is_drawn() -> None:
    axes = create_figure().add_subplot()
    plot_coordinates(axes, {"rate": [1e-3], "hidden": [32]}, [0.5], logarithmic={"rate"})
    (line,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert line.get_ydata().tolist() == [0.5, 0.5, 0.5]
