"""Several models side by side, whose tasks follow each other.

Those that score windows, and differ in nothing but their weights, run together as one wide
convolution with a small head each; any others run one after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Backend, Logits
from seqcnn.engine.windowed import WindowedBackend
from seqcnn.genome import Haplotypes
from seqcnn.modelfile import ModelSpec, TrainedModel

__all__ = ["Collection"]

Places = NDArray[np.int64]


class Collection:
    """Backends of models with one member each.

    Parameters
    ----------
    parts
        The models.
    threads
        How many threads share the work out.
    make_backend
        Makes the backend of a model that scores no windows.

    Raises
    ------
    ModelFileError
        When the weights of a model do not fit its configuration.
    """

    def __init__(
        self,
        parts: Sequence[TrainedModel],
        threads: int,
        make_backend: Callable[[TrainedModel], Backend],
    ) -> None:
        ends = np.cumsum([0, *(len(part.spec.tasks) for part in parts)])
        self.tasks = int(ends[-1])
        alike: dict[ModelSpec, list[int]] = {}
        self._backends: list[tuple[Backend, Places]] = []
        for number, part in enumerate(parts):
            if part.spec.window and len(part.spec.tasks) == 1:
                alike.setdefault(replace(part.spec, tasks=("",)), []).append(number)
            else:
                columns = np.arange(ends[number], ends[number + 1])
                self._backends.append((make_backend(part), columns))
        for spec, numbers in alike.items():
            weights = [parts[number].members[0] for number in numbers]
            self._backends.append((WindowedBackend(spec, weights, threads), ends[numbers]))

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (1, n, tasks)."""
        out = np.empty((1, len(codes), self.tasks))
        for backend, columns in self._backends:
            out[:, :, columns] = backend.predict(codes, self._share_of(columns, advance))
        return out

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (1, n, length, 4, tasks)."""
        out = np.empty((1, *codes.shape, 4, self.tasks))
        for backend, columns in self._backends:
            out[..., columns] = backend.predict_mutants(codes, self._share_of(columns, advance))
        return out

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (1, n, tasks) for each side."""
        sides = np.empty((2, 1, len(ref.starts), self.tasks))
        for backend, columns in self._backends:
            share = self._share_of(columns, advance)
            found = backend.predict_alleles(contig, ref, alt, share)
            for side, logits in zip(sides, found, strict=True):
                side[:, :, columns] = logits
        return sides[0], sides[1]

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order."""
        for start in range(first, stop, _SCANNED):
            end = min(start + _SCANNED, stop)
            out = np.empty((1, end - start, self.tasks))
            for backend, columns in self._backends:
                for place, logits in backend.scan(contig, start, end):
                    rows = slice(place - start, place - start + logits.shape[1])
                    out[:, rows, columns] = logits
            yield start, out

    def _share_of(self, columns: Places, advance: Advance) -> Advance:
        """Count the work as done with the backend of the last task."""
        last = self._backends[-1][1]
        return advance if columns is last else lambda _: None


_SCANNED = 1 << 13
