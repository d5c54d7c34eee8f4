"""``seqcnn info``: what a model file is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, common_options

if TYPE_CHECKING:
    from seqcnn.architectures.layers import TracedLayer
    from seqcnn.modelfile import TrainedModel

__all__ = ["command"]


@click.command(
    "info", cls=Command, no_args_is_help=True, example="seqcnn info run/model.safetensors"
)
@click.argument("model", type=INPUT, metavar="MODEL")
@common_options
def command(model: Path, **_: Any) -> None:
    """Say what a model file takes, gives, and where it comes from."""
    from seqcnn.files import sha256
    from seqcnn.modelfile import read_model

    trained = read_model(model)
    rows = [("file", model.name), ("sha256", sha256(model)), *_describe(trained)]
    width = max(len(name) for name, _ in rows) + 2
    for name, value in rows:
        click.echo(f"{name:<{width}}{value}")
    click.echo()
    for line in _tabulate_layers(trained):
        click.echo(line)


def _describe(model: "TrainedModel") -> list[tuple[str, str]]:
    import dataclasses

    from seqcnn.motifs import spell_consensus

    spec = model.spec
    fields = dataclasses.asdict(spec.config)
    parameters = sum(weights.size for weights in model.members[0].values())
    rows = [
        (
            "architecture",
            f"{spec.architecture} ({', '.join(f'{k}={v}' for k, v in fields.items())})",
        ),
        ("members", f"{len(model.members)} of {parameters:,} numbers each"),
        ("task", f"{spec.task_kind}: {', '.join(spec.tasks)}"),
        ("window", f"{spec.length} bp, {spec.alphabet.upper()}, strands: {spec.strands}"),
        ("N", f"{spec.unknown:g} in each one-hot row"),
        ("motifs", f"{len(model.motifs)} with at least ten sites"),
    ]
    rows += [
        ("", f"  {consensus}  {motif.sites} sites, importance {motif.importance:.3f}")
        for motif in model.motifs[:5]
        for consensus in [spell_consensus(motif, alphabet=spec.alphabet)]
    ]
    rows += _metrics(model.metrics)
    if null := model.null:
        rows += [
            ("null", f"{null.count} variants of each of {len(null.types)} types, for p-values")
        ]
    origin = model.provenance
    rows += [("made by", f"seqcnn {origin.get('version', '?')}, seed {origin.get('seed', '?')}")]
    rows += [("command", origin.get("command", "?"))]
    rows += [
        ("input", f"{name} sha256 {digest}") for name, digest in origin.get("inputs", {}).items()
    ]
    return rows


_COLUMNS = (
    "layer",
    "kind",
    "kernel",
    "stride",
    "dilation",
    "padding",
    "output",
    "parameters",
    "FLOPs",
    "sees (bp)",
)


def _tabulate_layers(model: "TrainedModel") -> list[str]:
    """List the layers of a network, and what they hold and cost, in aligned columns."""
    from seqcnn.architectures.layers import trace_layers

    spec = model.spec
    traced = trace_layers(
        spec.config.layers(length=spec.length, tasks=len(spec.tasks)), spec.length
    )
    rows = [_COLUMNS, *map(_layer_row, traced)]
    parameters, work = (
        sum(getattr(each, key) for each in traced) for key in ("parameters", "work")
    )
    rows.append(("total", *[""] * 6, f"{parameters:,}", f"{work:,}", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_align(row, widths) for row in rows]


def _layer_row(traced: "TracedLayer") -> tuple[str, ...]:
    layer = traced.layer
    left, right = layer.padding
    numbers = ("", "", "", "")
    if layer.kind == "convolution" or "pool" in layer.kind:
        padding = str(left) if left == right else f"{left}+{right}"
        numbers = (str(layer.kernel), str(layer.stride), str(layer.dilation), padding)
    return (
        *(layer.name, layer.kind if layer.kind != layer.name else "", *numbers),
        f"{traced.positions:,} x {layer.channels:,}",
        f"{traced.parameters:,}" if traced.parameters else "",
        f"{traced.work:,}" if traced.work else "",
        f"{traced.receptive_field:,}",
    )


def _align(row: tuple[str, ...], widths: list[int]) -> str:
    """Words to the left, numbers to the right."""
    words = [f"{cell:<{width}}" for cell, width in zip(row[:2], widths, strict=False)]
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*words, *numbers]).rstrip()


def _metrics(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for side in ("test", "validation"):
        for task, values in metrics.get(side, {}).items():
            shown = ", ".join(
                f"{name} {value['value']:.4f} ({value['low']:.4f}-{value['high']:.4f})"
                for name, value in values.items()
                if isinstance(value, dict)
                and name in {"auroc", "auprc", "pearson", "spearman"}
                and None not in value.values()
            )
            rows.append((side, f"{task}: {shown}"))
    return rows
