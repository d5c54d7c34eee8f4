"""Steps on a GPU as one launch: recorded as a CUDA graph, and replayed.

A step of small networks is hundreds of short kernels, and starting them takes longer than running
them. A recorded step starts all of them at once. It does what the step does, to the last bit, as
long as the step works in place on the same tensors and asks the device for no number.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["Recorded", "Step", "record"]

_LOG = logging.getLogger(__name__)

Step = Callable[..., tuple[Tensor, ...]]
"""Takes tensors, changes its state in place, and gives tensors."""

_WARM_UPS = 3  # what libraries choose and allocate at first must not be recorded


def record(step: Step, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> Step:
    """Record a step, where its tensors are on CUDA; elsewhere, or if it fails, it stays as it is.

    Parameters
    ----------
    step
        What is recorded.
    inputs
        Tensors like those that each call will be given.
    state
        What the step changes; left as it is here.
    """
    if inputs[0].device.type != "cuda":
        return step
    kept = [tensor.detach().clone() for tensor in state]
    try:
        return Recorded(step, inputs)
    except RuntimeError as problem:
        _LOG.warning("steps are not recorded as a CUDA graph (%s): training is slower", problem)
        return step
    finally:
        with torch.no_grad():
            for tensor, value in zip(state, kept, strict=True):
                tensor.copy_(value)


class Recorded:
    """A recorded step. What it gives is overwritten by the next call."""

    def __init__(self, step: Step, inputs: Sequence[Tensor]) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        device = inputs[0].device
        aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                step(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = step(*self._inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Take a step."""
        for held, given in zip(self._inputs, inputs, strict=True):
            held.copy_(given)
        self._graph.replay()
        return self._outputs
