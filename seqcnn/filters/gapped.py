"""Motifs of a model over gapped k-mers: l-mers that weigh much, and their like, aligned.

Such a model has no detectors. What it recognises is shown by the l-mers of positives that it
scores high: around the one that carries most of the score, all those that differ from it at a
few bases and score half as high at least are its sites; then the next one, of what is left. Sites
are extended on both sides, as those of detectors are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.gkm import GkmBackend, unfold_scores
from seqcnn.engine.gkm_scores import GkmTable, score_windows
from seqcnn.filters.extraction import (
    FEWEST_SITES,
    Sample,
    measure_background,
    measure_enrichment,
    trim_ends,
)
from seqcnn.filters.sites import BINS, FLANK
from seqcnn.motifs import Motif
from seqcnn.negatives import shuffle_dinucleotides

__all__ = ["GappedPart"]

_SEED = 17
_MOST_TRIED = 12
_MOST_ROWS = 4000
_MISMATCHES = 3
_LEAST_SHARE = 0.01  # of what speaks for a site in the positives

Numbers = NDArray[np.float64]
Lmers = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class _Windows:
    """The l-mers of sequences on both strands (strands, n, positions), and their scores."""

    lmers: Lmers
    scores: Numbers
    width: int

    def sites(self, seed: int, least: float) -> Marks:
        """Mark what is like an l-mer and scores as much (strands, n, positions)."""
        bits = self.lmers ^ seed
        differ = np.bitwise_count((bits | (bits >> 1)) & 0x555555)
        return np.asarray((self.lmers >= 0) & (differ <= _MISMATCHES) & (self.scores >= least))

    def covered(self, sites: Marks) -> Marks:
        """Mark the windows (n, positions), in places of the forward strand, that touch sites."""
        places = sites[0].copy()
        if len(sites) > 1:
            places |= sites[1][:, ::-1]
        reach = self.width // 2
        near: Marks = places.copy()
        for step in range(1, reach + 1):
            near[:, step:] |= places[:, :-step]
            near[:, :-step] |= places[:, step:]
        return near

    def strongest(self, left: Marks) -> int:
        """Find the l-mer, on either strand, that carries most of the score that is left."""
        lmers = self.lmers[0]
        if len(self.lmers) > 1:
            lmers = np.minimum(lmers, self.lmers[1][:, ::-1])
        chosen = left & (lmers >= 0)
        names, where = np.unique(lmers[chosen], return_inverse=True)
        if not len(names):
            return 0
        scores = np.maximum(self.scores[0][chosen], 0)
        return int(names[np.bincount(where, weights=scores).argmax()])


class GappedPart:
    """The motifs of l-mers that weigh much, and what their model says without some of them.

    Parameters
    ----------
    engine
        A model over gapped k-mers.
    sample
        Where to look.
    prefix
        What their names begin with.

    Attributes
    ----------
    motifs
        Those that carry most of what speaks for a site in the positives.
    unused
        Nothing: there are no detectors.
    logits
        What the members say of the judged sequences (members, rows, tasks).
    """

    def __init__(self, engine: Engine, sample: Sample, *, prefix: str) -> None:
        if not isinstance(engine.spec.config, GkmConfig):
            raise TypeError(f"{engine.spec.architecture} has no gapped k-mers")
        self._config, self._strands = engine.spec.config, engine.spec.strands
        self._tables = GkmBackend(engine.spec, engine.model.members, threads=1).tables
        self._mean = _mean_scores(engine, self._config)
        self._lengths = _measure_lengths(sample.judged, self._tables[0])
        self._scale = np.array(engine.spec.scale or 1.0)
        self.unused: dict[str, int] = {}
        self.logits = engine.predict(sample.judged).members
        self._judged = self._lay_out(sample.judged)
        self._owners = np.zeros(self._judged.lmers.shape[1:], dtype=np.int8)
        self._numbers: dict[str, int] = {}
        self.motifs = self._learn(_thin(sample.positives), prefix)

    def _lay_out(self, codes: Codes) -> _Windows:
        return _lay_out(codes, self._mean, self._config, both=self._strands != "single")

    def _learn(self, codes: Codes, prefix: str) -> list[Motif]:
        """Take one l-mer after the other, with what is like it, until little is left."""
        windows = self._lay_out(codes)
        shuffled = shuffle_dinucleotides(codes, rng=np.random.default_rng(_SEED))
        controls = self._lay_out(shuffled)
        background = measure_background(codes, self._strands)
        left = np.ones(windows.lmers.shape[1:], dtype=np.bool_)
        motifs = []
        for number in range(1, _MOST_TRIED + 1):
            seed = windows.strongest(left)
            least = float(self._mean[seed]) / 2
            every = windows.sites(seed, least)
            sites = every & _both_strands(left, len(every))
            covered = windows.covered(sites)
            share = _share(windows, covered & left)
            left &= ~covered
            # What is judged goes to the first motif that takes it, as here.
            judged = self._judged.covered(self._judged.sites(seed, least))
            self._owners[judged & (self._owners == 0)] = number
            if share < _LEAST_SHARE or sites.sum() < FEWEST_SITES:
                continue
            name = f"{prefix}gapped{number}"
            self._numbers[name] = number
            pfm = _count(codes, sites, self._config.width)
            motif = Motif(
                name,
                pfm,
                int(sites.sum()),
                background,
                enrichment=_enrichment(every, controls.sites(seed, least)),
                positions=_positions(sites, codes.shape[1], self._config.width),
            )
            motifs.append(trim_ends(motif))
        return motifs

    def lost_without(self, names: Sequence[str]) -> Numbers:
        """Give what the sites of motifs add to the sum of the members' logits (rows, tasks)."""
        silent = np.isin(self._owners, [self._numbers[name] for name in names])
        rows, places = (silent & (self._judged.lmers[0] >= 0)).nonzero()
        lmers = self._judged.lmers[0][rows, places]
        lost = np.zeros(self.logits.shape[1:])
        for table in self._tables:
            for task, step in enumerate(table.steps):
                scores = table.scores[lmers, task] * step
                lost[:, task] += np.bincount(rows, weights=scores, minlength=len(lost))
        return np.asarray(lost / self._lengths[:, None] * self._scale)


def _mean_scores(engine: Engine, config: GkmConfig) -> Numbers:
    """Average the scores of all l-mers (4 ** width,) over members and tasks."""
    tables = []
    for member in engine.model.members:
        scores = member["scores"].astype(np.float64)
        whole = scores.shape[1] == 4**config.width
        tables.append((scores if whole else unfold_scores(scores, config.width)).mean(axis=0))
    return np.asarray(np.mean(tables, axis=0))


def _thin(codes: Codes) -> Codes:
    rows = np.linspace(0, len(codes) - 1, min(len(codes), _MOST_ROWS)).astype(int)
    thinned: Codes = codes[rows]
    return thinned


def _lay_out(codes: Codes, table: Numbers, config: GkmConfig, *, both: bool) -> _Windows:
    numbers = []
    for strand in [codes, reverse_complement(codes)] if both else [codes]:
        view = np.lib.stride_tricks.sliding_window_view(strand, config.width, axis=1)
        powers = 4 ** np.arange(config.width - 1, -1, -1, dtype=np.int64)
        lmers = view.astype(np.int64) @ powers
        numbers.append(np.where((view == UNKNOWN).any(axis=2), -1, lmers))
    found = np.stack(numbers)
    return _Windows(found, np.where(found >= 0, table[found], 0.0), config.width)


def _both_strands(left: Marks, strands: int) -> Marks:
    return np.stack([left, left[:, ::-1]][:strands])


def _share(windows: _Windows, chosen: Marks) -> float:
    """Give the share that some windows have in all that speaks for a site."""
    scores = np.maximum(windows.scores[0], 0)
    return float(scores[chosen].sum() / max(scores.sum(), 1e-300))


def _enrichment(sites: Marks, controls: Marks) -> float:
    positives, shuffles = (marks.any(axis=(0, 2)).mean() for marks in (sites, controls))
    return float(measure_enrichment(positives, shuffles, sites.shape[1]))


def _positions(sites: Marks, length: int, width: int) -> tuple[int, ...]:
    """Count sites by where their middle lies on the forward strand."""
    counts = np.zeros(BINS, dtype=np.int64)
    for marks, turned in zip(sites, (False, True), strict=False):
        middle = marks.nonzero()[1] + width / 2
        places = (length - middle if turned else middle) / length * BINS
        counts += np.bincount(np.clip(places.astype(np.int64), 0, BINS - 1), minlength=BINS)
    return tuple(counts.tolist())


def _measure_lengths(codes: Codes, table: GkmTable) -> Numbers:
    """Measure the lengths (n,) by which the sums of sequences' scores are divided."""
    alike = table._replace(
        scores=np.ones((len(table.scores), 1), dtype=np.int32), steps=np.ones(1), bias=np.zeros(1)
    )
    means = np.empty((len(codes), 1))
    score_windows(np.ascontiguousarray(codes), alike, means)
    view = np.lib.stride_tricks.sliding_window_view(codes, table.width, axis=1)
    counts = (view != UNKNOWN).all(axis=2).sum(axis=1)
    return np.where(counts > 0, counts / np.where(counts > 0, means[:, 0], 1.0), 1.0)


def _count(codes: Codes, sites: Marks, width: int) -> Numbers:
    """Count the letters of extended sites (4, width + 2 * `FLANK`)."""
    pfm = np.zeros((4, width + 2 * FLANK))
    strands = [codes, reverse_complement(codes)]
    for strand, marks in zip(strands, sites, strict=False):
        padded = np.pad(strand, ((0, 0), (FLANK, FLANK)), constant_values=UNKNOWN)
        rows, places = marks.nonzero()
        letters = padded[rows[:, None], places[:, None] + np.arange(pfm.shape[1])]
        for base in range(4):
            pfm[base] += (letters == base).sum(axis=0)
    return pfm
