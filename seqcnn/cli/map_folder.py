"""The folder that ``mutation-map`` fills: a table, pictures, pages, tracks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from seqcnn.cli.tasks import plain_name

if TYPE_CHECKING:
    from seqcnn.attribution import Gate, MotifHit, MutationMap
    from seqcnn.motifs import Motif
    from seqcnn.variants import AlleleTable

__all__ = ["MapFolder", "earlier_output"]

_TABLE, _SKIPPED = "map.tsv", "skipped.tsv"
_SUFFIXES = {".svg", ".png", ".html", ".bw"}
_LONGEST_PICTURE = 2_000
_LABELS = ("reference", "alternative")

Hits = Mapping[str, "Sequence[MotifHit]"]


def earlier_output(folder: Path) -> set[str]:
    """Name what an earlier run may have left in a folder."""
    made = {_TABLE, _SKIPPED}
    if (folder / _TABLE).is_file():
        made |= {item.name for item in folder.iterdir() if item.suffix in _SUFFIXES}
    return made


class MapFolder:
    """What is written of each map.

    Parameters
    ----------
    folder
        Where; it exists, and is empty.
    tasks
        Those that are written, of the model's.
    gate
        See `seqcnn.attribution.MutationMap.deltas`.
    motifs
        What is looked for in the sequences.
    pictures
        How many pictures are drawn: one for each sequence or allele and task; 0: all.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Sequence[str],
        *,
        gate: "Gate",
        motifs: "Sequence[Motif]",
        pictures: int,
    ) -> None:
        self.maps = self._drawn = 0
        self._folder, self._tasks, self._gate = folder, tasks, gate
        self._motifs, self._pictures = motifs, pictures
        self._files: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._table: TextIO = (folder / _TABLE).open("w", encoding="utf-8", errors=_BYTES)
        columns = ["name", "position", "ref", "alt", "logit", "delta"]
        self._table.write("\t".join(columns + ["task"] * (len(tasks) > 1)) + "\n")

    def close(self) -> None:
        """End the table."""
        self._table.close()

    def add(self, maps: "Sequence[MutationMap]", *, title: str) -> None:
        """Write the map of a sequence, or the two of an allele, and draw it."""
        self.maps += 1
        name = self._choose_name(maps[0].name.removesuffix("/ref"))
        for task in self._tasks:
            chosen = [each.for_task(task) for each in maps]
            for each in chosen:
                self._write_rows(each)
            if not self._pictures or self._drawn < self._pictures:
                self._drawn += 1
                self._draw(chosen, f"{name}.{plain_name(task)}" if self._tasks[1:] else name, title)

    def skip(self, alleles: "AlleleTable") -> None:
        """Note the alleles of a table that have no map."""
        from seqcnn.cli.tables import format_value
        from seqcnn.variants import reason_names

        names = reason_names(alleles.reasons)
        block = alleles.block
        lines = []
        for row, reason in enumerate(names):
            if reason == ".":
                continue
            self._reasons[reason] += 1
            i = int(alleles.records[row])
            place = (block.contigs[i], int(block.positions[i]), block.identifiers[i])
            cells = (*place, block.refs[i], alleles.alts[row], reason)
            lines.append("\t".join(map(format_value, cells)) + "\n")
        if not lines:
            return
        path = self._folder / _SKIPPED
        header = "" if path.exists() else "contig\tposition\tid\tref\talt\treason\n"
        with path.open("a", encoding="utf-8", errors=_BYTES) as handle:
            handle.write(header + "".join(lines))

    def write_tracks(self, maps: "Sequence[MutationMap]", contigs: Mapping[str, int]) -> None:
        """Write the effects of the bases of regions as bigWig, one file a task."""
        from seqcnn.tracks import open_track, order_contigs

        rank = {name: i for i, name in enumerate(order_contigs(contigs))}
        ordered = sorted(maps, key=lambda m: (rank[m.contig or ""], int(m.places[0])))
        for task in self._tasks:
            name = f"effect.{plain_name(task)}.bw" if self._tasks[1:] else "effect.bw"
            last = ("", 0)
            with open_track(self._folder / name, contigs, values=sum(map(len, maps))) as track:
                for each in ordered:
                    contig, start = each.contig or "", int(each.places[0])
                    seen = max(0, last[1] - start) if contig == last[0] else 0
                    values = each.for_task(task).effects(self._gate)[seen:, 0]
                    if len(values):
                        track.add(contig, start + seen, values)
                        last = (contig, start + seen + len(values))

    def describe(self) -> str:
        """Say how many maps there are, how many of them are drawn, and what has none."""
        words = f"{self.maps} map{'' if self.maps == 1 else 's'}"
        if self._drawn < self.maps * len(self._tasks):
            words += f", {self._drawn} picture(s) of the first (--pictures 0 draws all)"
        return f"{words}; without one: {self.describe_skipped()}" if self._reasons else words

    def describe_skipped(self) -> str:
        """Count the alleles without a map by their reason."""
        return ", ".join(f"{count} {reason}" for reason, count in sorted(self._reasons.items()))

    def _choose_name(self, name: str) -> str:
        plain = plain_name(name)
        self._files[plain] += 1
        number = self._files[plain]
        return plain if number == 1 else f"{plain}-{number}"

    def _write_rows(self, each: "MutationMap") -> None:
        import numpy as np

        from seqcnn.cli.tables import format_value
        from seqcnn.dna import ALPHABETS
        from seqcnn.spelling import format_numbers

        letters = ALPHABETS[each.alphabet]
        rows, bases = np.nonzero(each.codes[:, None] != np.arange(4))
        name, task = format_value(each.name), format_value(each.tasks[0])
        cells = zip(
            (each.places[rows] + 1).tolist(),
            each.codes[rows].tolist(),
            bases.tolist(),
            format_numbers(each.logits[rows, bases, 0]),
            format_numbers(each.deltas(self._gate)[rows, bases, 0]),
            strict=True,
        )
        ending = f"\t{task}\n" if self._tasks[1:] else "\n"
        self._table.writelines(
            f"{name}\t{place}\t{letters[own]}\t{letters[base]}\t{logit}\t{delta}{ending}"
            for place, own, base, logit, delta in cells
        )

    def _draw(self, maps: "Sequence[MutationMap]", name: str, title: str) -> None:
        from seqcnn.attribution import find_hits
        from seqcnn.mapviews import draw_maps, draw_overview, render_map_page
        from seqcnn.plotting import save_figure

        both = maps[0].alphabet == "dna"
        hits = {m.name: find_hits(m, self._motifs, both=both) for m in maps}
        title = f"{title}  {maps[0].tasks[0]}"
        if len(maps[0]) > _LONGEST_PICTURE:
            page = render_map_page(maps[0], title=title, gate=self._gate, hits=hits)
            (self._folder / f"{name}.html").write_text(page, encoding="utf-8")
            figure = draw_overview(maps[0], title=title, gate=self._gate)
        else:
            labels = _LABELS[: len(maps)] if len(maps) > 1 else ()
            figure = draw_maps(maps, title=title, labels=labels, gate=self._gate, hits=hits)
        for suffix in (".svg", ".png"):
            save_figure(figure, self._folder / f"{name}{suffix}")


_BYTES = "surrogateescape"
