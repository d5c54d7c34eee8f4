"""Checkpoints: whole or not there, of this run or refused."""

from pathlib import Path

import numpy as np
import pytest

from seqcnn.checkpoints import Checkpoints, State, resumable_directory
from seqcnn.errors import ConfigError

STATE = State(
    {
        "a": np.arange(6, dtype=np.uint64).reshape(2, 3),
        "one": np.array(3),
        "none": np.empty((3, 0)),
    },
    {"big": 2**127 - 1, "none": None, "share": 0.1},
)


def same(one: State, other: State) -> bool:
    return one.values == other.values and all(
        np.array_equal(one.arrays[name], other.arrays[name])
        and one.arrays[name].dtype == other.arrays[name].dtype
        and one.arrays[name].shape == other.arrays[name].shape
        for name in {*one.arrays, *other.arrays}
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "here", "run")
    assert checkpoints.read("part") is None
    assert not checkpoints.exist
    checkpoints.write("part", State({}, {}))
    checkpoints.write("part", STATE)
    found = Checkpoints(tmp_path / "here", "run").read("part")
    assert found is not None
    assert same(found, STATE)
    assert checkpoints.exist
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["part.safetensors"]


def test_states_are_joined_and_parted_again() -> None:
    other = State({"a": np.zeros(2)}, {})
    joined = State.joined({"one": STATE, "two": other})
    assert same(joined.within("one"), STATE)
    assert same(joined.within("two"), other)


def test_a_byte_that_changed_and_another_run_are_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "run")
    checkpoints.write("part", STATE)
    with pytest.raises(ConfigError, match=r"is of another run: .*; begin anew: without --resume"):
        Checkpoints(tmp_path, "another").read("part")
    path = tmp_path / "part.safetensors"
    data = path.read_bytes()
    for wrong in (data[:-1], data[:-1] + b"\x01", b"", data[: len(data) // 2], b"text"):
        path.write_bytes(wrong)
        with pytest.raises(ConfigError, match=r"part\.safetensors: the checkpoint is damaged"):
            checkpoints.read("part")


def test_a_checkpoint_is_due_after_a_while(tmp_path: Path) -> None:
    now = [0.0]
    checkpoints = Checkpoints(tmp_path, "run", clock=lambda: now[0], seconds=60)
    asked = []
    for now[0] in (0, 30, 61, 100):
        asked.append(checkpoints.due("part"))
    assert asked == [False, False, True, True]
    checkpoints.write("part", STATE)
    assert not checkpoints.due("part")
    assert not checkpoints.due("another part")


def fill(target: Path, error: BaseException | None, *, resume: bool = False, save: bool = True):
    with resumable_directory(target, "run", resume=resume) as (folder, checkpoints):
        (folder / "result").write_text("whole")
        if save:
            checkpoints.write("part", STATE)
        if error:
            raise error


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    (target / "earlier").mkdir(parents=True)
    fill(target, None)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in target.iterdir()] == ["result"]


@pytest.mark.parametrize(
    ("error", "save", "kept"),
    [
        (KeyboardInterrupt(), True, True),
        (SystemExit(143), True, True),
        (SystemExit(143), False, False),
        (ConfigError("x", "is wrong"), True, False),
    ],
)
def test_only_what_can_be_gone_on_with_stays(tmp_path: Path, error, save, kept) -> None:
    target = tmp_path / "out"
    with pytest.raises(type(error)):
        fill(target, error, save=save)
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"] * kept


def test_a_run_goes_on_only_with_its_own(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fill(target, KeyboardInterrupt())
    refusal = pytest.raises(ConfigError, match=r"out\.partial: is of another run")
    with refusal, resumable_directory(target, "another", resume=True):
        pass
    with resumable_directory(target, "run", resume=True) as (folder, checkpoints):
        found = checkpoints.read("part")
        assert found is not None
        assert same(found, STATE)
        assert (folder / "result").exists()
        refusal = pytest.raises(ConfigError, match="in use: another process")
        with refusal, resumable_directory(target, "run", resume=False):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_of_another_run_may_be_given_up(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fill(target, KeyboardInterrupt())
    with resumable_directory(target, "another", resume=True, anew=True) as (folder, checkpoints):
        assert checkpoints.read("part") is None
        assert not (folder / "result").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_resume_all_begins_anew(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        fill(target, KeyboardInterrupt())
    with resumable_directory(target, "another", resume=False) as (folder, checkpoints):
        assert checkpoints.read("part") is None
        assert [path.name for path in folder.iterdir()] == ["run.json"]
    assert list(target.iterdir()) == []
