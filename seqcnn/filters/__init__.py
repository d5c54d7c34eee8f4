"""What the detectors recognise: sites, the motifs these make, what each is worth, its name."""

from seqcnn.filters.learning import Judges, Learned, learn_motifs
from seqcnn.filters.matching import MotifMatch, match_motifs
from seqcnn.filters.sites import CONVENTIONS, Convention, count_sites

__all__ = [
    "CONVENTIONS",
    "Convention",
    "Judges",
    "Learned",
    "MotifMatch",
    "count_sites",
    "learn_motifs",
    "match_motifs",
]
