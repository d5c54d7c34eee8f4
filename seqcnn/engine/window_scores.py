"""From pooled windows to logits: each network's layers, then strands and windows put together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.kernels import Logits
from seqcnn.engine.window_layout import LANES, WindowBank
from seqcnn.engine.window_pooling import pool_windows

__all__ = ["WINDOW_AVERAGE", "WINDOW_MAX", "score_stretches", "score_windows_apart"]

WINDOW_MAX, WINDOW_AVERAGE = 0, 1


@compile_kernel
def score_stretches(
    codes: NDArray[np.uint8],
    size: int,
    real_flanks: bool,
    rule: tuple[int, int],
    bank: WindowBank,
    out: Logits,
) -> None:
    """Score every stretch of a length in sequences, by the windows inside it.

    Parameters
    ----------
    codes
        Array (n, length).
    size
        Bases of a window; a stretch that is no longer is one window.
    real_flanks
        Whether detectors see the sequence past a window's ends, rather than N; then a stretch is
        a whole sequence.
    rule
        `WINDOW_MAX` or `WINDOW_AVERAGE`, and for the strands 0 (their mean) or 1 (the larger).
    bank
        The networks.
    out
        Takes the logits (n, stretches, networks): the more stretches, the shorter they are.
    """
    length = codes.shape[1] - out.shape[1] + 1
    size = min(size, length)
    windows, networks = codes.shape[1] - size + 1, len(bank.counts)
    logits = np.empty((len(codes), networks, bank.places.shape[1], windows))
    score_windows_apart(codes, size, real_flanks, bank, logits)
    for row in range(len(codes)):
        _combine(logits[row], length, length - size + 1, rule, out[row])


@compile_kernel
def score_windows_apart(
    codes: NDArray[np.uint8], size: int, real_flanks: bool, bank: WindowBank, out: Logits
) -> None:
    """Score every window of sequences on each strand.

    Parameters
    ----------
    codes
        Array (n, length).
    size
        Bases of a window, at most those of a sequence.
    real_flanks
        See `score_stretches`.
    bank
        The networks.
    out
        Takes the logits (n, networks, strands, windows), each of which is that of the window
        alone, to the last bit.
    """
    shape = (len(codes), len(bank.tables) * LANES, out.shape[3])
    best = np.empty(shape, dtype=np.int32)
    # Without a mean it is never read, but each row takes a part of it.
    total = np.empty(shape if bank.has_mean else (shape[0], 1, 1), dtype=np.int64)
    fires = np.empty(shape[:2], dtype=np.bool_)
    pool_windows(codes, size, real_flanks, bank, best, total, fires)
    for row in range(len(codes)):
        _weigh(best[row], total[row], fires[row], size + bank.width - 1, bank, out[row])


@compile_kernel
def _weigh(
    best: NDArray[np.int32],
    total: NDArray[np.int64],
    fires: NDArray[np.bool_],
    count: int,
    bank: WindowBank,
    out: Logits,
) -> None:
    """Run the pooled scores of windows through each network's layers.

    Parameters
    ----------
    best, total
        Pooled (blocks x lanes, windows), of the lanes that fire.
    fires
        Which do (blocks x lanes,).
    count
        Positions of a window.
    bank
        The networks.
    out
        Takes the logits (networks, strands, windows).
    """
    networks, strands, windows = out.shape
    parts, hidden = 1 + bank.has_mean, bank.first_bias.shape[1]
    units, values = np.empty((hidden, windows)), np.empty((4, windows))
    rows = np.zeros((4, hidden))
    for network in range(networks):
        for strand in range(strands):
            for i in range(hidden):
                units[i] = bank.first_bias[network, i]
            filled = 0
            for feature in range(parts * bank.counts[network]):
                part, q = divmod(feature, bank.counts[network])
                place = bank.places[network, strand, q]
                if not fires[place]:
                    continue
                weights = bank.first_weights[network, part * bank.places.shape[2] + q]
                unit = bank.units[network]
                if part:
                    _take(total[place], unit / count, values[filled])
                else:
                    _take(best[place], unit, values[filled])
                rows[filled] = weights
                filled += 1
                if filled == 4:
                    _add_four(rows, values, units)
                    filled = 0
            if filled:
                values[filled:] = 0
                _add_four(rows, values, units)
            logits = out[network, strand]
            logits[:] = bank.last_bias[network]
            for i in range(hidden):
                _add_unit(units[i], bank.last_weights[network, i], bank.has_hidden, logits)


@compile_kernel
def _take(pooled: NDArray[Any], unit: float, out: Logits) -> None:
    """Take what a detector has pooled (windows,)."""
    for window in range(len(out)):
        out[window] = max(pooled[window], 0) * unit


@compile_kernel
def _add_four(rows: Logits, values: Logits, units: Logits) -> None:
    """Add four detectors' values (4, windows), weighed by (4, hidden), to (hidden, windows).

    One after the other: which detectors stand together then makes no difference.
    """
    v, w, x, y = values[0], values[1], values[2], values[3]
    for u in range(len(units)):
        a, b, c, d = rows[0, u], rows[1, u], rows[2, u], rows[3, u]
        unit = units[u]
        for k in range(values.shape[1]):
            unit[k] = (((unit[k] + a * v[k]) + b * w[k]) + c * x[k]) + d * y[k]


@compile_kernel
def _add_unit(unit: Logits, weight: float, is_rectified: bool, logits: Logits) -> None:
    """Weigh a unit of the hidden layer (windows,)."""
    if is_rectified:
        for k in range(len(logits)):
            logits[k] += weight * max(unit[k], 0.0)
    else:
        for k in range(len(logits)):
            logits[k] += weight * unit[k]


@compile_kernel
def _add_up(values: Logits) -> float:
    found = values[0]
    for i in range(1, len(values)):
        found += values[i]
    return float(found)


@compile_kernel
def _largest(values: Logits) -> float:
    """Give the largest value: of four runs, none of which waits for another."""
    a = b = c = d = values[0]
    whole = len(values) // 4 * 4
    for i in range(0, whole, 4):
        a, b = max(a, values[i]), max(b, values[i + 1])
        c, d = max(c, values[i + 2]), max(d, values[i + 3])
    for i in range(whole, len(values)):
        a = max(a, values[i])
    return float(max(a, b, c, d))


@compile_kernel
def _combine(logits: Logits, length: int, group: int, rule: tuple[int, int], out: Logits) -> None:
    """Put the windows (networks, strands, windows) of each stretch together, then the strands.

    Parameters
    ----------
    logits
        Of the windows.
    length
        Bases of a stretch: what a sum over its windows is divided by.
    group
        Windows of a stretch.
    rule
        See `score_stretches`.
    out
        Takes the logits (stretches, networks).
    """
    average = rule[0] == WINDOW_AVERAGE and group > 1
    for network in range(logits.shape[0]):
        for first in range(len(out)):
            joined = 0.0
            for strand in range(logits.shape[1]):
                values = logits[network, strand, first : first + group]
                found = _add_up(values) / length if average else _largest(values)
                if strand == 0:
                    joined = found
                else:
                    joined = max(joined, found) if rule[1] else (joined + found) / 2
            out[first, network] = joined
