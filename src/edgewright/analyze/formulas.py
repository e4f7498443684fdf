"""Operator -> formula: multiply-accumulates and elementwise operations of one call.

A MAC is one multiply-accumulate; bias is ignored. Everything else is elementwise: one operation is one add, multiply,
compare or evaluation of an elementary function (exp, log, sqrt, sin, erf). Moving data costs no operation. An operator
that is in no table is unknown: it is listed, never counted as zero.

Sources: Howard 2017 (convolutions); conventions for normalization and pooling as in `docs/analyze.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..model import functions
from .contraction import einsum_macs
from .tracing import Call

SOFTMAX = 5  # per score: compare for the maximum, subtract, exp, add, divide
BILINEAR = 7  # 4 multiplies and 3 adds
OVERLAP = (
    13  # of two boxes: 4 compares, 2 subtractions cut off at zero (4), 1 multiply, 2 for the union, divide, compare
)
BATCH_NORM = 2  # per element, with scale and shift precomputed
NORM, AFFINE = 5, 2  # per element: add for the mean; subtract, multiply, add for the variance; multiply; scale, shift


@dataclass(frozen=True)
class Work:
    """What one call computes, for the traced batch."""

    macs: int = 0
    elementwise: int = 0


Formula = Callable[[Call], Work | None]


def work_of(call: Call) -> Work | None:
    """What `call` computes, or None where no formula is known."""
    formula = formula_of(call)
    return None if formula is None else formula(call)


def formula_of(call: Call) -> Formula | None:
    """The formula for a call: by the layer's type or one of its base classes, or by the function's name."""
    if call.layer is not None:
        return next((LAYERS[kind] for kind in type(call.layer).__mro__ if kind in LAYERS), None)
    return FUNCTIONS.get(call.function) or FUNCTIONS.get(call.function.removesuffix("_"))  # `add_` does what `add` does


def layer_type(layer: nn.Module) -> str:
    """The name under which a layer is reported; a quantized `Conv2d` is a `Conv2d`."""
    names = [kind.__name__ for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules")]
    return names[0] if names and names[0] != "Module" else type(layer).__name__


# --- multiply-accumulates -------------------------------------------------------------------------------------------


def _conv_layer(call: Call) -> Work:
    return Work(macs=_conv_macs(call, call.layer.weight, isinstance(call.layer, _ConvTransposeNd)))  # type: ignore[union-attr,arg-type]


def _conv_function(call: Call) -> Work:
    transposed = call.argument("transposed") if call.has_argument("transposed") else "transpose" in call.function
    return Work(macs=_conv_macs(call, call.argument("weight"), transposed))


def _conv_macs(call: Call, weight: torch.Tensor, transposed: bool) -> int:
    """Each output value (transposed: each input value) meets the weights of one output (input) channel."""
    values = call.inputs[0] if transposed else call.out
    return values.numel() * weight[0].numel()


def _linear_layer(call: Call) -> Work:
    return Work(macs=call.out.numel() * call.layer.in_features)  # type: ignore[union-attr,operator,arg-type]


def _linear_function(call: Call) -> Work:
    return Work(macs=call.out.numel() * call.argument("weight").shape[-1])


def _product(left: int) -> Formula:
    """A matrix product whose left factor is the tensor input number `left`."""
    return lambda call: Work(macs=call.out.numel() * call.inputs[left].shape[-1])


def _einsum(call: Call) -> Work:
    return Work(macs=einsum_macs(call.argument("equation"), [tuple(each.shape) for each in call.inputs]))


def _attention(call: Call) -> Work:
    """Query times key, softmax with scale, times value; a mask or causal order saves nothing, as in most kernels."""
    query, key, value = (call.argument(name) for name in ("query", "key", "value"))
    scores = query.shape[:-1].numel() * key.shape[-2]
    return Work(macs=scores * (query.shape[-1] + value.shape[-1]), elementwise=scores * (SOFTMAX + 1))


# --- elementwise operations -----------------------------------------------------------------------------------------


def _per_output(count: int) -> Formula:
    return lambda call: Work(elementwise=count * call.out.numel())


def _per_input(count: int) -> Formula:
    return lambda call: Work(elementwise=count * call.inputs[0].numel())


def _nothing(call: Call) -> Work:
    return Work()


def _fold_up(call: Call) -> Work:
    """n values to one take n - 1 operations."""
    return Work(elementwise=call.inputs[0].numel() - call.out.numel())


def _add(call: Call) -> Work:
    scaled = call.has_argument("alpha") and call.argument("alpha") != 1
    return Work(elementwise=(2 if scaled else 1) * call.out.numel())


def _window(extra: int) -> Formula:
    """Pooling: K^2 - 1 operations per output, and `extra`."""

    def formula(call: Call) -> Work:
        kernel = call.argument("kernel_size")
        axes = int(call.function.removesuffix("_with_indices")[-2])  # aten.max_pool2d
        window = math.prod(kernel) if len(kernel) > 1 else kernel[0] ** axes
        return Work(elementwise=(window - 1 + extra) * call.out.numel())

    return formula


def _adaptive_window(extra: int) -> Formula:
    """Output i of n averages inputs floor(i L/n) to ceil((i+1) L/n): the windows differ in size, so they are summed."""

    def formula(call: Call) -> Work:
        size_in, size_out = call.inputs[0].shape, call.out.shape
        axes = int(call.function[-2])  # aten.adaptive_avg_pool2d
        lengths = [_window_sum(length, count) for length, count in zip(size_in[-axes:], size_out[-axes:], strict=True)]
        planes = size_out[:-axes].numel()
        return Work(elementwise=planes * math.prod(lengths) - (1 - extra) * call.out.numel())

    return formula


def _window_sum(length: int, count: int) -> int:
    return sum(-(-(index + 1) * length // count) - index * length // count for index in range(count))


def _normalization(call: Call) -> Work:
    affine = call.argument("weight") is not None
    return Work(elementwise=(NORM + (AFFINE if affine else 0)) * call.out.numel())


def _normalization_layer(call: Call) -> Work:
    affine = getattr(call.layer, "weight", None) is not None
    return Work(elementwise=(NORM + (AFFINE if affine else 0)) * call.out.numel())


def _sort(call: Call) -> Work:
    """A comparison sort of each row, n log2 n."""
    values = call.inputs[0]
    dim = call.argument("dim") if call.has_argument("dim") else -1
    length = values.shape[dim] if values.dim() else 1
    return Work(elementwise=values.numel() * math.ceil(math.log2(length)) if length > 1 else 0)


def _deformable(call: Call) -> Work:
    """A convolution whose inputs are sampled bilinearly at offsets, and weighed where a mask is given."""
    inputs, offsets, weight = call.argument("input"), call.argument("offset"), call.argument("weight")
    groups = offsets.shape[1] // (2 * weight.shape[2:].numel())
    sampled = offsets.numel() // 2 * inputs.shape[1] // groups
    return Work(
        macs=call.out.numel() * weight[0].numel(),
        elementwise=sampled * (BILINEAR + (1 if call.argument("use_mask") else 0)),
    )


def _regions(call: Call) -> Work | None:
    """Each output value is the mean of bilinear samples; how many is only known where the call says it."""
    per_side = call.argument("sampling_ratio")
    return Work(elementwise=call.out.numel() * per_side**2 * (BILINEAR + 1)) if per_side > 0 else None


def _suppression(call: Call) -> Work:
    """A sort, and the overlap of every two boxes at worst: no shortcut is certain."""
    boxes = call.inputs[0].shape[0]
    order = boxes * math.ceil(math.log2(boxes)) if boxes > 1 else 0
    return Work(elementwise=order + OVERLAP * boxes * (boxes - 1) // 2)


def _recurrent(per_unit: int) -> Formula:
    """Every weight matrix meets its vector at every step; `per_unit` operations per hidden value beside that."""

    def formula(call: Call) -> Work:
        images = call.inputs[0]
        places = images.shape[:-1].numel()  # samples x steps, whichever comes first
        matrices = [each for each in call.argument("params") if each.dim() == 2]
        directions = 2 if call.argument("bidirectional") else 1
        units = call.outputs[1].shape[-1] * call.argument("num_layers") * directions
        return Work(macs=places * sum(each.numel() for each in matrices), elementwise=per_unit * places * units)

    return formula


def _fourier(per_value: float) -> Formula:
    """A fast Fourier transform of n values: 5 n log2 n real operations, half of that where one side is real."""

    def formula(call: Call) -> Work:
        values = max(call.inputs[0], call.out, key=torch.Tensor.numel)
        dims = call.argument("dim") if call.has_argument("dim") else None
        axes = [dims] if isinstance(dims, int) else dims if dims is not None else range(values.dim())
        length = math.prod(values.shape[axis] for axis in axes)
        return Work(elementwise=math.ceil(per_value * values.numel() * math.log2(length)) if length > 1 else 0)

    return formula


# Per hidden value: sums of products, gates (sigmoid 4, tanh 5), and what joins them with the state.
RECURRENT = {"lstm": 4 + 3 * 4 + 2 * 5 + 4, "gru": 3 + 2 * 4 + 5 + 5, "rnn_tanh": 1 + 5, "rnn_relu": 1 + 1}

LAYERS: dict[type[nn.Module], Formula] = {
    _ConvNd: _conv_layer,
    nn.Linear: _linear_layer,
    _BatchNorm: _per_output(BATCH_NORM),
    nn.LayerNorm: _normalization_layer,
    nn.GroupNorm: _normalization_layer,
    nn.Dropout: _nothing,
}

MATRIX: dict[str, Formula] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), _conv_function),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_function),
    "linear": _linear_function,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), _product(0)),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), _product(1)),
    "einsum": _einsum,
    **{name: _recurrent(count) for name, count in RECURRENT.items()},
    **{f"fft_{name}": _fourier(5.0) for name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn")},
    **{f"fft_{name}": _fourier(2.5) for name in ("rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn")},
    "scaled_dot_product_attention": _attention,
}

OPERATIONS_PER_OUTPUT = {
    "abs": 1, "neg": 1, "relu": 1, "mul": 1, "div": 1, "true_divide": 1, "maximum": 1, "minimum": 1, "remainder": 1,
    "eq": 1, "ne": 1, "lt": 1, "le": 1, "gt": 1, "ge": 1, "logical_and": 1, "logical_or": 1, "logical_not": 1,
    "bitwise_and": 1, "bitwise_or": 1, "bitwise_not": 1, "where": 1, "masked_fill": 1, "sign": 1, "floor": 1, "ceil": 1,
    "round": 1, "floor_divide": 1, "clamp_min": 1, "clamp_max": 1, "square": 1, "reciprocal": 1, "cumsum": 1,
    "exp": 1, "log": 1, "sqrt": 1, "rsqrt": 1, "sin": 1, "cos": 1, "erf": 1, "pow": 1, "log2": 1, "atan2": 1,
    "clamp": 2, "hardtanh": 2, "relu6": 2, "leaky_relu": 2, "prelu": 2, "addcmul": 2, "lerp": 3, "elu": 3,
    "softplus": 3, "selu": 4, "sigmoid": 4, "hardsigmoid": 4, "log_sigmoid": 4, "tanh": 5, "silu": 5, "hardswish": 5,
    "gelu": 5, "mish": 9, "softmax": SOFTMAX, "log_softmax": SOFTMAX, "rms_norm": 4, "batch_norm": BATCH_NORM,
    "upsample_bilinear2d": BILINEAR, "upsample_linear1d": 3, "upsample_trilinear3d": 15, "upsample_bicubic2d": 31,
    "_upsample_bilinear2d_aa": BILINEAR, "_upsample_bicubic2d_aa": 31, "grid_sampler": BILINEAR,
    "grid_sampler_2d": BILINEAR, "__and__": 1, "__or__": 1, "__xor__": 1, "isnan": 1, "isfinite": 1, "expm1": 1,
    "log1p": 1, "tan": 1, "atan": 1, "sinh": 1, "cosh": 1, "acos": 1, "asin": 1, "nan_to_num": 3, "clip": 2,
    "threshold": 1, "softsign": 3, "glu": 5, "celu": 4, "trunc": 1, "frac": 1, "bitwise_xor": 1, "fmod": 1,
}  # fmt: skip

REDUCTIONS: dict[str, Formula] = {
    **dict.fromkeys(("sum", "amax", "amin", "max", "min", "prod", "argmax", "argmin", "any", "all"), _fold_up),
    "mean": _per_input(1),  # n - 1 adds and 1 multiply for each output
    "col2im": _per_input(1),  # each value is added to its place
    "linalg_vector_norm": _per_input(2),
    "norm": _per_input(2),
    **dict.fromkeys(("var", "std", "var_mean"), _per_input(4)),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices"), _window(0)),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _window(1)),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive_window(0)),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"), _adaptive_window(1)),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), _normalization),
    **dict.fromkeys(("sort", "argsort", "topk", "median", "kthvalue", "unique", "_unique2"), _sort),
    "nonzero": _per_input(1),
}

MOVES = (
    *(str(function).split(".")[1] for function in functions.MOVES),
    "cat", "concat", "stack", "copy", "to", "_to_copy", "type_as", "reshape_as", "view_as", "pad",
    "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "roll", "flip",
    "index", "index_select", "index_put", "gather", "scatter", "embedding", "take_along_dim", "repeat", "tile",
    "repeat_interleave", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "im2col",
    "unfold", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact2d", "zeros",
    "ones", "full", "empty", "arange", "linspace", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros",
    "new_ones", "new_full", "scalar_tensor", "tril", "triu", "one_hot", "slice_scatter", "select_scatter", "rot90",
    "expand_as", "index_fill", "zero", "masked_select", "diagonal", "diag_embed", "unflatten", "narrow", "movedim",
    "swapaxes", "mT", "t", "numpy_T", "contiguous", "data", "detach", "expand_copy", "new_empty", "resolve_conj",
    "masked_scatter", "fill_diagonal", "block_diag", "cartesian_prod", "broadcast_tensors", "broadcast_to",
    "atleast_2d", "hstack", "vstack", "dstack", "tensor_split", "hsplit", "vsplit", "unsafe_split", "unsafe_chunk",
    "_reshape_alias", "_unsafe_view", "_unsafe_index", "scatter_add", "index_copy", "view_as_real",
    "view_as_complex", "real", "imag", "bernoulli", "rand", "randn", "rand_like", "randn_like", "randperm", "uniform",
    "fft_fftshift", "fft_ifftshift", "item", "_local_scalar_dense", "is_nonzero", "feature_dropout", "alpha_dropout",
    "meshgrid", "split_with_sizes_copy", "fill", "dropout", "lift_fresh_copy",
)  # fmt: skip

FUNCTIONS: dict[str, Formula] = {
    f"aten.{name}": formula
    for name, formula in {
        **dict.fromkeys(MOVES, _nothing),
        **{name: _per_output(count) for name, count in OPERATIONS_PER_OUTPUT.items()},
        **dict.fromkeys(("add", "sub", "rsub"), _add),
        **REDUCTIONS,
        **MATRIX,
    }.items()
} | {
    "torchvision.nms": _suppression,
    "torchvision.roi_align": _regions,
    "torchvision.deform_conv2d": _deformable,
}
