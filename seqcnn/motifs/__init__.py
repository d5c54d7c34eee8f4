"""Motifs: what they are (matrix), how alike they are (comparison), their files (formats)."""

from seqcnn.motifs.comparison import Comparison, compare_motifs, merge_duplicates
from seqcnn.motifs.formats import (
    format_jaspar,
    format_meme,
    format_transfac,
    read_jaspar,
    read_meme,
    read_transfac,
)
from seqcnn.motifs.hits import Hit, find_best_hit, score_positions
from seqcnn.motifs.matrix import (
    UNIFORM,
    Background,
    Motif,
    information_content,
    ppm,
    pwm,
    reverse_complement_motif,
    spell_consensus,
    trim_motif,
)

__all__ = [
    "UNIFORM",
    "Background",
    "Comparison",
    "Hit",
    "Motif",
    "compare_motifs",
    "find_best_hit",
    "format_jaspar",
    "format_meme",
    "format_transfac",
    "information_content",
    "merge_duplicates",
    "ppm",
    "pwm",
    "read_jaspar",
    "read_meme",
    "read_transfac",
    "reverse_complement_motif",
    "score_positions",
    "spell_consensus",
    "trim_motif",
]
