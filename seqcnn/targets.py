"""Regression targets on the scale on which they are learned.

Intensities and counts spread over orders of magnitude: a few huge ones would rule the loss, and
a ratio, not a difference, is what a change of sequence does to them. Such targets are learned,
predicted and scored as log2; a difference between two alleles is then a log2 fold change.
"""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seqcnn.datasets import LabelledSequences
from seqcnn.errors import ConfigError
from seqcnn.splits import Split

__all__ = ["choose_transform", "clamp_targets", "transform_split", "transform_targets"]

_log = logging.getLogger(__name__)

_SKEWED = 1.0


def choose_transform(data: LabelledSequences) -> str:
    """Choose ``log2`` for targets that are positive and, in each task, less skewed as log2.

    Parameters
    ----------
    data
        Training data of a regression, or with targets of each base.

    Returns
    -------
    str
        ``log2`` or ``none``. Log2 needs a skewness above 1 to begin with. Of targets of each
        base ``log2p1`` for a signal, ``none`` for labels.
    """
    if data.profiles is not None:
        return "none" if np.isin(data.profiles, (0, 1)).all() else "log2p1"
    columns = [column[~np.isnan(column)].astype(np.float64) for column in data.targets.T]
    if any((column <= 0).any() for column in columns):
        return "none"
    skewed = all(
        _skewness(column) > max(_SKEWED, abs(_skewness(np.log2(column)))) for column in columns
    )
    return "log2" if skewed else "none"


def _skewness(values: NDArray[np.float64]) -> float:
    centred = values - values.mean()
    spread = float(np.sqrt((centred**2).mean()))
    return float((centred**3).mean() / spread**3) if spread > 0 else 0.0


def transform_targets(data: LabelledSequences, transform: str) -> LabelledSequences:
    """Bring targets to the scale that a model learns or predicts.

    Raises
    ------
    ConfigError
        When a target has no logarithm.
    """
    if transform == "none":
        return data
    if transform == "log2p1":
        if data.profiles is None:
            raise TypeError("a signal without profiles")
        signal = np.log2(1 + data.profiles)
        return replace(data, targets=signal.max(axis=2), profiles=signal)
    if (data.targets <= 0).any():
        raise ConfigError(
            "the targets",
            f"the value {data.targets[data.targets <= 0][0]:g}",
            expected="values above 0, as the model works on log2 of them",
            remedy="train with --transform none",
        )
    return replace(data, targets=np.log2(data.targets))


def clamp_targets(split: Split, percentile: float) -> Split:
    """Bring the highest targets down to a percentile of the training's, in each task.

    Outliers of an assay then do not rule what is learned. The test data stay as they are.

    Parameters
    ----------
    split
        Of a regression.
    percentile
        From 0 to 100.
    """
    highest = np.nanpercentile(split.train.targets.astype(np.float64), percentile, axis=0)
    above = int((split.train.targets > highest).sum())
    _log.info("targets: %d of the training above percentile %g, clamped", above, percentile)

    def clamp(data: LabelledSequences) -> LabelledSequences:
        return replace(data, targets=np.minimum(data.targets, highest.astype(np.float32)))

    return replace(
        split,
        train=clamp(split.train),
        validation=clamp(split.validation),
        train_dev=split.train_dev and clamp(split.train_dev),
    )


def transform_split(split: Split, transform: str) -> Split:
    """Bring the targets of all sides to the scale that a model learns."""
    if transform != "none":
        _log.info("targets: learned as %s", transform)
    return replace(
        split,
        train=transform_targets(split.train, transform),
        validation=transform_targets(split.validation, transform),
        test=transform_targets(split.test, transform),
        train_dev=split.train_dev and transform_targets(split.train_dev, transform),
    )
