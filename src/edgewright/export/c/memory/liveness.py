"""The liveness bound: what an arena holds at least, whatever the offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .records import Bound, Buffer, Overlap


def liveness_bound(buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = ()) -> Bound:
    """The largest sum of live bytes over all operations; bytes that an overlap can share count once.

    With overlaps it is what each operation needs on its own: a plan can be forced to more, because an output that lies
    ahead of its input leaves less room ahead of itself.
    """
    live_at = live_buffers(buffers)
    if not live_at:
        return Bound(num_bytes=0, op=0, live=())
    needs = {op: _needed(op, live, overlaps) for op, live in live_at.items()}
    op = max(needs, key=lambda each: (needs[each], -each))
    live = sorted(live_at[op], key=lambda buffer: (-buffer.num_bytes, buffer.name))
    return Bound(num_bytes=needs[op], op=op, live=tuple(buffer.name for buffer in live))


def live_buffers(buffers: Sequence[Buffer]) -> dict[int, list[Buffer]]:
    """The buffers that are live at each operation, by its index."""
    last = max((buffer.last for buffer in buffers), default=-1)
    return {op: [each for each in buffers if each.first <= op <= each.last] for op in range(last + 1)}


def _needed(op: int, live: Sequence[Buffer], overlaps: Sequence[Overlap]) -> int:
    """Bytes of `live`, less what the operation's output can share.

    Inputs never share bytes with each other, so of an output of O bytes over inputs of I bytes together at least O - I
    lie beside them. Written forwards, its first `lead` bytes lie ahead of all of them; backwards, its last
    rise + O - I bytes lie behind.
    """
    sizes = {buffer.name: buffer.num_bytes for buffer in live}
    total = sum(sizes.values())
    for output in (buffer for buffer in live if buffer.first == op):
        under = [each for each in overlaps if each.output == output.name and each.input in sizes]
        if under:
            covered = sum(sizes[each.input] for each in under)
            beside = min(extra for each in under for extra in _beside(each, output.num_bytes, sizes[each.input]))
            total -= output.num_bytes - max(min(beside, output.num_bytes), output.num_bytes - covered)
    return total


def _beside(overlap: Overlap, output_bytes: int, input_bytes: int) -> Iterator[int]:
    """Bytes of the output beside its input: one figure for each order in which the kernel can run."""
    if overlap.lead is not None:
        yield overlap.lead
    if overlap.rise is not None:
        yield max(0, overlap.rise + output_bytes - input_bytes)
