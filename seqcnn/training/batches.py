"""Batches of integer codes: rows in a new order in each epoch, with fresh shuffles.

What a batch needs is made when it is gathered, in one compiled loop: nothing of the size of the
data is copied, and the optimiser never waits for it for long.
"""

import numpy as np
from numpy.typing import NDArray

from seqcnn.checkpoints import State
from seqcnn.datasets import LabelledSequences
from seqcnn.dna import Codes
from seqcnn.engine.compiled import compile_kernel
from seqcnn.modelfile import ModelSpec
from seqcnn.splits import Split
from seqcnn.training.augmentation import Augmentation, Extents, Stream, change_row, draw

__all__ = ["Feed", "scale_targets", "shuffle_codes"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

_LETTERS = 5


def scale_targets(targets: Floats, spec: ModelSpec) -> Floats:
    """Standardise regression targets; leave others."""
    if spec.task_kind != "regression":
        return targets
    with np.errstate(over="ignore"):  # the loss tells of it
        return ((targets - spec.centre) / spec.scale).astype(np.float32)


class Feed:
    """An endless stream of batches of one training set.

    Parameters
    ----------
    split
        The data: rows of `train`, and `shuffles` fresh dinucleotide shuffles of each positive;
        rows with a larger weight are seen more often.
    spec
        Of the model: with ``average``, each sequence is seen on a strand drawn anew (both are
        averaged when scoring).
    batch_size
        Rows of a batch; what an epoch leaves over begins the next one's.
    rng
        Source of order, shuffles and strands.
    augment
        How sequences are changed in the first batches.
    changed
        How many batches those are.
    """

    def __init__(
        self,
        split: Split,
        spec: ModelSpec,
        *,
        batch_size: int,
        rng: np.random.Generator,
        augment: Augmentation | None = None,
        changed: int = 0,
    ) -> None:
        train = split.train
        self.codes = np.ascontiguousarray(train.sequences.codes)
        parents = np.repeat(np.flatnonzero(train.positive), split.shuffles)
        self.sources = np.concatenate([np.arange(len(train)), parents])
        self.targets = scale_targets(train.targets, spec)
        self._shuffles, self._chances = split.shuffles, _chances(train)
        self._positive = train.positive
        self.batch_size, self.rng = batch_size, rng
        self.turning = spec.strands == "average"
        self.extents = (augment or Augmentation()).extents
        self._to_change = changed * batch_size
        self._order = np.empty(0, dtype=np.int64)
        self._seed = np.uint64(0)

    @property
    def rows(self) -> int:
        """Sequences of an epoch."""
        return len(self.sources)

    def state(self) -> State:
        """Say where the stream stands."""
        arrays = {"order": self._order, "seed": np.array([self._seed], dtype=np.uint64)}
        arrays["sources"] = self.sources
        return State(arrays, {"to_change": self._to_change, "rng": self.rng.bit_generator.state})

    def restore(self, state: State) -> None:
        """Go on where a stream stood."""
        self._order, self.sources = state.arrays["order"], state.arrays["sources"]
        self._seed = np.uint64(state.arrays["seed"][0])
        self._to_change = state.values["to_change"]
        self.rng.bit_generator.state = state.values["rng"]

    def take(self, steps: int) -> tuple[Codes, Floats]:
        """Give the next batches: codes (steps, batch, length) and targets (steps, batch, tasks)."""
        count = steps * self.batch_size
        codes = np.empty((count, self.codes.shape[1]), dtype=np.uint8)
        targets = np.empty((count, self.targets.shape[1]), dtype=np.float32)
        done = 0
        while done < count:
            if not len(self._order):
                self._order = self.rng.permutation(self._draw_epoch())
                self._seed = self.rng.integers(2**64, dtype=np.uint64)
            rows, self._order = self._order[: count - done], self._order[count - done :]
            stop = done + len(rows)
            changed = min(self._to_change, len(rows))
            how = (self._seed, self.turning, changed, self.extents)
            _gather(self.codes, self.sources, rows, how, codes[done:stop])
            self._to_change -= changed
            real = rows < len(self.codes)
            targets[done:stop] = 0
            targets[done:stop][real] = self.targets[rows[real]]
            done = stop
        shape = (steps, self.batch_size, -1)
        return codes.reshape(shape), targets.reshape(shape)

    def _draw_epoch(self) -> Integers:
        """List the rows of an epoch: each once, or as often as its chance, rounded at random."""
        number = len(self.codes)
        if self._chances is None:
            return np.arange(len(self.sources))
        times = np.floor(self._chances + self.rng.random(number)).astype(np.int64)
        rows = np.repeat(np.arange(number), times)
        parents = np.repeat(rows[self._positive[rows]], self._shuffles)
        self.sources = np.concatenate([np.arange(number), parents])
        return np.concatenate([rows, number + np.arange(len(parents))])


def _chances(train: LabelledSequences) -> Doubles | None:
    """Say how often each row is seen in an epoch: once on average, the stronger the oftener."""
    weights = train.weights
    return None if weights is None else weights / weights[train.positive].mean()


@compile_kernel
def _gather(
    codes: Codes,
    sources: Integers,
    rows: Integers,
    how: tuple[np.uint64, bool, int, Extents],
    out: Codes,
) -> None:
    """Copy rows; those past the data are shuffled, each by the epoch's seed and its number.

    The first of them, as many as the third of `how` says, are changed.
    """
    seed, turning, changed, extents = how
    length = codes.shape[1]
    state, spare = np.empty(1, dtype=np.uint64), np.empty(length, dtype=np.uint8)
    room = np.empty((_LETTERS, max(length, 1)), dtype=np.uint8)
    for i in range(len(rows)):
        state[0] = seed + np.uint64(rows[i]) * np.uint64(0xD1342543DE82EF95)
        turned = turning and draw(state, 2) == 1
        source = codes[sources[rows[i]]]
        if rows[i] < len(codes):
            out[i] = source
        else:
            _shuffle(source, state, room, out[i])
        if turned:
            for j in range((length + 1) // 2):
                left, right = out[i, j], out[i, length - 1 - j]
                out[i, j] = 3 - right if right < 4 else right
                out[i, length - 1 - j] = 3 - left if left < 4 else left
        if i < changed:
            state[0] ^= np.uint64(0x8B72E0355A0D4C1F)
            change_row(out[i], extents, state, spare)


@compile_kernel
def _shuffle(codes: Codes, state: Stream, room: Codes, out: Codes) -> None:
    """Shuffle one sequence and keep its dinucleotides; see `shuffle_codes`."""
    length = len(codes)
    if length < 3:
        out[:] = codes
        return
    counts = np.zeros(_LETTERS, dtype=np.int64)
    for i in range(length - 1):
        letter = codes[i]
        room[letter, counts[letter]] = codes[i + 1]
        counts[letter] += 1
    _choose_last(codes[length - 1], counts, state, room)
    for letter in range(_LETTERS):
        following = room[letter]
        # The last edge of every letter but the final one stays where it is.
        free = counts[letter] - (0 if letter == codes[length - 1] else 1)
        for i in range(free - 1, 0, -1):
            j = draw(state, i + 1)
            following[i], following[j] = following[j], following[i]
    used = np.zeros(_LETTERS, dtype=np.int64)
    here = codes[0]
    out[0] = here
    for i in range(1, length):
        following = room[here, used[here]]
        used[here] += 1
        out[i] = following
        here = following


@compile_kernel
def _choose_last(final: int, counts: Integers, state: Stream, room: Codes) -> None:
    """Draw each letter's last edge, and put it last: a random tree towards the final letter.

    Walks along random edges until the tree is met, loops erased, give each tree with a chance
    that goes with the product of its edges' counts, as all walks being equally likely asks.
    """
    in_tree = np.zeros(_LETTERS, dtype=np.bool_)
    in_tree[final] = True
    last = np.zeros(_LETTERS, dtype=np.int64)
    for letter in range(_LETTERS):
        if counts[letter] == 0:
            in_tree[letter] = True
        here = letter
        while not in_tree[here]:
            last[here] = draw(state, counts[here])
            here = room[here, last[here]]
        here = letter
        while not in_tree[here]:
            in_tree[here] = True
            here = room[here, last[here]]
    for letter in range(_LETTERS):
        if letter != final and counts[letter] > 0:
            end, chosen = counts[letter] - 1, last[letter]
            room[letter, end], room[letter, chosen] = room[letter, chosen], room[letter, end]


def shuffle_codes(codes: Codes, *, rng: np.random.Generator) -> Codes:
    """Shuffle sequences (n, length); all dinucleotide counts and both end letters stay.

    As `seqcnn.negatives.shuffle_dinucleotides`, each walk over the same edges is equally likely.

    References
    ----------
    Altschul and Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370. Wilson 1996,
    doi:10.1145/237814.237880 (random trees)
    """
    out = np.empty_like(codes)
    parents = np.tile(np.arange(len(codes)), 2)
    seed = rng.integers(2**64, dtype=np.uint64)
    rows = np.arange(len(codes), 2 * len(codes))
    how = (seed, False, 0, Augmentation().extents)
    _gather(np.ascontiguousarray(codes), parents, rows, how, out)
    return out
