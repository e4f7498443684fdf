"""Parts of a program that can be made in stripes: everything between one map and another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..types import Program
from .rows import ROWS, can_stripe


@dataclass(frozen=True, kw_only=True)
class Block:
    """The operations `first` to `last`, which read one tensor from outside of them and of which one is read outside."""

    first: int
    last: int
    entry: str
    exit: str


def block_between(program: Program, first: int, last: int) -> Block | None:
    """The operations `first` to `last` (both included) as a block, if they are one and can be made in stripes."""
    operations = program.operations[first : last + 1]
    inner = {each.output for each in operations}
    entries = {name for each in operations for name in each.inputs} - inner
    outside = {name for i, each in enumerate(program.operations) if not first <= i <= last for name in each.inputs}
    left = inner & (outside | set(program.outputs))
    if len(entries) != 1 or left != {operations[-1].output}:
        return None
    if not all(can_stripe(program, each) and not each.layer for each in operations):
        return None
    end = operations[-1].output
    return None if program.tensors[end].shape[ROWS] < 2 else Block(first=first, last=last, entry=min(entries), exit=end)


def blocks_of(program: Program, *, around: int | None = None) -> Iterator[Block]:
    """All blocks of two operations or more, the longest first.

    Args:
        around: an operation that each of them contains.
    """
    count = len(program.operations)
    spans = [(first, last) for first in range(count) for last in range(first + 1, count)]
    for first, last in sorted(spans, key=lambda span: (span[0] - span[1], span)):
        block = block_between(program, first, last) if around is None or first <= around <= last else None
        if block is not None:
            yield block
