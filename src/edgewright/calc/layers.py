"""Layers by formula: parameters, multiply-accumulates, elementwise operations.

Conventions: batch 1; a MAC is one multiply-accumulate, bias ignored; FLOPs = 2 MACs; FLOP/byte figures take the ideal
reuse of reading input and weights once and writing the output once. Elementwise work is counted beside MACs.
"""

from __future__ import annotations

import math

from ..errors import ConfigError
from .windows import SAME, output_size, sizes_out, transposed_size
from .worked import Pair, Step, Worked, pair, product, shown, whole


def conv(
    *, size: Pair, in_channels: int, out_channels: int, kernel: Pair = 3, stride: Pair = 1, padding: Pair | str = 0,
    dilation: Pair = 1, groups: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A 2-D convolution, grouped and dilated ones included; `padding="same"` keeps the size at stride 1."""
    in_channels, out_channels, groups = _channels(in_channels, out_channels, groups)
    high, wide = sizes_out(size, kernel, stride, padding, dilation)
    kernel_h, kernel_w = pair("kernel", kernel)
    per_group = in_channels // groups
    weights = kernel_h * kernel_w * per_group * out_channels
    macs = high * wide * weights
    steps = (
        Step("output", "H_o x W_o", f"{high} x {wide}", [out_channels, high, wide], "(C, H, W)"),
        _weights_step("K_h K_w (C_in/g) C_out", product(kernel_h, kernel_w, per_group, out_channels), weights),
        *_params_step(weights, out_channels, bias),
        Step(
            "MACs",
            "H_o W_o C_out K_h K_w (C_in/g)",
            product(high, wide, out_channels, kernel_h, kernel_w, per_group),
            macs,
        ),
        _flops_step(macs),
    )
    elements_in = in_channels * math.prod(pair("size", size))
    result = _layer_result((out_channels, high, wide), weights, out_channels if bias else 0, macs, elements_in)
    return Worked(title=_conv_title(in_channels, out_channels, groups), steps=steps, result=result)


def depthwise(
    *, size: Pair, channels: int, kernel: Pair = 3, stride: Pair = 1, padding: Pair | str = 0, dilation: Pair = 1,
    multiplier: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A depthwise convolution: one filter per channel (times `multiplier`)."""
    whole("channels", channels)
    return conv(
        size=size, in_channels=channels, out_channels=channels * whole("multiplier", multiplier), kernel=kernel,
        stride=stride, padding=padding, dilation=dilation, groups=channels, bias=bias,
    )  # fmt: skip


def separable(
    *, size: Pair, in_channels: int, out_channels: int, kernel: int = 3, stride: Pair = 1, padding: Pair | str = SAME
) -> Worked:
    """Depthwise then pointwise, without biases, against the standard convolution that they replace."""
    first = depthwise(size=size, channels=in_channels, kernel=kernel, stride=stride, padding=padding, bias=False).result
    high, wide = first["shape_out"][1:]
    second = conv(size=(high, wide), in_channels=in_channels, out_channels=out_channels, kernel=1, bias=False).result
    standard = conv(
        size=size, in_channels=in_channels, out_channels=out_channels, kernel=kernel, stride=stride, padding=padding,
        bias=False,
    ).result  # fmt: skip
    macs, weights = first["macs"] + second["macs"], first["weights"] + second["weights"]
    reduction = standard["macs"] / macs
    steps = (
        _weights_step("K^2 C_in + C_in C_out", f"{shown(first['weights'])} + {shown(second['weights'])}", weights),
        Step("MACs", "depthwise + pointwise", f"{shown(first['macs'])} + {shown(second['macs'])}", macs),
        Step(
            "standard MACs",
            "H_o W_o C_out K^2 C_in",
            product(high, wide, out_channels, kernel, kernel, in_channels),
            standard["macs"],
        ),
        Step(
            "separable/standard",
            "1/C_out + 1/K^2",
            f"1/{out_channels} + 1/{kernel**2}",
            1 / out_channels + 1 / kernel**2,
        ),
        Step("reduction", "standard / separable", f"{shown(standard['macs'])} / {shown(macs)}", reduction, "times"),
    )
    result = {
        "shape_out": [out_channels, high, wide], "macs": macs, "weights": weights, "depthwise_macs": first["macs"],
        "pointwise_macs": second["macs"], "depthwise_weights": first["weights"], "pointwise_weights": second["weights"],
        "standard_macs": standard["macs"], "standard_weights": standard["weights"],
        "fraction": 1 / out_channels + 1 / kernel**2, "reduction": reduction,
    }  # fmt: skip
    notes = (f"for many output channels the reduction nears K^2 = {kernel**2}",)
    return Worked(
        title=f"Depthwise separable convolution {in_channels} -> {out_channels}",
        steps=steps,
        result=result,
        notes=notes,
    )


def transposed(
    *, size: Pair, in_channels: int, out_channels: int, kernel: Pair = 2, stride: Pair = 2, padding: Pair = 0,
    output_padding: Pair = 0, dilation: Pair = 1, groups: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A transposed 2-D convolution: every input position meets every weight once."""
    in_channels, out_channels, groups = _channels(in_channels, out_channels, groups)
    high_in, wide_in = pair("size", size)
    settings = (pair("kernel", kernel), pair("stride", stride), pair("padding", padding, least=0))
    more = (pair("output_padding", output_padding, least=0), pair("dilation", dilation))
    high, wide = (
        transposed_size(size=s, kernel=k, stride=st, padding=p, output_padding=op, dilation=d).result["size"]
        for s, k, st, p, op, d in zip((high_in, wide_in), *settings, *more, strict=True)
    )
    kernel_h, kernel_w = settings[0]
    per_group = out_channels // groups
    weights = kernel_h * kernel_w * in_channels * per_group
    macs = high_in * wide_in * weights
    steps = (
        Step("output", "H_o x W_o", f"{high} x {wide}", [out_channels, high, wide], "(C, H, W)"),
        _weights_step("K_h K_w C_in (C_out/g)", product(kernel_h, kernel_w, in_channels, per_group), weights),
        *_params_step(weights, out_channels, bias),
        Step(
            "MACs",
            "H_i W_i C_in K_h K_w (C_out/g)",
            product(high_in, wide_in, in_channels, kernel_h, kernel_w, per_group),
            macs,
        ),
        _flops_step(macs),
    )
    elements_in = in_channels * high_in * wide_in
    result = _layer_result((out_channels, high, wide), weights, out_channels if bias else 0, macs, elements_in)
    return Worked(title=f"Transposed convolution {in_channels} -> {out_channels}", steps=steps, result=result)


def linear(*, in_features: int, out_features: int, batch: int = 1, bias: bool = True) -> Worked:
    """A fully connected layer on `batch` samples (or tokens); the weights are read once for all of them."""
    for name, value in (("in_features", in_features), ("out_features", out_features), ("batch", batch)):
        whole(name, value)
    weights = in_features * out_features
    macs = batch * weights
    steps = (
        _weights_step("n_in n_out", product(in_features, out_features), weights),
        *_params_step(weights, out_features, bias),
        Step("MACs", "B n_in n_out", product(batch, in_features, out_features), macs),
        _flops_step(macs),
    )
    result = _layer_result((batch, out_features), weights, out_features if bias else 0, macs, batch * in_features)
    return Worked(title=f"Linear {in_features} -> {out_features}", steps=steps, result=result)


def pool(
    *, size: Pair, channels: int, kernel: Pair, kind: str = "max", stride: Pair | None = None, padding: Pair = 0,
    ceil: bool = False,
) -> Worked:  # fmt: skip
    """Max or average pooling: no parameters, no MACs, `K^2 - 1` compares or adds (+ 1 multiply) per output value."""
    if kind not in ("max", "average"):
        raise ConfigError(f"kind is max or average, got {kind!r}.")
    whole("channels", channels)
    kernels, strides = pair("kernel", kernel), pair("stride", kernel if stride is None else stride)
    paddings = pair("padding", padding, least=0)
    high, wide = (
        output_size(size=s, kernel=k, stride=st, padding=p, ceil=ceil).result["size"]
        for s, k, st, p in zip(pair("size", size), kernels, strides, paddings, strict=True)
    )
    window = kernels[0] * kernels[1]
    per_output = window - 1 if kind == "max" else window
    operations = channels * high * wide * per_output
    formula = "C H_o W_o (K_h K_w - 1) compares" if kind == "max" else "C H_o W_o (K_h K_w - 1 adds + 1 multiply)"
    steps = (
        Step("output", "H_o x W_o", f"{high} x {wide}", [channels, high, wide], "(C, H, W)"),
        Step("elementwise", formula, product(channels, high, wide, per_output), operations),
    )
    result = {"shape_out": [channels, high, wide], "macs": 0, "params": 0, "elementwise": operations}
    return Worked(title=f"{kind.capitalize()} pooling {kernels[0]}x{kernels[1]}", steps=steps, result=result)


def batch_norm(*, size: Pair, channels: int) -> Worked:
    """Batch normalization at inference: as four operations, with precomputed scale and shift, and folded."""
    whole("channels", channels)
    high, wide = pair("size", size)
    elements = channels * high * wide
    steps = (
        Step("params", "2C", product(2, channels), 2 * channels, "learnable"),
        Step("buffers", "2C + 1", f"{product(2, channels)} + 1", 2 * channels + 1),
        Step("as written", "4 C H W", product(4, channels, high, wide), 4 * elements, "sub div mul add"),
        Step("scale and shift", "2 C H W", product(2, channels, high, wide), 2 * elements, "mul add"),
        Step("folded", "0", "into the convolution before it", 0),
    )
    result = {
        "params": 2 * channels, "buffers": 2 * channels + 1, "elementwise_as_written": 4 * elements,
        "elementwise": 2 * elements, "elementwise_folded": 0,
    }  # fmt: skip
    return Worked(title=f"Batch normalization of {channels} channels", steps=steps, result=result)


def _channels(in_channels: int, out_channels: int, groups: int) -> tuple[int, int, int]:
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        whole(name, value)
    if in_channels % groups or out_channels % groups:
        raise ConfigError(f"groups divides both channel counts, got {groups} for {in_channels} -> {out_channels}.")
    return in_channels, out_channels, groups


def _weights_step(formula: str, numbers: str, value: int) -> Step:
    return Step("weights", formula, numbers, value)


def _params_step(weights: int, out_channels: int, bias: bool) -> tuple[Step, ...]:
    if not bias:
        return ()
    numbers = f"{shown(weights)} + {shown(out_channels)}"
    return (Step("params", "weights + bias per output", numbers, weights + out_channels),)


def _flops_step(macs: int) -> Step:
    return Step("FLOPs", "2 MACs", f"2 x {shown(macs)}", 2 * macs)


def _layer_result(
    shape_out: tuple[int, ...], weights: int, biases: int, macs: int, elements_in: int
) -> dict[str, object]:
    moved = elements_in + weights + math.prod(shape_out)  # biases are left out, as in the published intensity figures
    return {
        "shape_out": list(shape_out), "weights": weights, "params": weights + biases, "macs": macs, "flops": 2 * macs,
        "values_moved": moved, "flops_per_byte_float32": 2 * macs / (4 * moved),
        "flops_per_byte_int8": 2 * macs / moved,
    }  # fmt: skip


def _conv_title(in_channels: int, out_channels: int, groups: int) -> str:
    kinds = {1: "Convolution", in_channels: "Depthwise convolution"}
    return f"{kinds.get(groups, f'Convolution in {groups} groups')} {in_channels} -> {out_channels}"
