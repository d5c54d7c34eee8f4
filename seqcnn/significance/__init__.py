"""Whether an effect stands out: null distributions, p-values, false discovery rates."""

from seqcnn.significance.false_discovery import discover, q_values
from seqcnn.significance.nulls import (
    ALLELE_TYPES,
    UNTYPED,
    Null,
    allele_types,
    classify_alleles,
    p_values,
)

__all__ = [
    "ALLELE_TYPES",
    "UNTYPED",
    "Null",
    "allele_types",
    "classify_alleles",
    "discover",
    "p_values",
    "q_values",
]
