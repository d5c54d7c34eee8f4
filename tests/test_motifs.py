"""Motifs: matrices, comparison and the three file formats."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqcnn.motifs
from seqcnn.errors import MotifFileError
from seqcnn.motifs import (
    UNIFORM,
    Motif,
    compare_motifs,
    format_jaspar,
    format_meme,
    format_transfac,
    information_content,
    merge_duplicates,
    ppm,
    pwm,
    read_jaspar,
    read_meme,
    read_transfac,
    reverse_complement_motif,
    trim_motif,
)

FORMATS = {
    "meme": (format_meme, read_meme),
    "jaspar": (format_jaspar, read_jaspar),
    "transfac": (format_transfac, read_transfac),
}
SKEWED = (0.3, 0.2, 0.1, 0.4)
WORDS = st.from_regex(r"[A-Za-z0-9_.:-]{1,12}", fullmatch=True)


def spell(consensus, sites=100, **rest):
    """Make a motif in which every site is the same; N is any base."""
    columns = [np.full(4, sites / 4) if b == "N" else sites * np.eye(4)["ACGT".index(b)]
               for b in consensus]  # fmt: skip
    return Motif(rest.pop("name", consensus), np.array(columns).T, sites, **rest)


def draw(consensus, sites, seed=0):
    rng = np.random.default_rng(seed)
    shares = 0.85 * ppm(spell(consensus)) + 0.0375
    counts = np.array([rng.multinomial(sites, c / c.sum()) for c in shares.T]).T
    return Motif(f"{consensus}{seed}", counts, sites)


@st.composite
def motifs(draw_, max_width=12, backgrounds=(UNIFORM, SKEWED)):
    width = draw_(st.integers(1, max_width))
    column = st.lists(st.integers(0, 200), min_size=4, max_size=4).filter(sum)
    pfm = np.array([draw_(column) for _ in range(width)], dtype=float).T
    return Motif(
        draw_(WORDS),
        pfm,
        int(pfm.sum(axis=0).max()),
        background=draw_(st.sampled_from(backgrounds)),
        alternate=draw_(st.one_of(st.just(""), WORDS)),
    )


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="motifs.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_text


# Matrices


def test_public_names_exist():
    assert all(hasattr(seqcnn.motifs, name) for name in seqcnn.motifs.__all__)


@given(motifs())
def test_probabilities_sum_to_one_and_keep_the_order_of_counts(motif):
    shares = ppm(motif, pseudocount=1.0)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    total = motif.pfm.sum(axis=0) + 1.0
    for base in range(4):
        counts = motif.pfm[base] + motif.background[base]
        np.testing.assert_allclose(shares[base], counts / total)


def test_position_without_counts_is_background():
    motif = Motif("m", np.array([[0, 4], [0, 0], [0, 0], [0, 0]]), 4, background=SKEWED)
    np.testing.assert_allclose(ppm(motif)[:, 0], SKEWED)
    assert information_content(motif)[0] == 0.0


@given(motifs())
def test_information_is_the_divergence_summed_base_by_base(motif):
    bits = information_content(motif)
    for position, column in enumerate(motif.pfm.T):
        expected = 0.0
        for count, share in zip(column, motif.background, strict=True):
            p = count / column.sum()
            expected += p * math.log2(p / share) if p > 0 else 0.0
        assert bits[position] == pytest.approx(expected, abs=1e-9)
    assert (bits >= 0).all()
    assert motif.information == pytest.approx(bits.sum())


def test_information_of_known_columns():
    np.testing.assert_allclose(information_content(spell("AN")), [2.0, 0.0])
    half = Motif("m", np.array([[5.0], [0], [5], [0]]), 10)
    np.testing.assert_allclose(information_content(half), [1.0])
    rare = spell("G", background=SKEWED)
    np.testing.assert_allclose(information_content(rare), [math.log2(10)])


def test_log_odds_against_the_background():
    motif = Motif("m", np.array([[3.0], [0], [1], [0]]), 4, background=SKEWED)
    odds = pwm(motif, pseudocount=1.0)[:, 0]
    counts = np.array([3.3, 0.2, 1.1, 0.4])
    np.testing.assert_allclose(odds, np.log2(counts / 5 / np.array(SKEWED)))
    assert pwm(motif, pseudocount=0.0)[1, 0] == -math.inf


@pytest.mark.parametrize(
    ("column", "letter"),
    [
        ([97, 1, 1, 1], "A"),
        ([10, 10, 30, 50], "T"),
        ([40, 0, 40, 20], "R"),
        ([10, 45, 5, 40], "Y"),
        ([5, 40, 45, 10], "S"),
        ([40, 10, 5, 45], "W"),
        ([5, 10, 40, 45], "K"),
        ([45, 40, 10, 5], "M"),
        ([37, 37, 13, 13], "N"),
        ([25, 25, 25, 25], "N"),
    ],
)
def test_consensus(column, letter):
    assert Motif("m", np.array([column]).T, 100).consensus == letter


@given(motifs())
def test_reverse_complement_twice_is_the_motif(motif):
    turned = reverse_complement_motif(motif)
    np.testing.assert_array_equal(turned.pfm[0], motif.pfm[3][::-1])
    np.testing.assert_array_equal(turned.pfm[1], motif.pfm[2][::-1])
    assert turned.information == pytest.approx(motif.information)
    twice = reverse_complement_motif(turned)
    np.testing.assert_array_equal(twice.pfm, motif.pfm)
    assert twice.background == pytest.approx(motif.background)


def test_motif_cannot_be_changed_from_outside():
    counts = np.ones((4, 3))
    motif = Motif("m", counts, 4)
    counts[0, 0] = 7
    assert motif.pfm[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        motif.pfm[0, 0] = 2


@pytest.mark.parametrize(
    "pfm", [np.ones((3, 4)), np.ones((4, 0)), np.ones(4), -np.ones((4, 2)), np.full((4, 2), np.nan)]
)
def test_motif_refuses_what_is_no_count_matrix(pfm):
    with pytest.raises(ValueError, match="counts"):
        Motif("m", pfm, 1)


@pytest.mark.parametrize("background", [(0.0, 0.5, 0.25, 0.25), (0.5, 0.5, 0.5, 0.5)])
def test_motif_refuses_what_is_no_background(background):
    with pytest.raises(ValueError, match="background"):
        Motif("m", np.ones((4, 2)), 4, background=background)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("NNTGTGANNNTCACANN", "TGTGANNNTCACA"),
        ("TGACG", "TGACG"),
        ("NNNNTGNNNN", "NNNTG"),
        ("TGNNNNNN", "TGNNN"),
        ("NNNNNTG", "NNNTG"),
        ("NNNNNNN", "NNNNN"),
        ("ANA", "ANA"),
    ],
)
def test_trim_examples(given_, kept):
    assert trim_motif(spell(given_)).consensus == kept


@given(motifs(), st.floats(0, 2), st.integers(1, 8))
def test_trim_keeps_the_strong_stretch_and_no_weak_ends(motif, threshold, minimum):
    bits = information_content(motif)
    trimmed = trim_motif(motif, threshold=threshold, minimum=minimum)
    starts = [
        s
        for s in range(motif.width - trimmed.width + 1)
        if np.array_equal(motif.pfm[:, s : s + trimmed.width], trimmed.pfm)
    ]
    assert starts
    assert trimmed.width >= min(minimum, motif.width)
    strong = np.flatnonzero(bits >= threshold)
    if strong.size:
        assert any(s <= strong[0] and strong[-1] < s + trimmed.width for s in starts)
    if trimmed.width > min(minimum, motif.width):
        ends = information_content(trimmed)[[0, -1]]
        assert (ends >= threshold).all()


# Comparison


def slow_comparison(query, target, minimum_overlap):
    """Score every alignment one position and one base at a time."""

    def signal(motif):
        return ppm(motif) - np.array(motif.background)[:, None]

    def norm(matrix):
        return math.sqrt(sum(value * value for value in matrix.ravel()))

    found = []
    for strand in "+-":
        q = signal(query)
        t = signal(target if strand == "+" else reverse_complement_motif(target))
        needed = min(minimum_overlap, query.width, target.width)
        for offset in range(1 - target.width, query.width):
            pairs = [(j + offset, j) for j in range(target.width) if 0 <= j + offset < query.width]
            if len(pairs) >= needed:
                total = sum(q[b, i] * t[b, j] for i, j in pairs for b in range(4))
                divisor = norm(q) * norm(t)
                found.append((total / divisor if divisor > 1e-9 else 0.0, offset, strand))
    return found


@given(motifs(max_width=7), motifs(max_width=7), st.integers(1, 5))
def test_comparison_agrees_with_the_slow_one(query, target, overlap):
    result = compare_motifs(query, target, minimum_overlap=overlap)
    found = slow_comparison(query, target, overlap)
    assert result.score == pytest.approx(max(score for score, _, _ in found), abs=1e-9)
    there = [s for s, offset, strand in found if (offset, strand) == (result.offset, result.strand)]
    assert there == [pytest.approx(result.score, abs=1e-9)]


@given(motifs().filter(lambda m: m.information > 0.01))
def test_motif_is_identical_with_itself_on_both_strands(motif):
    same = compare_motifs(motif, motif)
    assert (same.score, same.offset, same.strand) == (pytest.approx(1.0), 0, "+")
    turned = compare_motifs(motif, reverse_complement_motif(motif))
    assert turned.score == pytest.approx(1.0)


@given(motifs(), motifs())
def test_comparison_does_not_depend_on_the_order(query, target):
    there, back = compare_motifs(query, target), compare_motifs(target, query)
    assert there.score == pytest.approx(back.score, abs=1e-9)
    assert -1 <= there.score <= 1


def test_comparison_finds_offset_and_strand():
    query = spell("NNNTTACCCGN")
    assert compare_motifs(query, spell("TTACCCG")).offset == 3
    assert compare_motifs(spell("TTACCCG"), query).offset == -3
    turned = compare_motifs(query, spell("CGGGTAA"))
    assert (turned.offset, turned.strand, turned.score) == (3, "-", pytest.approx(1.0))
    assert compare_motifs(query, spell("CGGGTAA"), strands="+").score < 0.6


def test_palindrome_is_found_on_the_forward_strand():
    assert compare_motifs(spell("TGTGANNTCACA"), spell("TGTGANNTCACA")).strand == "+"


def test_motif_without_information_scores_nothing():
    assert compare_motifs(spell("NNNNNN"), spell("TTACCCG")).score == 0.0


def test_merging_puts_duplicates_under_the_most_important():
    crp, reb = draw("TGTGANNNNNNTCACA", 60, 1), draw("TTACCCG", 60, 2)
    again = reverse_complement_motif(draw("TGTGANNNNNNTCACA", 60, 3))
    groups = merge_duplicates([crp, reb, again])
    assert [(kept.name, names) for kept, names in groups] == [
        (crp.name, (crp.name, again.name)),
        (reb.name, (reb.name,)),
    ]
    other_strand = reverse_complement_motif(reb)
    assert len(merge_duplicates([reb, other_strand])) == 1
    assert len(merge_duplicates([reb, other_strand], strands="+")) == 2
    assert merge_duplicates([]) == []


@given(st.lists(motifs(max_width=6), max_size=6), st.floats(0.3, 1.0))
def test_merging_loses_no_motif_and_keeps_representatives_apart(some, threshold):
    groups = merge_duplicates(some, threshold=threshold)
    names = sorted(name for _, members in groups for name in members)
    assert names == sorted(motif.name for motif in some)
    kept = [motif for motif, _ in groups]
    for i, first in enumerate(kept):
        assert groups[i][1][0] == first.name
        assert all(compare_motifs(first, other).score < threshold for other in kept[i + 1 :])


# Files


@pytest.mark.parametrize("kind", FORMATS)
@given(some=st.lists(motifs(), min_size=1, max_size=4), alphabet=st.sampled_from(["dna", "rna"]))
def test_round_trip(kind, some, alphabet, tmp_path_factory):
    write_format, read_format = FORMATS[kind]
    path = tmp_path_factory.mktemp("round") / "motifs.txt"
    path.write_text(write_format(some, alphabet=alphabet))
    back = read_format(path)
    assert [m.name for m in back] == [m.name for m in some]
    for old, new in zip(some, back, strict=True):
        same_name_twice = kind == "transfac" and old.alternate == old.name
        assert new.alternate == ("" if same_name_twice else old.alternate)
        assert new.sites == old.sites
        if kind == "meme":
            np.testing.assert_allclose(ppm(new), ppm(old), atol=1e-5)
            assert new.background == pytest.approx(some[0].background, abs=1e-6)
        else:
            np.testing.assert_allclose(new.pfm, old.pfm)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_anywhere_is_refused_or_whole(kind, write):
    """Every prefix: an error, or all the motifs that were begun, with their values."""
    write_format, read_format = FORMATS[kind]
    some = [draw("TTACCCG", 30, 1), draw("TGACGTCA", 40, 2)]
    text = write_format(some)
    begun = {"meme": "MOTIF ", "jaspar": ">", "transfac": "AC  "}[kind]
    refused = 0
    for end in range(len(text)):
        try:
            back = read_format(write(text[:end]))
        except MotifFileError:
            refused += 1
            continue
        assert len(back) == text[:end].count(begun)
        for old, new in zip(some, back, strict=False):
            np.testing.assert_allclose(ppm(new), ppm(old), atol=0.011)
    assert refused > 0.9 * len(text)


@pytest.mark.parametrize("kind", FORMATS)
def test_file_without_final_newline_and_with_windows_lines(kind, tmp_path):
    write_format, read_format = FORMATS[kind]
    text = write_format([spell("TTACCCG"), spell("TGACG")]).rstrip("\n").replace("\n", "\r\n")
    path = tmp_path / "motifs.txt"
    path.write_bytes(text.encode())
    assert [m.consensus for m in read_format(path)] == ["TTACCCG", "TGACG"]


def test_meme_text_is_as_tools_expect_it():
    text = format_meme([spell("AC", name="two words", alternate="x")], alphabet="dna")
    assert text.splitlines() == [
        "MEME version 4",
        "",
        "ALPHABET= ACGT",
        "",
        "strands: + -",
        "",
        "Background letter frequencies",
        "A 0.250000 C 0.250000 G 0.250000 T 0.250000",
        "",
        "MOTIF two_words x",
        "letter-probability matrix: alength= 4 w= 2 nsites= 100 E= 0",
        "1.000000 0.000000 0.000000 0.000000",
        "0.000000 1.000000 0.000000 0.000000",
    ]
    rna = format_meme([spell("AC")], alphabet="rna")
    assert "ALPHABET= ACGU" in rna
    assert "U 0.250000" in rna
    assert "strands" not in rna


@given(motifs())
def test_meme_rows_sum_to_one(motif):
    rows = format_meme([motif]).split("E= 0\n")[1].splitlines()
    assert all(abs(sum(map(float, row.split())) - 1) <= 1e-5 for row in rows)


MEME = """MEME version 4

ALPHABET= ACGT

Background letter frequencies
A 0.3 C 0.2 G 0.2 T 0.3

MOTIF M1 first
letter-probability matrix: alength= 4 w= 2 nsites= 10 E= 0
0.7 0.1 0.1 0.1
0.1 0.7 0.1 0.1
URL http://example.org

MOTIF M2
letter-probability matrix: alength= 4 w= 1
0.25 0.25 0.25 0.25
"""


def test_meme_reads_background_names_and_sites(write):
    first, second = read_meme(write(MEME))
    assert (first.name, first.alternate, first.sites) == ("M1", "first", 10)
    assert first.background == pytest.approx((0.3, 0.2, 0.2, 0.3))
    np.testing.assert_allclose(first.pfm[:, 0], [7, 1, 1, 1])
    assert (second.name, second.alternate, second.sites, second.width) == ("M2", "", 20, 1)
    assert math.isnan(second.importance)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("MEME version 4\n", "", 2, "MEME version 4"),
        ("version 4", "version 3", 1, "MEME version 4"),
        ("= ACGT", "= ACDEFGHIKLMNPQRSTVWY", 3, "ALPHABET"),
        ("A 0.3 C", "A 0.9 C", 5, "frequency for each"),
        ("A 0.3 C 0.2", "A 0.5 C 0.0", 5, "positive frequency"),
        ("A 0.3 C", "C 0.3 A", 5, "frequency for each"),
        ("0.1 0.7 0.1 0.1\n", "", 9, "1 rows in the matrix of motif 'M1'"),
        ("0.1 0.7 0.1 0.1\n", "0.1 0.7 0.1 0.1\n" * 2, 9, "3 rows"),
        ("0.25 0.25 0.25 0.25\n", "", 15, "0 rows in the matrix of motif 'M2'"),
        ("0.25 0.25 0.25 0.25", "0.25 0.25 0.25", 16, "four probabilities"),
        ("0.25 0.25 0.25 0.25", "0.2 0.2 0.2 0.2 0.2", 16, "four probabilities"),
        ("0.25 0.25 0.25 0.25", "0.25 0.25 0.25 x", 16, "four probabilities"),
        ("0.25 0.25 0.25 0.25", "nan 0.25 0.25 0.25", 16, "four probabilities"),
        ("0.25 0.25 0.25 0.25", "0.75 0.25 0.25 -0.25", 16, "four probabilities"),
        ("0.25 0.25 0.25 0.25", "0.25 0.25 0.25 0.27", 16, "sum to 1"),
        ("letter-probability matrix: alength= 4 w= 1\n", "", 14, "0 letter-probability"),
        ("MOTIF M2\n", "", 8, "2 letter-probability"),
        ("MOTIF M2", "MOTIF", 14, "a name"),
        ("alength= 4 w= 1", "alength= 20 w= 1", 15, "alength= 4"),
        ("alength= 4 w= 1", "alength= 4", 15, "w= width"),
        ("w= 1\n", "w= inf\n", 15, "w= width"),
    ],
)  # fmt: skip
def test_meme_refusals(write, old, new, line, words):
    assert MEME.count(old) == 1
    path = write(MEME.replace(old, new))
    with pytest.raises(MotifFileError) as caught:
        read_meme(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


JASPAR = """>M1 first
A [ 1 2 3 ]
C [ 4 5 6 ]
G [ 7.5 8 9 ]
T [ 1 1 1 ]
"""


def test_jaspar_reads_counts(write):
    (motif,) = read_jaspar(write(JASPAR))
    np.testing.assert_array_equal(motif.pfm[2], [7.5, 8, 9])
    assert (motif.name, motif.alternate, motif.sites) == ("M1", "first", 19)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (">M1 first\n", "", 1, ">ID name"),
        (">M1 first", ">", 1, "a name"),
        ("T [ 1 1 1 ]\n", "", 1, "four rows"),
        ("T [ 1 1 1 ]", "T [ 1 1 ]", 1, "of one length"),
        ("T [ 1 1 1 ]", "T [ 1 1 1", 5, "a row of counts"),
        ("T [ 1 1 1 ]", "T [ 1 x 1 ]", 5, "a row of counts"),
        ("T [ 1 1 1 ]", "T [ 1 -1 1 ]", 5, "a row of counts"),
        ("T [ 1 1 1 ]", "T [ 1 nan 1 ]", 5, "a row of counts"),
        ("T [ 1 1 1 ]", "A [ 1 1 1 ]", 5, "a second time"),
        ("T [ 1 1 1 ]", "T [ ]", 5, "a row of counts"),
    ],
)
def test_jaspar_refusals(write, old, new, line, words):
    path = write(JASPAR.replace(old, new))
    with pytest.raises(MotifFileError) as caught:
        read_jaspar(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_position_without_counts_is_refused(write):
    path = write(">M1\nA [ 0 1 ]\nC [ 0 1 ]\nG [ 0 1 ]\nT [ 0 1 ]\n")
    with pytest.raises(MotifFileError, match="counts at every position"):
        read_jaspar(path)


TRANSFAC = """VV  1
XX
//
AC  M1
XX
ID  first
XX
P0  A  C  G  T
01  1  2  3  4  N
02  4  3  2  1  N
XX
//
"""


def test_transfac_reads_counts(write):
    (motif,) = read_transfac(write(TRANSFAC))
    np.testing.assert_array_equal(motif.pfm, [[1, 4], [2, 3], [3, 2], [4, 1]])
    assert (motif.name, motif.alternate, motif.sites) == ("M1", "first", 10)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("P0  A  C  G  T\n", "", 4, "without matrix"),
        ("P0  A  C  G  T", "P0  T  G  C  A", 4, "P0  A  C  G  T"),
        ("01  1  2  3  4  N\n", "", 9, "position 01"),
        ("02  4  3  2  1  N", "02  4  3  2", 10, "position 02"),
        ("02  4  3  2  1  N", "02  4  3  2  -1  N", 10, "four counts"),
        ("02  4  3  2  1  N", "02  0  0  0  0  N", 4, "counts at every position"),
        ("XX\n//\n", "", 4, "without end"),
    ],
)
def test_transfac_refusals(write, old, new, line, words):
    head, tail = TRANSFAC[:12], TRANSFAC[12:]
    assert tail.count(old) == 1
    path = write(head + tail.replace(old, new))
    with pytest.raises(MotifFileError) as caught:
        read_transfac(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_file_without_motif_is_refused(kind, write):
    text = {"meme": "MEME version 4\n", "jaspar": "\n", "transfac": "XX\n//\n"}[kind]
    with pytest.raises(MotifFileError, match="no motif in this file"):
        FORMATS[kind][1](write(text))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n\x00\xff"])
def test_what_is_no_text_file_is_refused(kind, content, tmp_path):
    path = tmp_path / "motifs"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MotifFileError, match="motifs"):
        FORMATS[kind][1](path)


@pytest.mark.parametrize(("kind", "name"), [("meme", "minimal"), ("jaspar", "jaspar"),
                                            ("transfac", "transfac")])  # fmt: skip
def test_biopython_reads_what_is_written(kind, name):
    bio = pytest.importorskip("Bio.motifs")
    some = [draw("TTACCCG", 30, 1), draw("TGACGTCANNW".replace("W", "A"), 40, 2)]
    read = list(bio.parse(io.StringIO(FORMATS[kind][0](some)), name))
    assert len(read) == 2
    for old, new in zip(some, read, strict=True):
        shares = np.array([list(new.counts.normalize()[base]) for base in "ACGT"])
        np.testing.assert_allclose(shares, ppm(old), atol=1e-5)
        turned = new.reverse_complement().counts.normalize()
        np.testing.assert_allclose(
            [list(turned[b]) for b in "ACGT"], ppm(reverse_complement_motif(old)), atol=1e-5
        )


# Real collections


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "JASPAR2024_CORE_vertebrates_nr.meme",
        "JASPAR2024_CORE_fungi_nr.meme",
        "Ray2013_rbp_RNA.meme",
    ],
)
def test_every_motif_of_a_collection_is_read_and_written_again(name, data_dir, write):
    path = Path(data_dir) / "motifs" / name
    text = path.read_text()
    titles = [line.split()[1] for line in text.splitlines() if line.startswith("MOTIF")]
    found = read_meme(path)
    assert [motif.name for motif in found] == titles
    rows = [line.split() for line in text.splitlines() if line[:2].strip().isdigit() or
            line.strip()[:2] in ("0.", "1.")]  # fmt: skip
    assert sum(motif.width for motif in found) == len(rows)
    shares = np.concatenate([ppm(motif).T for motif in found])
    values = np.array(rows, dtype=float)
    np.testing.assert_allclose(shares, values / values.sum(axis=1, keepdims=True), atol=1e-9)
    alphabet = "rna" if "ACGU" in text else "dna"
    for write_format, read_format in FORMATS.values():
        back = read_format(write(write_format(found, alphabet=alphabet)))
        assert [motif.name for motif in back] == titles
        assert [motif.width for motif in back] == [motif.width for motif in found]


@pytest.mark.data
def test_known_motifs_of_jaspar(data_dir):
    found = read_meme(Path(data_dir) / "motifs/JASPAR2024_CORE_fungi_nr.meme")
    (reb1,) = [motif for motif in found if motif.name.startswith("MA0363")]
    assert "TTACCCG" in reb1.consensus
    best = max(found, key=lambda motif: compare_motifs(draw("TTACCCG", 50), motif).score)
    assert best is reb1
