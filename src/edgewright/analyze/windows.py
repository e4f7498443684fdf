"""The sliding windows of convolutions and poolings, as one form whoever wrote them."""

from __future__ import annotations

import math
from typing import Any

from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..types import Window
from .tracing import Call

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
POOLINGS = (
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool2d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
)
ADAPTIVE = tuple(f"adaptive_{kind}_pool{axes}d" for kind in ("avg", "max") for axes in (1, 2, 3))
WINDOWED = frozenset(f"aten.{name}" for name in (*CONVOLUTIONS, *POOLINGS))
ADAPTED = frozenset(f"aten.{name}" for name in ADAPTIVE)


def window_of(call: Call) -> Window | None:
    """The window of a convolution or a pooling, None for anything else and for adaptive windows of unequal sizes."""
    if isinstance(call.layer, _ConvNd):
        return _of_layer(call.layer)
    if call.function in WINDOWED:
        return _of_function(call)
    return _adaptive(call) if call.function in ADAPTED else None


def _of_layer(layer: _ConvNd) -> Window:
    kernel, dilation = tuple(layer.kernel_size), tuple(layer.dilation)
    return Window(
        kernel=kernel,
        stride=tuple(layer.stride),
        padding=_padding(layer.padding, kernel, dilation),
        dilation=dilation,
        groups=layer.groups,
        transposed=isinstance(layer, _ConvTransposeNd),
    )


def _of_function(call: Call) -> Window:
    is_pooling = "pool" in call.function
    axes = call.out.dim() - 2
    kernel = _each(call.argument("kernel_size"), axes) if is_pooling else tuple(call.argument("weight").shape[2:])
    dilation = _each(call.argument("dilation"), axes) if call.has_argument("dilation") else (1,) * axes
    transposed = call.argument("transposed") if call.has_argument("transposed") else "transpose" in call.function
    return Window(
        kernel=kernel,
        stride=_each(call.argument("stride") or kernel, axes),  # poolings without a stride go by their kernel
        padding=_padding(call.argument("padding"), kernel, dilation),
        dilation=dilation,
        groups=1 if is_pooling else int(call.argument("groups")),
        transposed=bool(transposed),
    )


def _adaptive(call: Call) -> Window | None:
    """Output i of n sees inputs floor(i L/n) to ceil((i+1) L/n): equal windows where n divides L."""
    axes = int(call.function[-2])
    pairs = list(zip(call.inputs[0].shape[-axes:], call.out.shape[-axes:], strict=True))
    if any(length % count for length, count in pairs):
        return None
    kernel = tuple(int(length // count) for length, count in pairs)
    return Window(kernel=kernel, stride=kernel, padding=(0,) * axes, dilation=(1,) * axes)


def _padding(given: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    if given == "valid":
        return (0,) * len(kernel)
    if given == "same":
        return tuple(math.floor(step * (size - 1) / 2) for size, step in zip(kernel, dilation, strict=True))
    return _each(given, len(kernel))


def _each(value: Any, axes: int) -> tuple[int, ...]:
    """One number for every axis, or one for each."""
    values = tuple(int(each) for each in (value if isinstance(value, (tuple, list)) else (value,)))
    return values * axes if len(values) == 1 else values
