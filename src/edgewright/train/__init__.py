"""Teaching a model: the loop, its settings as a stage, optimizers, schedule, augmentation, checkpoints."""

from .batch_norm import reestimate_batch_norm
from .layout import fastest_layout
from .loop import TrainOutcome, train_weights
from .schedules import lr_factor
from .settings import Train, stage_result
from .state import Epoch, weights_digest

__all__ = [
    "Epoch",
    "Train",
    "TrainOutcome",
    "fastest_layout",
    "lr_factor",
    "reestimate_batch_norm",
    "stage_result",
    "train_weights",
    "weights_digest",
]
