"""Operator -> formula: which calls are counted how.

A new operator is one line here and one test. An operator that is in no table is unknown: it is listed, never counted as
zero. The formulas themselves are in `work`.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from ..model import functions
from . import work
from .tracing import Call
from .windows import names_of
from .work import BATCH_NORM, BILINEAR, SOFTMAX, Formula, Work


def work_of(call: Call) -> Work | None:
    """What `call` computes, or None where no formula is known."""
    formula = formula_of(call)
    return None if formula is None else formula(call)


def formula_of(call: Call) -> Formula | None:
    """The formula for a call: by the layer's type or one of its base classes, or by the function's name."""
    if call.layer is not None:
        return next((LAYERS[kind] for kind in type(call.layer).__mro__ if kind in LAYERS), None)
    return _function_formula(call.function)


def is_known(function: Any) -> bool:
    """Whether there is a formula for an ATen function."""
    return _function_formula(str(function.overloadpacket)) is not None


def _function_formula(name: str) -> Formula | None:
    return FUNCTIONS.get(name) or FUNCTIONS.get(name.removesuffix("_"))  # `add_` does what `add` does


def layer_type(layer: nn.Module) -> str:
    """The public name under which a layer is reported; a quantized `Conv2d` is a `Conv2d`."""
    ours = [kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.modules")]
    names = [kind.__name__ for kind in ours if getattr(nn, kind.__name__, None) is kind]
    return names[0] if names and names[0] != "Module" else type(layer).__name__


# Per hidden value: sums of products, gates (sigmoid 4, tanh 5), and what joins them with the state.
RECURRENT = {"lstm": 4 + 3 * 4 + 2 * 5 + 4, "gru": 3 + 2 * 4 + 5 + 5, "rnn_tanh": 1 + 5, "rnn_relu": 1 + 1}

LAYERS: dict[type[nn.Module], Formula] = {
    _ConvNd: work.conv_layer,
    nn.Linear: work.linear_layer,
    _BatchNorm: work.per_output(BATCH_NORM),
    nn.LayerNorm: work.normalization_layer,
    nn.GroupNorm: work.normalization_layer,
    nn.Dropout: work.nothing,
}

MATRIX: dict[str, Formula] = {
    **dict.fromkeys(names_of("conv"), work.conv_function),
    "linear": work.linear_function,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), work.matrix_product(0)),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), work.matrix_product(1)),
    "addbmm": work.summed_product,
    "bilinear": work.bilinear,
    "einsum": work.einsum,
    **{name: work.recurrent(count) for name, count in RECURRENT.items()},
    "scaled_dot_product_attention": work.attention,
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
    "hardshrink": 2, "softshrink": 3, "rrelu": 2,
    "cumprod": 1, "cummax": 1, "cummin": 1, "cross": 3, "threshold": 1,
    "softsign": 3, "glu": 5, "celu": 4, "trunc": 1, "frac": 1, "bitwise_xor": 1, "fmod": 1,
}  # fmt: skip

REDUCTIONS: dict[str, Formula] = {
    **dict.fromkeys(("sum", "amax", "amin", "max", "min", "prod", "argmax", "argmin", "any", "all"), work.fold_up),
    "mean": work.per_input(1),  # n - 1 adds and 1 multiply for each output
    "col2im": work.per_input(1),  # each value is added to its place
    "linalg_vector_norm": work.per_input(2),
    "logsumexp": work.per_input(4),
    "cdist": work.distances,
    "norm": work.per_input(2),
    **dict.fromkeys(("var", "std", "var_mean"), work.per_input(4)),
    **dict.fromkeys(names_of("max_pool"), work.window(0)),
    **dict.fromkeys(names_of("avg_pool"), work.window(1)),
    **dict.fromkeys(names_of("adaptive_max_pool"), work.adaptive_window(0)),
    **dict.fromkeys(names_of("adaptive_avg_pool"), work.adaptive_window(1)),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), work.normalization),
    **dict.fromkeys(("sort", "argsort", "topk", "median", "kthvalue", "unique", "_unique2"), work.sort),
    "nonzero": work.per_input(1),
    **{f"fft_{name}": work.fourier(5.0) for name in ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn")},
    **{f"fft_{name}": work.fourier(2.5) for name in ("rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn")},
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
    "max_unpool2d", "max_unpool3d",
    "fft_fftshift", "fft_ifftshift", "item", "_local_scalar_dense", "is_nonzero", "feature_dropout", "alpha_dropout",
    "meshgrid", "split_with_sizes_copy", "fill", "dropout", "lift_fresh_copy",
)  # fmt: skip

FUNCTIONS: dict[str, Formula] = {
    f"aten.{name}": formula
    for name, formula in {
        **dict.fromkeys(MOVES, work.nothing),
        **{name: work.per_output(count) for name, count in OPERATIONS_PER_OUTPUT.items()},
        **dict.fromkeys(("add", "sub", "rsub"), work.addition),
        **REDUCTIONS,
        **MATRIX,
    }.items()
} | {
    "torchvision.nms": work.suppression,
    "torchvision.roi_align": work.regions,
    "torchvision.deform_conv2d": work.deformable,
}
