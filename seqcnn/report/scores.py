"""Tell the story of scored variants on one HTML page that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqcnn.plotting import create_figure, plot_histogram
from seqcnn.report.figures import tabulate
from seqcnn.report.rendering import Picture, embed_figure, render_template
from seqcnn.report.tables import Table, count_tables, flatten

__all__ = ["ScoresReport", "render_scores"]

_BINS = 41


@dataclass(frozen=True)
class ScoresReport:
    """Hold what the page tells, as plain data.

    Parameters
    ----------
    title
        What was scored.
    command
        The command line.
    records, alleles, scored
        How many there were.
    reasons, notes
        Alleles without a score by reason; scored ones by note.
    deltas
        Of each record with a score its largest delta, up or down.
    header, rows
        The table of the largest effects, the largest first.
    maps
        Pictures of the mutation maps of the first of them.
    provenance, config
        Version, checksums, seed; options of the run.
    """

    title: str
    command: str
    records: int
    alleles: int
    scored: int
    reasons: Mapping[str, int]
    notes: Mapping[str, int]
    deltas: NDArray[np.float64]
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    maps: Sequence[Picture] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)


def render_scores(report: ScoresReport) -> str:
    """Write the page: words, counts by reason, the largest effects and their maps."""
    counts = {"alleles_without_a_score": report.reasons, "notes_on_scored_alleles": report.notes}
    return render_template(
        "scores.html",
        report=report,
        summary=_summarise(report),
        warnings=_warn(report),
        counts=count_tables({name: group for name, group in counts.items() if group}),
        histogram=_draw_histogram(report.deltas),
        top=Table("The largest deltas, up or down", report.header, report.rows),
        provenance=flatten(report.provenance),
        config=flatten(report.config),
    )


def _summarise(report: ScoresReport) -> str:
    alleles = f"{report.scored:,} of {report.alleles:,} alleles"
    words = f"{alleles} in {report.records:,} records have a score."
    if len(report.deltas):
        largest = report.deltas[np.abs(report.deltas).argmax()]
        middle = float(np.median(np.abs(report.deltas)))
        words += (
            f" The largest effect is a delta of {largest:+.3g}; half of the records change the "
            f"output by less than {middle:.3g}."
        )
    return words


def _warn(report: ScoresReport) -> list[str]:
    missing = report.alleles - report.scored
    if 2 * missing <= report.alleles or not report.reasons:
        return []
    reason = max(report.reasons, key=lambda name: report.reasons[name])
    return [
        f"More alleles have no score ({missing:,}) than have one; the chief reason is {reason}."
    ]


def _draw_histogram(deltas: NDArray[np.float64]) -> list[Picture]:
    if not len(deltas):
        return []
    reach = float(np.abs(deltas).max()) or 1.0
    counts, edges = np.histogram(deltas, np.linspace(-reach, reach, _BINS + 1))
    figure = create_figure(width=5.4, height=3.4)
    plot_histogram(figure.add_subplot(), counts, edges, name="delta")
    numbers = tabulate(
        ("from", "to", "records"), list(zip(edges[:-1], edges[1:], counts, strict=True))
    )
    words = "Histogram of the largest delta of each record"
    caption = "The largest delta of each record, on a logarithmic scale of records"
    return [embed_figure(figure, words, caption, numbers)]
