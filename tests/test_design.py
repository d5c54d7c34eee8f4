"""Designs: better by the engine, within the rules."""

from pathlib import Path

import numpy as np
import pytest
from builders import write_fasta
from commands import read_tsv, refused, seqcnn
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import draw_codes, make_model

from seqcnn.design import Rules, design_sequence, parse_word
from seqcnn.dna import decode, encode, reverse_complement
from seqcnn.engine import Engine
from seqcnn.errors import ConfigError


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(make_model(length=24, members=2))


@given(
    letters=st.text("ACGTN", min_size=1, max_size=30),
    word=st.text("ACGTRYN", min_size=1, max_size=4),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
)
def test_violations_of_mutants_are_those_of_each(
    letters: str, word: str, low: float, high: float
) -> None:
    rules = Rules(5, tuple(parse_word(word)), (min(low, high), max(low, high)))
    codes = encode(letters)
    found = rules.mutant_violations(codes)
    for place in range(len(codes)):
        for base in range(4):
            mutant = codes.copy()
            mutant[place] = base
            assert found[place, base] == rules.count_violations(mutant)


def test_words_are_forbidden_on_both_strands() -> None:
    rules = Rules(1, tuple(parse_word("GGRT")))
    for letters, count in (("AAGGATAA", 1), ("TTATCCTT", 1), ("GGATATCC", 2), ("GGCTNGGA", 0)):
        assert rules.count_violations(encode(letters)) == count
        turned = decode(reverse_complement(encode(letters)))
        assert rules.count_violations(encode(turned)) == count
    assert len(parse_word("GAATTC")) == 1
    with pytest.raises(ConfigError, match="IUPAC"):
        parse_word("GAXTC")


@pytest.mark.parametrize("minimise", [False, True])
def test_greedy_makes_the_best_substitution_each_time(engine: Engine, minimise: bool) -> None:
    start = draw_codes(1, 24, seed=1, unknown=False)[0]
    design = design_sequence(engine, start, Rules(3), minimise=minimise)
    assert design.edits <= 3
    codes, best = start.copy(), max if not minimise else min
    for change in design.changes:
        mutants = engine.predict_mutants(codes[None])[..., 0].mean(axis=0)[0]
        used = np.flatnonzero(codes != start)
        free = range(24) if len(used) < 3 else used
        assert change.logit == pytest.approx(best(mutants[p, b] for p in free for b in range(4)))
        codes[change.place] = change.alt
    np.testing.assert_array_equal(codes, design.codes)
    assert design.logit == pytest.approx(engine.predict(codes[None]).logits[0, 0], abs=1e-5)
    assert (design.logit < design.start_logit) == minimise


@pytest.mark.parametrize("method", ["greedy", "gradient"])
def test_rules_hold(engine: Engine, method: str) -> None:
    rules = Rules(24, tuple(parse_word("AC") + parse_word("GGG")), (0.3, 0.4))
    for seed in range(3):
        start = draw_codes(1, 24, seed=seed, unknown=False)[0]
        design = design_sequence(engine, start, rules, method=method)
        assert design.violations == rules.count_violations(design.codes) == 0
        assert design.changes


def test_unknown_bases_stay(engine: Engine) -> None:
    start = draw_codes(1, 24, seed=4)[0]
    start[5] = 4
    assert design_sequence(engine, start, Rules(24)).codes[5] == 4


def test_the_command_writes_designs(model: Path, tmp_path: Path) -> None:
    words = ["design", "-m", model, "--random", 3, "--edits", 6, "--forbid", "GAATTC"]
    words += ["--gc", "0.3-0.7"]
    seqcnn(*words, "-o", tmp_path / "out")
    rows = read_tsv(tmp_path / "out" / "designs.tsv")
    assert [row["name"] for row in rows] == ["design1", "design2", "design3"]
    for row in rows:
        assert float(row["logit"]) > float(row["start_logit"])
        assert int(row["edits"]) <= 6
        assert row["violations"] == "0"
        assert 0.3 <= float(row["gc"]) <= 0.7
    scored = seqcnn("predict", "-m", model, tmp_path / "out" / "designs.fa").stdout
    logits = [float(line.split("\t")[2]) for line in scored.splitlines()[1:]]
    np.testing.assert_allclose(logits, [float(row["logit"]) for row in rows], rtol=1e-4)
    first = (tmp_path / "out" / "designs.fa").read_bytes()
    seqcnn(*words, "-o", tmp_path / "out", "--force")
    assert (tmp_path / "out" / "designs.fa").read_bytes() == first
    seqcnn(*words, "--seed", 1, "-o", tmp_path / "other")
    assert (tmp_path / "other" / "designs.fa").read_bytes() != first


def test_what_does_not_fit_is_refused(model: Path, tmp_path: Path) -> None:
    words = ["design", "-m", model, "-o", tmp_path / "out"]
    short = write_fasta(tmp_path / "short.fa", [("s", "ACGT")])
    assert "4 bases" in refused(tmp_path, *words, "--sequences", short)
    assert "LOW-HIGH" in refused(tmp_path, *words, "--gc", "0.6-0.4")
    assert "IUPAC" in refused(tmp_path, *words, "--forbid", "X")
    both = ["--sequences", short, "--random", 2]
    assert "both" in refused(tmp_path, *words, *both)
