"""Sequence of low complexity: repeats of one, two or three letters."""

import numpy as np

from seqcnn.dna import UNKNOWN, Codes

__all__ = ["low_complexity"]

_WINDOW = 32
_SCORE = 2.0


def low_complexity(codes: Codes) -> float:
    """Measure which share of a sequence lies in windows of low complexity.

    A window of 32 bases counts whose triplets repeat so often that sum(c (c - 1) / 2) over the
    counts c of each triplet is more than twice the number of triplets less one.

    Parameters
    ----------
    codes
        One sequence (length,).

    References
    ----------
    Morgulis et al. 2006, doi:10.1089/cmb.2006.13.1028 (the score of DUST)
    """
    size = min(_WINDOW, len(codes))
    if size < 5:
        return 0.0
    triplets = np.lib.stride_tricks.sliding_window_view(codes.astype(np.int64), 3)
    numbers = np.where((triplets < UNKNOWN).all(axis=1), triplets @ np.array([16, 4, 1]), -1)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(numbers, size - 2), axis=1)
    # In sorted rows, a triplet at place p of its run has p equal ones before it: their sum is
    # that of c (c - 1) / 2.
    pairs = np.zeros(len(windows))
    run = np.zeros(len(windows))
    for place in range(1, windows.shape[1]):
        run = np.where(windows[:, place] == windows[:, place - 1], run + 1, 0)
        pairs += np.where(windows[:, place] >= 0, run, 0)
    low = pairs / (size - 3) > _SCORE
    covered = np.zeros(len(codes) + 1, dtype=np.int64)
    np.add.at(covered, np.flatnonzero(low), 1)
    np.add.at(covered, np.flatnonzero(low) + size, -1)
    return float((covered.cumsum()[:-1] > 0).mean())
