"""Tell the story of a run on one HTML page that needs nothing beside it.

Pictures are inside the page, there is no script, and nothing is fetched from anywhere. The same
results give the same page, byte for byte. All text of the user's is escaped.
"""

import base64
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqcnn.motifs import Motif, reverse_complement_motif, spell_consensus
from seqcnn.plotting import (
    create_figure,
    plot_history,
    plot_logo,
    plot_precision_recall,
    plot_roc,
    plot_scatter,
    save_figure,
)
from seqcnn.report.words import METRIC_NAMES, format_estimate, primary_metric, summarise, warn

__all__ = ["Report", "render_gallery", "render_report"]

_MOST_LOGOS = 12
_MOST_SCATTERS = 6
_MOST_HISTORIES = 6
_FULL_TASKS = 3
"""Up to so many tasks have all their metrics in view; of more, the chief ones."""

_SIDES = {"train": "Training", "validation": "Validation", "test": "Test"}

Curves = Mapping[str, tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True)
class Report:
    """Hold what a report tells, as plain data.

    Parameters
    ----------
    title
        What was trained, such as ``GABPA peaks``.
    command
        The command line.
    metrics
        As in ``metrics.json``.
    counts
        Groups of numbers. ``train``, ``validation`` and ``test`` say what is on each side, such
        as ``sequences`` and ``positives``; ``dropped`` says by reason what is on none.
    history
        Rows of ``history.tsv``.
    curves
        ``roc`` (false and true positive rate), ``precision_recall`` (recall, precision) or
        ``scatter`` (observed, predicted), for each task.
    motifs
        Most important first.
    provenance
        Version, checksums of the input, seed; may be nested.
    config
        Options of the run.
    alphabet
        ``dna`` or ``rna``.
    """

    title: str
    command: str
    metrics: Mapping[str, Any]
    counts: Mapping[str, Mapping[str, int]]
    history: Sequence[Mapping[str, object]] = ()
    curves: Mapping[str, Curves] = field(default_factory=dict)
    motifs: Sequence[Motif] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)
    alphabet: str = "dna"


@dataclass(frozen=True)
class _Table:
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class _Picture:
    source: str
    description: str
    caption: str


@dataclass(frozen=True)
class _Card:
    motif: Motif
    picture: _Picture


def render_report(report: Report) -> str:
    """Write the page of a run: words, tables, curves, motifs, and where it all comes from."""
    return _render(
        "report.html",
        report=report,
        summary=summarise(report.metrics, report.counts, report.config),
        warnings=warn(report.metrics, report.counts),
        chief=_chief_table(report.metrics),
        details=_detail_tables(report.metrics),
        counts=_count_tables(report.counts),
        histories=_draw_histories(report.history),
        curves=_draw_curves(report),
        cards=[_draw_card(motif, report.alphabet) for motif in report.motifs[:_MOST_LOGOS]],
        provenance=_spell_provenance(report),
        config=_flatten(report.config),
    )


def render_gallery(
    title: str, motifs: Sequence[tuple[Motif, str]], *, alphabet: str = "dna"
) -> str:
    """Write a page of all motifs, with the logos in files beside it.

    Parameters
    ----------
    title
        What the motifs are of.
    motifs
        Each motif with the relative path of its logo, less ``.svg`` or ``.png``.
    alphabet
        ``dna`` or ``rna``.
    """
    return _render("gallery.html", title=title, motifs=motifs, alphabet=alphabet)


def _render(template: str, **context: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seqcnn"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["facts"] = _spell_facts
    environment.filters["consensus"] = spell_consensus
    return environment.get_template(template).render(**context)


def _spell(value: object) -> str:
    """Spell a value as a reader wants it: thousands apart, few digits, no None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"  # noqa: RUF001
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _spell_facts(motif: Motif) -> str:
    """Say how many sites a motif has, how strong it is, and what it is worth."""
    facts = f"{motif.sites:,} sites, {motif.information:.1f} bits"
    return facts if math.isnan(motif.importance) else f"{facts}, importance {motif.importance:.2g}"


def _chief_table(metrics: Mapping[str, Any]) -> _Table:
    """Tabulate the test metrics beside the baselines."""
    test, baselines = metrics["test"], metrics.get("baselines", {})
    header = ["", "Model", *(f"{name.capitalize()} alone" for name in baselines)]
    caption = "On test data: value (95 % interval)"
    if len(test) > _FULL_TASKS:
        return _table_of_tasks(test, baselines, caption)
    rows = []
    for task, values in test.items():
        prefix = f"{task}: " if len(test) > 1 else ""
        others = [baseline.get(task, {}) for baseline in baselines.values()]
        rows += [
            [f"{prefix}{name}", *(format_estimate(side.get(key)) for side in (values, *others))]
            for key, name in METRIC_NAMES.items()
            if key in values
        ]
    return _Table(caption, header, rows)


def _table_of_tasks(test: Mapping[str, Any], baselines: Mapping[str, Any], caption: str) -> _Table:
    chief = primary_metric(test)
    second = "auprc" if chief == "auroc" else "spearman"
    counted = [key for key in ("n", "n_positive") if any(key in values for values in test.values())]
    header = ["Task", METRIC_NAMES[chief], METRIC_NAMES[second]]
    header += [f"{METRIC_NAMES[chief]}, {name} alone" for name in baselines]
    header += [{"n": "Sequences", "n_positive": "Positives"}[key] for key in counted]
    rows = [
        [task, format_estimate(values.get(chief)), format_estimate(values.get(second))]
        + [format_estimate(side.get(task, {}).get(chief)) for side in baselines.values()]
        + [_spell(values.get(key)) for key in counted]
        for task, values in test.items()
    ]
    return _Table(caption, header, rows)


def _detail_tables(metrics: Mapping[str, Any]) -> list[_Table]:
    """Tabulate every metric of every side, a table for each task."""
    sides = {words: metrics[name] for name, words in _SIDES.items() if name in metrics}
    sides |= {
        f"{name.capitalize()} alone": side for name, side in metrics.get("baselines", {}).items()
    }
    header = ["", *sides]
    tables = []
    for task in metrics["test"]:
        columns = [side.get(task, {}) for side in sides.values()]
        rows = [
            [name, *(format_estimate(column.get(key)) for column in columns)]
            for key, name in METRIC_NAMES.items()
            if any(key in column for column in columns)
        ]
        for key, name in (("n", "Sequences"), ("n_positive", "Positives")):
            if any(key in column for column in columns):
                rows.append([name, *(_spell(column.get(key)) for column in columns)])
        tables.append(_Table(task, header, rows))
    return tables


def _count_tables(counts: Mapping[str, Mapping[str, int]]) -> list[_Table]:
    sides = {name: counts[name] for name in _SIDES if name in counts}
    kinds = list(dict.fromkeys(kind for side in sides.values() for kind in side))
    tables = []
    if sides:
        header = ["", *(_spell_key(kind) for kind in kinds)]
        rows = [
            [_SIDES[name], *(_spell(side.get(kind)) for kind in kinds)]
            for name, side in sides.items()
        ]
        tables.append(_Table("Kept, by side of the split", header, rows))
    for name, group in counts.items():
        if name not in sides and group:
            rows = [[_spell_key(reason), _spell(number)] for reason, number in group.items()]
            tables.append(_Table(f"{_spell_key(name)}, by reason", ["", "Number"], rows))
    return tables


def _spell_key(key: str) -> str:
    text = key.replace("_", " ")
    return text[:1].upper() + text[1:]


def _draw_histories(rows: Sequence[Mapping[str, object]]) -> list[_Picture]:
    pictures = []
    for member, steps in groupby(rows, key=lambda row: row.get("member", 0)):
        name = f"Member {_spell(member)}" if len({r.get("member", 0) for r in rows}) > 1 else ""
        figure = create_figure(width=5.4, height=3.6)
        plot_history(figure.add_subplot(), list(steps))
        caption = f"{name}: loss at each evaluation" if name else "Loss at each evaluation"
        pictures.append(_embed(figure, "Line plot of training and validation loss", caption))
        if len(pictures) == _MOST_HISTORIES:
            break
    return pictures


def _draw_curves(report: Report) -> list[_Picture]:
    pictures = []
    for kind, plot, name in (
        ("roc", plot_roc, "Receiver operating characteristic"),
        ("precision_recall", plot_precision_recall, "Precision against recall"),
    ):
        drawn = {task: c for task, c in report.curves.get(kind, {}).items() if len(c[0])}
        if drawn:
            figure = create_figure(width=4.4, height=4.2)
            plot(figure.add_subplot(), drawn)
            tasks = ", ".join(drawn)
            pictures.append(_embed(figure, f"{name} of {tasks}", f"{name}, test data"))
    scatters = report.curves.get("scatter", {})
    for task, (observed, predicted) in list(scatters.items())[:_MOST_SCATTERS]:
        figure = create_figure(width=4.4, height=4.2)
        plot_scatter(figure.add_subplot(), observed, predicted)
        description = f"Scatter plot of predicted against observed values of {task}"
        pictures.append(_embed(figure, description, f"{task}, test data"))
    return pictures


def _draw_card(motif: Motif, alphabet: str) -> _Card:
    strands = [motif, reverse_complement_motif(motif)] if alphabet == "dna" else [motif]
    figure = create_figure(width=4.8, height=1.35 * len(strands))
    panels = figure.subplots(len(strands), 1, squeeze=False)[:, 0]
    for axes, strand in zip(panels, strands, strict=True):
        plot_logo(axes, strand, alphabet=alphabet)
    words = "Logo of the motif and of its reverse complement" if len(strands) > 1 else "Logo"
    consensus = spell_consensus(motif, alphabet=alphabet)
    return _Card(motif, _embed(figure, f"{words}; consensus {consensus}", consensus))


def _embed(figure: Figure, description: str, caption: str) -> _Picture:
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        path = Path(folder) / "figure.svg"
        save_figure(figure, path)
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    return _Picture(f"data:image/svg+xml;base64,{data}", description, caption)


def _spell_provenance(report: Report) -> list[tuple[str, str]]:
    known = {key: report.metrics[key] for key in ("device", "seconds") if key in report.metrics}
    values = {_spell_key(key): value for key, value in {**report.provenance, **known}.items()}
    values.pop("Command", None)  # it has its own place
    return _flatten(values)


def _flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """List nested values as (place, words), in their own order."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _flatten(value, f"{prefix}{key} · ")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{key}", ", ".join(str(item) for item in value)))
        else:
            rows.append((f"{prefix}{key}", "–" if value is None else str(value)))  # noqa: RUF001
    return rows
