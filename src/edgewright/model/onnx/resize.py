"""Resizing: PyTorch's own function where it computes the same, otherwise gathers and weights along each axis.

Source: the Resize operator of the ONNX specification, versions 10, 11, 13, 18 and 19.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ...formats.onnx_rules import HALF_PIXEL, Axis
from .op import Builder, Built, Op, aten
from .values import Size, Value


def resize(op: Op) -> Built:
    """From operator set 11; set 10 has no modes of coordinates and takes the scales second."""
    old = op.opset < 11
    op.only(not op.attr("antialias", 0), "it smooths while it shrinks (antialias)")
    axes = _axes(op, scales=1 if old else 2, sizes=None if old else 3)
    where = "asymmetric" if old else op.text("coordinate_transformation_mode", "half_pixel")
    return _resized(op, axes, where, "floor" if old else op.text("nearest_mode", "round_prefer_floor"))


def upsample(op: Op) -> Built:
    """Operator sets 7 to 9."""
    scales = op.attr("scales")
    axes = _scaled(op, list(scales)) if scales is not None else _axes(op, scales=1, sizes=None)
    return _resized(op, axes, "asymmetric", "floor")


def _axes(op: Op, *, scales: int, sizes: int | None) -> list[Axis]:
    """The axes that change."""
    chosen = [axis % op.x.rank for axis in op.attr("axes", range(op.x.rank))]
    given = op.get(scales)
    if given is not None and given.seen[0].numel():
        op.only(given.uniform, "its scales are computed")
        return _scaled(op, given.seen[0].tolist(), chosen)
    op.only(sizes is not None and op.get(sizes) is not None, "it has neither scales nor sizes")
    op.only(op.text("keep_aspect_ratio_policy", "stretch") == "stretch", "it keeps the aspect ratio")
    wanted = op.sizes(sizes)  # type: ignore[arg-type]
    found = []
    for axis, after in zip(chosen, wanted, strict=True):
        before = op.dims()[axis]
        if before == after or isinstance(before, Size) or isinstance(after, Size) or axis == 0:
            continue
        found.append(Axis(axis=axis, before=before, after=after, scale=after / before))
    return found


def _scaled(op: Op, scales: Sequence[float], chosen: Sequence[int] | None = None) -> list[Axis]:
    found = []
    for axis, scale in zip(chosen if chosen is not None else range(op.x.rank), scales, strict=True):
        if scale != 1:
            before = op.fixed(axis)
            found.append(Axis(axis=axis, before=before, after=math.floor(before * scale), scale=scale))
    return found


def _resized(op: Op, axes: Sequence[Axis], where: str, rounding: str) -> Value:
    mode = op.text("mode", "nearest")
    op.only(where != "tf_crop_and_resize", "it crops (tf_crop_and_resize)")
    op.only(all(each.after > 0 for each in axes), "nothing is left of an axis")
    if not axes:
        return op.x
    if mode == "nearest":
        return _nearest(op, axes, where, rounding)
    if mode == "cubic":
        return _cubic(op, axes, where)
    op.only(mode in ("linear", "bilinear"), f"its mode is '{mode}'")
    op.only(not op.attr("exclude_outside", 0), "it leaves out what lies outside")
    return _linear(op, axes, where)


def _is_image(op: Op, axes: Sequence[Axis]) -> bool:
    return op.x.rank == 4 and {each.axis for each in axes} <= {2, 3} and not op.x.known


def _sizes(op: Op, axes: Sequence[Axis]) -> tuple[list[int], list[float]]:
    """Height and width after, and their scales."""
    after, scale = [op.fixed(2), op.fixed(3)], [1.0, 1.0]
    for each in axes:
        after[each.axis - 2], scale[each.axis - 2] = each.after, each.scale
    return after, scale


def _nearest(op: Op, axes: Sequence[Axis], where: str, rounding: str) -> Value:
    picked = {each: each.nearest(where, rounding) for each in axes}
    if _is_image(op, axes) and all(_as_torch(each) == index for each, index in picked.items()):
        return op.call(aten.upsample_nearest2d.vec, op.x, _sizes(op, axes)[0], None)
    x = op.x
    for each, index in picked.items():
        x = op.call(aten.index_select.default, x, each.axis, op.emit.constant(torch.tensor(index)))
    return x


def _as_torch(axis: Axis) -> list[int]:
    places = torch.arange(axis.before, dtype=torch.float32).view(1, 1, -1)
    return [int(place) for place in F.interpolate(places, size=axis.after).view(-1)]


def _linear(op: Op, axes: Sequence[Axis], where: str) -> Value:
    aligned = where == "align_corners"
    proper = aligned or (where in HALF_PIXEL and all(each.after > 1 for each in axes))
    if _is_image(op, axes) and proper:
        sizes, scales = _sizes(op, axes)
        exact = all(each.scale * each.before == each.after for each in axes) or aligned
        arguments = (sizes, aligned, None) if exact else (None, aligned, scales)
        return op.call(aten.upsample_bilinear2d.vec, op.x, *arguments)
    x = op.x
    for each in axes:
        x = _linear_along(op, x, each, where)
    return x


def _linear_along(op: Op, x: Value, axis: Axis, where: str) -> Value:
    """Each output is a mix of its two neighbours."""
    places = [min(max(axis.place(index, where), 0.0), axis.before - 1.0) for index in range(axis.after)]
    low = [min(int(place), axis.before - 1) for place in places]
    high = [min(each + 1, axis.before - 1) for each in low]
    share = torch.tensor([place - each for place, each in zip(places, low, strict=True)])
    share = share.reshape([-1] + [1] * (x.rank - 1 - axis.axis))
    near, far = (
        op.call(aten.index_select.default, x, axis.axis, op.emit.constant(torch.tensor(i))) for i in (low, high)
    )
    near = op.call(aten.mul.Tensor, near, op.emit.constant(1 - share))
    return op.call(aten.add.Tensor, near, op.call(aten.mul.Tensor, far, op.emit.constant(share)))


def _cubic(op: Op, axes: Sequence[Axis], where: str) -> Value:
    op.only(_is_image(op, axes), "it is cubic along other axes than height and width")
    op.only(op.attr("cubic_coeff_a", -0.75) == -0.75, "its cubic coefficient is not -0.75")
    op.only(not op.attr("exclude_outside", 0), "it leaves out what lies outside")
    op.only(where in ("align_corners", *HALF_PIXEL), f"it is cubic with {where} coordinates")
    sizes, scales = _sizes(op, axes)
    exact = all(each.scale * each.before == each.after for each in axes) or where == "align_corners"
    arguments = (sizes, where == "align_corners", None) if exact else (None, False, scales)
    return op.call(aten.upsample_bicubic2d.vec, op.x, *arguments)


RESIZING: dict[str, Builder] = {"Resize": resize, "Upsample": upsample}
