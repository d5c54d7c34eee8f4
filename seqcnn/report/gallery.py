"""The page of a model's motifs: pictures, what each motif is worth, and what it is like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from seqcnn.filters import MotifMatch
from seqcnn.motifs import Motif, spell_consensus
from seqcnn.report.rendering import Picture, render_template

__all__ = ["LARGEST_Q", "Card", "Gallery", "render_gallery"]

LARGEST_Q = 0.05
"""False discovery rate below which a motif counts as recognised."""

_Pair = tuple[str, str]


@dataclass(frozen=True)
class Card:
    """A motif that is shown in full.

    Attributes
    ----------
    motif
        The motif.
    file
        Relative path of its logo, less ``.svg`` or ``.png``.
    logo
        The picture of it.
    aligned
        The picture of its best match over it.
    """

    motif: Motif
    file: str
    logo: Picture
    aligned: Picture | None = None


@dataclass(frozen=True)
class Gallery:
    """What the page shows.

    Attributes
    ----------
    title
        What the motifs are of.
    motifs
        All motifs, the most important first, then their duplicates.
    cards
        Those that are shown in full.
    unused
        By name, the number of sites of each other detector.
    matches
        By a motif's name, what it is like.
    collection
        What the motifs were held against, in words; nothing where there is no such thing.
    origin
        Where the sites come from, in words.
    alphabet
        ``dna`` or ``rna``.
    """

    title: str
    motifs: Sequence[Motif]
    cards: Sequence[Card]
    unused: dict[str, int] = field(default_factory=dict)
    matches: dict[str, tuple[MotifMatch, ...]] = field(default_factory=dict)
    collection: str = ""
    origin: str = ""
    alphabet: str = "dna"


def render_gallery(gallery: Gallery) -> str:
    """Write a page of motifs that needs nothing beside it."""
    things = _name_things(gallery)
    return render_template(
        "gallery.html",
        gallery=gallery,
        summary=_summarise(gallery, things),
        things=things,
        cards=[(number, *_describe(gallery, card)) for number, card in enumerate(gallery.cards, 1)],
        rows=_rows(gallery),
    )


def _summarise(gallery: Gallery, things: str) -> list[str]:
    kept = [motif for motif in gallery.motifs if not motif.duplicate_of]
    silent = sum(number == 0 for number in gallery.unused.values())
    total = len(gallery.motifs) + len(gallery.unused)
    words = [
        f"{total:,} {things}: {len(kept):,} different motifs, {len(gallery.motifs) - len(kept):,} "
        f"duplicates of these, {len(gallery.unused) - silent:,} with fewer than ten sites, "
        f"{silent:,} that never fire."
    ]
    if gallery.collection:
        named = [
            motif
            for motif in gallery.motifs
            if (found := gallery.matches.get(motif.name)) and found[0].q < LARGEST_Q
        ]
        share = 100 * len(named) / max(1, len(gallery.motifs))
        words.append(
            f"{len(named):,} of the {len(gallery.motifs):,} with a motif ({share:.0f} %) are like "
            f"one of {gallery.collection}, with a q-value below {LARGEST_Q}."
        )
    return words


def _name_things(gallery: Gallery) -> str:
    """Say what the motifs are of: gapped k-mers, where there are such, have no detectors."""
    gapped = sum("gapped" in motif.name for motif in gallery.motifs)
    if not gapped:
        return "detectors"
    others = len(gallery.motifs) + len(gallery.unused) - gapped
    return "detectors and groups of gapped k-mers" if others else "groups of gapped k-mers"


def _describe(gallery: Gallery, card: Card) -> tuple[Card, str, list[_Pair], list[list[str]]]:
    motif = card.motif
    facts = [("Sites", f"{motif.sites:,}"), ("Information", f"{motif.information:.1f} bits")]
    measures = [
        ("Importance", motif.importance, "{:.3g}"),
        ("Share of the signal", 100 * motif.share, "{:.2g} %"),
        ("Enrichment", 2**motif.enrichment, "{:.2g} times"),
    ]
    facts += [(name, form.format(x)) for name, x, form in measures if not math.isnan(x)]
    twins = [other.name for other in gallery.motifs if other.duplicate_of == motif.name]
    if twins:
        facts.append(("Also seen by", ", ".join(twins[:6]) + (", ..." if len(twins) > 6 else "")))
    found = [
        [f"{m.target.name} {m.target.alternate}".strip(), f"{m.p:.1e}", f"{m.q:.1e}", m.strand]
        for m in gallery.matches.get(motif.name, ())
    ]
    return card, spell_consensus(motif, alphabet=gallery.alphabet), facts, found


def _rows(gallery: Gallery) -> list[list[str]]:
    """Tabulate all detectors."""
    rows = []
    for motif in gallery.motifs:
        best = gallery.matches.get(motif.name, ())[:1]
        name = f"{best[0].target.name} {best[0].target.alternate}".strip() if best else ""
        note = f"duplicate of {motif.duplicate_of}" if motif.duplicate_of else ""
        importance = "" if math.isnan(motif.importance) else f"{motif.importance:.3g}"
        numbers = [f"{motif.sites:,}", f"{motif.information:.1f}", importance]
        rows.append([motif.name, *numbers, name, f"{best[0].q:.1e}" if best else "", note])
    rows += [
        [name, f"{number:,}", "", "", "", "", "fewer than ten sites" if number else "never fires"]
        for name, number in gallery.unused.items()
    ]
    return rows
