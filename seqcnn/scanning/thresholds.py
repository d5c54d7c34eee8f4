"""From which logit on a window is called a site, where nobody says it.

It is the logit that one in 1,000 windows of the genome exceeds when its dinucleotides are shuffled:
with windows of 101 bases one false site in 100 kb, as far as shuffles are like the genome. With a
model that seqcnn trained it is also no less than the median logit of the training positives.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqcnn.engine import Engine
from seqcnn.genome import Genome, gather_windows
from seqcnn.negatives import shuffle_dinucleotides
from seqcnn.scanning.stretches import Stretch

__all__ = ["choose_thresholds"]

_SHUFFLES = 20_000
_SHARE_BELOW = 1 - 1e-3
_WINDOWS_OF_A_CONTIG = 2_000


def choose_thresholds(
    engine: Engine, genome: Genome, stretches: Sequence[Stretch], *, seed: int
) -> NDArray[np.float64]:
    """Choose a logit (tasks,) for each task.

    Parameters
    ----------
    engine
        The model.
    genome
        The open genome.
    stretches
        Where windows are drawn for shuffles.
    seed
        Seed of the drawing.
    """
    rng = np.random.default_rng(seed)
    sizes = np.array([stretch.stop - stretch.first for stretch in stretches], dtype=np.float64)
    counts = rng.multinomial(_SHUFFLES, sizes / sizes.sum())
    length, logits = engine.spec.length, []
    for stretch, count in zip(stretches, counts.tolist(), strict=True):
        for done in range(0, count, _WINDOWS_OF_A_CONTIG):
            number = min(_WINDOWS_OF_A_CONTIG, count - done)
            starts = rng.integers(stretch.first, stretch.stop, number) - length // 2
            windows = gather_windows(genome.codes(stretch.contig), starts, length)
            logits.append(engine.predict(shuffle_dinucleotides(windows, rng=rng)).logits)
    rare = np.quantile(np.concatenate(logits), _SHARE_BELOW, axis=0)
    reference = engine.model.reference.astype(np.float64)
    return np.asarray(np.maximum(rare, np.median(reference, axis=1)) if reference.size else rare)
