"""Closed-form answers, worked step by step: formula, numbers put in, result.

`CALCULATIONS` is the table that the command line reads; every entry takes keyword arguments and gives a `Worked`.
"""

from collections.abc import Callable, Mapping

from .hardware import energy, energy_ratios, roofline, sparse_pattern, sparsity, stripes, unstructured
from .layers import batch_norm, conv, depthwise, linear, pool, separable, transposed
from .numbers import integer_dot, quantize, requantize
from .windows import output_size, receptive_field, transposed_size
from .worked import Step, Worked

CALCULATIONS: Mapping[str, Callable[..., Worked]] = {
    "conv": conv,
    "depthwise": depthwise,
    "separable": separable,
    "transposed": transposed,
    "linear": linear,
    "pool": pool,
    "batch-norm": batch_norm,
    "output-size": output_size,
    "transposed-size": transposed_size,
    "receptive-field": receptive_field,
    "quantize": quantize,
    "requantize": requantize,
    "integer-dot": integer_dot,
    "sparsity": sparsity,
    "sparse-pattern": sparse_pattern,
    "unstructured": unstructured,
    "roofline": roofline,
    "energy": energy,
    "energy-ratios": energy_ratios,
    "stripes": stripes,
}

__all__ = [
    "CALCULATIONS",
    "Step",
    "Worked",
    "batch_norm",
    "conv",
    "depthwise",
    "energy",
    "energy_ratios",
    "integer_dot",
    "linear",
    "output_size",
    "pool",
    "quantize",
    "receptive_field",
    "requantize",
    "roofline",
    "separable",
    "sparse_pattern",
    "sparsity",
    "stripes",
    "transposed",
    "transposed_size",
    "unstructured",
]
