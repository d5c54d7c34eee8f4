"""Networks that score the windows inside a sequence, as DeepBind's program does, on a CPU."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs import DeepBindConfig
from seqcnn.architectures.pooled import pooled_form, weight_shapes
from seqcnn.dna import Codes
from seqcnn.engine.backend import Advance, Logits
from seqcnn.engine.devices import keep_freed_memory
from seqcnn.engine.sharing import map_in_order
from seqcnn.engine.weights import check_weights
from seqcnn.engine.window_layout import WindowBank, lay_out_bank
from seqcnn.engine.window_mutants import score_window_mutants
from seqcnn.engine.window_scores import (
    WINDOW_AVERAGE,
    WINDOW_MAX,
    score_stretches,
)
from seqcnn.errors import ModelFileError
from seqcnn.genome import Haplotypes, cut_haplotypes, gather_windows
from seqcnn.modelfile import ModelSpec

__all__ = ["WindowedBackend"]

_NETWORKS = 48  # laid out together
_ROWS = 32  # sequences that a thread scores together: tables are fetched once for all of them
_CELLS = 1 << 22  # pooled scores held at a time by a thread, where sequences are long
_PASS = 1 << 9
_SCANNED = 1 << 11
_MUTATED = 256  # positions of a sequence that a thread mutates together

Members = Sequence[Mapping[str, NDArray[np.float32]]]


class WindowedBackend:
    """Single networks side by side, one task each, of one shape and one rule of scoring.

    Parameters
    ----------
    spec
        What each of them takes and gives.
    networks
        The weights of each.
    threads
        How many threads share the work out.

    Raises
    ------
    ModelFileError
        When the weights do not fit the configuration, or such a network has no windows.
    """

    def __init__(self, spec: ModelSpec, networks: Members, threads: int) -> None:
        self.spec, self.tasks, self.threads = spec, len(networks), threads
        keep_freed_memory()
        groups = [networks[i : i + _NETWORKS] for i in range(0, self.tasks, _NETWORKS)]
        self.banks = [_lay_out(spec, group) for group in groups]
        average = spec.over_windows == "average"
        self._rule = (WINDOW_AVERAGE if average else WINDOW_MAX, int(spec.strands == "max"))
        self._real = spec.flanks == "real"

    def predict(self, codes: Codes, advance: Advance) -> Logits:
        """Score codes (n, any length): (1, n, tasks)."""
        out = np.empty((1, len(codes), self.tasks))
        for done in self._share(self._passes(codes, out)):
            advance(done)
        return out

    def predict_mutants(self, codes: Codes, advance: Advance) -> Logits:
        """Score every base at every position of codes: (1, n, length, 4, tasks)."""
        out = np.empty((1, *codes.shape, 4, self.tasks))
        for done in self._share(self._mutations(codes, out[0])):
            advance(done)
        return out

    def predict_alleles(
        self, contig: Codes, ref: Haplotypes, alt: Haplotypes, advance: Advance
    ) -> tuple[Logits, Logits]:
        """Score n pairs of windows of a contig: (1, n, tasks) for each side."""
        before, after = (cut_haplotypes(contig, side, self.spec.length) for side in (ref, alt))
        return self.predict(before, advance), self.predict(after, advance)

    def scan(self, contig: Codes, first: int, stop: int) -> Iterator[tuple[int, Logits]]:
        """Score all stretches that begin from `first` up to `stop`, in blocks, in order."""

        def score(start: int) -> tuple[int, Logits]:
            end = min(start + _SCANNED, stop)
            out = np.empty((1, end - start, self.tasks))
            if self._real:
                codes = gather_windows(contig, np.arange(start, end), self.spec.length)
                for work in self._passes(codes, out):
                    work()
                return start, out
            size = end - start + self.spec.length - 1
            piece = gather_windows(contig, np.array([start]), size)
            for columns, bank in self._columns():
                found = np.empty((1, end - start, len(bank.counts)))
                score_stretches(piece, self.spec.window, False, self._rule, bank, found)
                out[:, :, columns] = found
            return start, out

        return map_in_order(score, range(first, stop, _SCANNED), threads=self.threads)

    def _columns(self) -> Iterator[tuple[slice, WindowBank]]:
        first = 0
        for bank in self.banks:
            yield slice(first, first + len(bank.counts)), bank
            first += len(bank.counts)

    def _passes(self, codes: Codes, out: Logits) -> Iterator[Callable[[], int]]:
        """List the work of scoring sequences: some rows and networks at a time."""
        for start in range(0, len(codes), _PASS):
            piece = slice(start, start + _PASS)
            for columns, bank in self._columns():
                last = columns.stop == self.tasks
                yield self._pass(codes[piece], out[0, piece, columns], bank, last=last)

    def _pass(
        self, codes: Codes, out: Logits, bank: WindowBank, *, last: bool
    ) -> Callable[[], int]:
        cells = bank.tables.shape[0] * bank.tables.shape[3] * codes.shape[1]
        rows = max(1, min(_ROWS, _CELLS // max(1, cells)))

        def work() -> int:
            found = np.empty((len(codes), 1, len(bank.counts)))
            for i in range(0, len(codes), rows):
                part = np.ascontiguousarray(codes[i : i + rows])
                score_stretches(
                    part, self.spec.window, self._real, self._rule, bank, found[i : i + rows]
                )
            out[:] = found[:, 0]
            return len(codes) if last else 0

        return work

    def _mutations(self, codes: Codes, out: Logits) -> Iterator[Callable[[], int]]:
        """List the work of mutating sequences: some positions and networks at a time."""
        length = codes.shape[1]
        for row, sequence in enumerate(codes):
            for start in range(0, length, _MUTATED):
                span = (start, min(start + _MUTATED, length))
                for columns, bank in self._columns():
                    last = columns.stop == self.tasks and span[1] == length
                    target = out[row, span[0] : span[1], :, columns]
                    yield self._mutation(sequence, span, bank, target, last=last)

    def _mutation(
        self,
        sequence: Codes,
        span: tuple[int, int],
        bank: WindowBank,
        out: Logits,
        *,
        last: bool,
    ) -> Callable[[], int]:
        def work() -> int:
            found = np.empty((span[1] - span[0], 4, len(bank.counts)))
            score_window_mutants(
                np.ascontiguousarray(sequence),
                span,
                self.spec.window,
                self._real,
                self._rule,
                bank,
                found,
            )
            out[:] = found
            return int(last)

        return work

    def _share(self, passes: Iterator[Callable[[], int]]) -> Iterator[int]:
        return map_in_order(lambda work: work(), passes, threads=self.threads)


def _lay_out(spec: ModelSpec, networks: Members) -> WindowBank:
    if not isinstance(spec.config, DeepBindConfig):
        raise ModelFileError(
            "the model file",
            f"windows inside sequences, for {spec.architecture}",
            expected="the architecture deepbind",
            remedy="import the model again",
        )
    forms = []
    for weights in networks:
        check_weights(weight_shapes(spec.config, 1) or {}, weights)
        form = pooled_form(spec.config, weights)
        if form is None:
            raise TypeError(f"{spec.architecture} has no global pooling")
        forms.append(form)
    return lay_out_bank(forms, both=spec.strands != "single", unknown=spec.unknown)
