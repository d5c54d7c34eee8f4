"""``seqcnn overview``: one page for all that a run of the workflow has made."""

from pathlib import Path
from typing import Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.options import INPUT, OUTPUT, common_options

__all__ = ["command"]


@click.command(
    "overview",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn overview results -o results/overview.html",
)
@click.argument("folder", type=INPUT, metavar="RESULTS/")
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT.html", help="Page.")
@common_options
def command(**options: Any) -> None:
    """Write one page for all that a run of the workflow has made.

    It holds the figures of each model, the counts and largest effects of each scored VCF, and
    what the jobs took. Its links start at the folder, so it is meant to lie there.
    """
    from seqcnn.files import check_output, whole_file
    from seqcnn.report.overview import render_overview
    from seqcnn.report.run_folder import read_run_folder

    output: Path = options["output"]
    check_output(output, force=options["force"])
    page = render_overview(read_run_folder(options["folder"]))
    with whole_file(output) as partial:
        partial.write_text(page, encoding="utf-8")
