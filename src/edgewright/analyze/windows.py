"""The sliding windows of convolutions and poolings, as one form whoever wrote them.

`SLIDING` is the one table of the functions that have a window; what else is known of them elsewhere (formulas, fusion,
layers that stand for them) is written by their family.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..types import Window
from .tracing import Call

Family = Literal["conv", "max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool"]
AXES = (1, 2, 3)
POOLINGS: tuple[Family, ...] = ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")


@dataclass(frozen=True, kw_only=True)
class Sliding:
    """A function that slides a window over its input."""

    family: Family
    axes: int | None = None  # None: those of its weight
    transposed: bool | None = False  # None: an argument says it


SLIDING: Mapping[str, Sliding] = {
    "convolution": Sliding(family="conv", transposed=None),
    **{f"conv{axes}d": Sliding(family="conv", axes=axes) for axes in AXES},
    **{f"conv_transpose{axes}d": Sliding(family="conv", axes=axes, transposed=True) for axes in AXES},
    **{f"{family}{axes}d": Sliding(family=family, axes=axes) for family in POOLINGS for axes in AXES},
    **{f"max_pool{axes}d_with_indices": Sliding(family="max_pool", axes=axes) for axes in AXES},
}
"""ATen function, without `aten.` -> its window."""


def names_of(family: Family) -> tuple[str, ...]:
    """The functions of a family."""
    return tuple(name for name, sliding in SLIDING.items() if sliding.family == family)


def sliding_of(call: Call) -> Sliding | None:
    """What `SLIDING` says of a call, None where it is no function with a window."""
    return SLIDING.get(call.function.removeprefix("aten.")) if call.function.startswith("aten.") else None


def window_of(call: Call) -> Window | None:
    """The window of a convolution or a pooling, None for anything else and for adaptive windows of unequal sizes."""
    if isinstance(call.layer, _ConvNd):
        return _of_layer(call.layer)
    sliding = sliding_of(call)
    if sliding is None:
        return None
    return _adaptive(call) if sliding.family.startswith("adaptive") else _of_function(call, sliding)


def is_transposed(call: Call) -> bool:
    """Whether a function with a window is a transposed convolution."""
    sliding = sliding_of(call)
    said = sliding.transposed if sliding is not None else False
    return bool(call.argument("transposed") if said is None else said)


def kernel_of(call: Call) -> tuple[int, ...]:
    """The size of the window of a function with one that is not adaptive."""
    if call.has_argument("weight"):
        return tuple(call.argument("weight").shape[2:])
    return per_axis(call.argument("kernel_size"), axes_of(call))


def axes_of(call: Call) -> int:
    """Along how many axes a function slides its window."""
    sliding = sliding_of(call)
    assert sliding is not None
    return sliding.axes or call.argument("weight").dim() - 2


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


def _of_function(call: Call, sliding: Sliding) -> Window:
    axes, kernel = axes_of(call), kernel_of(call)
    dilation = per_axis(call.argument("dilation"), axes) if call.has_argument("dilation") else (1,) * axes
    return Window(
        kernel=kernel,
        stride=per_axis(call.argument("stride") or kernel, axes),  # poolings without a stride go by their kernel
        padding=_padding(call.argument("padding"), kernel, dilation),
        dilation=dilation,
        groups=int(call.argument("groups")) if sliding.family == "conv" else 1,
        transposed=is_transposed(call),
    )


def _adaptive(call: Call) -> Window | None:
    """Output i of n sees inputs floor(i L/n) to ceil((i+1) L/n): equal windows where n divides L."""
    axes = axes_of(call)
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
    return per_axis(given, len(kernel))


def per_axis(value: Any, axes: int) -> tuple[int, ...]:
    """One number for every axis, or one for each."""
    values = tuple(int(each) for each in (value if isinstance(value, (tuple, list)) else (value,)))
    return values * axes if len(values) == 1 else values
