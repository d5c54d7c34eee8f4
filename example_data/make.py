"""Make the example data: a bacterial genome, the binding sites of CRP in it, and variants in them.

The genome of *E. coli* 536 comes from the Debian package ``bowtie-examples``. The binding sites of
the transcription factor CRP in *E. coli* K-12 come from RegulonDB, in the PyPI package
``logomaker``. Each K-12 site is looked for in the genome of 536. Where the two strains differ
inside a site, the difference is a natural variant.

Usage: ``python example_data/make.py [--genome NC_008253.fna.gz] [--output FOLDER]``
"""

import argparse
import gzip
import hashlib
import subprocess
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pysam
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seqcnn.dna import Codes, decode, encode, reverse_complement

__all__ = [
    "CONTIG",
    "CORE",
    "MAX_MISMATCHES",
    "Locus",
    "Match",
    "Site",
    "Variant",
    "find_matches",
    "find_variants",
    "gather_loci",
    "keep_best",
    "main",
    "read_genome",
    "read_sites",
]

CONTIG = "NC_008253.1"
MAX_MISMATCHES = 3
CORE = "." * 5 + "TGTGA" + "." * 6 + "TCACA" + "." * 5
"""CRP's motif, TGTGA-N6-TCACA, as it lies in the middle of a site of 26 bp on either strand."""

PACKAGE = "bowtie-examples"
GENOME_IN_PACKAGE = "usr/share/doc/bowtie/examples/genomes/NC_008253.fna.gz"
GENOME_SHA256 = "169aeb32aa5f16e93aa7789f8fe1ce9f19d8de4c48c1dfafd05bcf772cb2c84a"
SITES_SHA256 = "e67ff2f70201cd138fdaf9080359f4b35152d01d94abaa22c643592e2b351649"
LINE = 80


@dataclass(frozen=True, slots=True)
class Site:
    """A binding site of K-12 as RegulonDB gives it: the promoter, and its letters as codes."""

    promoter: str
    codes: Codes


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A place in the genome, on its plus strand, that spells a site but for a few mismatches.

    ``site`` is the number of the site in the list of sites, from 0.
    """

    site: int
    start: int
    strand: str
    mismatches: int


@dataclass(frozen=True, slots=True)
class Locus:
    """A place in the genome with the K-12 site that is found there.

    ``k12`` has the letters of the K-12 site, turned to the plus strand of the genome.
    """

    name: str
    start: int
    strand: str
    mismatches: int
    k12: Codes

    @property
    def end(self) -> int:
        """Position after the last base."""
        return self.start + len(self.k12)


@dataclass(frozen=True, slots=True)
class Variant:
    """A base that differs between the strains: REF in 536, ALT in K-12, both on the plus strand.

    ``position`` is 0-based. ``loci`` are the sites that hold the position.
    """

    position: int
    ref: str
    alt: str
    loci: tuple[Locus, ...]


def check_sha256(data: bytes, expected: str, *, where: str) -> None:
    """Stop unless the input is the one that the numbers in README.md were made from."""
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise SystemExit(f"{where}: sha256 {found}; expected {expected}; this is another version")


def fetch_genome(folder: Path) -> Path:
    """Download the Debian package into a folder, unpack it there, and return the genome's path."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    package = next(folder.glob(f"{PACKAGE}_*.deb"))
    subprocess.run(["dpkg", "-x", package, folder], check=True)
    return folder / GENOME_IN_PACKAGE


def read_genome(path: Path) -> Codes:
    """Read the only sequence of a gzipped FASTA file."""
    with gzip.open(path) as handle:
        header, *lines = handle.read().splitlines()
    letters = b"".join(lines)
    if CONTIG.encode() not in header or b">" in letters:
        raise SystemExit(f"{path}: expected one sequence, {CONTIG}")
    check_sha256(letters, GENOME_SHA256, where=str(path))
    return encode(letters)


def read_sites() -> list[Site]:
    """Read the CRP sites of RegulonDB that logomaker carries: number, promoter, distance."""
    resource = resources.files("logomaker") / "examples" / "datafiles" / "crp_sites.fa"
    data = resource.read_bytes()
    check_sha256(data, SITES_SHA256, where=str(resource))
    lines = [line for line in data.decode().splitlines() if line and not line.startswith("#")]
    return [
        Site(header.split("\t")[1], encode(letters))
        for header, letters in zip(lines[::2], lines[1::2], strict=True)
    ]


def _spell_words(codes: Codes, length: int) -> NDArray[np.int64]:
    words = np.zeros(len(codes) - length + 1, dtype=np.int64)
    for offset in range(length):
        words = words * 5 + codes[offset : offset + len(words)]
    return words


def _seed_starts(
    keys: NDArray[np.int64], words: NDArray[np.int64], order: NDArray[np.intp], *, step: int
) -> NDArray[np.intp]:
    """Say where a site may start: ``step`` x i before each place of its i-th word, ``keys[i]``."""
    lows = np.searchsorted(words, keys, side="left")
    highs = np.searchsorted(words, keys, side="right")
    spans = enumerate(zip(lows, highs, strict=True))
    return np.unique(np.concatenate([order[low:high] - i * step for i, (low, high) in spans]))


def find_matches(
    genome: Codes, sites: Sequence[Codes], *, max_mismatches: int = MAX_MISMATCHES
) -> list[Match]:
    """Find every place that spells a site, on either strand, but for a few mismatches.

    With k mismatches allowed, at least one of k + 1 separate words of a site is free of them. So
    only the places of those words in the genome are compared with the whole site.

    Parameters
    ----------
    genome
        Codes (length,) of a linear contig. N matches nothing.
    sites
        Codes (width,) of the sites, all of one width, A, C, G and T only.
    max_mismatches
        Substitutions allowed in a match; less than the width.

    Returns
    -------
    list
        Matches, sorted by site, start and strand. A palindromic site matches on both strands.
    """
    word = len(sites[0]) // (max_mismatches + 1)
    words = _spell_words(genome, word)
    order = np.argsort(words, kind="stable")
    words = words[order]
    windows = sliding_window_view(genome, len(sites[0]))
    found: list[Match] = []
    for number, site in enumerate(sites):
        for strand, query in (("+", site), ("-", reverse_complement(site))):
            keys = _spell_words(query, word)[: word * (max_mismatches + 1) : word]
            starts = _seed_starts(keys, words, order, step=word)
            starts = starts[(starts >= 0) & (starts < len(windows))]
            mismatches = (windows[starts] != query).sum(axis=1)
            near = mismatches <= max_mismatches
            pairs = zip(starts[near].tolist(), mismatches[near].tolist(), strict=True)
            found += [Match(number, start, strand, count) for start, count in pairs]
    return sorted(found)


def keep_best(matches: Iterable[Match]) -> list[Match]:
    """Keep for each site its matches with the fewest mismatches; all of them when they tie."""
    by_site: dict[int, list[Match]] = defaultdict(list)
    for match in matches:
        by_site[match.site].append(match)
    fewest = {site: min(m.mismatches for m in group) for site, group in by_site.items()}
    return [m for group in by_site.values() for m in group if m.mismatches == fewest[m.site]]


def gather_loci(matches: Iterable[Match], sites: Sequence[Site]) -> list[Locus]:
    """Join the matches that start at one base to one locus, in the order of the genome.

    RegulonDB lists a site once for each promoter it serves, on either strand. The first match with
    the fewest mismatches gives strand and letters. The promoters, joined by ``_``, give the name;
    the second locus of the same name ends in ``.2``, and so on.
    """
    by_start: dict[int, list[Match]] = defaultdict(list)
    for match in matches:
        by_start[match.start].append(match)
    seen: Counter[str] = Counter()
    loci = []
    for start, group in sorted(by_start.items()):
        best = min(group, key=lambda m: (m.mismatches, m.site, m.strand))
        name = "_".join(dict.fromkeys(sites[m.site].promoter for m in group))
        seen[name] += 1
        name += f".{seen[name]}" if seen[name] > 1 else ""
        codes = sites[best.site].codes
        k12 = codes if best.strand == "+" else reverse_complement(codes)
        loci.append(Locus(name, start, best.strand, best.mismatches, k12))
    return loci


def find_variants(genome: Codes, loci: Iterable[Locus]) -> list[Variant]:
    """List each base in which a locus differs from its K-12 site, once, in the genome's order."""
    holders: dict[tuple[int, str, str], list[Locus]] = defaultdict(list)
    for locus in loci:
        refs, alts = decode(genome[locus.start : locus.end]), decode(locus.k12)
        for position, (ref, alt) in enumerate(zip(refs, alts, strict=True), start=locus.start):
            if ref != alt:
                holders[position, ref, alt].append(locus)
    return [Variant(*key, tuple(group)) for key, group in sorted(holders.items())]


def site_position(position: int, locus: Locus) -> int:
    """Count the position of a base (0-based in the genome) from 1 along a site's strand."""
    return position - locus.start + 1 if locus.strand == "+" else locus.end - position


def core_change(variant: Variant, locus: Locus) -> str:
    """Say what going from REF to ALT does to TGTGA-N6-TCACA in a site.

    ``gain``: ALT has the motif's letter, REF has not. ``loss``: the reverse. ``other``: neither
    has it. ``outside``: the position is not among the motif's ten letters.
    """
    letter = CORE[site_position(variant.position, locus) - 1]
    if letter == ".":
        return "outside"
    ref, alt = encode(variant.ref), encode(variant.alt)
    if locus.strand == "-":
        ref, alt = reverse_complement(ref), reverse_complement(alt)
    return {decode(ref): "loss", decode(alt): "gain"}.get(letter, "other")


def write_genome(path: Path, genome: Codes) -> None:
    """Write the genome as bgzipped FASTA with its .fai and .gzi."""
    letters = decode(genome)
    lines = [letters[i : i + LINE] for i in range(0, len(letters), LINE)]
    plain = path.with_suffix("")
    plain.write_text("\n".join([f">{CONTIG} Escherichia coli 536, complete genome", *lines, ""]))
    pysam.tabix_compress(str(plain), str(path), force=True)
    plain.unlink()
    pysam.faidx(str(path))


def write_sites(path: Path, loci: Iterable[Locus]) -> None:
    """Write the loci as BED6; the score is 1000 less 100 for each mismatch."""
    rows = (
        (CONTIG, locus.start, locus.end, locus.name, 1000 - 100 * locus.mismatches, locus.strand)
        for locus in loci
    )
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


VCF_HEADER = """\
##fileformat=VCFv4.3
##source=example_data/make.py
##reference=ecoli536.fa.gz
##contig=<ID={contig},length={length}>
##INFO=<ID=SITE,Number=.,Type=String,Description="CRP sites (names in crp_sites.bed) that hold \
the position">
##INFO=<ID=STRAND,Number=.,Type=String,Description="Strand of each site">
##INFO=<ID=SITE_POSITION,Number=.,Type=Integer,Description="Position in each site along its \
strand, 1 to 26; TGTGA is 6 to 10, TCACA is 17 to 21">
##INFO=<ID=CORE,Number=.,Type=String,Description="What ALT does to TGTGA-N6-TCACA in each site: \
gain (ALT has the letter, REF has not), loss (the reverse), other (neither has it), outside">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


def _vcf_line(variant: Variant) -> str:
    positions = [site_position(variant.position, locus) for locus in variant.loci]
    info: dict[str, Sequence[object]] = {
        "SITE": [locus.name for locus in variant.loci],
        "STRAND": [locus.strand for locus in variant.loci],
        "SITE_POSITION": positions,
        "CORE": [core_change(variant, locus) for locus in variant.loci],
    }
    fields = ";".join(f"{key}={','.join(map(str, values))}" for key, values in info.items())
    name = f"{variant.loci[0].name}:{positions[0]}"
    row = [CONTIG, str(variant.position + 1), name, variant.ref, variant.alt, ".", ".", fields]
    return "\t".join(row) + "\n"


def write_variants(path: Path, variants: Iterable[Variant], *, length: int) -> None:
    """Write the variants as plain VCF without samples; ``length`` is the contig's."""
    header = VCF_HEADER.format(contig=CONTIG, length=length)
    path.write_text(header + "".join(_vcf_line(variant) for variant in variants))


def make(genome: Codes, sites: Sequence[Site], *, folder: Path) -> str:
    """Write all files into a folder and return a line of numbers."""
    matches = keep_best(find_matches(genome, [site.codes for site in sites]))
    loci = gather_loci(matches, sites)
    variants = find_variants(genome, loci)
    write_genome(folder / "ecoli536.fa.gz", genome)
    write_sites(folder / "crp_sites.bed", loci)
    write_variants(folder / "variants.vcf", variants, length=len(genome))
    exact = sum(locus.mismatches == 0 for locus in loci)
    return (
        f"{len({m.site for m in matches})} of {len(sites)} sites found at {len(loci)} loci "
        f"({exact} exact); {len(variants)} variants"
    )


def main() -> None:
    """Make the files in a temporary folder, then move them to their place."""
    parser = argparse.ArgumentParser(description="Make the files of example_data.")
    parser.add_argument("--genome", type=Path, help=f"{Path(GENOME_IN_PACKAGE).name} at hand")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as name:
            genome = read_genome(options.genome or fetch_genome(Path(name)))
        options.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=options.output) as name:
            print(make(genome, read_sites(), folder=Path(name)))
            for path in sorted(Path(name).iterdir()):
                path.replace(options.output / path.name)
    except (OSError, EOFError, zlib.error, subprocess.CalledProcessError) as error:
        raise SystemExit(f"make.py: {error}") from None


if __name__ == "__main__":
    main()
