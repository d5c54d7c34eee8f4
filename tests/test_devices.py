"""Devices: which one is there, what it is called, and blocks on their way to it."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seqcnn.engine import devices
from seqcnn.engine.devices import (
    PRECISIONS,
    describe_device,
    find_device,
    resolve_device,
    stage,
    use_precision,
)
from seqcnn.errors import ConfigError

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

WITHOUT_TORCH = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("devices", sys.argv[1])
devices = importlib.util.module_from_spec(spec)
spec.loader.exec_module(devices)
devices._can_load = lambda library: False
devices._OTHER_GPUS = devices.Path("/nowhere")
print(devices.find_device(sys.argv[2]), devices.describe_device("cpu"), devices.count_threads(3))
print("torch" in sys.modules)
"""


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_a_machine_without_a_driver_does_without_torch(name) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, devices.__file__, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", "cpu", "3", "False"]


def pretend(monkeypatch, *, number):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")


def test_the_first_gpu_is_chosen_where_there_is_one(monkeypatch) -> None:
    pretend(monkeypatch, number=2)
    assert find_device("auto") == find_device("cuda") == find_device("cuda:0") == "cuda:0"
    assert find_device("cuda:1") == "cuda:1"
    assert find_device("cpu") == "cpu"
    assert resolve_device("auto") == torch.device("cuda:0")
    assert describe_device("cuda:1") == describe_device(torch.device("cuda:1")) == "cuda:1 (a GPU)"
    pretend(monkeypatch, number=0)
    assert find_device("auto") == "cpu"
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    assert describe_device("cpu") == describe_device(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize(("name", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_refused(name, number, monkeypatch) -> None:
    pretend(monkeypatch, number=number)
    with pytest.raises(ConfigError, match=rf"--device {name}: this machine has {number} CUDA"):
        find_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:1 ", "cuda:٣"])
def test_names_of_no_device_are_refused(name) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda or cuda:N"):
        find_device(name)


def test_a_driver_is_looked_for_by_its_library(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(devices, "_OTHER_GPUS", tmp_path / "none")
    monkeypatch.delitem(sys.modules, "torch")
    loaded = []

    def load(library):
        loaded.append(library)
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert not devices._may_have_gpu()
    assert loaded == ["libcuda.so.1", "nvcuda.dll"]
    monkeypatch.setattr(ctypes, "CDLL", loaded.append)
    assert devices._may_have_gpu()
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(devices, "_OTHER_GPUS", Path(__file__))
    assert devices._may_have_gpu()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_float32_is_multiplied_as_float32_unless_asked_otherwise(precision) -> None:
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = precision == "float32"
        use_precision(precision)
        assert [switch.allow_tf32 for switch in switches] == [precision != "float32"] * 2
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def test_blocks_arrive_as_they_were_sent() -> None:
    blocks = [torch.full((3,), i) for i in range(9)]
    assert [block.tolist() for block in stage(iter(blocks), "cpu")] == [[i] * 3 for i in range(9)]
    assert list(stage([], torch.device("cpu"))) == []


class FakeStream:
    """Stands in for a CUDA stream, and notes what is asked of it."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def __enter__(self):
        self.log.append(f"{self.name} on")

    def __exit__(self, *_):
        self.log.append(f"{self.name} off")

    def record_event(self):
        return f"{self.name} done"

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event}")


class FakeBlock:
    """Stands in for a block, and notes where it goes."""

    is_cuda = False

    def __init__(self, log, number):
        self.log, self.number = log, number

    def pin_memory(self):
        self.log.append(f"pin {self.number}")
        return self

    def to(self, device, *, non_blocking):
        assert non_blocking
        self.log.append(f"copy {self.number} to {device}")
        return self

    def record_stream(self, stream):
        self.log.append(f"{self.number} used by {stream.name}")


def test_the_next_blocks_are_copied_before_the_last_one_is_asked_for(monkeypatch) -> None:
    log = []
    main, side = FakeStream(log, "main"), FakeStream(log, "side")
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: side)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: main)
    staged = stage((FakeBlock(log, number) for number in range(5)), "cuda:1")
    assert next(staged).number == 0
    assert [line for line in log if line.startswith("copy")] == [
        f"copy {number} to cuda:1" for number in range(3)
    ]
    assert log.index("copy 0 to cuda:1") in range(log.index("side on"), log.index("side off"))
    assert log[-2:] == ["main waits for side done", "0 used by main"]
    assert [block.number for block in staged] == [1, 2, 3, 4]
    assert sum(line.startswith("pin") for line in log) == 5


@needs_gpu
def test_blocks_arrive_on_a_gpu_as_they_were_sent() -> None:
    blocks = [torch.randint(0, 5, (1000, 999), dtype=torch.uint8) for _ in range(9)]
    for sent, got in zip(blocks, stage(blocks, "cuda:0"), strict=True):
        assert got.is_cuda
        assert torch.equal(got.cpu(), sent)
