"""Sources of training data, each read into `LabelledSequences`.

Peaks
    BED or narrowPeak files (see `seqcnn.genome`), one task each. A window of the model's length
    stands around each summit or middle. Windows of several files whose centres lie within half
    a window are one window; it is positive in every task with a centre inside it.
FASTA classes
    One file of positives and, if wished, one of negatives, a sequence a record.
.seq (DeepBind)
    Tab (or space) separated, with the header ``FoldID EventID seq Bound``, of which `seq` and
    `Bound` must be there, in any order; `Bound` is 0 or 1. A file with only 1 gets a background.
    The positives stand in the order of their strength.
Table
    TSV, CSV or Parquet with a header: ``sequence``, or ``contig start end [strand]`` (0-based,
    half-open) together with a FASTA; ``name`` if there is one; any number of target columns.
    A value may be quoted; missing is one of nothing, ``.``, ``NA``, ``NaN``, ``nan``.

Every letter that is no A, C, G, T or U counts as N.
"""

from seqcnn.datasets.labelled import LabelledSequences, check_labels, concatenate
from seqcnn.datasets.peaks import label_windows, place_windows, read_peaks
from seqcnn.datasets.records import (
    common_length,
    encode_or_refuse,
    encode_records,
    read_fasta_classes,
    read_seq,
    read_seq_records,
)

__all__ = [
    "LabelledSequences",
    "check_labels",
    "common_length",
    "concatenate",
    "encode_or_refuse",
    "encode_records",
    "label_windows",
    "place_windows",
    "read_fasta_classes",
    "read_peaks",
    "read_seq",
    "read_seq_records",
]
