"""The program without the channels that may go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..types import Operation, Program, Tensor
from .folding import Folds

Stays = Mapping[str, np.ndarray]
"""Tensor -> bool per channel (first axis)."""

INT32 = np.iinfo(np.int32)


def remove(program: Program, stays: Stays, folds: Mapping[str, Folds]) -> Program:
    """The program with the channels that stay; what goes and is read is in the biases. Inputs and outputs are whole."""
    kept = [each for each in program.operations if stays[each.output].any()]
    made = {*program.inputs, *(each.output for each in kept)}
    tensors = {name: _cut(each, stays[name]) for name, each in program.tensors.items() if name in made}
    operations = tuple(_cut_operation(each, stays, folds.get(each.output)) for each in kept)
    return replace(program, tensors=tensors, operations=operations)


def folded_bias(operation: Operation, stays: Stays, folds: Folds) -> np.ndarray:
    """The bias of each output channel that stays, with what each input channel that goes adds to it, int64."""
    gone, stay = ~stays[operation.inputs[0]], stays[operation.output]
    added = folds.sums_IO[gone].sum(0)[stay]
    return operation.arrays["bias_O"].astype(np.int64)[stay] + added


def misfit(program: Program, stays: Stays, folds: Mapping[str, Folds]) -> tuple[str, int, str] | None:
    """Tensor and channel that adds most to a bias that leaves 32 bits, and the layer; None when all biases fit.

    The bias must fit with the zero point's term in it too, as code for a device has it.
    """
    for operation in program.operations:
        if operation.output not in folds or not stays[operation.output].any():
            continue
        name, fold = operation.inputs[0], folds[operation.output]
        over_O = ~_fits(operation, program, stays, fold)
        sums_IO = abs(fold.sums_IO[:, stays[operation.output]][:, over_O]) * ~stays[name][:, None]
        if sums_IO.any():
            return name, int(sums_IO.max(1).argmax()), operation.output
    return None


def _fits(operation: Operation, program: Program, stays: Stays, folds: Folds) -> np.ndarray:
    """For each output channel that stays, whether its bias fits into 32 bits."""
    grid = program.tensors[operation.inputs[0]].grid
    assert grid is not None, "a layer reads codes"
    arrays = _dense_arrays(operation, stays, folds)
    weight = arrays["weight_OIKK" if operation.kind == "conv" else "weight_OI"].astype(np.int64)
    bias_O = folded_bias(operation, stays, folds)
    both = np.stack([bias_O, bias_O - grid.zero_point * weight.reshape(len(weight), -1).sum(1)])
    fits: np.ndarray = np.all((both >= INT32.min) & (both <= INT32.max), axis=0)
    return fits


def _cut(tensor: Tensor, stay_C: np.ndarray) -> Tensor:
    return replace(tensor, shape=(int(stay_C.sum()), *tensor.shape[1:]))


def _cut_operation(operation: Operation, stays: Stays, folds: Folds | None) -> Operation:
    if folds is not None:
        return replace(operation, arrays=_dense_arrays(operation, stays, folds))
    rule = RULES.get(operation.kind)
    return replace(operation, **rule(operation, stays)) if rule else operation


def _dense_arrays(operation: Operation, stays: Stays, folds: Folds) -> dict[str, np.ndarray]:
    """Each array of a dense layer: rows that stay, and of weights the columns whose channels stay."""
    arrays = {name: array[stays[operation.output]] for name, array in operation.arrays.items()}
    for name, array in arrays.items():
        if name.startswith("weight_OI"):
            arrays[name] = np.ascontiguousarray(array[:, stays[operation.inputs[0]]])
    arrays["bias_O"] = folded_bias(operation, stays, folds).astype(operation.arrays["bias_O"].dtype)
    return arrays


def _grouped(operation: Operation, stays: Stays) -> dict[str, Any]:
    """Whole groups go, of a layer that is not dense; a linear layer over several rows has all channels."""
    if operation.kind == "linear":
        return {}
    groups, stay = operation.settings["groups"], stays[operation.output]
    left = int(stay.reshape(groups, -1).any(1).sum())
    arrays = {name: array[stay] for name, array in operation.arrays.items()}
    return {"settings": {**operation.settings, "groups": left}, "arrays": arrays}


def _concat(operation: Operation, stays: Stays) -> dict[str, Any]:
    return {"inputs": tuple(name for name in operation.inputs if stays[name].any())}


def _slice(operation: Operation, stays: Stays) -> dict[str, Any]:
    if operation.settings["axis"] != 0:
        return {}
    stay, (start, stop) = stays[operation.inputs[0]], (operation.settings[each] for each in ("start", "stop"))
    return {
        "settings": {**operation.settings, "start": int(stay[:start].sum()), "stop": int(stay[:stop].sum())}
    }  # fmt: skip


Rule = Callable[[Operation, Stays], dict[str, Any]]
RULES: dict[str, Rule] = {"conv": _grouped, "linear": _grouped, "concat": _concat, "slice": _slice}
