"""The judge of a plan: goes through operations and bytes, and knows nothing of how the plan was made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from ....errors import ExportError
from .records import Buffer, Piece, Plan
from .sharing import Shared, shared_by


def check(plan: Plan) -> None:
    """Nothing, where the plan is legal.

    Raises:
        ExportError: a buffer has no offset, lies outside of the arena or off its alignment, or two buffers that are
            live together share bytes that no overlap permits.
    """
    for buffer in plan.buffers:
        _check_place(plan, buffer)
    shared = shared_by(plan.overlaps, plan.buffers)
    last = max((buffer.last for buffer in plan.buffers), default=-1)
    for op in range(last + 1):
        live = [(buffer, each) for buffer in plan.buffers for each in buffer.parts if each.operations >> op & 1]
        for (one, piece), (other, second) in combinations(live, 2):
            if not _meet(plan, one, piece, other, second) or one is other:
                continue
            if not _is_permitted(plan, [(one, piece), (other, second)], op, shared):
                raise ExportError(
                    f"The plan gives {_where(plan, one)} and {_where(plan, other)} the same bytes in operation {op}, "
                    "where both are live and no overlap permits it."
                )


def backwards_of(plan: Plan) -> frozenset[str]:
    """The outputs that lie so over their inputs that only a run from the last row to the first keeps these."""
    found = set()
    shared = shared_by(plan.overlaps, plan.buffers)
    for output in dict.fromkeys(each.overlap.output for each in shared):
        used = [each for each in shared if each.overlap.output == output and _lie_over(plan, each)]
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


def _is_permitted(plan: Plan, both: list[tuple[Buffer, Piece]], op: int, shared: Sequence[Shared]) -> bool:
    for (made, output), (under, over) in (both, both[::-1]):
        hands_over = all(first == op for first, last in output.lives if first <= op <= last) and all(
            last == op for first, last in over.lives if first <= op <= last
        )
        for each in shared if hands_over else ():
            names = (each.overlap.output, each.overlap.input)
            covered = each.covers(op, (output.begin, output.end), (over.begin, over.end))
            holds = _holds_backwards if made.name in plan.backwards else _holds_forwards
            if names == (made.name, under.name) and covered and holds(plan, each):
                return True
    return False


def _ends(plan: Plan, each: Shared) -> tuple[int, int]:
    """Where the output and the input of an overlap begin in the arena."""
    output = plan.offsets[each.overlap.output] + each.output_span[0]
    return output, plan.offsets[each.overlap.input] + each.input_span[0]


def _holds_forwards(plan: Plan, each: Shared) -> bool:
    output, under = _ends(plan, each)
    return each.overlap.lead is not None and output + each.overlap.lead <= under


def _holds_backwards(plan: Plan, each: Shared) -> bool:
    output, under = _ends(plan, each)
    return each.overlap.rise is not None and output >= under + each.overlap.rise


def _lie_over(plan: Plan, each: Shared) -> bool:
    output, under = _ends(plan, each)
    return output < under + each.input_bytes and under < output + each.output_bytes


def _meet(plan: Plan, one: Buffer, piece: Piece, other: Buffer, second: Piece) -> bool:
    a, b = plan.offsets[one.name], plan.offsets[other.name]
    return a + piece.begin < b + second.end and b + second.begin < a + piece.end


def _where(plan: Plan, buffer: Buffer) -> str:
    start = plan.offsets[buffer.name]
    return f"{buffer.name} at {start} to {start + buffer.num_bytes}"
