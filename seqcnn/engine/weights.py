"""Whether the weights of a model file are those of its configuration."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seqcnn.errors import ModelFileError

__all__ = ["check_weights", "too_short"]

_MODEL = "the model file"

Shapes = Mapping[str, tuple[int, ...]]


def check_weights(wanted: Shapes, member: Mapping[str, NDArray[np.float32]]) -> None:
    """Refuse weights of other names or shapes; counters of batches do not matter.

    Raises
    ------
    ModelFileError
        At the first weight that is missing, of another shape, or too many.
    """
    found = {k: v.shape for k, v in member.items() if v.dtype.kind == "f"}
    wrong = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
    if wrong:
        name = wrong[0]
        raise ModelFileError(
            _MODEL,
            f"its weights do not fit its configuration: {name} is {_spell_shape(found, name)}",
            expected=_spell_shape(wanted, name),
            remedy="train the model again",
        )


def _spell_shape(shapes: Shapes, name: str) -> str:
    return " x ".join(map(str, shapes[name])) + " values" if name in shapes else "absent"


def too_short(length: int, shortest: int) -> ModelFileError:
    """Say that windows are shorter than what the network needs."""
    found = f"windows of {length} bp"
    return ModelFileError(_MODEL, found, expected=f"at least {shortest} bp")
