"""Taking changes of activations through one step of a network, in the fastest way."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from seqcnn.engine.parts import FEWEST_COLUMNS, FEWEST_ROWS, fill_up, split_evenly
from seqcnn.engine.settling import Changed, Kept, Strip, settle
from seqcnn.engine.settling_loops import settle_sums
from seqcnn.engine.steps import Step

__all__ = ["advance"]

_PRODUCTS = 2**19  # numbers at a time, which a core's cache should hold

_LONG = 200  # positions of a changed base's stretch, from which on mutants go one by one


def advance(step: Step, changed: Changed, kept: Kept, out: Strip) -> None:
    """Take changes of M mutants through a step.

    What is chosen does not depend on the mutants: another way has other roundings.

    Parameters
    ----------
    step
        A step after the first.
    changed
        The mutants.
    kept
        Of the references.
    out
        Changes of the output, which are written.
    """
    if step.shortcut:
        step.shortcut.advance(changed, kept, step.geometry, out)
    elif _is_long(step) and not out.delta.is_cuda:
        _advance_one_by_one(step, changed, kept, out)
    else:
        _advance_by_taps(step, changed, kept, out)


def _is_long(step: Step) -> bool:
    numbers = step.geometry
    if step.weights is None or max(numbers.stride, numbers.pool_size, numbers.pool_stride) > 1:
        return False
    return step.reach >= _LONG and step.weights.shape[2] >= FEWEST_COLUMNS


def _advance_one_by_one(step: Step, changed: Changed, kept: Kept, out: Strip) -> None:
    """Add the products up as they are made: those of long stretches leave the cache before."""
    taps = list(cast("Tensor", step.weights))
    # The middle tap first: it touches most, and what it touches need not be cleared.
    order = sorted(range(len(taps)), key=lambda tap: tap != len(taps) // 2)
    inputs, sums = changed.strip.delta.flatten(0, 1), out.delta.flatten(0, 1)
    loops, settled = changed.lay_out(out.start, kept), out.delta.numpy()
    wanted = out.delta.shape[1]
    for mutant, spans in enumerate(_find_spans(step, changed.strip, out)):
        if spans[order[0]][2] < wanted:
            sums.narrow(0, mutant * wanted, wanted).zero_()
        for tap in order:
            first, place, count = spans[tap]
            if count:
                rows, target = inputs.narrow(0, first, count), sums.narrow(0, place, count)
                _add_product(target, rows, taps[tap], keep=tap != order[0])
        settle_sums(mutant, loops, step.geometry, settled)


def _find_spans(step: Step, strip: Strip, out: Strip) -> list[list[list[int]]]:
    """Tell for each mutant and tap the rows of inputs, where they are added, and how many."""
    width, wanted = strip.delta.shape[1], out.delta.shape[1]
    mutant, tap = np.arange(len(strip.delta))[:, None], np.arange(len(cast("Tensor", step.weights)))
    shift = (out.start - strip.start).numpy()[:, None]
    offset = (
        shift - step.geometry.padding + tap * step.geometry.dilation
    )  # of inputs against outputs
    low = np.clip(-offset, 0, wanted)
    count = np.maximum(np.minimum(wanted, width - offset) - low, 0)
    first = mutant * width + low + offset
    spans: list[list[list[int]]] = np.stack([first, mutant * wanted + low, count], axis=2).tolist()
    return spans


def _add_product(sums: Tensor, rows: Tensor, weights: Tensor, *, keep: bool) -> None:
    """Add a product to sums, or put it in their place where these are not kept."""
    count = rows.shape[0]
    if count >= FEWEST_ROWS:
        torch.addmm(sums, rows, weights, beta=keep, out=sums)
        return
    filled, rows = fill_up(sums), fill_up(rows)
    sums.copy_(torch.addmm(filled, rows, weights, beta=keep)[:count])


def _advance_by_taps(step: Step, changed: Changed, kept: Kept, out: Strip) -> None:
    """Multiply as many mutants at a time as their products have room."""
    count, width, channels = changed.strip.delta.shape
    taps, columns = (1, channels) if step.weights is None else step.weights.shape[::2]
    most = count if out.delta.is_cuda else _PRODUCTS // (width * taps * columns)
    parts = split_evenly(count, most)
    scratch = out.delta.new_empty(taps * parts[0].stop * width * columns)
    for part in parts:
        some = changed.choose(part)
        rows = some.strip.delta.flatten(0, 1)
        products = scratch[: taps * rows.shape[0] * columns].view(taps, -1, columns)
        _multiply(step, rows, products)
        settle(products, None, some, kept, geometry=step.geometry, out=out.choose(part))


def _multiply(step: Step, delta: Tensor, out: Tensor) -> None:
    """Give what changed inputs (inputs, channels) add to scores (kernel, inputs, outputs)."""
    if step.weights is None:
        torch.mul(delta, 1 if step.scale is None else step.scale, out=out[0])
        return
    few = len(delta) < FEWEST_ROWS or out.shape[2] < FEWEST_COLUMNS
    for weights, products in zip(step.weights, out, strict=True):
        if few:
            products.copy_(_multiply_few(delta, weights))
        else:
            torch.mm(delta, weights, out=products)


def _multiply_few(delta: Tensor, weights: Tensor) -> Tensor:
    filled = nn.functional.pad(weights, (0, max(0, FEWEST_COLUMNS - weights.shape[1])))
    return torch.mm(fill_up(delta), filled)[: len(delta), : weights.shape[1]]
