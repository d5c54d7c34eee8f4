"""Motifs of a model over gapped k-mers: l-mers that weigh much, and their like, aligned.

Such a model has no detectors. What it recognises is shown by the l-mers of positives that it
scores high: around the one that carries most of the score, all those that differ from it at a
few bases and score half as high at least are its sites; then the next one, of what is left. Sites
are extended on both sides, as those of detectors are.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.architectures.configs.gkm import GkmConfig
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.gkm import unfold_scores
from seqcnn.filters.extraction import FEWEST_SITES, Judges, Learned, measure_background, trim_ends
from seqcnn.filters.importance import measure_score
from seqcnn.filters.sites import FLANK
from seqcnn.motifs import Motif

__all__ = ["learn_gapped_motifs"]

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


def learn_gapped_motifs(engine: Engine, positives: Codes, *, judges: Judges) -> Learned:
    """Build motifs of the l-mers that weigh most, and say what they are worth.

    The importance of a motif is the drop in the score of this model alone when its sites in
    the judges' sequences count nothing.

    Parameters
    ----------
    engine
        A model over gapped k-mers.
    positives
        Codes (n, length) of sequences that hold sites.
    judges
        Where importance is measured.
    """
    config = engine.spec.config
    if not isinstance(config, GkmConfig):
        raise TypeError(f"{engine.spec.architecture} has no gapped k-mers")
    codes = positives[
        np.linspace(0, len(positives) - 1, min(len(positives), _MOST_ROWS)).astype(int)
    ]
    table = _mean_scores(engine, config)
    windows, judged = (_lay_out(each, table, config, engine) for each in (codes, judges.codes))
    background = measure_background(codes, engine.spec.strands)
    left = np.ones(windows.lmers.shape[1:], dtype=np.bool_)
    whole = _score(judged, np.zeros(judged.lmers.shape[1:], dtype=np.bool_), judges)
    motifs: list[Motif] = []
    for number in range(1, _MOST_TRIED + 1):
        seed = _strongest(windows, left)
        least = table[seed] / 2
        sites = windows.sites(seed, least) & _both_strands(left, len(windows.lmers))
        covered = windows.covered(sites)
        share = _share(windows, covered & left)
        left &= ~covered
        if share < _LEAST_SHARE or sites.sum() < FEWEST_SITES:
            continue
        drop = whole - _score(judged, judged.covered(judged.sites(seed, least)), judges)
        motif = Motif(
            f"gapped{number}",
            _count(codes, sites, config.width),
            int(sites.sum()),
            background,
            importance=0.0 if math.isnan(drop) else drop,
            share=share,
        )
        motifs.append(trim_ends(motif))
    return Learned(tuple(sorted(motifs, key=lambda motif: -motif.importance)))


def _mean_scores(engine: Engine, config: GkmConfig) -> Numbers:
    """Average the scores of all l-mers (4 ** width,) over members and tasks."""
    tables = []
    for member in engine.model.members:
        scores = member["scores"].astype(np.float64)
        whole = scores.shape[1] == 4**config.width
        tables.append((scores if whole else unfold_scores(scores, config.width)).mean(axis=0))
    return np.asarray(np.mean(tables, axis=0))


def _lay_out(codes: Codes, table: Numbers, config: GkmConfig, engine: Engine) -> _Windows:
    strands = [codes] if engine.spec.strands == "single" else [codes, reverse_complement(codes)]
    numbers = []
    for strand in strands:
        view = np.lib.stride_tricks.sliding_window_view(strand, config.width, axis=1)
        powers = 4 ** np.arange(config.width - 1, -1, -1, dtype=np.int64)
        lmers = view.astype(np.int64) @ powers
        numbers.append(np.where((view == UNKNOWN).any(axis=2), -1, lmers))
    found = np.stack(numbers)
    return _Windows(found, np.where(found >= 0, table[found], 0.0), config.width)


def _both_strands(left: Marks, strands: int) -> Marks:
    return np.stack([left, left[:, ::-1]][:strands])


def _strongest(windows: _Windows, left: Marks) -> int:
    """Find the l-mer that carries most of the score that is left."""
    lmers, scores = windows.lmers[0][left], np.maximum(windows.scores[0][left], 0)
    names, where = np.unique(lmers[lmers >= 0], return_inverse=True)
    if not len(names):
        return 0
    return int(names[np.bincount(where, weights=scores[lmers >= 0]).argmax()])


def _share(windows: _Windows, chosen: Marks) -> float:
    """Give the share that some windows have in all that speaks for a site."""
    scores = np.maximum(windows.scores[0], 0)
    return float(scores[chosen].sum() / max(scores.sum(), 1e-300))


def _score(windows: _Windows, silent: Marks, judges: Judges) -> float:
    """Measure the model without some windows (n, positions); lengths stay as they are."""
    logits = np.where(silent, 0.0, windows.scores[0]).sum(axis=1)[:, None]
    whole = windows.scores[0].sum(axis=1)[:, None]
    targets = judges.targets
    if targets is not None and targets.shape[1] > 1:
        targets = None
    return measure_score(targets, logits, whole)


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
