"""A program in the making: tensors and operations by name, and what a node of the graph is known as meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...reference.integer import Grid
from ..types import Operation, Tensor


@dataclass(frozen=True, kw_only=True)
class Codes:
    """A tensor of the program that stands for a value of the graph.

    Attributes:
        made_for: the node of the quantizer whose work the operator that made it has done; None behind it.
    """

    tensor: Tensor
    made_for: object = None

    @property
    def grid(self) -> Grid:
        assert self.tensor.grid is not None
        return self.tensor.grid


@dataclass(frozen=True, kw_only=True)
class Floats:
    """A float value of the graph: an input before its quantizer, or sums that leave as float32 (with a tensor)."""

    shape: tuple[int, ...]
    tensor: Tensor | None = None


def identifier(name: str) -> str:
    """A name as C allows it."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"t{plain}" if not plain or plain[0].isdigit() else plain


@dataclass
class Builder:
    """Collects tensors and operations."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def tensor(self, name: str, shape: tuple[int, ...], grid: Grid | None) -> Tensor:
        """A new tensor, called `name` as far as C and other tensors allow."""
        plain = identifier(name)
        free, number = plain, 2
        while free in self.tensors:
            free, number = f"{plain}_{number}", number + 1
        self.tensors[free] = Tensor(name=free, shape=shape, grid=grid)
        return self.tensors[free]

    def add(
        self,
        kind: str,
        inputs: list[Tensor],
        output: Tensor,
        *,
        settings: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> Tensor:
        """One more operation; its output."""
        self.operations.append(
            Operation(
                kind=kind, inputs=tuple(each.name for each in inputs), output=output.name, settings=settings or {},
                arrays=arrays or {},
            )
        )  # fmt: skip
        return output
