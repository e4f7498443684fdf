"""Numbers that judge a model. A metric adds up sums in `update` and makes its number in `compute`."""

from .classification import Accuracy, ConfusionMatrix, paired_std_error

__all__ = ["Accuracy", "ConfusionMatrix", "paired_std_error"]
