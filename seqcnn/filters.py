"""What the detectors recognise: sites where they fire, counted up into motifs.

The convention is Basset's and Koo's: every window of the positives, on either strand, in which
a detector's activation exceeds half of its maximum is a site of it. Sites are extended on both
sides, for a detector may see only part of a motif: aligned at the detector, the rest appears.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.architectures.base import SequenceNetwork
from seqcnn.architectures.stacked import StackedNetwork
from seqcnn.dna import UNKNOWN, Codes, reverse_complement
from seqcnn.engine import Engine
from seqcnn.engine.strands import combine_strands, reverse_complement_one_hot
from seqcnn.motifs import Background, Motif, trim_motif

__all__ = ["count_sites", "detector_importance", "extract_motifs"]

FLANK = 10
MOST_SITES = 20_000
FEWEST_SITES = 10
TRIM_BITS = 0.25

_MOST_WAITING = 4_000_000
_MOST_ROWS = 2000  # sequences on which importance is measured
_SMALLEST_SIGNAL = 1e-20  # below it, a covariance of logits is rounding

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
    background = _background(positives, engine.spec.strands)
    motifs = []
    for member, shares in enumerate(importance):
        prefix = f"member{member + 1}_" if len(importance) > 1 else ""
        pfms, sites = count_sites(engine, positives, member=member)
        for detector, (pfm, number) in enumerate(zip(pfms, sites, strict=True)):
            if number >= FEWEST_SITES:
                name = f"{prefix}detector{detector + 1}"
                motif = Motif(name, pfm, int(number), background)
                motif = replace(motif, importance=float(shares[detector]))
                motifs.append(trim_motif(motif, threshold=_trimming_bits(int(number)), minimum=5))
    return sorted(motifs, key=lambda motif: -motif.importance)


def _background(codes: Codes, strands: str) -> Background:
    """Measure the frequencies of A, C, G, T on the strands where sites are looked for."""
    counts = np.bincount(codes[codes < UNKNOWN], minlength=4) + 1.0
    if strands != "single":
        counts = counts + counts[::-1]
    a, c, g, t = (counts / counts.sum()).tolist()
    return a, c, g, t


def _trimming_bits(sites: int) -> float:
    """Give the bits below which an end is cut: few sites look informative by chance.

    References
    ----------
    Schneider et al. 1986, doi:10.1016/0022-2836(86)90165-8 (small-sample correction)
    """
    return TRIM_BITS + 3 / (2 * math.log(2) * sites)


def count_sites(
    engine: Engine, codes: Codes, *, member: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Count the letters of each detector's sites.

    Parameters
    ----------
    engine
        The model.
    codes
        Sequences (n, length).
    member
        Which network of the ensemble.

    Returns
    -------
    tuple
        PFMs (detectors, 4, width + 2 * `FLANK`) and the number of sites (detectors,).
    """
    network = engine.torch.networks[member]
    number = network.detectors.shape[0]
    width = network.detector_width + 2 * FLANK
    sites = _find_sites(engine, codes, network)
    letters = _site_letters(codes, sites, offset=network.detector_padding + FLANK, width=width)
    detectors = sites["detector"].astype(np.int64)
    return _count_letters(letters, detectors, number), np.bincount(detectors, minlength=number)


def _find_sites(engine: Engine, codes: Codes, network: SequenceNetwork) -> Sites:
    """List the sites of all detectors, for each the strongest `MOST_SITES`."""
    number = 1 if engine.spec.strands == "single" else 2

    def detect(one_hot: Tensor, rows: int) -> Tensor:
        both = [one_hot, reverse_complement_one_hot(one_hot)][:number]
        return torch.stack([network.detect(strand)[:rows] for strand in both], dim=1)

    def maxima(one_hot: Tensor, rows: int) -> Tensor:
        return detect(one_hot, rows).amax(dim=(0, 1, 3))

    kept = np.empty(0, dtype=_SITE)
    found = list(engine.torch.map_blocks(codes, maxima))
    if not found:
        return kept
    with torch.inference_mode():
        least = network.activate(torch.stack(found).amax(dim=0)) / 2  # (detectors,)

    def fire(one_hot: Tensor, rows: int) -> Sites:
        return _list_sites(network.activate(detect(one_hot, rows)), least)

    waiting: list[Sites] = []
    for block, sites in enumerate(engine.torch.map_blocks(codes, fire)):
        sites["row"] += block * engine.torch.block
        waiting.append(sites)
        # A detector that fires everywhere has a site at each position of each sequence: raise
        # the bar for what follows.
        if sum(map(len, waiting)) > _MOST_WAITING:
            kept, waiting = _keep_strongest(np.concatenate([kept, *waiting])), []
            least = torch.maximum(least, _weakest_kept(kept, least))
    return _keep_strongest(np.concatenate([kept, *waiting]))


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
    shares add up to 1. Where target and logit do not rise together, nothing of that kind can be
    lost: there the model's own logits stand for the targets.

    In a network with further convolutions a detector has no features of its own. There its
    activations are set to their mean, and the loss is taken to first order: gradient of the
    logit times (activation - mean).

    Parameters
    ----------
    engine
        The model.
    codes
        Sequences (n, length), positives and negatives; of more than 2000, so many at even
        distances.
    targets
        Their targets (n, tasks), NaN where missing; without them the model's own logits.
    member
        Which network of the ensemble.

    Returns
    -------
    NDArray
        Array (detectors,); 0 for a model that says the same of every sequence.
    """
    network = engine.torch.networks[member]
    chosen = np.linspace(0, len(codes) - 1, min(len(codes), _MOST_ROWS)).astype(np.int64)
    features = engine.torch.features(codes[chosen], member=member)
    full = engine.torch.weigh(features, member=member).cpu().numpy()
    wanted = full if targets is None else targets[chosen].astype(np.float64)
    wanted = np.where(_covariance(wanted, full) > 0, wanted, full)
    signal = _covariance(wanted, full)  # (tasks,)
    tasks = signal > _SMALLEST_SIGNAL
    shares = np.zeros(network.detectors.shape[0])
    if not tasks.any():
        return shares
    if isinstance(network, StackedNetwork):
        centred, number = _centre(wanted)
        slopes = np.where(tasks, centred / np.where(tasks, signal * number, 1), 0) / tasks.sum()
        return _first_order_shares(engine, codes[chosen], slopes, member=member)
    for detector in range(len(shares)):
        with _silenced(features, network.features_of(detector)):
            without = engine.torch.weigh(features, member=member).cpu().numpy()
        left = _covariance(wanted, without)
        shares[detector] = ((signal - left)[tasks] / signal[tasks]).mean()
    return shares


def _first_order_shares(
    engine: Engine, codes: Codes, slopes: NDArray[np.float64], *, member: int
) -> NDArray[np.float64]:
    """Sum gradient times (activation - mean) up for each detector (detectors,).

    A logit adds `slopes` (n, tasks) times itself to the shares, so that one backward pass of a
    block serves all tasks.
    """

    def sum_block(start: int) -> list[NDArray[np.float64]]:
        rows = slice(start, start + engine.torch.block)
        wanted = torch.from_numpy(slopes[rows])
        blocks = engine.torch.map_blocks(
            codes[rows], lambda one_hot, _: _backward_sums(engine, one_hot, wanted, member=member)
        )
        return next(iter(blocks))

    # Each block has slopes of its own, so that blocks are shared out here.
    with ThreadPoolExecutor(engine.threads) as pool:
        parts = list(pool.map(sum_block, range(0, len(codes), engine.torch.block)))
    activations, products, gradients, positions = (
        np.sum(values, axis=0) for values in zip(*parts, strict=True)
    )
    return np.asarray(products - gradients * activations / positions)


def _backward_sums(
    engine: Engine, one_hot: Tensor, slopes: Tensor, *, member: int
) -> list[NDArray[np.float64]]:
    """Sum a block up for each detector, over sequences, strands and positions.

    Returns
    -------
    list
        Sums of activations, of activation times gradient, of gradients (detectors,), and the
        number of positions.
    """
    network = engine.torch.networks[member]
    assert isinstance(network, StackedNetwork)
    strands = [strand[: max(2, len(slopes))] for strand in engine.torch.strands(one_hot)]
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = [network.activate(network.detect(strand.clone())) for strand in strands]
        inputs = [values.detach().requires_grad_() for values in inputs]
        logits = [network.head(network.pool_activations(values)) for values in inputs]
        if len(logits) == 2:
            logits[0] = combine_strands(logits[0], logits[1], engine.spec.strands)
        total = (logits[0][: len(slopes)] * slopes.to(logits[0])).sum()
        gradients = torch.autograd.grad(total, inputs)
    sums = np.zeros((3, len(network.detectors)))
    for values, gradient in zip(inputs, gradients, strict=True):
        a, g = values.detach()[: len(slopes)], gradient[: len(slopes)]
        for row, part in enumerate((a, a * g, g)):
            sums[row] += part.sum(dim=2).double().sum(dim=0).cpu().numpy()
    return [*sums, np.array(float(len(slopes) * len(inputs) * inputs[0].shape[2]))]


@contextlib.contextmanager
def _silenced(features: Sequence[Tensor], columns: list[int]) -> Iterator[None]:
    """Set columns to their mean over all strands for the length of a block."""
    kept = [strand[:, columns].clone() for strand in features]
    mean = torch.cat(kept).mean(dim=0)
    try:
        for strand in features:
            strand[:, columns] = mean
        yield
    finally:
        for strand, values in zip(features, kept, strict=True):
            strand[:, columns] = values


def _covariance(targets: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance of each task's column over the rows whose target is known."""
    centred, number = _centre(targets)
    return np.asarray((centred * logits).sum(axis=0) / number)


def _centre(targets: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Take each task's mean off its targets, 0 where missing, and count those known."""
    known = ~np.isnan(targets)
    number = np.maximum(known.sum(axis=0), 1)
    centred = targets - np.where(known, targets, 0).sum(axis=0) / number
    return np.where(known, centred, 0), number
