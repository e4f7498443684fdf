"""Resizing of maps, where the file's coordinates are those of the program's operations."""

from __future__ import annotations

import math

import numpy as np

from ...formats.onnx_rules import HALF_PIXEL, Axis
from ...reference.integer import nearest2d
from .call import Call
from .fold import MOST_VALUES
from .values import Coded, Value

SUPPORTED = "use nearest (asymmetric, floor) or linear with half_pixel or align_corners"
Steps = tuple[float, float] | None


def resize(call: Call) -> Value:
    """From operator set 11; set 10 and Upsample have no modes of coordinates."""
    old = call.opset < 11 or call.node.operator == "Upsample"
    where = "asymmetric" if old else call.attr("coordinate_transformation_mode", "half_pixel")
    mode = call.attr("mode", "nearest")
    shape, axes = _axes(call, scales=1 if old else 2, sizes=None if old else 3)
    if call.attr("antialias", 0) or call.attr("exclude_outside", 0):
        raise call.refused("smooths or leaves out what lies outside", remedy=SUPPORTED)
    if mode == "nearest":
        return _nearest(call, shape, [each.nearest(where, _rounding(call, old)) for each in axes], axes)
    aligned = where == "align_corners"
    proper = aligned or (where in HALF_PIXEL and all(each.after > 1 for each in axes))
    if mode not in ("linear", "bilinear") or not proper:
        raise call.refused(f"resizes by {mode} with {where} coordinates", remedy=SUPPORTED)
    settings = {"align_corners": aligned, "steps": None if aligned else _steps(axes)}
    return call.pending("bilinear", [call.values().tensor], shape, settings=settings)


def _rounding(call: Call, old: bool) -> str:
    return "floor" if old else str(call.attr("nearest_mode", "round_prefer_floor"))


def _axes(call: Call, *, scales: int, sizes: int | None) -> tuple[tuple[int, ...], list[Axis]]:
    """The shape after it, and rows and columns as axes to resize."""
    x = call.coded()
    whole = (1, *x.shape)
    chosen = [axis % len(whole) for axis in call.attr("axes", range(len(whole)))]
    given = np.asarray(call.attr("scales", ())) if "scales" in call.node.attributes else call.array(scales)
    factors, after = [1.0] * len(whole), list(whole)
    if given is not None and given.size:
        for axis, factor in zip(chosen, given.ravel(), strict=True):
            factors[axis], after[axis] = float(factor), math.floor(whole[axis] * float(factor))
    else:
        wanted = None if sizes is None else call.listed("sizes", sizes)
        if wanted is None or call.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise call.refused("has neither scales nor sizes, or keeps an aspect ratio", remedy=SUPPORTED)
        for axis, size in zip(chosen, wanted, strict=True):
            factors[axis], after[axis] = size / whole[axis], size
    if math.prod(after) > MOST_VALUES:
        raise call.refused(f"makes {math.prod(after)} values", remedy=SUPPORTED)
    if len(whole) != 4 or after[:2] != [1, x.shape[0]] or min(after) < 1:
        raise call.refused("resizes other axes than rows and columns", remedy=SUPPORTED)
    axes = [Axis(axis=axis, before=whole[axis], after=after[axis], scale=factors[axis]) for axis in (2, 3)]
    return tuple(after[1:]), axes


def _steps(axes: list[Axis]) -> Steps:
    """Input rows and columns per output, None where the sizes say so."""
    if all(each.scale * each.before == each.after for each in axes):
        return None
    return 1.0 / axes[0].scale, 1.0 / axes[1].scale


def _nearest(call: Call, shape: tuple[int, ...], picked: list[list[int]], axes: list[Axis]) -> Coded:
    """The program's own choice of neighbours, by the sizes or by the factors, where it is the file's."""
    before = np.arange(axes[0].before * axes[1].before).reshape(1, 1, axes[0].before, axes[1].before)
    wanted = before[0, 0][np.ix_(*picked)]
    for steps in (None, (1.0 / axes[0].scale, 1.0 / axes[1].scale)):
        if np.array_equal(nearest2d(before, (shape[1], shape[2]), steps=steps)[0, 0], wanted):
            return call.keeping("nearest", call.coded(), shape, settings={"steps": steps})
    raise call.refused("takes other neighbours than every operation does", remedy=SUPPORTED)
