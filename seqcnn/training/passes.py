"""One pass of pooled networks over one strand of a batch, forward and backward, compiled.

What one kernel leaves for another lies in arrays that are made once. Their number is that of
the kernels, not of the networks: all networks go through each kernel together.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqcnn.dna import Codes
from seqcnn.engine.bank import BankShape
from seqcnn.engine.gradients import (
    KMER,
    RADIX,
    UNIT,
    add_highest,
    add_means,
    count_chunks,
    fill_columns,
    fill_tables,
    fold_tables,
    list_letters,
    measure_windows,
    number_kmers,
    pool_highest,
    pool_means,
    take_columns,
)
from seqcnn.training.folding import fold_norm, measure_scores, slope_of_fold
from seqcnn.training.heads import (
    activate,
    drop,
    measure_features,
    normalise,
    note_moments,
    slope_of_inputs,
    slope_of_norm,
    slope_of_pooled,
    slope_of_weights,
    weigh,
)

__all__ = ["Parameters", "Pass", "split_sections"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Keys = NDArray[np.uint32]
Sections = dict[str, Floats]


@dataclass(frozen=True)
class Parameters:
    """The parameters of networks, section by section.

    Attributes
    ----------
    values, gradients
        By name, each (networks, ...); see `BankShape.sections`.
    scores, features
        Running mean and variance (networks, 2, ...) of the batch norms.
    stopped
        Networks that are left as they are (networks,).
    shares
        Share of the features that each network drops (networks,).
    """

    values: Sections
    gradients: Sections
    scores: Floats
    features: Floats
    stopped: NDArray[np.bool_]
    shares: Doubles


def _room(*axes: int) -> Floats:
    return np.zeros(axes, dtype=np.float32)


class Pass:
    """The pass of a bank over one strand.

    Parameters
    ----------
    shape
        Of the networks.
    parameters
        What is read, and whose gradients are added to.
    rows
        Sequences of a batch.
    length
        Bases of a sequence.
    """

    def __init__(self, shape: BankShape, parameters: Parameters, *, rows: int, length: int) -> None:
        self.shape, self.own = shape, parameters
        self.letters = list_letters(shape.unknown)
        self.unit = UNIT if shape.ceiling else 1.0
        networks, lanes = len(parameters.stopped), len(parameters.stopped) * shape.number
        chunks = count_chunks(shape.width)
        self.positions = length + 2 * shape.padding - shape.width + 1
        self.kmers = np.empty((rows, self.positions + KMER * (chunks - 1)), dtype=np.uint8)
        self.columns = _room(KMER * chunks, RADIX, lanes)
        self.tables = _room(chunks, RADIX**KMER, lanes)
        self.pooled = _room(2, rows, lanes)
        self.winners = np.zeros((rows, lanes), dtype=np.int32)
        self.slopes = _room(rows, self.positions, lanes if shape.has_mean else 0)
        self.of_highest, self.of_means = _room(rows, lanes), _room(rows, lanes)
        self.features = _room(networks, rows, shape.features)
        self.inputs, self.of_inputs = np.copy(self.features), np.copy(self.features)
        self.hidden = _room(networks, rows, shape.hidden)
        self.of_hidden = np.copy(self.hidden)
        if shape.normalised:
            size = 4 * shape.width
            self.centre, self.covariance = np.zeros(size), np.zeros((size, size))
            self.spread = np.zeros((networks, size, shape.number))
            self.moments = _room(networks, 2, shape.number)
            self.feature_moments = _room(networks, 2, shape.features)
            self.folded = _room(networks, shape.width, 4, shape.number)
            self.offsets = _room(networks, shape.number)

    def _flat(self, detectors: Floats) -> Floats:
        """View (networks, width, 4, number) as (networks, 4 width, number)."""
        return detectors.reshape(len(detectors), -1, self.shape.number)

    def lay_tables(self, codes: Codes, *, training: bool) -> None:
        """Fill the tables with the detectors; in training as the batch norm of `codes` says."""
        values = self.own.values
        detectors, offsets = values["detectors"], values["shift"]
        if self.shape.normalised:
            moments = self.own.scores
            if training:
                moments = self.moments
                measure_windows(codes, self.letters, self.centre, self.covariance)
                measure_scores(
                    self._flat(detectors), self.centre, self.covariance, self.spread, moments
                )
                note_moments(
                    moments, self.positions * len(codes), self.own.stopped, self.own.scores
                )
            norm = (values["gain"], values["shift"])
            folded = self._flat(self.folded)
            fold_norm(self._flat(detectors), norm, moments, self.unit, folded, self.offsets)
            detectors, offsets = self.folded, self.offsets
        self.columns[self.shape.width :] = 0
        fill_columns(detectors, offsets, self.letters, self.columns)
        fill_tables(self.columns, self.tables)

    def forward(self, codes: Codes, logits: Floats, keys: Keys | None = None) -> None:
        """Run a batch through all networks; without keys, as in scoring.

        Parameters
        ----------
        codes
            (rows, length).
        logits
            Filled in (networks, rows, tasks).
        keys
            What seeds each network's dropout (networks,).
        """
        shape, values, ceiling = self.shape, self.own.values, self.shape.ceiling * self.unit
        number_kmers(codes, shape.padding, self.kmers)
        if shape.has_mean:
            pool_means(self.kmers, self.tables, ceiling, self.pooled, self.winners, self.slopes)
        else:
            pool_highest(self.kmers, self.tables, self.pooled[0], self.winners)
        activate(self.pooled, self.positions, ceiling, self.features, self.of_highest)
        if shape.normalised:
            moments = self.own.features
            if keys is not None:
                moments = self.feature_moments
                measure_features(self.features, moments)
                note_moments(moments, len(codes), self.own.stopped, self.own.features)
            gain, shift = values["head_gain"], values["head_shift"]
            normalise(self.features, moments, gain, shift, self.inputs)
        else:
            np.copyto(self.inputs, self.features)
        if keys is not None:
            drop(self.inputs, keys, self.own.shares)
        inputs = self.inputs
        if shape.hidden:
            weigh(inputs, values["hidden"], values["hidden_bias"], self.hidden)
            inputs = np.maximum(self.hidden, 0, out=self.hidden)
        weigh(inputs, values["output"], values["output_bias"], logits)

    def backward(self, slopes: Floats, keys: Keys) -> None:
        """Add the gradients of all parameters, given that of the logits."""
        shape, values, own = self.shape, self.own.values, self.own.gradients
        inputs, name = self.inputs, "output"
        if shape.hidden:
            slope_of_weights(self.hidden, slopes, own["output"], own["output_bias"])
            slope_of_inputs(slopes, values["output"], self.of_hidden)
            self.of_hidden *= self.hidden > 0
            slopes, name = self.of_hidden, "hidden"
        slope_of_weights(inputs, slopes, own[name], own[f"{name}_bias"])
        slope_of_inputs(slopes, values[name], self.of_inputs)
        drop(self.of_inputs, keys, self.own.shares)
        if shape.normalised:
            norm = (own["head_gain"], own["head_shift"])
            gain = values["head_gain"]
            slope_of_norm(self.features, self.feature_moments, gain, norm, self.of_inputs)
        slope_of_pooled(self.of_inputs, self.positions, self.of_highest, self.of_means)
        self._add_detectors()

    def _add_detectors(self) -> None:
        shape, values, own = self.shape, self.own.values, self.own.gradients
        gradient = self.tables  # no longer needed as they are
        gradient.fill(0)
        add_highest(self.kmers, self.winners, self.of_highest, gradient)
        if shape.has_mean:
            add_means(self.kmers, self.slopes, self.of_means, gradient)
        fold_tables(gradient, self.columns)
        if not shape.normalised:
            take_columns(self.columns, self.letters, own["detectors"], own["shift"])
            return
        self.folded.fill(0)
        self.offsets.fill(0)
        take_columns(self.columns, self.letters, self.folded, self.offsets)
        slope_of_fold(
            self._flat(values["detectors"]),
            values["gain"],
            (self.centre, self.spread, self.moments),
            (self._flat(self.folded), self.offsets),
            (self._flat(own["detectors"]), own["gain"], own["shift"]),
        )


def split_sections(flat: Floats, sections: dict[str, tuple[int, ...]], networks: int) -> Sections:
    """View one array as sections (networks, ...), one after the other."""
    parts, start = {}, 0
    for name, shape in sections.items():
        stop = start + networks * math.prod(shape)
        parts[name] = flat[start:stop].reshape(networks, *shape)
        start = stop
    return parts
