"""``seqcnn export-logos``: what the detectors learned -> motif files, pictures and a page."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqcnn.cli.command import Command
from seqcnn.cli.models import model_option
from seqcnn.cli.options import INPUT, OUTPUT, common_options
from seqcnn.cli.progress import show_progress
from seqcnn.errors import ConfigError, ModelFileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqcnn.filters import MotifMatch
    from seqcnn.modelfile import TrainedModel
    from seqcnn.motifs import Motif
    from seqcnn.report import Card

__all__ = ["command"]

_log = logging.getLogger("seqcnn.logos")

_FILES = ("motifs.meme", "motifs.jaspar", "motifs.transfac", "filters.tsv", "logos", "index.html")
_PSEUDOCOUNT = 4.0  # one for each base
_COLUMNS = (
    *("name", "sites", "information", "importance", "best match", "p", "q"),
    *("offset", "overlap", "strand", "consensus", "share", "enrichment", "positions", "note"),
)


@click.command(
    "export-logos",
    cls=Command,
    no_args_is_help=True,
    example="seqcnn export-logos -m run/model.safetensors --motifs JASPAR.meme -o logos",
)
@model_option
@click.option(
    "--sequences",
    type=INPUT,
    metavar="FA",
    help="Look for sites in these sequences instead of the training positives.",
)
@click.option(
    "--motifs",
    metavar="DB.meme|jaspar[:GROUP]",
    help="Name the motifs after those of a file (MEME, JASPAR, TRANSFAC), or of the JASPAR in the "
    "package pyjaspar: jaspar, its newest vertebrates, or jaspar:fungi, jaspar2024:plants.",
)
@click.option(
    "--convention",
    type=click.Choice(["half-maximum", "deepbind"]),
    default="half-maximum",
    show_default=True,
    help="What a site is: every window above half of the detector's maximum, extended by 10 bp; or "
    "each sequence's best window (with --sequences).",
)
@click.option(
    "--kind",
    type=click.Choice(["information", "probability", "weights"]),
    default="information",
    show_default=True,
    help="What the height of a letter is.",
)
@click.option(
    "--logos",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="N",
    help="Draw the N most important motifs; 0: all.",
)
@click.option("-o", "--output", type=OUTPUT, required=True, metavar="OUT/", help="Folder to make.")
@common_options
def command(**options: Any) -> None:
    """Write the motifs of a model's detectors, the most important first.

    OUT/ holds motifs.meme, motifs.jaspar, motifs.transfac, filters.tsv, logos/ (SVG and PNG, both
    strands, and each motif under its best match) and index.html. Motifs that say the same are
    merged; filters.tsv has a row for every detector.
    """
    from seqcnn.files import check_output, whole_directory
    from seqcnn.modelfile import read_model

    output: Path = options["output"]
    named = [Path(options[key]) for key in ("model", "sequences", "motifs") if options[key]]
    inputs = [path for path in named if path.exists()]
    check_output(output, force=options["force"], inputs=inputs, made=_FILES)
    if options["convention"] != "half-maximum" and not options["sequences"]:
        raise ConfigError(
            "--convention",
            f"{options['convention']} without sequences",
            expected="sites to be looked for anew",
            remedy="give sequences with --sequences",
        )
    export = _Export(read_model(options["model"]), options)
    with whole_directory(output) as folder:
        export.write_motifs(folder)
        export.write_table(folder)
        export.draw(folder)
    export.say(output)


class _Export:
    """What is written of one model."""

    def __init__(self, model: "TrainedModel", options: dict[str, Any]) -> None:
        from seqcnn.cli.learned_motifs import find_motifs
        from seqcnn.motifs.collections import read_known_motifs

        self.options, self.spec = options, model.spec
        self.known = read_known_motifs(options["motifs"]) if options["motifs"] else None
        found = find_motifs(model, options)
        self.motifs, self.unused, self.origin = found.motifs, found.unused, found.origin
        self.kept = [motif for motif in self.motifs if not motif.duplicate_of]
        if not self.kept:
            raise ModelFileError(
                options["model"],
                "no detector has ten sites",
                remedy="give sequences with --sequences",
            )
        self.matches = self._match() if self.known else {}

    def _match(self) -> "dict[str, tuple[MotifMatch, ...]]":
        from seqcnn.filters import match_motifs
        from seqcnn.motifs.tomtom import FEWEST_TARGETS

        assert self.known
        _log.info("%s: %d motifs", self.known.source, len(self.known.motifs))
        if len(self.known.motifs) < FEWEST_TARGETS:
            _log.warning("%s: so few motifs give rough p-values", self.known.source)
        if self.known.alphabet != self.spec.alphabet:
            _log.warning(
                "%s: is of %s, the model of %s; U and T are taken for the same",
                self.known.source,
                self.known.alphabet.upper(),
                self.spec.alphabet.upper(),
            )
        with show_progress(
            "matching", len(self.motifs), unit="motif", quiet=self.options["quiet"]
        ) as progress:
            found = match_motifs(
                self.motifs,
                self.known.motifs,
                strands="+-" if self.spec.alphabet == "dna" else "+",
                progress=progress,
            )
        return {motif.name: each for motif, each in zip(self.motifs, found, strict=True)}

    def write_motifs(self, folder: Path) -> None:
        """Write the motifs, without their duplicates, as MEME, JASPAR and TRANSFAC."""
        from seqcnn.motifs import format_jaspar, format_meme, format_transfac

        alphabet = self.spec.alphabet
        added = _PSEUDOCOUNT if self.options["convention"] == "half-maximum" else 0
        texts = {
            "meme": format_meme(self.kept, alphabet=alphabet, pseudocount=added),
            "jaspar": format_jaspar(self.kept, alphabet=alphabet),
            "transfac": format_transfac(self.kept, alphabet=alphabet),
        }
        for suffix, text in texts.items():
            (folder / f"motifs.{suffix}").write_text(text, encoding="utf-8")

    def write_table(self, folder: Path) -> None:
        """Write a row for each detector: motifs, then their duplicates, then the others."""
        from seqcnn.cli.tables import open_table, write_rows

        rows = [self._row(motif) for motif in self.motifs]
        for name, number in self.unused.items():
            note = "fewer than ten sites" if number else "never fires"
            rows.append([name, number, *[None] * (len(_COLUMNS) - 3), note])
        with open_table(folder / "filters.tsv") as handle:
            write_rows(handle, _COLUMNS, rows)

    def _row(self, motif: "Motif") -> list[object]:
        from seqcnn.motifs import spell_consensus

        best = next(iter(self.matches.get(motif.name, ())), None)
        name = f"{best.target.name} {best.target.alternate}".strip() if best else None
        match = (
            [name, best.p, best.q, best.offset, best.overlap, best.strand] if best else [None] * 6
        )
        return [
            *(motif.name, motif.sites, motif.information, motif.importance),
            *match,
            spell_consensus(motif, alphabet=self.spec.alphabet),
            *(motif.share, motif.enrichment, ",".join(map(str, motif.positions)) or None),
            f"duplicate of {motif.duplicate_of}" if motif.duplicate_of else None,
        ]

    def draw(self, folder: Path) -> None:
        """Draw the most important motifs, and the page of all."""
        from seqcnn.report import Gallery, render_gallery

        (folder / "logos").mkdir()
        drawn = self.kept[: self.options["logos"] or None]
        cards = []
        with show_progress(
            "drawing", len(drawn), unit="logo", quiet=self.options["quiet"]
        ) as progress:
            for rank, motif in enumerate(drawn, start=1):
                cards.append(self._draw_card(folder, f"logos/{rank:03d}_{motif.name}", motif))
                progress(1)
        tasks = self.spec.tasks
        more = f" and {len(tasks) - 3} more" if len(tasks) > 3 else ""
        gallery = Gallery(
            title=f"Motifs of {', '.join(tasks[:3])}{more}",
            motifs=self.motifs,
            cards=cards,
            unused=self.unused,
            matches=self.matches,
            collection=Path(self.known.source).name if self.known else "",
            origin=self.origin,
            alphabet=self.spec.alphabet,
        )
        (folder / "index.html").write_text(render_gallery(gallery), encoding="utf-8")

    def _draw_card(self, folder: Path, file: str, motif: "Motif") -> "Card":
        from seqcnn.motifs import reverse_complement_motif, spell_consensus
        from seqcnn.plotting import create_figure, plot_alignment, plot_logo_pair
        from seqcnn.report import Card, embed_svg

        alphabet = self.spec.alphabet
        figure = create_figure(width=max(4, 1 + 0.33 * motif.width), height=4.2)
        plot_logo_pair(figure, motif, kind=self.options["kind"], alphabet=alphabet)
        self._save(figure, folder / file)
        words = f"Logo of {motif.name}; consensus {spell_consensus(motif, alphabet=alphabet)}"
        below = ", and of its reverse complement" if alphabet == "dna" else ""
        logo = embed_svg(folder / f"{file}.svg", words, f"Its logo{below}.")
        if not (best := next(iter(self.matches.get(motif.name, ())), None)):
            return Card(motif, file, logo)
        target = best.target if best.strand == "+" else reverse_complement_motif(best.target)
        width = max(motif.width, best.offset + target.width) - min(0, best.offset)
        figure = create_figure(width=max(4, 1 + 0.33 * width), height=4.2)
        plot_alignment(figure, motif, target, offset=best.offset, alphabet=alphabet)
        self._save(figure, folder / f"{file}_match")
        name = f"{target.name} {target.alternate}".strip()
        turned = " reverse complemented," if best.strand == "-" else ""
        caption = f"{name},{turned} over {motif.name}: p = {best.p:.1e}, q = {best.q:.1e}."
        aligned = embed_svg(folder / f"{file}_match.svg", f"Logo of {name} over {words}", caption)
        return Card(motif, file, logo, aligned)

    def _save(self, figure: "Figure", path: Path) -> None:
        from seqcnn.plotting import save_figure

        for suffix in (".svg", ".png"):
            save_figure(figure, path.with_name(path.name + suffix))

    def say(self, output: Path) -> None:
        """Sum up in the log."""
        from seqcnn.motifs import spell_consensus

        first = spell_consensus(self.kept[0], alphabet=self.spec.alphabet)
        _log.info("%s: %d motifs; the first: %s", output, len(self.kept), first)
