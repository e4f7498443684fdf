"""Layers that multiply: parameters, multiply-accumulates, bytes moved.

Conventions: batch 1; a MAC is one multiply-accumulate, bias ignored; FLOPs = 2 MACs; FLOP/byte figures take the ideal
reuse of reading input and weights once and writing the output once.
"""

from __future__ import annotations

import math

from ..errors import ConfigError
from .windows import sizes_out, transposed_size
from .worked import Pair, Step, Worked, pair, product, shown, whole


def conv(
    *, size: Pair, in_channels: int, out_channels: int, kernel: Pair = 3, stride: Pair = 1, padding: Pair | str = 0,
    dilation: Pair = 1, groups: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A 2-D convolution; grouped and dilated ones too.

    Args:
        padding: values added at each end; `same` is D(K-1)/2 and keeps the size at stride 1, `full` is D(K-1).
        groups: the channels are cut into so many parts that do not meet; as many as channels is depthwise.
    """
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
    return _layer(
        _conv_title(in_channels, out_channels, groups), steps,
        shape_out=(out_channels, high, wide), weights=weights, biases=out_channels if bias else 0, macs=macs,
        elements_in=elements_in,
    )  # fmt: skip


def depthwise(
    *, size: Pair, channels: int, kernel: Pair = 3, stride: Pair = 1, padding: Pair | str = 0, dilation: Pair = 1,
    multiplier: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A depthwise convolution: filters of one channel each.

    Args:
        multiplier: filters per channel.
    """
    whole("channels", channels)
    return conv(
        size=size, in_channels=channels, out_channels=channels * whole("multiplier", multiplier), kernel=kernel,
        stride=stride, padding=padding, dilation=dilation, groups=channels, bias=bias,
    )  # fmt: skip


def transposed(
    *, size: Pair, in_channels: int, out_channels: int, kernel: Pair = 2, stride: Pair = 2, padding: Pair = 0,
    output_padding: Pair = 0, dilation: Pair = 1, groups: int = 1, bias: bool = True,
) -> Worked:  # fmt: skip
    """A transposed 2-D convolution.

    Every input position meets every weight once; what falls into the padding is counted too.

    Args:
        padding: rows and columns cut off at each end of the output.
        output_padding: rows and columns added at the far end.
    """
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
    return _layer(
        f"Transposed convolution {in_channels} -> {out_channels}", steps,
        shape_out=(out_channels, high, wide), weights=weights, biases=out_channels if bias else 0, macs=macs,
        elements_in=elements_in,
    )  # fmt: skip


def linear(*, in_features: int, out_features: int, batch: int = 1, bias: bool = True) -> Worked:
    """A fully connected layer.

    Args:
        batch: samples or tokens; the weights are read once for all of them.
    """
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
    return _layer(
        f"Linear {in_features} -> {out_features}", steps,
        shape_out=(batch, out_features), weights=weights, biases=out_features if bias else 0, macs=macs,
        elements_in=batch * in_features,
    )  # fmt: skip


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


def _layer(
    title: str, steps: tuple[Step, ...], *, shape_out: tuple[int, ...], weights: int, biases: int, macs: int,
    elements_in: int,
) -> Worked:  # fmt: skip
    """The answer for a layer of MACs: its own steps, then FLOP/byte with input, weights and output moved once."""
    elements_out = math.prod(shape_out)
    moved = elements_in + weights + elements_out  # biases are left out, as in the published intensity figures
    wide, narrow = 2 * macs / (4 * moved), 2 * macs / moved
    formula = "FLOPs / bytes(input + weights + output)"
    values = f"({shown(elements_in)} + {shown(weights)} + {shown(elements_out)})"
    intensity = (
        Step("intensity, float32", formula, f"{shown(2 * macs)} / (4 x {values})", wide, "FLOP/byte"),
        Step("intensity, int8", formula, f"{shown(2 * macs)} / {values}", narrow, "FLOP/byte"),
    )
    result = {
        "shape_out": list(shape_out), "weights": weights, "params": weights + biases, "macs": macs, "flops": 2 * macs,
        "values_moved": moved, "flops_per_byte_float32": wide, "flops_per_byte_int8": narrow,
    }  # fmt: skip
    return Worked(title=title, steps=(*steps, *intensity), result=result)


def _conv_title(in_channels: int, out_channels: int, groups: int) -> str:
    kinds = {1: "Convolution", in_channels: "Depthwise convolution"}
    return f"{kinds.get(groups, f'Convolution in {groups} groups')} {in_channels} -> {out_channels}"
