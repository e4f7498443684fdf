"""Distillation: a smaller model learns from a larger one, from its answers and, if wanted, from its feature maps."""

from .loss import DistillLoss
from .stage import Distill

__all__ = ["Distill", "DistillLoss"]
