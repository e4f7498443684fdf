"""Quantization-aware training: weights, step sizes and batch norms learn while values are rounded."""

from .settings import Qat
from .training import Lesson, train_quantized

__all__ = ["Lesson", "Qat", "train_quantized"]
