"""What training makes small. `many_classes` holds the heads that need not look at all classes."""

from .binary import binary_cross_entropy, sigmoid_focal_loss
from .classification import check_targets, cross_entropy, focal_loss, target_shares
from .distillation import attention_distance, decoupled_loss, relation_loss, soft_target_loss
from .embedding import contrastive_loss, cosine_embedding_loss, triplet_loss

__all__ = [
    "attention_distance",
    "binary_cross_entropy",
    "check_targets",
    "contrastive_loss",
    "cosine_embedding_loss",
    "cross_entropy",
    "decoupled_loss",
    "focal_loss",
    "relation_loss",
    "sigmoid_focal_loss",
    "soft_target_loss",
    "target_shares",
    "triplet_loss",
]
