"""Where every tensor lies: offsets in the arena for codes, arrays of their own for float outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...program import Operation, Program
from .layout import Shape
from .memory import Plan, plan
from .memory.program import buffers_of
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
    """The smallest arena, with outputs over inputs as far as the kernels' order of reads and writes allows.

    An operation of several calls reads its inputs again after it has written: it shares nothing. What a kernel could
    leave in the place of its input is moved, one after the other, where that makes the arena smaller: an output that
    grows behind it may want it elsewhere.
    """
    made = list(zip(program.operations, calls, strict=True))
    stays = {each.output for each, own in made if any(call.in_place for call in own)}
    best = _placed(program, made, lying, stays)
    for name in sorted(stays):
        other = _placed(program, made, lying, stays - {name})
        if other.plan.arena_bytes < best.plan.arena_bytes:
            best, stays = other, stays - {name}
    return best


def _placed(
    program: Program, made: Sequence[tuple[Operation, tuple[Call, ...]]], lying: Mapping[str, Shape], stays: set[str]
) -> Placing:
    """With the outputs `stays` in the place of their inputs."""
    scratch = {each.output: max((call.scratch_bytes for call in own), default=0) for each, own in made}
    rules = {each.output: own[0].distances for each, own in made if own and own[0].distances is not None}
    needs = buffers_of(program, scratch=scratch, lying=lying, rules=rules, in_place=stays)
    at_once = {each.output for each, own in made if len(own) == 1}
    overlaps = [each for each in needs.overlaps if each.output in at_once]
    return Placing(root=needs.owner, plan=plan(needs.buffers, overlaps, alignment=ALIGNMENT), floats=needs.floats)
