"""Recorded steps: what they do is what the step does."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqcnn.training import recording
from seqcnn.training.recording import record

ON_CUDA = SimpleNamespace(device=SimpleNamespace(type="cuda"))


def test_on_a_cpu_a_step_stays_what_it_is() -> None:
    def step(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x + 1,)

    assert record(step, [torch.zeros(2)], []) is step


@pytest.mark.parametrize("fails", [True, False])
def test_recording_leaves_no_trace_in_the_state(
    fails: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weights = torch.arange(3.0, requires_grad=True)

    def step(_: object) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            weights.add_(1)
        return (weights,)

    class Recorder:
        def __init__(self, taken, inputs) -> None:
            taken(*inputs)
            if fails:
                raise RuntimeError("no graphs here")

    monkeypatch.setattr(recording, "Recorded", Recorder)
    found = record(step, [ON_CUDA], [weights])
    assert weights.tolist() == [0, 1, 2]
    assert weights.requires_grad
    assert (found is step) == fails
    assert ("no graphs here" in caplog.text) == fails


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_recorded_step_does_what_the_step_does() -> None:
    def run(recorded: bool) -> np.ndarray:
        weights = torch.ones(64, 64, device="cuda", requires_grad=True)
        done = torch.zeros(1, dtype=torch.int64, device="cuda")

        def step(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            loss = (x @ weights).square().mean()
            (gradient,) = torch.autograd.grad(loss, [weights])
            done.add_(1)
            with torch.no_grad():
                weights.sub_(gradient / done)
            return (loss.detach(),)

        inputs = torch.randn(9, 8, 64, generator=torch.Generator().manual_seed(0)).cuda()
        taken = record(step, [inputs[0]], [weights, done]) if recorded else step
        losses = [taken(x)[0].item() for x in inputs]
        return np.array([*losses, *weights.detach().cpu().numpy().ravel()])

    np.testing.assert_array_equal(run(recorded=True), run(recorded=False))
