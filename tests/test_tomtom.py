"""Tomtom's statistics against enumeration by hand, and what a match is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seqcnn.filters import match_motifs
from seqcnn.motifs import Motif, ppm, reverse_complement_motif
from seqcnn.motifs.collections import read_known_motifs
from seqcnn.motifs.tomtom import Collection


def draw(rng, width, name="m"):
    return Motif(name, rng.dirichlet([0.4] * 4, width).T * 50, 50)


def draw_many(seed, widths):
    rng = np.random.default_rng(seed)
    return [draw(rng, width, f"m{i}") for i, width in enumerate(widths)]


def spell(consensus, name="query"):
    pfm = np.full((4, len(consensus)), 2.0)
    for position, letter in enumerate(consensus):
        pfm[:, position] = 25 if letter == "N" else pfm[:, position]
        if letter != "N":
            pfm["ACGT".index(letter), position] = 94
    return Motif(name, pfm, 100)


def steps(query, targets, strands):
    """Scores of each query column against each column of all targets, in steps of the range."""
    columns = np.concatenate([ppm(t) for t in targets], axis=1).T
    sides = [columns, columns[:, ::-1]][: len(strands)]
    every = np.concatenate(sides)
    scores = np.array([[-np.linalg.norm(q - c) for c in every] for q in ppm(query).T])
    scores -= np.median(scores, axis=1)[:, None]
    return np.rint(scores / ((scores.max() - scores.min()) / 100)).astype(int)


def compare_slowly(query, targets, strands):
    """Every alignment by loops; its null distribution by going through all draws of columns."""
    scores = steps(query, targets, strands)
    chances = []
    for row in scores:
        values, counts = np.unique(row, return_counts=True)
        chances.append(list(zip(values.tolist(), (counts / len(row)).tolist(), strict=True)))
    width, half = query.width, sum(t.width for t in targets)
    found, start = [], 0
    for target in targets:
        size, options, below = target.width, [], {}
        for strand, offset in itertools.product(range(len(strands)), range(1 - size, width)):
            over = range(max(0, offset), min(width, offset + size))
            score = 0
            for i in over:
                j = i - offset if strand == 0 else size - 1 - (i - offset)
                score += scores[i, strand * half + start + j]
            options.append((score, -strand, -offset, len(over)))
            below[strand, offset] = over
        best = max(options)
        log = 1.0
        for (strand, _), over in below.items():
            if strand == 0:
                chance = 0.0
                for draws in itertools.product(*(chances[i] for i in over)):
                    if sum(value for value, _ in draws) >= best[0]:
                        chance += float(np.prod([share for _, share in draws]))
                log *= 1 - chance
        p = 1 - log ** len(strands)
        found.append((p, -best[2], best[3], best[1] == -1))
        start += size
    return found


@pytest.mark.parametrize("strands", ["+", "+-"])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_p_values_are_those_of_all_draws_of_columns(width, strands) -> None:
    targets = draw_many(0, [1, 2, 3, 2, 4])
    query = draw(np.random.default_rng([1, width]), width)
    found = Collection(targets, strands=strands).compare(query)
    slow = compare_slowly(query, targets, strands)
    np.testing.assert_allclose(found.p, [each[0] for each in slow], rtol=1e-9)
    assert found.offset.tolist() == [each[1] for each in slow]
    assert found.overlap.tolist() == [each[2] for each in slow]
    assert found.reverse.tolist() == [each[3] for each in slow]


def test_chance_motifs_have_even_p_values() -> None:
    targets = draw_many(3, [9] * 60)
    columns = np.concatenate([ppm(t) for t in targets], axis=1)
    rng = np.random.default_rng(4)
    chance = [Motif("q", columns[:, rng.integers(0, columns.shape[1], 9)] * 50, 50)
              for _ in range(400)]  # fmt: skip
    query = draw(rng, 8)
    p = Collection([*targets, *chance], strands="+").compare(query).p[60:]
    # Not exactly even, for the alignments of a pair are not quite independent.
    for level in (0.02, 0.1, 0.3, 0.7):
        assert level / 2 < (p < level).mean() < 1.5 * level


def test_a_motif_is_found_shifted_and_on_the_other_strand() -> None:
    targets = [*draw_many(5, [8] * 60), spell("GGTGACTCATCC", "AP1")]
    (match,) = match_motifs([spell("TGACTCA")], targets, most=1)[0]
    assert (match.target.name, match.offset, match.strand, match.overlap) == ("AP1", -2, "+", 7)
    assert match.p <= match.q < 1e-3
    turned = reverse_complement_motif(spell("GTGACTCATC"))
    (match,) = match_motifs([turned], targets, most=1)[0]
    assert (match.target.name, match.offset, match.strand, match.overlap) == ("AP1", -1, "-", 10)


def test_one_strand_is_not_turned() -> None:
    targets = [*draw_many(5, [8] * 60), spell("GGTGACGGATCC", "one")]
    turned = reverse_complement_motif(spell("GGTGACGGATCC"))
    both, single = (match_motifs([turned], targets, strands=s)[0][0] for s in ("+-", "+"))
    assert both.target.name == "one"
    assert single.q > both.q
    assert single.strand == "+"


@given(arrays(np.float64, (4, 3), elements=st.floats(0, 10)).filter(lambda m: m.sum() > 1),
       st.integers(1, 4))  # fmt: skip
def test_p_values_are_probabilities(counts, most) -> None:
    targets = draw_many(6, [1, 5, 7])
    found = Collection(targets).compare(Motif("q", counts, 5))
    assert ((found.p >= 0) & (found.p <= 1)).all()
    matches = match_motifs([Motif("q", counts, 5)], targets, most=most)[0]
    assert len(matches) == min(most, 3)
    assert [m.p for m in matches] == sorted(found.p)[:most]


def test_a_motif_like_every_other_has_p_one() -> None:
    same = [Motif("a", np.ones((4, 3)), 4), Motif("b", np.ones((4, 5)), 4)]
    assert Collection(same).compare(same[0]).p.tolist() == [1, 1]


@pytest.mark.data
def test_a_draw_of_a_known_motif_is_recognised(data_dir) -> None:
    known = read_known_motifs(str(data_dir / "motifs/JASPAR2024_CORE_fungi_nr.meme")).motifs
    rng = np.random.default_rng(0)
    chosen = [motif for motif in known if motif.width >= 8][::10]
    drawn = []
    for motif in chosen:
        shares = ppm(motif).T / ppm(motif).sum(axis=0)[:, None]
        counts = np.stack([rng.multinomial(100, column) for column in shares])
        drawn.append(Motif(motif.name, counts.T, 100))
    found = match_motifs(drawn, known, most=1)
    assert np.mean([f[0].target.name == m.name for f, m in zip(found, chosen, strict=True)]) > 0.8
    assert all(f[0].q < 0.05 for f in found)
