"""Negatives: what a shuffle must keep, how even it is, and where background may come from."""

import itertools
import logging
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from seqcnn import negatives
from seqcnn.dna import UNKNOWN, Codes, decode, encode, gc_fraction
from seqcnn.errors import ConfigError
from seqcnn.genome import Interval, gather_windows
from seqcnn.negatives import match_gc_windows, shuffle_dinucleotides


def rows_of(*sequences: str) -> Codes:
    return np.stack([encode(sequence) for sequence in sequences])


def dinucleotides(sequence: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(itertools.pairwise(sequence.tolist()))


def enumerate_walks(sequence: str) -> set[str]:
    """List, by trying every step, all strings with the dinucleotides and the start of one."""

    def extend(path: str, left: Counter[str]) -> None:
        if not left:
            walks.add(path)
        for pair in [pair for pair in left if pair[0] == path[-1]]:
            extend(path + pair[1], left - Counter([pair]))

    walks: set[str] = set()
    extend(sequence[0], Counter(a + b for a, b in itertools.pairwise(sequence)))
    return walks


def shuffle_slowly(sequence: list[int], rng: np.random.Generator) -> list[int]:
    """Altschul and Erickson's own way, a sequence at a time, by trial and error."""
    final = sequence[-1]
    leaving = {a: [y for x, y in itertools.pairwise(sequence) if x == a] for a in sequence}
    while True:
        for edges in leaving.values():
            rng.shuffle(edges)
        last = {a: edges[-1] for a, edges in leaving.items() if a != final}
        reached = {final}
        while grown := {a for a, b in last.items() if b in reached} - reached:
            reached |= grown
        if reached == set(sequence):
            break
    path = [sequence[0]]
    for _ in sequence[1:]:
        path.append(leaving[path[-1]].pop(0))
    return path


sequences = st.integers(2, 60).flatmap(
    lambda length: st.lists(
        st.text(st.sampled_from("ACGTN"), min_size=length, max_size=length), min_size=1, max_size=8
    )
)


@given(sequences, st.integers(0, 2**32))
def test_shuffle_keeps_dinucleotides_and_both_ends(sequences: list[str], seed: int) -> None:
    codes = rows_of(*sequences)
    before = codes.copy()
    shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(seed))
    assert shuffled.dtype == np.uint8
    assert shuffled.shape == codes.shape
    np.testing.assert_array_equal(codes, before)
    for row, original in zip(shuffled, codes, strict=True):
        assert dinucleotides(row) == dinucleotides(original)
        assert (row[0], row[-1]) == (original[0], original[-1])


@pytest.mark.parametrize(
    "sequence",
    ["ACGATCA", "AACAGACAA", "ACGTAGCTA", "GATTACAGATT", "ACNGNACNTCA", "CAACTGAACAG", "TTTTATTAT"],
)
def test_every_walk_is_equally_likely(sequence: str) -> None:
    walks = sorted(enumerate_walks(sequence))
    draws = 400 * len(walks)
    codes = np.repeat(rows_of(sequence), draws, axis=0)
    shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(20))
    seen = Counter(decode(row) for row in shuffled)
    assert set(seen) == set(walks)
    assert stats.chisquare([seen[walk] for walk in walks]).pvalue > 1e-3


@pytest.mark.parametrize("sequence", ["ACGATCAGTCA", "ACANGNACNTA"])
def test_shuffle_agrees_with_the_slow_way(sequence: str) -> None:
    codes, draws = encode(sequence), 4000
    rng = np.random.default_rng(3)
    slow = Counter(tuple(shuffle_slowly(codes.tolist(), rng)) for _ in range(draws))
    many = np.repeat(codes[None], draws, axis=0)
    fast = Counter(tuple(row) for row in shuffle_dinucleotides(many, rng=rng).tolist())
    walks = sorted(slow | fast)
    table = [[counts[walk] for walk in walks] for counts in (slow, fast)]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_shuffle_finds_the_one_last_edge_that_leads_out() -> None:
    """Trial and error would need thousands of draws here."""
    codes = rows_of("AC" * 2000 + "G" + "GT" * 2000)
    shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(0))
    assert dinucleotides(shuffled[0]) == dinucleotides(codes[0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 101), (3, 0), (3, 1), (3, 2), (3, 3)])
def test_shuffle_of_nothing_to_shuffle_is_a_copy(shape: tuple[int, int]) -> None:
    codes = np.random.default_rng(0).integers(0, 4, shape).astype(np.uint8)
    shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(shuffled, codes)
    assert shuffled is not codes


def test_rows_of_one_letter_stay() -> None:
    codes = rows_of("N" * 50, "A" * 50)
    np.testing.assert_array_equal(shuffle_dinucleotides(codes, rng=np.random.default_rng(0)), codes)


def test_shuffle_changes_sequences_and_follows_the_generator() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (200, 101)).astype(np.uint8)
    first, again, other = (
        shuffle_dinucleotides(codes, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).all()
    same = (first == codes).mean()
    assert 0.2 < same < 0.4  # a quarter by chance, and a little for the ends


def test_shuffle_does_not_depend_on_how_rows_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(0).integers(0, 5, (50, 30)).astype(np.uint8)
    whole = shuffle_dinucleotides(codes, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    halves = [shuffle_dinucleotides(half, rng=rng) for half in (codes[:17], codes[17:])]
    np.testing.assert_array_equal(np.concatenate(halves), whole)
    monkeypatch.setattr(negatives, "_BLOCK", 100)
    np.testing.assert_array_equal(shuffle_dinucleotides(codes, rng=np.random.default_rng(1)), whole)


@dataclass
class FakeGenome:
    """Contigs in memory."""

    sequences: dict[str, Codes]
    visits: list[str] = field(default_factory=list)

    @property
    def contigs(self) -> dict[str, int]:
        return {name: len(codes) for name, codes in self.sequences.items()}

    def codes(self, contig: str) -> Codes:
        self.visits.append(contig)
        return self.sequences[contig]

    def windows(self, intervals: list[Interval]) -> Codes:
        return np.concatenate(
            [
                gather_windows(self.sequences[i.contig], np.array([i.start]), i.end - i.start)
                for i in intervals
            ]
        )


def draw_contig(rng: np.random.Generator, length: int) -> Codes:
    """Draw a contig with islands of high and low GC, and one gap of N."""
    gc = np.clip(0.45 + 0.15 * rng.standard_normal(-(-length // 200)), 0.1, 0.9)
    strong = rng.random(length) < gc.repeat(200)[:length]
    codes = np.where(strong, rng.integers(1, 3, length), 3 * rng.integers(0, 2, length))
    codes[length // 2 : length // 2 + length // 10] = UNKNOWN
    codes[rng.integers(0, length, length // 500)] = UNKNOWN
    return codes.astype(np.uint8)


@pytest.fixture(scope="module")
def genome() -> FakeGenome:
    rng = np.random.default_rng(5)
    lengths = {"chr1": 60_000, "chr2": 40_000, "chrM": 900}
    return FakeGenome({name: draw_contig(rng, length) for name, length in lengths.items()})


def draw_positives(genome: FakeGenome, count: int, length: int = 101) -> list[Interval]:
    """Draw GC-rich windows, as peaks are, and a few near the ends."""
    rng = np.random.default_rng(6)
    drawn = [
        Interval(contig, int(start), int(start) + length)
        for contig in ("chr1", "chr2")
        for start in rng.integers(0, genome.contigs[contig] - length, 20 * count)
    ]
    gc = gc_fraction(genome.windows(drawn))
    keep = np.flatnonzero((gc > 0.45) & (rng.random(len(gc)) < gc**2))[::5][:count]
    return [drawn[i] for i in keep]


def overlap(one: Interval, other: Interval) -> bool:
    return one.contig == other.contig and one.start < other.end and other.start < one.end


@pytest.mark.parametrize("ratio", [1, 3])
def test_background_keeps_away_and_matches_gc(genome: FakeGenome, ratio: int) -> None:
    positives = draw_positives(genome, 60)
    excluded = [Interval("chr1", 5_000, 15_000), Interval("chr2", 39_990, 45_000, "past the end")]
    background = match_gc_windows(
        genome.windows(positives),
        genome=genome,
        intervals=positives,
        excluded=excluded,
        rng=np.random.default_rng(7),
        ratio=ratio,
    )
    assert len(background) == ratio * len(positives)
    assert all(b.start >= 0 and b.end <= genome.contigs[b.contig] for b in background)
    assert {b.end - b.start for b in background} == {101}
    assert not any(overlap(b, p) for b in background for p in [*positives, *excluded])
    assert len({(b.contig, b.start) for b in background}) == len(background)
    assert [b.contig for b in background] == [p.contig for p in positives for _ in range(ratio)]
    windows = genome.windows(background)
    assert (windows == UNKNOWN).mean(axis=1).max() <= 0.05
    wanted = gc_fraction(genome.windows(positives)).repeat(ratio)
    anywhere = gc_fraction(gather_windows(genome.codes("chr1"), np.arange(0, 25_000, 101), 101))
    assert stats.ks_2samp(wanted, anywhere, method="asymp").statistic > 0.3
    assert stats.ks_2samp(wanted, gc_fraction(windows), method="asymp").statistic < 0.05
    assert np.abs(wanted - gc_fraction(windows)).mean() < 0.01


def test_background_follows_the_generator(genome: FakeGenome) -> None:
    positives = draw_positives(genome, 20)
    first, again, other = (
        match_gc_windows(
            genome.windows(positives),
            genome=genome,
            intervals=positives,
            rng=np.random.default_rng(seed),
        )
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_each_contig_is_read_once_when_it_has_room(genome: FakeGenome) -> None:
    positives = draw_positives(genome, 20)
    own = FakeGenome(genome.sequences)
    windows = genome.windows(positives)
    match_gc_windows(windows, genome=own, intervals=positives, rng=np.random.default_rng(1))
    assert own.visits == ["chr1", "chr2"]


def test_a_full_contig_takes_from_the_longest(
    genome: FakeGenome, caplog: pytest.LogCaptureFixture
) -> None:
    positives = [Interval("chrM", 0, 101), Interval("elsewhere", 0, 101), Interval("chr2", 0, 101)]
    with caplog.at_level(logging.WARNING):
        background = match_gc_windows(
            np.tile(encode("ACGTT"), (3, 21))[:, :101],
            genome=genome,
            intervals=positives,
            excluded=[Interval("chrM", 50, 880)],
            rng=np.random.default_rng(1),
        )
    assert [b.contig for b in background] == ["chr1", "chr1", "chr2"]
    assert "2 of 3 background windows come from another contig" in caplog.text


def test_a_tight_genome_is_filled_to_the_last_start() -> None:
    codes = np.random.default_rng(0).integers(0, 4, 30).astype(np.uint8)
    genome = FakeGenome({"a": codes, "b": codes[:15]})
    positives = [Interval("a", 0, 10)] * 2
    arguments = {"genome": genome, "intervals": positives}
    windows = genome.windows(positives)
    full = match_gc_windows(windows, **arguments, rng=np.random.default_rng(0), ratio=8)
    expected = {("a", start) for start in range(10, 21)} | {("b", start) for start in range(6)}
    assert {(b.contig, b.start) for b in full} < expected
    assert len({(b.contig, b.start) for b in full}) == 16
    with pytest.raises(ConfigError, match=r"room for only 17 of 18 windows of 10 bp.*--ratio"):
        match_gc_windows(windows, **arguments, rng=np.random.default_rng(0), ratio=9)


def test_no_positives_need_no_background(genome: FakeGenome) -> None:
    nothing = np.empty((0, 101), dtype=np.uint8)
    rng = np.random.default_rng(0)
    assert match_gc_windows(nothing, genome=genome, intervals=[], rng=rng) == []


fractions = st.integers(0, 30).map(lambda k: k / 30)


@given(st.lists(fractions, max_size=12), st.lists(fractions, min_size=12, max_size=40))
def test_each_target_gets_a_candidate_of_its_own(targets: list[float], pool: list[float]) -> None:
    chosen = negatives._assign_nearest(np.array(targets), np.array(pool))
    assert len(set(chosen.tolist())) == len(targets)
    assert set(chosen.tolist()) <= set(range(len(pool)))


@pytest.mark.parametrize("mean", [0.3, 0.45, 0.6, 0.75])
def test_assignment_is_near_the_best_there_is(mean: float) -> None:
    rng = np.random.default_rng(0)
    targets, pool = rng.binomial(101, mean, 40) / 101, rng.binomial(101, 0.45, 1600) / 101
    chosen = negatives._assign_nearest(targets, pool)
    cost = np.abs(targets[:, None] - pool)
    best = cost[optimize.linear_sum_assignment(cost)].mean()
    assert np.abs(targets - pool[chosen]).mean() <= 1.02 * best + 0.001


def test_a_target_with_equals_in_the_pool_gets_one() -> None:
    pool = np.repeat(np.arange(10) / 10, 3)
    targets = np.array([0.3, 0.9, 0.3, 0.0, 0.3, 0.5])
    np.testing.assert_array_equal(pool[negatives._assign_nearest(targets, pool)], targets)
