"""Augmentation: training sequences changed a little, differently each time they are seen.

Everything is done to integer codes, in compiled loops, by a stream of numbers that hangs on the
epoch's seed and the row alone. What has moved out of the window is lost; where nothing is known
to come in, N stands.

References
----------
Lee et al. 2023, doi:10.1186/s13059-023-02941-w (EvoAug)
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import UNKNOWN, Codes
from seqcnn.engine.compiled import compile_kernel
from seqcnn.errors import ConfigError

__all__ = ["Augmentation", "Extents", "Stream", "change_row", "draw", "read_augmentation"]

Stream = NDArray[np.uint64]
"""The one number that a stream of random numbers hangs on (1,)."""

_LONGEST = 1_000_000
_N = UNKNOWN


@dataclass(frozen=True)
class Augmentation:
    """How sequences are changed in training; 0 leaves a change out.

    Attributes
    ----------
    shift
        Bases that a sequence is moved by at most, to either side.
    mutation
        Chance of each base to be replaced by one of the three others.
    insertion
        Random bases that are put in at most, at a random place; both ends give way.
    deletion
        Bases that are taken out at most, at a random place; both ends are filled up with N.
    inversion
        Length of the longest stretch that is replaced by its reverse complement.
    clean
        Share of the steps, at the end, in which nothing is changed.
    """

    shift: int = 0
    mutation: float = 0.0
    insertion: int = 0
    deletion: int = 0
    inversion: int = 0
    clean: float = 0.2

    @property
    def changes(self) -> bool:
        """Whether anything is changed at all."""
        return any((self.shift, self.mutation, self.insertion, self.deletion, self.inversion))

    @property
    def moves(self) -> bool:
        """Whether bases may come to stand elsewhere."""
        return any((self.shift, self.insertion, self.deletion, self.inversion))

    @property
    def extents(self) -> "Extents":
        """The numbers as the compiled loops take them."""
        names = Extents._fields
        return Extents(*(getattr(self, name) for name in names))

    def count_changed(self, steps: int) -> int:
        """Count the first steps, those in which sequences are changed."""
        return steps - round(self.clean * steps) if self.changes else 0


class Extents(NamedTuple):
    """How far each change goes; see `Augmentation`."""

    shift: int
    mutation: float
    insertion: int
    deletion: int
    inversion: int


def read_augmentation(text: str) -> Augmentation:
    """Read ``shift=5,mutation=0.05,...``.

    Raises
    ------
    ConfigError
        For a change that is not there, or a number that does not fit.
    """
    kinds = {item.name: item.type for item in fields(Augmentation)}
    values: dict[str, float] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = word.partition("=")
        if name not in kinds:
            raise ConfigError(f"--augment {word}", "no such change", expected=", ".join(kinds))
        whole = isinstance(getattr(Augmentation(), name), int)
        values[name] = _read_number(word, number, whole=whole)
    return Augmentation(**values)  # type: ignore[arg-type]


def _read_number(word: str, number: str, *, whole: bool) -> float:
    top = _LONGEST if whole else 1
    try:
        value = int(number) if whole else float(number)
    except ValueError:
        value = -1
    if not 0 <= value <= top:
        expected = "a whole number of bases" if whole else "a share from 0 to 1"
        raise ConfigError(f"--augment {word}", repr(number), expected=expected)
    return value


@compile_kernel
def draw(state: Stream, below: int) -> int:
    """Draw a whole number from 0 to below - 1 (splitmix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    word = state[0]
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return int(((word >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))


@compile_kernel
def change_row(codes: Codes, extents: Extents, state: Stream, room: Codes) -> None:
    """Change one sequence (length,) in place: invert, insert, delete, shift, then mutate.

    Parameters
    ----------
    codes
        The sequence.
    extents
        How far each change goes.
    state
        The stream of numbers.
    room
        (length,), whose content is lost.
    """
    length = len(codes)
    if extents.inversion > 0:
        stretch = draw(state, min(extents.inversion, length) + 1)
        _invert(codes, draw(state, length - stretch + 1), stretch)
    if extents.insertion > 0:
        stretch = draw(state, min(extents.insertion, length) + 1)
        _insert(codes, draw(state, length + 1), stretch, state, room)
    if extents.deletion > 0:
        stretch = draw(state, min(extents.deletion, length) + 1)
        _delete(codes, draw(state, length - stretch + 1), stretch, room)
    if extents.shift > 0:
        furthest = min(extents.shift, length)
        _move(codes, draw(state, 2 * furthest + 1) - furthest, room)
    if extents.mutation > 0:
        below = np.int64(extents.mutation * 2.0**32)
        for i in range(length):
            if draw(state, 2**32) < below and codes[i] < _N:
                codes[i] = (codes[i] + 1 + draw(state, 3)) % 4


@compile_kernel
def _invert(codes: Codes, start: int, stretch: int) -> None:
    """Replace a stretch by its reverse complement."""
    for i in range((stretch + 1) // 2):
        a, b = start + i, start + stretch - 1 - i
        left, right = codes[a], codes[b]
        codes[a] = 3 - right if right < _N else right
        codes[b] = 3 - left if left < _N else left


@compile_kernel
def _insert(codes: Codes, place: int, stretch: int, state: Stream, room: Codes) -> None:
    """Put random bases in before a place; the longer sequence is cut evenly at both ends."""
    room[:] = codes
    cut = stretch // 2  # of the longer sequence, at its beginning
    for i in range(len(codes)):
        here = i + cut
        if here < place:
            codes[i] = room[here]
        elif here < place + stretch:
            codes[i] = draw(state, 4)
        else:
            codes[i] = room[here - stretch]


@compile_kernel
def _delete(codes: Codes, place: int, stretch: int, room: Codes) -> None:
    """Take a stretch out; N stands at both ends of what is left."""
    room[:] = codes
    added = stretch // 2  # at the beginning
    for i in range(len(codes)):
        here = i - added
        if here < 0 or here >= len(codes) - stretch:
            codes[i] = _N
        else:
            codes[i] = room[here] if here < place else room[here + stretch]


@compile_kernel
def _move(codes: Codes, by: int, room: Codes) -> None:
    """Move a sequence to the right, or where `by` is negative to the left."""
    room[:] = codes
    for i in range(len(codes)):
        here = i - by
        codes[i] = room[here] if 0 <= here < len(codes) else _N
