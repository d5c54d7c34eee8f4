"""Scoring a whole file of variants: in blocks, in bounded memory, to be continued when interrupted.

    VcfReader -> AllelePlacer -> Scorer -> columns -> Outputs (VCF, TSV, Parquet)

Blocks go through one after the other; the journal says after each how far the run has come. What
an allele scores depends neither on its neighbours nor on the blocks, so that the runs of shards
put together are the run of the whole.
"""

from seqcnn.scoring.discovery import TableLayout, VcfLayout, add_q, declare_q
from seqcnn.scoring.effects import largest_effect
from seqcnn.scoring.gathering import NOTE, Q_NOTE, SHARD_NOTE, order_shards, whole_header
from seqcnn.scoring.journal import Journal, fingerprint
from seqcnn.scoring.outputs import Outputs
from seqcnn.scoring.parquet import check_parquet
from seqcnn.scoring.preflight import Preflight, inspect
from seqcnn.scoring.run import Scorer, run_scoring
from seqcnn.scoring.tally import Tally, write_summary

__all__ = [
    "NOTE",
    "Q_NOTE",
    "SHARD_NOTE",
    "Journal",
    "Outputs",
    "Preflight",
    "Scorer",
    "TableLayout",
    "Tally",
    "VcfLayout",
    "add_q",
    "check_parquet",
    "declare_q",
    "fingerprint",
    "inspect",
    "largest_effect",
    "order_shards",
    "run_scoring",
    "whole_header",
    "write_summary",
]
