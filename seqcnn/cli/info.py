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
    for line in _tabulate(trained):
        click.echo(line)


def _describe(model: "TrainedModel") -> list[tuple[str, str]]:
    from seqcnn.motifs import spell_consensus

    spec = model.spec
    rows = [
        *_describe_networks(model),
        ("window", f"{spec.length} bp, {spec.alphabet.upper()}, strands: {spec.strands}"),
        *_describe_windows(model),
        ("N", f"{spec.unknown:g} in each one-hot row"),
        ("motifs", f"{sum(not motif.duplicate_of for motif in model.motifs)} different ones"),
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
    entry = origin.get("deepbind", {})
    known = [key for key in (*_ENTRY, "type", "class", "details") if key in entry]
    rows += [(key, str(entry[key])) for key in known]
    rows += [("made by", f"seqcnn {origin.get('version', '?')}, seed {origin.get('seed', '?')}")]
    rows += [("command", origin.get("command", "?"))]
    rows += [
        ("input", f"{name} sha256 {digest}") for name, digest in origin.get("inputs", {}).items()
    ]
    return rows


def _describe_networks(model: "TrainedModel") -> list[tuple[str, str]]:
    from collections import Counter

    task, names = f"{model.spec.task_kind}: ", model.spec.tasks
    shown = ", ".join(names[:_MOST_TASKS])
    more = f" and {len(names) - _MOST_TASKS} more" if len(names) > _MOST_TASKS else ""
    if model.is_mixture:
        rows = [("members", f"{model.networks}, averaged on one scale")]
        rows += [("", f"{len(part.members)} x {_spell_shape(part)}") for part in model.parts]
    elif model.parts:
        shapes = Counter(_spell_shape(part) for part in model.parts)
        rows = [("models", f"{len(model.parts)} side by side")]
        rows += [("", f"{number} x {shape}") for shape, number in shapes.most_common()]
    else:
        size = sum(weights.size for weights in model.members[0].values())
        rows = [("architecture", _spell_shape(model))]
        rows += [("members", f"{len(model.members)} of {size:,} numbers each")]
    return [*rows, ("task", task + shown + more)]


_MOST_TASKS = 20


def _spell_shape(model: "TrainedModel") -> str:
    import dataclasses

    fields = dataclasses.asdict(model.spec.config)
    return f"{model.spec.architecture} ({', '.join(f'{k}={v}' for k, v in fields.items())})"


def _describe_windows(model: "TrainedModel") -> list[tuple[str, str]]:
    spec = model.spec
    if not spec.window:
        return []
    sizes = sorted({part.spec.window for part in model.parts} or {spec.window})
    words = {"max": "the largest counts", "average": "their sum by the bases counts"}
    around = "N" if spec.flanks == "unknown" else "the sequence itself"
    spelled = ", ".join(map(str, sizes))
    text = (
        f"{spelled} bp inside a longer sequence; {words[spec.over_windows]}; around each: {around}"
    )
    return [("windows", text)]


_ENTRY = ("id", "protein", "species", "experiment", "family")


def _tabulate(model: "TrainedModel") -> list[str]:
    if model.is_mixture:
        return [
            line
            for part in model.parts
            for line in (f"{part.spec.architecture}:", *_tabulate(part), "")
        ]
    if model.spec.architecture == "gkm":
        from seqcnn.architectures.configs.gkm import GkmConfig

        config = model.spec.config
        assert isinstance(config, GkmConfig)
        scores = len(model.members[0]["scores"].T)
        return [
            f"no layers: {config.features:,} gapped k-mers, whose weights are kept as"
            f" {scores:,} scores of {config.width}-mers"
        ]
    return _tabulate_parts(model) if model.parts else _tabulate_layers(model)


def _tabulate_parts(model: "TrainedModel") -> list[str]:
    """List the models side by side in aligned columns."""
    rows: list[tuple[str, ...]] = [("task", *_ENTRY, "strands", "window")]
    for part in model.parts:
        entry = part.provenance.get("deepbind", {})
        known = [str(entry.get(key, ".")) for key in _ENTRY]
        spec = part.spec
        rows.append((spec.tasks[0], *known, spec.strands, str(spec.window)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


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
    if layer.kind in {"convolution", "octave", "crop"} or layer.kind.endswith(" pool"):
        padding = str(left) if left == right else f"{left}+{right}"
        kernel = ",".join(map(str, layer.widths)) or str(layer.kernel)
        numbers = (kernel, str(layer.stride), str(layer.dilation), padding)
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
