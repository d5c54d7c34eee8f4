"""The only place that runs sequences through a model."""

from seqcnn.engine.devices import find_device, resolve_device
from seqcnn.engine.predict import Engine, Predictions

__all__ = ["Engine", "Predictions", "find_device", "resolve_device"]
