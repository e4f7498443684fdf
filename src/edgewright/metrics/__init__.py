"""Numbers that judge a model. A metric adds up sums in `update` and makes its number in `compute`."""

from .classification import Accuracy, ConfusionMatrix

__all__ = ["Accuracy", "ConfusionMatrix"]
