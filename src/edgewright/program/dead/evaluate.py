"""One operation, run alone on codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...reference.integer import requantize
from ..run import RUNS, Step
from ..sums import sum_scale
from ..types import Operation, Program


def evaluate(operation: Operation, inputs: Sequence[np.ndarray], program: Program) -> np.ndarray:
    """The codes that an operation makes of its inputs' codes."""
    tensors = [program.tensors[name] for name in operation.inputs]
    arrays = [each[np.newaxis] for each in inputs]
    step = Step(operation, tensors, arrays, program.tensors[operation.output])
    return np.asarray(RUNS[operation.kind](step)[0])


def codes_of_sums(operation: Operation, acc: np.ndarray, program: Program) -> np.ndarray:
    """The codes that a layer makes of its sums: (O, H, W) of a convolution, (..., O) of a linear layer."""
    x, out = program.tensors[operation.inputs[0]].grid, program.tensors[operation.output].grid
    assert x is not None and out is not None, "a layer of codes"
    axis = 0 if operation.kind == "conv" else acc.ndim - 1
    return requantize(acc, sum_scale(x, operation.arrays["weight_scale_O"]) / out.scale, out, axis=axis)
