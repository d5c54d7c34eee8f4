"""Networks with global pooling in compiled loops on a CPU; nothing here needs torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.pooled import pooled_form, weight_shapes
from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Logits
from seqcnn.engine.detectors import Lanes, lay_out
from seqcnn.engine.devices import keep_freed_memory
from seqcnn.engine.haplotypes import score_haplotypes
from seqcnn.engine.pooled import score_mutants, score_windows
from seqcnn.engine.sharing import map_in_order
from seqcnn.engine.sliding import score_every_window
from seqcnn.engine.weights import check_weights, too_short
from seqcnn.genome import Haplotypes
from seqcnn.modelfile import ModelSpec

__all__ = ["CompiledBackend"]

_BASES = 1 << 17  # of a piece of work: a few milliseconds
_MUTANTS = 1 << 13
_FEWEST_WINDOWS = 512
_SCANNED_CELLS = 1 << 18

Kernel = Callable[[Codes, Lanes, Logits], None]


class CompiledBackend:
    """Members of a model with global pooling.

    Memory: beside what is given and returned, some 50 MB a thread with 256 detectors and windows
    of 1000 bp; it grows with the detectors and, beyond that, with the window.

    Parameters
    ----------
    spec
        What the model takes and gives.
    members
        The weights of each member.
    threads
        How many threads share the work out.

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration.
    """

    def __init__(
        self, spec: ModelSpec, members: Sequence[Mapping[str, NDArray[np.float32]]], threads: int
    ) -> None:
        self.spec, self.threads = spec, threads
        keep_freed_memory()
        self.lanes = [_lay_out_member(spec, member) for member in members]

    @staticmethod
    def suits(spec: ModelSpec) -> bool:
        """Tell whether the networks of a model pool globally, each strand alone."""
        return spec.strands != "shared" and weight_shapes(spec.config, len(spec.tasks)) is not None

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (members, n, tasks)."""
        out = self._empty(len(codes))
        self._share(score_windows, codes, out, max(1, _BASES // self.spec.length), advance)
        return out

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (members, n, length, 4, tasks)."""
        out = self._empty(*codes.shape, 4)
        rows = max(1, _MUTANTS // (4 * self.spec.length))
        self._share(score_mutants, codes, out, rows, advance)
        return out

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (members, n, tasks) for each side."""
        both, order = _merge(ref, alt)
        number = len(order)
        out = self._empty(number)
        # Large pieces: windows that overlap share scores within a piece.
        step = max(_FEWEST_WINDOWS, -(-number // (4 * self.threads)))

        def score(piece: slice) -> None:
            part = _take(both, piece)
            for lanes, logits in zip(self.lanes, out, strict=True):
                found = np.empty((len(part.starts), len(self.spec.tasks)))
                score_haplotypes(contig, part, self.spec.length, lanes, found)
                logits[order[piece]] = found

        pieces = [slice(i, min(i + step, number)) for i in range(0, number, step)]
        for piece, _ in zip(pieces, map_in_order(score, pieces, threads=self.threads), strict=True):
            advance(piece.stop - piece.start)
        return out[:, : number // 2], out[:, number // 2 :]

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order."""
        widest = max(lanes.tables.shape[2] for lanes in self.lanes)
        step = max(2 * self.spec.length, _SCANNED_CELLS // widest)

        def score(start: int) -> tuple[int, Logits]:
            out = self._empty(min(step, stop - start))
            for lanes, logits in zip(self.lanes, out, strict=True):
                score_every_window(contig, start, self.spec.length, lanes, logits)
            return start, out

        return map_in_order(score, range(first, stop, step), threads=self.threads)

    def _empty(self, *shape: int) -> Logits:
        return np.empty((len(self.lanes), *shape, len(self.spec.tasks)))

    def _share(
        self, kernel: Kernel, codes: Codes, out: Logits, rows: int, advance: Advance
    ) -> None:
        """Run a kernel over some rows at a time."""

        def run(start: int) -> int:
            piece = slice(start, start + rows)
            for lanes, logits in zip(self.lanes, out, strict=True):
                kernel(np.ascontiguousarray(codes[piece]), lanes, logits[piece])
            return len(codes[piece])

        for done in map_in_order(run, range(0, len(codes), rows), threads=self.threads):
            advance(done)


def _lay_out_member(spec: ModelSpec, member: Mapping[str, NDArray[np.float32]]) -> Lanes:
    shapes = weight_shapes(spec.config, len(spec.tasks))
    form = None
    if shapes is not None:
        check_weights(shapes, member)
        form = pooled_form(spec.config, member)
    if form is None:
        raise TypeError(f"{spec.architecture} has no global pooling")
    shortest = max(1, len(form.columns) - 2 * form.padding)
    if spec.length < shortest:
        raise too_short(spec.length, shortest)
    return lay_out(form, length=spec.length, strands=spec.strands, unknown=spec.unknown)


def _merge(ref: Haplotypes, alt: Haplotypes) -> tuple[Haplotypes, NDArray[np.int64]]:
    """Put both sides together, sorted by their start, each alternative after its reference.

    Returns
    -------
    tuple
        The windows, and for each its index among all references, then all alternatives.
    """
    number = len(ref.starts)
    starts = np.concatenate([ref.starts, alt.starts])
    pair = np.tile(np.arange(number), 2)
    order = np.lexsort((pair, starts))
    sizes = np.concatenate([np.diff(ref.ends), np.diff(alt.ends)])[order]
    begins = np.concatenate([ref.ends[:-1], alt.ends[:-1] + len(ref.letters)])[order]
    ends = np.concatenate([[0], np.cumsum(sizes)])
    letters = np.concatenate([ref.letters, alt.letters])
    places = np.repeat(begins - ends[:-1], sizes) + np.arange(ends[-1])
    merged = Haplotypes(
        starts[order],
        np.concatenate([ref.alleles, alt.alleles])[order],
        np.concatenate([ref.removed, alt.removed])[order],
        letters[places],
        ends,
    )
    return merged, order


def _take(windows: Haplotypes, piece: slice) -> Haplotypes:
    """Take neighbouring windows out; letters stay where they are."""
    return Haplotypes(
        windows.starts[piece],
        windows.alleles[piece],
        windows.removed[piece],
        windows.letters,
        windows.ends[piece.start : piece.stop + 1],
    )
