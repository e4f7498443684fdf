"""Sliding windows: convolutions as layers, poolings as functions.

A function that `WINDOWS` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...errors import UnsupportedError
from ...formats.onnx_rules import same_padding
from .layers import weighted
from .op import Builder, Built, Op, aten
from .values import Size, Value

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV_FUNCTION = {1: aten.conv1d.default, 2: aten.conv2d.default, 3: aten.conv3d.default}
TRANSPOSED_FUNCTION = {
    1: aten.conv_transpose1d.default, 2: aten.conv_transpose2d.input, 3: aten.conv_transpose3d.input,
}  # fmt: skip
MAX_POOL = {1: aten.max_pool1d.default, 2: aten.max_pool2d.default, 3: aten.max_pool3d.default}
AVG_POOL = {1: aten.avg_pool1d.default, 2: aten.avg_pool2d.default, 3: aten.avg_pool3d.default}
ADAPTIVE = {
    1: aten.adaptive_avg_pool1d.default,
    2: aten.adaptive_avg_pool2d.default,
    3: aten.adaptive_avg_pool3d.default,
}


@dataclass(frozen=True, kw_only=True)
class PaddedWindow:
    """Kernel, stride, dilation and padding per spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def axes(self) -> int:
        return len(self.kernel)

    @property
    def symmetric(self) -> bool:
        return self.begins == self.ends

    @property
    def widths(self) -> list[int]:
        """For `pad`: from the last axis inwards, in pairs."""
        return [width for both in zip(reversed(self.begins), reversed(self.ends), strict=True) for width in both]


def window_of(op: Op, kernel: Sequence[int]) -> PaddedWindow:
    """The window of a convolution or pooling over `op.x`."""
    axes = len(kernel)
    stride = tuple(op.attr("strides") or [1] * axes)
    dilation = tuple(op.attr("dilations") or [1] * axes)
    pads = list(op.attr("pads") or [0] * 2 * axes)
    auto = op.text("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        pads = _same(op, (tuple(kernel), stride, dilation), upper=auto == "SAME_UPPER")
    elif auto == "VALID":
        pads = [0] * 2 * axes
    return PaddedWindow(
        kernel=tuple(kernel), stride=stride, dilation=dilation, begins=tuple(pads[:axes]), ends=tuple(pads[axes:])
    )


def _same(op: Op, window: tuple[tuple[int, ...], ...], *, upper: bool) -> list[int]:
    """Output size = input size / stride, rounded up; an odd rest goes behind (`upper`) or before."""
    places = enumerate(zip(*window, strict=True))
    pairs = [same_padding(op.fixed(axis + 2), each, upper=upper) for axis, each in places]
    return [pair[end] for end in (0, 1) for pair in pairs]


# --- convolutions ---------------------------------------------------------------------------------------------------


def conv(op: Op) -> Built:
    weight = op.need(1)
    window = window_of(op, op.attr("kernel_shape") or [op.fixed(a, weight) for a in range(2, weight.rank)])
    x, padding = op.x, window.begins
    if not window.symmetric:
        x, padding = op.call(aten.constant_pad_nd.default, x, window.widths, 0.0), (0,) * window.axes
    groups = op.attr("group", 1)
    settings: dict[str, Any] = {
        "stride": window.stride, "padding": padding, "dilation": window.dilation, "groups": groups,
    }  # fmt: skip
    if not weight.uniform:
        arguments = (window.stride, padding, window.dilation)
        return op.call(CONV_FUNCTION[window.axes], x, weight, op.get(2), *map(list, arguments), groups)
    sizes = (op.fixed(1, weight) * groups, op.fixed(0, weight), window.kernel)
    return weighted(op, x, CONV[window.axes], sizes, settings)


def conv_transpose(op: Op) -> Built:
    weight = op.need(1)
    window = window_of(_plain(op), op.attr("kernel_shape") or [op.fixed(a, weight) for a in range(2, weight.rank)])
    extra = list(op.attr("output_padding") or [0] * window.axes)
    begins, ends = _transposed_pads(op, window, extra)
    cut = [end - begin for begin, end in zip(begins, ends, strict=True)]
    for axis, less in enumerate(cut):  # fewer values cut off behind than before: as if the output were padded
        if 0 < -less <= max(window.stride[axis], window.dilation[axis]) - 1 - extra[axis]:
            extra[axis], cut[axis] = extra[axis] - less, 0
    made = _transposed(op, window, tuple(begins), tuple(extra))
    for axis, more in enumerate(cut):
        if more:
            op.only(more > 0, "its output is padded unevenly")
            made = op.call(aten.slice.Tensor, made, axis + 2, 0, op.fixed(axis + 2, made) - more)
    return made


def _plain(op: Op) -> Op:
    """The window of a transposed convolution without its automatic padding, which depends on the output."""
    return Op(**{**vars(op), "attributes": {k: v for k, v in op.attributes.items() if k != "auto_pad"}})


def _transposed_pads(op: Op, window: PaddedWindow, extra: Sequence[int]) -> tuple[list[int], list[int]]:
    shape, auto = op.attr("output_shape"), op.text("auto_pad", "NOTSET")
    if shape is None and not auto.startswith("SAME"):
        return list(window.begins), list(window.ends)
    begins, ends = [], []
    for axis in range(window.axes):
        length, stride = op.fixed(axis + 2), window.stride[axis]
        wanted = length * stride if shape is None else shape[axis - window.axes]
        full = stride * (length - 1) + extra[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        total = max(full - wanted, 0)
        less, more = total // 2, total - total // 2
        begins.append(less if auto == "SAME_UPPER" else more)
        ends.append(more if auto == "SAME_UPPER" else less)
    return begins, ends


def _transposed(op: Op, window: PaddedWindow, padding: tuple[int, ...], extra: tuple[int, ...]) -> Value:
    weight, groups = op.need(1), op.attr("group", 1)
    if window.axes != 2 or not weight.uniform:
        arguments = (window.stride, padding, extra)
        return op.call(
            TRANSPOSED_FUNCTION[window.axes], op.x, weight, op.get(2), *map(list, arguments), groups,
            list(window.dilation),
        )  # fmt: skip
    settings: dict[str, Any] = {
        "stride": window.stride, "padding": padding, "output_padding": extra, "groups": groups,
        "dilation": window.dilation,
    }  # fmt: skip
    sizes = (op.fixed(0, weight), op.fixed(1, weight) * groups, window.kernel)
    return weighted(op, op.x, nn.ConvTranspose2d, sizes, settings)


# --- pooling --------------------------------------------------------------------------------------------------------


def max_pool(op: Op) -> Built:
    op.only(len(op.outputs) < 2 or not op.outputs[1], "the places of the maxima are asked for")
    window = window_of(op, op.attr("kernel_shape"))
    x, padding = op.x, window.begins
    half = all(2 * pad <= kernel for pad, kernel in zip(padding, window.kernel, strict=True))
    if not window.symmetric or not half:
        x, padding = op.call(aten.constant_pad_nd.default, x, window.widths, -math.inf), (0,) * window.axes
    arguments = (window.kernel, window.stride, padding, window.dilation)
    return op.call(MAX_POOL[window.axes], x, *map(list, arguments), bool(op.attr("ceil_mode", 0)))


def average_pool(op: Op) -> Built:
    """Windows at the border divide by what they cover of the image, or by all (`count_include_pad`)."""
    window = window_of(op, op.attr("kernel_shape"))
    op.only(set(window.dilation) == {1}, "its window is dilated")
    include, ceil = bool(op.attr("count_include_pad", 0)), bool(op.attr("ceil_mode", 0))
    half = all(2 * pad <= kernel for pad, kernel in zip(window.begins, window.kernel, strict=True))
    if window.symmetric and half:
        arguments = (window.kernel, window.stride, window.begins)
        return op.call(AVG_POOL[window.axes], op.x, *map(list, arguments), ceil, include)
    padded = op.call(aten.constant_pad_nd.default, op.x, window.widths, 0.0)
    mean = op.call(AVG_POOL[window.axes], padded, list(window.kernel), list(window.stride), [0] * window.axes, ceil)
    return mean if include else op.call(aten.mul.Tensor, mean, op.emit.constant(_share(op, window, ceil)))


def _share(op: Op, window: PaddedWindow, ceil: bool) -> torch.Tensor:
    """What the mean over a padded window is multiplied by, to be one over what it covers of the image."""
    lengths = [op.fixed(axis + 2) for axis in range(window.axes)]
    covered = nn.functional.pad(torch.ones(1, 1, *lengths), window.widths)
    function: Any = AVG_POOL[window.axes]
    return 1 / function(covered, list(window.kernel), list(window.stride), [0] * window.axes, ceil)


def global_average(op: Op) -> Built:
    axes = op.x.rank - 2
    if axes not in ADAPTIVE:
        raise UnsupportedError(f"it pools {axes} axes")
    return op.call(ADAPTIVE[axes], op.x, [1] * axes)


def global_max(op: Op) -> Built:
    return op.call(aten.amax.default, op.x, list(range(2, op.x.rank)), True)


def local_response_norm(op: Op) -> Built:
    """x / (bias + alpha / size * sum of squares over `size` channels) ** beta. Krizhevsky 2012, section 3.3."""
    length, alpha, beta = op.attr("size"), op.attr("alpha", 1e-4), op.attr("beta", 0.75)
    channels = op.dims()[1]
    op.only(not isinstance(channels, Size), "its channels follow the batch")
    before, after = (length - 1) // 2, length - 1 - (length - 1) // 2
    square = op.call(aten.mul.Tensor, op.x, op.x)
    planes = [0, 0] * (op.x.rank - 2)
    padded = op.call(aten.constant_pad_nd.default, square, [*planes, before, after], 0.0)
    parts = [op.call(aten.slice.Tensor, padded, 1, start, start + channels) for start in range(length)]  # type: ignore[operator]
    total = parts[0]
    for part in parts[1:]:
        total = op.call(aten.add.Tensor, total, part)
    scaled = op.call(aten.add.Tensor, op.call(aten.mul.Tensor, total, alpha / length), op.attr("bias", 1.0))
    return op.call(aten.div.Tensor, op.x, op.call(aten.pow.Tensor_Scalar, scaled, beta))


WINDOWS: dict[str, Builder] = {
    "Conv": conv, "ConvTranspose": conv_transpose, "MaxPool": max_pool, "AveragePool": average_pool,
    "GlobalAveragePool": global_average, "GlobalMaxPool": global_max, "LRN": local_response_norm,
}  # fmt: skip
