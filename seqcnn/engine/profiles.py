"""What a model says of each base."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.predict import Engine, Predictions

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["predict_profiles"]


def predict_profiles(
    engine: Engine, codes: Codes, *, progress: Callable[[int], object] | None = None
) -> Predictions:
    """Score each base of sequences, as a model of the kind ``profile`` does.

    Parameters
    ----------
    engine
        Of such a model.
    codes
        Array (n, length) of the model's length.
    progress
        Called with the number of sequences done since the last call.

    Returns
    -------
    Predictions
        Logits (members, n, tasks, length), in the units of the targets.
    """
    from seqcnn.engine.strands import profile_logits

    spec, backend = engine.spec, engine.torch
    centre = np.array(spec.centre or [0.0] * len(spec.tasks))[:, None]
    scale = np.array(spec.scale or [1.0] * len(spec.tasks))[:, None]

    def score(one_hot: "Tensor", rows: int) -> NDArray[np.float64]:
        members = [
            profile_logits(network, one_hot, spec.strands)[:rows].double().cpu().numpy()
            for network in backend.networks
        ]
        return np.stack(members)

    shape = (len(backend.networks), len(codes), len(spec.tasks), spec.length)
    logits, done = np.empty(shape), 0
    for part in backend.map_blocks(codes, score):
        logits[:, done : done + part.shape[1]] = part
        done += part.shape[1]
        if progress:
            progress(part.shape[1])
    return Predictions(logits * scale + centre)
