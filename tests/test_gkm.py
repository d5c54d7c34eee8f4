"""Gapped k-mers, against dictionaries of them in plain Python and scikit-learn's solver."""

import itertools
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from seqcnn.architectures import configure
from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.gkm import fold_scores, unfold_scores
from seqcnn.engine.gkm_kernels import turn_lmers
from seqcnn.errors import ConfigError, ModelFileError
from seqcnn.genome import Haplotypes, cut_haplotypes, gather_windows
from seqcnn.modelfile import ModelSpec, TrainedModel
from seqcnn.training.gkm import fit_logits
from seqcnn.training.gkm_solver import GappedSequences, Problem, minimise

SMALL = {"width": "5", "informative": "3"}
Gapped = Counter[tuple[tuple[int, ...], tuple[int, ...]]]


def config_of(**settings: object) -> GkmConfig:
    config = configure("gkm", {name: str(value) for name, value in settings.items()})
    assert isinstance(config, GkmConfig)
    return config


def list_gapped(codes: Codes, config: GkmConfig, *, both: bool = True) -> Gapped:
    """Count the gapped k-mers of a sequence, one at a time."""
    found: Gapped = Counter()
    for strand in [codes, reverse_complement(codes)][: 2 if both else 1]:
        for start in range(len(strand) - config.width + 1):
            lmer = strand[start : start + config.width]
            if (lmer < UNKNOWN).all():
                for places in itertools.combinations(range(config.width), config.informative):
                    found[places, tuple(lmer[list(places)].tolist())] += 1
    return found


def features(sequences: Codes, config: GkmConfig, *, both: bool = True) -> NDArray[np.float64]:
    """Lay the counts of sequences out as rows of length 1."""
    counts = [list_gapped(codes, config, both=both) for codes in sequences]
    columns = {name: i for i, name in enumerate(sorted(set().union(*counts)))}
    rows = np.zeros((len(counts), len(columns)))
    for row, count in zip(rows, counts, strict=True):
        for name, number in count.items():
            row[columns[name]] = number
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def draw(rng: np.random.Generator, *shape: int, unknown: bool = False) -> Codes:
    return rng.integers(0, 5 if unknown else 4, shape).astype(np.uint8)


def random_model(
    rng: np.random.Generator, *, both: bool, tasks: int = 2, length: int = 23
) -> TrainedModel:
    config = config_of(**SMALL)
    scores = rng.normal(size=(tasks, 4**config.width))
    if both:
        scores = fold_scores(scores + scores[:, turn_lmers(config.width)], config.width)
    bias = rng.normal(size=tasks)
    spec = ModelSpec(
        "gkm",
        config,
        "binary" if tasks == 1 else "multilabel",
        tuple(f"task{i}" for i in range(tasks)),
        length,
        "average" if both else "single",
    )
    member = {"scores": scores.astype(np.float32), "bias": bias.astype(np.float32)}
    return TrainedModel(spec, (member, {**member, "bias": member["bias"] + 1}))


def score_slowly(model: TrainedModel, sequences: Codes) -> NDArray[np.float64]:
    """Sum the scores of l-mers by the length of their gapped k-mers: (n, tasks)."""
    config = model.spec.config
    assert isinstance(config, GkmConfig)
    both = model.spec.strands != "single"
    scores = model.members[0]["scores"].astype(np.float64)
    table = unfold_scores(scores, config.width) if both else scores
    rows = []
    for codes in sequences:
        total = np.zeros(len(table))
        for start in range(len(codes) - config.width + 1):
            lmer = codes[start : start + config.width]
            if (lmer < UNKNOWN).all():
                number = int("".join(map(str, lmer.tolist())), 4)
                total += table[:, number]
        counts = list_gapped(codes, config, both=both)
        square = sum(n * n for n in counts.values()) / (2 if both else 1)
        rows.append(model.members[0]["bias"] + total / np.sqrt(max(square, 1)))
    return np.array(rows)


@pytest.mark.parametrize("both", [True, False])
def test_kernel_is_that_of_listed_gapped_kmers(both: bool) -> None:
    rng = np.random.default_rng(3)
    sequences = draw(rng, 12, 19)
    sequences[4, 7] = UNKNOWN
    config = config_of(**SMALL)
    listed = features(sequences, config, both=both)
    laid = GappedSequences(sequences, config, both=both)
    found = np.stack([laid.score(laid.score_lmers(row)) for row in np.eye(12)])
    assert np.allclose(found, listed @ listed.T, atol=1e-12)


@pytest.mark.parametrize(("width", "informative"), [(2, 1), (4, 4), (6, 2), (7, 5)])
def test_kernel_of_other_sizes(width: int, informative: int) -> None:
    rng = np.random.default_rng(5)
    sequences = draw(rng, 6, 15)
    config = config_of(width=width, informative=informative)
    listed = features(sequences, config)
    laid = GappedSequences(sequences, config, both=True)
    found = np.stack([laid.score(laid.score_lmers(row)) for row in np.eye(6)])
    assert np.allclose(found, listed @ listed.T, atol=1e-12)


def pose(
    laid: GappedSequences, targets: NDArray[np.float64], cost: float, *, hinge: bool
) -> Problem:
    def product(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        return laid.score(laid.score_lmers(amounts)) + amounts.sum()

    return Problem(product, targets, np.full(len(targets), cost), hinge)


def test_solver_finds_what_liblinear_finds() -> None:
    svm = pytest.importorskip("sklearn.svm")
    rng = np.random.default_rng(7)
    sequences = draw(rng, 80, 25)
    labels = np.where(np.arange(80) < 40, 1.0, -1.0)
    sequences[:40, 8:14] = [0, 1, 1, 0, 3, 2]
    config = config_of(**SMALL)
    listed = features(sequences, config)
    oracle = svm.LinearSVC(C=0.7, loss="squared_hinge", dual=True, tol=1e-9, max_iter=100_000)
    oracle.fit(listed, labels)
    laid = GappedSequences(sequences, config, both=True)
    _, scores = minimise(pose(laid, labels, 0.7, hinge=True), tolerance=1e-9)
    assert np.allclose(scores, oracle.decision_function(listed), atol=2e-4)


def test_ridge_is_the_solution_of_its_equations() -> None:
    rng = np.random.default_rng(8)
    sequences, values = draw(rng, 40, 20), rng.normal(size=40)
    config = config_of(**SMALL)
    listed = np.column_stack([features(sequences, config), np.ones(40)])
    weights = np.linalg.solve(
        listed.T @ listed + np.eye(listed.shape[1]) / (2 * 0.7), listed.T @ values
    )
    laid = GappedSequences(sequences, config, both=True)
    _, scores = minimise(pose(laid, values, 0.7, hinge=False), tolerance=1e-9)
    assert np.allclose(scores, listed @ weights, atol=1e-5)


@pytest.mark.parametrize("both", [True, False])
def test_engine_scores_like_listed_gapped_kmers(both: bool) -> None:
    rng = np.random.default_rng(11)
    model = random_model(rng, both=both)
    sequences = draw(rng, 9, 23)
    sequences[2, 10], sequences[3] = UNKNOWN, UNKNOWN
    members = Engine(model).predict(sequences).members
    assert np.allclose(members[0], score_slowly(model, sequences), atol=1e-7)
    assert np.allclose(members[1], members[0] + 1, atol=1e-6)


def test_both_strands_score_alike() -> None:
    rng = np.random.default_rng(12)
    engine = Engine(random_model(rng, both=True))
    sequences = draw(rng, 20, 23, unknown=True)
    forward = engine.predict(sequences).members
    assert (engine.predict(reverse_complement(sequences)).members == forward).all()


@pytest.mark.parametrize("both", [True, False])
def test_mutants_score_to_the_last_bit_as_sequences(both: bool) -> None:
    rng = np.random.default_rng(13)
    engine = Engine(random_model(rng, both=both), threads=2)
    sequences = draw(rng, 5, 23)
    sequences[1, 9], sequences[2, :8], sequences[3, 0] = UNKNOWN, UNKNOWN, UNKNOWN
    found = engine.predict_mutants(sequences)
    for place, base in itertools.product(range(23), range(4)):
        mutants = sequences.copy()
        mutants[:, place] = base
        assert (found[:, :, place, base] == engine.predict(mutants).members).all()


def random_haplotypes(rng: np.random.Generator, number: int, size: int) -> Haplotypes:
    starts = np.sort(rng.integers(-10, size, number))
    sizes = rng.integers(0, 4, number)
    return Haplotypes(
        starts,
        starts + rng.integers(0, 30, number),
        rng.integers(0, 4, number),
        draw(rng, int(sizes.sum())),
        np.concatenate([[0], np.cumsum(sizes)]),
    )


@pytest.mark.parametrize("both", [True, False])
def test_alleles_score_to_the_last_bit_as_sequences(both: bool) -> None:
    rng = np.random.default_rng(14)
    engine = Engine(random_model(rng, both=both), threads=2)
    contig = draw(rng, 300)
    contig[50:55] = UNKNOWN
    sides = random_haplotypes(rng, 700, 290), random_haplotypes(rng, 700, 290)
    near = sides[0]._replace(letters=(sides[0].letters + 1) % 4)
    for alt in (sides[1], near):
        found = engine.predict_alleles(contig, sides[0], alt)
        for side, predictions in zip((sides[0], alt), found, strict=True):
            windows = cut_haplotypes(contig, side, 23)
            assert (predictions.members == engine.predict(windows).members).all()


def test_scan_scores_to_the_last_bit_as_sequences() -> None:
    rng = np.random.default_rng(15)
    engine = Engine(random_model(rng, both=True), threads=2)
    contig = draw(rng, 9000)
    contig[400:440] = UNKNOWN
    found = list(engine.scan(contig, first=3))
    starts = np.concatenate([start + np.arange(x.shape[1]) for start, x in found])
    assert (starts == np.arange(3, 9000 - 23 + 1)).all()
    wanted = engine.predict(gather_windows(contig, starts, 23)).members
    assert (np.concatenate([x for _, x in found], axis=1) == wanted).all()


def test_logits_are_fitted_to_labels() -> None:
    rng = np.random.default_rng(16)
    scores = rng.normal(size=4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-(2.5 * scores - 0.5)))).astype(np.float64)
    labels[:100] = np.nan
    slope, shift = fit_logits(scores / 10, labels)
    assert slope == pytest.approx(25, rel=0.1)
    assert shift == pytest.approx(-0.5, abs=0.1)
    assert fit_logits(scores, np.ones(4000)) == (1.0, 0.0)
    assert fit_logits(-scores, labels)[0] > 0
    apart, _ = fit_logits(np.array([-1.0, -1, 1, 1]), np.array([0.0, 0, 1, 1]))
    assert np.isfinite(apart)


def test_folded_scores_unfold() -> None:
    rng = np.random.default_rng(17)
    scores = rng.normal(size=(2, 4**5))
    scores = scores + scores[:, turn_lmers(5)]
    assert (unfold_scores(fold_scores(scores, 5), 5) == scores).all()


def test_more_informative_positions_than_bases_are_refused() -> None:
    with pytest.raises(ConfigError, match="informative=6: more than the 5 bases"):
        config_of(width=5, informative=6)


def test_weights_of_another_size_are_refused() -> None:
    model = random_model(np.random.default_rng(18), both=True)
    cut = {**model.members[0], "scores": model.members[0]["scores"][:, :-1]}
    with pytest.raises(ModelFileError, match="scores is 2 x"):
        Engine(TrainedModel(model.spec, (cut,)))
