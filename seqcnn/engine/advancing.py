"""Taking changes of activations through one step of a network, in the fastest way."""

import torch
from torch import Tensor

from seqcnn.engine.parts import split_evenly
from seqcnn.engine.products import settle_products
from seqcnn.engine.settling import Changed, Kept, Strip, settle
from seqcnn.engine.steps import Step

__all__ = ["advance"]

_PRODUCTS = 2**19  # numbers at a time, which a core's cache should hold


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
    elif step.columns is not None:
        loops = changed.lay_out(out.start, kept)
        inputs, outputs = changed.strip.delta.numpy(), out.delta.numpy()
        settle_products(step.columns, inputs, loops, step.geometry, outputs)
    else:
        _advance_by_taps(step, changed, kept, out)


def _advance_by_taps(step: Step, changed: Changed, kept: Kept, out: Strip) -> None:
    """Multiply on CUDA, or by a scale, as many mutants at a time as their products have room."""
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
    for weights, products in zip(step.weights, out, strict=True):
        torch.mm(delta, weights, out=products)
