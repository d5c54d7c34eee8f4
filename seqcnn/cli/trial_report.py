"""What the trials of a calibration look like: their picture, and what the report says of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqcnn.calibration import Study, Trial
    from seqcnn.report.rendering import Picture

__all__ = ["describe_trials", "draw_trials", "show_trials"]


def draw_trials(folder: Path, study: "Study", trials: Sequence["Trial"]) -> None:
    """Draw the settings that differ, and the scores, as trials.svg and trials.png."""
    from seqcnn.plotting import create_figure, save_figure
    from seqcnn.plotting.coordinates import plot_coordinates

    drawn = {name: prior for name, prior in study.priors.named.items() if prior.kind != "fixed"}
    columns: dict[str, list[Any]] = {
        name: [trial.settings[name] for trial in trials] for name in drawn
    }
    for name in ("budget", "steps"):
        values = [getattr(trial, name) for trial in trials]
        if len(set(values)) > 1:
            columns[name] = values
    figure = create_figure(width=1.1 * len(columns) + 2.2, height=4.2)
    plot_coordinates(
        figure.add_subplot(),
        columns,
        [trial.score for trial in trials],
        logarithmic={name for name, prior in drawn.items() if prior.kind == "loguniform"},
    )
    for suffix in (".svg", ".png"):
        save_figure(figure, folder / f"trials{suffix}")


def show_trials(
    folder: Path, study: "Study", trials: Sequence["Trial"]
) -> dict[str, list["Picture"]]:
    """Give what the report shows of the trials, under its heading."""
    from seqcnn.calibration import choose_best
    from seqcnn.report import embed_svg

    best, folds = choose_best(trials), len(study.folds)
    number = len({trial.number for trial in trials})
    description = (
        f"Parallel coordinates of {number} trials: a line for each through its settings and its"
        " score"
    )
    caption = (
        f"{number} trials, each trained once without each of {folds} folds of the training rows."
        f" The score is the mean loss on the rows held out; trial {best.number}, in orange, has the"
        f" lowest, {best.score:.4f}, at {best.steps} steps. Lighter lines are worse, grey ones"
        " broke down."
    )
    table = (folder / "trials.tsv").read_text(encoding="utf-8")
    return {"Calibration": [embed_svg(folder / "trials.svg", description, caption, table)]}


def describe_trials(study: "Study", trials: Sequence["Trial"]) -> dict[str, Any]:
    """Give what metrics.json holds of a calibration."""
    from seqcnn.calibration import choose_best

    best = choose_best(trials)
    seconds = sum(trial.seconds for trial in trials)
    networks = len(trials) * len(study.folds)
    return {
        "number": len({trial.number for trial in trials}),
        "folds": len(study.folds),
        "networks": networks,
        "thread_seconds": round(seconds, 1),
        "networks_per_thread_hour": round(networks / max(seconds, 1e-9) * 3600, 1),
        "best_trial": best.number,
        "score": float(f"{best.score:.6g}"),
        "steps": best.steps,
        "settings": best.settings,
    }
