"""The search: trials drawn from the priors, their networks trained together fold by fold.

On a CPU, networks of one shape are trained some at a time on one thread, and such units side by
side; on a GPU all of one shape together. What becomes of a trial depends on neither: it is the
same, to the last bit on a CPU, alone, in another process, or beside others.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import torch

from seqcnn.calibration.priors import Priors, Settings
from seqcnn.calibration.trials import Trial, judge_trial
from seqcnn.engine.devices import count_threads
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training import (
    TrainedNetwork,
    TrainingConfig,
    TrainingJob,
    Weights,
    standardise_targets,
    train_many,
)
from seqcnn.training.compiled import shape_of
from seqcnn.training.schedules import read_schedule

__all__ = ["SEARCHES", "Candidate", "Search", "Study", "count_steps", "plan_rounds", "run_search"]

SEARCHES = ("random", "halving")
"""All trials to the end; or all for a short time, and the best third for three times as long."""

_SHARE = 3
_ROUNDS = 3
_LANES = 128
"""Detectors that stand side by side on a CPU: more gain nothing, and finish later."""

_AT_ONCE = 64
"""Settings that a GPU trains together."""

Plan = Callable[[Settings], "Candidate"]
Advance = Callable[[int], object]
Rounds = Sequence[tuple[int, int]]
"""Trials of each round, and the part of their steps that they get, as its divisor."""

Known = Mapping[tuple[int, int], Trial]
"""Trials by their number and budget."""


@dataclass(frozen=True)
class Candidate:
    """What settings stand for: a model, its training, and the weights it begins with, if any."""

    spec: ModelSpec
    training: TrainingConfig
    starts: Sequence[Weights] = ()


@dataclass(frozen=True)
class Study:
    """What is searched, apart from how.

    Attributes
    ----------
    folds
        Splits that all trials are trained on.
    priors
        Where settings come from.
    plan
        Turns settings into a candidate, whose training has its number of steps.
    seed
        Of settings, weights and batches.
    """

    folds: Sequence[Split]
    priors: Priors
    plan: Plan
    seed: int

    def draw(self, number: int) -> Settings:
        """Draw the settings of a trial, numbered from 1."""
        return self.priors.draw(seed=self.seed, number=number - 1)

    def budgets(self, number: int, rounds: Rounds) -> list[int]:
        """Give the steps that a trial gets in each round that it reaches."""
        steps = self.plan(self.draw(number)).training.steps
        return [-(-steps // divisor) for _, divisor in rounds]

    def jobs(self, number: int, budget: int) -> list[TrainingJob]:
        """Make the training jobs of a trial, one a fold."""
        chosen = self.plan(self.draw(number))
        training = replace(
            chosen.training,
            steps=budget,
            evaluations=5 if _ends_anywhere(chosen.training) else 1,
            patience=budget + 1,  # none is ended early: at each evaluation, all folds are compared
        )
        member, starts = (number - 1) * len(self.folds), chosen.starts
        return [
            TrainingJob(
                fold,
                standardise_targets(chosen.spec, fold.train),
                training,
                member=member + place,
                batches=self.seed,
                start=starts[place % len(starts)] if starts else None,
            )
            for place, fold in enumerate(self.folds)
        ]


def _ends_anywhere(training: TrainingConfig) -> bool:
    """Tell whether a training may end at any step, as nothing hangs on the number of them."""
    return not read_schedule(training.schedule).ends_low and not training.augment.changes


@dataclass(frozen=True)
class Search:
    """How a study is searched.

    Attributes
    ----------
    device
        Where networks are trained.
    threads
        Of a CPU; 0 means one for each core.
    clock
        Gives seconds.
    record
        Called with each trial when it is done.
    advance
        Called with the number of steps done since the last call.
    """

    device: torch.device
    threads: int = 0
    clock: Callable[[], float] = lambda: 0.0
    record: Callable[[Trial], object] = lambda _: None
    advance: Advance = lambda _: None


def plan_rounds(search: str, trials: int) -> Rounds:
    """Plan the rounds of a search.

    Successive halving, here by thirds: all trials get a ninth of the steps, the best third of
    them a third, and the best third of those all; each time they are trained anew, since most
    schedules of the learning rate depend on the number of steps.

    References
    ----------
    Jamieson & Talwalkar 2016, arXiv:1502.07943
    """
    if search == "random":
        return [(trials, 1)]
    return [(-(-trials // _SHARE**done), _SHARE ** (_ROUNDS - 1 - done)) for done in range(_ROUNDS)]


def count_steps(study: Study, rounds: Rounds, numbers: Sequence[int]) -> int:
    """Count the steps of all networks of a search, at most."""
    budgets = [study.budgets(number, rounds) for number in numbers]
    steps = 0
    for place, (trials, _) in enumerate(rounds):
        steps += sum(sorted((each[place] for each in budgets), reverse=True)[:trials])
    return steps * len(study.folds)


def run_search(
    study: Study,
    search: Search,
    numbers: Sequence[int],
    *,
    rounds: Rounds,
    known: Known,
) -> list[Trial]:
    """Train and judge trials.

    Parameters
    ----------
    study, search
        What is searched, and how.
    numbers
        Of the trials, from 1.
    rounds
        See `plan_rounds`.
    known
        Trials that are done already, which are not repeated.

    Returns
    -------
    list of Trial
        Round by round, in the order of the numbers.
    """
    done: list[Trial] = []
    last: list[Trial] = []
    for place, (trials, _) in enumerate(rounds):
        chosen = _best(last, trials) if last else sorted(numbers)[:trials]
        budgets = {number: study.budgets(number, rounds)[place] for number in chosen}
        last = _run_round(study, search, budgets, known)
        done += last
    return done


def _best(trials: Sequence[Trial], count: int) -> list[int]:
    """Choose the numbers of the best trials; those that broke down come last."""
    ranked = sorted(trials, key=lambda t: (t.score != t.score, t.score, t.number))
    return sorted(trial.number for trial in ranked[:count])


def _run_round(
    study: Study, search: Search, budgets: Mapping[int, int], known: Known
) -> list[Trial]:
    """Train the trials of a round that are not known yet."""
    done = {n: known[n, steps] for n, steps in budgets.items() if (n, steps) in known}
    for trial in done.values():
        search.advance(trial.budget * len(study.folds))
    waiting = {number: steps for number, steps in budgets.items() if number not in done}
    for trial in _Units(study, search, waiting).run():
        search.record(trial)
        done[trial.number] = trial
    return [done[number] for number in budgets]


class _Units:
    """Units of work, each some trials of one shape on one fold, or on all folds on a GPU."""

    def __init__(self, study: Study, search: Search, budgets: Mapping[int, int]) -> None:
        self.study, self.search, self.budgets = study, search, budgets
        self.jobs = {number: study.jobs(number, steps) for number, steps in budgets.items()}
        self.networks: dict[int, dict[int, TrainedNetwork]] = defaultdict(dict)
        self.seconds: dict[int, float] = defaultdict(float)
        self.given_up = threading.Event()

    def run(self) -> Iterator[Trial]:
        """Train all of them, and give each trial as soon as its last fold is done."""
        on_cpu = self.search.device.type == "cpu"
        workers = count_threads(self.search.threads) if on_cpu else 1
        with ThreadPoolExecutor(workers) as pool:
            units = {pool.submit(self._train, *unit): unit for unit in self._list(workers)}
            try:
                while units:
                    finished, _ = wait(units, return_when=FIRST_COMPLETED)
                    for future in finished:
                        numbers, folds = units.pop(future)
                        self._note(numbers, folds, *future.result())
                        yield from self._judge(numbers)
            finally:
                self.given_up.set()
                for future in units:
                    future.cancel()

    def _list(self, workers: int) -> Iterator[tuple[list[int], list[int]]]:
        """List (trials, folds) units; those of the same trials follow each other."""
        alike: dict[Hashable, list[int]] = defaultdict(list)
        for number, jobs in self.jobs.items():
            alike[_likeness(number, jobs[0])].append(number)
        folds = list(range(len(self.study.folds)))
        for numbers in alike.values():
            size = self._size(numbers, workers)
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                if self.search.device.type == "cpu":
                    yield from ((part, [fold]) for fold in folds)
                else:
                    yield part, folds

    def _size(self, numbers: Sequence[int], workers: int) -> int:
        """Choose how many trials of one shape a unit has, so that no thread is idle for long."""
        if self.search.device.type != "cpu":
            return _AT_ONCE
        shape = shape_of(self.jobs[numbers[0]][0])
        if shape is None:
            return 1
        share = -(-len(self.jobs) * len(self.study.folds) // workers)
        parts = max(1, -(-len(numbers) // max(1, min(_LANES // shape.number, share))))
        return -(-len(numbers) // parts)

    def _train(self, numbers: list[int], folds: list[int]) -> tuple[list[TrainedNetwork], float]:
        """Train the networks of a unit: trial by trial, and the seconds of each trial."""
        start = self.search.clock()
        networks = train_many(
            [self.jobs[number][fold] for number in numbers for fold in folds],
            device=self.search.device,
            threads=1,
            progress=self._advance,
        )
        return networks, (self.search.clock() - start) / len(numbers)

    def _advance(self, steps: int) -> None:
        if self.given_up.is_set():
            raise InterruptedError
        self.search.advance(steps)

    def _note(
        self,
        numbers: Sequence[int],
        folds: Sequence[int],
        networks: Sequence[TrainedNetwork],
        seconds: float,
    ) -> None:
        each = iter(networks)
        for number in numbers:
            self.networks[number] |= {fold: next(each) for fold in folds}
            self.seconds[number] += seconds

    def _judge(self, numbers: Sequence[int]) -> Iterator[Trial]:
        folds = len(self.study.folds)
        for number in numbers:
            if len(self.networks[number]) == folds:
                networks = self.networks.pop(number)
                yield judge_trial(
                    number,
                    self.study.draw(number),
                    [networks[fold] for fold in range(folds)],
                    budget=self.budgets[number],
                    checkpoints=_ends_anywhere(self.jobs[number][0].config),
                    seconds=round(self.seconds[number], 2),
                )


def _likeness(number: int, job: TrainingJob) -> Hashable:
    """Say what networks that are trained as one have in common."""
    shape = shape_of(job)
    return number if shape is None else (shape, job.config.steps, job.config.batch_size)
