"""``seqcnn evaluate``: a model on labelled data -> metrics and predictions."""

import logging
import time
from pathlib import Path
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option, open_engine
from seqcnn.cli.options import OUTPUT, common_options
from seqcnn.cli.sources import source_options, take_source
from seqcnn.errors import ConfigError

__all__ = ["command"]

_log = logging.getLogger("seqcnn.evaluate")


@click.command(
    "evaluate",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn evaluate -m run/model.safetensors --seq factor_B.seq.gz -o evaluation",
)
@model_option
@source_options
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Measure a model on labelled data that it was not trained on.

    OUT/ holds metrics.json, with the composition and length baselines beside the model,
    predictions.test.tsv.gz, errors.test.tsv and report.html.
    """
    from seqcnn.cli.run_directory import (
        EVALUATION_FILES,
        log_metrics,
        write_errors,
        write_json,
        write_page,
        write_test_predictions,
    )
    from seqcnn.cli.run_report import build_evaluation_report
    from seqcnn.experiment import evaluate_model
    from seqcnn.files import check_output, whole_directory
    from seqcnn.metrics import Baseline
    from seqcnn.protocol import examine
    from seqcnn.report import render_report
    from seqcnn.sources import prepare_evaluation
    from seqcnn.targets import transform_targets

    output: Path = options["output"]
    source, seed = take_source(options), options["seed"]
    inputs = [options["model"], *source.files]
    check_output(output, force=options["force"], inputs=inputs, made=EVALUATION_FILES)
    started = time.monotonic()
    engine = open_engine(options)
    model, spec = engine.model, engine.spec
    length = source.length if spec.window else spec.length
    if source.length not in (None, length):
        raise ConfigError("--length", f"{source.length}", expected=f"the model's {spec.length}")
    data = prepare_evaluation(
        source, tasks=spec.tasks, task_kind=spec.task_kind, length=length, seed=seed
    )
    data = transform_targets(data, spec.transform)
    _log.info("%d sequences", len(data))
    baselines = {name: Baseline.from_json(values) for name, values in model.baselines.items()}
    metrics, predictions = evaluate_model(engine, data, baselines, seed=seed)
    examination = examine(spec, data, predictions.logits, motifs=model.motifs, seed=seed)
    metrics |= examination.to_json()
    metrics |= {"seconds": round(time.monotonic() - started, 1), "device": str(engine.device)}
    report = build_evaluation_report(
        model, data, predictions.logits, examination, metrics=metrics, told=_told(options, inputs)
    )
    with whole_directory(output) as folder:
        write_json(folder / "metrics.json", metrics)
        write_test_predictions(folder, data, predictions, spec)
        write_errors(folder, report.errors)
        write_page(folder / "report.html", render_report(report))
    log_metrics(metrics)


def _told(options: dict[str, Any], inputs: list[Path]) -> dict[str, Any]:
    """Say what was run, with what, on what."""
    from seqcnn import __version__
    from seqcnn.cli.provenance import canonical_command, digest_inputs, given_options

    return {
        "command": canonical_command(options),
        "options": given_options(options),
        "provenance": {
            "version": __version__,
            "inputs": digest_inputs(inputs),
            "seed": options["seed"],
        },
    }
