"""Which sequence is scored: against haplotypes cut as strings, and those that bcftools makes."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from haplotype_oracle import (
    Edit,
    consensus,
    cut,
    edits,
    locate,
    mirror,
    needs_bcftools,
    normalise,
    place_alleles,
    placed,
    plain,
    random_edit,
    respell,
    slow_windows,
    write_genome,
    write_records,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import make_model

from seqcnn.dna import decode, encode
from seqcnn.effects import score_pairs
from seqcnn.engine import Engine
from seqcnn.errors import ConfigError
from seqcnn.genome import Genome, open_genome
from seqcnn.variants import AllelePairs, AlleleTable, allele_pairs, note_names, reason_names
from seqcnn.variants.trimming import left_align, trim_alleles
from seqcnn.variants.windows import shift_offsets

Folder = Callable[[], Path]
Windows = tuple[str, str]

seeds = st.integers(0, 2**32)
lengths = st.integers(1, 12) | st.integers(13, 41)
few = settings(max_examples=max(8, settings().max_examples // 5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    numbers = itertools.count()
    root = tmp_path_factory.mktemp("haplotypes")

    def fresh() -> Path:
        path = root / str(next(numbers))
        path.mkdir()
        return path

    return fresh


def windows(pairs: AllelePairs) -> list[Windows]:
    return [(decode(r), decode(a)) for r, a in zip(pairs.ref, pairs.alt, strict=True)]


def all_windows(table: AlleleTable, genome: Genome, *, offset: int = 0) -> list[Windows | None]:
    """Windows of all alleles; None for one without a score."""
    pairs = allele_pairs(table, genome, offset=offset)
    found = dict(zip(pairs.rows.tolist(), windows(pairs), strict=True))
    return [found.get(row) for row in range(len(table))]


def spell_each(rng: random.Random, many: list[Edit]) -> list[tuple[int, int, str, str]]:
    return [(number, *respell(rng, edit)) for number, edit in enumerate(many)]


# --- against strings


@given(many=st.lists(edits(), min_size=1, max_size=12), length=lengths, seed=seeds)
def test_windows_are_those_of_whole_haplotypes(
    folder: Folder, many: list[Edit], length: int, seed: int
) -> None:
    records = spell_each(random.Random(seed), many)
    contigs = [edit.contig for edit in many]
    with placed(folder(), contigs, records, length=length) as (table, genome):
        found = all_windows(table, genome)
    assert found == [slow_windows(e.contig, e.alternative, length) for e in many]
    reasons = reason_names(table.reasons)
    assert {r for r, pair in zip(reasons, found, strict=True) if pair} <= {"."}
    assert set(reasons) <= {".", "too_long", "window_all_n"}


@given(many=st.lists(edits(), min_size=1, max_size=8), length=st.integers(1, 30), seed=seeds)
def test_shifted_windows_are_those_of_whole_haplotypes(
    folder: Folder, many: list[Edit], length: int, seed: int
) -> None:
    """Also where a window begins within an inserted sequence, or right of it."""
    records = spell_each(random.Random(seed), many)
    offset = random.Random(seed).randint(-((length - 1) // 2), length // 2)
    contigs = [edit.contig for edit in many]
    with placed(folder(), contigs, records, length=length) as (table, genome):
        found = all_windows(table, genome, offset=offset)
    assert found == [slow_windows(e.contig, e.alternative, length, offset=offset) for e in many]


@given(edit=edits(), length=lengths, seed=seeds)
def test_one_haplotype_is_one_allele_however_it_is_spelled(
    folder: Folder, edit: Edit, length: int, seed: int
) -> None:
    rng = random.Random(seed)
    records = [(0, *edit.spell()), *((0, *respell(rng, edit)) for _ in range(12))]
    with placed(folder(), [edit.contig], records, length=length) as (table, genome):
        found = all_windows(table, genome)
    assert set(found) == {slow_windows(edit.contig, edit.alternative, length)}
    assert len(set(table.reasons.tolist())) == 1
    if found[0]:
        start, removed, inserted, slack = locate(plain(edit.contig), plain(edit.alternative))
        assert set(table.starts.tolist()) == {start}
        assert set(table.slack.tolist()) == {slack}
        assert set(table.refs.lengths.tolist()) == {removed}
        assert set(table.alternatives.lengths.tolist()) == {inserted}
        assert len(set(table.notes.tolist())) == 1


@given(edit=edits(), count=st.integers(1, 6), length=lengths, seed=seeds)
def test_each_alt_of_a_record_is_scored_as_if_it_stood_alone(
    folder: Folder, edit: Edit, count: int, length: int, seed: int
) -> None:
    rng = random.Random(seed)
    position, ref, alt = edit.spell(rng.randint(0, 3), rng.randint(0, 3))
    alts = [alt, *("".join(rng.choices("ACGTacgt", k=rng.randint(1, 9))) for _ in range(count))]
    rng.shuffle(alts)
    together, alone = [(0, position, ref, ",".join(alts))], [(0, position, ref, a) for a in alts]
    with placed(folder(), [edit.contig], alone, length=length) as (table, genome):
        expected, reasons = all_windows(table, genome), reason_names(table.reasons)
    with placed(folder(), [edit.contig], together, length=length) as (table, genome):
        found = all_windows(table, genome)
    for number, (a, reason) in enumerate(zip(alts, reason_names(table.reasons), strict=True)):
        if a.upper() in map(str.upper, alts[:number]) and reason != "ref_equals_alt":
            assert reason in {"duplicate_allele_in_record", "invalid_allele"}
        else:
            assert (found[number], reason) == (expected[number], reasons[number])


def test_two_alts_of_a_record_are_never_one_haplotype() -> None:
    """So a duplicate can be told from the letters: nothing is to be trimmed or moved."""
    words = ["".join(w) for n in range(4) for w in itertools.product("AC", repeat=n)]
    for left, right in itertools.product(("", "A", "CA"), repeat=2):
        assert len({left + word + right for word in words}) == len(words)


# --- the other strand


@given(many=st.lists(edits(), min_size=1, max_size=8), length=lengths, seed=seeds)
def test_the_other_strand_has_the_same_windows(
    folder: Folder, many: list[Edit], length: int, seed: int
) -> None:
    """Or ones a base off, where the window and what stands in it are not both odd or even."""
    mirrored = [edit.mirrored for edit in many]
    rng = random.Random(seed)
    sides = []
    for side in (many, mirrored):
        contigs = [edit.contig for edit in side]
        with placed(folder(), contigs, spell_each(rng, side), length=length) as (table, genome):
            sides.append((all_windows(table, genome), reason_names(table.reasons)))
    (plus, why), (minus, why_there) = sides
    for edit, ours, theirs, *reasons in zip(many, plus, minus, why, why_there, strict=True):
        haplotypes = plain(edit.contig), plain(edit.alternative)
        start, *sizes, slack = locate(*haplotypes)
        off = [(size + slack) % 2 - length % 2 for size in sizes]
        if not any(off):
            assert reasons[0] == reasons[1]
        if ours and theirs:
            for haplotype, window, size, by in zip(haplotypes, theirs, sizes, off, strict=True):
                first = start + (size + slack) // 2 - length // 2
                assert mirror(window) == cut(haplotype, first + by, length)


def scores_on_both_strands(
    folder: Folder, many: list[Edit], engine: Engine, *, shifts: int = 1
) -> list[np.ndarray]:
    length = engine.spec.length
    offsets = shift_offsets(shifts, length=length)
    sides = []
    for side in (many, [edit.mirrored for edit in many]):
        contigs = [edit.contig for edit in side]
        records = [(i, *edit.spell()) for i, edit in enumerate(side)]
        with placed(folder(), contigs, records, length=length, offsets=offsets) as (table, genome):
            effects = score_pairs(engine, [allele_pairs(table, genome, offset=o) for o in offsets])
        spread = np.full((2, len(table)), np.nan)
        spread[:, table.scored] = effects.ref_logit[:, 0], effects.alt_logit[:, 0]
        sides.append(spread)
    return sides


@pytest.mark.parametrize(("length", "shifts"), [(13, 1), (13, 5), (14, 2), (14, 6)])
@given(many=st.lists(edits(longest=1), min_size=1, max_size=12))
@few
def test_a_substitution_has_the_same_scores_on_both_strands(
    folder: Folder, length: int, shifts: int, many: list[Edit]
) -> None:
    snvs = [e for e in many if e.removed == len(e.inserted) == 1]
    engine = Engine(make_model("deepbind", length=length), threads=1)
    plus, minus = scores_on_both_strands(folder, snvs or [Edit("A", 0, 1, "C")], engine)
    if length % 2:
        np.testing.assert_array_equal(plus, minus)
    plus, minus = scores_on_both_strands(folder, snvs, engine, shifts=shifts) if snvs else ([], [])
    np.testing.assert_allclose(plus, minus, rtol=1e-12, atol=1e-12)


# --- scores


NETWORKS = [
    ("motif", {"detectors": 5, "width": 4}),
    ("motif", {"detectors": 3, "width": 1}),
    ("deepbind", {"detectors": 4, "width": 5, "pooling": "max_mean"}),
    ("resnet", {"channels": 6, "width": 5, "blocks": 2}),
]
each_network = pytest.mark.parametrize(("family", "values"), NETWORKS)


def assert_same(family: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Compare logits: deep networks sum float32 in another order."""
    if family == "resnet":
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    else:
        np.testing.assert_array_equal(found, expected)


def predict(engine: Engine, sequences: list[str]) -> np.ndarray:
    return engine.predict(encode("".join(sequences)).reshape(len(sequences), -1)).logits


@each_network
@pytest.mark.parametrize("offset", [0, -7, 15])
def test_scores_are_those_of_the_windows(
    folder: Folder, family: str, values: dict[str, object], offset: int
) -> None:
    """Also of windows that begin within the inserted letters, or right of them."""
    rng, length = random.Random(offset), 31
    many = [random_edit(rng, longest=length) for _ in range(60)]
    contigs = [edit.contig for edit in many]
    engine = Engine(make_model(family, values=values, length=length), threads=1)
    with placed(folder(), contigs, spell_each(rng, many), length=length) as (table, genome):
        effects = score_pairs(engine, [allele_pairs(table, genome, offset=offset)])
    pairs = [slow_windows(e.contig, e.alternative, length, offset=offset) for e in many]
    refs, alts = zip(*filter(None, pairs), strict=True)
    assert_same(family, effects.ref_logit, predict(engine, refs))
    assert_same(family, effects.alt_logit, predict(engine, alts))


# --- against bcftools


def check_with_bcftools(
    folder: Path, many: list[Edit], spelled: list[tuple[int, str, str]], length: int
) -> None:
    """Cut what must be scored out of what ``bcftools consensus`` makes of the records."""
    contigs = [edit.contig for edit in many]
    haplotypes = consensus(folder, contigs, spelled)
    records = [(number, *record) for number, record in enumerate(spelled)]
    with placed(folder, contigs, records, length=length) as (table, genome):
        found = all_windows(table, genome)
    assert found == [
        slow_windows(contig, haplotype, length)
        for contig, haplotype in zip(contigs, haplotypes, strict=True)
    ]


@needs_bcftools
@given(many=st.lists(edits(), min_size=1, max_size=25), length=lengths, seed=seeds)
@few
def test_windows_are_those_of_bcftools_consensus(
    folder: Folder, many: list[Edit], length: int, seed: int
) -> None:
    rng = random.Random(seed)
    check_with_bcftools(folder(), many, [respell(rng, edit) for edit in many], length)


def known_letters(edit: Edit) -> Edit:
    """Bcftools norm takes no ambiguous letters but N."""
    return Edit(plain(edit.contig), edit.start, edit.removed, edit.inserted)


@needs_bcftools
@given(many=st.lists(edits(), min_size=1, max_size=40), length=lengths, seed=seeds)
@few
def test_what_bcftools_norm_spells_is_the_same_allele(
    folder: Folder, many: list[Edit], length: int, seed: int
) -> None:
    rng, here = random.Random(seed), folder()
    many = [known_letters(edit) for edit in many]
    contigs, spelled = [e.contig for e in many], [respell(rng, e) for e in many]
    normal = normalise(here, contigs, spelled)
    tables = []
    for records in (spelled, normal):
        numbered = [(number, *record) for number, record in enumerate(records)]
        with placed(here, contigs, numbered, length=length) as (table, genome):
            tables.append((table, all_windows(table, genome)))
    (ours, found), (theirs, expected) = tables
    assert found == expected
    for row in ours.scored:
        assert ours.starts[row] == theirs.starts[row]
        position, ref, alt = normal[row]
        # bcftools leaves a common base, the first one but where the contig begins.
        is_anchored = len(ref) != len(alt) and ref[0].upper() == alt[0].upper()
        assert ours.starts[row] in {0, position - 1 + is_anchored}


@needs_bcftools
@each_network
def test_scores_are_those_of_haplotypes_that_bcftools_makes(
    folder: Folder, family: str, values: dict[str, object]
) -> None:
    rng, here, length = random.Random(8), folder(), 31
    many = [random_edit(rng, longest=length) for _ in range(100)]
    contigs, spelled = [e.contig for e in many], [respell(rng, e) for e in many]
    haplotypes = consensus(here, contigs, spelled)
    engine = Engine(make_model(family, values=values, length=length, members=2), threads=1)
    twice = [*enumerate(spelled), *enumerate(normalise_known(here, many, spelled))]
    records = [(number, *record) for number, record in twice]
    with placed(here, contigs, records, length=length) as (table, genome):
        effects = score_pairs(engine, [allele_pairs(table, genome)])
    rows = table.scored % len(many)
    pairs = [slow_windows(contigs[row], haplotypes[row], length) for row in rows]
    refs, alts = zip(*pairs, strict=True)
    for found, windows in ((effects.ref_logit, refs), (effects.alt_logit, alts)):
        assert_same(family, found, predict(engine, windows))
        as_spelled, as_normal = np.split(found, 2)
        np.testing.assert_array_equal(as_spelled, as_normal)


def normalise_known(
    folder: Path, many: list[Edit], spelled: list[tuple[int, str, str]]
) -> list[tuple[int, str, str]]:
    """Let bcftools norm spell records anew; those with IUPAC codes stay."""
    known = [i for i, edit in enumerate(many) if set(edit.contig.upper()) <= set("ACGTN")]
    found = normalise(folder, [many[i].contig for i in known], [spelled[i] for i in known])
    new = dict(zip(known, found, strict=True))
    return [new.get(i, record) for i, record in enumerate(spelled)]


# --- the rule of centring, letter by letter


def one_pair(
    folder: Path, contig: str, record: tuple[int, str, str], length: int
) -> tuple[Windows | None, str, str]:
    """Give the windows, the reason and the notes of one record."""
    with placed(folder, [contig], [(0, *record)], length=length) as (table, genome):
        (found,) = all_windows(table, genome)
    return found, reason_names(table.reasons)[0], note_names(table.notes)[0]


@pytest.mark.parametrize(
    ("length", "ref", "alt", "expected"),
    [
        (5, "G", "C", ("AAGTT", "AACTT")),
        (4, "G", "C", ("AAGT", "AACT")),
        (1, "G", "C", ("G", "C")),
        (2, "G", "C", ("AG", "AC")),
        (5, "G", "GCC", ("AGTTT", "GCCTT")),
        (4, "G", "GCC", ("AGTT", "GCCT")),
        (5, "GT", "CC", ("AGTTT", "ACCTT")),
        (5, "GT", "C", ("AGTTT", "AACTT")),
    ],
)
def test_the_rule_of_centring(
    tmp_path: Path, length: int, ref: str, alt: str, expected: Windows
) -> None:
    assert one_pair(tmp_path, "AAAAGTTTTT", (5, ref, alt), length)[0] == expected


def test_an_indel_stands_in_the_middle_of_its_repeat(tmp_path: Path) -> None:
    contig = "GATTTTTCAGCAGCAGTG"
    expected = ("NGATTTTTCAG", "NGATTTTCAGC")
    for position in range(2, 7):
        spelled = position, contig[position - 1 : position + 1], contig[position - 1]
        assert one_pair(tmp_path, contig, spelled, 11)[0] == expected
    # Three units of three bases, and a fourth: the flanks T and T are as far on either side.
    expected = "TTTCAGCAGCAGTGN", "TCAGCAGCAGCAGTG"
    for position in range(7, 17):
        base, unit = contig[position - 1], (contig + "CAG")[position : position + 3]
        if position + 3 > 16:
            unit = contig[position - 3 : position]
        spelled = position, base, base + unit
        assert one_pair(tmp_path, contig, spelled, 15)[0] == expected


def test_a_repeat_as_long_as_the_window_is_told(tmp_path: Path) -> None:
    for count, notes in ((11, "."), (12, "window_in_repeat"), (40, "window_in_repeat")):
        contig = "C" * 20 + "A" * count + "G" * 20
        found = one_pair(tmp_path, contig, (20, "CA", "C"), 11)
        ref, alt = found[0]
        assert (ref == alt) == (notes != ".")
        assert found[1:] == (".", notes)


def test_the_spellings_that_other_tools_score_apart(tmp_path: Path) -> None:
    for spelled in [(7, "G", "A"), (6, "TG", "TA"), (4, "GCTG", "GCTA"), (7, "GTT", "ATT")]:
        assert one_pair(tmp_path, "ACCGCTGTTACC", spelled, 5)[0] == ("CTGTT", "CTATT")


def test_shifts_are_centred() -> None:
    assert [list(shift_offsets(k, length=5)) for k in (1, 2, 3, 4, 5)] == [
        [0],
        [0, 1],
        [-1, 0, 1],
        [-1, 0, 1, 2],
        [-2, -1, 0, 1, 2],
    ]
    with pytest.raises(ConfigError, match=r"6 shifts: windows of 5 bases, moved by -2 to 3"):
        shift_offsets(6, length=5)
    with pytest.raises(ConfigError, match="0 shifts"):
        shift_offsets(0, length=5)


@pytest.mark.parametrize("length", [1, 2, 7, 8])
def test_every_shift_keeps_the_middle_base_and_no_further_one_does(
    tmp_path: Path, length: int
) -> None:
    contig = "C" * 30 + "A" + "C" * 30
    with placed(tmp_path, [contig], [(0, 31, "A", "G")], length=length) as (table, genome):
        offsets = shift_offsets(length, length=length)
        for offset in offsets:
            ((ref, alt),) = all_windows(table, genome, offset=offset)
            assert (ref.count("A"), alt.count("G")) == (1, 1)
        for offset in (offsets[0] - 1, offsets[-1] + 1):
            with pytest.raises(ConfigError, match=f"between {offsets[0]} and {offsets[-1]}"):
                allele_pairs(table, genome, offset=offset)


def test_notes_are_true_of_shifted_windows_too(tmp_path: Path) -> None:
    contig = "ACGTACGTAGCTAGCTA"
    for position in range(1, len(contig) + 1):
        record = (0, position, contig[position - 1], "ACGT"[contig[position - 1] == "A"])
        offsets = shift_offsets(4, length=7)
        with placed(tmp_path, [contig], [record], length=7, offsets=offsets) as (table, genome):
            pairs = [all_windows(table, genome, offset=offset)[0] for offset in offsets]
        is_padded = any("N" in window for pair in pairs for window in pair)
        assert note_names(table.notes) == ["window_padded" if is_padded else "."]


# --- cases


GAPPED = "N" * 30 + "ACGTRACGT" + "N" * 30 + "GATTACA"


@pytest.mark.parametrize(
    ("record", "length", "reason", "notes"),
    [
        # Unknown bases beside the change are no obstacle, in it they are.
        ((30, "N", "NC"), 11, ".", "."),
        ((30, "NA", "NC"), 11, ".", "."),
        ((30, "NA", "RC"), 11, "invalid_allele", "."),
        ((34, "TRA", "TRC"), 11, ".", "."),
        ((34, "TRA", "CRA"), 11, ".", "."),
        ((34, "tra", "CrA"), 11, ".", "."),
        ((34, "TRA", "TNA"), 11, "invalid_allele", "."),
        ((34, "TRA", "TRA"), 11, "ref_equals_alt", "."),
        ((35, "R", "R"), 11, "ref_equals_alt", "."),
        ((35, "R", "A"), 11, ".", "ref_ambiguous"),
        ((35, "N", "A"), 11, ".", "ref_ambiguous"),
        ((35, "A", "C"), 11, ".", "ref_unknown"),
        ((34, "TA", "T"), 11, ".", "ref_unknown"),
        ((34, "TAA", "TAC"), 11, ".", "ref_unknown"),
        ((34, "TR", "T"), 11, ".", "ref_ambiguous"),
        ((29, "NN", "N"), 31, ".", "window_padded&ref_ambiguous"),
        # Windows without a known base, on either side.
        ((15, "N", "A"), 11, "window_all_n", "."),
        ((15, "N", "NA"), 11, "window_all_n", "."),
        ((15, "NN", "N"), 11, "window_all_n", "."),
        ((30, "NACGTRACGTN", "N"), 11, "window_all_n", "."),
        ((30, "NACGTRACGTN", "NA"), 11, ".", "ref_ambiguous"),
        # Long records, short changes, and the other way round.
        ((1, GAPPED, GAPPED[:33] + "C" + GAPPED[34:]), 5, ".", "."),
        ((1, GAPPED, GAPPED[:-1]), 5, ".", "window_padded"),
        ((31, "ACGT", "TGCA"), 4, ".", "."),
        ((31, "ACGT", "TGCA"), 3, "too_long", "."),
        ((31, "A", "ACCCC"), 4, ".", "."),
        ((31, "A", "ACCCC"), 3, "too_long", "."),
        ((31, "ACGTRAC", "A"), 5, "too_long", "."),
        # Ends of the contig.
        ((76, "A", "AC"), 3, ".", "window_padded"),
        ((76, "A", "C"), 1, ".", "."),
        ((76, "A", "CA"), 3, ".", "."),
        ((70, "GATTACA", "G"), 7, ".", "window_padded"),
        ((77, "N", "C"), 3, "window_off_contig", "."),
        ((77, "N", "."), 3, "no_alternative", "."),
        ((77, "N", "]c0:5]N"), 3, "symbolic_allele", "."),
        ((0, "N", "C"), 3, "window_off_contig", "."),
        ((0, "N", ".C"), 3, "symbolic_allele", "."),
        ((0, "N", "<DUP:TANDEM>"), 3, "symbolic_allele", "."),
        ((76, "AN", "A"), 3, "window_off_contig", "."),
        # What spells no sequence.
        ((31, "A", "*"), 3, "spanning_deletion", "."),
        ((31, "A", "<NON_REF>"), 3, "symbolic_allele", "."),
        ((31, "A", "<*>"), 3, "symbolic_allele", "."),
        ((31, "A", "A[<ctg1>:5["), 3, "symbolic_allele", "."),
        ((31, "A", "ATG]c0:3]"), 3, "symbolic_allele", "."),
        ((31, "A", "C*"), 3, "invalid_allele", "."),
        ((31, "A", "C D"), 3, "invalid_allele", "."),
        ((31, "A", "a"), 3, "ref_equals_alt", "."),
        ((31, "a", "c"), 3, ".", "."),
        ((31, "AC", "Ac"), 3, "ref_equals_alt", "."),
        ((31, "C", "A"), 3, "ref_mismatch", "."),
        ((31, "R", "C"), 3, "ref_mismatch", "."),
    ],
)
def test_reasons_and_notes(
    tmp_path: Path, record: tuple[int, str, str], length: int, reason: str, notes: str
) -> None:
    found = one_pair(tmp_path, GAPPED, record, length)
    assert found[1:] == (reason, notes)
    assert (found[0] is not None) == (reason == ".")


@given(edit=edits(), length=lengths)
def test_a_contradicted_base_of_ref_stands_in_both_windows(
    folder: Folder, edit: Edit, length: int
) -> None:
    """A record whose REF is not the FASTA's spells two haplotypes of its own."""
    here = folder()
    position, ref, alt = edit.joined(1, 1).spell()
    changed = "".join({"A": "C", "C": "G", "G": "T", "T": "A"}.get(c, "G") for c in ref.upper())
    keep = len(ref) // 2  # one base is left as it is
    said = changed[:keep] + ref[keep] + changed[keep + 1 :]
    start = position - 1
    spelled = edit.contig[:start] + said + edit.contig[start + len(ref) :]
    genome = write_genome(here / "g.fa", [("c", edit.contig)])
    sizes = {"c": len(edit.contig)}
    path = write_records(here / "in.vcf", [("c", position, said, alt)], sizes=sizes)
    with open_genome(genome) as opened:
        table = place_alleles(path, opened, length=length, policy="warn")
        (found,) = all_windows(table, opened)
    if not table.notes[0] & 3 or not found:
        return
    alternative = edit.contig[:start] + alt + edit.contig[start + len(ref) :]
    prefix, trimmed, inserted = int(table.starts[0]), table.refs[0], table.alternatives[0]
    for haplotype, size, window in (
        (spelled, len(trimmed), found[0]),
        (alternative, len(inserted), found[1]),
    ):
        assert window == cut(plain(haplotype), prefix + size // 2 - length // 2, length)


# --- parts


@given(ref=st.text("AC", max_size=9), alt=st.text("AC", max_size=9))
def test_trimming_leaves_what_differs(ref: str, alt: str) -> None:
    prefix, short_ref, short_alt = trim_alleles(ref, alt)
    suffix = len(ref) - prefix - len(short_ref)
    assert ref == ref[:prefix] + short_ref + ref[len(ref) - suffix :]
    assert alt == ref[:prefix] + short_alt + ref[len(ref) - suffix :]
    for one, other in ((short_ref, short_alt), (short_ref[::-1], short_alt[::-1])):
        assert not one or not other or one[0] != other[0]


@given(ref=st.text("AC", min_size=1, max_size=9), alt=st.text("AC", max_size=9), data=st.data())
def test_trimming_keeps_what_it_must(ref: str, alt: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(ref) - 1))
    last = data.draw(st.integers(first, len(ref) - 1))
    prefix, short_ref, short_alt = trim_alleles(ref, alt, keep=(first, last))
    assert prefix <= first
    assert prefix + len(short_ref) > last
    suffix = len(ref) - prefix - len(short_ref)
    assert alt == ref[:prefix] + short_alt + ref[len(ref) - suffix :]


@pytest.mark.parametrize("count", [1, 31, 32, 33, 300, 70_000])
@pytest.mark.parametrize("unit", ["A", "CAG", "ACGTTGCA"])
def test_long_repeats_are_followed_to_their_ends(unit: str, count: int) -> None:
    contig = encode("GG" + unit * count + "TT")
    end = 2 + len(unit) * count
    for start in {2, end, 2 + len(unit) * (count // 2)}:
        leftmost, slack, letters = left_align(contig, start, encode(unit), removed=0)
        _, rotated = -(2 - start) % len(unit), decode(letters)
        assert leftmost + slack >= end
        assert leftmost <= 2
        whole = decode(contig[:leftmost]) + rotated + decode(contig[leftmost:])
        assert whole == decode(contig[:start]) + unit + decode(contig[start:])


def test_the_example_of_the_manual(tmp_path: Path) -> None:
    contig = "GATCACGTTTTTGACTCAGGATCC"
    for spelled, expected, notes in [
        ((15, "C", "A"), ("TTTGACTCAGG", "TTTGAATCAGG"), "."),
        ((14, "AC", "AA"), ("TTTGACTCAGG", "TTTGAATCAGG"), "."),
        ((13, "GACT", "GAAT"), ("TTTGACTCAGG", "TTTGAATCAGG"), "."),
        ((17, "CA", "TG"), ("GACTCAGGATC", "GACTTGGGATC"), "."),
        ((15, "C", "CGG"), ("TTGACTCAGGA", "TGACGGTCAGG"), "."),
        ((7, "GT", "G"), ("ACGTTTTTGAC", "ACGTTTTGACT"), "."),
        ((10, "TT", "T"), ("ACGTTTTTGAC", "ACGTTTTGACT"), "."),
        ((12, "TG", "G"), ("ACGTTTTTGAC", "ACGTTTTGACT"), "."),
        ((7, "GTT", "G"), ("ACGTTTTTGAC", "CACGTTTGACT"), "."),
        ((2, "A", "G"), ("NNNNGATCACG", "NNNNGGTCACG"), "window_padded"),
        ((24, "C", "CAT"), ("GATCCNNNNNN", "ATCCATNNNNN"), "window_padded"),
    ]:
        assert one_pair(tmp_path, contig, spelled, 11) == (expected, ".", notes)
    assert one_pair(tmp_path, contig, (15, "G", "A"), 11)[1] == "ref_mismatch"
    assert one_pair(tmp_path, contig, (7, "G", "<DEL>"), 11)[1] == "symbolic_allele"
