"""Trained models, and the one file that each is kept in."""

from seqcnn.modelfile.file import FORMAT_VERSION, read_model, write_model
from seqcnn.modelfile.probabilities import probabilities
from seqcnn.modelfile.spec import ModelSpec
from seqcnn.modelfile.trained import UNSUPERVISED, TrainedModel

__all__ = [
    "FORMAT_VERSION",
    "UNSUPERVISED",
    "ModelSpec",
    "TrainedModel",
    "probabilities",
    "read_model",
    "write_model",
]
