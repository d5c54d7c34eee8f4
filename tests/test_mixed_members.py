"""Mixtures: members of several families, one model."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import refused, seqcnn
from numpy.typing import NDArray
from tiny_models import draw_codes, label, make_model

from seqcnn.architectures import configure
from seqcnn.dna import Codes
from seqcnn.engine import Engine
from seqcnn.engine.gkm import fold_scores
from seqcnn.engine.gkm_kernels import turn_lmers
from seqcnn.errors import ModelFileError
from seqcnn.genome import Haplotypes
from seqcnn.modelfile import ModelSpec, TrainedModel, read_model, write_model
from seqcnn.training.mixture import standardise_parts

LENGTH = 20
SMALL_GKM = ("--set", "gkm.width=5", "--set", "gkm.informative=3")
QUICK = ("--members", "motif:2,gkm:1", "--set", "detectors=4", *SMALL_GKM, "--steps", "4")


def gapped(*, members: int = 1, tasks: int = 1) -> TrainedModel:
    rng = np.random.default_rng(21)
    config = configure("gkm", {"width": "4", "informative": "2"})
    names = tuple(f"task{i}" for i in range(tasks)) if tasks > 1 else ("site",)
    kind = "multilabel" if tasks > 1 else "binary"
    spec = ModelSpec("gkm", config, kind, names, LENGTH, "average")
    weights = []
    for _ in range(members):
        scores = rng.normal(size=(tasks, 4**4))
        folded = fold_scores(scores + scores[:, turn_lmers(4)], 4).astype(np.float32)
        weights.append({"scores": folded, "bias": rng.normal(size=tasks).astype(np.float32)})
    return TrainedModel(spec, tuple(weights))


def mix(*parts: TrainedModel) -> TrainedModel:
    config = configure("mixture", {})
    spec = replace(parts[0].spec, architecture="mixture", config=config, centre=(), scale=())
    return TrainedModel(spec, (), parts=parts)


@pytest.fixture(scope="module")
def mixture() -> TrainedModel:
    networks = make_model(members=2, length=LENGTH)
    scaled = replace(networks, spec=replace(networks.spec, centre=(0.5,), scale=(2.0,)))
    return mix(scaled, gapped())


@pytest.fixture(scope="module")
def codes() -> Codes:
    return draw_codes(12, LENGTH, seed=3)


def each_part(mixture: TrainedModel, codes: Codes) -> NDArray[np.float64]:
    """Score with each part as a model of its own."""
    return np.concatenate([Engine(part).predict(codes).members for part in mixture.parts])


def test_members_are_those_of_all_parts_on_their_scales(
    mixture: TrainedModel, codes: Codes
) -> None:
    found = Engine(mixture, threads=2).predict(codes)
    assert mixture.networks == 3
    assert (found.members == each_part(mixture, codes)).all()
    assert np.allclose(found.logits, each_part(mixture, codes).mean(axis=0))
    assert np.allclose(found.sd, each_part(mixture, codes).std(axis=0, ddof=1))


def test_temperature_of_the_mixture_comes_after_the_mean(
    mixture: TrainedModel, codes: Codes
) -> None:
    cooled = replace(mixture, spec=replace(mixture.spec, scale=(0.25,)))
    assert np.allclose(
        Engine(cooled).predict(codes).logits, Engine(mixture).predict(codes).logits / 4
    )


def test_mutants_are_scored_as_sequences(mixture: TrainedModel, codes: Codes) -> None:
    engine = Engine(mixture, threads=2)
    found = engine.predict_mutants(codes[:3])
    for place in range(LENGTH):
        for base in range(4):
            mutants = codes[:3].copy()
            mutants[:, place] = base
            wanted = engine.predict(mutants).members
            assert np.allclose(found[:, :, place, base], wanted, atol=1e-5)


def test_alleles_are_scored_as_windows(mixture: TrainedModel) -> None:
    engine = Engine(mixture)
    contig = draw_codes(1, 200, seed=5)[0]
    starts = np.arange(10, 60, 5)
    letters = draw_codes(1, len(starts), seed=6, unknown=False)[0]
    ends = np.arange(len(starts) + 1)
    ones = np.ones(len(starts), dtype=np.int64)
    plain = Haplotypes(starts, starts + LENGTH, 0 * ones, letters[:0], 0 * ends)
    changed = Haplotypes(starts, starts + 7, ones, letters, ends)
    ref, alt = engine.predict_alleles(contig, plain, changed)
    windows = np.stack([contig[start : start + LENGTH] for start in starts])
    assert np.allclose(ref.members, engine.predict(windows).members, atol=1e-5)
    windows[:, 7] = letters
    assert np.allclose(alt.members, engine.predict(windows).members, atol=1e-5)


def test_scan_scores_every_window(mixture: TrainedModel) -> None:
    engine = Engine(mixture, threads=2)
    contig = draw_codes(1, 9000, seed=7)[0]
    found = np.concatenate([logits for _, logits in engine.scan(contig, first=2)], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(contig, LENGTH)[2:]
    wanted = engine.predict(np.ascontiguousarray(windows)).members
    assert np.allclose(found, wanted, atol=1e-5)


def test_rules_reach_the_parts(mixture: TrainedModel) -> None:
    single = mixture.with_rule(strands="single")
    assert {part.spec.strands for part in single.parts} == {"single"}


def test_file_comes_back(mixture: TrainedModel, codes: Codes, tmp_path: Path) -> None:
    write_model(mixture, tmp_path / "m.safetensors")
    again = read_model(tmp_path / "m.safetensors")
    assert again.spec == mixture.spec
    assert [part.spec for part in again.parts] == [part.spec for part in mixture.parts]
    assert (Engine(again).predict(codes).members == Engine(mixture).predict(codes).members).all()
    write_model(again, tmp_path / "n.safetensors")
    assert (tmp_path / "n.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize("change", [{"tasks": ("other",)}, {"length": 19}, {"alphabet": "rna"}])
def test_parts_of_another_kind_are_refused(
    mixture: TrainedModel, tmp_path: Path, change: dict[str, object]
) -> None:
    first, second = mixture.parts
    odd = replace(mixture, parts=(first, replace(second, spec=replace(second.spec, **change))))
    write_model(odd, tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="do not take and give the same"):
        read_model(tmp_path / "m.safetensors")


def test_parts_are_brought_on_one_scale(codes: Codes) -> None:
    networks = make_model(
        members=2, length=LENGTH, task_kind="multilabel", tasks=("task0", "task1")
    )
    parts = [networks, gapped(tasks=2)]
    held_out = label(codes, np.zeros((len(codes), 2)), ("task0", "task1"))
    raw = [Engine(part).predict(codes).logits for part in parts]
    scaled = [Engine(part).predict(codes).logits for part in standardise_parts(parts, held_out)]
    for found in scaled:
        assert np.allclose(found.mean(axis=0), np.mean([x.mean(axis=0) for x in raw], axis=0))
        assert np.allclose(found.std(axis=0), np.mean([x.std(axis=0) for x in raw], axis=0))
    again = standardise_parts(standardise_parts(parts, held_out), held_out)
    for one, other in zip(again, standardise_parts(parts, held_out), strict=True):
        assert np.allclose(one.spec.scale, other.spec.scale)
        assert np.allclose(one.spec.centre, other.spec.centre)


# --- through the commands ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(world: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mixed") / "run"
    seqcnn("train", "--seq", world.seq, *QUICK, "--threads", 1, "-o", out)
    return out


def test_train_makes_a_mixture(run: Path, tmp_path: Path) -> None:
    model = read_model(run / "model.safetensors")
    assert model.is_mixture
    assert [(p.spec.architecture, len(p.members)) for p in model.parts] == [
        ("motif", 2),
        ("gkm", 1),
    ]
    lines = (run / "history.tsv").read_text().splitlines()
    assert {line.split("\t")[0] for line in lines[1:]} == {"0", "1", "2"}
    seqcnn("train", "--config", run / "config.yaml", "--threads", 2, "-o", tmp_path / "again")
    again = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert again == (run / "model.safetensors").read_bytes()


def test_the_default_is_two_networks_and_gapped_kmers(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    words = ["--set", "detectors=4", *SMALL_GKM, "--steps", 2, "--threads", 1]
    seqcnn("train", "--seq", world.seq, *words, "-o", tmp_path / "run")
    parts = read_model(tmp_path / "run/model.safetensors").parts
    assert [part.spec.architecture for part in parts] == ["motif", "motif", "gkm"]
    assert [part.spec.config.width for part in parts] == [10, 16, 5]
    assert [part.spec.config.hidden for part in parts[:2]] == [16, 16]


@pytest.mark.parametrize(
    ("words", "dropout"),
    [
        (("--background", "dinucleotide"), 0.2),
        (("--background", "gc"), 0.6),
        (("--background", "gc", "--set", "dropout=0.1"), 0.1),
        (("--background", "gc", "--arch", "deepbind"), 0.0),
    ],
)
def test_more_is_dropped_where_negatives_stay_the_same(
    words: tuple[str, ...], dropout: float, world: SimpleNamespace, tmp_path: Path
) -> None:
    peaks = ["--peaks", f"site={world.peaks}", "--fasta", world.genome, "--length", 30]
    sides = ["--test", "chr6", "--validation", "chr5", "--set", "detectors=4", "--steps", 2]
    seqcnn("train", *peaks, *sides, "--fast", *words, "-o", tmp_path / "run")
    assert read_model(tmp_path / "run/model.safetensors").spec.config.dropout == dropout


def test_info_tells_the_families(run: Path) -> None:
    told = seqcnn("info", run / "model.safetensors").stdout
    assert "3, averaged on one scale" in told
    assert "2 x motif (detectors=4" in told
    assert "1 x gkm (width=5, informative=3" in told
    assert "640 gapped k-mers" in told


def test_predict_gives_the_spread_of_the_members(run: Path, tmp_path: Path) -> None:
    model = read_model(run / "model.safetensors")
    codes = draw_codes(3, model.spec.length, seed=9, unknown=False)
    fasta = tmp_path / "x.fa"
    fasta.write_text(
        "".join(f">{i}\n{''.join('ACGT'[c] for c in row)}\n" for i, row in enumerate(codes))
    )
    table = seqcnn("predict", "-m", run / "model.safetensors", fasta).stdout
    rows = [line.split("\t") for line in table.splitlines()]
    found = Engine(model).predict(codes)
    assert [float(row[rows[0].index("sd")]) for row in rows[1:]] == pytest.approx(
        found.sd[:, 0].tolist(), rel=1e-4
    )


def test_members_that_are_no_number_are_a_usage_error(
    world: SimpleNamespace, tmp_path: Path
) -> None:
    for text in ("0", "101", "motif", "motif:x", "motif:1,2", ":3"):
        words = ("--seq", world.seq, "--members", text, "-o", tmp_path / "run")
        assert "neither a number" in seqcnn("train", *words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--members", "motif:1,motif:2"), "a family twice"),
        (("--members", "motif:1,nothing:2"), "no architecture 'nothing'"),
        (("--members", "motif:1,gkm:1", "--arch", "motif"), "--arch motif too"),
        (("--members", "motif:1,gkm:1", "--set", "resnet.width=3"), "no family 'resnet'"),
        (("--members", "motif:1,gkm:1", "--set", "gkm.widht=3"), "did you mean width?"),
        (("--members", "motif:1,gkm:1", "--keep", "best"), "several families, which are averaged"),
        (("--members", "3", "--fast"), "--members 3 too"),
    ],
)
def test_families_that_cannot_be_are_refused(
    world: SimpleNamespace, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    message = refused(tmp_path, "train", "--seq", world.seq, *words, "-o", tmp_path / "run")
    assert told in message
