"""What one call computes: multiply-accumulates and other operations, operator by operator.

A MAC is one multiply-accumulate; bias is ignored. Everything else is elementwise: one operation is one add, multiply,
compare or evaluation of an elementary function (exp, log, sqrt, sin, erf). Moving data costs no operation. `formulas`
is the table of who is counted how.

Sources: Howard 2017 (convolutions); conventions for normalization and pooling as in `docs/analyze.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.modules.conv import _ConvTransposeNd

from .contraction import einsum_macs
from .tracing import Call
from .windows import axes_of, is_transposed, kernel_of

SOFTMAX = 5  # per score: compare for the maximum, subtract, exp, add, divide
BILINEAR = 7  # 4 multiplies and 3 adds
OVERLAP = 13  # of two boxes: 4 compares, 2 differences cut off at zero (4), product, union (2), quotient, compare
BATCH_NORM = 2  # per element, with scale and shift precomputed
NORM, AFFINE = 5, 2  # per element: add for the mean; subtract, multiply, add for the variance; multiply; scale, shift


@dataclass(frozen=True)
class Work:
    """What one call computes, for the traced batch."""

    macs: int = 0
    elementwise: int = 0


Formula = Callable[[Call], Work | None]


# --- multiply-accumulates -------------------------------------------------------------------------------------------


def conv_layer(call: Call) -> Work:
    return Work(macs=conv_macs(call, call.layer.weight, isinstance(call.layer, _ConvTransposeNd)))  # type: ignore[union-attr,arg-type]


def conv_function(call: Call) -> Work:
    return Work(macs=conv_macs(call, call.argument("weight"), is_transposed(call)))


def conv_macs(call: Call, weight: torch.Tensor, transposed: bool) -> int:
    """Each output value (transposed: each input value) meets the weights of one output (input) channel."""
    values = call.inputs[0] if transposed else call.out
    return values.numel() * weight[0].numel()


def linear_layer(call: Call) -> Work:
    return Work(macs=call.out.numel() * call.layer.in_features)  # type: ignore[union-attr,operator,arg-type]


def linear_function(call: Call) -> Work:
    return Work(macs=call.out.numel() * call.argument("weight").shape[-1])


def matrix_product(left: int) -> Formula:
    """A matrix product whose left factor is the tensor input number `left`."""
    return lambda call: Work(macs=call.out.numel() * call.inputs[left].shape[-1])


def summed_product(call: Call) -> Work:
    """A batch of matrix products, added up: every one of them is computed."""
    return Work(macs=call.inputs[1].numel() * call.inputs[2].shape[-1])


def bilinear(call: Call) -> Work:
    """x W y for each output: first W meets x, then the result y."""
    first, second, weight = (call.argument(name) for name in ("input1", "input2", "weight"))
    rows = first.shape[:-1].numel()
    return Work(macs=rows * (weight.numel() + weight.shape[0] * second.shape[-1]))


def einsum(call: Call) -> Work:
    return Work(macs=einsum_macs(call.argument("equation"), [tuple(each.shape) for each in call.inputs]))


def attention(call: Call) -> Work:
    """Query times key, softmax with scale, times value; a mask or causal order saves nothing, as in most kernels."""
    query, key, value = (call.argument(name) for name in ("query", "key", "value"))
    scores = query.shape[:-1].numel() * key.shape[-2]
    return Work(macs=scores * (query.shape[-1] + value.shape[-1]), elementwise=scores * (SOFTMAX + 1))


# --- elementwise operations -----------------------------------------------------------------------------------------


def per_output(count: int) -> Formula:
    return lambda call: Work(elementwise=count * call.out.numel())


def per_input(count: int) -> Formula:
    return lambda call: Work(elementwise=count * call.inputs[0].numel())


def nothing(call: Call) -> Work:
    return Work()


def distances(call: Call) -> Work:
    """Between every two vectors: subtract, multiply, add for each entry."""
    return Work(elementwise=3 * call.out.numel() * call.inputs[0].shape[-1])


def fold_up(call: Call) -> Work:
    """n values to one take n - 1 operations."""
    return Work(elementwise=call.inputs[0].numel() - call.out.numel())


def addition(call: Call) -> Work:
    scaled = call.has_argument("alpha") and call.argument("alpha") != 1
    return Work(elementwise=(2 if scaled else 1) * call.out.numel())


def window(extra: int) -> Formula:
    """Pooling: K^2 - 1 operations per output, and `extra`."""

    def formula(call: Call) -> Work:
        return Work(elementwise=(math.prod(kernel_of(call)) - 1 + extra) * call.out.numel())

    return formula


def adaptive_window(extra: int) -> Formula:
    """Output i of n averages inputs floor(i L/n) to ceil((i+1) L/n): the windows differ in size, so they are summed."""

    def formula(call: Call) -> Work:
        size_in, size_out = call.inputs[0].shape, call.out.shape
        axes = axes_of(call)
        lengths = [window_sum(length, count) for length, count in zip(size_in[-axes:], size_out[-axes:], strict=True)]
        planes = size_out[:-axes].numel()
        return Work(elementwise=planes * math.prod(lengths) - (1 - extra) * call.out.numel())

    return formula


def window_sum(length: int, count: int) -> int:
    return sum(-(-(index + 1) * length // count) - index * length // count for index in range(count))


def normalization(call: Call) -> Work:
    affine = call.argument("weight") is not None
    return Work(elementwise=(NORM + (AFFINE if affine else 0)) * call.out.numel())


def normalization_layer(call: Call) -> Work:
    affine = getattr(call.layer, "weight", None) is not None
    return Work(elementwise=(NORM + (AFFINE if affine else 0)) * call.out.numel())


def sort(call: Call) -> Work:
    """A comparison sort of each row, n log2 n."""
    values = call.inputs[0]
    dim = call.argument("dim") if call.has_argument("dim") else -1
    length = values.shape[dim] if values.dim() else 1
    return Work(elementwise=values.numel() * math.ceil(math.log2(length)) if length > 1 else 0)


def deformable(call: Call) -> Work:
    """A convolution whose inputs are sampled bilinearly at offsets, and weighed where a mask is given."""
    inputs, offsets, weight = call.argument("input"), call.argument("offset"), call.argument("weight")
    groups = offsets.shape[1] // (2 * weight.shape[2:].numel())
    sampled = offsets.numel() // 2 * inputs.shape[1] // groups
    return Work(
        macs=call.out.numel() * weight[0].numel(),
        elementwise=sampled * (BILINEAR + (1 if call.argument("use_mask") else 0)),
    )


def regions(call: Call) -> Work | None:
    """Each output value is the mean of bilinear samples; how many is only known where the call says it."""
    per_side = call.argument("sampling_ratio")
    return Work(elementwise=call.out.numel() * per_side**2 * (BILINEAR + 1)) if per_side > 0 else None


def suppression(call: Call) -> Work:
    """A sort, and the overlap of every two boxes at worst: no shortcut is certain."""
    boxes = call.inputs[0].shape[0]
    order = boxes * math.ceil(math.log2(boxes)) if boxes > 1 else 0
    return Work(elementwise=order + OVERLAP * boxes * (boxes - 1) // 2)


def recurrent(per_unit: int) -> Formula:
    """Every weight matrix meets its vector at every step; `per_unit` operations per hidden value beside that."""

    def formula(call: Call) -> Work:
        images = call.inputs[0]
        places = images.shape[:-1].numel()  # samples x steps, whichever comes first
        matrices = [each for each in call.argument("params") if each.dim() == 2]
        directions = 2 if call.argument("bidirectional") else 1
        units = call.outputs[1].shape[-1] * call.argument("num_layers") * directions
        return Work(macs=places * sum(each.numel() for each in matrices), elementwise=per_unit * places * units)

    return formula


def fourier(per_value: float) -> Formula:
    """A fast Fourier transform of n values: 5 n log2 n real operations, half of that where one side is real."""

    def formula(call: Call) -> Work:
        values = max(call.inputs[0], call.out, key=torch.Tensor.numel)
        dims = call.argument("dim") if call.has_argument("dim") else None
        axes = [dims] if isinstance(dims, int) else dims if dims is not None else range(values.dim())
        length = math.prod(values.shape[axis] for axis in axes)
        return Work(elementwise=math.ceil(per_value * values.numel() * math.log2(length)) if length > 1 else 0)

    return formula
