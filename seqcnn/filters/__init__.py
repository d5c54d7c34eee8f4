"""What the detectors recognise: sites, the motifs these make, what each is worth, its name."""

from seqcnn.filters.extraction import Judges, Learned
from seqcnn.filters.importance import detector_importance
from seqcnn.filters.learning import learn_motifs
from seqcnn.filters.matching import MotifMatch, match_motifs
from seqcnn.filters.sites import CONVENTIONS, Convention, count_sites

__all__ = [
    "CONVENTIONS",
    "Convention",
    "Judges",
    "Learned",
    "MotifMatch",
    "count_sites",
    "detector_importance",
    "learn_motifs",
    "match_motifs",
]
