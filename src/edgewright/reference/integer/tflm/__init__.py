"""The second rounding mode: the arithmetic of TensorFlow Lite Micro's reference kernels, to the bit.

What differs from the first mode has the name that it has there; everything else is the same in both.

Sources: Jacob et al. 2018, appendix B (both roundings). TensorFlow Lite Micro 8f6596d: kernels/internal/common.cc
(MultiplyByQuantizedMultiplier) and quantization_util.cc (QuantizeMultiplier); reference/integer_ops and micro/kernels
for each operator. gemmlowp, fixedpoint.h (SaturatingRoundingDoublingHighMul, RoundingDivideByPOT, and softmax's parts).
"""

from .operators import (
    ADD_SHIFT,
    add,
    add_multipliers,
    average,
    average_multiplier,
    average_pool2d,
    leaky_multipliers,
    leaky_relu,
)
from .roundings import divide, divide_by_power, high_product, linear_scale, requantize, rescale
from .softmax import PROBABILITIES, exponentials, reciprocal, softmax

__all__ = [
    "ADD_SHIFT",
    "PROBABILITIES",
    "add",
    "add_multipliers",
    "average",
    "average_multiplier",
    "average_pool2d",
    "divide",
    "divide_by_power",
    "exponentials",
    "high_product",
    "leaky_multipliers",
    "leaky_relu",
    "linear_scale",
    "reciprocal",
    "requantize",
    "rescale",
    "softmax",
]
