"""How far apart two buffers must begin, from what lives in them together and from the overlaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .records import Buffer, Overlap, Piece, Span


@dataclass(frozen=True, kw_only=True)
class Shared:
    """An overlap with all that it leaves open filled in."""

    overlap: Overlap
    op: int
    output_span: Span
    input_span: Span

    @property
    def output_bytes(self) -> int:
        return self.output_span[1] - self.output_span[0]

    @property
    def input_bytes(self) -> int:
        return self.input_span[1] - self.input_span[0]

    def covers(self, op: int, output: Span, over: Span) -> bool:
        """Whether it is what ties these bytes of the output's buffer to these of the input's in an operation."""
        return op == self.op and _within(output, self.output_span) and _within(over, self.input_span)


def shared_by(overlaps: Iterable[Overlap], buffers: Sequence[Buffer]) -> list[Shared]:
    """Overlaps of these buffers; those that name others are left out."""
    by_name = {each.name: each for each in buffers}
    return [
        Shared(
            overlap=each,
            op=by_name[each.output].first if each.op is None else each.op,
            output_span=each.output_span or (0, by_name[each.output].num_bytes),
            input_span=each.input_span or (0, by_name[each.input].num_bytes),
        )
        for each in overlaps
        if each.output in by_name and each.input in by_name
    ]


def apart(
    first: Buffer, second: Buffer, shared: Sequence[Shared], *, forwards: bool, backwards: bool
) -> tuple[int, int] | None:
    """How far `second` must begin after `first` to lie above it, and `first` after `second`; None: anywhere.

    Bytes of one that only ever live without certain bytes of the other may share memory with these, so the distances
    can be less than the sizes: a map that grows by rows lies over one that dies by rows.

    Args:
        shared: overlaps between the two, in either direction.
        forwards, backwards: the orders in which the operations of the overlaps may run.
    """
    found = [
        (one.end - other.begin, other.end - one.begin)
        for one in first.parts
        for other in second.parts
        if _collides(one, other, first, shared)
    ]
    for each in shared:
        above, below = _tied(each, forwards, backwards)
        found.append((above, below) if each.overlap.output == first.name else (below, above))
    return (max(each[0] for each in found), max(each[1] for each in found)) if found else None


def _collides(one: Piece, other: Piece, first: Buffer, shared: Sequence[Shared]) -> bool:
    """Whether two pieces live together in an operation whose overlap does not tie them."""
    together = one.operations & other.operations
    for each in shared if together else ():
        output, over = (one, other) if each.overlap.output == first.name else (other, one)
        if each.covers(each.op, (output.begin, output.end), (over.begin, over.end)):
            together &= ~(1 << each.op)
    return together != 0


def _tied(each: Shared, forwards: bool, backwards: bool) -> tuple[int, int]:
    """How far the input's buffer must begin after the output's, and the other way round."""
    lead = each.overlap.lead if forwards else None
    rise = each.overlap.rise if backwards else None
    ahead = each.output_bytes if lead is None else min(lead, each.output_bytes)
    behind = each.input_bytes if rise is None else min(rise, each.input_bytes)
    begin, under = each.output_span[0], each.input_span[0]
    return begin + ahead - under, under + behind - begin


def rounded(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap], alignment: int
) -> tuple[list[Buffer], list[Overlap]]:
    """Sizes and distances rounded up, which loses nothing where all offsets are multiples of `alignment`."""

    def up(value: int) -> int:
        return -(-value // alignment) * alignment

    def farther(distance: int | None) -> int | None:
        return None if distance is None else up(distance)

    def outward(span: Span) -> Span:
        return span[0] // alignment * alignment, up(span[1])

    def wider(piece: Piece) -> Piece:
        begin, end = outward((piece.begin, piece.end))
        return replace(piece, begin=begin, end=end)

    return (
        [
            replace(each, num_bytes=up(each.num_bytes), pieces=tuple(wider(piece) for piece in each.pieces))
            for each in buffers
        ],
        [
            replace(
                each, lead=farther(each.lead), rise=farther(each.rise),
                output_span=each.output_span and outward(each.output_span),
                input_span=each.input_span and outward(each.input_span),
            )
            for each in overlaps
        ],
    )  # fmt: skip


def _within(inner: Span, outer: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
