"""Models over gapped k-mers on a CPU: compiled loops, nothing here needs torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Logits
from seqcnn.engine.devices import keep_freed_memory
from seqcnn.engine.gkm_kernels import shared_kmers, turn_lmers
from seqcnn.engine.gkm_scores import (
    GkmTable,
    score_every_window,
    score_mutants,
    score_pairs,
    score_windows,
)
from seqcnn.engine.sharing import map_in_order
from seqcnn.engine.weights import check_weights, too_short
from seqcnn.errors import ModelFileError
from seqcnn.genome import Haplotypes, cut_haplotypes, gather_windows
from seqcnn.modelfile import ModelSpec

__all__ = ["GkmBackend", "fold_scores", "unfold_scores"]

_ROWS = 1 << 9
_MUTATED = 8
_SCANNED = 1 << 12
_LARGEST = 2**30  # of a score, in steps: a thousand of them are far from the end of int64

Member = Mapping[str, NDArray[np.float32]]
Scores = NDArray[np.float64]


def fold_scores(scores: Scores, width: int) -> Scores:
    """Keep, of each l-mer and its reverse complement, one score: (tasks, 4 ** width) to fewer."""
    return np.asarray(scores[:, _first_of_two(width)])


def unfold_scores(folded: Scores, width: int) -> Scores:
    """Give both strands the scores of `fold_scores`: (tasks, 4 ** width)."""
    first = _first_of_two(width)
    scores = np.empty((len(folded), 4**width))
    scores[:, first] = folded
    scores[:, turn_lmers(width)[first]] = folded
    return scores


def _first_of_two(width: int) -> NDArray[np.bool_]:
    return np.asarray(np.arange(4**width) <= turn_lmers(width))


class GkmBackend:
    """Members of a model over gapped k-mers.

    Parameters
    ----------
    spec
        What the model takes and gives.
    members
        The weights of each: ``scores`` (tasks, l-mers), in the order of their numbers, of one
        l-mer of each two that are reverse complements, or of all where one strand is counted;
        ``bias`` (tasks,).
    threads
        How many threads share the work out.

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration.
    """

    def __init__(self, spec: ModelSpec, members: Sequence[Member], threads: int) -> None:
        self.spec, self.threads = spec, threads
        keep_freed_memory()
        self.tables = [_lay_out(spec, member) for member in members]

    @staticmethod
    def suits(spec: ModelSpec) -> bool:
        """Tell whether a model is one over gapped k-mers."""
        return isinstance(spec.config, GkmConfig)

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, length): (members, n, tasks)."""
        out = self._empty(len(codes))

        def score(rows: slice) -> None:
            part = np.ascontiguousarray(codes[rows])
            for table, logits in zip(self.tables, out, strict=True):
                score_windows(part, table, logits[rows])

        self._share(score, len(codes), _ROWS, advance)
        return out

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (members, n, length, 4, tasks)."""
        out = self._empty(*codes.shape, 4)

        def score(rows: slice) -> None:
            part = np.ascontiguousarray(codes[rows])
            for table, logits in zip(self.tables, out, strict=True):
                score_mutants(part, table, logits[rows])

        self._share(score, len(codes), _MUTATED, advance)
        return out

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (members, n, tasks) for each side."""
        number, length = len(ref.starts), self.spec.length
        sides = self._empty(number), self._empty(number)

        def score(rows: slice) -> None:
            before, after = (
                cut_haplotypes(contig, _take(side, rows), length) for side in (ref, alt)
            )
            for member, table in enumerate(self.tables):
                out = sides[0][member, rows], sides[1][member, rows]
                score_pairs(before, after, table, out)

        self._share(score, number, _ROWS, advance)
        return sides

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all windows that begin from `first` up to `stop`, in blocks, in order."""
        length = self.spec.length
        step = max(2 * length, _SCANNED)

        def score(start: int) -> tuple[int, Logits]:
            out = self._empty(min(step, stop - start))
            size = out.shape[1] + length - 1
            piece = gather_windows(contig, np.array([start]), size)[0]
            for table, logits in zip(self.tables, out, strict=True):
                score_every_window(piece, length, table, logits)
            return start, out

        return map_in_order(score, range(first, stop, step), threads=self.threads)

    def _empty(self, *shape: int) -> Logits:
        return np.empty((len(self.tables), *shape, len(self.spec.tasks)))

    def _share(
        self, score: Callable[[slice], None], number: int, size: int, advance: Advance
    ) -> None:
        pieces = [slice(i, min(i + size, number)) for i in range(0, number, size)]
        done = map_in_order(score, pieces, threads=self.threads)
        for piece, _ in zip(pieces, done, strict=True):
            advance(piece.stop - piece.start)


def _lay_out(spec: ModelSpec, member: Member) -> GkmTable:
    config = spec.config
    if not isinstance(config, GkmConfig):
        raise TypeError(f"{spec.architecture} has no gapped k-mers")
    if spec.length < config.width:
        raise too_short(spec.length, config.width)
    tasks, every = len(spec.tasks), 4**config.width
    both = member.get("scores", np.empty((0, 0))).shape[-1] != every
    number = int(_first_of_two(config.width).sum()) if both else every
    check_weights({"scores": (tasks, number), "bias": (tasks,)}, member)
    scores = member["scores"].astype(np.float64)
    scores = unfold_scores(scores, config.width) if both else scores
    largest = np.abs(scores).max(axis=1)
    steps = np.where(largest > 0, largest, 1.0) / _LARGEST
    if not np.isfinite(1 / steps).all():
        raise ModelFileError("the model file", "scores too small to be told apart")
    return GkmTable(
        scores=np.ascontiguousarray(np.rint(scores / steps[:, None]).astype(np.int32).T),
        steps=steps,
        bias=member["bias"].astype(np.float64),
        shared=shared_kmers(config.width, config.informative),
        width=config.width,
        both=both,
    )


def _take(windows: Haplotypes, rows: slice) -> Haplotypes:
    """Take neighbouring windows out; letters stay where they are."""
    ends = windows.ends[rows.start : rows.stop + 1]
    starts, alleles, removed = (values[rows] for values in windows[:3])
    return Haplotypes(starts, alleles, removed, windows.letters, ends)
