"""Predictions against a plain float64 network, and all that they must not depend on."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import draw_codes, draw_weights, make_model

from seqcnn.architectures.networks import build_network
from seqcnn.dna import UNKNOWN, one_hot, reverse_complement
from seqcnn.engine import Engine, Predictions, compiled_backend, resolve_device
from seqcnn.engine.devices import count_threads, describe_device
from seqcnn.engine.strands import (
    combine_strands,
    expand_one_hot,
    reverse_complement_one_hot,
    strand_logits,
)
from seqcnn.errors import ConfigError, ModelFileError

FAMILIES = [
    ("motif", {}),
    ("motif", {"detectors": 70}),
    ("deepbind", {}),
    ("deepbind", {"pooling": "max_mean", "hidden": 3}),
]
each_family = pytest.mark.parametrize(("family", "values"), FAMILIES)
each_strands = pytest.mark.parametrize("strands", ["average", "max", "single"])


def predict_slowly(model, codes):
    """All in float64, through the whole network, strand by strand."""
    spec = model.spec
    centre = np.array(spec.centre or [0] * len(spec.tasks))
    scale = np.array(spec.scale or [1] * len(spec.tasks))
    both = [codes] if spec.strands == "single" else [codes, reverse_complement(codes)]
    batches = [torch.from_numpy(one_hot(strand)).double() for strand in both if len(codes)]
    members = np.zeros((len(model.members), len(codes), len(spec.tasks)))
    for member, weights in zip(members, model.members, strict=True):
        network = build_network(spec.config, tasks=len(spec.tasks), length=spec.length)
        network.load_state_dict({key: torch.tensor(value) for key, value in weights.items()})
        network.double().eval()
        with torch.inference_mode():
            logits = [network(batch).numpy() for batch in batches]
        if logits:
            member[:] = np.max(logits, axis=0) if spec.strands == "max" else np.mean(logits, axis=0)
    return members * scale + centre


# Against the oracle


@each_family
@each_strands
def test_predictions_are_those_of_the_plain_network(family, values, strands) -> None:
    model = make_model(family, values=values, members=2, strands=strands, tasks=("a", "b"))
    codes = draw_codes(30, 20)
    predictions = Engine(model, threads=1).predict(codes)
    slow = predict_slowly(model, codes)
    assert predictions.members.shape == (2, 30, 2)
    scale = np.abs(slow).max()
    np.testing.assert_allclose(predictions.members, slow, rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(predictions.logits, slow.mean(axis=0), rtol=1e-4, atol=1e-5 * scale)
    np.testing.assert_allclose(predictions.sd, slow.std(axis=0, ddof=1), atol=1e-5 * scale)


def test_a_regression_speaks_in_the_units_of_its_targets() -> None:
    plain = make_model(task_kind="regression", tasks=("a", "b"))
    spec = replace(plain.spec, centre=(10.0, -3.0), scale=(2.0, 0.5))
    codes = draw_codes(7, 20)
    logits = Engine(plain, threads=1).predict(codes).logits
    scaled = Engine(replace(plain, spec=spec), threads=1).predict(codes).logits
    np.testing.assert_allclose(scaled, logits * [2.0, 0.5] + [10.0, -3.0], rtol=1e-12)


def test_one_member_has_no_spread() -> None:
    predictions = Engine(make_model(), threads=1).predict(draw_codes(4, 20))
    assert np.isnan(predictions.sd).all()
    assert predictions.sd.shape == (4, 1)
    several = Predictions(np.array([[[1.0]], [[3.0]]]))
    assert several.logits == [[2.0]]
    assert several.sd == pytest.approx(np.sqrt(2))


def test_unknown_bases_have_the_value_of_the_spec() -> None:
    codes = np.full((1, 20), UNKNOWN, dtype=np.uint8)
    for family in ("motif", "deepbind"):
        model = make_model(family)
        quarter = Engine(model, threads=1).predict(codes).logits
        none = Engine(replace(model, spec=replace(model.spec, unknown=0.0)), threads=1)
        np.testing.assert_allclose(quarter, predict_slowly(model, codes)[0], rtol=1e-4, atol=1e-4)
        assert abs(none.predict(codes).logits - quarter) > 1e-3


@each_family
def test_no_sequences_give_no_predictions(family, values) -> None:
    engine = Engine(make_model(family, values=values, members=2), threads=2)
    predictions = engine.predict(np.empty((0, 20), dtype=np.uint8))
    assert predictions.members.shape == (2, 0, 1)
    assert predictions.logits.shape == predictions.sd.shape == (0, 1)


@pytest.mark.parametrize("shape", [(3, 19), (3, 1), (20,)])
def test_sequences_of_another_length_are_refused(shape) -> None:
    with pytest.raises(ValueError, match="not \\(n, 20\\)"):
        Engine(make_model(), threads=1).predict(np.zeros(shape, dtype=np.uint8))


# What predictions must not depend on, to the last bit


def make_engine(model, backend, *, threads=1):
    engine = Engine(model, threads=threads)
    if backend == "torch":
        engine._backend = engine.torch
        engine.torch.block = 8
    return engine


@each_family
@each_strands
@pytest.mark.parametrize("backend", ["compiled", "torch"])
def test_neither_order_nor_neighbours_nor_threads_change_a_bit(
    family, values, strands, backend
) -> None:
    model = make_model(family, values=values, strands=strands, length=33)
    codes = draw_codes(50, 33)
    engine = make_engine(model, backend)
    logits = engine.predict(codes).logits
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(engine.predict(codes[order]).logits, logits[order])
    for start, end in ((0, 1), (17, 20), (49, 50)):
        np.testing.assert_array_equal(engine.predict(codes[start:end]).logits, logits[start:end])
    several = make_engine(model, backend, threads=3)
    np.testing.assert_array_equal(several.predict(codes).logits, logits)


@each_family
def test_the_size_of_the_blocks_changes_nothing(family, values, monkeypatch) -> None:
    model, codes = make_model(family, values=values, length=33), draw_codes(40, 33)
    engine = make_engine(model, "compiled")
    logits = engine.predict(codes).logits
    for bases in (1, 100, 1000):
        monkeypatch.setattr(compiled_backend, "_BASES", bases)
        np.testing.assert_array_equal(engine.predict(codes).logits, logits)
    engine = make_engine(model, "torch")
    for block in (2, 7, 64):
        engine.torch.block = block
        again = engine.predict(codes).logits
        np.testing.assert_allclose(again, logits, rtol=0, atol=2e-6 * np.abs(logits).max())


@each_family
@pytest.mark.parametrize("strands", ["average", "max"])
def test_both_strands_of_a_sequence_score_the_same(family, values, strands) -> None:
    engine = Engine(make_model(family, values=values, strands=strands), threads=1)
    codes = draw_codes(25, 20)
    forward, reverse = engine.predict(codes), engine.predict(reverse_complement(codes))
    np.testing.assert_array_equal(forward.logits, reverse.logits)


def test_a_single_strand_is_not_the_other() -> None:
    engine = Engine(make_model(strands="single"), threads=1)
    codes = draw_codes(25, 20)
    forward, reverse = engine.predict(codes), engine.predict(reverse_complement(codes))
    assert np.abs(forward.logits - reverse.logits).max() > 1e-3


def test_a_member_scores_as_it_does_alone() -> None:
    model = make_model(members=3)
    codes = draw_codes(9, 20)
    together = Engine(model, threads=1).predict(codes).members
    for number, weights in enumerate(model.members):
        alone = Engine(replace(model, members=(weights,)), threads=1).predict(codes).members[0]
        np.testing.assert_array_equal(alone, together[number])


def test_the_threads_of_the_caller_are_left_alone() -> None:
    before = torch.get_num_threads()
    Engine(make_model(), threads=2).predict(draw_codes(5, 20))
    assert torch.get_num_threads() == before


# Blocks


@given(st.integers(0, 23), st.integers(1, 9), st.integers(1, 3))
def test_blocks_cover_every_row_once_in_order(n, block, threads) -> None:
    engine = Engine(make_model(), threads=threads)
    engine.torch.block = block
    codes = draw_codes(n, 20, seed=n)
    seen = list(engine.torch.map_blocks(codes, lambda batch, rows: (batch.clone(), rows)))
    assert [rows for _, rows in seen] == [min(block, n - start) for start in range(0, n, block)]
    for batch, rows in seen:
        assert batch.shape == (block, 4, 20)
        assert (batch[rows:] == 0.25).all()
    if n:
        joined = np.concatenate([batch[:rows].numpy() for batch, rows in seen])
        np.testing.assert_array_equal(joined, one_hot(codes))


def test_blocks_are_not_all_asked_for_at_once() -> None:
    engine = Engine(make_model(), threads=1)
    engine.torch.block = 1
    done = []
    blocks = engine.torch.map_blocks(draw_codes(200, 20), lambda _, rows: done.append(rows))
    next(blocks)
    blocks.close()
    assert len(done) < 50


def test_progress_counts_every_sequence(monkeypatch) -> None:
    steps = []
    engine = Engine(make_model(), threads=2)
    monkeypatch.setattr(compiled_backend, "_BASES", 80)
    engine.predict(draw_codes(11, 20), progress=steps.append)
    assert steps == [4, 4, 3]


def test_features_and_weights_make_the_logits() -> None:
    for strands in ("average", "max", "single"):
        engine = Engine(make_model(members=2, strands=strands), threads=1).torch
        engine.block = 4
        codes = draw_codes(11, 20)
        expected = engine.predict(codes, lambda _: None)
        for member in (0, 1):
            features = engine.features(codes, member=member)
            assert len(features) == (1 if strands == "single" else 2)
            assert features[0].dtype == torch.float64
            logits = engine.weigh(features, member=member).numpy()
            np.testing.assert_allclose(logits, expected[member], rtol=1e-12)


# Strands


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_one_hot_is_that_of_numpy_on_either_strand(seed, length) -> None:
    codes = np.random.default_rng(seed).integers(0, 5, (3, length), dtype=np.uint8)
    expanded = expand_one_hot(torch.from_numpy(codes), unknown=0.1)
    np.testing.assert_array_equal(expanded.numpy(), one_hot(codes, unknown=0.1))
    np.testing.assert_array_equal(
        reverse_complement_one_hot(expanded).numpy(),
        one_hot(reverse_complement(codes), unknown=0.1),
    )


def test_strands_are_combined_as_they_are_called() -> None:
    left, right = torch.tensor([[1.0], [5.0]]), torch.tensor([[3.0], [-1.0]])
    assert combine_strands(left, right, "average").tolist() == [[2.0], [2.0]]
    assert combine_strands(left, right, "max").tolist() == [[3.0], [5.0]]


def test_strand_logits_are_the_predictions() -> None:
    for strands in ("average", "max", "single"):
        model, codes = make_model("deepbind", strands=strands), draw_codes(6, 20)
        engine = Engine(model, threads=1)
        with torch.no_grad():
            logits = strand_logits(
                engine.torch.networks[0], torch.from_numpy(one_hot(codes)), strands
            )
        np.testing.assert_allclose(logits, engine.predict(codes).logits, rtol=1e-4, atol=1e-5)


# Weights that do not fit


def refuse(model):
    with pytest.raises(ModelFileError) as refusal:
        Engine(model, threads=1)
    message = str(refusal.value)
    assert "\n" not in message
    return message


def test_weights_of_another_shape_are_refused() -> None:
    model = make_model()
    wide = draw_weights(make_model(values={"width": 6}).spec, 0)
    assert "detectors is 5 x 4 x 6 values; expected 5 x 4 x 4 values" in refuse(
        replace(model, members=(wide,))
    )


def test_missing_and_foreign_weights_are_refused() -> None:
    model = make_model()
    lacking = {key: value for key, value in model.members[0].items() if key != "norm.bias"}
    assert "norm.bias is absent; expected 5 values" in refuse(replace(model, members=(lacking,)))
    more = model.members[0] | {"extra": np.zeros(2, np.float32)}
    assert "extra is 2 values; expected absent" in refuse(replace(model, members=(more,)))


def test_windows_shorter_than_a_detector_are_refused() -> None:
    assert "expected at least 4 bp" in refuse(make_model(length=3))
    short = draw_codes(5, 3)
    model = make_model("deepbind", length=3)  # which pads
    np.testing.assert_allclose(
        Engine(model, threads=1).predict(short).members, predict_slowly(model, short), rtol=1e-4
    )


# Devices


@pytest.mark.parametrize(
    "name", ["tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:٣", "CPU", "", "cuda:0:0"]
)
def test_devices_that_do_not_exist_are_refused(name) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda or cuda:N"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_an_absent_gpu_is_refused(name, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match=re.escape("has 0 CUDA device(s); use --device cpu")):
        resolve_device(name)


def test_devices_that_are_there_are_found(monkeypatch) -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert describe_device(torch.device("cpu")) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto").type == "cuda"
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ConfigError, match="2 CUDA"):
        resolve_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    assert describe_device(torch.device("cuda:1")) == "cuda:1 (a GPU)"


def test_threads_are_those_asked_for_or_those_lent() -> None:
    assert count_threads(3) == 3
    assert count_threads(0) >= 1


# Precision on request


def test_rounded_windows_are_close_and_not_equal() -> None:
    model = make_model("resnet", length=60, values={"channels": 16, "blocks": 2})
    codes = draw_codes(20, 60)
    exact = Engine(model, threads=1).predict(codes).logits
    engine = Engine(model, threads=1)
    engine.torch.round_to("bf16")  # as on a GPU
    rounded = engine.predict(codes).logits
    spread = exact.std()
    assert 0 < np.abs(rounded - exact).max() < 0.2 * spread
    engine.torch.round_to("float32")
    np.testing.assert_array_equal(engine.predict(codes).logits, exact)


@pytest.mark.parametrize("architecture", ["motif", "resnet"])
def test_a_cpu_rounds_nothing(architecture) -> None:
    engine = Engine(make_model(architecture, length=60), threads=1)
    engine.round_to("float32")
    with pytest.raises(ConfigError, match="only deep networks on a GPU"):
        engine.round_to("bf16")
