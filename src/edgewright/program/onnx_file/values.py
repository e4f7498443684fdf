"""What a value of the file is known as while the program is built. Shapes are those of one image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...reference.integer import Grid
from ..types import Tensor

Shape = tuple[int, ...]
Make = Callable[[Grid | None, str], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """Integers of the file that stand for `scale * (codes - zero)`; both are broadcast to the shape of the codes."""

    codes: np.ndarray
    scale: np.ndarray
    zero: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A constant, with its batch axis if it has one.

    Attributes:
        stored: the integers that it is dequantized from.
        bits: of integers that are stored in fewer than 8.
    """

    values: np.ndarray
    stored: Stored | None = None
    bits: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """An input of the file that nothing has quantized or dequantized yet."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """A tensor of the program.

    Attributes:
        raw: the file has its codes here, and not the values that they stand for.
    """

    tensor: Tensor
    raw: bool = False

    @property
    def grid(self) -> Grid:
        assert self.tensor.grid is not None, "tensors of codes have a grid"
        return self.tensor.grid

    @property
    def shape(self) -> Shape:
        return self.tensor.shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A function of one tensor, element by element: its value for each code of the tensor, float64."""

    source: Tensor
    values: np.ndarray
    name: str

    @property
    def shape(self) -> Shape:
        return self.source.shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A layer whose bias may still grow: float additions behind it belong to it."""

    kind: str
    source: Tensor
    weight: np.ndarray
    weight_scale_O: np.ndarray
    bias_O: np.ndarray
    settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pending:
    """What an operator computes, before it is known on which grid.

    Attributes:
        make: adds the operation, its output on the given grid; None for float32, where `may_be_float`.
        low, high: where clamps behind the operator end.
        natural: a grid that holds the values as they are.
        of: the layer that it is, where additions behind it can be part of it.
    """

    make: Make
    shape: Shape
    name: str
    low: float = -math.inf
    high: float = math.inf
    natural: Grid | None = None
    may_be_float: bool = False
    of: Layer | None = None

    def clamped(self, low: float, high: float) -> Pending:
        """The same behind a clamp."""
        natural = None if self.natural is None else self.natural.clamped(low, high)
        return replace(
            self, low=min(max(self.low, low), high), high=max(min(self.high, high), low), natural=natural, of=None,
            may_be_float=False,
        )  # fmt: skip

    def on(self, grid: Grid) -> Tensor:
        """The tensor on a grid, or on the part of it that clamps leave."""
        return self.make(grid.clamped(self.low, self.high), self.name)


Value = Known | Image | Coded | Curve | Pending
