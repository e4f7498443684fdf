"""Pooling and normalization: no matrix product, so their elementwise work is counted beside MACs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from .windows import output_size
from .worked import Pair, Step, Worked, pair, product, shown, whole

NORM_PER_VALUE = 7  # add for the mean; subtract, multiply, add for the variance; multiply; scale and shift


def pool(
    *, size: Pair, channels: int, kernel: Pair, kind: str = "max", stride: Pair | None = None, padding: Pair = 0,
    ceil: bool = False,
) -> Worked:  # fmt: skip
    """Max or average pooling.

    No parameters and no MACs; `K^2 - 1` compares or adds (and 1 multiply) per output value.

    Args:
        kind: max or average.
        stride: the kernel unless said.
        ceil: round the output size up instead of down.
    """
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
    return Worked(
        title=f"{kind.capitalize()} pooling {kernels[0]}x{kernels[1]}",
        steps=steps,
        result=result,
        notes=(f"some papers charge one operation per output value, {shown(channels * high * wide)} here",),
    )


def batch_norm(*, size: Pair, channels: int) -> Worked:
    """Batch normalization at inference, as written and folded."""
    whole("channels", channels)
    high, wide = pair("size", size)
    elements = channels * high * wide
    steps = (
        Step("params", "2C", product(2, channels), 2 * channels, "learnable"),
        Step("buffers", "2C + 1", f"{product(2, channels)} + 1", 2 * channels + 1, "mean, variance, counter"),
        Step("as written", "4 C H W", product(4, channels, high, wide), 4 * elements, "sub div mul add"),
        Step("scale and shift", "2 C H W", product(2, channels, high, wide), 2 * elements, "mul add"),
        Step("folded", "0", "into the convolution before it", 0),
    )
    result = {
        "params": 2 * channels, "buffers": 2 * channels + 1, "elementwise_as_written": 4 * elements,
        "elementwise": 2 * elements, "elementwise_folded": 0,
    }  # fmt: skip
    return Worked(
        title=f"Batch normalization of {channels} channels",
        steps=steps,
        result=result,
        notes=("operations are for one sample: multiply by the batch only beside layers that are multiplied too",),
    )


def layer_norm(*, shape: Sequence[int]) -> Worked:
    """Layer normalization: a scale and a shift per element.

    Args:
        shape: the trailing axes that are normalized together.
    """
    if not shape:
        raise ConfigError("shape is a list of axis lengths, got none.")
    lengths = [whole("shape", length) for length in shape]
    elements = math.prod(lengths)
    return _normalization(f"Layer normalization of {shown(lengths)}", "2 n", product(2, *lengths), elements, elements)


def group_norm(*, size: Pair, channels: int, groups: int = 32) -> Worked:
    """Group normalization: a scale and a shift per channel.

    Args:
        groups: channels are normalized in so many groups; as many as channels is instance normalization.
    """
    if whole("channels", channels) % whole("groups", groups):
        raise ConfigError(f"groups divides channels, got {groups} for {channels}.")
    elements = channels * math.prod(pair("size", size))
    title = f"Group normalization of {channels} channels in {groups} groups"
    return _normalization(title, "2C", product(2, channels), channels, elements)


def _normalization(title: str, formula: str, numbers: str, scales: int, elements: int) -> Worked:
    operations = NORM_PER_VALUE * elements
    steps = (
        Step("params", formula, numbers, 2 * scales, "learnable"),
        Step("buffers", "0", "statistics come from the sample itself", 0),
        Step("elementwise", "7 per value", product(NORM_PER_VALUE, elements), operations),
    )
    result = {"params": 2 * scales, "buffers": 0, "macs": 0, "elementwise": operations}
    return Worked(title=title, steps=steps, result=result)
