"""What each operator sees: shapes in and out, window, and the receptive field of one output value.

    r += (k - 1) d j        j *= s                      convolution, pooling; start r = 1, j = 1
    r += (ceil(((k - 1) d + 1) / s) - 1) j    j /= s    transposed convolution
    r += (taps - 1) j       j /= scale                  interpolation with so many taps per axis

r is the receptive field in input pixels, j the distance in input pixels between neighbours. Where branches meet, the
larger field counts. Whatever mixes all places (attention, a global average, a linear layer over a flattened map) sees
the whole input. The field is the one of the formula, rounded up: at the borders part of it is padding.

Source: Araujo, Norris, Sim 2019, "Computing receptive fields of convolutional neural networks", Distill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..types import Window
from .operators import Operator, schedule
from .tracing import Call, Trace
from .windows import window_of

TAPS = {"bilinear2d": 2, "bicubic2d": 4, "linear1d": 2, "trilinear3d": 2}  # inputs per axis that one output mixes
MIXES_PLACES = frozenset(
    f"aten.{name}"
    for name in (
        "scaled_dot_product_attention", "matmul", "bmm", "mm", "einsum", "baddbmm", "addmm", "softmax", "group_norm",
        "instance_norm", "fft_rfft2", "fft_irfft2", "roll", "linalg_vector_norm", "norm",
    )
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Field:
    """What one value depends on: pixels and step per axis, None for the whole input."""

    size: tuple[float, ...] | None
    step: tuple[float, ...] | None


WHOLE = Field(size=None, step=None)


def by_shape(calls: Trace) -> list[dict[str, Any]]:
    """One row per operator that runs: shapes, window, receptive field and step in input pixels (None: the whole input).

    Args:
        calls: a traced model whose input is (B, C, H, W) or (B, C, L).
    """
    fields = fields_of(calls)
    return [_row(each, fields[each.name]) for each in schedule(calls).operators if each.fused_into is None]


def fields_of(calls: Trace) -> dict[str, Field]:
    """The field of the first output of each call, by name."""
    known: dict[int, Field] = {}
    found: dict[str, Field] = {}
    for call in calls.calls:
        if call.kind == "input":
            axes = max(call.out.dim() - 2, 1)
            field = Field(size=(1.0,) * axes, step=(1.0,) * axes)
        else:
            inputs = [known[id(each)] for each in call.inputs if id(each) in known]
            if not inputs:
                continue  # made of constants alone
            field = _next(call, _widest(inputs))
        found[call.name] = field
        known |= {id(each): field for each in call.outputs}
    return found


def _widest(fields: list[Field]) -> Field:
    if any(field.size is None or field.step is None for field in fields):
        return WHOLE
    axes = range(max(len(field.size or ()) for field in fields))
    size = tuple(max((field.size or ())[axis] for field in fields) for axis in axes)
    step = tuple(max((field.step or ())[axis] for field in fields) for axis in axes)
    return Field(size=size, step=step)


def _next(call: Call, field: Field) -> Field:
    if field.size is None or field.step is None or _sees_everything(call, len(field.size)):
        return WHOLE
    window = window_of(call)
    if window is not None and len(window.kernel) == len(field.size):
        if _covers(window, call.inputs[0]):
            return WHOLE
        pairs = zip(field.size, field.step, *_reach(window), strict=True)
        moved = [(size + step * (count - 1), step * factor) for size, step, count, factor in pairs]
        return Field(size=tuple(size for size, _ in moved), step=tuple(step for _, step in moved))
    if "upsample" in call.function:
        return _resized(call, field)
    return field


def _covers(window: Window, given: torch.Tensor) -> bool:
    """Whether one window takes all places of a map that has more than one."""
    places = given.shape[2:]
    spans = ((kernel - 1) * dilation + 1 for kernel, dilation in zip(window.kernel, window.dilation, strict=True))
    return (
        math.prod(places) > 1
        and not window.transposed
        and all(span >= size and not pad for span, size, pad in zip(spans, places, window.padding, strict=True))
    )


def _reach(window: Window) -> tuple[list[int], list[float]]:
    """Per axis: how many steps of the input one output spans, and the factor on the step."""
    spans = [(kernel - 1) * dilation + 1 for kernel, dilation in zip(window.kernel, window.dilation, strict=True)]
    if window.transposed:
        counts = [math.ceil(span / stride) for span, stride in zip(spans, window.stride, strict=True)]
        return counts, [1 / stride for stride in window.stride]
    return spans, [float(stride) for stride in window.stride]


def _resized(call: Call, field: Field) -> Field:
    taps = next((count for name, count in TAPS.items() if name in call.function), 1)
    before, after = call.inputs[0].shape[2:], call.out.shape[2:]
    size, step = field.size or (), field.step or ()
    return Field(
        size=tuple(
            extent + jump * (taps - 1 if inner != outer else 0)
            for extent, jump, inner, outer in zip(size, step, before, after, strict=True)
        ),
        step=tuple(jump * inner / outer for jump, inner, outer in zip(step, before, after, strict=True)),
    )


def _sees_everything(call: Call, axes: int) -> bool:
    """Whether one output value depends on every place of the input."""
    if call.function in MIXES_PLACES or isinstance(call.layer, nn.GroupNorm):
        return True
    given = call.inputs[0]
    places = math.prod(given.shape[2:]) if given.dim() == axes + 2 else 1
    if places == 1:
        return False
    if call.kind == "function" and call.out.dim() == 2:  # flattened, or reduced to a vector
        return True
    if isinstance(call.layer, nn.LayerNorm):
        return len(call.layer.normalized_shape) > 1
    adaptive = "adaptive" in call.function and window_of(call) is None
    return adaptive or (call.function in ("aten.mean", "aten.sum", "aten.amax") and _reduces_places(call, given))


def _reduces_places(call: Call, given: torch.Tensor) -> bool:
    dims = call.argument("dim") if call.has_argument("dim") else None
    dims = [dims] if isinstance(dims, int) else dims or range(given.dim())
    reduced = {int(dim) % given.dim() for dim in dims}
    return {given.dim() - 1, given.dim() - 2} <= reduced or {1, 2} <= reduced


def _row(operator: Operator, field: Field) -> dict[str, Any]:
    call = operator.call
    window = window_of(call)
    return {
        "name": operator.name,
        "layer": call.path if call.layer is not None else "",
        "op": operator.op,
        "shape_in": [int(size) for size in call.inputs[0].shape] if call.inputs else [],
        "shape_out": [int(size) for size in call.out.shape],
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "padding": list(window.padding) if window else None,
        "dilation": list(window.dilation) if window else None,
        "groups": window.groups if window else None,
        "receptive_field": None if field.size is None else [math.ceil(size) for size in field.size],
        "jump": None if field.step is None else list(field.step),
    }
