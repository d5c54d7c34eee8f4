"""The arrays that the compiled steps work on.

Axes: `sides` are the strands that a step looks at (2 for the larger of both), `nets` the
networks, `lanes` the detectors of all networks side by side.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine.compiled import compile_kernel

__all__ = ["Batches", "Form", "Parts", "State", "Work", "split_row", "split_running"]

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Form(NamedTuple):
    """What the networks have in common; see `seqcnn.engine.bank.BankShape`."""

    width: int
    number: int
    features: int
    hidden: int
    tasks: int
    padding: int
    ceiling: float
    has_mean: bool
    normalised: bool
    regression: bool
    letters: Doubles


class State(NamedTuple):
    """What a training changes, and how: a row a network."""

    rows: Floats
    gradients: Floats
    first: Floats
    second: Floats
    running: Floats
    decays: Floats
    """1 for parameters that decay (parameters,)."""
    shares: Doubles
    weight_decays: Doubles
    clips: Doubles
    nesterov: NDArray[np.bool_]
    stopped: NDArray[np.bool_]


class Work(NamedTuple):
    """Room for intermediate results."""

    turned: Codes
    """(rows, length)."""
    kmers: Codes
    """(sides, rows, places)."""
    columns: Floats
    tables: Floats
    """(sides, chunks, 125, lanes)."""
    table_slopes: Floats
    column_slopes: Floats
    pooled: Floats
    """Largest scores and sums of activations (sides, 2, rows, lanes)."""
    winners: NDArray[np.int32]
    """(sides, rows, lanes), as are the two slopes."""
    highest_slopes: Floats
    mean_slopes: Floats
    slopes: Floats
    """(sides, rows, positions, lanes)."""
    centre: Doubles
    """(sides, 4 width)."""
    covariance: Doubles
    spread: Doubles
    """Covariance times detectors (sides, nets, 4 width, number)."""
    moments: Floats
    """Mean and variance of the scores (sides, nets, 2, number)."""
    detectors: Floats
    """(width, 4, number), as slid along the sequences."""
    offsets: Floats
    features: Floats
    """(sides, nets, rows, features), pooled."""
    inputs: Floats
    """The same, normalised and with some dropped."""
    feature_moments: Floats
    hidden: Floats
    logits: Floats
    logit_slopes: Floats
    hidden_slopes: Floats
    input_slopes: Floats


class Batches(NamedTuple):
    """What the next steps are taken with."""

    codes: Codes
    """(steps, rows, length)."""
    targets: Floats
    """(steps, rows, tasks)."""
    rates: Doubles
    """(nets, steps), as are all below."""
    momenta: Doubles
    keys: NDArray[np.uint32]
    losses: Doubles
    """Filled in: the mean loss of each batch, NaN from the step on at which a network broke."""
    scores: Floats
    """Filled in when scoring: logits (steps, nets, rows, tasks)."""
    done: int
    """Steps taken before."""


class Parts(NamedTuple):
    """The sections of one row, as arrays of their shapes."""

    detectors: Floats
    gain: Floats
    shift: Floats
    head_norm: Floats
    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats


@compile_kernel
def split_row(row: Floats, form: Form) -> Parts:
    """Cut a row into its sections, in the order of `BankShape.sections`."""
    scores = form.number if form.normalised else 0
    features = form.features if form.normalised else 0
    inputs = form.hidden if form.hidden else form.features
    a = form.width * 4 * form.number
    b = a + scores
    c = b + form.number
    d = c + 2 * features
    e = d + form.hidden * form.features
    f = e + form.hidden
    g = f + form.tasks * inputs
    return Parts(
        row[:a].reshape((form.width, 4, form.number)),
        row[a:b],
        row[b:c],
        row[c:d].reshape((2, features)),
        row[d:e].reshape((form.hidden, form.features)),
        row[e:f],
        row[f:g].reshape((form.tasks, inputs)),
        row[g : g + form.tasks],
    )


@compile_kernel
def split_running(running: Floats, form: Form) -> tuple[Floats, Floats]:
    """Cut running statistics into those of scores and features, mean and variance (2, ...)."""
    scores = form.number if form.normalised else 0
    features = form.features if form.normalised else 0
    stop = 2 * scores + 2 * features
    return (
        running[: 2 * scores].reshape((2, scores)),
        running[2 * scores : stop].reshape((2, features)),
    )
