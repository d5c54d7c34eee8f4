"""Every substitution of a sequence, under networks that score the windows inside it.

A substitution changes the windows that hold it (and, where detectors see the sequence past a
window's ends, those beside them) and no others. So a mutant's largest logit is that of the
windows before them, of those behind them, and of the few changed ones, which alone are scored
anew, as a short sequence of their own. A sum over windows is added up in its usual order, so that
both rules give the bits that the whole mutant would have.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.kernels import Logits
from seqcnn.engine.window_layout import WindowBank
from seqcnn.engine.window_scores import WINDOW_AVERAGE, score_windows_apart

__all__ = ["score_window_mutants"]


@compile_kernel
def score_window_mutants(
    codes: NDArray[np.uint8],
    span: tuple[int, int],
    size: int,
    real_flanks: bool,
    rule: tuple[int, int],
    bank: WindowBank,
    out: Logits,
) -> None:
    """Score a sequence with each base at some of its positions.

    Parameters
    ----------
    codes
        The sequence (length,).
    span
        The first of the positions, and the one after the last.
    size, real_flanks, rule, bank
        See `seqcnn.engine.window_scores.score_stretches`.
    out
        Takes the logits (positions, 4, networks); at its own base, the sequence's own.
    """
    length = len(codes)
    size = min(size, length)
    windows, reach = length - size + 1, bank.width - 1 if real_flanks else 0
    networks, strands = len(bank.counts), bank.places.shape[1]
    logits = np.empty((1, networks, strands, windows))
    score_windows_apart(codes.reshape(1, length), size, real_flanks, bank, logits)
    own = logits[0]
    before = np.empty((networks, strands, windows + 1))
    after = np.empty((networks, strands, windows + 1))
    _run_maxima(own, before, after)
    _run_sums(own, rule, before)
    whole = np.empty(networks)
    _join(own, own, 0, 0, length, rule, before, after, whole)
    for place in range(span[0], span[1]):
        low, high = max(0, place - size + 1 - reach), min(windows, place + 1 + reach)
        # Past the changed windows, what detectors that reach out of them see.
        first, last = max(0, low - reach), min(length, high - 1 + size + reach)
        mutants = _mutate(codes, first, last, place)
        changed = np.empty((len(mutants), networks, strands, last - first - size + 1))
        score_windows_apart(mutants, size, real_flanks, bank, changed)
        target = out[place - span[0]]
        if codes[place] < 4:
            target[codes[place]] = whole
        for row in range(len(mutants)):
            part = changed[row][:, :, low - first : high - first]
            base = mutants[row, place - first]
            _join(own, part, low, high, length, rule, before, after, target[base])


@compile_kernel
def _mutate(codes: NDArray[np.uint8], first: int, last: int, place: int) -> NDArray[np.uint8]:
    """Copy bases `first` to `last` - 1 with each base at a place but the sequence's own."""
    own = codes[place]
    mutants = np.empty((3 if own < 4 else 4, last - first), dtype=np.uint8)
    base = 0
    for row in range(len(mutants)):
        base += base == own
        mutants[row] = codes[first:last]
        mutants[row, place - first] = base
        base += 1
    return mutants


@compile_kernel
def _run_maxima(own: Logits, before: Logits, after: Logits) -> None:
    """Note the largest logit of the windows before each one, and from each one on."""
    for network in range(own.shape[0]):
        for strand in range(own.shape[1]):
            values, left = own[network, strand], before[network, strand]
            right = after[network, strand]
            count = len(values)
            left[0] = right[count] = -np.inf
            for i in range(count):
                left[i + 1] = max(left[i], values[i])
            for i in range(count - 1, -1, -1):
                right[i] = max(right[i + 1], values[i])


@compile_kernel
def _run_sums(own: Logits, rule: tuple[int, int], before: Logits) -> None:
    """Put the sums of the windows before each one in the place of their maxima, if they count."""
    if rule[0] != WINDOW_AVERAGE:
        return
    for network in range(own.shape[0]):
        for strand in range(own.shape[1]):
            values, left = own[network, strand], before[network, strand]
            left[0] = 0.0
            left[1] = values[0]
            for i in range(1, len(values)):
                left[i + 1] = left[i] + values[i]


@compile_kernel
def _join(
    own: Logits,
    changed: Logits,
    low: int,
    high: int,
    length: int,
    rule: tuple[int, int],
    before: Logits,
    after: Logits,
    out: Logits,
) -> None:
    """Put windows together of which those from `low` to `high` - 1 are changed, then strands.

    Parameters
    ----------
    own, changed
        Logits (networks, strands, windows) of the sequence, and of the changed windows.
    low, high
        Which those are.
    length
        Bases of the sequence.
    rule
        See `score_window_mutants`.
    before, after
        Of `_run_maxima` or `_run_sums`.
    out
        Takes the logits (networks,).
    """
    windows = own.shape[2]
    average = rule[0] == WINDOW_AVERAGE
    for network in range(own.shape[0]):
        joined = 0.0
        for strand in range(own.shape[1]):
            found = before[network, strand, low]
            values = changed[network, strand]
            if average:
                for i in range(high - low):
                    found = values[i] if low + i == 0 else found + values[i]
                for i in range(high, windows):
                    value = own[network, strand, i]
                    found = value if i == 0 else found + value
                if windows > 1:
                    found /= length
            else:
                for i in range(high - low):
                    found = max(found, values[i])
                found = max(found, after[network, strand, high])
            if strand == 0:
                joined = found
            else:
                joined = max(joined, found) if rule[1] else (joined + found) / 2
        out[network] = joined
