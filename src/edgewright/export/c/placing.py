"""Where every tensor lies: offsets in the arena for codes, arrays of their own for float outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...program import Program
from .layout import Shape, is_alias
from .memory import Buffer, Overlap, Plan, plan
from .scene import Call

ALIGNMENT = 4  # whole words, so that kernels may read four codes at once


@dataclass(frozen=True, kw_only=True)
class Placing:
    """The memory of a program.

    Attributes:
        root: tensor -> the tensor whose memory it is; itself, or the input of a reshape that moves nothing.
        floats: float tensors that have memory of their own.
    """

    root: Mapping[str, str]
    plan: Plan
    floats: tuple[str, ...]


def placing_of(program: Program, calls: Sequence[tuple[Call, ...]], lying: Mapping[str, Shape]) -> Placing:
    """The smallest arena, with in-place operations where a kernel allows them."""
    root = {name: name for name in program.inputs}
    for operation in program.operations:
        alias = is_alias(program, operation, lying)
        root[operation.output] = root[operation.inputs[0]] if alias else operation.output
    roots = [name for name in root if root[name] == name]
    coded = [name for name in roots if program.tensors[name].grid is not None]
    buffers = _buffers(program, root, coded)
    overlaps = _overlaps(program, calls, root, buffers)
    floats = tuple(name for name in roots if name not in coded)
    return Placing(root=root, plan=plan(buffers, overlaps, alignment=ALIGNMENT), floats=floats)


def _buffers(program: Program, root: Mapping[str, str], coded: Sequence[str]) -> list[Buffer]:
    """Inputs live from the first operation on, outputs to the last."""
    first = dict.fromkeys(program.inputs, 0)
    last = dict.fromkeys(program.inputs, 0)
    for index, operation in enumerate(program.operations):
        for name in (*operation.inputs, operation.output):
            first.setdefault(root[name], index)
            last[root[name]] = index
    for name in program.outputs:
        last[root[name]] = max(len(program.operations) - 1, 0)
    return [
        Buffer(name=name, num_bytes=program.tensors[name].num_values, first=first[name], last=last[name])
        for name in coded
    ]  # fmt: skip


def _overlaps(
    program: Program, calls: Sequence[tuple[Call, ...]], root: Mapping[str, str], buffers: Sequence[Buffer]
) -> list[Overlap]:  # fmt: skip
    """Outputs over inputs that die, in operations of one call that goes through both in step."""
    last = {buffer.name: buffer.last for buffer in buffers}
    found = []
    for index, (operation, own) in enumerate(zip(program.operations, calls, strict=True)):
        if len(own) != 1 or root[operation.output] != operation.output:
            continue
        dying = dict.fromkeys(root[name] for name in own[0].in_place if last[root[name]] == index)
        found += [Overlap(output=operation.output, input=name, lead=0) for name in dying]
    return found
