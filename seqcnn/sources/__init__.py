"""A source of data as a whole: its files, its negatives, and how its rows are parted.

`seqcnn.datasets` and `seqcnn.tables` read each kind of file. Here stands what belongs to a run:
one source is named; negatives are made where it has none; some rows are held out.
"""

from seqcnn.sources.preparation import prepare_evaluation, prepare_split
from seqcnn.sources.source import BACKGROUNDS, Source, name_task
from seqcnn.sources.unlabelled import WholeSequences, read_unlabelled, read_whole

__all__ = [
    "BACKGROUNDS",
    "Source",
    "WholeSequences",
    "name_task",
    "prepare_evaluation",
    "prepare_split",
    "read_unlabelled",
    "read_whole",
]
