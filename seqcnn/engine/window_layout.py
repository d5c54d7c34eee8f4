"""Networks that score windows inside a sequence, laid out side by side for the compiled loops.

DeepBind's program scores every window of a sequence apart, with N around it. Most of the time
goes into detectors that reach past an end of a window. A score that cannot be above zero is cut
off by the rectifier whatever the sequence is, and that can be told beforehand: some detectors
never matter, others only while few of their columns lie outside. Detectors of all networks of
one shape stand side by side in blocks, those that may reach equally far together, and each block
goes no further than it must. What is left out is exactly zero, so that a network scores the same
to the last bit, whichever networks stand beside it.

`seqcnn.engine.detectors` describes the integers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.pooled import PooledForm
from seqcnn.engine.compiled import compile_kernel
from seqcnn.engine.detectors import fix_point, tabulate

__all__ = ["LANES", "ROWS", "WindowBank", "lay_out_bank", "make_room"]

LANES = 64
"""Detectors of a block: loops of a known length run faster."""
ROWS = 8
"""Numbers of columns outside of a window that are looked at together."""
_NEVER = -(2**29)  # as low as the highest score is high
_LINE = 16  # integers
_SPARE_ROWS = 11  # that loops over eight at a time, four steps ahead, may touch
_KMER = 3

Numbers = NDArray[np.float64]
Integers = NDArray[np.int32]


class WindowBank(NamedTuple):
    """Networks of one shape as the compiled loops take them; a lane is a detector on a strand.

    Attributes
    ----------
    tables
        Sums (blocks, chunks, 5^kmer, lanes) over the k-mers of each chunk of columns.
    kmer
        Columns of a chunk.
    width
        Columns of a detector.
    lost
        What a score gains (blocks, 2, 5, columns x lanes) when the first column of a detector,
        then the second, and so on, becomes N; and the same from the last column on.
    depths
        How many columns at most may lie outside (blocks, 2), on the left and on the right.
    places
        Lanes (networks, strands, detectors) of each network.
    counts
        How many detectors of each network matter (networks,).
    units
        What an integer counts in each network (networks,).
    first_weights, first_bias
        First layer: weights (networks, features, units), the maxima of the detectors that
        matter and then their means, and bias (networks, units).
    last_weights, last_bias
        Last layer (networks, units) and (networks,); without a hidden layer it only adds up.
    has_mean
        Whether the mean over positions follows the maximum.
    has_hidden
        Whether the first layer is rectified, and weighed by the last one.
    """

    tables: NDArray[np.int32]
    kmer: int
    width: int
    lost: NDArray[np.int32]
    depths: NDArray[np.int64]
    places: NDArray[np.int64]
    counts: NDArray[np.int64]
    units: Numbers
    first_weights: Numbers
    first_bias: Numbers
    last_weights: Numbers
    last_bias: Numbers
    has_mean: bool
    has_hidden: bool


def lay_out_bank(forms: Sequence[PooledForm], *, both: bool, unknown: float) -> WindowBank:
    """Lay networks of one shape out.

    Parameters
    ----------
    forms
        The networks, each padded by all columns of a detector but one, with ReLU and one task.
    both
        Whether both strands are looked at.
    unknown
        What N has in each of the four one-hot rows.
    """
    number = forms[0].columns.shape[2]
    fixed = [fix_point(form, unknown, both=both) for form in forms]
    sides = [np.split(columns, 1 + both, axis=2) for columns, _ in fixed]
    kept = [np.flatnonzero(_highest(strands[0][:, :, :number]) > 0) for strands in sides]
    lanes = [
        strand[:, :, chosen] for strands, chosen in zip(sides, kept, strict=True)
        for strand in strands
    ]  # fmt: skip
    columns = np.concatenate(lanes, axis=2)
    order, depths = _arrange(_reaches(columns))
    columns = _in_blocks(columns, order)  # (blocks, width, 5, lanes)
    chunks = 2 * -(-columns.shape[1] // (2 * _KMER))  # the others hold zeros
    weights = [_weigh_kept(form, chosen, number) for form, chosen in zip(forms, kept, strict=True)]
    first, bias, last, last_bias = (np.stack(part) for part in zip(*weights, strict=True))
    return WindowBank(
        tables=_align(np.stack([tabulate(block, _KMER)[:chunks] for block in columns])),
        kmer=_KMER,
        width=columns.shape[1],
        lost=_align(np.stack([_exchange(columns), _exchange(columns[:, ::-1])], axis=1)),
        depths=depths,
        places=_find_places(order, [len(chosen) for chosen in kept], 1 + both, number),
        counts=np.array([len(chosen) for chosen in kept]),
        units=np.array([2.0**-bits for _, bits in fixed]),
        first_weights=first,
        first_bias=bias,
        last_weights=last,
        last_bias=last_bias,
        has_mean=forms[0].has_mean,
        has_hidden=len(forms[0].head) > 1,
    )


@compile_kernel
def make_room(rows: int) -> Integers:
    """Make an array (rows, lanes) that begins where a line of the cache does.

    Loads that cross one take twice.
    """
    room = np.empty(rows * LANES + _LINE, dtype=np.int32)
    first = -(room.ctypes.data // 4) % _LINE
    return room[first : first + rows * LANES].reshape(rows, LANES)


def _align(values: Integers) -> Integers:
    """Copy integers, of whole rows of lanes, to such room."""
    aligned = make_room(values.size // LANES).reshape(values.shape)
    aligned[:] = values
    return aligned


def _highest(columns: Integers) -> NDArray[np.int64]:
    """Give the highest score (lanes,) of each detector over all sequences."""
    return np.asarray(columns.max(axis=1).sum(axis=0, dtype=np.int64))


def _reaches(columns: Integers) -> NDArray[np.int64]:
    """Count the columns (2, lanes) that may lie outside of a window while a score is above 0."""
    reaches = []
    for side in (columns, columns[::-1]):
        unknown = np.cumsum(side[:-1, 4], axis=0, dtype=np.int64)
        highest = np.cumsum(side.max(axis=1)[:0:-1], axis=0, dtype=np.int64)[::-1]
        above = unknown + highest > 0  # (columns outside - 1, lanes)
        steps = np.arange(1, len(side))[:, None]
        reaches.append((above * steps).max(axis=0, initial=0))
    return np.stack(reaches)


def _arrange(reaches: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put lanes that reach equally far into one block.

    Returns
    -------
    tuple
        The lane at each place (blocks, lanes), -1 for none, and the depths (blocks, 2).
    """
    number = reaches.shape[1]
    blocks = max(1, -(-number // LANES))
    left, right = -(-reaches // ROWS)
    order = np.lexsort((np.where(left % 2, right, -right), -left))  # to and fro on the right
    filled = np.full((blocks, LANES), -1)
    filled.flat[:number] = order
    reached = np.concatenate([reaches, np.zeros((2, 1), dtype=np.int64)], axis=1)[:, filled]
    return filled, reached.max(axis=2).T.copy()


def _in_blocks(columns: Integers, order: NDArray[np.int64]) -> Integers:
    """Give columns (blocks, width, 5, lanes); places without a lane hold zeros."""
    empty = np.zeros((*columns.shape[:2], 1), dtype=np.int32)
    arranged = np.concatenate([columns, empty], axis=2)[:, :, order]
    return np.ascontiguousarray(arranged.transpose(2, 0, 1, 3))


def _exchange(columns: Integers) -> Integers:
    """Give what scores gain (blocks, 5, columns x lanes) when one column after another is N.

    When the last one is lost, no score is left: it gains so little that it is below 0 for good.
    """
    gained = (columns[:, :, 4:] - columns)[:, :-1]  # (blocks, width - 1, 5, lanes)
    spare = np.zeros((len(columns), _SPARE_ROWS, *gained.shape[2:]), dtype=np.int32)
    spare[:, 0] = _NEVER
    filled = np.concatenate([gained, spare], axis=1).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(filled).reshape(len(columns), 5, -1)


def _find_places(
    order: NDArray[np.int64], counts: Sequence[int], strands: int, number: int
) -> NDArray[np.int64]:
    """Find the lanes (networks, strands, detectors) of the detectors that matter."""
    place = np.empty(max(1, (order >= 0).sum()), dtype=np.int64)
    place[order[order >= 0]] = np.flatnonzero(order.ravel() >= 0)
    places = np.zeros((len(counts), strands, number), dtype=np.int64)
    lane = 0
    for network, count in enumerate(counts):
        for strand in range(strands):
            places[network, strand, :count] = place[lane : lane + count]
            lane += count
    return places


def _weigh_kept(
    form: PooledForm, kept: NDArray[np.int64], number: int
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Give the layers of a network without the detectors that do not matter."""
    matrix, bias = form.head[0]
    parts = 1 + form.has_mean
    weights = np.zeros((parts, number, len(bias)))
    weights[:, : len(kept)] = matrix.T.reshape(parts, -1, len(bias))[:, kept]
    last = form.head[1] if len(form.head) > 1 else (np.ones((1, 1)), np.zeros(1))
    return weights.reshape(-1, len(bias)), bias, last[0][0], last[1][0]
