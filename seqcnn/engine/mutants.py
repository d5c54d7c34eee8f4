"""Every substitution of a sequence as a sequence of its own: what any backend can do."""

from collections.abc import Callable

import numpy as np

from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Logits

__all__ = ["score_whole_mutants"]


def score_whole_mutants(
    predict: Callable[[Codes, Advance], Logits], codes: Codes, advance: Advance, out: Logits
) -> Logits:
    """Score every base at every position of codes (n, length), sequence by sequence.

    Parameters
    ----------
    predict
        Gives the logits (members, rows, tasks) of sequences.
    codes
        The sequences.
    advance
        Told of each sequence.
    out
        Takes the logits (members, n, length, 4, tasks), and is given back.
    """
    place = np.arange(codes.shape[1])
    for row, sequence in enumerate(codes):
        mutants = np.tile(sequence, (len(sequence), 4, 1))
        mutants[place, :, place] = np.arange(4)
        logits = predict(mutants.reshape(-1, len(sequence)), lambda _: None)
        out[:, row] = logits.reshape(out[:, row].shape)
        advance(1)
    return out
