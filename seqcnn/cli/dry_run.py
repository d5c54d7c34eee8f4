"""``score-variants --dry-run``: what a run would meet, and what it would take."""

import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from seqcnn.scoring import Preflight, Scorer
    from seqcnn.variants import VcfReader

__all__ = ["show_preflight"]

_TEXT_SECONDS = 1e-5
"""What reading and writing a record takes, about."""


def show_preflight(
    reader: "VcfReader", scorer: "Scorer", *, share: tuple[int, int | None], summary: Path | None
) -> None:
    """Write to standard output what a run would meet, and with `summary` to a JSON file.

    `share` is the first record of the run, and the one after its last.
    """
    from seqcnn.scoring import inspect, write_summary

    found = inspect(reader, scorer.placer, records=share)
    for line in found.describe(list(scorer.genome.contigs)):
        click.echo(line)
    if found.trial is not None:
        seconds, gibibytes = _estimate(found, scorer)
        click.echo(f"about {seconds:.3g} s after start-up, {gibibytes:.2g} GiB of memory")
    if summary:
        write_summary(summary, found.to_json())


def _estimate(found: "Preflight", scorer: "Scorer") -> tuple[float, float]:
    """Try the model on some records: seconds of a run, and its memory in GiB."""
    trial = found.trial
    assert trial is not None
    scorer.score(scorer.placer.place(trial))  # what is loaded and compiled once
    began = time.perf_counter()
    scorer.score(scorer.placer.place(trial))
    seconds = (time.perf_counter() - began) / len(trial) + _TEXT_SECONDS
    sizes = {name: scorer.genome.contigs[b] for name, b in found.bridged.items() if b}
    loaded = max(sizes.get(name, 0) for name in trial.contigs)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = kibibytes * 1024 + max(sizes.values()) - loaded
    return seconds * found.records, memory / 2**30
