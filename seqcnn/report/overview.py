"""One page for all that a run of the workflow has made, with links to each part."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqcnn.report.rendering import render_template
from seqcnn.report.run_folder import RunFolder
from seqcnn.report.tables import spell
from seqcnn.report.words import METRIC_NAMES, format_estimate, primary_metric

__all__ = ["render_overview"]

_SHOWN = 40
"""Scored files whose largest effects are shown."""


class _Cell(NamedTuple):
    """Text of a cell, and where it leads; nothing for text alone."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class _Grid:
    """A table with links."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[_Cell]]


def render_overview(run: RunFolder) -> str:
    """Write the page; links lead from the run's folder, where it is to lie."""
    return render_template(
        "overview.html",
        summary=list(_summarise(run)),
        models=_tabulate_models(run),
        evaluations=_tabulate_evaluations(run),
        variants=_tabulate_variants(run),
        effects=_tabulate_effects(run),
        taken=_tabulate_taken(run),
    )


def _summarise(run: RunFolder) -> Iterator[str]:
    counts: dict[str, Sized] = {
        "model": run.models,
        "evaluation": run.evaluations,
        "scored VCF": run.variants,
    }
    told = [f"{len(n):,} {word}{'s' * (len(n) != 1)}" for word, n in counts.items() if n]
    yield f"This run gave {' and '.join([', '.join(told[:-1]), told[-1]] if told[1:] else told)}."
    values = [(value, name) for name, metrics in run.models.items() for value in _aurocs(metrics)]
    if len(values) > 1:
        (low, worst), (high, best) = min(values), max(values)
        yield (
            f"On their own test data the models reach an AUROC from {low:.3f} ({worst})"
            f" to {high:.3f} ({best})."
        )
    alleles = sum(scored.alleles for scored in run.variants.values())
    if alleles:
        scored = sum(each.scored for each in run.variants.values())
        rest = "; the others have a reason" if scored < alleles else ""
        yield f"{scored:,} of {alleles:,} alleles have a score{rest}."


def _aurocs(metrics: Mapping[str, Any]) -> Iterator[float]:
    for values in metrics["test"].values():
        value = (values.get("auroc") or {}).get("value")
        if value is not None:
            yield value


def _tabulate_models(run: RunFolder) -> _Grid:
    rows = []
    for sample, metrics in run.models.items():
        links = [_link(run, f"models/{sample}/report.html", "report")]
        links.append(_link(run, f"logos/{sample}/index.html", "motifs"))
        rows += [[_Cell(sample), *cells, *links] for cells in _metric_rows(metrics)]
    return _Grid(
        "Each model on its own test data: value (95 % interval)",
        ["Sample", *_METRIC_HEADER, "Training", "Motifs"],
        rows,
    )


def _tabulate_evaluations(run: RunFolder) -> _Grid:
    rows = [
        [_Cell(sample), _Cell(name), *cells]
        for (sample, name), metrics in run.evaluations.items()
        for cells in _metric_rows(metrics)
    ]
    caption = "Models on data that they were not trained on"
    return _Grid(caption, ["Sample", "Data", *_METRIC_HEADER], rows)


_METRIC_HEADER = ("Task", "Sequences", "Metric", "Model", "Composition alone")


def _metric_rows(metrics: Mapping[str, Any]) -> Iterator[list[_Cell]]:
    """Give a row for each task: its chief metric, and that of the baseline."""
    test = metrics["test"]
    if not test:
        return
    chief = primary_metric(test)
    baseline = metrics.get("baselines", {}).get("composition", {})
    for task, values in test.items():
        alone = format_estimate(baseline.get(task, {}).get(chief))
        cells = [task, spell(values.get("n")), METRIC_NAMES[chief]]
        yield [_Cell(text) for text in (*cells, format_estimate(values.get(chief)), alone)]


def _tabulate_variants(run: RunFolder) -> _Grid:
    rows = []
    for (sample, name), scored in run.variants.items():
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in scored.reasons.most_common())
        counts = [spell(scored.records), spell(scored.alleles), spell(scored.scored)]
        files = [
            _link(run, f"variants/{sample}/{name}.vcf.gz", "VCF"),
            _link(run, f"variants/{sample}/{name}.tsv.gz", "table"),
            _link(run, f"discoveries/{sample}/{name}.vcf.gz", "with q"),
            _link(run, f"maps/{sample}/{name}/map.tsv", "maps"),
        ]
        rows.append([*map(_Cell, (sample, name, *counts, reasons or spell(None))), *files])
    header = ["Sample", "VCF", "Records", "Alleles", "Scored", "Without a score"]
    return _Grid("Variants scored by each model", [*header, "VCF", "Table", "FDR", "Maps"], rows)


def _tabulate_effects(run: RunFolder) -> _Grid:
    found = [(key, scored.effects) for key, scored in run.variants.items() if scored.effects]
    rows = []
    for (sample, name), effects in found[:_SHOWN]:
        link = _link(run, f"maps/{sample}/{name}/map.tsv", name, absent=name)
        for each in effects:
            cells = map(_Cell, (each.variant, each.task or spell(None), each.delta, each.p))
            rows.append([_Cell(sample), link, *cells])
    some = f", of the first {_SHOWN} of {len(found):,} files" if len(found) > _SHOWN else ""
    caption = f"The largest of each file, up or down{some}"
    return _Grid(caption, ["Sample", "VCF", "Variant", "Task", "Delta", "p"], rows)


def _tabulate_taken(run: RunFolder) -> _Grid:
    rows = [
        [
            _Cell(text)
            for text in (
                rule,
                spell(taken.jobs),
                f"{taken.seconds:,.0f}",
                f"{taken.longest:,.0f}",
                f"{taken.memory:,.0f}",
            )
        ]
        for rule, taken in sorted(run.taken.items(), key=lambda item: -item[1].seconds)
    ]
    header = ["Rule", "Jobs", "Seconds", "Longest job, s", "Most memory, MB"]
    return _Grid("By Snakemake's benchmarks; what to ask for next time", header, rows)


def _link(run: RunFolder, place: str, text: str, *, absent: str = "") -> _Cell:
    """Lead to a file of the run, if it is there."""
    return _Cell(text, place) if (run.path / place).exists() else _Cell(absent or spell(None))
