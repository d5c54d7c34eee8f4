"""Names of contigs: what is bridged, what is not, and how that is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcnn.contigs import ContigBridge, bridge_contigs, unbridged_error
from seqcnn.errors import BedError

TENS = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"]
ROMAN = [*TENS[1:], *(f"X{unit}" for unit in TENS[:7])]
HUMAN = [*map(str, range(1, 23)), "X", "Y"]
ARABIC_YEAST = [f"chr{i}" for i in range(1, 17)]
ROMAN_YEAST = [f"chr{roman}" for roman in ROMAN]
WORM = ["I", "II", "III", "IV", "V", "X"]


def test_human_names_of_two_houses() -> None:
    ensembl, ucsc = [*HUMAN, "MT"], [f"chr{name}" for name in [*HUMAN, "M"]]
    assert bridge_contigs(ensembl, ucsc) == dict(zip(ensembl, ucsc, strict=True))
    assert bridge_contigs(ucsc, ensembl) == dict(zip(ucsc, ensembl, strict=True))


def test_yeast_both_ways() -> None:
    assert bridge_contigs(ARABIC_YEAST, ROMAN_YEAST) == dict(
        zip(ARABIC_YEAST, ROMAN_YEAST, strict=True)
    )
    assert bridge_contigs(ROMAN_YEAST, ARABIC_YEAST) == dict(
        zip(ROMAN_YEAST, ARABIC_YEAST, strict=True)
    )
    numbers = [name[3:] for name in ARABIC_YEAST]
    assert bridge_contigs(numbers, ROMAN) == dict(zip(numbers, ROMAN, strict=True))


@pytest.mark.parametrize("name", ["X", "chrX", "x", "V", "chrV"])
def test_a_lone_roman_letter_is_no_number(name: str) -> None:
    autosomes = [str(i) for i in range(1, 23)]
    assert bridge_contigs([name], autosomes) == {}
    assert bridge_contigs([name, *autosomes], autosomes).get(name) is None


def test_human_x_is_x_and_ten_is_ten() -> None:
    assert bridge_contigs(["X", "10", "chr10"], [f"chr{name}" for name in HUMAN]) == {
        "X": "chrX",
        "10": "chr10",
        "chr10": "chr10",
    }


def test_worm() -> None:
    ucsc = [f"chr{name}" for name in WORM]
    assert bridge_contigs(ucsc, WORM) == dict(zip(ucsc, WORM, strict=True))
    assert bridge_contigs(["1", "chr5"], WORM) == {"1": "I", "chr5": "V"}
    assert bridge_contigs(["10", "chr6"], WORM) == {}
    assert bridge_contigs(["X"], ["chr1", "chr10"]) == {}


def test_several_letters_can_only_be_a_number() -> None:
    assert bridge_contigs(["chrVII", "IV"], ARABIC_YEAST) == {"chrVII": "chr7", "IV": "chr4"}
    assert bridge_contigs(["IIII", "VX", "IC"], ARABIC_YEAST) == {}


@pytest.mark.parametrize("name", ["chrM", "MT", "M", "chrMT", "Mito", "mitochondrion", "chrm"])
@pytest.mark.parametrize("reference", ["chrM", "MT", "Mito", "chrMito"])
def test_mitochondrion(name: str, reference: str) -> None:
    assert bridge_contigs([name], ["chrI", reference]) == {name: reference}


def test_two_candidates_are_none() -> None:
    assert bridge_contigs(["MT", "chrM", "chrMT"], ["chrM", "chrMT"]) == {
        "chrM": "chrM",
        "chrMT": "chrMT",
    }
    assert bridge_contigs(["CHR1"], ["1", "chr1"]) == {}


def test_odd_names_are_not_bridged() -> None:
    references = ["chr1", "chrUn_KI270302v1", "HLA:01"]
    assert bridge_contigs(["chr", "", "chr01", "1_random", "٣"], references) == {}
    assert bridge_contigs(["Un_KI270302v1"], references) == {"Un_KI270302v1": "chrUn_KI270302v1"}


@given(
    st.lists(st.sampled_from([*HUMAN, *ROMAN, *ARABIC_YEAST, *ROMAN_YEAST, "chrM", "MT", "q"])),
    st.lists(st.sampled_from([*HUMAN, *ROMAN, *ARABIC_YEAST, *ROMAN_YEAST, "chrM", "MT", "q"])),
)
def test_a_name_that_is_there_is_itself(queries: list[str], contigs: list[str]) -> None:
    bridges = bridge_contigs(queries, contigs)
    assert set(bridges.values()) <= set(contigs)
    assert all(bridges[name] == name for name in set(queries) & set(contigs))
    assert bridge_contigs(queries, reversed(contigs)) == bridges


def test_five_names_of_each_side_are_shown() -> None:
    absent, present = [f"a{i}" for i in range(7)] * 2, [f"b{i}" for i in range(6)]
    message = str(unbridged_error("peaks.bed", absent, present, error=BedError))
    assert message.startswith("peaks.bed: 7 contig(s) not in the FASTA: a0, a1, a2, a3, a4, ...;")
    assert "expected names of the FASTA, such as b0, b1, b2, b3, b4, ...; is this" in message
    assert "a0; expected" in str(unbridged_error("x", ["a0"], ["b"], error=BedError))


@pytest.mark.parametrize("name", ["7" * 5000, "chr" + "1" * 5000, "l" * 100_000, "i" * 100_000])
def test_a_huge_number_is_no_contig_and_costs_no_time(name: str) -> None:
    assert bridge_contigs([name], ROMAN) == {}
    assert bridge_contigs([name], HUMAN) == {}
    assert len(str(unbridged_error("x", [name], [name], error=BedError))) < 300


@given(
    st.lists(st.sampled_from([*ROMAN, *ARABIC_YEAST, "chrM", "q"])),
    st.sampled_from([*ROMAN, *ROMAN_YEAST, "10", "chr5", "MT", "q"]),
    st.lists(st.sampled_from([*HUMAN, *ROMAN, *ARABIC_YEAST, "MT", "q"])),
)
def test_a_name_alone_is_bridged_as_beside_the_others(
    declared: list[str], name: str, contigs: list[str]
) -> None:
    together = bridge_contigs([*declared, name], contigs)
    assert ContigBridge(declared, contigs).find(name) == together.get(name)


def test_many_unknown_names_are_looked_up_one_by_one() -> None:
    names = [f"scaffold_{i}" for i in range(20_000)]
    bridge = ContigBridge(names, [f"contig_{i}" for i in range(20_000)])
    assert [bridge.find(name) for name in names] == [None] * len(names)
