"""What training makes small."""

from .classification import cross_entropy
from .distillation import soft_target_loss

__all__ = ["cross_entropy", "soft_target_loss"]
