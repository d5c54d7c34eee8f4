"""Pictures of a report, each with its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.motifs import Motif, reverse_complement_motif, spell_consensus
from seqcnn.plotting import (
    create_figure,
    plot_history,
    plot_logo,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
    plot_scatter,
    plot_sides,
)
from seqcnn.report.rendering import Picture, embed_figure
from seqcnn.report.tables import spell
from seqcnn.report.words import METRIC_NAMES, SIDE_NAMES, primary_metric

__all__ = [
    "LogoCard",
    "draw_cards",
    "draw_curves",
    "draw_histories",
    "draw_reliability",
    "draw_sides",
    "tabulate",
]

_MOST_LOGOS = 12
_MOST_SCATTERS = 6
_MOST_HISTORIES = 6
_MOST_TASKS = 6
_MOST_NUMBERS = 21

Curves = Mapping[str, tuple[NDArray[Any], ...]]


@dataclass(frozen=True)
class LogoCard:
    """A motif and its logo."""

    motif: Motif
    picture: Picture


def tabulate(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Spell numbers as tab-separated text."""
    lines = ["\t".join(header)]
    lines += [
        "\t".join(f"{v:.6g}" if isinstance(v, float | np.floating) else str(v) for v in row)
        for row in rows
    ]
    return "\n".join(lines)


def draw_histories(rows: Sequence[Mapping[str, object]]) -> list[Picture]:
    """Draw the losses of each member."""
    pictures = []
    several = len({row.get("member", 0) for row in rows}) > 1
    for member, own in groupby(rows, key=lambda row: row.get("member", 0)):
        steps = list(own)
        if len(steps) < 2:  # a solver, which goes to its end at once
            continue
        figure = create_figure(width=5.4, height=3.6)
        plot_history(figure.add_subplot(), steps)
        caption = "Loss at each evaluation"
        if several:
            caption = f"Member {spell(member)}: loss at each evaluation"
        keys = [k for k in ("step", "train_loss", "validation_loss") if k in steps[0]]
        numbers = tabulate(keys, [[row[key] for key in keys] for row in steps])
        words = "Line plot of training and validation loss"
        pictures.append(embed_figure(figure, words, caption, numbers))
        if len(pictures) == _MOST_HISTORIES:
            break
    return pictures


def draw_curves(
    curves: Mapping[str, Curves], bands: Mapping[str, Curves], side: str = "test data"
) -> list[Picture]:
    """Draw ROC and precision-recall curves with their bands, or values against predictions."""
    pictures = []
    for kind, plot, name, header in (
        ("roc", plot_roc, "Receiver operating characteristic", ("fpr", "tpr")),
        ("precision_recall", plot_precision_recall, "Precision against recall", ("recall", "prec")),
    ):
        drawn = {task: c for task, c in curves.get(kind, {}).items() if len(c[0])}
        if drawn:
            figure = create_figure(width=4.4, height=4.2)
            shaded = {task: b for task, b in bands.get(kind, {}).items() if len(b[0])}
            plot(figure.add_subplot(), drawn, bands=shaded)
            tasks = ", ".join(drawn)
            caption = f"{name}, {side}"
            if shaded:
                caption += "; shaded: 95 % of the resamples"
            numbers = _curve_numbers(drawn, shaded, header)
            pictures.append(embed_figure(figure, f"{name} of {tasks}", caption, numbers))
    scatters = curves.get("scatter", {})
    for task, (observed, predicted) in list(scatters.items())[:_MOST_SCATTERS]:
        figure = create_figure(width=4.4, height=4.2)
        plot_scatter(figure.add_subplot(), observed, predicted)
        description = f"Scatter plot of predicted against observed values of {task}"
        numbers = "each point is a row of predictions.test.tsv.gz: target, logit"
        pictures.append(embed_figure(figure, description, f"{task}, {side}", numbers))
    return pictures


def _curve_numbers(drawn: Curves, bands: Curves, header: tuple[str, str]) -> str:
    rows: list[list[object]] = []
    for task, (x, y) in list(drawn.items())[:_MOST_TASKS]:
        if task in bands:
            grid, low, high = bands[task]
            points = _thin(len(grid))
            inside = np.interp(grid[points], x, y)
            rows += [
                [task, *row]
                for row in zip(grid[points], inside, low[points], high[points], strict=True)
            ]
        else:
            points = _thin(len(x))
            rows += [[task, *row] for row in zip(x[points], y[points], strict=True)]
    ends = ("low", "high") if bands else ()
    return tabulate(("task", *header, *ends), rows)


def _thin(count: int) -> NDArray[np.int64]:
    return np.round(np.linspace(0, count - 1, min(count, _MOST_NUMBERS))).astype(np.int64)


def draw_reliability(points: Mapping[str, Curves]) -> list[Picture]:
    """Draw the share of positives against the probability told, before and after scaling."""
    pictures = []
    for task, sides in list(points.items())[:_MOST_TASKS]:
        drawn = {name: values for name, values in sides.items() if len(values[0])}
        if not drawn:
            continue
        figure = create_figure(width=4.4, height=4.2)
        plot_reliability(figure.add_subplot(), drawn)
        rows = [[side, *row] for side, values in drawn.items() for row in zip(*values, strict=True)]
        numbers = tabulate(("scale", "told", "came_true", "sequences"), rows)
        words = f"Share of positives against the probability told, {task}"
        caption = f"{task}: what was told, and what came true, in 15 bins of probability; test data"
        pictures.append(embed_figure(figure, words, caption, numbers))
    return pictures


def draw_sides(metrics: Mapping[str, Any]) -> list[Picture]:
    """Draw the chief metric of each side and baseline, with intervals, a row each."""
    chief = primary_metric(metrics["test"])
    sides = {words: metrics[name] for name, words in SIDE_NAMES.items() if name in metrics}
    if len(sides) < 2:
        return []
    sides |= {
        f"{name.capitalize()} alone": side for name, side in metrics.get("baselines", {}).items()
    }
    pictures = []
    for task in list(metrics["test"])[:_MOST_TASKS]:
        own = {name: side.get(task, {}).get(chief) for name, side in sides.items()}
        rows = [
            (name, e["value"], e["low"], e["high"])
            for name, e in own.items()
            if e and e["value"] is not None
        ]
        if not rows:
            continue
        figure = create_figure(width=5.4, height=0.9 + 0.34 * len(rows))
        plot_sides(figure.add_subplot(), rows, name=METRIC_NAMES[chief])
        caption = f"{task}: {METRIC_NAMES[chief]} by side, with 95 % intervals"
        numbers = tabulate(
            ("side", "value", "low", "high"), [list(map(spell, row)) for row in rows]
        )
        words = f"{METRIC_NAMES[chief]} of {task} on each side of the data"
        pictures.append(embed_figure(figure, words, caption, numbers))
    return pictures


def draw_cards(motifs: Sequence[Motif], alphabet: str) -> list[LogoCard]:
    """Draw the logos of the first motifs."""
    return [_draw_card(motif, alphabet) for motif in motifs[:_MOST_LOGOS]]


def _draw_card(motif: Motif, alphabet: str) -> LogoCard:
    strands = [motif, reverse_complement_motif(motif)] if alphabet == "dna" else [motif]
    figure = create_figure(width=4.8, height=1.35 * len(strands))
    panels = figure.subplots(len(strands), 1, squeeze=False)[:, 0]
    for axes, strand in zip(panels, strands, strict=True):
        plot_logo(axes, strand, alphabet=alphabet)
    words = "Logo of the motif and of its reverse complement" if len(strands) > 1 else "Logo"
    consensus = spell_consensus(motif, alphabet=alphabet)
    letters = "ACGU" if alphabet == "rna" else "ACGT"
    numbers = tabulate(letters, [[f"{v:.6g}" for v in column] for column in motif.pfm.T])
    return LogoCard(
        motif, embed_figure(figure, f"{words}; consensus {consensus}", consensus, numbers)
    )
