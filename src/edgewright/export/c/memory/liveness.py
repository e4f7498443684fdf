"""The liveness bound: what an arena holds at least, whatever the offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .records import Bound, Buffer, Overlap
from .sharing import Shared, shared_by


def liveness_bound(buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = ()) -> Bound:
    """The largest sum of live bytes over all operations; bytes that an overlap can share count once.

    With overlaps it is what each operation needs on its own: a plan can be forced to more, because an output that lies
    ahead of its input leaves less room ahead of itself.
    """
    live_at = live_buffers(buffers)
    if not live_at:
        return Bound(num_bytes=0, op=0, live=())
    shared = shared_by(overlaps, buffers)
    at = {op: [each for each in shared if each.op == op] for op in {each.op for each in shared}}
    needs = {op: _needed(op, live, at.get(op, ())) for op, live in live_at.items()}
    op = max(needs, key=lambda each: (needs[each], -each))
    live = sorted(live_at[op], key=lambda buffer: (-buffer.live_bytes(op), buffer.name))
    return Bound(num_bytes=needs[op], op=op, live=tuple(buffer.name for buffer in live))


def live_buffers(buffers: Sequence[Buffer]) -> dict[int, list[Buffer]]:
    """The buffers that are live at each operation, by its index."""
    last = max((buffer.last for buffer in buffers), default=-1)
    found: dict[int, list[Buffer]] = {op: [] for op in range(last + 1)}
    for each in buffers:
        lives = 0
        for piece in each.parts:
            lives |= piece.operations
        for op in range(each.first, each.last + 1):
            if lives >> op & 1:
                found[op].append(each)
    return found


def _needed(op: int, live: Sequence[Buffer], shared: Sequence[Shared]) -> int:
    """Bytes of `live`, less what the operation's output can share.

    Inputs never share bytes with each other, so of an output of O bytes over inputs of I bytes together at least O - I
    lie beside them. Written forwards, its first `lead` bytes lie ahead of all of them; backwards, its last
    rise + O - I bytes lie behind.
    """
    names = {buffer.name for buffer in live}
    total = sum(buffer.live_bytes(op) for buffer in live)
    here = [each for each in shared if each.overlap.output in names and each.overlap.input in names]
    for output in dict.fromkeys((each.overlap.output, each.output_span) for each in here):
        under = [each for each in here if (each.overlap.output, each.output_span) == output]
        num_bytes = under[0].output_bytes
        covered = sum(each.input_bytes for each in under)
        beside = min(extra for each in under for extra in _beside(each.overlap, num_bytes, each.input_bytes))
        total -= num_bytes - max(min(beside, num_bytes), num_bytes - covered)
    return total


def _beside(overlap: Overlap, output_bytes: int, input_bytes: int) -> Iterator[int]:
    """Bytes of the output beside its input: one figure for each order in which the kernel can run."""
    if overlap.lead is not None:
        yield overlap.lead
    if overlap.rise is not None:
        yield max(0, overlap.rise + output_bytes - input_bytes)
