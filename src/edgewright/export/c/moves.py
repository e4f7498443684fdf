"""Operations that move codes, and interpolation, as calls."""

from __future__ import annotations

import numpy as np

from ...errors import UnsupportedError
from ...reference.integer import nearest2d, neighbours
from ...reference.integer.resizing import FRACTION_BITS
from .layout import around, is_alias, loops, sizes_in_memory, sources
from .multipliers import Constant, end_of, grid_of, multiplier, regrid
from .scene import Call, Scene


def concat(scene: Scene) -> tuple[Call, ...]:
    """One call for each part."""
    axis, calls, offset = scene.operation.settings["axis"], [], 0
    _, size, inner = around(scene.y.shape, axis)
    for number, part in enumerate(scene.inputs):
        outer, own, _ = around(part.shape, axis)
        sizes = {
            "outer": outer, "run": own * inner, "pitch": size * inner, "offset": offset,
            "grid": regrid(grid_of(part), scene.out),
        }  # fmt: skip
        calls.append(Call(kernel="concat", sizes=sizes, inputs=(part.name,), part=str(number)))
        offset += own * inner
    return tuple(calls)


def cut(scene: Scene) -> tuple[Call, ...]:
    """A range of one axis."""
    settings = scene.operation.settings
    grid_of(scene.x)
    outer, size, inner = scene.around(settings["axis"])
    sizes = {
        "outer": outer, "run": (settings["stop"] - settings["start"]) * inner, "pitch": size * inner,
        "offset": settings["start"] * inner,
    }  # fmt: skip
    return (Call(kernel="slice", sizes=sizes, inputs=(scene.x.name,)),)


def copy(scene: Scene) -> tuple[Call, ...]:
    """The same codes at another place, which may lie over the first in any way."""
    grid_of(scene.x)
    return (Call(kernel="copy", sizes={"count": scene.y.num_values}, inputs=(scene.x.name,)),)


def move(scene: Scene) -> tuple[Call, ...]:
    """A reshape or transpose: nothing where the bytes stay, else nested loops."""
    if is_alias(scene.program, scene.operation, scene.lying):
        return ()
    grid_of(scene.x)
    indices = sources(scene.program, scene.operation, scene.lying)
    found = loops(indices, name=scene.y.name)
    sizes = {"count": tuple(count for count, _ in found), "step": tuple(step for _, step in found)}
    return (Call(kernel="transpose", sizes=sizes, inputs=(scene.x.name,)),)


def pad(scene: Scene) -> tuple[Call, ...]:
    """Zeros around a tensor of at most three axes."""
    if len(scene.x.shape) > 3:
        raise UnsupportedError(f"The padding {scene.y.name} has {len(scene.x.shape)} axes, expected at most three.")
    names = ("outer", "middle", "inner")
    rank = len(scene.x.shape)
    sizes: dict[str, object] = {}
    before = sizes_in_memory(tuple(first for first, _ in scene.operation.settings["widths"]))
    for prefix, values, rest in (
        ("{}", sizes_in_memory(scene.x.shape), 1),
        ("out_{}", sizes_in_memory(scene.y.shape), 1),
        ("{}_before", before, 0),
    ):
        full = (rest,) * (3 - rank) + tuple(values)
        sizes |= {prefix.format(name): value for name, value in zip(names, full, strict=True)}
    sizes["fill"] = scene.grid.zero_point
    return (Call(kernel="pad", sizes=sizes, inputs=(scene.x.name,)),)


def nearest(scene: Scene) -> tuple[Call, ...]:
    """Which row and column each output takes, as the reference finds them."""
    grid_of(scene.x)
    channels, rows, columns = scene.x.shape
    _, out_rows, out_columns = scene.y.shape
    numbers = np.arange(rows * columns).reshape(1, 1, rows, columns)
    taken = nearest2d(numbers, (out_rows, out_columns), steps=scene.operation.settings["steps"])[0, 0]
    constants = (
        Constant(role="from_row", values=(taken[:, 0] // columns).astype(np.int16)),
        Constant(role="from_column", values=(taken[0] % columns).astype(np.int16)),
    )
    sizes = {"columns": columns, "channels": channels, "out_rows": out_rows, "out_columns": out_columns}
    return (Call(kernel="nearest", sizes=sizes, inputs=(scene.x.name,), constants=constants),)


def bilinear(scene: Scene) -> tuple[Call, ...]:
    """Neighbours and shares of rows and columns as tables."""
    channels, *before = scene.x.shape
    _, *after = scene.y.shape
    settings = scene.operation.settings
    steps = settings["steps"] or [old / new for old, new in zip(before, after, strict=True)]
    constants: list[Constant] = []
    for axis, name in enumerate(("row", "column")):
        first, share = neighbours(after[axis], before[axis] - 1, steps[axis], settings["align_corners"])
        constants += [
            Constant(role=f"first_{name}", values=first.astype(np.int16)),
            Constant(role=f"{name}_share", values=share.astype(np.int16)),
        ]
    sizes = {
        "rows": before[0], "columns": before[1], "channels": channels, "out_rows": after[0], "out_columns": after[1],
        "zero_point": scene.grid.zero_point, **multiplier(scene.grid.scale / (scene.out.scale * 4**FRACTION_BITS)),
        "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="bilinear", sizes=sizes, inputs=(scene.x.name,), constants=tuple(constants)),)
