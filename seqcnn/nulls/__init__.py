"""Drawing and scoring null variants: what a model says of alleles that mean nothing."""

from seqcnn.nulls.drawing import COUNT, choose_count, draw_null, null_from_genome

__all__ = ["COUNT", "choose_count", "draw_null", "null_from_genome"]
