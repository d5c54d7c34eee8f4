"""The example data are what their README says, and the search that made them is right."""

import gzip
import hashlib
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.dna import decode, encode, reverse_complement

MAKE = Path(__file__).resolve().parent.parent / "example_data" / "make.py"


def _import_make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_example_data", MAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


make = _import_make()


@pytest.fixture(scope="module")
def genome(example_data: Path) -> str:
    with pysam.FastaFile(str(example_data / "ecoli536.fa.gz")) as fasta:
        assert list(fasta.references) == [make.CONTIG]
        return str(fasta.fetch(make.CONTIG))


@pytest.fixture(scope="module")
def bed(example_data: Path) -> list[list[str]]:
    return [line.split("\t") for line in (example_data / "crp_sites.bed").read_text().splitlines()]


@pytest.fixture(scope="module")
def records(example_data: Path) -> list[pysam.VariantRecord]:
    with pysam.VariantFile(str(example_data / "variants.vcf")) as vcf:
        assert vcf.header.contigs[make.CONTIG].length == 4_938_920
        return list(vcf)


@pytest.fixture(scope="module")
def k12_sites() -> list[str]:
    return [decode(site.codes) for site in make.read_sites()]


def flip(sequence: str) -> str:
    return "".join("TGCA"["ACGT".index(letter)] for letter in reversed(sequence))


def count_mismatches(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def find_slowly(
    genome: str, sites: list[str], max_mismatches: int
) -> list[tuple[int, int, str, int]]:
    return [
        (number, start, strand, count)
        for number, site in enumerate(sites)
        for strand, query in (("+", site), ("-", flip(site)))
        for start in range(len(genome) - len(site) + 1)
        if (count := count_mismatches(genome[start : start + len(site)], query)) <= max_mismatches
    ]


@given(
    genome=st.text("ACGT", min_size=30, max_size=120),
    picks=st.lists(st.integers(0, 10**6), min_size=1, max_size=4),
    width=st.integers(8, 13),
    max_mismatches=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_search_agrees_with_comparing_everywhere(
    genome: str, picks: list[int], width: int, max_mismatches: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sites = []
    for pick in picks:  # pieces of the genome, of either strand, with up to five bases drawn anew
        start = pick % (len(genome) - width + 1)
        letters = list(genome[start : start + width])
        for position in rng.integers(0, width, rng.integers(0, 6)):
            letters[position] = "ACGT"[rng.integers(4)]
        sites.append("".join(letters) if pick % 2 else flip("".join(letters)))
    found = make.find_matches(
        encode(genome), [encode(site) for site in sites], max_mismatches=max_mismatches
    )
    slow = find_slowly(genome, sites, max_mismatches)
    assert [(m.site, m.start, m.strand, m.mismatches) for m in found] == sorted(slow)


def test_search_matches_nothing_to_n() -> None:
    site = encode("ACGTTGCA")
    (match,) = make.find_matches(encode("CCACGNTGCACC"), [site], max_mismatches=1)
    assert match == make.Match(0, 2, "+", 1)
    assert make.find_matches(encode("CCACGNTGCACC"), [site], max_mismatches=0) == []


def test_ties_are_kept_and_one_start_is_one_locus() -> None:
    spelled = ["AACCGGTC", "GACCGGTT", "TTTTTTTT"]  # the second is the first, reversed
    sites = [make.Site(name, encode(s)) for name, s in zip("abc", spelled, strict=True)]
    genome = "AACCGGTCATGCAAACCGGTC"
    codes = [site.codes for site in sites]
    best = make.keep_best(make.find_matches(encode(genome), codes, max_mismatches=2))
    loci = make.gather_loci(best, sites)
    assert [(x.name, x.start, x.strand, x.mismatches) for x in loci] == [
        ("a_b", 0, "+", 0),
        ("a_b.2", 13, "+", 0),
    ]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_variants_are_told_on_the_plus_strand_and_judged_on_the_sites(strand: str) -> None:
    ours = "AAAAATGTCATTTTTTTCACATTTTC"  # TGTCA: K-12's G in its place is a gain
    k12 = "AAAAATGTGATTTTTTTCGCATTTTG"  # TCGCA: K-12's G in place of A is a loss
    genome, other = (ours, k12) if strand == "+" else (flip(ours), flip(k12))
    locus = make.Locus("x", 0, strand, 3, encode(other))
    variants = make.find_variants(encode(genome), [locus])
    changes = {make.site_position(v.position, locus): make.core_change(v, locus) for v in variants}
    assert changes == {9: "gain", 19: "loss", 26: "outside"}
    for variant in variants:
        assert genome[variant.position] == variant.ref
        assert other[variant.position] == variant.alt


def test_sites_lie_in_the_genome_and_spell_a_k12_site(
    genome: str, bed: list[list[str]], k12_sites: list[str]
) -> None:
    assert len(bed) == 243
    assert Counter(row[4] for row in bed) == {"1000": 178, "900": 49, "800": 10, "700": 6}
    assert len({row[3] for row in bed}) == len(bed)
    starts = [int(row[1]) for row in bed]
    assert starts == sorted(set(starts))
    for contig, start, end, _, score, strand in bed:
        assert contig == make.CONTIG
        assert 0 <= int(start) < int(end) == int(start) + 26 <= len(genome)
        site = genome[int(start) : int(end)]
        site = site if strand == "+" else flip(site)
        fewest = min(count_mismatches(site, known) for known in k12_sites)
        assert fewest == (1000 - int(score)) // 100 <= make.MAX_MISMATCHES


def test_sites_together_spell_the_motif_of_crp(genome: str, bed: list[list[str]]) -> None:
    rows = [encode(genome[int(start) : int(end)]) for _, start, end, *_ in bed]
    strands = [row[5] for row in bed]
    oriented = [
        row if strand == "+" else reverse_complement(row)
        for row, strand in zip(rows, strands, strict=True)
    ]
    counts = np.eye(4, dtype=int)[np.array(oriented)].sum(axis=0)
    consensus = "".join("ACGT"[i] for i in counts.argmax(axis=1))
    assert re.fullmatch(make.CORE, consensus)
    core = [i for i, letter in enumerate(make.CORE) if letter != "."]
    assert counts.max(axis=1)[core].min() > counts.max(axis=1)[11:15].max()


def test_variants_are_sorted_and_ref_is_the_genome(
    genome: str, records: list[pysam.VariantRecord]
) -> None:
    assert len(records) == 81
    positions = [record.pos for record in records]
    assert positions == sorted(set(positions))
    assert len({record.id for record in records}) == len(records)
    for record in records:
        assert record.alts is not None
        assert genome[record.pos - 1] == record.ref
        assert set(record.alts) <= set("ACGT") - {record.ref}
        assert len(record.alts) == 1


def test_variants_lie_in_the_sites_they_name(
    bed: list[list[str]], records: list[pysam.VariantRecord]
) -> None:
    sites = {row[3]: row for row in bed}
    held: Counter[str] = Counter()
    for record in records:
        info = record.info
        for name, strand, position in zip(
            info["SITE"], info["STRAND"], info["SITE_POSITION"], strict=True
        ):
            start, end = int(sites[name][1]), int(sites[name][2])
            first = start + 1 if strand == "+" else end
            assert record.pos == first + (position - 1) * (1 if strand == "+" else -1)
            assert strand == sites[name][5]
            held[name] += 1
    assert held == {row[3]: (1000 - int(row[4])) // 100 for row in bed if row[4] != "1000"}


def test_alt_alleles_turn_each_locus_into_its_k12_site(
    genome: str, bed: list[list[str]], records: list[pysam.VariantRecord], k12_sites: list[str]
) -> None:
    k12 = list(genome)
    for record in records:
        assert record.alts is not None
        k12[record.pos - 1] = record.alts[0]
    known = set(k12_sites) | {flip(site) for site in k12_sites}
    for _, start, end, *_ in bed:
        assert "".join(k12[int(start) : int(end)]) in known


def test_changes_of_the_motif_are_counted_as_the_readme_says(
    records: list[pysam.VariantRecord],
) -> None:
    changes = Counter(",".join(dict.fromkeys(record.info["CORE"])) for record in records)
    assert changes == {
        "outside": 56,
        "gain": 12,
        "loss": 5,
        "other": 6,
        "other,loss": 1,
        "outside,gain": 1,
    }


def test_site_windows_of_different_quarters_do_not_overlap(
    genome: str, bed: list[list[str]]
) -> None:
    middles = np.array([(int(row[1]) + int(row[2])) // 2 for row in bed])
    quarters = middles * 4 // len(genome)
    near = np.diff(middles) < 101
    assert np.bincount(quarters).tolist() == [61, 48, 62, 72]
    assert near.any()
    assert not (near & (np.diff(quarters) > 0)).any()


def test_making_the_tables_again_gives_the_same_bytes(
    tmp_path: Path, genome: str, example_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "write_genome", lambda *_: None)  # its bytes depend on pysam's zlib
    numbers = make.make(encode(genome), make.read_sites(), folder=tmp_path)
    assert numbers == "325 of 358 sites found at 243 loci (178 exact); 81 variants"
    for name in ("crp_sites.bed", "variants.vcf"):
        assert (tmp_path / name).read_bytes() == (example_data / name).read_bytes()


def test_genome_is_written_with_indexes_that_find_it(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 4, 70_003).astype(np.uint8)
    make.write_genome(tmp_path / "a.fa.gz", codes)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.fa.gz",
        "a.fa.gz.fai",
        "a.fa.gz.gzi",
    ]
    with pysam.FastaFile(str(tmp_path / "a.fa.gz")) as fasta:
        assert fasta.fetch(make.CONTIG) == decode(codes)
        assert fasta.fetch(make.CONTIG, 69_990, 70_003) == decode(codes[69_990:])


def test_genome_has_the_letters_of_its_source(genome: str) -> None:
    assert hashlib.sha256(genome.encode()).hexdigest() == make.GENOME_SHA256


def test_checksums_in_the_readme_are_those_of_the_files(example_data: Path) -> None:
    listed = re.findall(
        r"^ +([0-9a-f]{64})  (\S+)$", (example_data / "README.md").read_text(), flags=re.MULTILINE
    )
    made = {path.name for path in example_data.glob("ecoli536*")} | {
        "crp_sites.bed",
        "variants.vcf",
    }
    assert {name for _, name in listed} == made
    for checksum, name in listed:
        assert hashlib.sha256((example_data / name).read_bytes()).hexdigest() == checksum
    assert sum((example_data / name).stat().st_size for name in made) < 3_000_000


def test_another_genome_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.fa.gz"
    path.write_bytes(gzip.compress(b">NC_008253.1 not it\nACGT\n"))
    with pytest.raises(SystemExit, match="this is another version"):
        make.read_genome(path)


def test_missing_genome_ends_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["make.py", "--genome", str(tmp_path / "no.fa.gz"), "--output", str(tmp_path / "o")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="No such file"):
        make.main()
    assert list(tmp_path.iterdir()) == []
