"""``seqcnn evaluate``: a model on labelled data -> metrics and predictions."""

import logging
import time
from pathlib import Path
from typing import Any

import click

from seqcnn.cli.options import INPUT, OUTPUT, common_options, set_up_logging
from seqcnn.cli.sources import Source, prepare_evaluation, source_options
from seqcnn.errors import ConfigError

__all__ = ["command"]

_log = logging.getLogger("seqcnn.evaluate")


@click.command("evaluate", no_args_is_help=True)
@click.option("-m", "--model", type=INPUT, required=True, metavar="MODEL")
@source_options
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/")
@common_options
def command(**options: Any) -> None:
    r"""Measure a model on labelled data that it was not trained on.

    OUT/ holds metrics.json, with the composition and length baselines beside the model, and
    predictions.test.tsv.gz.

    \b
    Example:
      seqcnn evaluate -m run/model.safetensors --seq factor_B.seq.gz -o evaluation
    """
    from seqcnn.cli.run_directory import (
        log_metrics,
        open_deterministic_gzip,
        write_json,
        write_predictions,
    )
    from seqcnn.engine import Engine, resolve_device
    from seqcnn.experiment import evaluate_model
    from seqcnn.files import refuse_existing, whole_directory
    from seqcnn.metrics import Baseline
    from seqcnn.modelfile import read_model

    set_up_logging(quiet=options["quiet"], verbose=options["verbose"])
    output: Path = options["output"]
    refuse_existing(output, force=options["force"])
    started = time.monotonic()
    model = read_model(options["model"])
    source, seed, spec = Source.take(options), options["seed"], model.spec
    if source.length not in (None, spec.length):
        raise ConfigError("--length", f"{source.length}", expected=f"the model's {spec.length}")
    device = resolve_device(options["device"])
    _log.info("device: %s", device)
    data = prepare_evaluation(
        source, tasks=spec.tasks, task_kind=spec.task_kind, length=spec.length, seed=seed
    )
    _log.info("%d sequences, %d positive", len(data), int(data.positive.sum()))
    engine = Engine(model, device=device, threads=options["threads"])
    baselines = {name: Baseline.from_json(values) for name, values in model.baselines.items()}
    metrics, predictions = evaluate_model(engine, data, baselines, seed=seed)
    metrics |= {"seconds": round(time.monotonic() - started, 1), "device": str(device)}
    with whole_directory(output) as folder:
        write_json(folder / "metrics.json", metrics)
        with open_deterministic_gzip(folder / "predictions.test.tsv.gz") as handle:
            write_predictions(handle, data.sequences, predictions, spec, targets=data.targets)
    log_metrics(metrics)
