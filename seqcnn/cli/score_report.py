"""The page of ``score-variants --report``, from what the run has written."""

import heapq
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from seqcnn.report import ScoresReport
    from seqcnn.report.rendering import Picture
    from seqcnn.scoring import Scorer, Tally

__all__ = ["check_report", "write_score_report"]

_MOST_ROWS = 20
_MOST_MAPS = 6
_LONGEST_MAP = 400
_LONGEST_ALLELE = 20

_COLUMNS = {
    "REF": "Reference",
    "ALT": "Alternative",
    "DELTA": "Delta",
    "QUANTILE": "Quantile",
    "P": "p",
    "Q": "q",
    "SD": "sd",
}

Options = dict[str, Any]


def check_report(options: Options) -> None:
    """Refuse a report of scores that are not kept.

    Raises
    ------
    ConfigError
        Where the annotated file goes to standard output.
    """
    if options["report"] and str(options["output"]) == "-":
        raise ConfigError(
            "--report",
            "the scored VCF goes to standard output",
            expected="a file, which the report is made from",
            remedy="name it with -o",
        )


def write_score_report(options: Options, tally: "Tally", scorer: "Scorer", *, command: str) -> None:
    """Read the scored file again, and write its page."""
    from seqcnn.files import whole_file
    from seqcnn.report import render_scores

    page = render_scores(_gather(options, tally, scorer, command))
    with whole_file(options["report"]) as partial:
        # The names in it need not be text.
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")


def _gather(options: Options, tally: "Tally", scorer: "Scorer", command: str) -> "ScoresReport":
    import numpy as np

    from seqcnn import __version__
    from seqcnn.cli.provenance import digest_inputs, given_options
    from seqcnn.report import ScoresReport
    from seqcnn.variants import VcfReader

    deltas: list[float] = []
    top: list[tuple[float, int, str]] = []
    with VcfReader(options["output"]) as reader:
        header = reader.header.lines
        lines = chain.from_iterable(block.lines for block in reader.blocks())
        for number, line in enumerate(lines):
            best = _strongest(line)
            if best is None:
                continue
            deltas.append(best[0])
            item = (abs(best[0]), -number, line)
            if len(top) < _MOST_ROWS:
                heapq.heappush(top, item)
            else:
                heapq.heappushpop(top, item)
    chosen = [line for _, _, line in sorted(top, reverse=True)]
    rows = [_row(line) for line in chosen]
    used = [key for key in _COLUMNS if any(row[key] != "." for row in rows)]
    several = any(row["task"] for row in rows)
    titles = ["Variant", "ID", *(["Task"] if several else []), *(_COLUMNS[key] for key in used)]
    model: Path = options["model"]
    tasks = ", ".join(scorer.engine.spec.tasks)
    return ScoresReport(
        title=f"{Path(options['variants']).name}, scored by {tasks[:80]}",
        command=command,
        records=tally.records,
        alleles=tally.alleles,
        scored=tally.scored,
        reasons=tally.to_json()["reasons"],
        notes=dict(tally.notes),
        deltas=np.array(deltas),
        header=titles,
        rows=[
            [row["variant"], row["id"], *([row["task"]] if several else [])]
            + [row[key] for key in used]
            for row in rows
        ],
        maps=_draw_maps(scorer, header, chosen[:_MOST_MAPS]),
        provenance={
            "version": __version__,
            "model": digest_inputs([model]),
            "device": str(scorer.engine.device),
            **{f"model_{k}": v for k, v in scorer.engine.model.provenance.items()},
        },
        config=given_options(options),
    )


def _fields(line: str) -> tuple[list[str], dict[str, list[str]]]:
    """Part a record into its first columns and its values of seqcnn, by key."""
    columns = line.split("\t", 8)
    items = [item.partition("=") for item in columns[7].rstrip("\r\n").split(";")]
    values = {key: text.split(",") for key, _, text in items if key.startswith("SEQCNN_")}
    return columns[:5], values


def _strongest(line: str) -> tuple[float, str, int] | None:
    """Give the largest delta of a record, up or down, the key's suffix, and its allele."""
    _, values = _fields(line)
    found = [
        (float(text), key.removeprefix("SEQCNN_DELTA"), allele)
        for key, texts in values.items()
        if key.startswith("SEQCNN_DELTA")
        for allele, text in enumerate(texts)
        if text != "."
    ]
    return max(found, key=lambda item: abs(item[0]), default=None)


def _row(line: str) -> dict[str, str]:
    columns, values = _fields(line)
    best = _strongest(line)
    if best is None:
        raise ValueError("a record without a score")
    _, suffix, allele = best
    contig, position, identifier, ref, alts = columns
    alt = alts.split(",")[allele]
    row = {"variant": f"{contig}:{position} {_cut(ref)}>{_cut(alt)}", "id": identifier}
    row["task"] = suffix.removeprefix("_")
    for key in _COLUMNS:
        texts = values.get(f"SEQCNN_{key}{suffix}", [])
        row[key] = texts[allele] if allele < len(texts) else "."
    return row


def _cut(allele: str) -> str:
    return allele if len(allele) <= _LONGEST_ALLELE else f"{allele[:_LONGEST_ALLELE]}..."


def _draw_maps(scorer: "Scorer", header: Sequence[str], lines: list[str]) -> "list[Picture]":
    """Draw the maps of records: of each the allele and task with the largest delta."""
    from seqcnn.attribution import find_hits, map_variants
    from seqcnn.mapviews import draw_maps
    from seqcnn.report.rendering import embed_figure
    from seqcnn.variants import VcfReader

    engine = scorer.engine
    if engine.spec.length > _LONGEST_MAP or not lines:
        return []
    pictures = []
    with tempfile.TemporaryDirectory(prefix="seqcnn-") as folder:
        path = Path(folder) / "top.vcf"
        text = "".join(f"{line.rstrip()}\n" for line in [*header, *lines])
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        with VcfReader(path) as reader:
            tables = [scorer.placer.place(block) for block in reader.blocks()]
            for alleles in tables:
                for maps in map_variants(engine, alleles, scorer.genome):
                    record = int(alleles.records[maps.row])
                    row = _row(lines[record])
                    if alleles.alts[maps.row] != _alt(lines[record]):
                        continue
                    task = _task(engine.spec.tasks, row["task"])
                    both = [side.for_task(task) for side in (maps.ref, maps.alt)]
                    strands = engine.spec.alphabet == "dna"
                    hits = {m.name: find_hits(m, engine.model.motifs, both=strands) for m in both}
                    figure = draw_maps(
                        both, title=row["variant"], labels=("reference", "alternative"), hits=hits
                    )
                    caption = f"{row['variant']} {row['id']}, {task}: delta {row['DELTA']}"
                    numbers = "\n".join(_numbers(both[0]))
                    words = f"Mutation maps of {row['variant']}"
                    pictures.append(embed_figure(figure, words, caption, numbers))
    return pictures


def _alt(line: str) -> str:
    best = _strongest(line)
    return line.split("\t", 5)[4].split(",")[best[2] if best else 0]


def _task(tasks: tuple[str, ...], plain: str) -> str:
    """Find the task that a key's suffix stands for."""
    from seqcnn.variants import score_fields

    fields = score_fields(["delta"], tasks)
    names = {
        f.key.removeprefix("SEQCNN_DELTA").removeprefix("_"): t for (_, t), f in fields.items()
    }
    return names[plain]


def _numbers(reference: Any) -> list[str]:
    """List the deltas of the reference's substitutions, by place."""
    lines = ["position\tA\tC\tG\tT"]
    deltas = reference.deltas()[..., 0]
    for place, row in zip(reference.places.tolist(), deltas, strict=True):
        lines.append("\t".join([str(place + 1), *(f"{value:.4g}" for value in row)]))
    return lines
