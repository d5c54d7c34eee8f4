"""``seqcnn predict``: sequences or intervals -> a table of scores."""

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.options import INPUT, OUTPUT, common_options, set_up_logging
from seqcnn.cli.progress import show_progress

if TYPE_CHECKING:
    from seqcnn.genome import Sequences

__all__ = ["command"]

_log = logging.getLogger("seqcnn.predict")


@click.command("predict", no_args_is_help=True)
@click.option("-m", "--model", type=INPUT, required=True, metavar="MODEL")
@click.argument("sequences", type=INPUT, metavar="FASTA|BED|TABLE|-")
@click.option("--fasta", type=INPUT, metavar="FA", help="The genome that intervals lie on.")
@click.option("-o", "--output", type=OUTPUT, metavar="OUT.tsv", help="Default: standard output.")
@common_options
def command(**options: Any) -> None:
    r"""Score sequences: a FASTA file, intervals of a genome, or a table.

    The columns are name, [contig, start, end, strand,] task, logit, probability, sd. Sequences
    longer or shorter than the model's window are cut or N-padded around their middle.

    \b
    Example:
      seqcnn predict -m run/model.safetensors --fasta genome.fa peaks.bed -o scores.tsv
    """
    from seqcnn.cli.run_directory import write_predictions
    from seqcnn.engine import Engine, resolve_device
    from seqcnn.files import refuse_existing, whole_file
    from seqcnn.modelfile import read_model

    set_up_logging(quiet=options["quiet"], verbose=options["verbose"])
    output: Path | None = options["output"]
    if output:
        refuse_existing(output, force=options["force"])
    model = read_model(options["model"])
    device = resolve_device(options["device"])
    _log.info("device: %s", device)
    sequences = _read(options["sequences"], options["fasta"], model.spec.length)
    engine = Engine(model, device=device, threads=options["threads"])
    with show_progress(
        "scoring", len(sequences), unit="sequence", quiet=options["quiet"]
    ) as progress:
        predictions = engine.predict(sequences.codes, progress=progress)
    with contextlib.ExitStack() as stack:
        handle = sys.stdout
        if output:
            handle = stack.enter_context(stack.enter_context(whole_file(output)).open("w"))
        write_predictions(handle, sequences, predictions, model.spec)
        handle.flush()


def _read(path: Path, fasta: Path | None, length: int) -> "Sequences":
    """Read what the first line shows to be FASTA, a table, or BED."""
    from seqcnn.datasets import encode_records
    from seqcnn.errors import InputError
    from seqcnn.files import numbered_lines, standard_input_file
    from seqcnn.genome import read_fasta_records

    with standard_input_file(path) as file:
        with file.open("rb") as handle:
            parquet = handle.read(4) == b"PAR1"
        lines = (line for _, line in numbered_lines(file, InputError) if line.strip())
        first = "" if parquet else next(lines, "")
        if first.startswith(">"):
            return encode_records(read_fasta_records(file), length=length, where=path)
        with contextlib.ExitStack() as stack:
            return _read_located(file, first, fasta, length, stack, parquet=parquet)


def _read_located(
    file: Path,
    first: str,
    fasta: Path | None,
    length: int,
    stack: contextlib.ExitStack,
    *,
    parquet: bool,
) -> "Sequences":
    import numpy as np

    from seqcnn.datasets import label_windows, place_windows
    from seqcnn.errors import ConfigError
    from seqcnn.genome import open_genome, read_bed
    from seqcnn.tables import read_table_sequences

    genome = stack.enter_context(open_genome(fasta)) if fasta else None
    words = first.replace(",", "\t").split()
    if parquet or "sequence" in words or {"contig", "start", "end"} <= set(words):
        return read_table_sequences(file, length=length, genome=genome)
    intervals = read_bed(file)
    if genome is None:
        raise ConfigError(file, "intervals without a genome", remedy="give it with --fasta")
    windows, _ = place_windows(file, intervals, genome, length=length)
    none = np.zeros((len(windows), 0), dtype=np.float32)
    return label_windows(file, windows, genome, none)[0]
