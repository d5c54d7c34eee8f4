"""Models of one and the same task, whose members stand in a row.

Each part brings what its members say on the scale that all share; the mean over all members is
what the mixture says.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Logits
from seqcnn.genome import Haplotypes

__all__ = ["Mixture"]

_SCANNED = 1 << 13


class _Scored(Protocol):
    @property
    def members(self) -> Logits: ...


class _Part(Protocol):
    """What a mixture needs of the engine of a part."""

    def predict(self, codes: Codes, *, progress: Advance | None = None) -> _Scored: ...

    def predict_mutants(self, codes: Codes, *, progress: Advance | None = None) -> Logits: ...

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, *, progress: Advance | None = None
    ) -> tuple[_Scored, _Scored]: ...

    def scan(
        self, contig: Codes, *, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, Logits]]: ...


class Mixture:
    """Engines of models of the same task.

    Parameters
    ----------
    parts
        An engine of each model.
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.parts = parts

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (members, n, tasks)."""
        return self._join(
            lambda part, progress: part.predict(codes, progress=progress).members, advance
        )

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (members, n, length, 4, tasks)."""
        return self._join(
            lambda part, progress: part.predict_mutants(codes, progress=progress), advance
        )

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (members, n, tasks) for each side."""

        def score(part: _Part, progress: Advance) -> Logits:
            sides = part.predict_alleles(contig, ref, alt, progress=progress)
            return np.stack([side.members for side in sides], axis=1)

        both = self._join(score, advance)  # (members, 2, n, tasks)
        return both[:, 0], both[:, 1]

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order."""
        for start in range(first, stop, _SCANNED):
            end = min(start + _SCANNED, stop)
            found = [_scan_whole(part, contig, start, end) for part in self.parts]
            yield start, np.concatenate(found)

    def _join(self, score: Callable[[_Part, Advance], Logits], advance: Advance) -> Logits:
        """Put the members of all parts in a row; the work counts as done with the last part."""
        last = len(self.parts) - 1
        return np.concatenate(
            [score(part, advance if i == last else _ignore) for i, part in enumerate(self.parts)]
        )


def _scan_whole(part: _Part, contig: Codes, start: int, end: int) -> Logits:
    blocks = [logits for _, logits in part.scan(contig, first=start, stop=end)]
    return np.concatenate(blocks, axis=1)


def _ignore(_: int) -> None:
    pass
