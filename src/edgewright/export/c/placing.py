"""Where every tensor lies: offsets in the arena for codes, arrays of their own for float outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...program import Operation, Program
from .layout import Shape
from .memory import Overlap, Plan, plan
from .memory.homes import ALIGNMENT, Home
from .memory.program import buffers_of
from .scene import Call


@dataclass(frozen=True, kw_only=True)
class Placing:
    """The memory of a program.

    Attributes:
        homes: tensor -> the tensor whose memory it lies in (itself, or what it is a part of), and where.
        floats: float tensors that have memory of their own.
        calls: of each operation those that have something to do: what lies at its place already is not moved.
    """

    homes: Mapping[str, Home]
    plan: Plan
    floats: tuple[str, ...]
    calls: tuple[tuple[Call, ...], ...]


def placing_of(program: Program, calls: Sequence[tuple[Call, ...]], lying: Mapping[str, Shape]) -> Placing:
    """The smallest arena, with outputs over inputs as far as the kernels' order of reads and writes allows.

    An operation of several calls reads its inputs again after it has written: it shares nothing. What a kernel could
    leave in the place of its input is moved, one after the other, where that makes the arena smaller: an output that
    grows behind it may want it elsewhere.
    """
    numbered = list(zip(program.operations, calls, strict=True))
    stays = {each.output for each, own in numbered if not each.layer and any(call.in_place for call in own)}
    best = _placed(program, numbered, lying, stays)
    for name in sorted(stays):
        if best.plan.arena_bytes == best.plan.bound_bytes:
            break
        other = _placed(program, numbered, lying, stays - {name})
        if other.plan.arena_bytes < best.plan.arena_bytes:
            best, stays = other, stays - {name}
    return best


MAX_NODES = 20_000  # partial plans times pieces of buffers: the more there are, the longer one takes to look at
Numbered = Sequence[tuple[Operation, tuple[Call, ...]]]


def _placed(program: Program, numbered: Numbered, lying: Mapping[str, Shape], stays: set[str]) -> Placing:
    """With the outputs `stays` in the place of their inputs."""
    scratch = {each.output: max((call.scratch_bytes for call in own), default=0) for each, own in numbered}
    rules = {each.output: own[0].distances for each, own in numbered if own and own[0].distances is not None}
    needs = buffers_of(program, scratch=scratch, lying=lying, rules=rules, in_place=stays)
    left = tuple(tuple(call for call in own if not _is_done(each, call, needs.homes)) for each, own in numbered)
    shares = {each.output for each, own in numbered if len(own) == 1}
    overlaps = [each for each in needs.overlaps if _maker(each, program) in shares]
    pieces = sum(len(each.parts) for each in needs.buffers)
    made = plan(needs.buffers, overlaps, alignment=ALIGNMENT, max_nodes=MAX_NODES // max(1, pieces))
    return Placing(homes=needs.homes, plan=made, floats=needs.floats, calls=left)


def _maker(overlap: Overlap, program: Program) -> str:
    """The output of the operation that an overlap is of."""
    return overlap.output if overlap.op is None else program.operations[overlap.op].output


def _is_done(operation: Operation, call: Call, homes: Mapping[str, Home]) -> bool:
    """Whether a call would move codes to where they lie."""
    if operation.kind not in ("slice", "concat"):
        return False
    part, whole = (
        (operation.output, call.inputs[0]) if operation.kind == "slice" else (call.inputs[0], operation.output)
    )
    inner, outer = homes[part], homes[whole]
    return inner.root == outer.root and inner.at == outer.at + call.sizes["offset"]
