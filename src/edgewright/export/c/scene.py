"""What an operation's C is made from, and what it becomes: one call of a kernel with its sizes and constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...program import Operation, Program, Tensor
from ...reference.integer import Grid
from .layout import Shape, around
from .memory.program import Rule
from .multipliers import Constant, grid_of


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: ew_KERNEL(&sizes, inputs, constants, output), with the scratch ahead of the output where there is any.

    Attributes:
        kernel: path of the header in kernels/, and with _ for / the name of its function: "conv", "dsp/conv".
        sizes: fields of ew_KERNEL_sizes; a mapping is a struct of its own.
        part: sets the constants of several calls of one operation apart.
        scratch_bytes: what the kernel needs beside its tensors, in the arena.
        in_place: its output can lie in the very place of its first input where nothing else reads that.
        distances: how far its output may lie over an input; None: as `memory.program.OVERLAPS` says of the operation.
    """

    kernel: str
    sizes: Mapping[str, Any]
    inputs: tuple[str, ...]
    constants: tuple[Constant, ...] = ()
    part: str = ""
    scratch_bytes: int = 0
    in_place: bool = False
    distances: Rule | None = None

    @property
    def function(self) -> str:
        """Its name in C, without the prefix."""
        return self.kernel.replace("/", "_")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An operation among its tensors.

    Attributes:
        lying: tensor -> the shape in whose order its bytes lie.
    """

    program: Program
    operation: Operation
    lying: Mapping[str, Shape]

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.program.tensors[self.operation.inputs[0]]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(self.program.tensors[name] for name in self.operation.inputs)

    @property
    def y(self) -> Tensor:
        """The output."""
        return self.program.tensors[self.operation.output]

    @property
    def grid(self) -> Grid:
        """The grid of the first input, of 8 bits at most."""
        return grid_of(self.x)

    @property
    def out(self) -> Grid:
        """The grid of the output, of 8 bits at most."""
        return grid_of(self.y)

    def around(self, axis: int) -> tuple[int, int, int]:
        """Of the first input in memory: values ahead of a logical axis, along it, and behind it."""
        return around(self.x.shape, axis)
