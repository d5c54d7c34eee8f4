"""``seqcnn attribute``: contributions that add up."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import World
from commands import parse_tsv, read_tsv, refused, seqcnn
from tiny_models import draw_codes, make_model

from seqcnn.architectures import configure
from seqcnn.architectures.configs.base import MixtureConfig
from seqcnn.attribution.contributions import attribute_sequences
from seqcnn.attribution.differentiable import Differentiable
from seqcnn.engine import Engine
from seqcnn.errors import ConfigError, ModelFileError
from seqcnn.modelfile import TrainedModel


def test_the_function_is_that_of_the_engine() -> None:
    for architecture, spec in (
        ("motif", {"members": 2}),
        ("motif", {"values": {"hidden": 0}}),
        ("deepbind", {"strands": "max"}),
        ("deepbind", {"strands": "max", "window": 9, "length": 30}),
        ("deepbind", {"strands": "single", "window": 9, "length": 30, "over_windows": "average"}),
    ):
        engine = Engine(make_model(architecture, **{"length": 24, **spec}))
        codes = draw_codes(5, engine.spec.length, seed=1)
        expected = engine.predict(codes).logits[:, 0]
        np.testing.assert_allclose(Differentiable(engine, 0).score(codes), expected, atol=1e-4)


def test_gradients_are_differences() -> None:
    engine = Engine(make_model(length=24))
    network = Differentiable(engine, 0)
    one_hot = network.expand(draw_codes(1, 24, seed=2, unknown=False)).double()
    network.members[0].network.double()
    gradient = network.gradient(one_hot)[0]
    for row, column in ((0, 3), (2, 11), (3, 23)):
        moved = one_hot.clone()
        moved[0, row, column] += 1e-6
        change = float(network(moved)[0] - network(one_hot)[0]) / 1e-6
        assert float(gradient[row, column]) == pytest.approx(change, abs=1e-4)


@pytest.mark.parametrize("method", ["integrated", "deeplift"])
@pytest.mark.parametrize(
    ("architecture", "spec"),
    [
        ("motif", {"members": 2}),
        ("deepbind", {"strands": "max"}),
        ("deepbind", {"strands": "single", "values": {"pooling": "max_mean", "hidden": 3}}),
    ],
)
def test_contributions_add_up(method: str, architecture: str, spec: dict[str, object]) -> None:
    if method == "deeplift":
        pytest.importorskip("captum")
    engine = Engine(make_model(architecture, length=24, **spec))
    codes = draw_codes(4, 24, seed=3)
    found = attribute_sequences(engine, codes, method=method, references=4)
    np.testing.assert_allclose(found.logits, engine.predict(codes).logits[:, 0], atol=1e-4)
    scale = np.abs(found.actual).sum(axis=1) + 0.1
    # DeepLIFT explains one strand of the references too, where the larger counts.
    if not (method == "deeplift" and spec.get("strands") == "max"):
        assert (np.abs(found.errors) < (0.05 if method == "integrated" else 1e-3) * scale).all()
    alone = attribute_sequences(engine, codes[2:3], method=method, references=4)
    np.testing.assert_allclose(alone.hypothetical[0], found.hypothetical[2], atol=1e-6)


def test_what_cannot_be_differentiated_is_refused() -> None:
    pytest.importorskip("captum")
    windows = make_model("deepbind", length=24, strands="max", window=9)
    with pytest.raises(ModelFileError, match="integrated"):
        attribute_sequences(Engine(windows), draw_codes(1, 24), method="deeplift")


def test_deeplift_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = draw_codes(1, 24)
    monkeypatch.setitem(__import__("sys").modules, "captum.attr", None)
    with pytest.raises(ConfigError, match="pip install"):
        attribute_sequences(Engine(make_model(length=24)), codes, method="deeplift")


def test_tables_and_the_pair_for_modisco(world: World, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bed = tmp_path / "peaks.bed"
    bed.write_text("".join(world.peaks.read_text().splitlines(keepends=True)[:6]))
    words = ["attribute", "-m", model, bed, "--fasta", world.genome, "--references", 3]
    result = seqcnn(*words, "--modisco", "-o", out)
    assert "add up to" in result.stderr
    assert {path.name for path in out.iterdir()} == {
        "contributions.tsv.gz", "completeness.tsv", "ohe.npz", "hypothetical.npz"
    }  # fmt: skip
    one_hot = np.load(out / "ohe.npz")["arr_0"]
    hypothetical = np.load(out / "hypothetical.npz")["arr_0"]
    assert one_hot.shape == hypothetical.shape == (6, 4, 61)
    rows = parse_tsv(gzip.decompress((out / "contributions.tsv.gz").read_bytes()).decode())
    values = np.array([float(row["contribution"]) for row in rows]).reshape(6, 61)
    np.testing.assert_allclose((one_hot * hypothetical).sum(axis=1), values, atol=1e-4)
    checks = read_tsv(out / "completeness.tsv")
    np.testing.assert_allclose([float(r["sum"]) for r in checks], values.sum(axis=1), atol=1e-3)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    seqcnn(*words, "--modisco", "-o", out, "--force", "--threads", 2)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert "exists already" in refused(tmp_path, *words, "-o", out)


def test_the_networks_of_a_mixture_are_explained() -> None:
    parts = (
        make_model("motif", length=24, members=2, scale=(2.0,), centre=(0.5,)),
        make_model("deepbind", length=24, strands="max", scale=(0.5,), centre=(-1.0,)),
    )
    spec = replace(parts[0].spec, architecture="mixture", config=MixtureConfig(),
                   scale=(3.0,), centre=(1.0,))  # fmt: skip
    engine = Engine(TrainedModel(spec, (), parts=parts))
    codes = draw_codes(3, 24, seed=6)
    found = attribute_sequences(engine, codes, references=3)
    np.testing.assert_allclose(found.logits, engine.predict(codes).logits[:, 0], atol=1e-4)
    assert found.left_out == 0
    assert (np.abs(found.errors) < 0.05 * np.abs(found.actual).sum(axis=1)).all()


def test_gapped_kmers_have_no_gradient() -> None:
    values = {"width": 4, "informative": 2}
    config = configure("gkm", values)
    network = make_model("motif", length=24)
    spec = replace(network.spec, architecture="gkm", config=config)
    scores = np.random.default_rng(0).normal(size=(1, 4**4)).astype(np.float32)
    kmers = TrainedModel(spec, ({"scores": scores, "bias": np.zeros(1, dtype=np.float32)},))
    codes = draw_codes(2, 24, seed=6)
    with pytest.raises(ModelFileError, match="mutation-map"):
        attribute_sequences(Engine(kmers), codes)
    mixed = replace(spec, architecture="mixture", config=MixtureConfig())
    found = attribute_sequences(
        Engine(TrainedModel(mixed, (), parts=(network, kmers))), codes, references=2
    )
    assert found.left_out == 1
    np.testing.assert_allclose(found.logits, Engine(network).predict(codes).logits[:, 0], atol=1e-4)
