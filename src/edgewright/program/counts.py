"""What a program costs, counted."""

from __future__ import annotations

from .types import Program

WEIGHTS = {"conv": "weight_OIKK", "linear": "weight_OI"}  # the kinds that multiply weights, and where these are


def macs(program: Program) -> dict[str, int]:
    """Multiply-accumulates of each operation by the name of its output, for one image; 0 for kinds without weights.

    Dense: those with weights of 0 and with padded places are counted, the bias is not.
    """
    found = {}
    for operation in program.operations:
        weight = operation.arrays[WEIGHTS[operation.kind]] if operation.kind in WEIGHTS else None
        per_output = 0 if weight is None else weight[0].size
        found[operation.output] = program.tensors[operation.output].num_values * per_output
    return found


def weights_of(program: Program) -> dict[str, int]:
    """Weights of each operation by the name of its output, without biases; 0 for kinds without weights."""
    return {op.output: op.arrays[WEIGHTS[op.kind]].size if op.kind in WEIGHTS else 0 for op in program.operations}


def num_weights(program: Program) -> int:
    """Weights of convolutions and linear layers, without biases."""
    return sum(weights_of(program).values())
