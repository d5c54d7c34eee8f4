"""Mutation maps against one substitution at a time."""

from pathlib import Path

import numpy as np
import pytest
from builders import random_letters, write_fasta, write_vcf
from tiny_models import draw_codes, make_model

from seqcnn.attribution import (
    MutationMap,
    find_hits,
    locate_regions,
    map_region,
    map_sequences,
    map_variants,
)
from seqcnn.dna import encode
from seqcnn.engine import Engine
from seqcnn.errors import SeqcnnError
from seqcnn.genome import Interval, gather_windows, open_genome
from seqcnn.motifs import Motif
from seqcnn.variants import AllelePlacer, VcfReader, allele_pairs

LENGTH = 20


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(
        make_model(length=LENGTH, members=2, tasks=("one", "two"), task_kind="multilabel")
    )


@pytest.fixture(scope="module")
def genome_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    letters = random_letters(rng, 120)
    contigs = [("chr1", letters[:60] + "NN" + letters[62:]), ("HLA:1", random_letters(rng, 50))]
    return write_fasta(tmp_path_factory.mktemp("genome") / "genome.fa", contigs)


def mutate_slowly(engine: Engine, window: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (4, tasks) with each base at a column, and of the window as it is."""
    mutants = np.repeat(window[None], 4, axis=0)
    mutants[np.arange(4), column] = np.arange(4)
    return engine.predict(mutants).logits, engine.predict(window[None]).logits[0]


def check_against_windows(
    engine: Engine, each: MutationMap, windows: np.ndarray, columns: np.ndarray
) -> None:
    for i, (window, column) in enumerate(zip(windows, columns, strict=True)):
        logits, unchanged = mutate_slowly(engine, window, column)
        np.testing.assert_allclose(each.logits[i], logits, atol=1e-6)
        np.testing.assert_allclose(each.unchanged[i], unchanged, atol=1e-6)


@pytest.mark.parametrize("size", [1, 7, LENGTH])
def test_short_sequences_are_one_padded_window(engine: Engine, size: int) -> None:
    codes = draw_codes(1, size, seed=size)[0]
    (each,) = map_sequences(engine, [("s", codes)])
    start = size // 2 - LENGTH // 2
    window = gather_windows(codes, np.array([start]), LENGTH)
    check_against_windows(engine, each, np.repeat(window, size, axis=0), np.arange(size) - start)
    assert each.places.tolist() == list(range(size))


def test_long_sequences_have_a_window_around_each_position(engine: Engine) -> None:
    codes = draw_codes(1, 3 * LENGTH, seed=5)[0]
    (each,) = map_sequences(engine, [("s", codes)])
    windows = gather_windows(codes, np.arange(len(codes)) - LENGTH // 2, LENGTH)
    check_against_windows(engine, each, windows, np.full(len(codes), LENGTH // 2))


@pytest.mark.parametrize(("start", "end"), [(0, 1), (30, 30 + LENGTH), (55, 68), (115, 120)])
def test_short_regions_see_the_genome_around_them(
    engine: Engine, genome_file: Path, start: int, end: int
) -> None:
    with open_genome(genome_file) as genome:
        each = map_region(engine, genome, Interval("chr1", start, end))
        first = (start + end) // 2 - LENGTH // 2
        window = gather_windows(genome.codes("chr1"), np.array([first]), LENGTH)
    count = end - start
    columns = np.arange(start, end) - first
    check_against_windows(engine, each, np.repeat(window, count, axis=0), columns)
    assert each.contig == "chr1"
    assert each.name == f"chr1:{start + 1}-{end}"


def test_long_regions_do_not_depend_on_where_they_begin(engine: Engine, genome_file: Path) -> None:
    with open_genome(genome_file) as genome:
        whole = map_region(engine, genome, Interval("chr1", 0, 120))
        part = map_region(engine, genome, Interval("chr1", 41, 99))
    np.testing.assert_array_equal(part.logits, whole.logits[41:99])
    np.testing.assert_array_equal(part.unchanged, whole.unchanged[41:99])


def test_a_network_of_windows_maps_sequences_whole() -> None:
    model = make_model("deepbind", length=12, window=8, strands="max")
    engine = Engine(model)
    codes = draw_codes(1, 30, seed=2)[0]
    (each,) = map_sequences(engine, [("s", codes)])
    check_against_windows(engine, each, np.repeat(codes[None], 30, axis=0), np.arange(30))


def test_deltas_are_gated() -> None:
    logits = np.array([[-2.0, 1.0, -1.0, 3.0], [0.5, -1.0, -3.0, 2.0]])[..., None]
    codes = np.array([0, 3], dtype=np.uint8)
    unchanged = np.array([[-2.0], [2.0]])
    each = MutationMap("s", codes, np.arange(2), logits, unchanged, ("t",))
    np.testing.assert_array_equal(each.deltas()[..., 0], [[0, 3, 1, 5], [-1.5, -3, -5, 0]])
    np.testing.assert_array_equal(
        each.deltas("indicator")[..., 0], [[0, 3, 0, 5], [-1.5, -3, -5, 0]]
    )
    np.testing.assert_array_equal(each.deltas("product")[..., 0], [[0, 3, 0, 15], [-3, -6, -10, 0]])
    np.testing.assert_allclose(each.effects()[:, 0], [-3, 9.5 / 3])


def test_an_unknown_base_has_four_substitutions_and_no_effect(engine: Engine) -> None:
    (each,) = map_sequences(engine, [("s", encode("ACGNNACGTT"))])
    assert (each.deltas()[3] != 0).all()
    assert (each.effects()[3:5] == 0).all()


@pytest.fixture(scope="module")
def variants(genome_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with open_genome(genome_file) as genome:
        letters = "ACGTN"
        bases = [letters[code] for code in genome.codes("chr1")]
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    records = [
        f"chr1\t30\tsnv\t{bases[29]}\t{other[bases[29]]}\t.\t.\t.",
        f"chr1\t40\tins\t{bases[39]}\t{bases[39]}GATTACA\t.\t.\t.",
        f"chr1\t45\tdel\t{''.join(bases[44:49])}\t{bases[44]}\t.\t.\t.",
        f"chr1\t2\tedge\t{bases[1]}\t{other[bases[1]]}\t.\t.\t.",
        f"chr1\t50\tmismatch\t{other[bases[49]]}\t{bases[49]}\t.\t.\t.",
    ]
    return write_vcf(tmp_path_factory.mktemp("variants") / "in.vcf", records, ["chr1"])


def test_variants_have_the_maps_of_their_two_windows(
    engine: Engine, genome_file: Path, variants: Path
) -> None:
    with open_genome(genome_file) as genome, VcfReader(variants) as reader:
        table = AllelePlacer(genome, length=LENGTH).place(next(reader.blocks()))
        pairs = allele_pairs(table, genome)
        found = list(map_variants(engine, table, genome))
        contig = genome.codes("chr1")
    assert [maps.row for maps in found] == pairs.rows.tolist() == [0, 1, 2, 3]
    for i, maps in enumerate(found):
        for side, each in ((pairs.ref, maps.ref), (pairs.alt, maps.alt)):
            np.testing.assert_array_equal(each.codes, side[i])
            windows = np.repeat(side[i : i + 1], LENGTH, axis=0)
            check_against_windows(engine, each, windows, np.arange(LENGTH))
        on_contig = (maps.ref.places >= 0) & (maps.ref.places < len(contig))
        known = maps.ref.places[on_contig]
        np.testing.assert_array_equal(maps.ref.codes[on_contig], contig[known])
    snv, insertion, deletion, _ = found
    assert snv.ref.marked == snv.alt.marked == (LENGTH // 2, LENGTH // 2 + 1)
    first, stop = insertion.alt.marked or (0, 0)
    assert stop - first == 7
    assert len(set(insertion.alt.places[first - 1 : stop])) == 1
    assert insertion.ref.marked is not None
    assert insertion.ref.marked[0] == insertion.ref.marked[1]
    first, stop = deletion.ref.marked or (0, 0)
    assert stop - first == 4
    at = (deletion.alt.marked or (0, 0))[0]
    assert deletion.alt.places[at] - deletion.alt.places[at - 1] == 5


def test_columns_are_cut_out(engine: Engine) -> None:
    (each,) = map_sequences(engine, [("s", draw_codes(1, 15, seed=1)[0])])
    part = each.take(4, 9)
    assert len(part) == 5
    np.testing.assert_array_equal(part.deltas(), each.deltas()[4:9])
    np.testing.assert_array_equal(each.for_task("two").deltas()[..., 0], each.deltas()[..., 1])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("chr1:5-9", ("chr1", 4, 9)),
        ("1:5-9", ("chr1", 4, 9)),
        ("chr1:7", ("chr1", 6, 7)),
        ("chr1:100-", ("chr1", 99, 120)),
        ("chr1", ("chr1", 0, 120)),
        ("HLA:1:5-9", ("HLA:1", 4, 9)),
        ("chr1:0,005-0,009", ("chr1", 4, 9)),
    ],
)
def test_regions_are_those_of_samtools(
    genome_file: Path, text: str, place: tuple[str, int, int]
) -> None:
    with open_genome(genome_file) as genome:
        (found,) = locate_regions(text, genome, option="--region", most=1000)
    assert (found.contig, found.start, found.end) == place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chr1:100-130", "chr1:1-120"),
        ("chr1:121-", "chr1:1-120"),
        ("chr1:0-5", "chr1:1-120"),
        ("chr9:1-5", "chr1, HLA:1"),
        ("chr1:9-5", "CONTIG:START-END"),
        ("chr1:a-b", "CONTIG:START-END"),
        ("", "CONTIG:START-END"),
        ("chr1:1-101", "at most 100"),
    ],
)
def test_regions_off_the_genome_are_refused(genome_file: Path, text: str, words: str) -> None:
    with open_genome(genome_file) as genome, pytest.raises(SeqcnnError) as caught:
        locate_regions(text, genome, option="--region", most=100)
    assert words in str(caught.value)
    assert str(caught.value).startswith("--region")


def make_sharp_motif(letters: str) -> Motif:
    counts = np.zeros((4, len(letters)))
    counts[encode(letters), np.arange(len(letters))] = 100
    return Motif("site", counts, 100)


@pytest.mark.parametrize(("planted", "strand"), [("TGACGTTA", "+"), ("TAACGTCA", "-")])
def test_motifs_are_found_where_the_map_looks(planted: str, strand: str) -> None:
    rng = np.random.default_rng(1)
    letters = random_letters(rng, 20) + planted + random_letters(rng, 22)
    codes = encode(letters)
    logits = np.zeros((50, 4, 1))
    logits[20:28] = -1
    logits[np.arange(20, 28), codes[20:28]] = 0
    each = MutationMap("s", codes, np.arange(50), logits, np.zeros((50, 1)), ("t",))
    (hit,) = find_hits(each, [make_sharp_motif("TGACGTTA")])
    assert (hit.start, hit.end, hit.strand) == (20, 28, strand)
    assert hit.p == pytest.approx(4.0**-8)
    assert hit.correlation > 0.99
    elsewhere = MutationMap(
        "s", codes, np.arange(50), np.roll(logits, 15, axis=0), np.zeros((50, 1)), ("t",)
    )
    assert not find_hits(elsewhere, [make_sharp_motif("TGACGTTA")])
