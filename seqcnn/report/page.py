"""Tell the story of a run on one HTML page that needs nothing beside it.

Pictures are inside the page, there is no script, and nothing is fetched from anywhere. The same
results give the same page, byte for byte. All text of the user's is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from seqcnn.motifs import Motif
from seqcnn.report.figures import (
    draw_cards,
    draw_curves,
    draw_histories,
    draw_reliability,
    draw_sides,
)
from seqcnn.report.rendering import Picture, render_template
from seqcnn.report.tables import (
    chief_table,
    class_table,
    confusion_tables,
    count_tables,
    detail_tables,
    error_tables,
    flatten,
    gap_table,
    group_tables,
    spell_key,
    temperature_table,
)
from seqcnn.report.words import summarise, tell_diagnosis, warn

__all__ = ["Report", "render_report"]

Curves = Mapping[str, tuple[NDArray[Any], ...]]
Rows = Sequence[Mapping[str, Any]]


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
    bands
        ``roc`` and ``precision_recall``: horizontal places, lower and upper end, for each task.
    reliability
        For each task, ``before`` and ``after`` the temperature: probability told, share that
        came true, number of sequences.
    errors, groups
        Rows of ``errors.test.tsv``; of each task and kind of call ``number``, ``gc``, ``low``.
    motifs
        Most important first.
    pictures
        More of them, each with a section of its own: its heading, and the pictures.
    provenance
        Version, checksums of the input, seed; may be nested.
    config
        Options of the run.
    alphabet
        ``dna`` or ``rna``.
    families
        How many members of each family the model has.
    trained
        Whether the page is of a training; else it is of an evaluation.
    """

    title: str
    command: str
    metrics: Mapping[str, Any]
    counts: Mapping[str, Mapping[str, int]]
    history: Rows = ()
    curves: Mapping[str, Curves] = field(default_factory=dict)
    bands: Mapping[str, Curves] = field(default_factory=dict)
    reliability: Mapping[str, Mapping[str, tuple[NDArray[Any], ...]]] = field(default_factory=dict)
    errors: Rows = ()
    groups: Rows = ()
    motifs: Sequence[Motif] = ()
    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)
    alphabet: str = "dna"
    families: Mapping[str, int] = field(default_factory=dict)
    trained: bool = True


def render_report(report: Report) -> str:
    """Write the page of a run: words, tables, curves, motifs, and where it all comes from."""
    metrics = report.metrics
    diagnosis = metrics.get("diagnosis", {})
    return render_template(
        "report.html",
        report=report,
        summary=summarise(
            metrics,
            report.counts,
            report.config,
            families=report.families,
            trained=report.trained,
        ),
        warnings=warn(metrics, report.counts),
        chief=chief_table(metrics),
        details=detail_tables(metrics),
        counts=count_tables(report.counts),
        histories=draw_histories(report.history),
        curves=draw_curves(report.curves, report.bands),
        judgement=tell_diagnosis(diagnosis),
        gaps=gap_table(diagnosis),
        sides=draw_sides(metrics) if diagnosis else [],
        reliability=draw_reliability(report.reliability),
        temperatures=temperature_table(metrics.get("calibration", {})),
        calls=class_table(metrics) + confusion_tables(metrics.get("confusion", {})),
        groups=group_tables(report.groups),
        errors=error_tables(report.errors),
        cards=draw_cards(report.motifs, report.alphabet),
        provenance=_spell_provenance(report),
        config=flatten(report.config),
    )


def _spell_provenance(report: Report) -> list[tuple[str, str]]:
    known = {key: report.metrics[key] for key in ("device", "seconds") if key in report.metrics}
    values = {spell_key(key): value for key, value in {**report.provenance, **known}.items()}
    values.pop("Command", None)  # it has its own place
    return flatten(values)
