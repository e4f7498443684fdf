"""What is asked of a model, in one short file per task, and the scoring that all tasks share."""

from .classify import Classify
from .evaluate import decide, evaluate, score_of
from .place import device_of

__all__ = ["Classify", "decide", "device_of", "evaluate", "score_of"]
