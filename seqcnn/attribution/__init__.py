"""What in a sequence the output of a model depends on: mutation maps, gradients, motif hits."""

from seqcnn.attribution.hits import MotifHit, find_hits
from seqcnn.attribution.mapping import map_region, map_sequences, map_windows
from seqcnn.attribution.mutation_map import GATES, Gate, MutationMap
from seqcnn.attribution.regions import locate_regions
from seqcnn.attribution.variant_maps import VariantMaps, map_variants, name_allele

__all__ = [
    "GATES",
    "Gate",
    "MotifHit",
    "MutationMap",
    "VariantMaps",
    "find_hits",
    "locate_regions",
    "map_region",
    "map_sequences",
    "map_variants",
    "map_windows",
    "name_allele",
]
