"""Motifs of detectors against a count by hand, and the importance of detectors."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import detector_shares, draw_codes, make_model, plant, plant_split

from seqcnn.architectures import ARCHITECTURES
from seqcnn.dna import UNKNOWN, encode, one_hot, reverse_complement
from seqcnn.engine import Engine
from seqcnn.filters import Judges, count_sites, extraction, learn_motifs
from seqcnn.filters import importance as importance_module
from seqcnn.filters import sites as site_module
from seqcnn.filters.importance import Knockout, measure_score
from seqcnn.filters.sites import FLANK, share_with_site
from seqcnn.metrics import auroc
from seqcnn.modelfile import TrainedModel
from seqcnn.training import TrainingConfig, train_members


def matching_detector(word: str, *, family: str = "deepbind", strands: str = "max", length=40):
    """A model whose first detector counts the letters of a word; the others are silent."""
    values = {"detectors": 3, "width": len(word), "hidden": 0}
    model = make_model(family, values=values, length=length, strands=strands)
    weights = {name: values * 0 for name, values in model.members[0].items()}
    weights["detectors"][0] = one_hot(encode(word))
    if family == "deepbind":
        weights["thresholds"][:] = [-len(word) / 2, -1, -1]  # half of the letters: not yet
        weights["head.1.weight"][0] = [1, 0.5, 0.25]
    else:
        for name in weights:
            weights[name] += "var" in name or name.endswith("norm.weight")
        weights["head.2.weight"][0] = 1
    return Engine(replace(model, members=(weights,)), threads=1)


SMALL = {"channels1": 6, "channels2": 8, "channels3": 8, "hidden1": 12, "hidden2": 12}


def learn(engine, codes, *, judged=None):
    """The motifs, judged by the model's own logits."""
    judges = Judges(codes if judged is None else judged)
    return list(learn_motifs(engine, codes, judges=judges).motifs)


def halves(number):
    """Targets of so many positives and as many negatives."""
    return np.repeat(np.array([1, 0], dtype=np.float32), number)[:, None]


def count_slowly(engine, codes, *, member=0):
    """Every window of either strand with more than half of the highest activation, by loops."""
    network = engine.torch.networks[member]
    width, padding = network.detector_width, network.detector_padding
    strands = [codes] if engine.spec.strands == "single" else [codes, reverse_complement(codes)]
    activations = []
    for strand in strands:
        with torch.no_grad():
            scores = network.detect(torch.from_numpy(one_hot(strand)))
            activations.append(network.activate(scores).numpy())
    number = len(network.detectors)
    pfms, sites = np.zeros((number, 4, width + 2 * FLANK)), np.zeros(number, dtype=int)
    for detector in range(number):
        highest = max(values[:, detector].max() for values in activations)
        for strand, values in zip(strands, activations, strict=True):
            for row, position in zip(
                *np.nonzero((values[:, detector] > highest / 2) & (values[:, detector] > 0)),
                strict=True,
            ):
                sites[detector] += 1
                begin = position - padding - FLANK
                for column in range(width + 2 * FLANK):
                    base = begin + column
                    if 0 <= base < codes.shape[1] and strand[row, base] < UNKNOWN:
                        pfms[detector, strand[row, base], column] += 1
    return pfms, sites


# Sites


@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize(
    ("family", "values"),
    [("motif", {}), ("deepbind", {}), ("deepbind", {"width": 9}), ("motif", {"detectors": 66})],
)
def test_sites_are_those_counted_by_hand(family, values, strands) -> None:
    model = make_model(family, values=values, strands=strands, members=2)
    engine = Engine(model, threads=2)
    engine.torch.block = 8
    codes = draw_codes(30, 20)
    for member in (0, 1):
        counted = count_sites(engine, codes, member=member)
        slow_pfms, slow_sites = count_slowly(engine, codes, member=member)
        np.testing.assert_array_equal(counted.sites, slow_sites)
        np.testing.assert_array_equal(counted.pfms, slow_pfms)
        np.testing.assert_array_equal(counted.positions.sum(axis=1), slow_sites)
        assert counted.sites.sum() > 0


@pytest.mark.parametrize("family", ["deepbind", "motif"])
def test_a_planted_word_and_its_flanks_are_found_on_both_strands(family) -> None:
    engine = matching_detector("GATTACA", family=family)
    codes = np.full((20, 40), encode("C")[0], dtype=np.uint8)
    codes[:, 15:26] = encode("AAGATTACATT")  # two more letters on either side
    codes[10:] = reverse_complement(codes[10:])
    motif = learn(engine, codes)[0]
    assert (motif.name, motif.sites) == ("detector1", 20)
    assert "AAGATTACATT" in motif.consensus
    assert motif.pfm.sum(axis=0).max() == 20


def test_sites_at_the_ends_of_a_sequence_have_no_flank() -> None:
    engine = matching_detector("GATTACA", length=12)
    codes = np.full((1, 12), UNKNOWN, dtype=np.uint8)
    codes[0, :7] = encode("GATTACA")
    counted = count_sites(engine, codes, member=0)
    pfms, sites = counted.pfms, counted.sites
    assert sites.tolist() == [1, 0, 0]
    assert pfms[0, :, :FLANK].sum() == 0
    np.testing.assert_array_equal(pfms[0, :, FLANK : FLANK + 7], one_hot(codes[0, :7]))
    assert pfms[0, :, FLANK + 7 :].sum() == 0


def test_half_a_site_over_the_end_is_aligned_at_its_detector() -> None:
    engine = matching_detector("GATTACA", length=12)
    weights = engine.torch.networks[0].thresholds.data
    weights[:] = torch.tensor([-3.0, -1, -1])
    codes = np.full((1, 12), UNKNOWN, dtype=np.uint8)
    codes[0, :5] = encode("TTACA")
    counted = count_sites(engine, codes, member=0)
    pfms, sites = counted.pfms, counted.sites
    assert sites[0] == 1
    np.testing.assert_array_equal(pfms[0, :, FLANK + 2 : FLANK + 7], one_hot(codes[0, :5]))


def test_a_detector_with_few_sites_has_no_motif() -> None:
    engine = matching_detector("GATTACA")
    for number, expected in ((9, 0), (10, 1)):
        codes = np.full((number, 40), encode("C")[0], dtype=np.uint8)
        codes[:, 15:22] = encode("GATTACA")
        learned = learn_motifs(engine, codes, judges=Judges(codes))
        assert len(learned.motifs) == expected
        few = {} if expected else {"detector1": 9}
        assert learned.unused == few | {"detector2": 0, "detector3": 0}


@pytest.mark.parametrize("waiting", [0, 50, 10**6])
def test_at_most_so_many_sites_the_strongest_are_taken(waiting, monkeypatch) -> None:
    engine = Engine(make_model(), threads=1)
    engine.torch.block = 8
    codes = draw_codes(40, 20)
    everything = site_module._find_sites(engine, codes, engine.torch.networks[0])[0]
    monkeypatch.setattr(site_module, "MOST_SITES", 15)
    monkeypatch.setattr(site_module, "_MOST_WAITING", waiting)
    kept = site_module._find_sites(engine, codes, engine.torch.networks[0])[0]
    for detector in range(5):
        own = everything[everything["detector"] == detector]
        strongest = own[np.argsort(-own["activation"], kind="stable")][:15]
        found = kept[kept["detector"] == detector]
        for column in ("row", "strand", "position", "activation"):
            np.testing.assert_array_equal(found[column], strongest[column])
    assert np.bincount(kept["detector"]).max() == 15


def test_a_detector_that_fires_everywhere_is_no_matter(monkeypatch) -> None:
    engine = matching_detector("GATTACA")
    engine.torch.networks[0].thresholds.data[:] = 5.0
    engine.torch.networks[0].detectors.data[:] = 0
    monkeypatch.setattr(site_module, "MOST_SITES", 100)
    monkeypatch.setattr(site_module, "_MOST_WAITING", 0)
    counted = count_sites(engine, draw_codes(20, 40), member=0)
    pfms, sites = counted.pfms, counted.sites
    assert sites.tolist() == [100, 100, 100]
    assert (pfms[0] == pfms[1]).all()


def test_sequences_of_n_and_no_sequences_have_no_sites() -> None:
    engine = matching_detector("GATTACA")
    for codes in (np.full((12, 40), UNKNOWN, np.uint8), np.empty((0, 40), np.uint8)):
        counted = count_sites(engine, codes, member=0)
        pfms, sites = counted.pfms, counted.sites
        assert pfms.shape == (3, 4, 27)
        assert pfms.sum() == 0
        assert learn(engine, codes, judged=draw_codes(5, 40)) == []
        if not len(codes):
            assert sites.tolist() == [0, 0, 0]


# Motifs


def test_motifs_are_named_for_their_member_and_sorted_by_importance() -> None:
    engine = Engine(make_model(members=2), threads=1)
    codes = draw_codes(60, 20)
    motifs = learn(engine, codes)
    for kept in (True, False):
        drops = [motif.importance for motif in motifs if (motif.duplicate_of == "") == kept]
        assert drops == sorted(drops, reverse=True)
    names = [motif.name for motif in motifs]
    assert len(set(names)) == len(names)
    assert {name.split("_")[0] for name in names} == {"member1", "member2"}
    assert all(motif.width >= 5 and len(motif.positions) == 20 for motif in motifs)
    alone = learn(Engine(make_model(), threads=1), codes)
    assert {motif.name for motif in alone} <= {f"detector{i}" for i in range(1, 6)}


def test_the_same_detector_in_two_members_is_one_motif_worth_both() -> None:
    one = matching_detector("GATTACA")
    both = Engine(replace(one.model, members=one.model.members * 2), threads=1)
    codes = plant(draw_codes(60, 40), "GATTACA")
    judges = Judges(np.concatenate([codes, draw_codes(60, 40, seed=1)]), halves(60))
    first, second = learn_motifs(both, codes, judges=judges).motifs
    assert (first.duplicate_of, second.duplicate_of) == ("", first.name)
    (alone,) = learn_motifs(one, codes, judges=judges).motifs
    assert first.importance == pytest.approx(alone.importance)
    assert alone.importance > 0.3
    assert second.importance < first.importance


def test_sites_are_enriched_and_counted_where_they_lie() -> None:
    engine = matching_detector("GATTACA")
    codes = draw_codes(100, 40, unknown=False)
    codes[:, 1:8] = encode("GATTACA")
    codes[50:] = reverse_complement(codes[50:])  # now at 32 to 39
    (motif,) = learn(engine, codes)
    assert motif.enrichment > 2
    assert motif.positions[2] >= 50  # the middle of the site is 4.5 of 40
    assert motif.positions[17] >= 50
    assert sum(motif.positions) == motif.sites


def test_the_share_with_a_site_is_that_of_count_sites() -> None:
    engine = Engine(make_model("deepbind"), threads=1)
    codes = draw_codes(50, 20)
    counted = count_sites(engine, codes, member=0)
    again = share_with_site(engine, codes, counted.least, member=0)
    np.testing.assert_array_equal(again, counted.rows)
    assert share_with_site(engine, codes[:0], counted.least, member=0).tolist() == [0] * 4


@pytest.mark.parametrize("strands", ["average", "max", "single"])
def test_the_convention_of_deepbind_is_counted_by_hand(strands) -> None:
    model = make_model("deepbind", strands=strands)
    engine = Engine(model, threads=1)
    engine.torch.block = 8
    codes = draw_codes(30, 20)
    counted = count_sites(engine, codes, member=0, convention="deepbind")
    network = engine.torch.networks[0]
    single = Engine(replace(model, spec=replace(model.spec, strands="single")), threads=1)
    sides = [codes] if strands == "single" else [codes, reverse_complement(codes)]
    logits = np.stack([single.predict(side).logits[:, 0] for side in sides])
    pfms = np.zeros(counted.pfms.shape)
    for row, strand in enumerate(logits.argmax(axis=0)):
        one = one_hot(sides[strand][row : row + 1])
        with torch.no_grad():
            scores = network.detect(torch.from_numpy(one)).numpy()[0]
        padded = np.pad(one[0], ((0, 0), (4, 4)), constant_values=0.25)
        for detector, values in enumerate(scores):
            if values.max() > 0:
                start = values.argmax()
                pfms[detector] += padded[:, start : start + 5]
    for detector in range(4):
        if counted.sites[detector]:
            pfms[detector] += 1e-4
    np.testing.assert_allclose(counted.pfms, pfms)
    assert counted.sites.max() > 20
    learned = learn_motifs(engine, codes, judges=Judges(codes), convention="deepbind")
    assert all(motif.width <= 5 for motif in learned.motifs)


def test_the_background_is_that_of_the_strands_looked_at() -> None:
    codes = np.zeros((12, 20), dtype=np.uint8)
    codes[:, :5] = 1
    codes[0, 0] = UNKNOWN
    counts = np.array([180, 59, 0, 0]) + 1.0
    single = extraction.measure_background(codes, "single")
    assert single == pytest.approx(counts / counts.sum())
    both = extraction.measure_background(codes, "max")
    assert both == pytest.approx((counts + counts[::-1]) / counts.sum() / 2)


# Importance


@pytest.mark.parametrize("strands", ["average", "single"])
@pytest.mark.parametrize("family", ["motif", "deepbind"])
def test_shares_of_a_linear_head_add_up_to_one(family, strands) -> None:
    values = {"hidden": 0}
    model = make_model(family, strands=strands, members=2, tasks=("a", "b"), values=values)
    engine = Engine(model, threads=1)
    codes = draw_codes(50, 20)
    assert detector_shares(engine, codes).sum() == pytest.approx(1)
    logits = engine.predict(codes).logits
    targets = (logits + np.random.default_rng(0).normal(size=logits.shape)).astype(np.float32)
    targets[::7, 0] = np.nan
    assert detector_shares(engine, codes, targets).sum() == pytest.approx(1)


def test_a_share_is_what_is_lost_without_the_detector() -> None:
    model = make_model("deepbind", strands="single")
    engine = Engine(model, threads=1)
    codes = draw_codes(40, 20)
    logits = engine.predict(codes).members[0]
    targets = (logits > np.median(logits)).astype(np.float32)
    (features,) = engine.torch.features(codes, member=0)
    weights = model.members[0]["head.1.weight"][0]
    parts = [np.cov(features[:, d] * w, targets[:, 0])[0, 1] for d, w in enumerate(weights)]
    shares = detector_shares(engine, codes, targets)[0]
    np.testing.assert_allclose(shares, np.array(parts) / np.sum(parts), rtol=1e-6)


@pytest.mark.parametrize("targets", ["reversed", "constant", "missing"])
@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize("values", [{}, {"hidden": 4, "pooling": "max_mean"}])
def test_a_model_that_learned_nothing_has_importances_of_its_own_logits(
    targets, strands, values
) -> None:
    engine = Engine(make_model("deepbind", strands=strands, values=values), threads=1)
    codes = draw_codes(40, 20)
    logits = engine.predict(codes).logits
    wrong = {"reversed": -logits, "constant": logits * 0, "missing": logits * np.nan}[targets]
    shares = detector_shares(engine, codes, wrong.astype(np.float32))[0]
    np.testing.assert_array_equal(shares, detector_shares(engine, codes)[0])
    assert np.isfinite(shares).all()
    assert shares.any()


def test_a_silent_model_has_no_importance() -> None:
    engine = matching_detector("GATTACA")
    codes = np.full((12, 40), UNKNOWN, np.uint8)
    assert detector_shares(engine, codes, np.ones((12, 1), np.float32)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("strands", ["average", "max", "single"])
@pytest.mark.parametrize("family", ["motif", "deepbind"])
def test_without_a_detector_its_features_are_at_their_mean(family, strands) -> None:
    engine = Engine(make_model(family, strands=strands, members=2), threads=1)
    codes = draw_codes(40, 20)
    knockout = Knockout(engine, codes)
    whole = knockout.logits.copy()
    np.testing.assert_allclose(whole, engine.predict(codes).members, rtol=1e-4)
    without = knockout.without({1: [0, 2]})
    np.testing.assert_array_equal(without[0], whole[0])
    features = engine.torch.features(codes, member=1)
    columns = [c for d in (0, 2) for c in engine.torch.networks[1].features_of(d)]
    mean = torch.cat(features)[:, columns].mean(dim=0)
    for strand in features:
        strand[:, columns] = mean
    expected = engine.torch.weigh(features, member=1).numpy()
    np.testing.assert_array_equal(without[1], expected)
    np.testing.assert_array_equal(knockout.without({}), whole)  # all is as it was


@pytest.mark.parametrize("strands", ["average", "single"])
def test_without_a_detector_of_a_deep_network_is_right_to_first_order(strands) -> None:
    model = make_model("alexnet", length=60, strands=strands, tasks=("a", "b"), values=SMALL)
    weights = {k: v * (0.02 if k.startswith("trunk.0") else 1) for k, v in model.members[0].items()}
    engine = Engine(replace(model, members=(weights,)), threads=1)
    codes = draw_codes(30, 60)
    knockout = Knockout(engine, codes)
    network = engine.torch.networks[0]
    with torch.no_grad():
        strand = torch.from_numpy(one_hot(codes))
        sides = [strand, strand.flip(1, 2)][: 1 if strands == "single" else 2]
        inputs = [network.activate(network.detect(side)) for side in sides]
        mean = torch.stack([values.mean(dim=(0, 2)) for values in inputs]).mean(dim=0)
        for values in inputs:
            values[:, 1] = mean[1]
        logits = [network.head(network.pool_activations(values)) for values in inputs]
        exact = torch.stack(logits).mean(dim=0).numpy()
    change = exact - knockout.logits[0]
    estimate = knockout.without({0: [1]})[0] - knockout.logits[0]
    assert np.corrcoef(change.ravel(), estimate.ravel())[0, 1] > 0.9


def test_a_score_is_the_mean_auroc_or_correlation_over_the_tasks() -> None:
    rng = np.random.default_rng(0)
    logits, whole = rng.normal(size=(2, 50, 2))
    targets = np.stack([rng.integers(0, 2, 50), rng.normal(size=50)], axis=1).astype(np.float32)
    targets[3, 0] = np.nan
    known = ~np.isnan(targets[:, 0])
    first = auroc(targets[known, 0], logits[known, 0])
    second = np.corrcoef(targets[:, 1], logits[:, 1])[0, 1]
    assert measure_score(targets, logits, whole) == pytest.approx((first + second) / 2)
    assert measure_score(targets * np.nan, logits, whole) != measure_score(targets, logits, whole)
    assert measure_score(None, whole, whole) == pytest.approx(1)
    assert measure_score(targets[:, :1], whole, whole) == pytest.approx(1)
    assert np.isnan(measure_score(np.ones((50, 2)), logits, whole))


def test_many_sequences_are_thinned_out_evenly(monkeypatch) -> None:
    engine = Engine(make_model(), threads=1)
    codes = draw_codes(61, 20)
    targets = engine.predict(codes).logits.astype(np.float32)
    monkeypatch.setattr(importance_module, "_MOST_ROWS", 13)
    thinned = detector_shares(engine, codes, targets)[0]
    np.testing.assert_array_equal(thinned, detector_shares(engine, codes[::5], targets[::5])[0])


@pytest.mark.parametrize("architecture", ["motif", "deepbind"])
def test_a_network_trained_for_an_instant_warns_of_nothing(architecture) -> None:
    split = plant_split(sizes=(60, 30, 4))
    model = make_model(architecture, length=30)
    config = TrainingConfig(steps=3, batch_size=16)
    members, _ = train_members(split, model.spec, config, device=torch.device("cpu"), threads=1)
    engine = Engine(TrainedModel(model.spec, members), threads=1)
    data = split.validation
    shares = detector_shares(engine, data.sequences.codes, data.targets)[0]
    assert np.isfinite(shares).all()


def test_the_motif_that_was_planted_is_the_first() -> None:
    split = plant_split("TGACGTCA")
    model = make_model(length=30, values={"detectors": 16, "width": 8})
    config = TrainingConfig(steps=150, batch_size=64, learning_rate=1e-2)
    members, _ = train_members(split, model.spec, config, device=torch.device("cpu"), threads=1)
    engine = Engine(TrainedModel(model.spec, members), threads=1)
    data = split.validation
    judges = Judges(data.sequences.codes, data.targets)
    first = learn_motifs(engine, split.train.sequences.codes, judges=judges).motifs[0]
    assert first.importance > 0.05
    assert "TGACGT" in first.consensus or "ACGTCA" in first.consensus


def test_a_regression_has_motifs_too() -> None:
    model = make_model("deepbind", task_kind="regression", centre=(100.0,), scale=(20.0,))
    engine = Engine(model, threads=1)
    codes = draw_codes(60, 20)
    values = engine.predict(codes).logits.astype(np.float32)
    shares = detector_shares(engine, codes, values)[0]
    np.testing.assert_allclose(shares, detector_shares(engine, codes)[0], rtol=1e-4)
    assert learn_motifs(engine, codes, judges=Judges(codes, values)).motifs


FAMILIES = [(name, {}) for name in ARCHITECTURES if name not in ("gkm", "motif", "deepbind")]


@pytest.mark.parametrize(("family", "values"), [*FAMILIES, ("alexnet", {"stride": 2})])
def test_every_family_with_a_first_convolution_has_motifs(family, values) -> None:
    small = {"channels1": 8, "channels": 8}
    fields = {field.name for field in dataclasses.fields(ARCHITECTURES[family])}
    small = {key: value for key, value in small.items() if key in fields}
    engine = Engine(make_model(family, values=small | values, length=101), threads=1)
    codes = draw_codes(30, 101)
    learned = learn_motifs(engine, codes, judges=Judges(codes))
    number = len(engine.torch.networks[0].detectors)
    assert len(learned.motifs) + len(learned.unused) == number
    assert learned.motifs
    assert all(np.isfinite([motif.importance, motif.share]).all() for motif in learned.motifs)
