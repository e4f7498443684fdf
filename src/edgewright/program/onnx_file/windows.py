"""Windows of convolutions and poolings, and means over whole maps."""

from __future__ import annotations

from collections.abc import Sequence

from ...formats.onnx_rules import same_padding
from ...reference.integer import Grid, Window
from ..building import global_average, reshape
from ..types import Tensor
from .call import REPLACE, Call
from .values import Coded, Pending, Shape

MAP = "write it over maps of rows and columns, (B, C, H, W)"


def is_map(shape: Shape) -> bool:
    return len(shape) == 3


def window_of(call: Call, shape: Shape, *, kernel: Sequence[int]) -> Window:
    """The window of an operator over maps of `shape`."""
    pads = [int(each) for each in call.attr("pads") or [0] * 4]
    rows, columns = (
        (int(kernel[axis]), int((call.attr("strides") or (1, 1))[axis]), int((call.attr("dilations") or (1, 1))[axis]))
        for axis in (0, 1)
    )
    auto = call.attr("auto_pad", "NOTSET")
    if len(kernel) != 2 or len(pads) != 4 or min(*pads, 0) < 0 or min(*rows, *columns) < 1:
        raise call.refused("has a window that is none over rows and columns", remedy=MAP)
    padding = ((pads[0], pads[2]), (pads[1], pads[3]))
    if auto.startswith("SAME"):
        upper = auto == "SAME_UPPER"
        padding = (same_padding(shape[1], rows, upper=upper), same_padding(shape[2], columns, upper=upper))
    elif auto == "VALID":
        padding = ((0, 0), (0, 0))
    return Window(
        kernel=(rows[0], columns[0]), stride=(rows[1], columns[1]), dilation=(rows[2], columns[2]), padding=padding,
        ceil=bool(call.attr("ceil_mode", 0)),
    )  # fmt: skip


def _pooled(call: Call, shape: Shape) -> tuple[Window, Shape]:
    """The window of a pooling, and the shape that it makes."""
    if not is_map(shape) or not call.attr("kernel_shape"):
        raise call.refused(f"pools values of the shape {shape}", remedy=MAP)
    window = window_of(call, shape, kernel=call.attr("kernel_shape"))
    return window, (shape[0], *(window.count(axis, size) for axis, size in enumerate(shape[1:])))


def max_pool(call: Call) -> Coded:
    x = call.coded()
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise call.refused("gives the places of its maxima", remedy=REPLACE)
    window, shape = _pooled(call, x.shape)
    return call.keeping("max_pool", x, shape, settings={"window": window})


def global_max(call: Call) -> Coded:
    x = call.coded()
    if not is_map(x.shape):
        raise call.refused(f"pools values of the shape {x.shape}", remedy=MAP)
    window = Window(kernel=(x.shape[1], x.shape[2]))
    return call.keeping("max_pool", x, (x.shape[0], 1, 1), settings={"window": window})


def average_pool(call: Call) -> Pending:
    x = call.values()
    window, shape = _pooled(call, x.shape)
    if window.dilation != (1, 1):
        raise call.refused("averages a dilated window", remedy=REPLACE)
    settings = {"window": window, "include_padding": bool(call.attr("count_include_pad", 0))}
    return call.pending("average_pool", [x.tensor], shape, settings=settings)


def mean(call: Call) -> Pending:
    """GlobalAveragePool, and ReduceMean over rows and columns."""
    x = call.values()
    axes = [2, 3] if call.node.operator == "GlobalAveragePool" else call.listed("axes", 1) or []
    if not is_map(x.shape) or sorted(axis % 4 for axis in axes) != [2, 3]:
        raise call.refused(f"averages the axes {axes} of values of the shape {x.shape}", remedy=(
            "average rows and columns of a map, both at once"
        ))  # fmt: skip
    keeps = call.node.operator == "GlobalAveragePool" or bool(call.attr("keepdims", 1))
    shape = (x.shape[0], 1, 1) if keeps else (x.shape[0],)

    def make(grid: Grid | None, name: str) -> Tensor:
        assert grid is not None
        return global_average(call.builder, x.tensor, shape, name=name, grid=grid)

    return call.waiting(make, shape)


def maximum(call: Call) -> Coded:
    """ReduceMax over rows and columns."""
    axes = call.listed("axes", 1) or []
    whole = global_max(call)
    if sorted(axis % 4 for axis in axes) != [2, 3]:
        raise call.refused(f"takes the maximum over the axes {axes}", remedy=REPLACE)
    if call.attr("keepdims", 1):
        return whole
    return Coded(tensor=reshape(call.builder, whole.tensor, whole.shape[:1], name=f"{call.name}_flat"), raw=whole.raw)
