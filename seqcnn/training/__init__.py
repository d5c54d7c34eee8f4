"""Training: a `Split` becomes the weights of one network, of an ensemble, or of many candidates.

One loop serves every family (`train_many`; `train_members` is the same for the members of a
model). Batches are gathered from integer codes; negatives are fresh dinucleotide shuffles in
each epoch; the weights with the lowest validation loss are kept. How a step is taken is a matter
of the network and the device: compiled loops for networks with global pooling on a CPU, batched
products for them on a GPU, torch's autograd for all others.
"""

from seqcnn.training.augmentation import Augmentation, read_augmentation
from seqcnn.training.config import (
    OPTIMISERS,
    DivergenceError,
    History,
    TrainedNetwork,
    TrainingConfig,
    TrainingJob,
    Weights,
    choose_steps,
    count_steps,
    standardise_targets,
)
from seqcnn.training.loop import train_many, train_members
from seqcnn.training.mixture import Family, train_mixture
from seqcnn.training.pretraining import Pretrained, pretrain
from seqcnn.training.schedules import SCHEDULES
from seqcnn.training.transfer import check_layers, take_weights

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "Augmentation",
    "DivergenceError",
    "Family",
    "History",
    "Pretrained",
    "TrainedNetwork",
    "TrainingConfig",
    "TrainingJob",
    "Weights",
    "check_layers",
    "choose_steps",
    "count_steps",
    "pretrain",
    "read_augmentation",
    "standardise_targets",
    "take_weights",
    "train_many",
    "train_members",
    "train_mixture",
]
