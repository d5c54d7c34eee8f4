"""A look at a device before it is trusted: it has to say what the CPU says."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.errors import ConfigError

__all__ = ["check_device", "draw_windows"]

TOLERANCE = 1e-4
"""Float32 sums in another order differ by a hundredth of it; factors rounded to 10 bits (TF32),
or a device that computes wrongly, by more."""

_WINDOWS = 8
_SEED = 20150727

Logits = NDArray[np.float64]


def check_device(
    device: str,
    on_device: Callable[[Codes], Logits],
    on_cpu: Callable[[Codes], Logits],
    *,
    length: int,
) -> None:
    """Compare a few windows on a device with the CPU.

    Parameters
    ----------
    device
        Its name, for the message.
    on_device, on_cpu
        Give the logits (..., tasks) of codes (n, length), before any scale of the targets.
    length
        Bases of a window.

    Raises
    ------
    ConfigError
        When logits of the device are not finite, or differ by more than `TOLERANCE` in the
        larger of 1 and the largest logit.
    """
    codes = draw_windows(length)
    expected, found = on_cpu(codes), on_device(codes)
    limit = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if found.shape != expected.shape:
        problem = f"logits of shape {found.shape}, on the CPU {expected.shape}"
    elif not np.isfinite(found).all():
        problem = "logits that are not finite"
    else:
        largest = float(np.abs(found - expected).max())
        if largest <= limit:
            return
        problem = f"logits that differ by up to {largest:.3g} from the CPU's"
    raise ConfigError(
        f"--device {device}",
        problem,
        expected=f"differences of at most {limit:.3g}",
        remedy="use --device cpu, or update the GPU's driver and torch",
    )


def draw_windows(length: int) -> Codes:
    """Draw the same few random windows (n, length) each time: runs of N, and one of N only."""
    rng = np.random.default_rng(_SEED)
    codes = rng.integers(0, 4, (_WINDOWS, length), dtype=np.uint8)
    for row in codes[1::2]:
        start = rng.integers(length)
        row[start : start + rng.integers(1, 1 + max(1, length // 4))] = UNKNOWN
    codes[-1] = UNKNOWN
    return codes
