"""VCF and BCF records -> normalised alleles -> pairs of windows, and back to an annotated file.

    VcfReader --VcfBlock--> AllelePlacer --AlleleTable--> allele_pairs --> AllelePairs
    VcfBlock + AlleleTable + scores --annotate_lines--> open_vcf

One internal form: lines of VCF text. A record is never parsed and printed again, so it comes out
as it went in, with INFO fields appended; only BCF is converted, by htslib, on the way in or out.
VCF's 1-based positions live only here; everything else is 0-based.
"""

from seqcnn.variants.alleles import AllelePlacer, AlleleTable
from seqcnn.variants.annotate import (
    NOTE_FIELD,
    REASON_FIELD,
    SCORES,
    InfoField,
    annotate_header,
    annotate_lines,
    provenance_lines,
    score_fields,
)
from seqcnn.variants.indexing import check_indexable, index_variants
from seqcnn.variants.reasons import REASONS, Note, Reason, note_names, reason_names
from seqcnn.variants.regions import parse_regions, read_regions
from seqcnn.variants.vcf import VcfBlock, VcfHeader, VcfReader
from seqcnn.variants.windows import AllelePairs, ContigPairs, allele_pairs, shift_offsets
from seqcnn.variants.writing import bcf_finish, open_vcf, output_kind

__all__ = [
    "NOTE_FIELD",
    "REASONS",
    "REASON_FIELD",
    "SCORES",
    "AllelePairs",
    "AllelePlacer",
    "AlleleTable",
    "ContigPairs",
    "InfoField",
    "Note",
    "Reason",
    "VcfBlock",
    "VcfHeader",
    "VcfReader",
    "allele_pairs",
    "annotate_header",
    "annotate_lines",
    "bcf_finish",
    "check_indexable",
    "index_variants",
    "note_names",
    "open_vcf",
    "output_kind",
    "parse_regions",
    "provenance_lines",
    "read_regions",
    "reason_names",
    "score_fields",
    "shift_offsets",
]
