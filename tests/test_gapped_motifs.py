"""Motifs of gapped k-mers, and what they are worth in a mixture."""

from dataclasses import replace

import numpy as np
import pytest
from test_filters import halves, matching_detector
from test_mixed_members import mix
from tiny_models import draw_codes, plant

from seqcnn.architectures import configure
from seqcnn.dna import UNKNOWN, encode, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.gkm import fold_scores
from seqcnn.engine.gkm_kernels import turn_lmers
from seqcnn.filters import Judges, learn_motifs
from seqcnn.filters.extraction import Sample
from seqcnn.filters.gapped import GappedPart
from seqcnn.metrics import auroc
from seqcnn.modelfile import ModelSpec, TrainedModel

WIDTH, WORD = 7, "GATTACA"


def gapped_model(word: str = WORD, *, members: int = 1, tasks: int = 1) -> TrainedModel:
    """Gapped k-mers where an l-mer scores the more, the more letters it shares with a word."""
    config = configure("gkm", {"width": str(WIDTH), "informative": "4"})
    every = np.arange(4**WIDTH)
    letters = every[:, None] // 4 ** np.arange(WIDTH - 1, -1, -1) % 4
    alike = (letters == encode(word)).sum(axis=1) - WIDTH / 2
    rng = np.random.default_rng(5)
    weights = []
    for _ in range(members):
        scores = np.maximum(alike, 0) ** 3 + rng.normal(size=(tasks, 4**WIDTH))
        scores = fold_scores(scores + scores[:, turn_lmers(WIDTH)], WIDTH)
        weights.append({"scores": scores.astype(np.float32), "bias": np.ones(tasks, np.float32)})
    names = tuple(f"task{i}" for i in range(tasks)) if tasks > 1 else ("site",)
    kind = "multilabel" if tasks > 1 else "binary"
    return TrainedModel(ModelSpec("gkm", config, kind, names, 40, "average"), tuple(weights))


def network(word: str) -> TrainedModel:
    """A network whose first detector knows a word, and says the more, the more of it is there."""
    model = matching_detector(word, family="motif", strands="average").model
    weights = dict(model.members[0])
    weights["norm.bias"] = weights["norm.bias"] - len(word) / 2
    weights["head.0.weight"] = weights["head.0.weight"] + 1
    weights["head.2.weight"] = weights["head.2.weight"] * [1, 1, 0, 0, 0, 0]
    weights = {name: values.astype(np.float32) for name, values in weights.items()}
    return replace(model, spec=replace(model.spec, tasks=("site",)), members=(weights,))


def test_the_planted_word_is_found() -> None:
    codes = plant(draw_codes(80, 40), WORD)
    judges = Judges(np.concatenate([codes, draw_codes(80, 40, seed=1)]), halves(80))
    learned = learn_motifs(Engine(gapped_model(), threads=1), codes, judges=judges)
    first = learned.motifs[0]
    assert first.name == "gapped1"
    assert WORD in first.consensus or "TGTAATC" in first.consensus
    assert first.importance > 0.2
    assert first.share > 0.3
    assert learned.unused == {}


@pytest.mark.parametrize("scale", [(), (2.0, 3.0)])
def test_what_is_lost_without_a_motif_is_that_of_its_windows(scale) -> None:
    model = gapped_model(members=2, tasks=2)
    model = replace(model, spec=replace(model.spec, scale=scale))
    engine = Engine(model, threads=1)
    codes = plant(draw_codes(30, 40), WORD)
    codes[0] = UNKNOWN
    part = GappedPart(engine, Sample(codes, codes), prefix="")
    logits = engine.predict(codes).members
    found = part.lost_without(["gapped1"])
    expected = np.zeros_like(found)
    for row in range(1, len(codes)):
        for member in range(2):
            expected[row] += lose_slowly(engine, codes[row], member=member)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(part.logits, logits)
    # No window is counted for two motifs.
    names = [motif.name for motif in part.motifs]
    assert len(names) > 1
    each = sum(part.lost_without([name]) for name in names)
    np.testing.assert_allclose(part.lost_without(names), each, atol=1e-9)


def lose_slowly(engine, codes, *, member):
    """What windows that touch the word add to a logit: their share in the sum of all windows."""
    table = engine._backend.tables[member]
    mean = np.mean([(t.scores * t.steps).mean(axis=1) for t in engine._backend.tables], axis=0)
    powers = 4 ** np.arange(WIDTH - 1, -1, -1)
    seed = encode(WORD)
    silent, lmers = set(), []
    for i in range(len(codes) - WIDTH + 1):
        window = codes[i : i + WIDTH]
        known = UNKNOWN not in window
        lmers.append(int(window.astype(int) @ powers) if known else -1)
        for strand in (window, reverse_complement(window[None])[0]):
            enough = known and mean[lmers[-1]] >= mean[int(seed.astype(int) @ powers)] / 2
            if enough and (strand != seed).sum() <= 3:
                silent |= set(range(i - WIDTH // 2, i + WIDTH // 2 + 1))
    score = table.scores * table.steps
    whole = sum(score[lmer] for lmer in lmers if lmer >= 0)
    lost = sum(score[lmer] for i, lmer in enumerate(lmers) if lmer >= 0 and i in silent)
    logit = engine.predict(codes[None]).members[member, 0]
    return lost / whole * (logit - table.bias * (engine.spec.scale or 1.0))


def test_members_of_all_families_make_one_list() -> None:
    """Two networks of different widths and gapped k-mers, all of which know one word."""
    wide = network(WORD + "CC")
    wide = replace(wide, spec=replace(wide.spec, scale=(3.0,)))
    engine = Engine(mix(network(WORD), wide, gapped_model()), threads=1)
    codes = plant(draw_codes(80, 40), WORD + "CC")
    judges = Judges(np.concatenate([codes, draw_codes(80, 40, seed=1)]), halves(80))
    learned = learn_motifs(engine, codes, judges=judges)
    names = [motif.name for motif in learned.motifs] + list(learned.unused)
    assert len(set(names)) == len(names)
    assert {"motif_member1_detector1", "motif_member2_detector1", "gkm_gapped1"} <= set(names)
    first = learned.motifs[0]
    group = [m for m in learned.motifs if first.name in (m.name, m.duplicate_of)]
    assert {motif.name.split("_detector")[0] for motif in group} == {
        "motif_member1",
        "motif_member2",
        "gkm_gapped1",
    }
    assert first.importance == max(motif.importance for motif in learned.motifs)
    assert first.importance > max(motif.importance for motif in group[1:])
    assert sum(motif.share for motif in group) > 0.5


def test_importance_is_what_the_whole_mixture_loses() -> None:
    other = network("CCCCCCC")
    other = replace(other, spec=replace(other.spec, centre=(1.0,), scale=(0.5,)))
    engine = Engine(mix(network(WORD), other), threads=1)
    codes = plant(draw_codes(80, 40), WORD)
    codes[::2] = plant(codes[::2], "CCCCCCC")
    judged = np.concatenate([codes, draw_codes(80, 40, seed=1)])
    targets = halves(80)
    learned = learn_motifs(engine, codes, judges=Judges(judged, targets))
    found = {motif.name: motif for motif in learned.motifs}
    logits = engine.predict(judged).members[:, :, 0]
    whole = auroc(targets[:, 0], logits.mean(axis=0))
    # Each network has one detector that says something: without it, nothing is left of it.
    for name, left in (("motif_member1_detector1", 1), ("motif_member2_detector1", 0)):
        drop = whole - auroc(targets[:, 0], logits[left])
        assert found[name].importance == pytest.approx(drop, abs=0.01)
        lost = np.cov(logits[1 - left], targets[:, 0])[0, 1]
        signal = np.cov(logits.sum(axis=0), targets[:, 0])[0, 1]
        assert found[name].share == pytest.approx(lost / signal, rel=1e-3)
