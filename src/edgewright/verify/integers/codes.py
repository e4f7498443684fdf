"""A tensor of codes with its grid, and codes among the arguments of an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from ...program.sums import code_values
from ...reference.integer import Grid


@dataclass(frozen=True, kw_only=True)
class Codes:
    """Integers that stand for values.

    Attributes:
        array: int64, any shape.
        made_for: the quantizer whose work the operator that made them has done; None behind it.
    """

    array: np.ndarray
    grid: Grid
    made_for: fx.Node | None = None

    def values(self) -> torch.Tensor:
        """What they stand for, float32."""
        return torch.from_numpy(code_values(self.array, self.grid))


def dequantized(value: Any) -> Any:
    """Float values for codes; anything else as it is."""
    return value.values() if isinstance(value, Codes) else value


def all_codes(values: Any) -> list[Codes] | None:
    """The codes among an operator's tensors; None when one of its tensors is float, or when it reads none. A tensor
    of integers is an index."""
    found: list[Any] = []

    def see(each: Any) -> None:
        if isinstance(each, Codes) or (isinstance(each, torch.Tensor) and each.is_floating_point()):
            found.append(each)

    fx.node.map_aggregate(values, see)
    return found if found and all(isinstance(each, Codes) for each in found) else None
