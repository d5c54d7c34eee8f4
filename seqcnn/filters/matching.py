"""Names for motifs: the motifs of a collection that they are like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seqcnn.motifs import Motif
from seqcnn.motifs.comparison import Strands
from seqcnn.motifs.tomtom import Collection
from seqcnn.significance import q_values

__all__ = ["MotifMatch", "match_motifs"]


@dataclass(frozen=True)
class MotifMatch:
    """Tell which motif of a collection another one is like, and how surely.

    Attributes
    ----------
    target
        The motif of the collection, as it stands there.
    p
        Probability that a chance motif of its width is as like the query.
    q
        False discovery rate among all motifs of the collection, for this query.
    offset
        Position of the query under which the target's first position lies.
    overlap
        Positions where both lie over each other.
    strand
        ``+``, or ``-`` where the target is reverse complemented.
    """

    target: Motif
    p: float
    q: float
    offset: int
    overlap: int
    strand: str


def match_motifs(
    queries: Sequence[Motif],
    targets: Sequence[Motif],
    *,
    most: int = 3,
    strands: Strands = "+-",
    progress: Callable[[int], object] | None = None,
) -> list[tuple[MotifMatch, ...]]:
    """Find for each motif those of a collection that it is most like.

    Parameters
    ----------
    queries
        Motifs to be named.
    targets
        The collection.
    most
        How many to give for each, the most like first.
    strands
        ``+`` to leave the targets as they are, as for RNA; ``+-`` to turn them round too.
    progress
        Called with the number of queries done since the last call.

    References
    ----------
    Gupta et al. 2007, doi:10.1186/gb-2007-8-2-r24
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    collection = Collection(targets, strands=strands)
    matches = []
    for query in queries:
        matches.append(_best(collection, query, most))
        if progress:
            progress(1)
    return matches


def _best(collection: Collection, query: Motif, most: int) -> tuple[MotifMatch, ...]:
    found = collection.compare(query)
    q = q_values(found.p)
    return tuple(
        MotifMatch(
            collection.targets[i],
            float(found.p[i]),
            float(q[i]),
            int(found.offset[i]),
            int(found.overlap[i]),
            "-" if found.reverse[i] else "+",
        )
        for i in np.argsort(found.p, kind="stable")[:most].tolist()
    )
