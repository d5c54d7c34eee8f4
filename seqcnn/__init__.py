"""seqcnn: motif CNNs from peaks and assay tables, variant effects, and logos."""

__version__ = "0.1.0"
