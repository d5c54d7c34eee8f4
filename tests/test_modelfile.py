"""The model file: what goes in comes out, and nothing damaged is taken for whole."""

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tiny_models import draw_codes, make_model

from seqcnn.dna import decode, encode
from seqcnn.engine import Engine
from seqcnn.errors import ModelFileError, SeqcnnError
from seqcnn.modelfile import FORMAT_VERSION, ModelSpec, TrainedModel, read_model, write_model
from seqcnn.motifs import Motif
from seqcnn.significance import ALLELE_TYPES, Null

GOLDEN = Path(__file__).parent / "data" / "format1.safetensors"


def full_model(**rest) -> TrainedModel:
    """A model in which every part is there."""
    drawn = np.random.default_rng(1).gamma(1, size=(len(ALLELE_TYPES), 2, 7))
    motif = Motif("detector1", np.arange(12.0).reshape(4, 3), 12, (0.3, 0.2, 0.2, 0.3), 0.25)
    return replace(
        make_model(**({"members": 2, "tasks": ("a", "b")} | rest)),
        reference=np.sort(np.random.default_rng(0).normal(size=(2, 11))).astype(np.float32),
        motifs=(motif, replace(motif, name="detector2", importance=float("nan"))),
        metrics={"test": {"a": {"auroc": {"value": 0.75, "low": None, "high": 0.8}}}},
        baselines={"length": {"name": "length", "centre": [1.0]}},
        provenance={"version": "0", "seed": 3, "text": "naïve \u2028"},
        null=Null(np.sort(drawn, axis=2).astype(np.float32), strands="max", shifts=3),
    )


def write_golden(path: str) -> None:
    model = full_model(values={"detectors": 3}, length=12)
    sequences = [decode(row) for row in draw_codes(4, 12)]
    logits = Engine(model, threads=1).predict(draw_codes(4, 12)).members.tolist()
    write_model(replace(model, provenance={"sequences": sequences, "logits": logits}), Path(path))


def assert_same(left: TrainedModel, right: TrainedModel) -> None:
    assert left.spec == right.spec
    assert len(left.members) == len(right.members)
    for ours, theirs in zip(left.members, right.members, strict=True):
        assert set(ours) == set(theirs)
        for name, weights in ours.items():
            np.testing.assert_array_equal(weights, theirs[name])
            assert weights.dtype == theirs[name].dtype
            assert weights.shape == theirs[name].shape
    np.testing.assert_array_equal(left.reference, right.reference)
    for ours, theirs in zip(left.motifs, right.motifs, strict=True):
        np.testing.assert_array_equal(ours.pfm, theirs.pfm)
        assert (ours.name, ours.sites, ours.background) == (
            theirs.name,
            theirs.sites,
            theirs.background,
        )
        np.testing.assert_equal(ours.importance, theirs.importance)
    assert (left.null is None) == (right.null is None)
    if left.null and right.null:
        np.testing.assert_array_equal(left.null.sizes, right.null.sizes)
        assert replace(left.null, sizes=right.null.sizes) == right.null
    for part in ("metrics", "baselines", "provenance"):
        assert getattr(left, part) == getattr(right, part)


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    write_model(full_model(), path)
    return path


def refuse(path: Path) -> str:
    with pytest.raises(ModelFileError) as refusal:
        read_model(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


# Round trips


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"architecture": "deepbind", "values": {"pooling": "max_mean", "hidden": 3}},
        {"architecture": "motif", "values": {"hidden": 0}},
        {"task_kind": "regression", "centre": (1.5, -2.0), "scale": (0.1, 3.0)},
        {"strands": "single", "alphabet": "rna", "unknown": 0.0, "task_kind": "multilabel"},
    ],
)
def test_what_is_written_is_read(rest, tmp_path) -> None:
    model = full_model(**rest)
    write_model(model, tmp_path / "m")
    again = read_model(tmp_path / "m")
    assert_same(model, again)
    codes = draw_codes(5, 20)
    np.testing.assert_array_equal(
        Engine(model, threads=1).predict(codes).members,
        Engine(again, threads=1).predict(codes).members,
    )


def test_a_bare_model_is_read(tmp_path) -> None:
    write_model(make_model(), tmp_path / "m")
    assert_same(read_model(tmp_path / "m"), make_model())


def test_two_writes_give_the_same_bytes_and_leave_nothing_else(tmp_path) -> None:
    for name in ("one", "two"):
        write_model(full_model(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    write_model(read_model(tmp_path / "one"), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]


def test_what_cannot_be_written_leaves_the_old_file(path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_model(replace(full_model(), metrics={"a": float("nan")}), path)
    assert path.read_bytes() == before


# Old versions


def test_a_file_of_format_1_still_predicts_what_it_did() -> None:
    model = read_model(GOLDEN)
    codes = np.stack([encode(sequence) for sequence in model.provenance["sequences"]])
    members = Engine(model, threads=1).predict(codes).members
    np.testing.assert_allclose(members, model.provenance["logits"], rtol=1e-5, atol=1e-5)
    assert model.motifs[0].name == "detector1"
    assert model.spec.tasks == ("a", "b")
    assert model.null is None, "the file is older than null distributions"


def test_a_motif_network_of_an_older_file_has_no_hidden_layer() -> None:
    spec = make_model("motif", values={"hidden": 0}).spec
    values = spec.to_json()
    del values["config"]["hidden"]
    assert ModelSpec.from_json(values) == spec


# Damage


def rewrite(path: Path, change, *, tensors=lambda _: None) -> None:
    """Change the JSON or the tensors of a model file, without its checksum."""
    with path.open("rb") as handle:
        header = json.loads(handle.read(struct.unpack("<Q", handle.read(8))[0]))
    content = json.loads(header["__metadata__"]["seqcnn"])
    values = load_file(path)
    change(content)
    tensors(values)
    save_file(values, path, metadata={"seqcnn": json.dumps(content)})


def resign(path: Path, change, *, tensors=lambda _: None) -> None:
    """The same, by someone who also makes the checksum fit."""
    from seqcnn import modelfile

    def change_all(content) -> None:
        change(content)
        content.pop("sha256")
        content["sha256"] = modelfile.file._digest(content, new)

    new = load_file(path)
    tensors(new)
    rewrite(path, change_all, tensors=tensors)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, "1", None])
def test_other_versions_are_refused(path, version) -> None:
    rewrite(path, lambda content: content.update(format_version=version))
    assert f"model format {version}; expected 1 to {FORMAT_VERSION}; update" in refuse(path)


def test_files_that_are_no_model_are_refused(tmp_path) -> None:
    path = tmp_path / "m"
    assert "no such file" in refuse(path)
    path.write_bytes(b"")
    assert "empty" in refuse(path)
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refuse(tmp_path / "folder")
    for content in (b"\0", b"not a model", b"\xff" * 100, b"\x08" + b"\0" * 15, b">s\nACGT\n" * 50):
        path.write_bytes(content)
        assert "is not a seqcnn model" in refuse(path)
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": np.zeros(3, np.float32)}, path, metadata=metadata)
        assert "is not a seqcnn model" in refuse(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", "{}", "[" * 100_000])
def test_metadata_that_is_no_description_is_refused(tmp_path, text) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "m", metadata={"seqcnn": text})
    assert "damaged" in refuse(tmp_path / "m")


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_cut_file_is_refused(path, tenth) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * tenth // 10])
    assert "is cut" in refuse(path)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_found(tmp_path_factory, place, change) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped"
    write_model(full_model(), path)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= change
    path.write_bytes(content)
    try:
        read = read_model(path)
    except ModelFileError:
        return
    # A letter of JSON may be spelled in two ways, and spaces are free.
    assert_same(read, full_model())


def test_every_changed_byte_of_the_description_is_found(path) -> None:
    whole = path.read_bytes()
    description = struct.unpack("<Q", whole[:8])[0] + 8
    for place in range(0, description, 7):
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        try:
            read = read_model(path)
        except ModelFileError:
            continue
        assert_same(read, full_model())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(path, bad) -> None:
    def spoil(tensors) -> None:
        tensors["member.1.detectors"].flat[3] = bad

    resign(path, lambda _: None, tensors=spoil)
    assert "detectors holds values that are not finite" in refuse(path)


@pytest.mark.parametrize(
    "prefix", ["member.0.", "member.1.", "member.0.detectors", "reference", "motif.1", "null"]
)
def test_missing_tensors_are_refused(path, prefix) -> None:
    def drop(tensors) -> None:
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]

    resign(path, lambda _: None, tensors=drop)
    with pytest.raises(ModelFileError) as refusal:
        Engine(read_model(path), threads=1)
    assert "\n" not in str(refusal.value)


def test_tensors_of_another_shape_are_refused(path) -> None:
    def cut(tensors) -> None:
        tensors["member.0.norm.bias"] = tensors["member.0.norm.bias"][:2]

    resign(path, lambda _: None, tensors=cut)
    with pytest.raises(ModelFileError, match=r"norm\.bias is 2 values; expected 5 values"):
        Engine(read_model(path), threads=1)

    def cut_reference(tensors) -> None:
        tensors["reference"] = tensors["reference"][:1]

    resign(path, lambda _: None, tensors=cut_reference)
    assert "reference" in refuse(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", "resnet"),
        ("config", {"width": 0}),
        ("config", {"detectors": float("inf")}),
        ("config", {"wide": 3}),
        ("task_kind", "guess"),
        ("tasks", []),
        ("tasks", [1, 2]),
        ("length", 0),
        ("length", "20"),
        ("length", True),
        ("length", 10**12),
        ("length", 10**400),
        ("tasks", ["a\tb", "c"]),
        ("centre", ["1", 2.0]),
        ("scale", ["x", 1.0]),
        ("scale", [10**400, 1.0]),
        ("unknown", "x"),
        ("strands", "bverage"),
        ("alphabet", "protein"),
        ("centre", [1.0]),
        ("scale", [0.0, 1.0]),
        ("scale", [float("nan"), 1.0]),
        ("unknown", 2.0),
        ("surprise", 1),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(key, value) -> None:
    good = full_model().spec.to_json()
    assert ModelSpec.from_json(good) == full_model().spec
    with pytest.raises((ValueError, TypeError, SeqcnnError)):
        ModelSpec.from_json(good | {key: value})


def test_a_spec_that_makes_no_sense_is_told_of_the_file(path) -> None:
    resign(path, lambda content: content["spec"].update(strands="bverage"))
    assert "damaged (strands 'bverage')" in refuse(path)
    resign(path, lambda content: content["spec"].pop("tasks"))
    assert "'tasks' is missing" in refuse(path)
    resign(path, lambda content: content.update(members=10**15))
    assert "damaged" in refuse(path)


def test_an_unknown_letter_is_a_real_number(tmp_path) -> None:
    write_model(full_model(), tmp_path / "m")
    resign(tmp_path / "m", lambda content: content["spec"].update(unknown=0))
    assert isinstance(read_model(tmp_path / "m").spec.unknown, float)


NO_NUMBERS = ("x", [1], {}, {"value": 1}, {"value": "x", "low": 1, "high": 2}, True, 10**400)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("metrics", value) for value in (None, 1, "x", [], [1], {"test": 1}, {"test": []})),
        *(("metrics", {"test": {"a": value}}) for value in (None, 3, "x", [1])),
        *(("metrics", {"test": {"a": {"auroc": value}}}) for value in NO_NUMBERS),
        *(("metrics", {"baselines": {"length": {"a": {"n": value}}}}) for value in NO_NUMBERS),
        *(("baselines", value) for value in (None, 1, [], {"length": 1}, {"length": []})),
        *(("provenance", value) for value in (None, 1, "x", [], {"inputs": 1}, {"inputs": []})),
    ],
)
def test_a_description_of_another_build_is_refused(path, key, value) -> None:
    resign(path, lambda content: content.update({key: value}))
    assert "damaged" in refuse(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("name", value) for value in (1, None, [], {}, "../../x", "a/b", "a\nb", "\x1b[1m")),
        *(("alternate", value) for value in (1.5, True, "a\tb")),
        *(("importance", value) for value in ("x", [1], True)),
        *(("sites", value) for value in ("x", [1], True, 10**400)),
        *(("background", value) for value in (None, 1, "ACGT", [1, 0, 0, 0])),
    ],
)
def test_a_motif_that_is_none_is_refused(path, key, value) -> None:
    resign(path, lambda content: content["motifs"][0].update({key: value}))
    assert "damaged" in refuse(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_reference_that_is_not_finite_is_refused(path, bad) -> None:
    def spoil(tensors) -> None:
        tensors["reference"].flat[0] = bad

    resign(path, lambda _: None, tensors=spoil)
    assert "reference" in refuse(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sizes: sizes[..., ::-1].copy(),
        lambda sizes: -sizes[..., ::-1].copy(),
        lambda sizes: sizes[:-1],
        lambda sizes: sizes[:, :1].copy(),
        lambda sizes: sizes[0],
        lambda sizes: sizes[..., :0],
        lambda sizes: sizes.astype(np.float64),
        lambda sizes: sizes * np.float32(np.nan),
        lambda sizes: sizes + np.float32(np.inf),
    ],
)
def test_a_null_that_is_none_is_refused(path, spoil) -> None:
    def change(tensors) -> None:
        tensors["null"] = spoil(tensors["null"])

    resign(path, lambda _: None, tensors=change)
    assert "damaged (null " in refuse(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("null"),
        lambda content: content.update(null=None),
        lambda content: content.update(null=3),
        lambda content: content["null"].pop("types"),
        lambda content: content["null"]["types"].pop(),
        lambda content: content["null"].update(types="x" * 20),
        lambda content: content["null"].update(types=[[]] * 20),
        lambda content: content["null"].update(shifts=0),
        lambda content: content["null"].update(shifts=1.0),
        lambda content: content["null"].update(strands=None),
        lambda content: content["null"].update(more=1),
    ],
)
def test_a_null_of_another_build_is_refused(path, change) -> None:
    resign(path, change)
    assert "damaged" in refuse(path)


def test_a_model_without_a_null_has_no_trace_of_one(tmp_path) -> None:
    write_model(replace(full_model(), null=None), tmp_path / "m")
    assert "null" not in load_file(tmp_path / "m")
    assert read_model(tmp_path / "m").null is None


def test_types_that_a_later_version_has_are_kept(path) -> None:
    def rename(content) -> None:
        content["null"]["types"][3] = "inversion_1"

    resign(path, rename)
    assert read_model(path).null.types[3] == "inversion_1"


# Nothing runs


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_loading_runs_nothing(tmp_path) -> None:
    assert pickle.loads(pickle.dumps(Trap())) is None
    assert Trap.sprung, "the trap works"
    Trap.sprung = False
    for name, save in (("pickle", lambda p: p.write_bytes(pickle.dumps(Trap()))),
                       ("torch", lambda p: torch.save(Trap(), p))):  # fmt: skip
        save(tmp_path / name)
        refuse(tmp_path / name)
    assert not Trap.sprung
