"""What training makes small."""

from .classification import cross_entropy
from .distillation import attention_distance, decoupled_loss, relation_loss, soft_target_loss

__all__ = ["attention_distance", "cross_entropy", "decoupled_loss", "relation_loss", "soft_target_loss"]
