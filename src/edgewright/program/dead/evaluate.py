"""One operation, run alone on codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..run import Step, run_step
from ..sums import sum_codes
from ..types import Operation, Program


def evaluate(operation: Operation, inputs: Sequence[np.ndarray], program: Program) -> np.ndarray:
    """The codes that an operation makes of its inputs' codes."""
    tensors = [program.tensors[name] for name in operation.inputs]
    arrays = [each[np.newaxis] for each in inputs]
    step = Step(operation, tensors, arrays, program.tensors[operation.output], rounding=program.rounding)
    return run_step(step)[0]


def codes_of_sums(operation: Operation, acc: np.ndarray, program: Program) -> np.ndarray:
    """The codes that a layer makes of its sums: (O, H, W) of a convolution, (..., O) of a linear layer."""
    x, out = program.tensors[operation.inputs[0]].grid, program.tensors[operation.output].grid
    assert x is not None and out is not None, "a layer of codes"
    axis = 0 if operation.kind == "conv" else acc.ndim - 1
    return sum_codes(operation, acc, x=x, out=out, rounding=program.rounding, axis=axis)
