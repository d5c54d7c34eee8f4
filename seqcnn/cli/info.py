"""``seqcnn info``: what a model file is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, common_options

if TYPE_CHECKING:
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
    origin = model.provenance
    rows += [("made by", f"seqcnn {origin.get('version', '?')}, seed {origin.get('seed', '?')}")]
    rows += [("command", origin.get("command", "?"))]
    rows += [
        ("input", f"{name} sha256 {digest}") for name, digest in origin.get("inputs", {}).items()
    ]
    return rows


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
