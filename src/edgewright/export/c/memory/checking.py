"""The judge of a plan: goes through operations and bytes, and knows nothing of how the plan was made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ....errors import ExportError
from .records import Buffer, Overlap, Plan


def check(plan: Plan) -> None:
    """Nothing, where the plan is legal.

    Raises:
        ExportError: a buffer has no offset, lies outside of the arena or off its alignment, or two buffers that are
            live together share bytes that no overlap permits.
    """
    for buffer in plan.buffers:
        _check_place(plan, buffer)
    last = max((buffer.last for buffer in plan.buffers), default=-1)
    for op in range(last + 1):
        live = [buffer for buffer in plan.buffers if buffer.first <= op <= buffer.last]
        for one, other in combinations(live, 2):
            if _shared(plan, one, other) and not _is_permitted(plan, one, other, op):
                raise ExportError(
                    f"The plan gives {_where(plan, one)} and {_where(plan, other)} the same bytes in operation {op}, "
                    "where both are live and no overlap permits it."
                )


def backwards_of(plan: Plan) -> frozenset[str]:
    """The outputs that lie so over their inputs that only a run from the last row to the first keeps these."""
    found = set()
    for output in dict.fromkeys(each.output for each in plan.overlaps):
        used = [each for each in plan.overlaps if each.output == output and _lie_over(plan, each)]
        if not all(_holds_forwards(plan, each) for each in used):
            found.add(output)
    return frozenset(found)


def _check_place(plan: Plan, buffer: Buffer) -> None:
    offset = plan.offsets.get(buffer.name)
    if offset is None:
        raise ExportError(f"The plan has no offset for the buffer {buffer.name}.")
    if offset < 0 or offset + buffer.num_bytes > plan.arena_bytes:
        raise ExportError(f"The plan puts {_where(plan, buffer)} outside of its arena of {plan.arena_bytes} bytes.")
    if offset % plan.alignment:
        raise ExportError(f"The plan puts {_where(plan, buffer)}, expected a multiple of {plan.alignment}.")


def _is_permitted(plan: Plan, one: Buffer, other: Buffer, op: int) -> bool:
    return any(
        _holds_backwards(plan, each) if each.output in plan.backwards else _holds_forwards(plan, each)
        for each in _between(plan, one, other)
        if all(buffer.first == op for buffer in (one, other) if buffer.name == each.output)
        and all(buffer.last == op for buffer in (one, other) if buffer.name == each.input)
    )


def _between(plan: Plan, one: Buffer, other: Buffer) -> Iterator[Overlap]:
    names = {one.name, other.name}
    return (each for each in plan.overlaps if {each.output, each.input} == names)


def _holds_forwards(plan: Plan, overlap: Overlap) -> bool:
    lead = overlap.lead
    return lead is not None and plan.offsets[overlap.output] + lead <= plan.offsets[overlap.input]


def _holds_backwards(plan: Plan, overlap: Overlap) -> bool:
    rise = overlap.rise
    return rise is not None and plan.offsets[overlap.output] >= plan.offsets[overlap.input] + rise


def _lie_over(plan: Plan, overlap: Overlap) -> bool:
    by_name = {buffer.name: buffer for buffer in plan.buffers}
    return _shared(plan, by_name[overlap.output], by_name[overlap.input])


def _shared(plan: Plan, one: Buffer, other: Buffer) -> bool:
    low, high = sorted((one, other), key=lambda buffer: plan.offsets[buffer.name])
    return plan.offsets[low.name] + low.num_bytes > plan.offsets[high.name]


def _where(plan: Plan, buffer: Buffer) -> str:
    start = plan.offsets[buffer.name]
    return f"{buffer.name} at {start} to {start + buffer.num_bytes}"
