"""What the detectors recognise: sites where they fire, counted up into motifs.

The convention is Basset's and Koo's: every window of the positives, on either strand, in which
a detector's activation exceeds half of its maximum is a site of it. Sites are extended on both
sides, for a detector may see only part of a motif: aligned at the detector, the rest appears.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.strands import reverse_complement_one_hot
from seqcnn.motifs import Motif, trim_motif

__all__ = ["detector_importance", "extract_motifs"]

FLANK = 10
MOST_SITES = 20_000
FEWEST_SITES = 10
TRIM_BITS = 0.25


def extract_motifs(
    engine: Engine, positives: Codes, *, importance: Sequence[NDArray[np.float64]]
) -> list[Motif]:
    """Build a motif of each detector from its sites, most important first.

    Parameters
    ----------
    engine
        The model.
    positives
        Codes (n, length) of sequences that hold sites.
    importance
        For each member, the importance (detectors,) of its detectors.

    Returns
    -------
    list
        Trimmed motifs with at least ten sites, oriented like their detector.

    References
    ----------
    Kelley et al. 2016, doi:10.1101/gr.200535.115
    """
    counts = np.bincount(positives[positives < UNKNOWN], minlength=4) + 1.0
    background = tuple((counts / counts.sum()).tolist())
    motifs = []
    for member, shares in enumerate(importance):
        prefix = f"member{member + 1}_" if len(importance) > 1 else ""
        pfms, sites = count_sites(engine, positives, member=member)
        for detector, (pfm, number) in enumerate(zip(pfms, sites, strict=True)):
            if number >= FEWEST_SITES:
                name = f"{prefix}detector{detector + 1}"
                motif = Motif(name, pfm, int(number), background)
                motif = replace(motif, importance=float(shares[detector]))
                motifs.append(trim_motif(motif, threshold=TRIM_BITS, minimum=5))
    return sorted(motifs, key=lambda motif: -motif.importance)


def count_sites(
    engine: Engine, codes: Codes, *, member: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Count the letters of each detector's sites.

    Returns
    -------
    tuple
        PFMs (detectors, 4, width + 2 * `FLANK`) and the number of sites (detectors,).
    """
    network = engine.networks[member]

    def strands(one_hot: Tensor, rows: int) -> list[Tensor]:
        both = [one_hot[:rows], reverse_complement_one_hot(one_hot)[:rows]]
        return both[:1] if engine.spec.strands == "single" else both

    def maxima(one_hot: Tensor, rows: int) -> Tensor:
        scores = [network.detect(strand) for strand in strands(one_hot, rows)]
        return torch.stack([s.amax(dim=(0, 2)) for s in scores]).amax(dim=0)

    highest = torch.stack(list(engine.map_blocks(codes, maxima))).amax(dim=0)
    least = network.activate(highest)[:, None] / 2  # (detectors, 1)

    def hits(one_hot: Tensor, rows: int) -> list[NDArray[np.float64]]:
        return [
            _hits(network.activate(network.detect(strand)), least)
            for strand in strands(one_hot, rows)
        ]

    found = [
        _numbered(parts, block * engine.block)
        for block, parts in enumerate(engine.map_blocks(codes, hits))
    ]
    table = np.concatenate([rows for parts in found for rows in parts])
    table = _strongest(table)
    width = network.detector_width + 2 * FLANK
    offset = network.detector_padding + FLANK
    letters = _site_letters(codes, table, offset=offset, width=width)
    detectors = table[:, 2].astype(np.int64)
    return _count_letters(letters, detectors, len(highest)), np.bincount(
        detectors, minlength=len(highest)
    )


def _hits(activations: Tensor, least: Tensor) -> NDArray[np.float64]:
    """List activations (n, detectors, positions) above `least`: row, detector, position, value."""
    places = ((activations > least) & (activations > 0)).nonzero()  # (hits, 3)
    values = activations[tuple(places.T)]
    return np.column_stack([places.cpu().numpy(), values.cpu().numpy()]).astype(np.float64)


def _numbered(strands: Sequence[NDArray[np.float64]], first: int) -> list[NDArray[np.float64]]:
    """Put the strand (0 or 1) before each hit, and number rows from the first of all blocks."""
    offset = np.array([first, 0, 0, 0])
    return [
        np.column_stack([np.full(len(rows), strand), rows + offset])
        for strand, rows in enumerate(strands)
    ]


def _strongest(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the `MOST_SITES` strongest hits of each detector."""
    order = np.lexsort((table[:, 3], table[:, 1], table[:, 0], -table[:, 4], table[:, 2]))
    table = table[order]
    first = np.searchsorted(table[:, 2], table[:, 2], side="left")
    return table[np.arange(len(table)) - first < MOST_SITES]


def _site_letters(codes: Codes, table: NDArray[np.float64], *, offset: int, width: int) -> Codes:
    """Cut the extended sites (sites, width) out; off the sequence they are N."""
    margin = ((0, 0), (offset, width))
    padded = np.pad(codes, margin, constant_values=UNKNOWN)
    other = np.pad(reverse_complement(codes), margin, constant_values=UNKNOWN)
    strand, row, _, position = table[:, :4].astype(np.int64).T
    columns = position[:, None] + np.arange(width)
    forward, reverse = (side[row[:, None], columns] for side in (padded, other))
    return np.asarray(np.where(strand[:, None] == 0, forward, reverse), dtype=np.uint8)


def _count_letters(
    letters: Codes, detectors: NDArray[np.int64], number: int
) -> NDArray[np.float64]:
    width = letters.shape[1]
    place = (detectors[:, None] * 5 + letters) * width + np.arange(width)
    counts = np.bincount(place.ravel(), minlength=number * 5 * width)
    return counts.reshape(number, 5, width)[:, :4].astype(np.float64)


def detector_importance(
    engine: Engine, codes: Codes, targets: NDArray[np.float32] | None = None, *, member: int
) -> NDArray[np.float64]:
    """Measure what share of the model's signal is lost without each detector.

    The signal is the covariance of target and logit over the sequences, averaged over the
    tasks; a detector is taken out by setting its features to their mean. For a linear head the
    shares add up to 1.

    Parameters
    ----------
    engine
        The model.
    codes
        Sequences (n, length), positives and negatives.
    targets
        Their targets (n, tasks); without them the model's own logits.
    member
        Which network of the ensemble.

    Returns
    -------
    NDArray
        Array (detectors,).
    """
    network = engine.networks[member]
    features = engine.features(codes, member=member)
    full = engine.weigh(features, member=member).cpu().numpy()
    wanted = full if targets is None else targets
    signal = _covariance(wanted, full)
    means = torch.cat(features).mean(dim=0)
    shares = []
    for detector in range(int(network.detectors.shape[0])):
        columns = network.features_of(detector)
        without = [strand.clone() for strand in features]
        for strand in without:
            strand[:, columns] = means[columns]
        left = _covariance(wanted, engine.weigh(without, member=member).cpu().numpy())
        shares.append(np.nanmean((signal - left) / np.where(signal > 0, signal, np.nan)))
    return np.nan_to_num(np.array(shares))


def _covariance(targets: NDArray[np.floating], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of each task's column over the rows whose target is known."""
    known = ~np.isnan(targets)
    number = np.maximum(known.sum(axis=0), 1)
    centred = targets - np.nanmean(targets, axis=0)
    return np.asarray((np.where(known, centred, 0) * logits).sum(axis=0) / number)
