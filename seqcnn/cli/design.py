"""``seqcnn design``: sequences that maximise or minimise a model's logit."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.cli.tasks import choose_tasks
from seqcnn.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seqcnn.design import Design, Rules
    from seqcnn.dna import Codes
    from seqcnn.engine import Engine

__all__ = ["command"]

_log = logging.getLogger("seqcnn.design")

_FASTA, _TABLE, _STEPS = _FILES = ("designs.fa", "designs.tsv", "steps.tsv")

Options = dict[str, Any]


@click.command(
    "design",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn design -m run/model.safetensors --random 10 --forbid GAATTC --gc 0.4-0.6"
    " -o designs",
)
@model_option
@click.option("--sequences", type=INPUT, metavar="FA", help="Begin with these sequences.")
@click.option(
    "--random",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Begin with N random sequences of --seed. Default without --sequences: 10.",
)
@click.option(
    "--task", "tasks", multiple=True, metavar="NAME", help="The task, where there are several."
)
@click.option("--minimise", is_flag=True, help="Make the logit low instead of high.")
@click.option(
    "--edits",
    type=click.IntRange(1),
    metavar="N",
    help="Change at most N bases of each sequence. Default: all.",
)
@click.option(
    "--forbid", multiple=True, metavar="WORD", help="IUPAC word that must not occur; repeated."
)
@click.option("--gc", metavar="LOW-HIGH", help="Share of G and C, such as 0.4-0.6.")
@click.option(
    "--method",
    type=click.Choice(["greedy", "gradient"]),
    default="greedy",
    show_default=True,
    help="Score all substitutions, or those that the gradient likes best.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Change sequences, one base after another, until the logit is as high as it gets.

    OUT/ holds designs.fa, designs.tsv (logit before and after, edits, GC) and steps.tsv.
    """
    from seqcnn.files import check_output, whole_directory

    output: Path = options["output"]
    inputs = [options[key] for key in ("model", "sequences") if options[key]]
    check_output(output, force=options["force"], inputs=inputs, made=_FILES)
    gc = _parse_gc(options["gc"])
    if options["sequences"] and options["random"]:
        raise ConfigError("--sequences and --random", "are given both", expected="one of them")
    engine = open_engine(options)
    task = _choose_task(engine, options)
    starts = _read_starts(engine, options, gc)
    rules = _make_rules(engine, options, gc, longest=max(len(codes) for _, codes in starts))
    designs = _design(engine, starts, rules, task, options)
    with whole_directory(output) as folder:
        _write(folder, designs, engine.spec.alphabet)
    _report(output, [design for _, design in designs])


def _parse_gc(text: str | None) -> tuple[float, float]:
    if text is None:
        return 0.0, 1.0
    try:
        low, high = map(float, text.split("-"))
    except ValueError:
        low, high = 1.0, 0.0
    if not 0 <= low <= high <= 1:
        raise ConfigError(
            f"--gc {text}", "is no range of shares", expected="LOW-HIGH within 0-1, such as 0.4-0.6"
        )
    return low, high


def _choose_task(engine: "Engine", options: Options) -> int:
    tasks = choose_tasks(engine.spec, options)
    if len(tasks) > 1:
        some = ", ".join(engine.spec.tasks[:5]) + (", ..." if len(engine.spec.tasks) > 5 else "")
        raise ConfigError("--task", f"the model has {len(tasks)} tasks", expected=f"one of {some}")
    return tasks[0]


def _read_starts(
    engine: "Engine", options: Options, gc: tuple[float, float]
) -> "list[tuple[str, Codes]]":
    import numpy as np

    from seqcnn.errors import FastaError
    from seqcnn.genome import read_fasta_records

    spec = engine.spec
    if options["sequences"]:
        records = read_fasta_records(options["sequences"])
        for name, codes in records:
            if len(codes) != spec.length and not (spec.window and len(codes)):
                raise FastaError(
                    f"{options['sequences']}: {name}",
                    f"{len(codes)} bases",
                    expected=f"{spec.length}, as the model reads them",
                    remedy="cut the sequences, or leave them out: --random",
                )
        return records
    rng = np.random.default_rng(options["seed"])
    share = sum(gc) / 2
    shares = [(1 - share) / 2, share / 2, share / 2, (1 - share) / 2]
    number = options["random"] or 10
    drawn = rng.choice(4, size=(number, spec.length), p=shares).astype(np.uint8)
    return [(f"design{i}", codes) for i, codes in enumerate(drawn, start=1)]


def _make_rules(
    engine: "Engine", options: Options, gc: tuple[float, float], *, longest: int
) -> "Rules":
    from seqcnn.design import Rules, parse_word

    both = engine.spec.alphabet == "dna"
    words = [word for text in options["forbid"] for word in parse_word(text, both=both)]
    return Rules(options["edits"] or longest, tuple(words), gc)


def _design(
    engine: "Engine",
    starts: "list[tuple[str, Codes]]",
    rules: "Rules",
    task: int,
    options: Options,
) -> "list[tuple[str, Design]]":
    from seqcnn.design import design_sequence

    designs = []
    show = show_progress("designing", len(starts), unit="sequence", quiet=options["quiet"])
    with show as progress:
        for name, codes in starts:
            design = design_sequence(
                engine,
                codes,
                rules,
                task=task,
                minimise=options["minimise"],
                method=options["method"],
            )
            designs.append((name, design))
            progress(1)
    return designs


def _write(folder: Path, designs: "Sequence[tuple[str, Design]]", alphabet: str) -> None:
    from seqcnn.cli.tables import open_table, write_rows
    from seqcnn.dna import ALPHABETS, decode, gc_fraction

    letters = ALPHABETS[alphabet]
    with open_table(folder / _FASTA) as handle:
        for name, design in designs:
            handle.write(f">{name} logit={design.logit:.6g}\n")
            handle.write(f"{decode(design.codes, alphabet=alphabet)}\n")
    columns = ["name", "start_logit", "logit", "edits", "gc", "violations"]
    rows = [
        [name, d.start_logit, d.logit, d.edits, float(gc_fraction(d.codes)), d.violations]
        for name, d in designs
    ]
    with open_table(folder / _TABLE) as handle:
        write_rows(handle, columns, rows)
    steps = [
        [name, number, change.place + 1, letters[change.ref], letters[change.alt], change.logit]
        for name, design in designs
        for number, change in enumerate(design.changes, start=1)
    ]
    with open_table(folder / _STEPS) as handle:
        write_rows(handle, ["name", "step", "position", "ref", "alt", "logit"], steps)


def _report(output: Path, designs: "Sequence[Design]") -> None:
    before = sum(design.start_logit for design in designs) / len(designs)
    after = sum(design.logit for design in designs) / len(designs)
    _log.info("%s: %d designs, mean logit %.4g -> %.4g", output, len(designs), before, after)
    broken = sum(design.violations > 0 for design in designs)
    if broken:
        _log.warning(
            "%d designs break the rules still: see `violations`, or allow more --edits", broken
        )
