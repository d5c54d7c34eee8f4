"""What each base contributes to a logit, by gradients.

Methods
-------
``gradient``
    Gradient of the logit times the input. Fast; where the network saturates it says nothing.
``integrated``
    Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv:1703.01365): the mean gradient
    on the straight line from a reference, times the difference to it; averaged over references.
``deeplift``
    DeepLIFT's rescale rule (Shrikumar, Greenside & Kundaje 2017, arXiv:1704.02685), averaged over
    references (DeepSHAP), by the package captum.

References are dinucleotide shuffles of each sequence; the gradient has none, and is held against
a sequence of N. Both other methods are complete: contributions add up to the logit less the mean
logit of the references. How far they do is part of the result.

Hypothetical contributions are those that each base would have in the place of the sequence's own
(for the gradient: the gradient itself, less its mean over the bases).
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqcnn.attribution.differentiable import Differentiable
from seqcnn.dna import UNKNOWN, Codes, one_hot
from seqcnn.engine import Engine
from seqcnn.engine.sharing import map_in_order
from seqcnn.negatives import shuffle_dinucleotides

__all__ = ["METHODS", "Contributions", "Method", "attribute_sequences"]

Method = Literal["gradient", "integrated", "deeplift"]
METHODS: tuple[Method, ...] = ("gradient", "integrated", "deeplift")

Values = NDArray[np.float64]

_STEPS = 24  # of an integral
_ROWS = 256  # sequences that go through the networks together


@dataclass(frozen=True, eq=False)
class Contributions:
    """Contributions to one task's logit, of n sequences.

    Attributes
    ----------
    codes
        The sequences (n, length).
    hypothetical
        Contribution (n, 4, length) of each base in the place of the sequence's own.
    logits
        Logits of the sequences (n,).
    reference_logits
        Mean logits of their references (n,).
    unknown
        What N has in each of the four one-hot rows.
    left_out
        How many members of the model have no gradient; the logits are those of the others.
    """

    codes: Codes
    hypothetical: Values
    logits: Values
    reference_logits: Values
    unknown: float
    left_out: int = 0

    @property
    def one_hot(self) -> NDArray[np.float32]:
        """The sequences (n, 4, length)."""
        return one_hot(self.codes, unknown=self.unknown)

    @property
    def actual(self) -> Values:
        """Contributions (n, length) of the bases that are there."""
        return np.asarray((self.hypothetical * self.one_hot).sum(axis=1))

    @property
    def errors(self) -> Values:
        """How much contributions add up to more than they should (n,)."""
        return np.asarray(self.actual.sum(axis=1) - (self.logits - self.reference_logits))


def attribute_sequences(  # noqa: PLR0913
    engine: Engine,
    codes: Codes,
    *,
    task: int = 0,
    method: Method = "integrated",
    references: int = 10,
    seed: int = 0,
    progress: Callable[[int], object] = lambda _: None,
) -> Contributions:
    """Attribute a task's logit to the bases of sequences.

    Parameters
    ----------
    engine
        The model, of torch networks.
    codes
        Array (n, length) of the model's length.
    task
        Number of the task.
    method
        See the module.
    references
        Shuffles of each sequence.
    seed
        Seed of the shuffles.
    progress
        Called with the number of sequences done since the last call.

    Raises
    ------
    SeqcnnError
        For a model that cannot be differentiated, or not by this method.
    """
    network = Differentiable(engine, task)
    explain = _choose(method, network)

    def work(row: int) -> tuple[Values, float]:
        sequence = codes[row : row + 1]
        # A generator for each sequence, so that its neighbours make no difference.
        rng = np.random.default_rng([seed, zlib.crc32(sequence.tobytes())])
        others = np.full_like(sequence, UNKNOWN)
        if method != "gradient":
            others = shuffle_dinucleotides(np.repeat(sequence, references, axis=0), rng=rng)
        found = explain(network.expand(sequence), network.expand(others))
        return found, float(network.score(others).mean())

    hypothetical = np.empty((len(codes), 4, codes.shape[1]))
    reference_logits = np.empty(len(codes))
    # captum leaves its hooks on the network while it works.
    threads = 1 if method == "deeplift" else engine.threads
    results = map_in_order(work, range(len(codes)), threads=threads, prepare=_use_one_thread)
    for row, (found, reference) in enumerate(results):
        hypothetical[row], reference_logits[row] = found, reference
        progress(1)
    return Contributions(
        codes,
        hypothetical,
        network.score(codes),
        reference_logits,
        engine.spec.unknown,
        network.left_out,
    )


def _use_one_thread() -> None:
    torch.set_num_threads(1)


def _choose(method: Method, network: Differentiable) -> Callable[[Tensor, Tensor], Values]:
    if method == "deeplift":
        from seqcnn.attribution.rescaling import Rescaling

        return Rescaling(network).explain
    if method == "gradient":
        return lambda inputs, _: _centre(network.gradient(inputs)[0])
    return lambda inputs, others: _integrate(network, inputs, others)


def _centre(gradient: Tensor) -> Values:
    return np.asarray((gradient - gradient.mean(dim=0)).double().cpu().numpy())


def _integrate(network: Differentiable, inputs: Tensor, others: Tensor) -> Values:
    """Integrate gradients on the lines from references (k, 4, length): (4, length)."""
    nodes, weights = np.polynomial.legendre.leggauss(_STEPS)
    total = torch.zeros_like(others)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        for part in _parts(len(others)):
            points = others[part] + float(node) * (inputs - others[part])
            total[part] += float(weight) * network.gradient(points)
    hypothetical = total - (total * others).sum(dim=1, keepdim=True)
    return np.asarray(hypothetical.mean(dim=0).double().cpu().numpy())


def _parts(number: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, number, _ROWS))
