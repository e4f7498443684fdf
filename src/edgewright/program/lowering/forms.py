"""Which operation each operator of a simulation becomes. A new operator is one line.

FORMS     operators that round: `form(call) -> tensor on the grid of the output`, None where the settings forbid it
KEEPING   operators that take some of their input's codes as they are: `form(call) -> tensor on its grid`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from ...model.functions import CLAMPS, clamp_bounds, zero_padding
from ...reference.integer import Grid
from ..building import Builder, Codes, global_average, look_up
from ..types import Tensor
from .meaning import FUNCTIONS, Arguments, Function, function_of, pool_window, resizing

aten = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an operator: where it stands, what it is given, and what its output is like.

    Attributes:
        shape: of one image.
    """

    builder: Builder
    node: fx.Node
    given: Arguments
    shape: tuple[int, ...]
    grid: Grid

    def make(self, kind: str, inputs: list[Tensor], **more: Any) -> Tensor:
        """One operation that makes the output."""
        return self.builder.add(kind, inputs, self.builder.tensor(self.node.name, self.shape, self.grid), **more)

    @property
    def x(self) -> Codes:
        """The first tensor."""
        found: Codes = self.given["self"] if "self" in self.given else self.given["input"]
        return found


Form = Callable[[Call], Tensor | None]


def form_of(node: fx.Node) -> Form | None:
    """The form of an operator that rounds."""
    if node.target in CLAMPS:
        return _clamp
    return FORMS.get(node.target)


def keeping_form_of(node: fx.Node, *, rank: int) -> Form | None:
    """The form of an operator that hands codes on."""
    return _pad if zero_padding(node, rank=rank) is not None else KEEPING.get(node.target)


# -- forms ------------------------------------------------------------------------------------------------------------
def _pairwise(kind: str | None, **settings: Any) -> Form:
    """Two tensors of codes; with a number as the second it is a function of one."""

    def form(call: Call) -> Tensor | None:
        a, b = call.given["self"], call.given["other"]
        if not isinstance(b, Codes):
            return _look_up(call)
        if kind is None or len(a.tensor.shape) != len(b.tensor.shape):
            return None
        return call.make(kind, [a.tensor, b.tensor], settings=settings)

    return form


def _look_up(call: Call) -> Tensor | None:
    function: Function | None = function_of(call.node, call.given)
    if function is None:
        return None
    output = call.builder.tensor(call.node.name, call.shape, call.grid)
    return look_up(call.builder, call.x.tensor, output, function=function)


def _clamp(call: Call) -> Tensor:
    inside = replace(call, grid=call.grid.clamped(*clamp_bounds(call.node)))
    return inside.make("rescale", [call.x.tensor])


def _leaky_relu(call: Call) -> Tensor:
    return call.make("leaky_relu", [call.x.tensor], settings={"slope": float(call.given["negative_slope"])})


def _concatenate(call: Call) -> Tensor | None:
    axis = _image_axis(call.given["dim"], rank=len(call.shape))
    parts = [each.tensor for each in call.given["tensors"]]
    return None if axis is None else call.make("concat", parts, settings={"axis": axis})


def _softmax(call: Call) -> Tensor | None:
    axis = _image_axis(call.given["dim"], rank=len(call.shape))
    return None if axis is None else call.make("softmax", [call.x.tensor], settings={"axis": axis})


def _image_axis(axis: int, *, rank: int) -> int | None:
    """An axis of a batch as that of one image of `rank` axes; None for the axis of the batch."""
    found = axis % (rank + 1) - 1
    return None if found < 0 else found


def _global_average(call: Call) -> Tensor | None:
    source = call.x.tensor
    axes = {axis % 4 for axis in call.given["dim"] or ()} if "dim" in call.given else {2, 3}
    if len(source.shape) != 3 or axes != {2, 3}:
        return None
    return global_average(call.builder, source, call.shape, name=call.node.name, grid=call.grid)


def _average_pool(call: Call) -> Tensor | None:
    if call.given["divisor_override"] is not None:
        return None
    settings = {"window": pool_window(call.given), "include_padding": bool(call.given["count_include_pad"])}
    return call.make("average_pool", [call.x.tensor], settings=settings)


def _bilinear(call: Call) -> Tensor:
    settings = {"align_corners": bool(call.given["align_corners"]), "steps": _steps(call)}
    return call.make("bilinear", [call.x.tensor], settings=settings)


FORMS: dict[Any, Form] = {
    aten.add.Tensor: _pairwise("add", sign=1),
    aten.sub.Tensor: _pairwise("add", sign=-1),
    aten.mul.Tensor: _pairwise("mul"),
    aten.div.Tensor: _pairwise(None),
    aten.cat.default: _concatenate,
    aten.mean.dim: _global_average,
    aten.adaptive_avg_pool2d.default: _global_average,
    aten.avg_pool2d.default: _average_pool,
    aten.softmax.int: _softmax,
    aten._softmax.default: _softmax,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.leaky_relu.default: _leaky_relu,
    aten.gelu.default: _look_up,
    **dict.fromkeys(FUNCTIONS, _look_up),
}


# -- codes as they are ------------------------------------------------------------------------------------------------
def _pad(call: Call) -> Tensor | None:
    widths = zero_padding(call.node, rank=len(call.shape) + 1)
    assert widths is not None
    batch, *axes = zip(*widths, strict=True)
    return None if batch != (0, 0) else call.make("pad", [call.x.tensor], settings={"widths": tuple(axes)})


def _max_pool(call: Call) -> Tensor:
    return call.make("max_pool", [call.x.tensor], settings={"window": pool_window(call.given)})


def _nearest(call: Call) -> Tensor:
    return call.make("nearest", [call.x.tensor], settings={"steps": _steps(call)})


def _steps(call: Call) -> tuple[float, float] | None:
    height, width = call.x.tensor.shape[1:]
    return resizing(call.given, (height, width))[1]


KEEPING: dict[Any, Form] = {
    aten.max_pool2d.default: _max_pool,
    aten.upsample_nearest2d.vec: _nearest,
}
