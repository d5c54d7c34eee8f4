"""Sites: where in the positives a detector fires, by either of two published conventions.

``half-maximum`` (Basset's and Koo's): every window of the positives, on either strand that the
model looks at, in which the activation exceeds half of its maximum. Sites are extended on both
sides, for a detector may see only part of a motif: aligned at the detector, the rest appears.

``deepbind``: of each sequence the one window with the highest score, on the strand that the
prediction is made of (of the mean of both, the one with the higher logit), if the score before
the activation is above 0. As published, the sites are as wide as the detector; an N counts a
quarter of each base, and each count starts at 0.0001.

References
----------
Kelley et al. 2016, doi:10.1101/gr.200535.115
Koo & Ploenzke 2021, doi:10.1038/s42256-020-00291-x
Alipanahi et al. 2015, doi:10.1038/nbt.3300
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine

__all__ = [
    "BINS",
    "CONVENTIONS",
    "FLANK",
    "MOST_SITES",
    "Convention",
    "Counted",
    "count_sites",
    "share_with_site",
]

Convention = Literal["half-maximum", "deepbind"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

FLANK = 10
MOST_SITES = 20_000
BINS = 20

_MOST_WAITING = 4_000_000
_START = 1e-4

_SITE = np.dtype(
    [
        ("row", np.int64),
        ("strand", np.int8),
        ("detector", np.int32),
        ("position", np.int32),
        ("activation", np.float32),
    ]
)
Sites = NDArray[np.void]


@dataclass(frozen=True)
class Counted:
    """What was counted at the sites of one member's detectors.

    Attributes
    ----------
    pfms
        Counts (detectors, 4, width), of extended sites where the convention extends them.
    sites
        Number of sites (detectors,).
    positions
        Number of sites (detectors, 20) by twentieth of the sequence, on its forward strand.
    rows
        Shares (detectors,) of the sequences that have a site.
    least
        What an activation must exceed to be a site (detectors,).
    """

    pfms: NDArray[np.float64]
    sites: NDArray[np.int64]
    positions: NDArray[np.int64]
    rows: NDArray[np.float64]
    least: NDArray[np.float32]


def count_sites(
    engine: Engine, codes: Codes, *, member: int, convention: Convention = "half-maximum"
) -> Counted:
    """Count the letters of each detector's sites.

    Parameters
    ----------
    engine
        The model.
    codes
        Sequences (n, length).
    member
        Which network of the ensemble.
    convention
        What a site is.
    """
    network = engine.torch.networks[member]
    number = network.detectors.shape[0]
    published = convention == "deepbind"
    flank = 0 if published else FLANK
    if published:
        sites, least = _find_best_windows(engine, codes, member), np.zeros(number, np.float32)
    else:
        sites, least = _find_sites(engine, codes, network)
    width = network.detector_width + 2 * flank
    letters = _site_letters(codes, sites, offset=network.detector_padding + flank, width=width)
    spelled = (letters[:, flank : width - flank] < UNKNOWN).any(axis=1)  # not of N alone
    sites, letters = sites[spelled], letters[spelled]
    detectors = sites["detector"].astype(np.int64)
    pfms = _count_letters(letters, detectors, number, quarters=published)
    total = np.bincount(detectors, minlength=number)
    if published:
        pfms[total > 0] += _START
    return Counted(
        pfms=pfms,
        sites=total,
        positions=_count_positions(sites, network, codes.shape[1]),
        rows=_share_of_rows(sites, number, len(codes)),
        least=least,
    )


def share_with_site(
    engine: Engine, codes: Codes, least: NDArray[np.float32], *, member: int
) -> NDArray[np.float64]:
    """Give the share (detectors,) of sequences with an activation above `least` (detectors,)."""
    network = engine.torch.networks[member]
    bound = torch.from_numpy(least)

    def fires(one_hot: Tensor, rows: int) -> Tensor:
        highest = _detect(engine, network, one_hot, rows).amax(dim=(1, 3))
        return (network.activate(highest).cpu() > bound).sum(dim=0)

    counts = list(engine.torch.map_blocks(codes, fires))
    if not counts:
        return np.zeros(len(least))
    return np.asarray(torch.stack(counts).sum(dim=0).numpy() / len(codes), dtype=np.float64)


def _detect(engine: Engine, network: SequenceNetwork, one_hot: Tensor, rows: int) -> Tensor:
    """Score the strands that the model looks at: (rows, strands, detectors, positions)."""
    strands = engine.torch.strands(one_hot)
    return torch.stack([network.detect(strand)[:rows] for strand in strands], dim=1)


def _find_sites(
    engine: Engine, codes: Codes, network: SequenceNetwork
) -> tuple[Sites, NDArray[np.float32]]:
    """List the sites of all detectors, for each the strongest `MOST_SITES`, and their bar."""

    def maxima(one_hot: Tensor, rows: int) -> Tensor:
        return _detect(engine, network, one_hot, rows).amax(dim=(0, 1, 3))

    kept = np.empty(0, dtype=_SITE)
    found = list(engine.torch.map_blocks(codes, maxima))
    if not found:
        return kept, np.zeros(len(network.detectors), dtype=np.float32)
    with torch.inference_mode():
        bar = network.activate(torch.stack(found).amax(dim=0)) / 2  # (detectors,)
    least = bar

    def fire(one_hot: Tensor, rows: int) -> Sites:
        return _list_sites(network.activate(_detect(engine, network, one_hot, rows)), least)

    waiting: list[Sites] = []
    for block, sites in enumerate(engine.torch.map_blocks(codes, fire)):
        sites["row"] += block * engine.torch.block
        waiting.append(sites)
        # A detector that fires everywhere has a site at each position of each sequence: raise
        # the bar for what follows.
        if sum(map(len, waiting)) > _MOST_WAITING:
            kept, waiting = _keep_strongest(np.concatenate([kept, *waiting])), []
            least = torch.maximum(least, _weakest_kept(kept, least))
    return _keep_strongest(np.concatenate([kept, *waiting])), bar.cpu().numpy()


def _list_sites(activations: Tensor, least: Tensor) -> Sites:
    """List activations (n, strands, detectors, positions) above `least` (detectors,)."""
    fires = (activations > least[:, None]) & (activations > 0)
    places = fires.nonzero().T  # (4, sites), row by row
    sites = np.empty(places.shape[1], dtype=_SITE)
    for name, column in zip(("row", "strand", "detector", "position"), places, strict=True):
        sites[name] = column.cpu().numpy()
    sites["activation"] = activations[tuple(places)].cpu().numpy()
    return sites


def _keep_strongest(sites: Sites) -> Sites:
    """Keep the `MOST_SITES` strongest of each detector; of equal ones, the first."""
    # The bits of positive floats have the order of their values.
    falling = np.uint64(2**32 - 1) - sites["activation"].view(np.uint32)
    key = sites["detector"].astype(np.uint64) << np.uint64(32) | falling
    ordered = sites[np.argsort(key, kind="stable")]
    first = np.searchsorted(ordered["detector"], ordered["detector"], side="left")
    return ordered[np.arange(len(ordered)) - first < MOST_SITES]


def _weakest_kept(sites: Sites, least: Tensor) -> Tensor:
    """Give the activation (detectors,) above which a site is still wanted, 0 where any is."""
    counts = np.bincount(sites["detector"], minlength=len(least))
    last = np.cumsum(counts) - 1
    full = counts == MOST_SITES
    weakest = np.where(full, sites["activation"][last.clip(0)], 0)
    return torch.from_numpy(weakest.astype(np.float32)).to(least.device)


def _find_best_windows(engine: Engine, codes: Codes, member: int) -> Sites:
    """List each sequence's highest window for each detector, where its score is above 0."""
    network = engine.torch.networks[member]

    def find(one_hot: Tensor, rows: int) -> Sites:
        scores = _detect(engine, network, one_hot, rows)
        features = [network.features(s)[:rows].double() for s in engine.torch.strands(one_hot)]
        logits = [engine.torch.heads[member](strand).sum(dim=1) for strand in features]
        strand = torch.stack(logits, dim=1).argmax(dim=1)  # of equal ones the forward one
        highest, position = scores[torch.arange(rows), strand].max(dim=2)  # (rows, detectors)
        row, detector = (highest > 0).nonzero().T
        sites = np.empty(len(row), dtype=_SITE)
        columns = (row, strand[row], detector, position[row, detector], highest[row, detector])
        for name, column in zip(_SITE.names or (), columns, strict=True):
            sites[name] = column.cpu().numpy()
        return sites

    found = list(engine.torch.map_blocks(codes, find))
    for block, sites in enumerate(found):
        sites["row"] += block * engine.torch.block
    return np.concatenate([np.empty(0, dtype=_SITE), *found])


def _site_letters(codes: Codes, sites: Sites, *, offset: int, width: int) -> Codes:
    """Cut the extended sites (sites, width) out; off the sequence they are N."""
    margin = ((0, 0), (offset, width))
    padded = np.pad(codes, margin, constant_values=UNKNOWN)
    other = np.pad(reverse_complement(codes), margin, constant_values=UNKNOWN)
    both = np.stack([padded, other])
    columns = sites["position"][:, None] + np.arange(width)
    letters: Codes = both[sites["strand"][:, None], sites["row"][:, None], columns]
    return letters


def _count_letters(
    letters: Codes, detectors: NDArray[np.int64], number: int, *, quarters: bool
) -> NDArray[np.float64]:
    width = letters.shape[1]
    place = (detectors[:, None] * 5 + letters) * width + np.arange(width)
    counts = np.bincount(place.ravel(), minlength=number * 5 * width)
    known = counts.reshape(number, 5, width).astype(np.float64)
    return known[:, :4] + known[:, 4:] / 4 if quarters else known[:, :4]


def _count_positions(sites: Sites, network: SequenceNetwork, length: int) -> NDArray[np.int64]:
    """Count sites by where their middle lies on the forward strand: (detectors, bins)."""
    middle = sites["position"] - network.detector_padding + network.detector_width / 2
    forward = np.where(sites["strand"] == 1, length - middle, middle)
    place = np.clip(np.floor(forward / length * BINS).astype(np.int64), 0, BINS - 1)
    number = len(network.detectors)
    counts = np.bincount(sites["detector"] * BINS + place, minlength=number * BINS)
    return counts.reshape(number, BINS)


def _share_of_rows(sites: Sites, number: int, rows: int) -> NDArray[np.float64]:
    pairs = np.unique(sites["row"] * number + sites["detector"])
    return np.bincount(pairs % number, minlength=number) / max(rows, 1)
