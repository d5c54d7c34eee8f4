"""``seqcnn calibrate``: options -> trials -> the best setting's training -> a run directory."""

import contextlib
import hashlib
import json
import logging
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn import __version__
from seqcnn.cli.command import Command
from seqcnn.cli.log import log_to_file
from seqcnn.cli.models import choose_device
from seqcnn.cli.options import OUTPUT, common_options
from seqcnn.cli.priors import read_priors, with_settings
from seqcnn.cli.progress import show_progress
from seqcnn.cli.provenance import canonical_command, digest_inputs
from seqcnn.cli.search_options import search_options
from seqcnn.cli.sources import source_options, take_source
from seqcnn.cli.training_options import (
    check_length,
    make_spec,
    model_options,
    optimiser_options,
    read_network,
    read_split,
    read_training,
    split_options,
)
from seqcnn.cli.transfer_options import fine_tune, read_start, transfer_options
from seqcnn.cli.trial_report import describe_trials, draw_trials, show_trials
from seqcnn.cli.trial_shards import (
    SHARD_FILES,
    Shard,
    arrange_shards,
    find_shards,
    gather_trials,
    write_trials,
)
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.calibration import Candidate, Priors, Settings, Study, Trial
    from seqcnn.checkpoints import Checkpoints
    from seqcnn.cli.run_directory import Run
    from seqcnn.modelfile import ModelSpec, TrainedModel
    from seqcnn.sources import Source
    from seqcnn.splits import Split
    from seqcnn.training import TrainingConfig

__all__ = ["command"]

_log = logging.getLogger("seqcnn.calibrate")

Options = dict[str, Any]
Resumable = contextlib.AbstractContextManager[tuple[Path, "Checkpoints"]]

CALIBRATION_FILES = ("trials.tsv", "trials.svg", "trials.png")
_LAST = {"retrain", "keep", "trial_shard", "finish"}
"""Options that decide on no trial."""


@click.command(
    "calibrate",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn calibrate --peaks peaks.narrowPeak --fasta genome.fa.gz --arch deepbind -o run",
)
@source_options
@split_options
@model_options
@optimiser_options
@transfer_options
@search_options
@click.option("--resume", is_flag=True, help="Go on where an interrupted run ended.")
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="RUN/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Choose a network's settings by cross-validation, and train with the best.

    Trials draw their settings from priors, and are judged by the loss on held-out folds of the
    training rows; then the best is trained on all of them. What is given as an option is not
    drawn. RUN/ holds what `seqcnn train` writes there (config.yaml repeats the last training),
    and the trials: trials.tsv, trials.svg, trials.png.
    """
    _check_modes(options)
    source, start = take_source(options), read_start(options)
    longest = options["length"] or sys.maxsize
    check_length(read_network(options, start), longest)
    priors = read_priors(options, start, length=longest)
    held_out = (Path(options[name] or "") for name in ("validation", "test"))
    inputs = [*source.files, *(path for path in held_out if path.is_file())]
    inputs += [options[name] for name in ("priors", "init") if options[name]]
    digests = digest_inputs(path for path in inputs if path.is_file())
    task = _Task(options, source, start, inputs, digests, _digest(options, digests, priors))
    if options["trial_shard"]:
        _run_shard(task)
    else:
        _run_whole(task)


command.params = [parameter for parameter in command.params if parameter.name != "members"]
"""The networks of the ensemble are those of --retrain."""


@dataclass(frozen=True)
class _Task:
    """What the options stand for.

    Attributes
    ----------
    digests
        Of the inputs, by name.
    run
        A digest of all that decides on the trials.
    """

    options: Options
    source: "Source"
    start: "TrainedModel | None"
    inputs: list[Path]
    digests: dict[str, str]
    run: str


@dataclass(frozen=True)
class _Begun:
    """What is searched, on what, and what the model file will say."""

    split: "Split"
    study: "Study"
    device: str
    provenance: dict[str, Any]


def _check_modes(options: Options) -> None:
    if not options["trial_shard"]:
        return
    Shard(*options["trial_shard"]).numbers(options["trials"])
    if options["finish"]:
        raise ConfigError("--trial-shard", "--finish beside it", expected="one of them")
    if options["search"] == "halving":
        raise ConfigError(
            "--search halving",
            "--trial-shard beside it, but each round hangs on all trials of the one before",
            expected="--search random with shards",
            remedy="leave one of them out",
        )


# --- shards --------------------------------------------------------------------------------------


def _run_shard(task: _Task) -> None:
    """Run a share of the trials into a folder of its own within the output."""
    from seqcnn.files import check_output

    options, inputs = task.options, task.inputs
    output, shard = options["output"], Shard(*options["trial_shard"])
    folder = shard.folder(output)
    present = [each.name for each in output.iterdir()] if output.is_dir() else []
    check_output(output, force=True, inputs=inputs, made=[n for n in present if _is_shard(n)])
    with _made(output):
        check_output(folder, force=options["force"], inputs=inputs, made=SHARD_FILES)
        with (
            _resumable(folder, task) as (part, checkpoints),
            log_to_file(part / "train.log"),
        ):
            begun = _begin(task)
            trials = _search(task, begun, checkpoints, shard.numbers(options["trials"]))
            title = {"shard": shard.index, "of": shard.count, "run": task.run}
            write_trials(part, begun.study, trials, title)
    _log.info("%s: %d trials; when all shards are done: --finish", folder, len(trials))


def _is_shard(name: str) -> bool:
    return name.removesuffix(".partial").startswith("trials.") and "-of-" in name


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove it again if nothing is put into it."""
    folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it holds something
            folder.rmdir()


def _resumable(folder: Path, task: _Task) -> Resumable:
    """Give a folder to fill, and its checkpoints; a folder of the user's is never emptied."""
    from seqcnn.checkpoints import PARTIAL_FILES, resumable_directory
    from seqcnn.cli.run_directory import RUN_FILES
    from seqcnn.files import check_output
    from seqcnn.linefiles import partial_path

    made = {*RUN_FILES, *CALIBRATION_FILES, *SHARD_FILES, *PARTIAL_FILES}
    check_output(partial_path(folder), force=True, inputs=task.inputs, made=made)
    resume, anew = task.options["resume"], task.options["force"]
    return resumable_directory(folder, task.run, resume=resume, anew=anew, clock=time.monotonic)


# --- the whole -----------------------------------------------------------------------------------


def _run_whole(task: _Task) -> None:
    """Search, or take the trials of shards, and train the best setting."""
    from seqcnn.cli.run_directory import RUN_FILES, write_run_directory
    from seqcnn.files import check_output

    options, inputs = task.options, task.inputs
    started, output = time.monotonic(), options["output"]
    folders = find_shards([Path(path or output) for path in options["finish"]])
    shards = arrange_shards(folders, task.run)
    within = [path for path in folders if path.parent == output.resolve()]
    others = [path for path in folders if path not in within]
    made = [*RUN_FILES, *CALIBRATION_FILES, *(path.name for path in within)]
    force = options["force"] or bool(within)
    check_output(output, force=force, inputs=[*inputs, *others], made=made)
    with (
        _resumable(output, task) as (folder, checkpoints),
        log_to_file(folder / "train.log"),
    ):
        begun, trials = _begin(task), options["trials"]
        if shards:
            found = gather_trials(shards, begun.study, trials=trials)
        else:
            found = _search(task, begun, checkpoints, range(1, trials + 1))
        write_trials(folder, begun.study, found)
        draw_trials(folder, begun.study, found)
        run = _train_best(task, begun, found, checkpoints)
        run = replace(run, pictures=show_trials(folder, begun.study, found))
        write_run_directory(folder, run, seconds=time.monotonic() - started)
    _log.info("%s: done in %.0f s", output, time.monotonic() - started)


def _begin(task: _Task) -> _Begun:
    """Read the data, and draw up the study."""
    from seqcnn.calibration import Study, make_folds
    from seqcnn.cli.run_directory import log_split

    options, seed = task.options, task.options["seed"]
    _log.info("seqcnn %s", __version__)
    _log.info("command: seqcnn %s", shlex.join(sys.argv[1:]))
    device = choose_device(options)
    split, kind, transform = read_split(options, task.source)
    log_split(split, kind)
    labelled = kind not in ("regression", "profile")
    folds = make_folds(split, folds=options["folds"], seed=seed, labelled=labelled)
    priors = read_priors(options, task.start, length=split.train.sequences.length)

    def plan(settings: "Settings") -> "Candidate":
        chosen = with_settings(options, settings)
        network = read_network(chosen, task.start)
        spec = make_spec(chosen, network, split.train, kind, transform=transform)
        training = fine_tune(read_training(chosen), chosen, task.start)
        return _candidate(spec, _with_steps(training, spec, split), task.start)

    provenance = {
        "version": __version__,
        "command": canonical_command({**options, "trial_shard": None, "finish": ()}),
        "inputs": task.digests,
        "seed": seed,
    }
    return _Begun(split, Study(folds, priors, plan, seed), device, provenance)


def _candidate(
    spec: "ModelSpec", training: "TrainingConfig", start: "TrainedModel | None"
) -> "Candidate":
    from seqcnn.calibration import Candidate
    from seqcnn.training import take_weights

    return Candidate(spec, training, take_weights(start, spec) if start else ())


def _digest(options: Options, digests: Mapping[str, str], priors: "Priors") -> str:
    """Digest all that decides on the trials."""
    decisive = {name: value for name, value in options.items() if name not in _LAST}
    known = [canonical_command(decisive), digests, priors.spell(), options["trials"]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _with_steps(training: "TrainingConfig", spec: "ModelSpec", split: "Split") -> "TrainingConfig":
    from seqcnn.training import count_steps

    return replace(training, steps=count_steps(training, spec, split))


def _search(
    task: _Task, begun: _Begun, checkpoints: "Checkpoints", numbers: range
) -> list["Trial"]:
    """Train and judge trials; each is noted when it is done, and those noted are not repeated."""
    import torch

    from seqcnn.calibration import Search, count_steps, plan_rounds, run_search
    from seqcnn.cli.trial_shards import note_trial, read_noted

    options, study = task.options, begun.study
    rounds = plan_rounds(options["search"], len(numbers))
    known = read_noted(checkpoints, study, rounds, numbers)
    if known:
        _log.info("%d trials are done already", len(known))
    total, started = count_steps(study, rounds, numbers), time.monotonic()
    done = 0

    def record(trial: "Trial") -> None:
        nonlocal done
        done += 1
        note_trial(checkpoints, trial)
        _log.info("trial %d: score %.4f at step %d", trial.number, trial.score, trial.steps)

    with show_progress("trials", total, unit="step", quiet=options["quiet"]) as advance:
        search = Search(
            torch.device(begun.device), options["threads"], time.monotonic, record, advance
        )
        trials = run_search(study, search, numbers, rounds=rounds, known=known)
    rate = done * len(study.folds) / max(time.monotonic() - started, 1e-9) * 3600
    _log.info("%d networks trained, %.4g an hour", done * len(study.folds), rate)
    return trials


# --- the best ------------------------------------------------------------------------------------


def _train_best(
    task: _Task, begun: _Begun, trials: list["Trial"], checkpoints: "Checkpoints"
) -> "Run":
    """Train with the settings of the best trial on all training rows."""
    import torch

    from seqcnn.calibration import choose_best
    from seqcnn.cli.run_directory import Run
    from seqcnn.engine.devices import describe_device
    from seqcnn.experiment import run_experiment

    options, best = task.options, choose_best(trials)
    _log.info("best: trial %d, score %.4f: %s", best.number, best.score, _spell(best.settings))
    chosen = begun.study.plan(best.settings)
    training = replace(chosen.training, steps=best.steps, members=options["retrain"])
    steps = training.steps * training.members
    with show_progress("training", steps, unit="step", quiet=options["quiet"]) as progress:
        experiment = run_experiment(
            begun.split,
            chosen.spec,
            training,
            starts=chosen.starts,
            provenance=begun.provenance,
            device=torch.device(begun.device),
            threads=options["threads"],
            progress=progress,
            checkpoints=checkpoints,
        )
    last = _options_of_train(task, best)
    told = {"trials": describe_trials(begun.study, trials) | {"kept": options["keep"]}}
    return Run(experiment, begun.split, last, describe_device(begun.device), told)


def _spell(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _options_of_train(task: _Task, best: "Trial") -> Options:
    """Give the options by which ``seqcnn train`` repeats the last training."""
    from seqcnn.cli.train import command as train

    last = with_settings(task.options, best.settings) | {"steps": best.steps}
    names = {parameter.name for parameter in train.params}
    return {name: value for name, value in last.items() if name in names}
