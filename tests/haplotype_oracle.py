"""Variants as edits of whole contigs, and their windows by plain surgery on strings.

Nothing here knows how seqcnn goes about it: a haplotype is the whole contig as a string, and two
haplotypes are compared letter by letter.
"""

import random
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pysam
import pytest
from hypothesis import strategies as st

from seqcnn.genome import Genome, open_genome
from seqcnn.variants import AllelePlacer, AlleleTable, VcfReader

COMPLEMENT = str.maketrans("ACGTNRYSWKMBDHVacgtnryswkmbdhv", "TGCANYRSWMKVHDBtgcanyrswmkvhdb")
AMBIGUOUS = "NRYSWKMBDHV"

needs_bcftools = pytest.mark.skipif(
    shutil.which("bcftools") is None,
    reason="bcftools is not installed; tests/install_debian_packages.sh installs it",
)


@dataclass(frozen=True)
class Edit:
    """Bases of a contig, from `start` (0-based), that become others."""

    contig: str
    start: int
    removed: int
    inserted: str

    @property
    def alternative(self) -> str:
        """The whole edited contig."""
        return self.contig[: self.start] + self.inserted + self.contig[self.start + self.removed :]

    @property
    def mirrored(self) -> "Edit":
        """The same on the other strand."""
        start = len(self.contig) - self.start - self.removed
        return Edit(mirror(self.contig), start, self.removed, mirror(self.inserted))

    def spell(self, before: int = 0, after: int = 0) -> tuple[int, str, str]:
        """Spell a record (POS, REF, ALT) with flanking bases, and with one where there must be."""
        end = self.start + self.removed
        before, after = min(before, self.start), min(after, len(self.contig) - end)
        if not (self.removed and self.inserted) and not before and not after:
            before, after = (1, 0) if self.start else (0, 1)
        first = self.start - before
        left, right = self.contig[first : self.start], self.contig[end : end + after]
        ref = left + self.contig[self.start : end] + right
        return first + 1, ref, left + self.inserted + right

    def elsewhere(self) -> list["Edit"]:
        """All places where this many bases can be exchanged and the haplotype is the same."""
        alternative, size = self.alternative, len(self.inserted)
        contig, wanted = plain(self.contig), plain(alternative)
        return [
            Edit(self.contig, start, self.removed, alternative[start : start + size])
            for start in range(len(contig) - self.removed + 1)
            if contig[:start] == wanted[:start]
            and contig[start + self.removed :] == wanted[start + size :]
        ]

    def joined(self, before: int, after: int) -> "Edit":
        """The same change as one of more bases."""
        position, ref, alt = self.spell(before, after)
        return Edit(self.contig, position - 1, len(ref), alt)


def mirror(sequence: str) -> str:
    """Reverse-complement, letter by letter."""
    return sequence.translate(COMPLEMENT)[::-1]


def plain(sequence: str) -> str:
    """What a model can tell apart: A, C, G, T and N."""
    return "".join(c if c in "ACGT" else "N" for c in sequence.upper())


# --- windows


def locate(reference: str, alternative: str) -> tuple[int, int, int, int]:
    """Give the leftmost start, the bases of both alleles, and how far right they could stand."""
    shorter = min(len(reference), len(alternative))
    prefix = suffix = 0
    while prefix < shorter and reference[prefix] == alternative[prefix]:
        prefix += 1
    while suffix < shorter and reference[-1 - suffix] == alternative[-1 - suffix]:
        suffix += 1
    slack = max(0, prefix + suffix - shorter)
    start = prefix - slack
    return start, len(reference) - start - suffix, len(alternative) - start - suffix, slack


def cut(haplotype: str, first: int, length: int) -> str:
    """Cut a window out of a string; what is not there is N."""
    positions = range(first, first + length)
    return "".join(haplotype[i] if 0 <= i < len(haplotype) else "N" for i in positions)


def slow_windows(
    reference: str, alternative: str, length: int, *, offset: int = 0
) -> tuple[str, str] | None:
    """Give both windows from nothing but the haplotypes; None where there is no score."""
    reference, alternative = plain(reference), plain(alternative)
    start, *sizes, slack = locate(reference, alternative)
    if max(sizes) > length or reference == alternative:
        return None
    centred = []
    for haplotype, size in zip((reference, alternative), sizes, strict=True):
        middle = start + (size + slack) // 2
        if set(cut(haplotype, middle - length // 2, length)) == {"N"}:
            return None
        centred.append(cut(haplotype, middle - length // 2 + offset, length))
    return centred[0], centred[1]


# --- random edits


@st.composite
def contigs(draw: st.DrawFn, *, ambiguous: bool = True) -> str:
    """Contigs with repeats, runs of N, IUPAC codes and soft-masked stretches."""
    dna = st.text("ACGT", max_size=12)
    repeat = st.builds(lambda unit, n: unit * n, st.text("ACGT", min_size=1, max_size=3), _copies)
    parts = [dna, repeat, repeat.map(str.lower), st.text("ACGTacgt", max_size=6)]
    if ambiguous:
        parts += [st.integers(1, 12).map(lambda n: "N" * n), st.text(AMBIGUOUS + "acn", max_size=4)]
    made = "".join(draw(st.lists(st.one_of(parts), min_size=1, max_size=5)))
    return made or draw(st.sampled_from("ACGT"))


_copies = st.integers(2, 9)


@st.composite
def edits(draw: st.DrawFn, *, ambiguous: bool = True, longest: int = 14) -> Edit:
    """Substitutions, insertions, deletions and both at once, anywhere on a contig."""
    contig = draw(contigs(ambiguous=ambiguous))
    start = draw(st.integers(0, len(contig)))
    removed = draw(st.integers(0, min(longest, len(contig) - start)))
    # Often a copy of what stands beside it: then there is something to shift and to trim.
    near = contig[max(0, start - 6) : start + removed + 6].upper()
    copied = st.integers(0, max(0, len(near) - 1)).flatmap(
        lambda i: st.integers(i, len(near)).map(lambda j: near[i:j])
    )
    kinds = [st.just(""), st.text("ACGT", max_size=longest), st.text("ACGT", max_size=1)]
    inserted = draw(st.one_of(*kinds, copied if set(near) <= set("ACGT") else kinds[1]))
    if removed == len(contig):  # a record cannot leave nothing
        inserted = inserted or "A"
    edit = Edit(contig, start, removed, inserted)
    if plain(edit.alternative) == plain(contig):
        return Edit(contig, start, removed, inserted + ("G" if removed else "GA"))
    return edit


def random_edit(rng: random.Random, *, ambiguous: bool = True, longest: int = 40) -> Edit:
    """The same without hypothesis, for very many of them."""
    parts = []
    for _ in range(rng.randint(1, 6)):
        unit = "".join(rng.choices("ACGT", k=rng.randint(1, 4)))
        word = "".join(rng.choices("ACGT", k=rng.randint(1, 30)))
        odd = rng.choice(["N" * rng.randint(1, 30), "".join(rng.choices(AMBIGUOUS + "ACGT", k=5))])
        part = rng.choice([word, unit * rng.randint(2, 15), odd if ambiguous else word])
        parts.append(part.lower() if rng.random() < 0.3 else part)
    contig = "".join(parts)
    start = rng.randint(0, len(contig))
    removed = rng.choice([0, 1, rng.randint(0, longest)])
    removed = min(removed, len(contig) - start)
    near = [c for c in contig[max(0, start - 8) : start + removed + 8].upper() if c in "ACGT"]
    first = rng.randint(0, len(near))
    inserted = rng.choice(
        [
            "",
            rng.choice("ACGT"),
            "".join(near[first : first + rng.randint(0, longest)]),
            "".join(rng.choices("ACGT", k=rng.randint(0, longest))),
        ]
    )
    edit = Edit(contig, start, removed, inserted)
    if (removed == len(contig) and not inserted) or plain(edit.alternative) == plain(contig):
        return random_edit(rng, ambiguous=ambiguous, longest=longest)
    return edit


def respell(rng: random.Random, edit: Edit, *, longest: int = 30) -> tuple[int, str, str]:
    """Spell an edit at random: elsewhere, with flanks, as more bases, in either case."""
    edit = rng.choice(edit.elsewhere())
    edit = edit.joined(rng.choice([0, 0, 1, rng.randint(0, 3)]), rng.choice([0, 0, 1, 2]))
    position, ref, alt = edit.spell(rng.choice([0, 1, longest]), rng.choice([0, 1, longest]))
    case = rng.choice([str.upper, str.lower, str.swapcase, str])
    return position, case(ref), rng.choice([str.upper, str.lower, str])(alt)


# --- files


def write_genome(path: Path, contigs: Iterable[tuple[str, str]]) -> Path:
    Path(f"{path}.fai").unlink(missing_ok=True)  # bcftools believes an index however old
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs))
    return path


def write_records(
    path: Path, records: Iterable[tuple[str, int, str, str]], *, sizes: dict[str, int]
) -> Path:
    """Write a VCF of (contig, POS, REF, ALT); each record's ID is its number."""
    header = ["##fileformat=VCFv4.3"]
    header += [f"##contig=<ID={name},length={size}>" for name, size in sizes.items()]
    header.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    lines = [
        f"{contig}\t{position}\tv{number}\t{ref}\t{alt}\t.\t.\t."
        for number, (contig, position, ref, alt) in enumerate(records)
    ]
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


def place_alleles(
    path: Path, genome: Genome, *, length: int, policy: str = "skip", offsets: range = range(1)
) -> AlleleTable:
    """Place all alleles of a VCF."""
    with VcfReader(path, block_records=1_000_000) as reader:
        placer = AllelePlacer(
            genome,
            length=length,
            ref_mismatch=policy,
            declared=reader.header.contigs,
            offsets=offsets,
        )
        (table,) = map(placer.place, reader.blocks())
        return table


@contextmanager
def placed(
    folder: Path,
    contigs: Sequence[str],
    records: Sequence[tuple[int, int, str, str]],
    *,
    length: int,
    offsets: range = range(1),
) -> Iterator[tuple[AlleleTable, Genome]]:
    """Place records (number of the contig, POS, REF, ALT) on contigs of their own genome."""
    names = [f"c{number}" for number in range(len(contigs))]
    genome = write_genome(folder / "genome.fa", zip(names, contigs, strict=True))
    named = [(names[contig], *rest) for contig, *rest in records]
    sizes = dict(zip(names, map(len, contigs), strict=True))
    path = write_records(folder / "in.vcf", named, sizes=sizes)
    with open_genome(genome) as opened:
        yield place_alleles(path, opened, length=length, offsets=offsets), opened


# --- bcftools


def run_bcftools(*arguments: object) -> str:
    command = ["bcftools", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def consensus(
    folder: Path, contigs: Sequence[str], records: Sequence[tuple[int, str, str]]
) -> list[str]:
    """Let bcftools apply one record (POS, REF, ALT) to each contig."""
    names = [f"c{number}" for number in range(len(contigs))]
    genome = write_genome(folder / "consensus.fa", zip(names, contigs, strict=True))
    named = [(name, *record) for name, record in zip(names, records, strict=True)]
    sizes = dict(zip(names, map(len, contigs), strict=True))
    path = write_records(folder / "consensus.vcf", named, sizes=sizes)
    packed = folder / "consensus.vcf.gz"
    pysam.tabix_compress(str(path), str(packed), force=True)
    run_bcftools("index", "-f", packed)
    out = run_bcftools("consensus", "-f", genome, packed)
    whole = {
        part.split("\n", 1)[0].split()[0]: part.split("\n", 1)[1].replace("\n", "")
        for part in out.split(">")[1:]
    }
    return [whole[name] for name in names]


def normalise(
    folder: Path, contigs: Sequence[str], records: Sequence[tuple[int, str, str]]
) -> list[tuple[int, str, str]]:
    """Let ``bcftools norm -f`` spell one record (POS, REF, ALT) of each contig anew."""
    names = [f"c{number}" for number in range(len(contigs))]
    genome = write_genome(folder / "norm.fa", zip(names, contigs, strict=True))
    named = [(name, *record) for name, record in zip(names, records, strict=True)]
    sizes = dict(zip(names, map(len, contigs), strict=True))
    path = write_records(folder / "norm.vcf", named, sizes=sizes)
    found = {}
    for line in run_bcftools("norm", "-f", genome, path).splitlines():
        if not line.startswith("#"):
            _, position, name, ref, alt, *_ = line.split("\t")
            found[name] = int(position), ref, alt
    return [found[f"v{number}"] for number in range(len(records))]
