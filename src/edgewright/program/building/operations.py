"""Operations and grids as every graph needs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...reference.integer import Grid, table
from ..types import Tensor
from .builder import Builder
from .moves import reshape

Function = Callable[[np.ndarray], np.ndarray]


# -- grids ------------------------------------------------------------------------------------------------------------
def as_signed(grid: Grid, *, bits: int, signed: bool) -> Grid:
    """The grid with codes that a signed integer of its bits holds: unsigned ones of 8 or 16 bits move down by half."""
    if signed or bits not in (8, 16):
        return grid
    half = 2 ** (bits - 1)
    return Grid(
        scale=grid.scale, zero_point=grid.zero_point - half, low=grid.low - half, high=grid.high - half
    )  # fmt: skip


def holds(grid: Grid, part: Grid) -> bool:
    """Whether codes of `part` mean the same on `grid`."""
    same = (grid.scale, grid.zero_point) == (part.scale, part.zero_point)
    return same and grid.low <= part.low and part.high <= grid.high


# -- operations -------------------------------------------------------------------------------------------------------
def fitted(values: np.ndarray) -> np.ndarray:
    """The values as the smallest signed integers that hold them."""
    kinds = (np.int8, np.int16, np.int32)
    low, high = int(values.min()), int(values.max())
    kind = next(each for each in kinds if np.iinfo(each).min <= low and high <= np.iinfo(each).max)
    return values.astype(kind)


def look_up(builder: Builder, source: Tensor, output: Tensor, *, function: Function) -> Tensor:
    """A function of one number, by a table of one entry per code."""
    assert source.grid is not None and output.grid is not None, "a table turns codes into codes"
    entries = table(function, grid=source.grid, out=output.grid)
    return builder.add("look_up", [source], output, arrays={"table": fitted(entries)})


def global_average(builder: Builder, source: Tensor, shape: tuple[int, ...], *, name: str, grid: Grid) -> Tensor:
    """The mean of each channel's map, in `shape`: (C, 1, 1) or (C,)."""
    pooled = builder.tensor(name, (source.shape[0], 1, 1), grid)
    builder.add("global_average", [source], pooled)
    return reshape(builder, pooled, shape, name=f"{name}_flat")
