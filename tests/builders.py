"""Small inputs with planted motifs, and the files of every kind that commands read."""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LETTERS = "ACGT"
MOTIF = "TGACTCAGCA"
OTHER_MOTIF = "CCGGAAGTGG"
CONTIGS = 6
SITES = 24
SPACING = 240


_AMBIGUOUS = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT"}
_AMBIGUOUS |= {"K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"}


def spells(consensus: str, word: str) -> bool:
    """Whether a consensus of IUPAC letters may be read as a word somewhere, on either strand."""
    turned = word[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return any(
        all(letter in _AMBIGUOUS[consensus[start + i]] for i, letter in enumerate(strand))
        for strand in (word, turned)
        for start in range(len(consensus) - len(word) + 1)
    )


def random_letters(rng: np.random.Generator, length: int) -> str:
    return "".join(LETTERS[i] for i in rng.integers(0, 4, length))


def plant(sequence: str, motif: str, centre: int) -> str:
    start = centre - len(motif) // 2
    return sequence[:start] + motif + sequence[start + len(motif) :]


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_fasta(path: Path, records: Iterable[tuple[str, str]]) -> Path:
    return write_lines(path, (line for name, letters in records for line in (f">{name}", letters)))


def write_vcf(path: Path, records: Sequence[str], contigs: Sequence[str] = ()) -> Path:
    header = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name}>" for name in contigs)]
    header.append('##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">')
    columns = "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"))
    return write_lines(path, [*header, columns, *records])


def write_seq(path: Path, rows: Iterable[tuple[str, int]]) -> Path:
    lines = [f"A\tseq_{i}\t{letters}\t{label}" for i, (letters, label) in enumerate(rows)]
    text = "\n".join(["FoldID\tEventID\tseq\tBound", *lines]) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


@dataclass(frozen=True)
class World:
    """A genome with two kinds of sites, and the same things in files of every kind."""

    folder: Path
    contigs: dict[str, str]
    genome: Path
    peaks: Path
    """BED of the sites of `MOTIF`, on all contigs."""
    other_peaks: Path
    """BED of the sites of `OTHER_MOTIF`, half a spacing away."""
    background: Path
    """BED of places without a site."""
    positives: Path
    negatives: Path
    seq: Path
    """DeepBind's, with labels of both kinds."""
    test_seq: Path
    """More of the same, positives only."""
    labelled_test_seq: Path
    table: Path
    """TSV: name, sequence, bound (0/1), other (0/1 or nothing), strength (a number)."""
    loci: Path
    """TSV: contig, start, end, strand, strength."""
    variants: Path

    def ref(self, contig: str, position: int, length: int = 1) -> str:
        """Letters of the genome at a 1-based position."""
        return self.contigs[contig][position - 1 : position - 1 + length]


def build_world(folder: Path) -> World:
    rng = np.random.default_rng(7)
    contigs = {}
    sites, others, empty = [], [], []
    for number in range(1, CONTIGS + 1):
        name = f"chr{number}"
        letters = random_letters(rng, (SITES + 1) * SPACING)
        for i in range(SITES):
            site = SPACING // 2 + i * SPACING
            letters = plant(letters, MOTIF, site)
            letters = plant(letters, OTHER_MOTIF, site + SPACING // 2)
            sites.append((name, site))
            others.append((name, site + SPACING // 2))
            empty.append((name, site + SPACING // 4))
        contigs[name] = letters
    world = World(
        folder=folder,
        contigs=contigs,
        genome=write_fasta(folder / "genome.fa", contigs.items()),
        peaks=_write_bed(folder / "peaks.bed", sites),
        other_peaks=_write_bed(folder / "other.bed", others),
        background=_write_bed(folder / "background.bed", empty),
        positives=folder / "positives.fa",
        negatives=folder / "negatives.fa",
        seq=folder / "both.seq.gz",
        test_seq=folder / "test.seq.gz",
        labelled_test_seq=folder / "labelled_test.seq.gz",
        table=folder / "table.tsv",
        loci=folder / "loci.tsv",
        variants=folder / "variants.vcf",
    )
    _write_sequences(world, rng)
    _write_loci(world, sites, rng)
    _write_variants(world)
    return world


def _write_bed(path: Path, centres: Iterable[tuple[str, int]]) -> Path:
    lines = (f"{contig}\t{at - 10}\t{at + 10}\tsite{i}" for i, (contig, at) in enumerate(centres))
    return write_lines(path, lines)


def _write_sequences(world: World, rng: np.random.Generator) -> None:
    empty = [random_letters(rng, 41) for _ in range(120)]
    bound = [plant(letters, MOTIF, 20) for letters in empty[:60]]
    unbound = empty[60:]
    write_fasta(world.positives, ((f"pos{i}", letters) for i, letters in enumerate(bound)))
    write_fasta(world.negatives, ((f"neg{i}", letters) for i, letters in enumerate(unbound)))
    rows = [(letters, 1) for letters in bound] + [(letters, 0) for letters in unbound]
    write_seq(world.seq, rows)
    fresh = [random_letters(rng, 41) for _ in range(60)]
    write_seq(world.test_seq, [(plant(s, MOTIF, 20), 1) for s in fresh[:30]])
    write_seq(
        world.labelled_test_seq,
        [*((plant(s, MOTIF, 20), 1) for s in fresh[:30]), *((s, 0) for s in fresh[30:])],
    )
    other = ["01"[i % 2] if i % 3 else "" for i in range(len(rows))]
    strength = [f"{2.5 * label + rng.normal():.3f}" for _, label in rows]
    table = [
        f"r{i}\t{letters}\t{label}\t{second}\t{value}"
        for i, ((letters, label), second, value) in enumerate(
            zip(rows, other, strength, strict=True)
        )
    ]
    write_lines(world.table, ["name\tsequence\tbound\tother\tstrength", *table])


def _write_loci(world: World, sites: Sequence[tuple[str, int]], rng: np.random.Generator) -> None:
    lines = [
        f"{contig}\t{at - 5}\t{at + 5}\t{'+-'[i % 2]}\t{rng.normal():.3f}"
        for i, (contig, at) in enumerate(sites)
    ]
    write_lines(world.loci, ["contig\tstart\tend\tstrand\tstrength", *lines])


def _write_variants(world: World) -> None:
    """Ordinary variants in and beside sites, and one of each kind that has no score."""
    swap = {"A": "G", "G": "A", "C": "T", "T": "C"}
    records = []
    for contig in world.contigs:
        for position in (118, 120, 122, 250, 360):
            ref = world.ref(contig, position)
            records.append(f"{contig}\t{position}\t.\t{ref}\t{swap[ref]}\t.\tPASS\tDP=7")
    two = world.ref("chr2", 500, 2)
    base = world.ref("chr2", 600)
    others = [letter for letter in "ACGT" if letter != base]
    records += [
        f"chr2\t500\tdel\t{two}\t{two[0]}\t.\tPASS\tDP=3",
        f"chr2\t500\tins\t{two[0]}\t{two[0]}GATTACA\t9.5\tq10\t.",
        f"chr2\t600\tmulti\t{base}\t{others[0]},{others[1]},*\t.\t.\tDP=1",
        f"chr2\t600\tmismatch\t{others[0]}\t{others[1]}\t.\t.\t.",
        f"2\t600\tbridged\t{base}\t{others[0]}\t.\t.\t.",
        f"chr2\t600\tsymbolic\t{base}\t<DEL>\t.\t.\tDP=2",
        "chr77\t5\tabsent\tA\tC\t.\t.\t.",
    ]
    write_vcf(world.variants, records, contigs=[*world.contigs, "2", "chr77"])
