"""Distillation: a smaller model learns from a larger one, from its answers and, if wanted, from its feature maps; or
several learn from each other.
"""

from .answers import Frozen, KeptAnswers
from .loss import DistillLoss
from .mutual import Mutual
from .redraw import redrawn
from .stage import Distill

__all__ = ["Distill", "DistillLoss", "Frozen", "KeptAnswers", "Mutual", "redrawn"]
